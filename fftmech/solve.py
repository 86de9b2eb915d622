"""Solve one load: the one loop that counts, stops and reports."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fftmech.advice import advice_for
from fftmech.backend import get_backend, to_numpy
from fftmech.certificate import certify_solution
from fftmech.discretization import discretization
from fftmech.equilibrium import Equilibrium
from fftmech.errors import InputError
from fftmech.finite_load import FiniteLoad
from fftmech.load import Load
from fftmech.memory import check_memory
from fftmech.microstructure.base import Microstructure
from fftmech.options import PRECISIONS, check_options, check_temperature
from fftmech.percolation import check_load
from fftmech.problem import Problem, total_eigenstrain
from fftmech.reference import reference_medium, reference_stiffness
from fftmech.result import Result
from fftmech.solvers import Solver, State, get_solver

# Loads of other sizes are scaled: single precision has a limited range, and the squares
# of residuals have twice the exponent.
ORDINARY = 1e-9, 1e9
EXTREME = 1e-150, 1e150

# A residual that has grown by this factor will not come back.
DIVERGED = 1e6

# A recursive residual may drift from the true one, which is checked at the end: the
# solver is restarted from where it stands this many times.
RESTARTS = 3

Progress = Callable[[int, float], None]
"""Called with the iterations done and the relative residual."""


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
) -> Result:
    """Solve equilibrium on a periodic microstructure.

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
        Whether to bound the error (`fftmech.certificate`); costs about one iteration.
    progress
        Called after every iteration.

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
            f"load {load!r}: expected fftmech.Load(strain=..., stress=...), or "
            "fftmech.FiniteLoad(F=..., P=...)"
        )
    laws = microstructure.law and set(microstructure.law) & set(microstructure.phases)
    if isinstance(load, FiniteLoad) or laws:
        from fftmech.nonlinear import solve_nonlinear

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


class Outcome(NamedTuple):
    """What `iterate` returns.

    Attributes
    ----------
    v
        The last unknown.
    status
        As in `Result`.
    residuals
        Relative residual before each iteration and after the last.
    balance
        `Problem.balance` of v.
    """

    v: Any
    status: str
    residuals: list[float]
    balance: tuple[np.ndarray, Any]


def iterate(
    problem: Problem,
    method: Solver,
    v: Any = None,
    tolerance: float = 1e-6,
    max_iterations: int = 1000,
    progress: Progress | None = None,
    norm: float | None = None,
) -> Outcome:
    """Step from v, or from zero, until the true residual is as small as it can be.

    That is below the tolerance, or where the status says why not. `norm` is the dual
    norm of the residual of a homogeneous strain, computed here if it is not given.
    """
    zero = problem.zeros()
    if v is None and not problem.load.free.any():
        state = method.init(problem, zero)
        norm = _root(state.square)
    else:
        if norm is None:
            norm = _norm(problem, problem.balance(zero, problem.search)[1])
        state = method.init(problem, problem.uniform() if v is None else v)
    finite = np.isfinite(norm)
    floor = 10 * np.finfo(problem.precision).eps * np.sqrt(problem.scale)
    if not finite or norm <= floor:
        # a homogeneous strain is the solution already, or there is none
        status, last = ("converged", 0.0) if finite else ("diverged", norm)
        v = problem.zeros()
        return Outcome(v, status, [last], problem.balance(v, problem.search))
    return run(problem, method, state, norm, tolerance, max_iterations, progress)


def run(
    problem: Equilibrium,
    method: Solver,
    state: State,
    norm: float,
    tolerance: float,
    max_iterations: int,
    progress: Progress | None = None,
) -> Outcome:
    """Step from a solver's state; residuals are relative to `norm`."""

    def outcome(status: str) -> Outcome:
        balance = problem.balance(state.v, problem.search)
        return Outcome(state.v, status, residuals, balance)

    residuals = [_root(state.square) / norm]
    restarts, best = 0, np.inf
    while True:
        residual = residuals[-1]
        if not residual <= DIVERGED * max(residuals[0], 1.0):
            return outcome("diverged")
        if residual <= tolerance:
            balance = problem.balance(state.v, problem.search)
            true = residuals[-1] = _norm(problem, balance[1]) / norm
            if true <= 1.001 * tolerance:
                return Outcome(state.v, "converged", residuals, balance)
            if restarts == RESTARTS or true > 0.5 * best:
                return Outcome(state.v, "stagnated", residuals, balance)
            restarts, best = restarts + 1, true
            state = method.init(problem, state.v)
        if len(residuals) > max_iterations:
            return outcome("max_iterations")
        state = method.step(problem, state)
        residuals.append(_root(state.square) / norm)
        if progress:
            progress(len(residuals) - 1, residuals[-1])


def _norm(problem: Equilibrium, r: Any) -> float:
    """Dual norm sqrt(<r, M r>) of a residual."""
    return _root(problem.descend(r)[1])


def _root(square: float) -> float:
    """Square root of what is not negative but for rounding; NaN stays NaN."""
    return float(np.sqrt(np.maximum(square, 0.0)))


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
                f"initial guess solved with scheme {initial.scheme}: expected "
                f"{problem.scheme.name}; solve it again or change --scheme"
            )
        mean_strain = xp.asarray(initial.mean_strain, dtype=problem.precision)
        v[-6:] = xp.where(xp.asarray(problem.load.free), mean_strain, 0)
        initial = initial.displacement
    u = xp.asarray(initial, dtype=problem.precision)
    expected = (3, *problem.grid.shape)
    if u.shape != expected:
        raise InputError(
            f"initial displacement of shape {tuple(u.shape)}: expected {expected}"
        )
    if not bool(xp.isfinite(u).all()):
        raise InputError("initial displacement has values that are not finite")
    problem.displacement(v)[:3] = u
    v *= unit
    return v
