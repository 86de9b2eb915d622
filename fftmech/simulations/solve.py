"""Solve one load."""

import time
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from fftmech.arrays.ranks import Ranks
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import check_writable, write_result
from fftmech.loads.boundary import Boundary
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.loads.path import Path, Step
from fftmech.microstructure.base import Microstructure
from fftmech.problems.certificate import FACES, Certificate, certify, certify_solution
from fftmech.problems.equilibrium import Solution
from fftmech.problems.linear import Problem
from fftmech.problems.linear_dual import StressProblem
from fftmech.problems.nonperiodic import NonperiodicProblem
from fftmech.results.field_names import FIELDS, Fields, chosen, known_names
from fftmech.results.result import FieldSource, Result
from fftmech.simulations.march import March
from fftmech.simulations.method import Method
from fftmech.simulations.prepare import prepare
from fftmech.simulations.remarks import doubts, undetermined
from fftmech.solvers.iteration import IterationReport, iterate
from fftmech.tensors import von_mises


def solve(
    microstructure: Microstructure,
    load: Load | FiniteLoad,
    *,
    scheme: str | None = None,
    solver: str | None = None,
    tolerance: float | None = None,
    energy_tolerance: float | None = None,
    max_iterations: int = 1000,
    device: str = "cpu",
    precision: str = "double",
    threads: int | None = None,
    temperature: float = 0.0,
    initial: Any = None,
    reference: tuple[float, float] | None = None,
    certificate: bool = True,
    progress: IterationReport | None = None,
    boundary: Boundary | None = None,
    fields: Fields = None,
    output: str | PathLike | None = None,
) -> Result:
    """Solve equilibrium on a microstructure, periodic but where `boundary` says else.

    Small-strain linear elasticity: div s = 0, s = C (e - e0), e = E + sym(D u), with
    each component of the mean strain E or of the mean stress prescribed. Where phases
    obey laws of their own, or the load is one of finite strain, the load is reached in
    one increment, by Newton's method; `fftmech.March` follows load paths, and turns
    crystals that slip.

    Parameters
    ----------
    microstructure
        Phase map and stiffness by phase.
    load
        Mean strains and mean stresses, or those of finite strain.
    scheme, solver
        Names in `fftmech.SCHEMES` and `fftmech.SOLVERS`; if None `bbar` (or that of an
        `initial` result) and cg, or dual where a phase is rigid; for a nonlinear body
        `rotated` and newton, one of `NONLINEAR_SOLVERS`.
    tolerance
        On the relative equilibrium residual sqrt(<r, M r> / <r0, M r0>), with M the
        inverse of the reference medium and r0 the residual of a homogeneous strain;
        `default_tolerance` if None. With solver dual, whose stress is in equilibrium, r
        is the incompatible part of its strain and r0 that of the prescribed mean
        stress. The stress is in equilibrium and has the prescribed
        means to `fftmech.solvers.base.STRESS` times it, relative to the mean
        stress, or the result is not converged.
    energy_tolerance
        On the certificate (`Certificate.relative`) instead: the iteration ends when the
        relative error, in the norm of energy, is known to be below. Of bodies that have
        a certificate: at small strain, without pores, of convex potentials.
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
        Conditions on faces of the box that are not periodic; linear elasticity only.
        Such a box has no certificate.
    fields
        Names of the fields to keep, "stress,von_mises" or a list, all if None; "none".
        Of a linear body the others take no memory. Means, energy and certificate are
        there in any case.
    output
        File to write these fields to instead of keeping them: a linear body's are
        computed some planes at a time, and the result has none.

    Returns
    -------
    Result
        Look at `status` or `converged`: the fields are there in any case.

    Raises
    ------
    InputError
        Names, values, shapes or a load that cannot be solved.
    """
    if not isinstance(load, Load | FiniteLoad):
        raise InputError(
            f"load {load!r}",
            "fftmech.Load(strain=..., stress=...), or fftmech.FiniteLoad(F=..., P=...)",
        )
    nonlinear = isinstance(load, FiniteLoad) or microstructure.nonlinear
    names = chosen(fields, known_names(microstructure, load))
    if output is not None:
        check_writable(output)
    if scheme is None and isinstance(initial, Result):
        scheme = initial.scheme
    method = Method.of(
        {
            "scheme": scheme,
            "solver": solver,
            "tolerance": tolerance,
            "energy_tolerance": energy_tolerance,
            "max_iterations": max_iterations,
            "device": device,
            "precision": precision,
            "threads": threads,
            "reference": reference,
        },
        nonlinear=nonlinear,
        rigid=len(microstructure.rigid) > 0,
    )
    if not isinstance(boundary, Boundary | None):
        raise InputError(f"boundary {boundary!r}", 'fftmech.Boundary(x="uniaxial")')
    if boundary is not None and all(boundary.periodic):
        boundary = None
    if nonlinear:
        _refuse_for_nonlinear(boundary, initial)
        path = Path((Step(load),))
        march = March(microstructure, path, temperature=temperature, **vars(method))
        for _ in march.points(progress):
            pass
        result = march.result(certificate)
        if output is None:
            return result.only(names)
        write_result(output, result, names)
        return result.only(())
    assert isinstance(load, Load)
    kept = names if output is None else ()
    how, solution = _solve_linear(
        microstructure,
        load,
        method,
        temperature=temperature,
        boundary=boundary,
        initial=initial,
        certificate=certificate,
        progress=progress,
        kept=kept,
    )
    grid, ranks = microstructure.grid, microstructure.ranks
    arrays, energy = _collect(solution, kept, grid, ranks)
    result = Result(**how, **arrays, energy=energy)
    if output is not None:
        source = FieldSource(solution.displacement, solution.planes)
        write_result(output, result, names, source)
    return result


def _collect(
    solution: Solution, names: Sequence[str], grid: Grid, ranks: Ranks
) -> tuple[dict[str, Any], float]:
    """The fields that are kept, None else, and the mean energy density."""
    arrays: dict[str, Any] = dict.fromkeys(FIELDS)
    parts = list(grid.slabs(13 * solution.displacement.itemsize))
    # nothing is saved by parts where nearly all is kept
    whole = {"strain", "stress"}.issubset(names)
    energy = 0.0
    for part in [slice(0, grid.shape[2])] if whole else parts:
        strain, stress, density = solution.planes(part)
        # the same sum, whatever is kept
        energy += sum(
            float(np.ascontiguousarray(density[..., own]).sum(dtype=float))
            for own in (parts if whole else [slice(None)])
        )
        found = {"strain": strain, "stress": stress, "energy_density": density}
        found = {name: values for name, values in found.items() if name in names}
        if "von_mises" in names and "stress" not in names:
            found["von_mises"] = von_mises(stress)
        for name, values in found.items():
            if whole or len(parts) == 1:
                arrays[name] = values
                continue
            if arrays[name] is None:
                shape = (*values.shape[:-1], grid.shape[2])
                arrays[name] = np.empty(shape, values.dtype)
            arrays[name][..., part] = values
    if "displacement" in names:
        arrays["displacement"] = solution.displacement
    return arrays, ranks.sum(energy) / grid.voxels


def _solve_linear(
    body: Microstructure,
    load: Load,
    method: Method,
    *,
    temperature: float,
    boundary: Boundary | None,
    initial: Any,
    certificate: bool,
    progress: IterationReport | None,
    kept: Sequence[str],
) -> tuple[dict[str, Any], Solution]:
    """Solve; what `Result` says but for the fields, which are yet to be computed."""
    started = time.perf_counter()
    problem, solver, tolerance, unit, compile_time = prepare(
        body, load, method, temperature=temperature, boundary=boundary, kept=kept
    )
    start = _start(problem, initial, unit)
    setup = time.perf_counter()
    v, status, residuals, balance = iterate(
        problem,
        solver,
        start,
        tolerance,
        method.max_iterations,
        progress,
        energy=method.energy_tolerance,
    )
    certified = _certificate(problem, v, balance) if certificate else {}
    mean_stress = balance[0]
    del balance  # its residual
    solution = problem.solution(v, mean_stress).divided_by(unit)
    if unit != 1:
        for name in ("gap", "energy_upper", "energy_lower"):
            if certified.get(name) is not None:
                certified[name] = certified[name] / unit / unit
    solved = time.perf_counter()
    how = {
        "microstructure": body,
        "load": load,
        "scheme": method.scheme,
        "solver": method.solver,
        "tolerance": tolerance,
        "precision": method.precision,
        "status": status,
        "advice": method.advice(status, body, load, problem.scale, min(residuals)),
        "iterations": len(residuals) - 1,
        "residuals": residuals,
        "times": {
            "setup": setup - started,
            "compile": compile_time,
            "solve": solved - setup,
        },
        "certificate": certified,
        "temperature": temperature,
        "boundary": boundary,
        "notes": [*body.notes, *doubts(body, method.scheme), *undetermined(body)],
        "mean_strain": solution.mean_strain,
        "mean_stress": solution.mean_stress,
    }
    return how, solution


def _certificate(
    problem: Problem | StressProblem | NonperiodicProblem,
    v: Any,
    balance: tuple[Any, Any],
) -> dict[str, Any]:
    if isinstance(problem, StressProblem):
        if len(problem.microstructure.rigid):
            reason = "the body has rigid phases, where it needs a strain that vanishes"
            return Certificate.none(reason).as_dict()
        return certify(problem.in_strains, *problem.pair(v)).as_dict()
    if isinstance(problem, NonperiodicProblem):
        return Certificate.none(FACES).as_dict()
    return certify_solution(problem, v, balance).as_dict()


def _refuse_for_nonlinear(boundary: Boundary | None, initial: Any) -> None:
    if boundary is not None:
        raise InputError(
            "a boundary with finite strain or a nonlinear body",
            "linear elasticity",
            "drop it, or add layers of pore to the body",
        )
    if initial is not None:
        raise InputError(
            "initial for a nonlinear body",
            "none",
            "a load path starts each increment from the one before",
        )


def _start(
    problem: Problem | StressProblem | NonperiodicProblem, initial: Any, unit: float
) -> Any:
    """Unknown of an initial guess: a displacement fluctuation or a Result."""
    if isinstance(problem, StressProblem):
        if initial is not None:
            raise InputError("initial with solver dual", "none", "drop it")
        return problem.uniform_start()
    if initial is None:
        return None
    if isinstance(problem, NonperiodicProblem):
        raise InputError("initial with a boundary", "none", "drop it")
    v = problem.zeros()
    xp = problem.backend.xp
    if isinstance(initial, Result):
        if initial.scheme != problem.scheme.name:
            raise InputError(
                f"initial solved with scheme {initial.scheme}",
                problem.scheme.name,
                "solve it again or change --scheme",
            )
        mean_strain = xp.asarray(initial.mean_strain, dtype=problem.precision)
        v[-6:] = xp.where(xp.asarray(problem.load.free), mean_strain, 0)
        initial = initial.displacement
    u = xp.asarray(initial)
    if u.dtype.kind not in "iuf":
        raise InputError(f"initial displacement of type {u.dtype}", "real numbers")
    u = u.astype(problem.precision)
    expected = (3, *problem.grid.shape)
    if u.shape != expected:
        raise InputError(
            f"initial displacement of shape {tuple(u.shape)}", f"{expected}"
        )
    if not bool(xp.isfinite(u).all()):
        raise InputError("initial displacement has values that are not finite")
    nodal = xp.zeros(problem.nodes, problem.precision)
    nodal[:3] = u
    return unit * problem.pack(nodal, v[-6:])
