"""One increment of many points: what is prescribed, and where it ended."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from ecosurrogate.response.condensation import Condensed
from ecosurrogate.response.leaves import LeafResponse
from ecosurrogate.response.state import NetworkState


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

    def mean_strain_of(self, whole: Condensed) -> np.ndarray:
        """The mean strain at which a linear whole has the prescribed means, (6, n)."""
        points = whole.offset.shape[1]
        strain = np.broadcast_to(self.mean_strain, (6, points))
        f = np.flatnonzero(self.free)
        if not len(f):
            return strain
        strain = np.where(self.free[:, None], 0.0, strain)
        D = whole.tangent
        left = self.mean_stress - whole.offset - np.einsum("ijn,jn->in", D, strain)
        D_free = np.moveaxis(D[f][:, f], -1, 0)
        try:
            strain[f] = np.linalg.solve(D_free, left[f].T[..., None])[..., 0].T
        except np.linalg.LinAlgError:
            # a point that carries no stress: none of the block is solved
            strain[f] = np.nan
        return strain


@dataclass
class EndOfStep:
    """Points at the end of an increment, filled in as they are solved."""

    begun: NetworkState
    weight: np.ndarray
    strain: np.ndarray
    variables: list[np.ndarray]
    mean_stress: np.ndarray
    largest: np.ndarray
    tangent: np.ndarray | None
    iterations: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, state: NetworkState, weight: np.ndarray, tangent: bool) -> "EndOfStep":
        """None of them is solved."""
        points = state.points
        return cls(
            state,
            weight,
            state.strain.copy(),
            [own.copy() for own in state.variables],
            state.mean_stress.copy(),
            state.largest.copy(),
            np.full((6, 6, points), np.nan) if tangent else None,
            np.zeros(points, int),
            np.full(points, np.nan),
        )

    def keep(
        self,
        at: np.ndarray,
        good: np.ndarray,
        strain: np.ndarray,
        response: LeafResponse,
        error: np.ndarray,
        tangent: np.ndarray | None,
    ) -> None:
        """Take the `good` ones of the points at work, whose numbers are `at`."""
        at, stress = at[good], response.stress[..., good]
        self.strain[..., at] = strain[..., good]
        self.mean_stress[:, at] = (self.weight * stress).sum(1)
        self.largest[at] = np.maximum(
            self.largest[at], volume_norm(stress, self.weight)
        )
        self.error[at] = error[good]
        for mine, own in zip(self.variables, response.state, strict=True):
            mine[..., at] = own[..., good]
        if self.tangent is not None and tangent is not None:
            self.tangent[:, :, at] = tangent[:, :, good]

    def increment(self, dt: float) -> Increment:
        """All points, those that failed as they were."""
        change = self.strain - self.begun.strain
        mean_change = (self.weight * change).sum(1)
        after = replace(
            self.begun,
            strain=self.strain,
            variables=self.variables,
            mean_strain=self.begun.mean_strain + mean_change,
            mean_stress=self.mean_stress,
            change=change,
            mean_change=mean_change,
            largest=self.largest,
            dt=dt,
        )
        cuts = np.zeros_like(self.iterations)
        return Increment(after, self.tangent, self.iterations, cuts, self.error)


def volume_norm(stress: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Root mean square over the volume, (6, L, n) -> (n,)."""
    return np.sqrt((weight * (stress * stress).sum(0)).sum(0))
