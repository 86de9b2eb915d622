"""Grains of a measured map: connected voxels of one orientation, and its mean.

Orientations are unit quaternions w x y z, v_sample = R v_crystal. A crystal's symmetry
operations S make R and R S the same crystal; they are those of a rotation group that is
named as `scipy.spatial.transform.Rotation.create_group` does (Schoenflies): "O" cubic,
"D6" hexagonal, "D3" trigonal, "C1" none, ...
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from fftmech.tensors import quaternion_from_xyzw

PIECE = 2**16
"""Pairs of voxels that are compared at once."""


@lru_cache
def symmetry(group: str) -> np.ndarray:
    """Rotations of a group as quaternions, (s, 4); monoclinic crystals turn about b."""
    from scipy.spatial.transform import Rotation

    axis = "Y" if group == "C2" else "Z"
    return quaternion_from_xyzw(Rotation.create_group(group, axis=axis).as_quat())


def misorientation(p: np.ndarray, q: np.ndarray, group: str) -> np.ndarray:
    """Least angle (radians) between the crystals p and q, both (n, 4), shape (n,)."""
    return 2 * np.arccos(np.minimum(_closest(p, q, group)[1], 1.0))


def _closest(p: np.ndarray, q: np.ndarray, group: str) -> tuple[np.ndarray, np.ndarray]:
    """Operations S that bring q S closest to p, (n, 4), and |p . q S|, (n,)."""
    operations = symmetry(group)
    best = np.empty(len(p), int)
    cosine = np.empty(len(p))
    for start in range(0, len(p), PIECE):
        piece = slice(start, start + PIECE)
        # p . (q S) is (q^-1 p) . S
        between = product(q[piece] * [1.0, -1.0, -1.0, -1.0], p[piece])
        closeness = np.abs(between @ operations.T)
        best[piece] = closeness.argmax(axis=1)
        cosine[piece] = closeness.max(axis=1)
    return operations[best], cosine


def segment(
    quaternion: np.ndarray,
    phase: np.ndarray,
    group: Mapping[int, str],
    tolerance: float,
) -> np.ndarray:
    """Number the grains of a map: 1, 2, ... in C order; 0 is no crystal.

    Parameters
    ----------
    quaternion
        Orientation of each voxel, shape (nx, ny, nz, 4).
    phase
        Crystal phase of each voxel, shape (nx, ny, nz); 0 is none.
    group
        Rotation group of each phase.
    tolerance
        Neighbours across a face are of one grain where they have the same phase and at
        most this misorientation (radians); with 0 each voxel is its own grain.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    crystal = phase.ravel() > 0
    label = np.arange(phase.size)
    if tolerance > 0:
        number = label.reshape(phase.shape)
        rows, columns = [], []
        for axis in range(phase.ndim):
            a = np.take(number, range(phase.shape[axis] - 1), axis).ravel()
            b = np.take(number, range(1, phase.shape[axis]), axis).ravel()
            joined = _joined(quaternion.reshape(-1, 4), phase.ravel(), group, a, b)
            rows.append(a[joined <= tolerance])
            columns.append(b[joined <= tolerance])
        pair = np.concatenate(rows), np.concatenate(columns)
        graph = coo_array((np.ones(len(pair[0]), bool), pair), (phase.size,) * 2)
        label = connected_components(graph, directed=False)[1]
    grain = np.zeros(phase.size, np.int32)
    grain[crystal] = np.unique(label[crystal], return_inverse=True)[1] + 1
    return grain.reshape(phase.shape)


def _joined(
    quaternion: np.ndarray,
    phase: np.ndarray,
    group: Mapping[int, str],
    a: np.ndarray,
    b: np.ndarray,
) -> np.ndarray:
    """Misorientation of pairs of voxels, infinite where their phases differ."""
    angle = np.full(len(a), np.inf)
    for p in np.unique(phase[phase > 0]):
        pairs = np.flatnonzero((phase[a] == p) & (phase[b] == p))
        first, second = quaternion[a[pairs]], quaternion[b[pairs]]
        angle[pairs] = misorientation(first, second, group[int(p)])
    return angle


def mean_orientations(
    ids: np.ndarray, quaternion: np.ndarray, group: str = "O"
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted ids of the grains, (g,), and the mean unit quaternion of each, (g, 4).

    A voxel's orientation may be written as any of its crystal's symmetry equivalents,
    R S, and with either sign of the quaternion: each is first replaced by the
    equivalent nearest to the grain's first voxel; the mean is the normalised sum.
    Voxels have a grain id, (n,), and w x y z, v_sample = R v_crystal, (n, 4); `group`
    is the crystal's rotation group.
    """
    grains, first, place = np.unique(ids, return_index=True, return_inverse=True)
    reference = quaternion[first][place]
    nearest = product(quaternion, _closest(reference, quaternion, group)[0])
    same_sign = np.einsum("ni,ni->n", reference, nearest) >= 0
    nearest = np.where(same_sign[:, None], nearest, -nearest)
    sums = np.stack(
        [np.bincount(place, nearest[:, c], len(grains)) for c in range(4)], axis=1
    )
    means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return grains, np.where(means[:, :1] < 0, -means, means)


def product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Hamilton products p q of quaternions w x y z, (n, 4) or (4,) each."""
    (a, b, c, d), (w, x, y, z) = np.moveaxis(p, -1, 0), np.moveaxis(q, -1, 0)
    parts = [
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    ]
    return np.stack(parts, axis=-1)
