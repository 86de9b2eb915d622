"""Solve one load."""

import time
from typing import Any

import numpy as np

from fftmech.arrays.backend import get_backend, to_numpy
from fftmech.discretization import discretization
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.microstructure.base import (
    Microstructure,
    check_temperature,
    total_eigenstrain,
)
from fftmech.operators.reference_medium import reference_medium
from fftmech.problems.certificate import certify_solution
from fftmech.problems.linear import Problem
from fftmech.results.result import Result
from fftmech.simulations.advice import advice_for
from fftmech.simulations.mechanisms import check_load
from fftmech.simulations.memory import check_memory
from fftmech.simulations.method import PRECISIONS, check_options
from fftmech.solvers import get_solver
from fftmech.solvers.iteration import Progress, iterate
from fftmech.tensors.stiffness import reference_stiffness

# Loads of other sizes are scaled: single precision has a limited range, and the squares
# of residuals have twice the exponent.
ORDINARY = 1e-9, 1e9
EXTREME = 1e-150, 1e150


def solve(
    microstructure: Microstructure,
    load: Load | FiniteLoad,
    *,
    scheme: str = "rotated",
    solver: str | None = None,
    tolerance: float | None = None,
    max_iterations: int = 1000,
    device: str = "cpu",
    precision: str = "double",
    threads: int | None = None,
    temperature: float = 0.0,
    initial: Any = None,
    reference: tuple[float, float] | None = None,
    certificate: bool = True,
    progress: Progress | None = None,
    boundary: Boundary | None = None,
) -> Result:
    """Solve equilibrium on a microstructure, periodic but where `boundary` says else.

    Small-strain linear elasticity: div s = 0, s = C (e - e0), e = E + sym(D u), with
    each component of the mean strain E or of the mean stress prescribed. Where phases
    obey laws of their own, or the load is one of finite strain, the load is reached in
    one increment, by Newton's method; `fftmech.March` follows load paths.

    Parameters
    ----------
    microstructure
        Phase map and stiffness by phase.
    load
        Mean strains and mean stresses, or those of finite strain.
    scheme, solver
        Names in `fftmech.SCHEMES` and `fftmech.SOLVERS`; if None the solver is cg, or
        for a nonlinear body newton, one of `NONLINEAR_SOLVERS`.
    tolerance
        On the relative equilibrium residual sqrt(<r, M r> / <r0, M r0>), with M the
        inverse of the reference medium and r0 the residual of a homogeneous strain;
        `default_tolerance` if None.
    max_iterations
        Stop there; the result says so (`Result.status`).
    device, precision, threads
        "cpu" or "cuda"; "double" or "single"; threads (all if None).
    temperature
        Temperature change that drives thermal expansion (degrees).
    initial
        Displacement fluctuation to start from (length units), (3, nx, ny, nz), or a
        `Result` of the same grid and scheme.
    reference
        Bulk and shear modulus of the reference medium (stress units); the result does
        not depend on it, the number of iterations may.
    certificate
        Whether to bound the error (`fftmech.problems.certificate`); costs about one
        iteration.
    progress
        Called after every iteration.
    boundary
        Conditions on faces of the box that are not periodic; linear elasticity only,
        without certificate.

    Returns
    -------
    Result
        Look at `status` or `converged`: the fields are there in any case.

    Raises
    ------
    InputError
        Names, values, shapes or a load that cannot be solved.
    """
    started = time.perf_counter()
    tolerance = check_options(
        tolerance, max_iterations, precision, microstructure.grid, reference
    )
    if not isinstance(load, Load | FiniteLoad):
        raise InputError(
            f"load {load!r}",
            "fftmech.Load(strain=..., stress=...), or fftmech.FiniteLoad(F=..., P=...)",
        )
    bounded = boundary is not None and not all(boundary.periodic)
    laws = microstructure.law and set(microstructure.law) & set(microstructure.phases)
    if isinstance(load, FiniteLoad) or laws:
        from fftmech.simulations.nonlinear import solve_nonlinear

        if bounded:
            raise InputError(
                "a boundary with finite strain or a nonlinear body",
                "linear elasticity",
                "drop it, or add layers of pore to the body",
            )
        return solve_nonlinear(
            microstructure,
            load,
            scheme=scheme,
            solver=solver or "newton",
            tolerance=tolerance,
            max_iterations=max_iterations,
            device=device,
            precision=precision,
            threads=threads,
            temperature=temperature,
            initial=initial,
            reference=reference,
            certificate=certificate,
            progress=progress,
        )
    solver = solver or "cg"
    if boundary is not None and bounded:
        from fftmech.simulations.nonperiodic import solve_nonperiodic

        return solve_nonperiodic(
            microstructure,
            load,
            boundary,
            scheme=scheme,
            solver=solver,
            tolerance=tolerance,
            max_iterations=max_iterations,
            device=device,
            precision=precision,
            threads=threads,
            temperature=temperature,
            initial=initial,
            reference=reference,
            progress=progress,
        )
    method, discretized = get_solver(solver), discretization(scheme)
    microstructure.check()
    check_temperature(microstructure, temperature)
    check_load(microstructure, load)
    strained = total_eigenstrain(microstructure, temperature) is not None
    check_memory(
        microstructure.grid,
        discretized,
        precision,
        device,
        solver,
        whole_fields=certificate and strained and not len(microstructure.pores),
    )
    unit = _unit(microstructure, load, temperature)
    problem = Problem(
        _scaled(microstructure, temperature, unit),
        load.scaled(unit),
        discretized,
        get_backend(device, threads),
        PRECISIONS[precision],
        reference,
        temperature if unit == 1 else 0.0,
    )
    v = _initial(problem, initial, unit)
    compiled = problem.prepare(method.mixed)
    setup = time.perf_counter()

    v, status, residuals, balance = iterate(
        problem, method, v, tolerance, max_iterations, progress
    )
    certified = certify_solution(problem, v, balance).as_dict() if certificate else {}
    mean_stress = balance[0]
    del balance  # its residual, before the fields take most of what a solve takes
    strain, stress, energy = problem.fields(v)
    u = problem.displacement(v)[:3]
    mean_strain = to_numpy(problem.mean_strain(v)).astype(float)
    if unit != 1:
        for field in (u, strain, stress, mean_strain, mean_stress):
            field /= unit
        energy /= unit**2
        for name in ("gap", "energy_upper", "energy_lower"):
            if certified.get(name) is not None:
                certified[name] /= unit**2
    solved = time.perf_counter()
    return Result(
        microstructure=microstructure,
        load=load,
        scheme=scheme,
        solver=solver,
        tolerance=tolerance,
        displacement=to_numpy(u),
        strain=to_numpy(strain),
        stress=to_numpy(stress),
        energy_density=to_numpy(energy),
        mean_strain=mean_strain,
        mean_stress=mean_stress,
        energy=float(energy.mean()),
        status=status,
        advice=advice_for(status, problem, solver, max_iterations, precision),
        iterations=len(residuals) - 1,
        residuals=residuals,
        times={
            "setup": setup - started,
            "compile": compiled,
            "solve": solved - setup,
        },
        certificate=certified,
        temperature=temperature,
        precision=precision,
    )


def _unit(microstructure: Microstructure, load: Load, temperature: float) -> float:
    """Factor of loads and eigenstrains that brings extreme ones near one."""
    C0 = reference_stiffness(*reference_medium(microstructure))
    sizes = [load.mean_strain, np.linalg.solve(C0, load.mean_stress)]
    eigenstrain = total_eigenstrain(microstructure, temperature)
    if eigenstrain is not None:
        sizes.append(eigenstrain[microstructure.phases].ravel())
    size = float(abs(np.concatenate(sizes)).max())
    if ORDINARY[0] <= size <= ORDINARY[1] or not EXTREME[0] < size < EXTREME[1]:
        return 1.0
    return 2.0 ** -round(np.log2(size))


def _scaled(
    microstructure: Microstructure, temperature: float, unit: float
) -> Microstructure:
    """The body with `unit` times its eigenstrain, thermal expansion included."""
    eigenstrain = total_eigenstrain(microstructure, temperature)
    if unit == 1 or eigenstrain is None:
        return microstructure
    return microstructure.with_changes(eigenstrain=unit * eigenstrain)


def _initial(problem: Problem, initial: Any, unit: float) -> Any:
    """Unknown vector of an initial guess: a displacement fluctuation or a Result."""
    if initial is None:
        return None
    v = problem.zeros()
    xp = problem.backend.xp
    if isinstance(initial, Result):
        if initial.scheme != problem.scheme.name:
            raise InputError(
                f"initial guess solved with scheme {initial.scheme}",
                f"{problem.scheme.name}",
                "solve it again or change --scheme",
            )
        mean_strain = xp.asarray(initial.mean_strain, dtype=problem.precision)
        v[-6:] = xp.where(xp.asarray(problem.load.free), mean_strain, 0)
        initial = initial.displacement
    u = xp.asarray(initial, dtype=problem.precision)
    expected = (3, *problem.grid.shape)
    if u.shape != expected:
        raise InputError(f"initial displacement of shape {tuple(u.shape)}", expected)
    if not bool(xp.isfinite(u).all()):
        raise InputError("initial displacement has values that are not finite")
    problem.displacement(v)[:3] = u
    v *= unit
    return v
