"""The St. Venant-Kirchhoff law: the second Piola-Kirchhoff stress is linear in E.

It takes any stiffness to large rotations. Strains should be moderate: it softens in
compression, and w, which is not convex, stays finite as det F -> 0.
"""

from dataclasses import dataclass
from typing import Any

from fftmech.arrays.backend import namespace
from fftmech.materials.base import Law, Material, Response
from fftmech.materials.matrices import full, product, symmetric, transpose

DIAGONAL = slice(None, None, 4)


class StVenantKirchhoffMaterial(Material):
    """S = C : E and P = F S, with E = (F^T F - 1) / 2. A pore is a row of zeros.

    Holzapfel, Nonlinear Solid Mechanics (2000), section 6.5.
    """

    finite = True

    def respond(
        self,
        rows: Any,
        strain: Any,
        before: Any,
        state: Any,
        dt: float,
        precision: Any = None,
    ) -> Response:
        """See `Material.respond`; there is no state."""
        C = namespace(strain).asarray(self.stiffness, dtype=strain.dtype)
        S = full(contract(C, rows, green_lagrange(strain)))
        tangent = None
        if precision is not None:
            kept = (a.astype(precision) for a in (strain, S))
            tangent = StVenantKirchhoffTangent(C.astype(precision), rows, *kept)
        return Response(product(strain, S), state, tangent)

    def energy(self, rows: Any, strain: Any, state: Any = None) -> Any:
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


def green_lagrange(F: Any) -> Any:
    """E = (F^T F - 1) / 2, Mandel: (9, n) -> (6, n)."""
    C = product(transpose(F), F)
    C[DIAGONAL] -= 1
    return 0.5 * symmetric(C)


def contract(C: Any, rows: Any, e: Any) -> Any:
    """C : e, with C by row: (R, 6, 6), (n,) and (6, n) -> (6, n)."""
    parts = [sum(C[rows, i, j] * e[j] for j in range(6)) for i in range(6)]
    return namespace(e).stack(parts)
