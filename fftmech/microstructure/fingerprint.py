"""Fingerprints of bodies: equal for bodies that are the same but for how they lie.

Two bodies have one fingerprint if a symmetry of the cube and a periodic shift move one
into the other: their solutions are then the same, moved. A box with faces has no shift
across them. It does not depend on the numbers of phases, on the unit of stiffness, nor
on rounding.

It is a digest of whole numbers that no such move changes:

- Each voxel has a number, of its phase's stiffness in whatever direction. In rounds it
  is mixed with the sum of those of its six neighbours at a distance of 1, 2, 4, ...
  voxels (a Weisfeiler-Lehman colouring), until it knows the whole box; counted is how
  many voxels have which number.
- That forgets how crystals lie in the box. So for each phase its stiffness is put
  beside its numbers of faces, edges and corners with other phases in the 13 directions,
  and of these tables, moved by all symmetries, the least is taken.
"""

from functools import cache
from hashlib import sha256
from itertools import permutations, product

import numpy as np

from fftmech.materials.elastic import cubic
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import (
    J,
    K,
    mandel_rotation,
    matrix_from_quaternion,
    rotate_stiffness,
)

LENGTH = 16
"""Hexadecimal digits: two of 100,000 bodies are confused once in four billion sets."""

DIGITS = 1e6
"""Stiffness is rounded to a millionth of the largest entry of its phase."""

OUTSIDE = 2
"""A number that no row of `_materials` begins with: there it is 1 of a pore, 0 or less
of a solid."""

_DIRECTIONS = np.array(
    [d for d in product((-1, 0, 1), repeat=3) if d > (0, 0, 0)], dtype=int
)
"""Towards half of the 26 neighbours; the other half is opposite."""


def fingerprint(
    body: Microstructure, periodic: tuple[bool, bool, bool] = (True, True, True)
) -> str:
    """Return the fingerprint of a body, `LENGTH` hexadecimal digits.

    Its voxels are taken to be cubes. Phases without a stiffness, and those of a body
    that obeys laws, are told apart by their numbers, or by their orientations, as those
    of cubic crystals. Scalar images are part of it, but for their unit. Across an axis
    that is not `periodic` there are faces.
    """
    stiffness, materials = _materials(body)
    if not all(periodic):
        # a layer of what no body is made of stands between the faces
        layers = [(0, int(not along)) for along in periodic]
        materials = np.pad(materials, layers, constant_values=len(stiffness))
        stiffness = np.concatenate([stiffness, np.zeros((1, 7, 6), np.int64)])
        stiffness[-1, 0] = OUTSIDE
    moved = _all_moved(stiffness)
    own = np.ascontiguousarray(moved.reshape(*moved.shape[:2], -1))
    # a number for each material that does not depend on how it lies
    turned = np.array([[_digest(row) for row in rows] for rows in own], np.uint64)
    field = turned.min(axis=0)[materials]
    # one after the other, by name
    for name in sorted(body.images):
        field = _mixed(field + _mixed(_whole(body.images[name], periodic)))
    colours = np.sort(_colours(field), axis=None)
    tables = _neighbour_tables(materials, len(stiffness))
    least = min(
        sorted(
            bytes(_digest(row, counts).to_bytes(8, "big"))
            for row, counts in zip(
                own[g], tables[:, _turned_directions(g)], strict=True
            )
        )
        for g in range(len(own))
    )
    parts = (str(sorted(materials.shape)).encode(), colours.tobytes(), *least)
    return sha256(b"".join(parts)).hexdigest()[:LENGTH]


def _materials(body: Microstructure) -> tuple[np.ndarray, np.ndarray]:
    """Rounded stiffness of the different materials, (M, 6, 6), and that of each voxel.

    Whole numbers: entries in millionths of the largest entry of the material, and in
    front, in (M, 7, 6), the logarithm of that relative to the body's largest.
    """
    used = body.phases
    table = None if body.nonlinear else body.stiffness
    C = _stand_in(body) if table is None else table[used]
    C = np.nan_to_num(C)
    C[np.isin(used, body.rigid)] = np.finfo(float).max * np.eye(6)
    largest = abs(C).max(axis=(1, 2))
    solid = np.where(largest > 0, largest, 1.0)
    level = np.log(solid / max(largest.max(), np.finfo(float).tiny))
    whole = np.empty((len(C), 7, 6), np.int64)
    whole[:, 0] = np.where(largest > 0, np.rint(level * DIGITS), 1)[:, None]
    whole[:, 1:] = np.rint(C / solid[:, None, None] * DIGITS)
    different, rows = np.unique(whole, axis=0, return_inverse=True)
    row = np.zeros(used.max() + 1, np.int64)
    row[used] = rows.ravel()
    return different, row[body.phase]


def _stand_in(body: Microstructure) -> np.ndarray:
    """A stiffness for each phase in use, (P, 6, 6), where none says what it is.

    Isotropic, another one for each phase id; of oriented phases that of one crystal,
    turned.
    """
    used = body.phases
    C = J + K / (2.0 + used)[:, None, None]
    C *= (1.0 + used)[:, None, None]
    oriented = np.isin(used, body.oriented)
    if oriented.any():
        assert body.orientation is not None
        q = body.orientation[used[oriented]]
        R = matrix_from_quaternion(q / np.linalg.norm(q, axis=1, keepdims=True))
        C[oriented] = rotate_stiffness(cubic(3.0, 1.0, 2.0), R)
    return C


@cache
def _moves() -> list[np.ndarray]:
    """Signed permutations of the axes, one of each pair that an inversion joins."""
    return [
        np.diag(signs)[list(axes)].astype(int)
        for axes in permutations(range(3))
        for signs in product((1,), (1, -1), (1, -1))
    ]


@cache
def _mandel_moves() -> np.ndarray:
    return np.stack([np.rint(mandel_rotation(g)) for g in _moves()]).astype(np.int64)


def _all_moved(whole: np.ndarray) -> np.ndarray:
    """Stiffness after each move, (24, M, 7, 6), of (M, 7, 6)."""
    Q = _mandel_moves()
    moved = np.empty((len(Q), *whole.shape), np.int64)
    moved[:, :, 0] = whole[:, 0]
    moved[:, :, 1:] = Q[:, None] @ whole[:, 1:] @ Q[:, None].swapaxes(-1, -2)
    return moved


@cache
def _turned_directions(g: int) -> np.ndarray:
    """Which direction becomes each one in a move: columns of a table after it."""
    index = {tuple(s * d): i for i, d in enumerate(_DIRECTIONS) for s in (1, -1)}
    # the new direction d was g^T d
    return np.array([index[tuple(_moves()[g].T @ d)] for d in _DIRECTIONS])


def _neighbour_tables(materials: np.ndarray, count: int) -> np.ndarray:
    """Voxels of each material whose neighbour is another one, (M, 13)."""
    table = np.empty((count, len(_DIRECTIONS)), np.int64)
    for i, d in enumerate(_DIRECTIONS):
        there = np.roll(materials, -d, (0, 1, 2))
        table[:, i] = np.bincount(materials[materials != there], minlength=count)
    return table


def _whole(image: np.ndarray, periodic: tuple[bool, bool, bool]) -> np.ndarray:
    """An image in thousandths of its largest value, with a layer before faces."""
    largest = abs(image).max() or 1.0
    whole = np.rint(image / largest * 1e3).astype(np.int64)
    layers = [(0, int(not along)) for along in periodic]
    return np.pad(whole, layers).view(np.uint64)


def _colours(field: np.ndarray) -> np.ndarray:
    """Number of each voxel after all rounds; those at first are `field`."""
    step = 1
    while True:
        around = np.zeros_like(field)
        for axis in range(3):
            around += np.roll(field, step, axis) + np.roll(field, -step, axis)
        field = _mixed(field * np.uint64(0x9E3779B97F4A7C15) + _mixed(around))
        step *= 2
        if step > max(field.shape) // 2:
            return field


def _mixed(x: np.ndarray) -> np.ndarray:
    """Scramble the bits of each number (the finalizer of SplitMix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _digest(*arrays: np.ndarray) -> int:
    """A number below 2^64 of whole numbers."""
    data = b"".join(np.ascontiguousarray(a, np.int64).tobytes() for a in arrays)
    return int.from_bytes(sha256(data).digest()[:8], "big")
