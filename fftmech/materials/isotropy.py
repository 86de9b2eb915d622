"""Moduli and tangents that isotropic laws share."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.tensors.bounds import is_isotropic
from fftmech.tensors.points import join, norm, trace
from fftmech.tensors.stiffness import isotropic_moduli


def moduli(stiffness: np.ndarray, law: str) -> np.ndarray:
    """Bulk and shear modulus of isotropic stiffnesses.

    Parameters
    ----------
    stiffness
        Mandel, (R, 6, 6), stress units.
    law
        Name of the law that needs them, for the message.

    Returns
    -------
    np.ndarray
        K and G of each, (R, 2), stress units.

    Raises
    ------
    InputError
        One of them is not isotropic, or is a pore's.
    """
    if not all(C.any() and is_isotropic(C) for C in stiffness):
        raise InputError(
            f"{law} with a stiffness that is not isotropic or is zero",
            "isotropic constants, for instance isotropic = { E = 210.0, nu = 0.3 }",
        )
    return np.array([isotropic_moduli(C) for C in stiffness]).reshape(-1, 2)


def pick(table: np.ndarray, rows: Any, strain: Any) -> Any:
    """Constants of each point, (m, n), from those of each row, (R, m).

    They have the precision and the array library of `strain`.
    """
    return namespace(strain).asarray(table.T, dtype=strain.dtype)[:, rows]


def nonzero(length: Any) -> Any:
    """Lengths that can be divided by: 1 in place of 0."""
    return length + (length == 0)


@dataclass(frozen=True)
class RadialTangent:
    """ds = lame tr(de) 1 + shear de - m (m : de).

    The tangent of a deviatoric stress that is parallel to a deviator a (of a trial
    strain, or of a strain rate) and depends on |a|: softer along a than across.

    Attributes
    ----------
    lame, shear
        lambda and 2 G across a, (n,), stress units.
    normal
        m, parallel to a, Mandel (6, n), square root of stress units; None where the
        tangent is isotropic.
    """

    lame: Any
    shear: Any
    normal: Any | None

    @classmethod
    def of(
        cls, bulk: Any, across: Any, along: Any, direction: Any, precision: Any
    ) -> "RadialTangent":
        """Make it from K, 2 G across and 2 G along a.

        Parameters
        ----------
        bulk, across, along
            (n,), stress units, along <= across.
        direction
            a, of any length, Mandel (6, n).
        precision
            Real dtype that it is kept in.
        """
        kept = partial(namespace(direction).asarray, dtype=precision)
        # rounding may leave along above across
        difference = (across - along) * (across > along)
        normal = difference**0.5 / nonzero(norm(direction)) * direction
        return cls(kept(bulk - across / 3), kept(across), kept(normal))

    @classmethod
    def isotropic(cls, bulk: Any, shear: Any, precision: Any) -> "RadialTangent":
        """Make it from K and 2 G, (n,), the same in all directions."""
        kept = partial(namespace(bulk).asarray, dtype=precision)
        return cls(kept(bulk - shear / 3), kept(shear), None)

    def apply(self, strain: Any) -> Any:
        """ds of de, (6, n)."""
        as_strain = partial(namespace(strain).asarray, dtype=strain.dtype)
        stress = join(
            as_strain(self.lame) * trace(strain), as_strain(self.shear) * strain
        )
        if self.normal is not None:
            m = as_strain(self.normal)
            stress -= m * (m * strain).sum(0)
        return stress

    def matrices(self) -> Any:
        """See `fftmech.materials.tangent.matrices`."""
        return radial_matrices(self.lame, self.shear, self.normal)


def radial_matrices(lame: Any, shear: Any, normal: Any | None) -> Any:
    """lame 1 1 + shear I - m m of each point, Mandel (6, 6, n): `RadialTangent`."""
    made = namespace(shear).zeros((6, 6, len(shear)))
    if normal is not None:
        made -= normal[:, None] * normal
    made[:3, :3] += lame
    for i in range(6):
        made[i, i] += shear
    return made
