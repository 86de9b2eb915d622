"""Families of slip systems of fcc, bcc and hcp crystals.

A system is a plane normal m and a direction b. Cubic axes are the crystal's x y z; of a
hexagonal crystal a1 = [2-1-10]/3 is along x and c along z, as everywhere here.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations, product

import numpy as np

FAMILIES = {
    "fcc": ("octahedral",),
    "bcc": ("110", "112"),
    "hcp": ("basal", "prismatic", "pyramidal_a", "pyramidal_ca"),
}
"""Names by lattice: octahedral is {111}<110>; 110 and 112 are {110}<111> and
{112}<111>; basal is {0001}<11-20>, prismatic {10-10}<11-20>, pyramidal_a {10-11}<11-20>
and pyramidal_ca {10-11}<11-23>, with 12, 12, 12, 3, 3, 6 and 12 systems."""

_CUBIC = {
    "octahedral": ((1, 1, 1), (1, 1, 0)),
    "110": ((1, 1, 0), (1, 1, 1)),
    "112": ((1, 1, 2), (1, 1, 1)),
}
_HEXAGONAL = {
    "basal": ((0, 0, 0, 1), (1, 1, -2, 0)),
    "prismatic": ((1, 0, -1, 0), (1, 1, -2, 0)),
    "pyramidal_a": ((1, 0, -1, 1), (1, 1, -2, 0)),
    "pyramidal_ca": ((1, 0, -1, 1), (1, 1, -2, 3)),
}


# each phase of a body asks for those of its law, several times
@lru_cache(64)
def slip_systems(
    family: str = "octahedral", c_over_a: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals m and directions b of a family in the crystal frame, (N, 3) each.

    They cannot be written to.

    Parameters
    ----------
    family
        One of `FAMILIES`.
    c_over_a
        Ratio of a hexagonal crystal's axes.
    """
    if family in _CUBIC:
        planes, directions = (_cubic(indices) for indices in _CUBIC[family])
        normals, edges = planes, directions
    else:
        planes, directions = (_hexagonal(indices) for indices in _HEXAGONAL[family])
        normals, edges = _normals(planes, c_over_a), _edges(directions, c_over_a)
    # b in the plane: h u + k v + i t + l w = 0, in whole numbers
    m, b = np.nonzero(planes @ directions.T == 0)
    systems = _unit(normals[m]), _unit(edges[b])
    for vectors in systems:
        vectors.flags.writeable = False
    return systems


def plane_normals(indices: Sequence[int], c_over_a: float = 1.0) -> np.ndarray:
    """Unit normals of all planes that a crystal's symmetry makes of one, (N, 3).

    One of each opposite pair, in the crystal frame.

    Parameters
    ----------
    indices
        Miller indices h k l of a cubic crystal, or h k i l of a hexagonal one.
    c_over_a
        Ratio of a hexagonal crystal's axes.
    """
    if len(indices) == 3:
        return _unit(_cubic(indices).astype(float))
    return _unit(_normals(_hexagonal(indices), c_over_a))


def _cubic(indices: Sequence[int]) -> np.ndarray:
    """Equivalent planes or directions of the cube, one of each opposite pair."""
    found = {
        tuple(sign * i for sign, i in zip(signs, order, strict=True))
        for order in permutations(indices)
        for signs in product((1, -1), repeat=3)
    }
    return _halved(found)


def _hexagonal(indices: Sequence[int]) -> np.ndarray:
    """Equivalent planes or directions, four indices, one of each opposite pair."""
    *basal, last = indices
    found = {
        (*(sign * i for i in order), end * last)
        for order in permutations(basal)
        for sign in (1, -1)
        for end in (1, -1)
    }
    return _halved(found)


def _halved(found: set[tuple[int, ...]]) -> np.ndarray:
    kept = [i for i in sorted(found, reverse=True) if i > tuple(-k for k in i)]
    return np.array(kept)


def _edges(directions: np.ndarray, c_over_a: float) -> np.ndarray:
    """Cartesian u a1 + v a2 + t a3 + w c of directions [uvtw], a = 1."""
    a1, a2 = np.array([1.0, 0.0, 0.0]), np.array([-0.5, 0.75**0.5, 0.0])
    axes = np.array([a1, a2, -a1 - a2, [0.0, 0.0, c_over_a]])
    return directions @ axes


def _normals(planes: np.ndarray, c_over_a: float) -> np.ndarray:
    """Cartesian normals h a1* + k a2* + l c* of planes (hkil), a = 1."""
    a1, a2 = np.array([1.0, 3**-0.5, 0.0]), np.array([0.0, 2 * 3**-0.5, 0.0])
    return planes[:, [0, 1, 3]] @ np.array([a1, a2, [0.0, 0.0, 1 / c_over_a]])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
