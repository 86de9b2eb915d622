"""One increment of many points: what is prescribed, and where it ended."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from ecosurrogate.response.state import NetworkState
from ecosurrogate.response.trial import Trial


class Means(Protocol):
    """What is prescribed at the end of an increment: see `fftmech.loads.path.Target`.

    `free` are the components whose stress is prescribed, (6,); strains and stresses are
    Mandel, (6, n) or (6,).
    """

    @property
    def free(self) -> np.ndarray: ...
    @property
    def mean_strain(self) -> np.ndarray: ...
    @property
    def mean_stress(self) -> np.ndarray: ...


class Increment(NamedTuple):
    """Points at the end of an increment.

    Attributes
    ----------
    state
        Of all points.
    tangent
        Derivative of the mean stress by the mean strain, Mandel (6, 6, n); None where
        it was not asked for. Of an increment that was cut it is that of its last part.
    iterations
        Evaluations of the laws, (n,).
    cuts
        Times that a point's increment was halved, (n,).
    error
        Relative error of the stress, (n,); NaN where none was found.
    """

    state: NetworkState
    tangent: np.ndarray | None
    iterations: np.ndarray
    cuts: np.ndarray
    error: np.ndarray

    @property
    def solved(self) -> np.ndarray:
        """Which points have a solution, (n,)."""
        return np.isfinite(self.error)

    @property
    def failed(self) -> np.ndarray:
        """Numbers of the others."""
        return np.isnan(self.error).nonzero()[0]


@dataclass(frozen=True)
class Prescribed:
    """Prescribed means at n points: free (6,), others Mandel (6, n)."""

    free: np.ndarray
    mean_strain: np.ndarray
    mean_stress: np.ndarray

    @classmethod
    def of(cls, target: Means, block: slice) -> "Prescribed":
        strain, stress = (
            own[:, None] if own.ndim == 1 else own[:, block]
            for own in map(np.asarray, (target.mean_strain, target.mean_stress))
        )
        return cls(np.asarray(target.free), strain, stress)

    def take(self, points: Any) -> "Prescribed":
        return replace(
            self,
            mean_strain=self._at(self.mean_strain, points),
            mean_stress=self._at(self.mean_stress, points),
        )

    @staticmethod
    def _at(own: np.ndarray, points: Any) -> np.ndarray:
        return own if own.shape[1] == 1 else own[:, points]

    def half(self, state: NetworkState) -> "Prescribed":
        """Half way from a state."""
        return replace(
            self,
            mean_strain=(self.mean_strain + state.mean_strain) / 2,
            mean_stress=(self.mean_stress + state.mean_stress) / 2,
        )


@dataclass
class EndOfStep:
    """Points at the end of an increment, filled in as they are solved."""

    begun: NetworkState
    strain: np.ndarray
    variables: list[np.ndarray]
    mean_stress: np.ndarray
    largest: np.ndarray
    tangent: np.ndarray | None
    iterations: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, state: NetworkState, tangent: bool) -> "EndOfStep":
        """None of them is solved."""
        points = state.points
        return cls(
            state,
            state.strain,
            state.variables,
            state.mean_stress,
            state.largest,
            np.full((6, 6, points), np.nan) if tangent else None,
            np.zeros(points, int),
            np.full(points, np.nan),
        )

    def keep(
        self,
        at: np.ndarray,
        trial: Trial,
        after: list[np.ndarray],
        iterations: int,
        tolerance: float,
    ) -> None:
        """Take those points at work, whose numbers are `at`, that are solved."""
        self.iterations[at] = iterations
        good = trial.error <= tolerance
        if len(at) == len(self.error) and good.all():
            self.strain, self.variables = trial.strain, after
            self.mean_stress, self.error = trial.stress, trial.error
            self.largest = np.maximum(self.largest, trial.size)
            self.tangent = trial.tangent if self.tangent is not None else None
            return
        if self.strain is self.begun.strain:
            self.strain, self.largest = self.strain.copy(), self.largest.copy()
            self.mean_stress = self.mean_stress.copy()
            self.variables = [own.copy() for own in self.variables]
        at = at[good]
        self.strain[..., at] = trial.strain[..., good]
        self.mean_stress[:, at] = trial.stress[:, good]
        self.largest[at] = np.maximum(self.largest[at], trial.size[good])
        self.error[at] = trial.error[good]
        for mine, own in zip(self.variables, after, strict=True):
            mine[..., at] = own[..., good]
        if self.tangent is not None:
            self.tangent[:, :, at] = trial.tangent[:, :, good]

    def increment(self, dt: float, weight: np.ndarray) -> Increment:
        """All points, those that failed as they were; `weight` is that of leaves."""
        begun, change = self.begun, self.strain - self.begun.strain
        mean_change = weight @ change
        after = NetworkState(
            self.strain,
            self.variables,
            begun.mean_strain + mean_change,
            self.mean_stress,
            change,
            mean_change,
            self.largest,
            dt,
        )
        cuts = np.zeros_like(self.iterations)
        return Increment(after, self.tangent, self.iterations, cuts, self.error)
