"""Effective stiffness from six unit loads."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.backend import get_backend, to_numpy
from fftmech.bounds import bounds
from fftmech.discretization import discretization
from fftmech.engineering import engineering_constants, symmetry_distances
from fftmech.green import mean
from fftmech.load import Load
from fftmech.memory import check_memory
from fftmech.microstructure.base import Microstructure
from fftmech.problem import Problem
from fftmech.solve import PRECISIONS, advice_for, check_options, iterate
from fftmech.solvers import get_solver


@dataclass(frozen=True)
class Effective:
    """The effective medium.

    Parameters
    ----------
    stiffness
        Mandel (stress units), (6, 6), symmetric.
    engineering
        `fftmech.engineering.engineering_constants`.
    symmetry
        `fftmech.engineering.symmetry_distances`.
    bounds
        `fftmech.bounds.bounds`: Voigt, Reuss, Hashin-Shtrikman where it applies.
    iterations, residuals
        Of each load, in the order xx yy zz yz xz xy.
    status, advice
        The worst status of the six loads, and what to do about it.
    times
        Seconds: "setup" and "solve".
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


def homogenize(
    microstructure: Microstructure,
    *,
    scheme: str = "rotated",
    solver: str = "cg",
    tolerance: float = 1e-6,
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
        As `fftmech.solve`.
    """
    started = time.perf_counter()
    check_options(tolerance, max_iterations, precision)
    method, discretized = get_solver(solver), discretization(scheme)
    microstructure = microstructure.check().with_changes(
        eigenstrain=None, thermal_expansion=None
    )
    check_memory(microstructure.grid, discretized, precision, device)
    problem = Problem(
        microstructure,
        Load(),
        discretized,
        get_backend(device, threads),
        PRECISIONS[precision],
    )
    problem.green  # part of the set-up  # noqa: B018
    setup = time.perf_counter()

    C, gram = np.zeros((6, 6)), np.zeros((6, 6))
    solutions: list[Any] = []
    iterations, residuals, statuses = [], [], []
    for m in range(6):
        unit = problem.with_load(Load.from_mandel(np.eye(6)[m]))
        force = unit.residual(unit.zeros())
        # K v_n = b_n to the tolerance, so that <v_n, b_m> is <v_n, K v_m>
        gram[m, :m] = gram[:m, m] = [problem.dot(v, force) for v in solutions]

        def report(count: int, residual: float, load: int = m) -> None:
            if progress:
                progress(load, count, residual)

        start = _galerkin_start(unit, solutions, gram)
        v, status, history = iterate(
            unit, method, start, tolerance, max_iterations, report
        )
        gram[m, m] = problem.dot(v, force)
        stress = unit.stress(unit.strain(v))
        r = unit.force(stress)
        solutions.append(v)
        C[m] = to_numpy(mean(stress))
        C[m, : m + 1] -= [problem.dot(r, v) for v in solutions]
        C[:m, m] = C[m, :m]
        iterations.append(len(history) - 1)
        residuals.append(history[-1])
        statuses.append(status)
    worst = next((s for s in statuses if s != "converged"), "converged")
    assert microstructure.stiffness is not None
    used = microstructure.phases
    return Effective(
        stiffness=C,
        engineering=engineering_constants(C),
        symmetry=symmetry_distances(C),
        bounds=bounds(microstructure.stiffness[used], microstructure.fractions[used]),
        iterations=iterations,
        residuals=residuals,
        status=worst,
        advice=advice_for(worst, problem, solver, max_iterations, precision),
        times={"setup": setup - started, "solve": time.perf_counter() - setup},
        units=microstructure.units,
    )


def _galerkin_start(problem: Problem, solutions: list[Any], gram: np.ndarray) -> Any:
    """Combination of earlier solutions with the least energy under the next load.

    `gram` holds <v_i, K v_j> of the m solutions, and in row m their work <v_i, b_m>.
    """
    start, m = problem.zeros(), len(solutions)
    weights = np.linalg.lstsq(gram[:m, :m], gram[m, :m], rcond=1e-10)[0]
    for weight, v in zip(weights, solutions, strict=True):
        start += float(weight) * v
    return start
