"""Bounds on the effective stiffness from what the phases are and how much of each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.tensors.mandel import J, K
from fftmech.tensors.stiffness import isotropic_moduli


def bounds(stiffness: np.ndarray, fractions: np.ndarray) -> dict[str, Any]:
    """Return every bound that holds for these phases.

    Parameters
    ----------
    stiffness
        Mandel stiffness of the phases (stress units), shape (P, 6, 6); zero is a pore,
        and infinite entries are a rigid phase.
    fractions
        Volume fractions, shape (P,), or shorter: ids that no voxel uses may be missing.

    Returns
    -------
    dict
        voigt, reuss: Mandel 6x6. hashin_shtrikman: {"K": (lower, upper), "G": (lower,
        upper)} if every phase is isotropic, else None; it supposes a statistically
        isotropic arrangement. Where a phase is rigid, upper bounds are infinite.

    Raises
    ------
    InputError
        Fractions that are negative or do not sum to 1, a phase without stiffness.
    """
    C, f = _used(stiffness, fractions)
    narrow = None
    if all(np.isinf(c).all() or is_isotropic(c) for c in C):
        bulk, shear = np.array(
            [2 * [np.inf] if np.isinf(c).all() else isotropic_moduli(c) for c in C]
        ).T
        narrow = hashin_shtrikman(bulk, shear, f)
    return {"voigt": voigt(C, f), "reuss": reuss(C, f), "hashin_shtrikman": narrow}


def voigt(stiffness: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Upper bound sum_p f_p C_p, Mandel 6x6; arguments and errors as in `bounds`."""
    C, f = _used(stiffness, fractions)
    return np.einsum("p,pmn->mn", f, C)


def reuss(stiffness: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Lower bound (sum_p f_p C_p^-1)^-1, Mandel 6x6; zero if any phase is a pore.

    Arguments and errors as in `bounds`.
    """
    C, f = _used(stiffness, fractions)
    if not C.any(axis=(1, 2)).all():
        return np.zeros((6, 6))
    deforms = np.isfinite(C).all(axis=(1, 2))
    S = np.einsum("p,pmn->mn", f[deforms], np.linalg.inv(C[deforms]))
    return np.linalg.inv(S) if deforms.any() else np.full((6, 6), np.inf)


def uniform_error(
    stiffness: np.ndarray,
    compliance: np.ndarray,
    load: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> float:
    """Certificate of uniform strain and stress, which know no arrangement of phases.

    Of all uniform pairs that carry the load they have the least duality gap: the strain
    is that of the Voigt bound, the stress that of the Reuss bound. A prediction with a
    certificate above is worse than no prediction.

    Parameters
    ----------
    stiffness, compliance
        Volume averages <C> and <C^-1> of a body without pores, Mandel 6x6.
    load
        Mean strain, mean stress, and where the stress is prescribed, (6,) each, Mandel.
    """
    strain, stress, free = load
    fixed = ~free
    E, S = np.where(free, 0.0, strain), np.where(free, stress, 0.0)
    E[free] = np.linalg.solve(stiffness[np.ix_(free, free)], (S - stiffness @ E)[free])
    S[fixed] = np.linalg.solve(
        compliance[np.ix_(fixed, fixed)], (E - compliance @ S)[fixed]
    )
    both = float(E @ stiffness @ E + S @ compliance @ S)
    return float(np.sqrt(max(1 - 2 * float(S @ E) / both, 0.0))) if both > 0 else 0.0


def hashin_shtrikman(
    bulk: Sequence[float] | np.ndarray,
    shear: Sequence[float] | np.ndarray,
    fractions: Sequence[float] | np.ndarray,
) -> dict[str, tuple[float, float]]:
    """Bounds on the moduli of a statistically isotropic mixture of isotropic phases.

    K = [sum_p f_p / (K_p + K*)]^-1 - K*,  K* = 4/3 G0
    G = [sum_p f_p / (G_p + G*)]^-1 - G*,  G* = G0 (9 K0 + 8 G0) / (6 (K0 + 2 G0))

    with K0, G0 the least moduli of all phases for the lower bound and the largest for
    the upper. Hashin & Shtrikman 1963, doi:10.1016/0022-5096(63)90060-7; Walpole 1966,
    doi:10.1016/0022-5096(66)90035-4, for any number of phases and where the stiffest in
    bulk is not the stiffest in shear.

    Parameters
    ----------
    bulk, shear
        Moduli of the phases (stress units), shape (P,); zero in a pore, infinite in a
        rigid phase.
    fractions
        Volume fractions, shape (P,).

    Returns
    -------
    dict
        "K" and "G": (lower, upper), stress units; the lower is 0 where there is a pore.

    Raises
    ------
    InputError
        Negative moduli, fractions that are negative or do not sum to 1.
    """
    bulk, shear = np.asarray(bulk, dtype=float), np.asarray(shear, dtype=float)
    f = _checked_fractions(np.asarray(fractions, dtype=float))
    if not bulk.shape == shear.shape == f.shape:
        raise InputError(
            f"{bulk.size} bulk moduli, {shear.size} shear moduli and {f.size} volume "
            "fractions",
            "one of each for every phase",
        )
    bulk, shear, f = bulk[f > 0], shear[f > 0], f[f > 0]
    if not ((bulk >= 0) & (shear >= 0)).all():
        raise InputError(
            f"bulk moduli {bulk} and shear moduli {shear}", "none negative"
        )
    lower, upper = (bulk.min(), shear.min()), (bulk.max(), shear.max())
    return {
        "K": (_mixed(bulk, f, 4 / 3 * lower[1]), _mixed(bulk, f, 4 / 3 * upper[1])),
        "G": (
            _mixed(shear, f, _shear_constraint(*lower)),
            _mixed(shear, f, _shear_constraint(*upper)),
        ),
    }


def is_isotropic(C: np.ndarray, tolerance: float = 1e-6) -> bool:
    """Whether C (Mandel 6x6) is within a relative distance of its isotropic part."""
    bulk, shear = isotropic_moduli(C)
    distance = np.linalg.norm(C - 3 * bulk * J - 2 * shear * K)
    return bool(distance <= tolerance * np.linalg.norm(C))


def _mixed(moduli: np.ndarray, f: np.ndarray, constraint: float) -> float:
    """[sum f / (m + c)]^-1 - c, with its limits where m + c is zero or c infinite."""
    if (moduli + constraint == 0).any():
        return 0.0
    if constraint == np.inf:
        return float(f @ moduli)
    return max(float(1 / (f / (moduli + constraint)).sum() - constraint), 0.0)


def _shear_constraint(K0: float, G0: float) -> float:
    if np.isinf(G0):
        return G0
    return G0 * (9 * K0 + 8 * G0) / (6 * (K0 + 2 * G0)) if G0 > 0 else 0.0


def _used(stiffness: np.ndarray, fractions: np.ndarray) -> tuple[Any, Any]:
    """Stiffness and fractions of the phases in use."""
    C = np.asarray(stiffness, dtype=float)
    f = _checked_fractions(np.asarray(fractions, dtype=float))
    if C.ndim != 3 or C.shape[1:] != (6, 6) or (f[len(C) :] > 0).any():
        raise InputError(
            f"stiffness of shape {C.shape} for {len(f)} volume fractions",
            f"({len(f)}, 6, 6)",
        )
    f = f[: len(C)]
    C, f = C[: len(f)][f > 0], f[f > 0]
    if not (np.isfinite(C).all(axis=(1, 2)) | np.isposinf(C).all(axis=(1, 2))).all():
        raise InputError(
            "stiffness of a phase in use is not finite: give every phase one"
        )
    return C, f


def _checked_fractions(f: np.ndarray) -> np.ndarray:
    if f.ndim != 1 or not (f >= 0).all() or abs(f.sum() - 1) > 1e-6:
        raise InputError(f"volume fractions sum to {f.sum():g}", "none negative, sum 1")
    return f
