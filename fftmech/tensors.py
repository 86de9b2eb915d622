"""Mandel algebra and rotations.

Symmetric tensors are Mandel 6-vectors in the order xx, yy, zz, yz, xz, xy, with
off-diagonals times sqrt(2), so that a double contraction is a dot product. The
component axis is named by `axis`. Users see tensor components (no factor) and Voigt
stiffness (engineering shear): the conversions are here and nowhere else.
"""

import warnings

import numpy as np
from scipy.spatial.transform import Rotation

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


def quaternion_from_bunge(euler: np.ndarray, degrees: bool = False) -> np.ndarray:
    """Unit quaternions (..., 4), order w x y z, from Bunge angles phi1, Phi, phi2.

    The quaternion is that of R = Rz(phi1) Rx(Phi) Rz(phi2), which takes vector
    components from the crystal frame to the sample frame: v_sample = R v_crystal.
    Bunge's orientation matrix g is its transpose.
    The scalar part is never negative.
    """
    euler = np.asarray(euler, dtype=float)
    rotation = Rotation.from_euler("ZXZ", euler.reshape(-1, 3), degrees=degrees)
    quaternion = quaternion_from_xyzw(rotation.as_quat())
    quaternion = quaternion.reshape(*euler.shape[:-1], 4)
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def quaternion_from_xyzw(xyzw: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) in this project's order w x y z from the order x y z w."""
    return np.roll(xyzw, 1, axis=-1)


def bunge_from_quaternion(quaternion: np.ndarray, degrees: bool = False) -> np.ndarray:
    """Bunge angles phi1, Phi, phi2 (..., 3) from unit quaternions w x y z (..., 4)."""
    quaternion = np.asarray(quaternion, dtype=float)
    xyzw = np.roll(quaternion, -1, axis=-1).reshape(-1, 4)
    turn = 360.0 if degrees else 2 * np.pi
    with warnings.catch_warnings():
        # at Phi = 0 only phi1 + phi2 is determined: SciPy warns and takes phi2 = 0
        warnings.simplefilter("ignore", UserWarning)
        euler = Rotation.from_quat(xyzw).as_euler("ZXZ", degrees=degrees)
    # from [-pi, pi] to Bunge's [0, 2 pi) for phi1 and phi2; Phi is in [0, pi] already
    return (euler % turn).reshape(*quaternion.shape[:-1], 3)


def matrix_from_quaternion(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrices R (..., 3, 3), v_sample = R v_crystal, from quaternions."""
    quaternion = np.asarray(quaternion, dtype=float)
    xyzw = np.roll(quaternion, -1, axis=-1).reshape(-1, 4)
    return Rotation.from_quat(xyzw).as_matrix().reshape(*quaternion.shape[:-1], 3, 3)


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
