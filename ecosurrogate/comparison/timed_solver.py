"""Errors and times of conjugate gradients that are stopped early."""

from statistics import median
from typing import Any

import numpy as np

from ecosurrogate.comparison.measure import Measure
from fftmech.results.result import Result
from fftmech.simulations.solve import solve

MOST = 10_000
"""Iterations of a solve."""

DENSE, SPARSE = 10, 5
"""Iterations are measured one by one up to the first number, and this many beyond."""


class TimedSolver:
    """CG from zero, or from a prediction, stopped after some iterations.

    `points` are errors (strain, stress, equilibrated, certificate) by iterations:
    `DENSE` and `SPARSE` of them, the last with the tolerance; empty where that is not
    reached. If not `drawn`, the reference, solved by this method, is the only one until
    `first` adds others, with strain and stress only.
    """

    def __init__(
        self,
        measure: Measure,
        method: dict[str, Any],
        initial: Result | None = None,
        drawn: bool = True,
    ) -> None:
        self.measure, self.method, self.initial = measure, method, initial
        self.drawn = drawn
        self.points: dict[int, dict[str, Any]] = {}
        self._setups: list[float] = []
        if not drawn:
            exact = measure.reference
            self.points[exact.iterations] = self._errors(exact)
        elif (full := self._solve(MOST)).converged:
            for k in _counts(full.iterations):
                self._add(k)

    def first(self, name: str, error: float) -> int | None:
        """First iteration with at most this error, which becomes a point too.

        Found by bisection: errors between two points are taken to fall.
        """
        worse, good = 0, None
        for k, errors in self.points.items():
            if errors[name] <= error:
                good = k
                break
            worse = k
        while good is not None and good - worse > 1:
            middle = (good + worse) // 2
            if self._add(middle)[name] <= error:
                good = middle
            else:
                worse = middle
        return good

    def seconds(self, k: int) -> float:
        """Seconds from a body that is prepared to the fields after k iterations."""
        times = self._solve(k).times
        self._setups.append(times["setup"] - times["compile"])
        return times["solve"]

    @property
    def prepare(self) -> float:
        """Seconds to prepare a body, median of all runs that were timed."""
        return median(self._setups)

    def _add(self, k: int) -> dict[str, Any]:
        if k not in self.points:
            self.points[k] = self._errors(self._solve(k, certificate=self.drawn))
            self.points = dict(sorted(self.points.items()))
        return self.points[k]

    def _errors(self, found: Result) -> dict[str, Any]:
        measure = self.measure
        errors: dict[str, Any] = {
            name: measure(name, getattr(found, name)) for name in ("strain", "stress")
        }
        if self.drawn:
            errors["equilibrated"] = measure.equilibrated(found.stress)
            errors["certificate"] = found.certificate["relative"]
        return errors

    def _solve(self, k: int, certificate: bool = False) -> Result:
        exact = self.measure.reference
        return solve(
            exact.microstructure,
            exact.load,
            **self.method,
            max_iterations=max(k, 1),
            initial=self.initial,
            certificate=certificate,
        )


def _counts(last: int) -> list[int]:
    """Iterations to stop at: every one at first, then further and further apart."""
    few = range(min(1, last), min(last, DENSE) + 1)
    many = np.geomspace(DENSE, max(last, DENSE), SPARSE + 1)[1:].round().astype(int)
    return sorted({*few, *map(int, many[many <= last]), last})
