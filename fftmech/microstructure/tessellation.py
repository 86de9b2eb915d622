"""Laguerre tessellations (power diagrams) on the voxel grid, rasterised exactly.

Positions are whole multiples of 1/1024 voxel and weights whole multiples of their
square, so squared distances are whole numbers far below 2^53: every comparison of
distances is exact.

Which grains a block of voxels may belong to is asked of a k-d tree, where there are
more than a few. A weight is a coordinate there: |x - x_g|^2 - w_g is, up to a constant,
the squared distance of (x, 0) from (x_g, sqrt(w_max - w_g)) in four dimensions
(Aurenhammer 1987, doi 10.1137/0216006), so that the grain of least power is the nearest
point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import numpy as np

from fftmech.microstructure.geometry import Geometry

if TYPE_CHECKING:
    from scipy.spatial import KDTree

UNIT = 1024
"""Positions are counted in this many parts of a voxel."""

SEVERAL = 256
"""Grains from which it takes long to compare a block with all of them."""

FEW = 1024
"""Grains up to which each block is compared with all of them, which is then faster."""

NEIGHBOURS = 8
"""Grains that the tree is asked for first, and twice as many where these do not do."""

COMPARED = 2**16
"""Pairs of a block and a grain that are compared at a time, which bounds memory."""


@dataclass(frozen=True)
class Tessellation(Geometry):
    """Grain of each voxel: argmin over g of |x - x_g|^2 - w_g, ties to the lowest g.

    Voxels are cubic. Positions x_g (`seeds`), in the box, are integers, (P, 3), in
    1/1024 voxel; weights, (P,), are in their square. Along `periodic` axes distances
    are those of the nearest image. Of a box of `edges` voxels every `stride`-th one
    along each axis is looked at.
    """

    edges: tuple[int, int, int]
    seeds: np.ndarray
    weights: np.ndarray
    periodic: tuple[bool, bool, bool] = (True, True, True)
    stride: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        """Voxels that are looked at."""
        nx, ny, nz = (len(range(0, n, self.stride)) for n in self.edges)
        return nx, ny, nz

    @property
    def phases(self) -> int:  # type: ignore[override]
        """Number of grains."""
        return len(self.seeds)

    @property
    def chunk(self) -> int:  # type: ignore[override]
        """Planes of a block."""
        return self._block[0]

    @cached_property
    def _block(self) -> tuple[int, int, int]:
        """Voxels of a block along each axis.

        Small blocks have short lists of candidates, but each list takes its time.
        """
        grains = len(self.seeds)
        edge = 8 if grains > SEVERAL else 4
        if grains > FEW:
            # about half as wide as a grain
            solid = [n for n in self.shape if n > 1]
            width = (np.prod(solid, dtype=float) / grains) ** (1 / max(1, len(solid)))
            edge = int(2 ** np.clip(np.floor(np.log2(width / 2)), 2, 4))
        bx, by, bz = (min(edge, n) for n in self.shape)
        return bx, by, bz

    @cached_property
    def _tree(self) -> KDTree:
        from scipy.spatial import KDTree

        lift = np.sqrt(self.weights.max() - self.weights)
        points = np.column_stack([self.seeds, lift])
        # a length of 0 is an axis that is not periodic
        box = np.array([*self.edges, 0.0]) * UNIT * [*self.periodic, False]
        return KDTree(points, boxsize=box if any(self.periodic) else None)

    def planes(self, first: int, last: int) -> np.ndarray:
        """Grains of some planes, int32."""
        spans = ((first, last), *((0, n) for n in self.shape[1:]))
        centres = []
        for (start, stop), edge in zip(spans, self._block, strict=True):
            # the last voxel again fills the last block
            voxels = np.arange(start, start + -(-(stop - start) // edge) * edge)
            voxels = np.minimum(voxels, stop - 1) * self.stride
            centres.append((2 * voxels.reshape(-1, edge) + 1) * (UNIT // 2))
        whole = [c.size for c in centres]
        phase = np.empty(whole, dtype=np.int32)
        bx, by, bz = self._block
        nx, ny, nz = map(len, centres)
        in_blocks = phase.reshape(nx, bx, ny, by, nz, bz)
        few = len(self.seeds) <= FEW
        for candidates in self._compared(centres) if few else self._asked(centres):
            x, y, z = candidates.places
            in_blocks[x, :, y, :, z] = candidates.owners(self.weights)
        return phase[: last - first, : self.shape[1], : self.shape[2]]

    def _squares(self, axis: int, centres: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Squared distances along an axis, (..., P, edge)."""
        edge = self.edges[axis] * UNIT if self.periodic[axis] else None
        offset = centres[..., None, :] - seeds[..., None]
        return nearest_image(offset, edge).astype(float) ** 2

    def _compared(self, centres: list[np.ndarray]) -> Iterator[_Candidates]:
        """Candidates of all blocks, each of which is compared with every grain.

        `centres` are the coordinates of voxels along each axis, (blocks, edge).
        """
        tables = [
            self._squares(axis, c, self.seeds[:, axis])
            for axis, c in enumerate(centres)
        ]
        low = [table.min(axis=2) for table in tables]
        high = [table.max(axis=2) for table in tables]
        for places in _places(centres, len(self.seeds)):
            x, y, z = places
            best = low[0][x] + low[1][y] + low[2][z] - self.weights
            worst = high[0][x] + high[1][y] + high[2][z] - self.weights
            # a grain whose best in the block is worse than another's worst owns no
            # voxel of it
            near = best <= worst.min(axis=1, keepdims=True)
            count = near.sum(axis=1)
            used = np.arange(count.max()) < count[:, None]
            grains = np.zeros(used.shape, dtype=int)
            grains[used] = np.nonzero(near)[1]
            squares = [
                t[p[:, None], grains] for t, p in zip(tables, places, strict=True)
            ]
            yield _Candidates(places, grains, used, squares)

    def _asked(self, centres: list[np.ndarray]) -> Iterator[_Candidates]:
        """Candidates of all blocks, of which the tree is asked; see `_compared`."""
        most = len(self.seeds)
        for places in _places(centres, NEIGHBOURS):
            axes = [c[place] for c, place in zip(centres, places, strict=True)]
            ends = np.stack([c[:, [0, -1]] for c in axes], axis=-1)
            middle = np.pad(ends.mean(axis=1), ((0, 0), (0, 1)))
            radius = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1, keepdims=True) / 2
            asked = [(np.arange(len(middle)), NEIGHBOURS)]
            while asked:
                rows, count = asked.pop()
                count = min(count, most)
                some = max(1, COMPARED // count)
                if len(rows) > some:
                    asked += [(rows[:some], count), (rows[some:], count)]
                    continue
                apart, grains = map(np.asarray, self._tree.query(middle[rows], count))
                # whoever owns a voxel is at most twice the radius farther from the
                # middle than the nearest; rounding is far below 1
                near = apart <= apart[:, :1] + 2 * radius[rows] + 1
                done = ~near[:, -1] | (count == most)
                if not done.all():
                    asked.append((rows[~done], 2 * count))
                order = np.argsort(grains[done], axis=1)
                grains = np.take_along_axis(grains[done], order, axis=1)
                near = np.take_along_axis(near[done], order, axis=1)
                squares = [
                    self._squares(axis, c[rows[done]], self.seeds[grains, axis])
                    for axis, c in enumerate(axes)
                ]
                best, worst = (
                    sum(reduce(end, np.moveaxis(table, 2, 0)) for table in squares)
                    - self.weights[grains]
                    for end in (np.minimum, np.maximum)
                )
                # a ball around the block has found more than the block needs
                worst = np.where(near, worst, np.inf).min(axis=1, keepdims=True)
                found = tuple(place[rows[done]] for place in places)
                yield _Candidates(found, grains, near & (best <= worst), squares)


@dataclass(frozen=True)
class _Candidates:
    """Grains that may own voxels of some blocks.

    `places` are the blocks, by their indices along x, y, z, `grains`, (blocks, K), rise
    in each block, `used` says which of them count, and `squares` are the squared
    distances along each axis, (blocks, K, edge).
    """

    places: tuple[np.ndarray, ...]
    grains: np.ndarray
    used: np.ndarray
    squares: list[np.ndarray]

    def owners(self, weights: np.ndarray) -> np.ndarray:
        """Grain of least power at each voxel, (blocks, edge, edge, edge)."""
        counts = self.used.sum(axis=1)
        # blocks with most candidates first: those that have a k-th are the first ones
        order = np.argsort(-counts, kind="stable")
        counts = counts[order]
        columns = np.nonzero(self.used[order])[1]
        starts = np.cumsum(counts) - counts
        edges = [table.shape[2] for table in self.squares]
        # y and z as one axis: loops over a few numbers are slow
        shape = (len(order), edges[0], edges[1] * edges[2])
        least = np.full(shape, np.inf)
        owner = np.empty(shape, dtype=np.int32)
        for k in range(counts.max(initial=0)):
            some = int(np.searchsorted(-counts, -k))
            rows, column = order[:some], columns[starts[:some] + k]
            g = self.grains[rows, column].astype(np.int32)
            Dx, Dy, Dz = (table[rows, column] for table in self.squares)
            along = Dx - weights[g][:, None]
            across = (Dy[:, :, None] + Dz[:, None]).reshape(some, 1, -1)
            power = along[:, :, None] + across
            # grains come in rising order: a tie stays with the lower
            less = power < least[:some]
            np.copyto(owner[:some], g[:, None, None], where=less)
            np.minimum(least[:some], power, out=least[:some])
        result = np.empty_like(owner)
        result[order] = owner
        return result.reshape(-1, *edges)


def _places(centres: list[np.ndarray], each: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Indices of some blocks at a time along x, y, z, for `each` grains of a block."""
    blocks = [len(c) for c in centres]
    count, step = int(np.prod(blocks)), max(1, COMPARED // each)
    for start in range(0, count, step):
        index = np.arange(start, min(start + step, count))
        yield np.unravel_index(index, blocks)


def nearest_image(offset: np.ndarray, edge: int | None) -> np.ndarray:
    """Offsets to the nearest image in a periodic box; without an edge as they are."""
    if edge is None:
        return offset
    return (offset + edge // 2) % edge - edge // 2
