"""Random sequential adsorption of voxel bodies into a periodic box."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.microstructure.geometry import Geometry


class Body(NamedTuple):
    """Voxels of a box whose first voxel lies at `corner`, eight of a row in a byte."""

    corner: np.ndarray
    shape: tuple[int, ...]
    bits: np.ndarray

    def voxels(self, first: int, last: int) -> np.ndarray:
        """Filled voxels of the planes `first` to `last` - 1 of its box, boolean."""
        part = self.bits[first:last]
        return np.unpackbits(part, axis=2, count=self.shape[2]).view(bool)


class Packing(Geometry):
    """Bodies placed one after another, a gap of at least one voxel between any two.

    No body touches another, nor itself through the periodic box. They are phase 1.
    """

    def __init__(self, grid: Grid) -> None:
        self.shape = grid.shape
        self.bodies: list[Body] = []
        self.voxels = 0
        self._near = np.zeros(grid.shape, dtype=bool)

    def free(self, voxels: np.ndarray) -> np.ndarray:
        """Whether voxels (..., 3) are neither filled nor touching one that is."""
        return ~self._near[voxels[..., 0], voxels[..., 1], voxels[..., 2]]

    def place(self, body: np.ndarray, corner: np.ndarray) -> bool:
        """Add the voxels of a body if they keep the gap, and say whether.

        The body is boolean, in a small box whose first voxel lies at `corner`.
        """
        from scipy.ndimage import binary_dilation

        if not body.any():
            return False
        used = [
            np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
            for axis in range(3)
        ]
        body = body[tuple(slice(u[0], u[-1] + 1) for u in used)]
        corner = corner + [u[0] for u in used]
        # an axis of one voxel has no neighbours
        margin = (np.array(self.shape) > 1).astype(int)
        if (body.shape + margin > self.shape).any():
            return False
        for here, there in _pieces(corner, body.shape, self.shape):
            if (self._near[here] & body[there]).any():
                return False
        bits = np.packbits(body, axis=2)
        self.bodies.append(Body(corner % self.shape, body.shape, bits))
        self.voxels += int(np.count_nonzero(body))
        halo = np.pad(body, [(n, n) for n in margin])
        # a voxel touches those that share a face, an edge or a corner with it
        halo = binary_dilation(halo, np.ones(2 * margin + 1, dtype=bool))
        for here, there in _pieces(corner - margin, halo.shape, self.shape):
            self._near[here] |= halo[there]
        return True

    def planes(self, first: int, last: int) -> np.ndarray:
        """Voxels of bodies in some planes, as 1."""
        made = np.zeros((last - first, *self.shape[1:]), dtype=np.uint8)
        n = self.shape[0]
        for body in self.bodies:
            # the first plane of these that the body may be in, past the box or not
            for shift in (0, n):
                low = max(first + shift, body.corner[0])
                high = min(last + shift, body.corner[0] + body.shape[0])
                if low >= high:
                    continue
                voxels = body.voxels(low - body.corner[0], high - body.corner[0])
                to = made[low - shift - first : high - shift - first]
                across = _pieces(body.corner[1:], body.shape[1:], self.shape[1:])
                for here, there in across:
                    to[:, *here] |= voxels[:, *there]
        return made


def _pieces(
    corner: np.ndarray, extent: tuple[int, ...], shape: tuple[int, ...]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Slices of a periodic box that a smaller one covers, and of the smaller one."""
    along = []
    for start, length, n in zip(corner, extent, shape, strict=True):
        parts, done = [], 0
        while done < length:
            low = int(start + done) % n
            size = min(length - done, n - low)
            parts.append((slice(low, low + size), slice(done, done + size)))
            done += size
        along.append(parts)
    for pairs in product(*along):
        here, there = zip(*pairs, strict=True)
        yield here, there
