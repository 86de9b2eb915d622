"""Blocks of images: windows for training, validation and test come from one each.

An image is cut across one axis into a block a split, with a margin of a quarter of a
window between them, so that no voxel is in windows of two splits. Where an image is too
short for that, and there are enough of them, whole images are given to the splits.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import combinations
from math import ceil
from typing import NamedTuple

import numpy as np

from fftmech.arrays.memory import size_text
from fftmech.datasets.splits import SPLITS
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure

MARGIN = 1 / 4
"""Voxels between two blocks, in windows."""

Voxels = tuple[int, int, int]


class Block(NamedTuple):
    """Voxels `low` to `high` of an image, for windows of one split with these sides."""

    split: str
    image: str
    sides: Voxels
    low: Voxels
    high: Voxels

    @classmethod
    def of(cls, entries: Sequence) -> "Block":
        """Make it from JSON."""
        split, image, *places = entries
        return cls(split, image, *(_voxels(place) for place in places))


class _Cut(NamedTuple):
    """Blocks of one image, the axis across which it is cut, digests of their planes."""

    blocks: list[Block]
    axis: int
    planes: list[set[str]]


def window_sides(window: int, grid: Grid) -> Voxels:
    """Voxels along x, y, z of a cube with an edge of `window` voxels along x."""
    h = np.array(grid.h)
    return _voxels(np.maximum(np.rint(window * h[0] / h), 1))


def cut(
    images: Iterable[tuple[str, Microstructure]], window: int, parts: Sequence[int]
) -> tuple[Block, ...]:
    """Return the blocks of images, by name, for the splits that have a part.

    InputError for images that have no room, or hold the same planes in two splits.
    """
    asked = {split: part for split, part in zip(SPLITS, parts, strict=True) if part}
    cuts: list[_Cut | None] = []
    whole: list[_Cut] = []
    refusal: InputError | None = None
    for name, image in images:
        sides, shape = window_sides(window, image.grid), image.grid.shape
        if any(n < side for n, side in zip(shape, sides, strict=True)):
            raise InputError(
                f"{name}: a window of {size_text(sides)} voxels in an image of "
                f"{size_text(shape)}",
                mend="lower the window",
            )
        found = _cut(name, image, sides, asked)
        cuts.append(found)
        block = Block("", name, sides, (0, 0, 0), shape)
        whole.append(_Cut([block], 0, [_planes(image.phase, 0)]))
        if found is None and refusal is None:
            refusal = _refusal(name, image.grid, window, len(asked))
    known = [found for found in cuts if found is not None]
    if len(known) < len(whole):
        if len(whole) < len(asked):
            assert refusal is not None
            raise refusal
        known = _shared_out(whole, asked)
    _check_planes(known)
    return tuple(block for found in known for block in found.blocks)


def _cut(
    name: str, image: Microstructure, sides: Voxels, asked: dict[str, int]
) -> _Cut | None:
    """Cut one image across the axis with the most room; None without any."""
    shape = image.grid.shape
    repeats: InputError | None = None
    for axis in sorted(range(3), key=lambda a: -shape[a] / sides[a]):
        ends = _ends(shape[axis], sides[axis], list(asked.values()))
        if ends is None:
            continue
        blocks, planes = [], []
        for split, (low, high) in zip(asked, ends, strict=True):
            first, last = [0, 0, 0], list(shape)
            first[axis], last[axis] = low, high
            blocks.append(Block(split, name, sides, _voxels(first), _voxels(last)))
            part = [slice(None)] * 3
            part[axis] = slice(low, high)
            planes.append(_planes(image.phase[tuple(part)], axis))
        found = _Cut(blocks, axis, planes)
        try:
            _check_planes([found])
        except InputError as error:
            repeats = repeats or error
        else:
            return found
    if repeats:
        raise repeats
    return None


def _ends(n: int, side: int, parts: Sequence[int]) -> list[tuple[int, int]] | None:
    """First and last of `n` layers for each part; None where there is no room."""
    margin = ceil(side * MARGIN) if len(parts) > 1 else 0
    spare = n - len(parts) * side - (len(parts) - 1) * margin
    if spare < 0:
        return None
    lengths = [side + spare * part // sum(parts) for part in parts]
    lengths[0] += n - (len(parts) - 1) * margin - sum(lengths)
    ends, low = [], 0
    for length in lengths:
        ends.append((low, low + length))
        low += length + margin
    return ends


def _shared_out(whole: Sequence[_Cut], asked: dict[str, int]) -> list[_Cut]:
    """Give whole images to the splits: one each, then to that farthest behind."""
    given = dict.fromkeys(asked, 1)
    total = sum(asked.values())
    for _ in range(len(whole) - len(asked)):
        behind = max(asked, key=lambda s: asked[s] * len(whole) - total * given[s])
        given[behind] += 1
    order = [split for split, count in given.items() for _ in range(count)]
    return [
        found._replace(blocks=[found.blocks[0]._replace(split=split)])
        for split, found in zip(order, whole, strict=True)
    ]


def _planes(phase: np.ndarray, axis: int) -> set[str]:
    """Digests of the planes across an axis, but for those of one phase."""
    # one type, so that equal planes of different images have one digest
    layers = (layer.astype(np.int32) for layer in np.moveaxis(phase, axis, 0))
    return {
        f"{layer.shape} {sha256(layer.tobytes()).hexdigest()}"
        for layer in layers
        if (layer != layer.flat[0]).any()
    }


def _check_planes(cuts: Sequence[_Cut]) -> None:
    """Refuse a plane that is in blocks of two splits: windows would be the same."""
    found = [
        (block, cut.axis, planes)
        for cut in cuts
        for block, planes in zip(cut.blocks, cut.planes, strict=True)
    ]
    for (a, axis, some), (b, other, others) in combinations(found, 2):
        if a.split != b.split and axis == other and some & others:
            where = f"repeats itself along {'xyz'[axis]}"
            if a.image != b.image:
                where = f"has planes across {'xyz'[axis]} that {a.image} has too"
            raise InputError(
                f"{b.image} {where}: windows for {b.split} would hold what those for "
                f"{a.split} hold",
                mend="leave one out, or keep the splits in datasets of other images",
            )


def _refusal(name: str, grid: Grid, window: int, count: int) -> InputError:
    """Say which windows would fit."""
    most = next((w for w in range(window - 1, 0, -1) if _fits(grid, w, count)), None)
    return InputError(
        f"{name}: {size_text(grid.shape)} voxels have no room for {count} splits of "
        f"windows of {window} that share no voxel",
        f"windows of at most {most}" if most else "a larger image",
        f"or leave a split out (--splits), or give at least {count} images",
    )


def _fits(grid: Grid, window: int, count: int) -> bool:
    sides = window_sides(window, grid)
    return any(
        _ends(n, side, [1] * count) for n, side in zip(grid.shape, sides, strict=True)
    )


def _voxels(values: Iterable) -> Voxels:
    x, y, z = (int(value) for value in values)
    return x, y, z
