"""Laguerre tessellations (power diagrams) on the voxel grid, with prescribed volumes.

Positions are whole multiples of 1/1024 voxel and weights whole multiples of their
square, so squared distances are whole numbers far below 2^53: every comparison of
distances is exact. Fitted weights come from a sparse solve, whose last digits differ
between platforms: they are rounded to 1/64 voxel^2, far coarser than those digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

UNIT = 1024
"""Positions are counted in this many parts of a voxel."""

QUANTUM = UNIT**2 // 64
"""Fitted weights are multiples of this, 1/64 voxel^2."""

MANY = 256
"""Number of grains from which blocks of voxels are 8 wide instead of 4.

All voxels of a block have one list of candidate grains: small blocks have short lists,
but each block is compared with every grain.
"""

COMPARED = 2**16
"""Pairs of a block and a grain that are compared at a time, which bounds memory."""


@dataclass(frozen=True)
class Laguerre:
    """Grain of each voxel: argmin over g of |x - x_g|^2 - w_g, ties to the lowest g.

    Voxels are cubic. Positions x_g (`seeds`) are integers, (P, 3), in 1/1024 voxel;
    where periodic, distances are those of the nearest image. A `stride` looks at every
    stride-th voxel of each axis only: a coarse view of the same tessellation.
    """

    shape: tuple[int, int, int]
    seeds: np.ndarray
    periodic: bool = True
    stride: int = 1

    def offsets(self, axis: int) -> np.ndarray:
        """Voxel centre minus seed along one axis, in 1/1024 voxel, shape (n, P)."""
        n = self.shape[axis]
        centre = (2 * np.arange(0, n, self.stride) + 1) * (UNIT // 2)
        return self._nearest(centre[:, None] - self.seeds[:, axis], n)

    @cached_property
    def squares(self) -> list[np.ndarray]:
        """Squared offsets of the three axes, each (n, P); a distance is their sum."""
        return [self.offsets(axis).astype(float) ** 2 for axis in range(3)]

    def phase(self, weights: np.ndarray) -> np.ndarray:
        """Grain of each voxel, int32, for weights (P,) in (1/1024 voxel)^2."""
        voxels = [len(table) for table in self.squares]
        edges = [min(4 if len(weights) < MANY else 8, n) for n in voxels]
        # (blocks, edge, P) of whole blocks: the last voxel again fills the last one
        tables = [
            np.pad(table, ((0, -len(table) % edge), (0, 0)), "edge").reshape(
                -1, edge, len(weights)
            )
            for table, edge in zip(self.squares, edges, strict=True)
        ]
        low = [table.min(axis=1) for table in tables]
        high = [table.max(axis=1) for table in tables]
        blocks = [len(table) for table in tables]
        phase = np.empty((int(np.prod(blocks)), *edges), dtype=np.int32)
        some = max(1, COMPARED // len(weights))
        for start in range(0, len(phase), some):
            index = np.arange(start, min(start + some, len(phase)))
            x, y, z = places = np.unravel_index(index, blocks)
            nearest = low[0][x] + low[1][y] + low[2][z] - weights
            farthest = high[0][x] + high[1][y] + high[2][z] - weights
            # a grain whose best in the block is worse than another's worst owns no
            # voxel of it
            near = nearest <= farthest.min(axis=1, keepdims=True)
            phase[index] = _least(tables, places, near, weights)
        phase = phase.reshape(*blocks, *edges).transpose(0, 3, 1, 4, 2, 5)
        a, b, c = (n * edge for n, edge in zip(blocks, edges, strict=True))
        whole = phase.reshape(a, b, c)
        return np.ascontiguousarray(whole[: voxels[0], : voxels[1], : voxels[2]])

    def volumes(self, phase: np.ndarray) -> np.ndarray:
        """Voxels of each grain, shape (P,)."""
        return np.bincount(phase.ravel(), minlength=len(self.seeds))

    def sensitivity(self, phase: np.ndarray) -> csr_array:
        """Derivative of the volumes (voxels) by the weights (voxel^2), sparse (P, P).

        dV_a/dw_b = -A_ab / (2 |x_a - x_b|), a graph Laplacian (Kitagawa, Merigot and
        Thibert 2019, doi 10.4171/JEMS/889). The area A_ab is the root of the summed
        squares of the voxel faces between a and b counted along x, y and z. Where
        periodic images give a and b several faces, they count as one, between the
        nearest images.
        """
        from scipy.sparse import coo_array, csr_array, diags_array

        grains = len(self.seeds)
        pairs, squares = [], []
        for axis in range(3):
            planes = np.moveaxis(phase, axis, 0)
            faces = [(planes[:-1], planes[1:])]
            if self.periodic:
                faces.append((planes[-1:], planes[:1]))
            pair = np.concatenate(
                [
                    np.minimum(left, right, dtype=np.int64)[left != right] * grains
                    + np.maximum(left, right)[left != right]
                    for left, right in faces
                ]
            )
            pair, count = np.unique(pair, return_counts=True)
            pairs.append(pair)
            squares.append(count.astype(float) ** 2)
        pair, place = np.unique(np.concatenate(pairs), return_inverse=True)
        square = np.bincount(place, np.concatenate(squares), len(pair))
        a, b = np.divmod(pair, grains)
        a, b = np.concatenate([a, b]), np.concatenate([b, a])
        apart = np.zeros(len(a))
        for axis in range(3):
            gap = self.seeds[a, axis] - self.seeds[b, axis]
            apart += (self._nearest(gap, self.shape[axis]) / UNIT) ** 2
        # faces are stride^2 and volumes stride^3 voxels
        slope = np.sqrt(np.tile(square, 2) / apart) / (2 * self.stride)
        slopes = coo_array((slope, (a, b)), shape=(grains, grains)).tocsr()
        return csr_array(diags_array(slopes.sum(axis=1)) - slopes)

    def fit(
        self, fractions: np.ndarray, weights: np.ndarray, tolerance: float = 0.005
    ) -> np.ndarray:
        """Weights that give each grain its volume fraction, by damped Newton.

        A step is halved until no grain falls below half of the smallest volume seen
        or wanted and the error falls (Kitagawa et al. 2019). It ends where every
        volume is within `tolerance` or one voxel of its target, or where the steps of
        the voxel grid stop it.
        """
        from scipy.sparse import csc_array
        from scipy.sparse.linalg import spsolve

        phase = self.phase(weights)
        if self.volumes(phase).min() == 0:
            # a grain without faces has no sensitivity: start from Voronoi
            weights = np.zeros(len(weights))
            phase = self.phase(weights)
        target = fractions * phase.size
        volumes = self.volumes(phase)
        if volumes.min() == 0:
            return weights
        floor = min(volumes.min(), target.min()) / 2
        allowed = np.maximum(tolerance * target, 1.0)
        for _ in range(50):
            error = target - volumes
            if (np.abs(error) <= allowed).all():
                break
            step = np.zeros(len(weights))
            # weights count up to a constant: the first stays
            slope = csc_array(self.sensitivity(phase))[1:, 1:]
            step[1:] = np.asarray(spsolve(slope, error[1:]))
            for damping in (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125):
                trial = weights + QUANTUM * np.rint(damping * UNIT**2 / QUANTUM * step)
                phase = self.phase(trial)
                volumes = self.volumes(phase)
                better = np.linalg.norm(target - volumes) < np.linalg.norm(error)
                if volumes.min() >= floor and better:
                    weights = trial
                    break
            else:
                break
        return weights

    def centroids(self, phase: np.ndarray) -> np.ndarray:
        """Centroid of each grain (of the images nearest to its seed), (P, 3)."""
        volumes = self.volumes(phase)
        moved = np.empty_like(self.seeds)
        for axis, n in enumerate(self.shape):
            shape = [1, 1, 1]
            shape[axis] = -1
            row = np.arange(phase.shape[axis]).reshape(shape)
            offset = self.offsets(axis)[row, phase]
            total = np.bincount(phase.ravel(), offset.ravel(), len(self.seeds))
            mean = np.rint(total / np.maximum(volumes, 1)).astype(np.int64)
            moved[:, axis] = (self.seeds[:, axis] + mean) % (n * UNIT)
        return moved

    def _nearest(self, offset: np.ndarray, n: int) -> np.ndarray:
        if not self.periodic:
            return offset
        edge = n * UNIT
        return (offset + edge // 2) % edge - edge // 2


def _least(
    tables: list[np.ndarray],
    places: tuple[np.ndarray, ...],
    near: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Grain of least power at each voxel of some blocks, (blocks, edge, edge, edge).

    `tables` are squared offsets along each axis, (blocks along it, edge, P), `places`
    the block along each axis, for each of the blocks, and `near` says which grains may
    own voxels of each block, boolean (blocks, P).
    """
    counts = near.sum(axis=1)
    # blocks with most candidates first: those that have a k-th are the first ones
    order = np.argsort(-counts, kind="stable")
    counts = counts[order]
    grains = np.nonzero(near[order])[1].astype(np.int32)
    starts = np.cumsum(counts) - counts
    x, y, z = (place[order] for place in places)
    Dx, Dy, Dz = tables
    edges = [table.shape[1] for table in tables]
    # y and z as one axis: loops over a few numbers are slow
    shape = (len(order), edges[0], edges[1] * edges[2])
    least = np.full(shape, np.inf)
    owner = np.empty(shape, dtype=np.int32)
    for k in range(counts[0]):
        some = int(np.searchsorted(-counts, -k))
        g = grains[starts[:some] + k]
        across = Dy[y[:some], :, g][:, :, None] + Dz[z[:some], :, g][:, None]
        along = Dx[x[:some], :, g] - weights[g][:, None]
        power = along[:, :, None] + across.reshape(some, 1, -1)
        # grains come in rising order: a tie stays with the lower
        less = power < least[:some]
        np.copyto(owner[:some], g[:, None, None], where=less)
        np.minimum(least[:some], power, out=least[:some])
    result = np.empty_like(owner)
    result[order] = owner
    return result.reshape(-1, *edges)
