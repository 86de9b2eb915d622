"""Effective stiffness from six unit loads."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fftmech.arrays.backend import get_backend
from fftmech.arrays.threads import Check, run_together, threads_for
from fftmech.discretization import discretization
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.problems.linear import Problem
from fftmech.simulations.advice import advice_for
from fftmech.simulations.memory import check_memory
from fftmech.simulations.method import PRECISIONS, check_options
from fftmech.solvers import get_solver
from fftmech.solvers.iteration import Outcome, iterate
from fftmech.tensors.bounds import bounds
from fftmech.tensors.stiffness import engineering_constants, symmetry_distances


@dataclass(frozen=True)
class Effective:
    """The effective medium.

    Parameters
    ----------
    stiffness
        Mandel (stress units), (6, 6), symmetric.
    engineering
        `fftmech.tensors.engineering_constants`.
    symmetry
        `fftmech.tensors.symmetry_distances`.
    bounds
        `fftmech.tensors.bounds.bounds`: Voigt, Reuss and, where it applies,
        Hashin-Shtrikman.
    iterations, residuals
        Of each load, in the order xx yy zz yz xz xy.
    status, advice
        The worst status of the six loads, and what to do about it.
    times
        Seconds: "setup", of which "compile" is spent on kernels, and "solve".
    units
        Of the microstructure.
    """

    stiffness: np.ndarray
    engineering: dict[str, float | None]
    symmetry: dict[str, float]
    bounds: dict[str, Any]
    iterations: list[int]
    residuals: list[float]
    status: str
    advice: str
    times: dict[str, float]
    units: dict[str, str]

    @property
    def converged(self) -> bool:
        """Whether all six loads reached the tolerance."""
        return self.status == "converged"


# Share of a solution's energy from which another one is worth starting from.
LEAST_GAIN = 0.01


class Solved(NamedTuple):
    """A unit load's outcome, its force b, and <v_n, b> of the loads before it."""

    outcome: Outcome
    force: Any
    work: list[float]


def homogenize(
    microstructure: Microstructure,
    *,
    scheme: str = "rotated",
    solver: str = "cg",
    tolerance: float | None = None,
    max_iterations: int = 1000,
    device: str = "cpu",
    precision: str = "double",
    threads: int | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> Effective:
    """Effective stiffness C_ij = <e_i : C : e_j> of the six unit mean strains.

    Each load starts from the combination of the solutions before it that has the least
    energy (a Galerkin step that needs dot products only). The energy form makes C
    symmetric, with an error of the order of the tolerance squared.

    Parameters
    ----------
    microstructure
        Phase map and stiffness by phase; eigenstrains play no part.
    scheme, solver, tolerance, max_iterations, device, precision, threads
        As in `fftmech.solve`.
    progress
        Called after every iteration with the load (0 to 5), iterations and residual.

    Raises
    ------
    InputError
        As `fftmech.solve`, and phases that are not linear elastic.
    """
    started = time.perf_counter()
    tolerance = check_options(tolerance, max_iterations, precision, microstructure.grid)
    method, discretized = get_solver(solver), discretization(scheme)
    microstructure.check().check_linear("an effective stiffness")
    microstructure = microstructure.with_changes(
        eigenstrain=None, thermal_expansion=None
    )
    check_memory(microstructure.grid, discretized, precision, device, solver)
    backend = get_backend(device, threads)
    problem = Problem(
        microstructure, Load(), discretized, backend, PRECISIONS[precision]
    )
    compiled = problem.prepare(method.mixed)
    # a small body: one load a thread; a large one: all threads on one load
    together = min(backend.threads, 6) if threads_for(problem.grid.voxels) == 1 else 1
    units = [
        problem.with_load(Load.from_mandel(row), 1 if together > 1 else None)
        for row in np.eye(6)
    ]
    setup = time.perf_counter()

    gram = np.zeros((6, 6))
    solved: list[Solved] = []
    solutions: list[Any] = []

    def solve_load(m: int, check: Check) -> Solved:
        """Solve unit load m, starting from the loads that are solved."""

        def report(count: int, residual: float) -> None:
            check()
            if progress:
                progress(m, count, residual)

        force = units[m].residual(units[m].zeros(), problem.search)
        work = [problem.dot(v, force) for v in solutions]
        start = _galerkin_start(units[m], solutions, gram, work)
        norm = None
        if start is not None:
            norm = np.sqrt(max(units[m].descend(force)[1], 0.0))
        outcome = iterate(
            units[m], method, start, tolerance, max_iterations, report, norm
        )
        return Solved(outcome, force, work)

    for first in range(0, 6, together):
        wave = range(first, min(first + together, 6))
        tasks = [partial(solve_load, m) for m in wave]
        solved += run_together(tasks, together)
        solutions = [s.outcome.v for s in solved]
        for m in wave:
            # K v_m = b_m to the tolerance, so that <v_n, b_m> is <v_n, K v_m>
            work, force = solved[m].work, solved[m].force
            work += [problem.dot(v, force) for v in solutions[len(work) : m + 1]]
            gram[m, : m + 1] = gram[: m + 1, m] = work
            solved[m] = solved[m]._replace(force=None)
    C = np.zeros((6, 6))
    for m in range(6):
        C[m], r = solved[m].outcome.balance
        C[m, : m + 1] -= [problem.dot(v, r) for v in solutions[: m + 1]]
        C[:m, m] = C[m, :m]
    statuses = [s.outcome.status for s in solved]
    worst = next((s for s in statuses if s != "converged"), "converged")
    assert microstructure.stiffness is not None
    used = microstructure.phases
    return Effective(
        stiffness=C,
        engineering=engineering_constants(C),
        symmetry=symmetry_distances(C),
        bounds=bounds(microstructure.stiffness[used], microstructure.fractions[used]),
        iterations=[len(s.outcome.residuals) - 1 for s in solved],
        residuals=[s.outcome.residuals[-1] for s in solved],
        status=worst,
        advice=advice_for(worst, problem, solver, max_iterations, precision),
        times={
            "setup": setup - started,
            "compile": compiled,
            "solve": time.perf_counter() - setup,
        },
        units=microstructure.units,
    )


def _galerkin_start(
    problem: Problem, solutions: list[Any], gram: np.ndarray, work: list[float]
) -> Any:
    """Combination of earlier solutions with the least energy under the next load.

    `gram` holds <v_i, K v_j> of the solutions; `work` is <v_i, b> of the next load.
    None where the energy is hardly less than without them.
    """
    m = len(solutions)
    weights = np.linalg.lstsq(gram[:m, :m], np.array(work), rcond=1e-10)[0]
    if not weights @ work > LEAST_GAIN * gram.max():
        return None
    start = problem.zeros()
    for weight, v in zip(weights, solutions, strict=True):
        problem.advance(start, float(weight), v)
    return start
