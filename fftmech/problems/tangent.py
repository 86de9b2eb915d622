"""The linear problem of a Newton step."""

from typing import Any

import numpy as np

from fftmech.arrays.backend import to_numpy
from fftmech.problems.equilibrium import Equilibrium
from fftmech.problems.nonlinear import Evaluation, TimeStep
from fftmech.tensors.fields import mean


class TangentProblem(Equilibrium):
    """K dv = r, with K the tangent of an `TimeStep` at one v."""

    def __init__(self, increment: TimeStep, evaluation: Evaluation) -> None:
        assert evaluation.tangent is not None
        self._increment = increment
        self._tangent = evaluation.tangent
        self._force = evaluation.residual
        super().__init__(
            increment.grid,
            increment.scheme,
            increment.backend,
            increment.search,
            _Free(increment.load.free),
            increment.reference,
            increment.reference_stiffness,
            increment.kernels,
        )
        if increment.kernels is None:
            self.green = increment.green

    @property
    def scale(self) -> float:
        """That of the increment."""
        return self._increment.scale

    def balance(
        self, v: Any, dtype: Any = None, out: Any = None
    ) -> tuple[np.ndarray, Any]:
        """Mean stress of v where it is prescribed, (c,), and r - K v."""
        stress, force = self._stress_and_force(v)
        return stress, self._force - force

    def curvature(self, p: Any, out: Any = None) -> tuple[Any, float]:
        """K p and <p, K p>."""
        force = self._stress_and_force(p)[1]
        return force, self.dot(p, force)

    def _stress_and_force(self, v: Any) -> tuple[np.ndarray, Any]:
        m = self.means
        u, force = self.displacement(v), self.backend.xp.empty(v.shape, self.search)
        points, parts = self._increment.points, self._tangent.fused
        if points is not None and parts:
            mean_stress = points.apply(
                parts, u, to_numpy(v[-m:]).astype(float), force[:-m]
            )
            force[-m:] = self._on_free(mean_stress)
            return mean_stress, force
        stress = self._tangent.apply(self._increment.derive(u, v[-m:]))
        force[:-m] = self._increment.adjoin(stress).ravel()
        force[-m:] = 0
        if not self.load.free.any():
            return np.zeros(m), force
        mean_stress = to_numpy(mean(stress)).astype(float)
        force[-m:] = self._on_free(mean_stress)
        return mean_stress, force


class _Free:
    """Means that are all zero where they are prescribed."""

    def __init__(self, free: np.ndarray) -> None:
        self.free = free
        self.mean_strain = self.mean_stress = np.zeros(len(free))
