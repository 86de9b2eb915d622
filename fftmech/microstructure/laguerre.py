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

BLOCK = 8
"""Voxels along the edge of a block that shares one list of candidate grains."""


@dataclass(frozen=True)
class Laguerre:
    """Grain of each voxel: argmin over g of |x - x_g|^2 - w_g, ties to the lowest g.

    Parameters
    ----------
    shape
        Voxels along x, y, z (cubic voxels).
    seeds
        Positions x_g in 1/1024 voxel, integers, shape (P, 3).
    periodic
        Whether distances are those of the nearest periodic image.
    stride
        Look at every stride-th voxel of each axis only: a coarse view of the same
        tessellation.
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
        phase = np.empty([len(table) for table in self.squares], dtype=np.int32)
        cuts = [range(0, n, BLOCK) for n in phase.shape]
        low, high = (
            [
                [bound(table[i : i + BLOCK], axis=0) for i in cut]
                for table, cut in zip(self.squares, cuts, strict=True)
            ]
            for bound in (np.min, np.max)
        )
        Dx, Dy, Dz = self.squares
        for a, i in enumerate(cuts[0]):
            for b, j in enumerate(cuts[1]):
                for c, k in enumerate(cuts[2]):
                    # a grain whose best in the block is worse than another's worst
                    # owns no voxel of it
                    nearest = low[0][a] + low[1][b] + low[2][c] - weights
                    farthest = high[0][a] + high[1][b] + high[2][c] - weights
                    near = np.flatnonzero(nearest <= farthest.min())
                    power = (
                        (Dx[i : i + BLOCK, near] - weights[near])[:, None, None]
                        + Dy[j : j + BLOCK, near][:, None]
                        + Dz[k : k + BLOCK, near]
                    )
                    block = np.s_[i : i + BLOCK, j : j + BLOCK, k : k + BLOCK]
                    phase[block] = near[power.argmin(axis=-1)]
        return phase

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
        squares = coo_array((grains, grains))
        for axis in range(3):
            planes = np.moveaxis(phase, axis, 0)
            pairs = [(planes[:-1], planes[1:])]
            if self.periodic:
                pairs.append((planes[-1:], planes[:1]))
            a = np.concatenate([left[left != right] for left, right in pairs])
            b = np.concatenate([right[left != right] for left, right in pairs])
            index = (np.concatenate([a, b]), np.concatenate([b, a]))
            faces = coo_array(
                (np.ones(2 * len(a)), index), shape=(grains, grains)
            ).tocsr()
            squares = squares + faces.multiply(faces)
        squares = squares.tocoo()
        a, b = squares.coords
        apart = np.zeros(len(a))
        for axis in range(3):
            gap = self.seeds[a, axis] - self.seeds[b, axis]
            apart += (self._nearest(gap, self.shape[axis]) / UNIT) ** 2
        # faces are stride^2 and volumes stride^3 voxels
        slope = np.sqrt(squares.data / apart) / (2 * self.stride)
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
