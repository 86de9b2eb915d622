"""Linear elasticity, the law of phases that are given no other."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.materials.base import Law, Material, Response, StrainStep
from fftmech.materials.tangent import MatrixTangent


class HookeMaterial(Material):
    """s = C e. A pore is a row of zeros."""

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`; there is no state."""
        xp = namespace(step.strain)
        C = xp.asarray(self.stiffness, dtype=step.strain.dtype)
        D = xp.moveaxis(C[step.rows], 0, -1)
        stress = MatrixTangent(D).apply(step.strain)
        tangent = None
        if step.precision is not None:
            tangent = MatrixTangent(D.astype(step.precision, copy=False))
        return Response(stress, step.state, tangent)

    def energy(self, rows: Any, strain: Any, state: Any = None, dt: float = 1.0) -> Any:
        """w = 1/2 e : C : e."""
        return 0.5 * (strain * self._stress(rows, strain)).sum(0)

    def conjugate_energy(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """w* = 1/2 s : C^-1 : s; inf in a pore that carries stress."""
        xp, void = namespace(stress), ~self.stiffness.any(axis=(1, 2))
        energy = 0.5 * (stress * self.conjugate_strain(rows, stress)).sum(0)
        energy[xp.asarray(void)[rows] & (stress != 0).any(0)] = xp.inf
        return energy

    def conjugate_strain(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """C^-1 s; 0 in a pore."""
        xp, solid = namespace(stress), self.stiffness.any(axis=(1, 2))
        S = np.zeros_like(self.stiffness)
        S[solid] = np.linalg.inv(self.stiffness[solid])
        return MatrixTangent(xp.moveaxis(xp.asarray(S)[rows], 0, -1)).apply(stress)

    def gap(
        self,
        rows: Any,
        strain: Any,
        stress: Any,
        state: Any = None,
        dt: float = 1.0,
        energies: tuple[Any, Any] | None = None,
    ) -> Any:
        """w* of s - C e: no difference of large numbers."""
        return self.conjugate_energy(rows, stress - self._stress(rows, strain))

    def _stress(self, rows: Any, strain: Any) -> Any:
        return self.respond(StrainStep(rows, strain, None, None)).stress


@dataclass(frozen=True)
class Hooke(Law):
    """Linear elasticity; the stiffness is the phase's."""

    name = "hooke"
    material = HookeMaterial
