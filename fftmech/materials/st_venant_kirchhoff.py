"""The St. Venant-Kirchhoff law: the second Piola-Kirchhoff stress is linear in E.

It takes any stiffness to large rotations. Strains should be moderate: it softens in
compression, and w, which is not convex, stays finite as det F -> 0.
"""

from dataclasses import dataclass
from typing import Any

from fftmech.arrays.backend import namespace
from fftmech.materials.base import Law, Material, Response, StrainStep
from fftmech.tensors.points import (
    contract,
    full,
    green_lagrange,
    product,
    symmetric,
    transpose,
)


class StVenantKirchhoffMaterial(Material):
    """S = C : E and P = F S, with E = (F^T F - 1) / 2. A pore is a row of zeros.

    Holzapfel, Nonlinear Solid Mechanics (2000), section 6.5.
    """

    finite = True

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`; there is no state."""
        rows, F, precision = step.rows, step.strain, step.precision
        C = namespace(F).asarray(self.stiffness, dtype=F.dtype)
        S = full(contract(C, rows, green_lagrange(F)))
        tangent = None
        if precision is not None:
            kept = (a.astype(precision) for a in (F, S))
            tangent = StVenantKirchhoffTangent(C.astype(precision), rows, *kept)
        return Response(product(F, S), step.state, tangent)

    def energy(self, rows: Any, strain: Any, state: Any = None, dt: float = 1.0) -> Any:
        """w = 1/2 E : C : E of F."""
        C = namespace(strain).asarray(self.stiffness, dtype=strain.dtype)
        E = green_lagrange(strain)
        return 0.5 * (E * contract(C, rows, E)).sum(0)


@dataclass(frozen=True)
class StVenantKirchhoff(Law):
    """The stiffness of the phase, whatever its symmetry, for S and E; no constants."""

    name = "st_venant_kirchhoff"
    material = StVenantKirchhoffMaterial


@dataclass(frozen=True)
class StVenantKirchhoffTangent:
    """dP = dF S + F (C : sym(F^T dF)).

    Attributes
    ----------
    stiffness
        C of each row, Mandel, (R, 6, 6), stress units.
    rows
        (n,).
    F, S
        By rows, (9, n); S in stress units.
    """

    stiffness: Any
    rows: Any
    F: Any
    S: Any

    def apply(self, strain: Any) -> Any:
        """dP of dF, (9, n)."""
        C, F, S = (
            a.astype(strain.dtype, copy=False) for a in (self.stiffness, self.F, self.S)
        )
        dE = symmetric(product(transpose(F), strain))
        dS = full(contract(C, self.rows, dE))
        return product(strain, S) + product(F, dS)
