"""Engineering constants, anisotropy and symmetry of a stiffness.

A stiffness may be singular: an effective medium full of pores cannot carry every
stress. A direction that carries none has modulus 0, and a ratio that does not exist is
None, so that every result is JSON-ready.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from fftmech.errors import InputError
from fftmech.tensors.mandel import PAIRS, J, K, mandel_rotation, symmetric_product

SINGULAR = 1e-8
"""Eigenvalues below this part of the largest one count as zero."""

CUBIC = 1e-2
"""A stiffness this close to its cubic part (relative distance) has a Zener ratio."""


def engineering_constants(C: np.ndarray) -> dict[str, float | None]:
    """Moduli, Poisson's ratios and anisotropy of a stiffness, in the given axes.

    Parameters
    ----------
    C
        Mandel stiffness (stress units), shape (6, 6); singular is allowed.

    Returns
    -------
    dict
        E_x, E_y, E_z: Young's moduli; G_yz, G_xz, G_xy: shear moduli (stress units).
        nu_ij: minus the strain along j over that along i under a stress along i.
        K, G, E, nu: of the nearest isotropic stiffness, `isotropic_moduli`.
        A_U: `universal_anisotropy`.
        zener: `zener_ratio`, or None unless the stiffness is cubic in these axes.
        A modulus of 0 says that no such stress can be carried; what is then
        undefined is None.

    Raises
    ------
    InputError
        C is not a finite, symmetric, positive semidefinite 6x6 matrix.
    """
    C, (S, carried) = _checked(C), _compliance(C)
    constants: dict[str, float | None] = {}
    for i, axis in enumerate("xyz"):
        constants[f"E_{axis}"] = float(1 / S[i, i]) if carried(i) else 0.0
    for i, j in ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)):
        nu = -S[j, i] / S[i, i] if carried(i) and carried(j) else None
        constants[f"nu_{'xyz'[i]}{'xyz'[j]}"] = None if nu is None else float(nu)
    for m in (3, 4, 5):
        name = "G_" + "".join("xyz"[i] for i in PAIRS[m])
        # the Mandel compliance of a shear is twice its tensor component, 1/(2 G)
        constants[name] = float(1 / (2 * S[m, m])) if carried(m) else 0.0
    bulk, shear = isotropic_moduli(C)
    constants |= {"K": bulk, "G": shear}
    if 3 * bulk + shear > 0:
        constants["E"] = 9 * bulk * shear / (3 * bulk + shear)
        constants["nu"] = (3 * bulk - 2 * shear) / (2 * (3 * bulk + shear))
    else:
        constants |= {"E": 0.0, "nu": None}
    constants["A_U"] = universal_anisotropy(C)
    constants["zener"] = zener_ratio(C)
    return constants


def isotropic_moduli(C: np.ndarray) -> tuple[float, float]:
    """Bulk and shear modulus of the isotropic stiffness nearest to C (Frobenius).

    K = (J :: C) / 3 and G = (K :: C) / 10, which are Voigt's orientation averages.
    """
    return float((J * C).sum() / 3), float((K * C).sum() / 10)


def youngs_modulus(C: np.ndarray, direction: Sequence[float] | np.ndarray) -> float:
    """Young's modulus along a direction n: 1 / ((n n) : S : (n n)).

    Parameters
    ----------
    C
        Mandel stiffness (stress units), shape (6, 6); singular is allowed.
    direction
        Vector of any length in the axes of C, shape (3,).

    Returns
    -------
    float
        Modulus (stress units); 0 where no stress along n can be carried.

    Raises
    ------
    InputError
        A direction that is not three finite numbers, not all zero; an unsound C.
    """
    n = np.asarray(direction, dtype=float)
    if n.shape != (3,) or not np.isfinite(n).all() or not n.any():
        raise InputError(f"direction {direction}", "three finite numbers, not all zero")
    n = n / np.linalg.norm(n)
    traction = symmetric_product(n, n)
    C, (S, _) = _checked(C), _compliance(C)
    if _lost(C, S, traction):
        return 0.0
    return float(1 / (traction @ S @ traction))


def universal_anisotropy(C: np.ndarray) -> float | None:
    """Universal anisotropy index A_U = 5 G_V/G_R + K_V/K_R - 6, None if C is singular.

    V and R are Voigt's and Reuss's orientation averages; 0 is isotropic.
    Ranganathan & Ostoja-Starzewski 2008, doi:10.1103/PhysRevLett.101.055504.
    """
    C, (S, carried) = _checked(C), _compliance(C)
    if not all(carried(m) for m in range(6)):
        return None
    bulk, shear = isotropic_moduli(C)
    # the isotropic part of a compliance is J/(3 K) + K/(2 G)
    inverse_bulk, inverse_shear = 3 * (J * S).sum(), 2 * (K * S).sum() / 5
    return float(5 * shear * inverse_shear + bulk * inverse_bulk - 6)


def zener_ratio(C: np.ndarray) -> float | None:
    """Zener's ratio 2 C44 / (C11 - C12) of a stiffness that is cubic in these axes.

    It is that of the nearest cubic stiffness; None where C is farther than `CUBIC`
    from it, or where C11 = C12.
    """
    C = _checked(C)
    cubic = _averaged(C, "cubic")
    scale = np.linalg.norm(C)
    if scale == 0 or np.linalg.norm(C - cubic) > CUBIC * scale:
        return None
    stretch = cubic[0, 0] - cubic[0, 1]
    return float(cubic[3, 3] / stretch) if stretch > SINGULAR * scale else None


def symmetry_distances(C: np.ndarray) -> dict[str, float]:
    """Relative distance |C - P C| / |C| (Frobenius) to each symmetry class.

    P averages C over the rotations of the class, with its axes along the GIVEN x, y
    and z: a cubic crystal that is turned is not found cubic. `hexagonal_z` is
    transversely isotropic about z, `tetragonal_z` has its fourfold axis along z. All
    are 0 for C = 0.

    Parameters
    ----------
    C
        Mandel stiffness, shape (6, 6).
    """
    C = _checked(C)
    scale = np.linalg.norm(C) or 1.0
    bulk, shear = isotropic_moduli(C)
    distances = {"isotropic": C - 3 * bulk * J - 2 * shear * K}
    distances |= {name: C - _averaged(C, name) for name in GROUPS}
    return {name: float(np.linalg.norm(d) / scale) for name, d in distances.items()}


GROUPS = {
    "cubic": ("O", "Z"),
    "hexagonal_x": ("D6", "X"),
    "hexagonal_y": ("D6", "Y"),
    "hexagonal_z": ("D6", "Z"),
    "tetragonal_x": ("D4", "X"),
    "tetragonal_y": ("D4", "Y"),
    "tetragonal_z": ("D4", "Z"),
    "orthotropic": ("D2", "Z"),
}
"""Rotation group (Schoenflies) and main axis of each class with finitely many.

Six turns about an axis are as good as all of them for a fourth-order tensor, whose
components vary at most as the cosine of four times the angle.
"""


@cache
def _rotations(name: str) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    group, axis = GROUPS[name]
    return mandel_rotation(Rotation.create_group(group, axis).as_matrix())


def _averaged(C: np.ndarray, name: str) -> np.ndarray:
    Q = _rotations(name)
    return (Q @ C @ np.swapaxes(Q, -1, -2)).mean(axis=0)


def _checked(C: np.ndarray) -> np.ndarray:
    """Return the symmetric part of a sound stiffness."""
    C = np.asarray(C, dtype=float)
    if C.shape != (6, 6) or not np.isfinite(C).all():
        raise InputError(
            f"stiffness of shape {C.shape}", "a 6x6 matrix of finite numbers"
        )
    scale = np.abs(C).max()
    if np.abs(C - C.T).max() > 1e-3 * scale:
        raise InputError(
            "stiffness is not symmetric: its entries differ from their transposes by "
            f"up to {np.abs(C - C.T).max():.3g}",
            mend="give a symmetric 6x6 matrix",
        )
    C = (C + C.T) / 2
    least = np.linalg.eigvalsh(C)[0]
    if least < -1e-3 * scale:
        raise InputError(
            f"stiffness has the negative eigenvalue {least:.3g}",
            "a positive semidefinite matrix",
        )
    return C


def _compliance(C: np.ndarray):
    """Pseudo-inverse S of C, and whether the unit stress m can be carried."""
    C = _checked(C)
    values, vectors = np.linalg.eigh(C)
    kept = values > SINGULAR * max(values[-1], 0)
    S = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    unit = np.eye(6)
    return S, lambda m: not _lost(C, S, unit[m])


def _lost(C: np.ndarray, S: np.ndarray, stress: np.ndarray) -> bool:
    """Whether part of a unit stress lies in the null space of C."""
    return bool(np.linalg.norm(C @ (S @ stress) - stress) > np.sqrt(SINGULAR))


def reference_stiffness(bulk: float, shear: float) -> np.ndarray:
    """Isotropic stiffness 3 K J + 2 G K, Mandel 6x6 (stress units)."""
    return 3 * bulk * J + 2 * shear * K
