"""Effective stiffness from six unit loads."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Unpack

import numpy as np

from fftmech.arrays.memory import check_bytes, size_text
from fftmech.arrays.threads import Check, run_together, threads_for
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.problems.linear import Problem
from fftmech.problems.linear_dual import StressProblem
from fftmech.simulations.method import Method, MethodOptions
from fftmech.simulations.prepare import Prepared, prepare
from fftmech.simulations.remarks import beyond_bounds, doubts, no_stiffness
from fftmech.simulations.stored_vectors import StoredVectors
from fftmech.solvers.base import dual_norm
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
    thermal_expansion
        Mandel (strain a degree), (6,), where a phase expands, else None.
    notes
        One line on each thing that was assumed, or that makes the result doubtful.
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
    thermal_expansion: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def converged(self) -> bool:
        """Whether all six loads are right to the tolerance."""
        return self.status == "converged"


STORED = 2**20
"""Voxels from which solutions are kept on the disk: six take more than one solve."""

# Share of a solution's energy from which another one is worth starting from.
LEAST_GAIN = 0.01

LoadReport = Callable[[int, int, float], None]
"""Called with the load (0 to 5), the iterations done and the relative residual."""


def homogenize(
    microstructure: Microstructure,
    *,
    progress: LoadReport | None = None,
    **method: Unpack[MethodOptions],
) -> Effective:
    """Effective stiffness C_ij = <e_i : C : e_j> of the six unit mean strains.

    Where phases expand, also the effective expansion a, from the same six strain fields
    e_i: (C a)_i = <e_i : C_p : a_p> (Levin 1967; Rosen and Hashin 1970,
    Int. J. Eng. Sci. 8, 157).

    Each load starts from the combination of the solutions before it that has the least
    energy (a Galerkin step that needs dot products only). The energy form makes C
    symmetric, with an error of the order of the tolerance squared.

    Parameters
    ----------
    microstructure
        Phase map and stiffness by phase; eigenstrain plays no part.
    progress
        Called after every iteration with the load (0 to 5), iterations and residual.
    method
        scheme, solver, tolerance, max_iterations, device, precision, threads,
        reference: as in `fftmech.solve`.

    Raises
    ------
    InputError
        As `fftmech.solve`, and phases that are not linear elastic.
    """
    started = time.perf_counter()
    rigid = len(microstructure.rigid) > 0
    asked = Method.of(method, "progress", rigid=rigid)
    microstructure.check(asked.solver == "dual").check_linear("an effective stiffness")
    body = microstructure.with_changes(eigenstrain=None, thermal_expansion=None)
    if asked.solver == "dual" and asked.device == "cpu":
        # six stresses and six strains are kept
        kept = (
            72 * body.grid.voxels * asked.discretization.points * asked.dtype().nbytes
        )
        what = f"six stresses on {size_text(body.grid.shape)} voxels"
        check_bytes(asked.solve_bytes(body.grid) + kept, what)
    prepared = prepare(body, Load(), asked)
    setup = time.perf_counter()
    unit_loads = UnitLoads(prepared, asked, progress)
    C, outcomes = unit_loads.solve()
    thermal = None
    if microstructure.thermal_expansion is not None:
        stress = unit_loads.mean_stress_of(microstructure.thermal_expansion, asked)
        thermal = np.linalg.lstsq(C, stress, rcond=1e-9)[0]
    worst = next((o for o in outcomes if o.status != "converged"), outcomes[0])
    assert body.stiffness is not None
    used = body.phases
    limits = bounds(body.stiffness[used], body.fractions[used])
    return Effective(
        stiffness=C,
        engineering=engineering_constants(C),
        symmetry=symmetry_distances(C),
        bounds=limits,
        iterations=[len(outcome.residuals) - 1 for outcome in outcomes],
        residuals=[outcome.residuals[-1] for outcome in outcomes],
        status=worst.status,
        advice=asked.advice(
            worst.status, body, Load(), prepared.problem.scale, min(worst.residuals)
        ),
        times={
            "setup": setup - started,
            "compile": prepared.compile_time,
            "solve": time.perf_counter() - setup,
        },
        units=body.units,
        thermal_expansion=thermal,
        notes=[
            *body.notes,
            *doubts(body, asked.scheme),
            *beyond_bounds(C, limits),
            *no_stiffness(C),
        ],
    )


class UnitLoads:
    """Six unit mean strains on one body, some at the same time on a small one.

    C is that of the energy of the fields, of which the strains give an upper bound and
    the stresses a lower one: its error is of the order of theirs squared.

    Parameters
    ----------
    prepared
        The body under no load.
    method
        How it was prepared.
    progress
        Called after every iteration, or None.
    """

    def __init__(
        self, prepared: Prepared, method: Method, progress: LoadReport | None
    ) -> None:
        problem = prepared.problem
        assert isinstance(problem, Problem | StressProblem)
        self.problem, self.prepared = problem, prepared
        self.dual = isinstance(problem, StressProblem)
        self.method = method
        self.progress = progress
        # a small body: one load a thread; a large one: all threads on one load
        small = threads_for(problem.grid.voxels) == 1
        # processes send their messages one after the other
        small &= problem.ranks.size == 1
        self.together = min(problem.backend.threads, 6) if small else 1
        threads = 1 if self.together > 1 else None
        self.loads = [
            problem.with_load(Load.from_mandel(row), threads) for row in np.eye(6)
        ]
        self.gram = np.zeros((6, 6))  # <v_i, K v_j> of the solutions
        self.solutions: list[Any] | StoredVectors = []
        host = problem.backend.xp is np
        if host and not self.dual and problem.grid.voxels >= STORED:
            size = 3 * problem.grid.voxels * problem.precision.itemsize
            self.solutions = StoredVectors(6 * size)

    def solve(self) -> tuple[np.ndarray, list[Outcome]]:
        """Return the effective stiffness, Mandel (6, 6), and what came of each load.

        The outcomes have no vectors.
        """
        outcomes: list[Outcome] = []
        C = np.zeros((6, 6))
        for first in range(0, 6, self.together):
            loads = range(first, min(first + self.together, 6))
            tasks = [partial(self._solve_load, m) for m in loads]
            solved = list(run_together(tasks, self.together))
            while solved:
                outcome, work = solved.pop(0)
                self.solutions.append(outcome.v)
                m = len(outcomes)
                C[m], r = outcome.balance
                # vectors are dropped before others take as much memory
                outcomes.append(outcome._replace(v=None, balance=(C[m], None)))
                del outcome
                missing = np.array(self._work(r, range(m + 1)))
                C[m, : m + 1] += missing if self.dual else -missing
                C[:m, m] = C[m, :m]
                del r
                force = self._force(m)
                # K v_m = b_m to the tolerance, so that <v_n, b_m> is <v_n, K v_m>
                work += self._work(force, range(len(work), m + 1))
                self.gram[m, : m + 1] = self.gram[: m + 1, m] = work
                del force
        return C, outcomes

    def mean_stress_of(self, eigenstrain: np.ndarray, method: Method) -> np.ndarray:
        """Mean of -C : e0 of an eigenstrain by phase, as the body redistributes it.

        Of the solutions e_i: <e_i : C : e0>, with <C : e0> from the phases and the rest
        the work of the eigenstress's force, Mandel (6,). Of stresses s_i: <s_i : e0>.
        """
        body = self.problem.microstructure
        used = body.phases
        problem = prepare(body.with_changes(eigenstrain=eigenstrain), Load(), method)
        force = problem.problem.residual(problem.problem.zeros()) / problem.unit
        work = np.array(self._work(force, range(6)))
        if self.dual:
            return -work
        assert body.stiffness is not None
        eigenstress = np.einsum("pij,pj->pi", body.stiffness[used], eigenstrain[used])
        mean_stress = body.fractions[used] @ eigenstress
        return mean_stress + work

    def _solve_load(self, m: int, check: Check) -> tuple[Outcome, list[float]]:
        """Solve load m: its outcome, and <v, b> of its force and the solutions v."""

        def report(count: int, residual: float) -> None:
            check()
            if self.progress:
                self.progress(m, count, residual)

        problem = self.loads[m]
        force = self._force(m)
        work = self._work(force, range(len(self.solutions)))
        start = _galerkin_start(problem, self.solutions, self.gram, work)
        if start is None and self.dual:
            start = problem.uniform_start()
        norm = None
        if start is not None:
            norm = dual_norm(problem, force)
        del force
        outcome = iterate(
            problem,
            self.prepared.solver,
            start,
            self.prepared.tolerance,
            self.method.max_iterations,
            report,
            norm,
            self.method.energy_tolerance,
        )
        return outcome, work

    def _force(self, m: int) -> Any:
        """The force b of load m."""
        problem = self.loads[m]
        return problem.residual(problem.zeros(), problem.search)

    def _work(self, force: Any, solutions: range) -> list[float]:
        return [self.problem.dot(self.solutions[n], force) for n in solutions]


def _galerkin_start(
    problem: Problem | StressProblem,
    solutions: list[Any] | StoredVectors,
    gram: np.ndarray,
    work: list[float],
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
    for n, weight in enumerate(weights):
        problem.add(start, float(weight), solutions[n])
    return start
