"""The compressible neo-Hookean law: isotropic, with a barrier against inversion."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Law, Material, Response, StrainStep, positive
from fftmech.materials.elastic import isotropic
from fftmech.materials.isotropy import moduli
from fftmech.tensors.points import cofactor, product, transpose


class NeoHookeMaterial(Material):
    """w = mu/2 (tr F^T F - 3) - mu ln J + lambda/2 (ln J)^2, with J = det F.

        P = mu (F - F^-T) + lambda ln J F^-T

    NaN where J <= 0. Bonet & Wood, Nonlinear Continuum Mechanics for Finite Element
    Analysis (2008), "Compressible neo-Hookean material".

    Raises
    ------
    InputError
        A stiffness that is not isotropic, or is a pore's.
    """

    finite = True

    def prepare(self) -> None:
        """See `Material.prepare`."""
        bulk, shear = moduli(self.stiffness, "neo_hooke").T
        self.lame = np.stack([bulk - 2 * shear / 3, shear])
        """lambda and mu of each row, (2, R), stress units."""

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`; there is no state."""
        strain, precision = step.strain, step.precision
        lame, mu = self._constants(step.rows, strain)
        J, inverse = self._inverse(strain)
        coupling = mu - lame * namespace(strain).log(J)
        stress = mu * strain - coupling * inverse
        tangent = None
        if precision is not None:
            kept = (lame, mu, coupling, inverse)
            tangent = NeoHookeTangent(*(a.astype(precision, copy=False) for a in kept))
        return Response(stress, step.state, tangent)

    def energy(self, rows: Any, strain: Any, state: Any = None, dt: float = 1.0) -> Any:
        """w of F; inf where J <= 0."""
        xp = namespace(strain)
        lame, mu = self._constants(rows, strain)
        J, _ = self._inverse(strain)
        log = xp.log(J)
        w = mu * (((strain**2).sum(0) - 3) / 2 - log) + lame / 2 * log**2
        return xp.where(xp.isnan(J), xp.inf, w)

    def _constants(self, rows: Any, strain: Any) -> Any:
        lame = namespace(strain).asarray(self.lame, dtype=strain.dtype)
        return lame[:, rows]

    def _inverse(self, F: Any) -> tuple[Any, Any]:
        """J, NaN where it is not positive, and F^-T."""
        xp = namespace(F)
        minors = cofactor(F)
        J = (F[:3] * minors[:3]).sum(0)
        J = xp.where(J > 0, J, xp.nan)
        return J, minors / J


@dataclass(frozen=True)
class NeoHooke(Law):
    """Moduli at small strain; without them, the phase's isotropic stiffness.

    Attributes
    ----------
    K, G
        Bulk and shear modulus, stress units: lambda = K - 2 G / 3, mu = G.
    """

    name = "neo_hooke"
    material = NeoHookeMaterial

    K: float | None = None
    G: float | None = None

    def __post_init__(self) -> None:
        if (self.K is None) != (self.G is None):
            raise InputError("neo_hooke", "both K and G, or neither")
        if self.K is not None:
            positive(self, "K", "G")

    @property
    def stiffness(self) -> np.ndarray | None:
        """Isotropic, Mandel (6, 6), or None: the phase's."""
        if self.K is None or self.G is None:
            return None
        return isotropic(K=self.K, G=self.G)

    def constants(self) -> dict[str, Any]:
        """The constants that were given, JSON-ready."""
        return {k: v for k, v in super().constants().items() if v is not None}


@dataclass(frozen=True)
class NeoHookeTangent:
    """dP = mu dF + lambda (F^-T : dF) F^-T + (mu - lambda ln J) F^-T dF^T F^-T.

    Attributes
    ----------
    lame, mu, coupling
        lambda, mu and mu - lambda ln J, (n,), stress units.
    inverse
        F^-T by rows, (9, n).
    """

    lame: Any
    mu: Any
    coupling: Any
    inverse: Any

    def apply(self, strain: Any) -> Any:
        """dP of dF, (9, n)."""
        lame, mu, coupling, inverse = (
            a.astype(strain.dtype, copy=False)
            for a in (self.lame, self.mu, self.coupling, self.inverse)
        )
        spin = product(product(inverse, transpose(strain)), inverse)
        dJ = (inverse * strain).sum(0)
        return mu * strain + lame * dJ * inverse + coupling * spin
