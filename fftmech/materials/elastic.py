"""Linear elastic stiffness matrices, by symmetry class.

Every function returns a Mandel 6x6 matrix in the crystal frame, in the units of its
arguments. `check_stiffness` is the boundary where a stiffness is judged.
"""

import numpy as np

from fftmech.errors import InputError
from fftmech.tensors import mandel_from_voigt, reference_stiffness, voigt_from_mandel


def isotropic(**constants: float) -> np.ndarray:
    """Isotropic stiffness 3 K J + 2 G K from any named pair of constants.

    Parameters
    ----------
    constants
        Exactly one pair: (E, nu), (K, G) or (lambda, mu); moduli in stress units.

    Raises
    ------
    InputError
        Another pair, a Poisson ratio outside (-1, 1/2), or a modulus not positive.
    """
    given = dict(constants)
    names = set(given)
    if names == {"E", "nu"}:
        E, nu = given["E"], given["nu"]
        if not -1 < nu < 0.5:
            raise InputError(f"isotropic nu = {nu}", "-1 < nu < 0.5")
        bulk, shear = E / (3 * (1 - 2 * nu)), E / (2 * (1 + nu))
    elif names == {"K", "G"}:
        bulk, shear = given["K"], given["G"]
    elif names == {"lambda", "mu"}:
        bulk, shear = given["lambda"] + 2 * given["mu"] / 3, given["mu"]
    else:
        raise InputError(
            f"isotropic constants {sorted(names)}",
            "one pair of {E, nu}, {K, G}, {lambda, mu}",
        )
    if not (bulk > 0 and shear > 0):
        raise InputError(
            f"isotropic {given}: bulk modulus {bulk:g} and shear modulus {shear:g} "
            "must be positive",
            mend="a pore is written pore = true",
        )
    return reference_stiffness(bulk, shear)


def cubic(C11: float, C12: float, C44: float) -> np.ndarray:
    """Cubic stiffness, axes along the cube's edges (3 constants, Voigt names)."""
    return orthotropic(C11, C11, C11, C12, C12, C12, C44, C44, C44)


def hexagonal(C11: float, C12: float, C13: float, C33: float, C44: float) -> np.ndarray:
    """Hexagonal (transversely isotropic) stiffness, axis c along z; C66 follows."""
    C66 = (C11 - C12) / 2
    return orthotropic(C11, C11, C33, C12, C13, C13, C44, C44, C66)


def orthotropic(
    C11: float,
    C22: float,
    C33: float,
    C12: float,
    C13: float,
    C23: float,
    C44: float,
    C55: float,
    C66: float,
) -> np.ndarray:
    """Orthotropic stiffness (9 constants, Voigt names)."""
    voigt = np.diag([C11, C22, C33, C44, C55, C66]).astype(float)
    voigt[0, 1] = voigt[1, 0] = C12
    voigt[0, 2] = voigt[2, 0] = C13
    voigt[1, 2] = voigt[2, 1] = C23
    return check_stiffness(mandel_from_voigt(voigt))


def tetragonal(
    C11: float, C12: float, C13: float, C33: float, C44: float, C66: float
) -> np.ndarray:
    """Tetragonal stiffness of the classes 4mm, 422, -42m and 4/mmm, axis c along z."""
    return orthotropic(C11, C11, C33, C12, C13, C13, C44, C44, C66)


def trigonal(
    C11: float, C12: float, C13: float, C14: float, C33: float, C44: float
) -> np.ndarray:
    """Trigonal stiffness of the classes 32, 3m and -3m, axis c along z, a along x."""
    voigt = voigt_from_mandel(hexagonal(C11, C12, C13, C33, C44))
    voigt[0, 3] = voigt[3, 0] = voigt[4, 5] = voigt[5, 4] = C14
    voigt[1, 3] = voigt[3, 1] = -C14
    return check_stiffness(mandel_from_voigt(voigt))


def orthotropic_moduli(
    E1: float,
    E2: float,
    E3: float,
    nu12: float,
    nu13: float,
    nu23: float,
    G12: float,
    G13: float,
    G23: float,
) -> np.ndarray:
    """Orthotropic stiffness from Young's moduli, Poisson ratios and shear moduli.

    Axes 1 2 3 are x y z; nu12 is the contraction along 2 under tension along 1, so that
    the compliance S12 is -nu12 / E1.
    """
    S = np.diag([1 / modulus for modulus in (E1, E2, E3, G23, G13, G12)])
    S[0, 1] = S[1, 0] = -nu12 / E1
    S[0, 2] = S[2, 0] = -nu13 / E1
    S[1, 2] = S[2, 1] = -nu23 / E2
    if np.linalg.eigvalsh(S[:3, :3])[0] <= 0 or min(G12, G13, G23) <= 0:
        raise InputError(
            "moduli and Poisson ratios give no positive definite stiffness",
            mend="check which way round nu12, nu13, nu23 are: nu12 / E1 = nu21 / E2",
        )
    return check_stiffness(mandel_from_voigt(np.linalg.inv(S)))


def transversely_isotropic(
    E1: float, E2: float, nu12: float, nu23: float, G12: float
) -> np.ndarray:
    """Transversely isotropic stiffness, axis (of a fibre) 1 along x."""
    G23 = E2 / (2 * (1 + nu23))
    return orthotropic_moduli(E1, E2, E2, nu12, nu12, nu23, G12, G12, G23)


def anisotropic(voigt: np.ndarray) -> np.ndarray:
    """Full anisotropic stiffness from a Voigt 6x6 matrix (engineering shear)."""
    matrix = np.asarray(voigt, dtype=float)
    if matrix.shape != (6, 6):
        raise InputError(f"stiffness of shape {matrix.shape}", "Voigt 6x6")
    return check_stiffness(mandel_from_voigt(matrix))


PORE = np.zeros((6, 6))
"""Stiffness of empty space."""

RIGID = np.full((6, 6), np.inf)
"""Stiffness of a phase that does not deform; its compliance is zero."""


def is_rigid(stiffness: np.ndarray) -> np.ndarray:
    """Which matrices of (..., 6, 6) are `RIGID`, boolean (...)."""
    return np.asarray(np.isposinf(stiffness).all(axis=(-2, -1)))


def compliance(stiffness: np.ndarray) -> np.ndarray:
    """Inverses of (P, 6, 6); zero in rigid phases, and in pores, which have none."""
    inverse = np.zeros_like(stiffness)
    plain = np.isfinite(stiffness).all(axis=(1, 2)) & stiffness.any(axis=(1, 2))
    inverse[plain] = np.linalg.inv(stiffness[plain])
    return inverse


def check_stiffness(C: np.ndarray, name: str = "stiffness") -> np.ndarray:
    """Return C (Mandel 6x6) if it is finite, symmetric, and positive definite or zero.

    Raises
    ------
    InputError
        Otherwise, with the offending entry or eigenvalue.
    """
    if not np.isfinite(C).all():
        m, n = np.argwhere(~np.isfinite(C))[0] + 1
        raise InputError(f"{name}: C{m}{n} is not finite", mend="give a number")
    scale = np.abs(C).max()
    if scale == 0:
        return C
    voigt = voigt_from_mandel(C)
    skew = np.abs(voigt - voigt.T)
    if skew.max() > 1e-6 * scale:
        m, n = np.unravel_index(skew.argmax(), skew.shape)
        raise InputError(
            f"{name} is not symmetric: C{m + 1}{n + 1} and C{n + 1}{m + 1} differ by "
            f"{skew.max():.3g}",
            mend="give a symmetric 6x6 matrix",
        )
    C = (C / 2) + (C.T / 2)
    # a part of the largest entry: eigenvalues of huge numbers are not found
    least = np.linalg.eigvalsh(C / scale)[0]
    if least <= 1e-12:
        raise InputError(
            f"{name} is not positive definite (least eigenvalue {least * scale:.3g})",
            mend="check the constants, or write pore = true for empty space",
        )
    return C
