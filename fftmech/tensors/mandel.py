"""Mandel algebra and rotations.

Symmetric tensors are Mandel 6-vectors in the order xx, yy, zz, yz, xz, xy, with
off-diagonals times sqrt(2), so that a double contraction is a dot product. The
component axis is named by `axis`. Users see tensor components (no factor) and Voigt
stiffness (engineering shear): the conversions are here and nowhere else.
"""

from typing import Any

import numpy as np

from fftmech.arrays.backend import is_tensor, namespace

COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")
"""Names of the six components, in the order of every 6-vector in memory."""

PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Index pair (i, j) of each component."""

FACTORS = np.array([1.0, 1.0, 1.0, np.sqrt(2), np.sqrt(2), np.sqrt(2)])
"""Mandel factor of each component."""

IDENTITY = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
"""Second-order identity as a Mandel vector."""

J = np.outer(IDENTITY, IDENTITY) / 3
"""Projector on hydrostatic tensors (Mandel 6x6)."""

K = np.eye(6) - J
"""Projector on deviatoric tensors (Mandel 6x6)."""

DEGENERATE = 1e-8
"""Sine or cosine of Phi / 2 below which phi1 and phi2 cannot be told apart."""


def _along(axis: int, ndim: int) -> tuple[int, ...]:
    shape = [1] * ndim
    shape[axis] = 6
    return tuple(shape)


def mandel_from_components(tensor: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mandel vectors from tensor components xx yy zz yz xz xy along `axis`."""
    tensor = np.asarray(tensor, dtype=float)
    return tensor * FACTORS.reshape(_along(axis, tensor.ndim))


def components_from_mandel(mandel: np.ndarray, axis: int = -1) -> np.ndarray:
    """Tensor components xx yy zz yz xz xy from Mandel vectors along `axis`."""
    mandel = np.asarray(mandel)
    return mandel / FACTORS.astype(mandel.dtype).reshape(_along(axis, mandel.ndim))


def mandel_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Mandel vectors (..., 6) from symmetric matrices (..., 3, 3)."""
    matrix = np.asarray(matrix, dtype=float)
    return np.stack([matrix[..., i, j] for i, j in PAIRS], axis=-1) * FACTORS


def symmetric_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mandel vectors (..., 6) of sym(a b) = (a b + b a) / 2, vectors (..., 3)."""
    ab = a[..., :, None] * b[..., None, :]
    return mandel_from_matrix((ab + np.swapaxes(ab, -1, -2)) / 2)


def matrix_from_mandel(mandel: np.ndarray) -> np.ndarray:
    """Symmetric matrices (..., 3, 3) from Mandel vectors (..., 6)."""
    components = np.asarray(mandel, dtype=float) / FACTORS
    matrix = np.empty((*components.shape[:-1], 3, 3))
    for m, (i, j) in enumerate(PAIRS):
        matrix[..., i, j] = matrix[..., j, i] = components[..., m]
    return matrix


def mandel_from_voigt(stiffness: np.ndarray) -> np.ndarray:
    """Mandel stiffness (..., 6, 6) from Voigt stiffness (engineering shear)."""
    return np.asarray(stiffness, dtype=float) * np.outer(FACTORS, FACTORS)


def voigt_from_mandel(stiffness: np.ndarray) -> np.ndarray:
    """Voigt stiffness (..., 6, 6) (engineering shear) from Mandel stiffness."""
    return np.asarray(stiffness, dtype=float) / np.outer(FACTORS, FACTORS)


def quaternion_from_bunge(euler: Any, degrees: bool = False) -> Any:
    """Unit quaternions (..., 4), order w x y z, from Bunge angles phi1, Phi, phi2.

    The quaternion is that of R = Rz(phi1) Rx(Phi) Rz(phi2), which takes vector
    components from the crystal frame to the sample frame: v_sample = R v_crystal.
    Bunge's orientation matrix g is its transpose.
    The scalar part is never negative. Of a tensor it is a tensor, differentiable.
    """
    euler = euler if is_tensor(euler) else np.asarray(euler, dtype=float)
    xp = namespace(euler)
    phi1, Phi, phi2 = xp.moveaxis(xp.deg2rad(euler) if degrees else euler, -1, 0)
    c, s = xp.cos(Phi / 2), xp.sin(Phi / 2)
    half_sum, half_difference = (phi1 + phi2) / 2, (phi1 - phi2) / 2
    parts = [
        c * xp.cos(half_sum),
        s * xp.cos(half_difference),
        s * xp.sin(half_difference),
        c * xp.sin(half_sum),
    ]
    quaternion = xp.stack(parts, -1)
    return xp.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def quaternion_from_xyzw(xyzw: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) in this project's order w x y z from the order x y z w."""
    return np.roll(xyzw, 1, axis=-1)


def bunge_from_quaternion(quaternion: np.ndarray, degrees: bool = False) -> np.ndarray:
    """Bunge angles phi1, Phi, phi2 (..., 3) from unit quaternions w x y z (..., 4).

    Phi is in [0, pi], phi1 and phi2 in [0, 2 pi); phi2 = 0 where Phi is 0 or pi, which
    leave only phi1 + phi2 or phi1 - phi2 determined.
    """
    w, x, y, z = np.moveaxis(np.asarray(quaternion, dtype=float), -1, 0)
    c, s = np.hypot(w, z), np.hypot(x, y)
    half_sum, half_difference = np.arctan2(z, w), np.arctan2(y, x)
    # the direction of a zero vector is undefined: take the other angle
    half_difference = np.where(s < DEGENERATE * c, half_sum, half_difference)
    half_sum = np.where(c < DEGENERATE * s, half_difference, half_sum)
    phi1, phi2 = half_sum + half_difference, half_sum - half_difference
    turn = 2 * np.pi
    euler = np.stack([phi1 % turn, 2 * np.arctan2(s, c), phi2 % turn], axis=-1)
    return np.degrees(euler) if degrees else euler


def matrix_from_quaternion(quaternion: Any) -> Any:
    """Rotation matrices R (..., 3, 3), v_sample = R v_crystal, from quaternions.

    They may have any length but zero. Of a tensor it is a tensor, differentiable.
    """
    q = quaternion if is_tensor(quaternion) else np.asarray(quaternion, dtype=float)
    xp = namespace(q)
    w, x, y, z = xp.moveaxis(q / (q * q).sum(-1)[..., None] ** 0.5, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    R = xp.stack([xp.stack(row) for row in rows])
    return xp.moveaxis(R, (0, 1), (-2, -1))


def mandel_rotation(R: np.ndarray) -> np.ndarray:
    """Orthogonal 6x6 matrices Q with mandel(R a R^T) = Q mandel(a).

    Parameters
    ----------
    R
        Rotation matrices, shape (..., 3, 3).
    """
    R = np.asarray(R, dtype=float)
    Q = np.empty((*R.shape[:-2], 6, 6))
    for m, (i, j) in enumerate(PAIRS):
        for n, (k, p) in enumerate(PAIRS):
            if k == p:
                Q[..., m, n] = FACTORS[m] * R[..., i, k] * R[..., j, k]
            else:
                both = R[..., i, k] * R[..., j, p] + R[..., i, p] * R[..., j, k]
                Q[..., m, n] = FACTORS[m] / FACTORS[n] * both
    return Q


def rotate_vector(mandel: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Mandel vectors (..., 6) of R a R^T: from the crystal to the sample frame."""
    return np.einsum("...mn,...n->...m", mandel_rotation(R), mandel)


def rotate_stiffness(C: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Mandel stiffness (..., 6, 6) in the sample frame, Q C Q^T.

    Parameters
    ----------
    C
        Mandel stiffness in the crystal frame, shape (..., 6, 6).
    R
        Rotation matrices with v_sample = R v_crystal, shape (..., 3, 3).
    """
    Q = mandel_rotation(R)
    return Q @ C @ np.swapaxes(Q, -1, -2)
