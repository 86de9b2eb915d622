"""Laguerre tessellations (power diagrams) on the voxel grid, with prescribed volumes.

Fitted weights come from a sparse solve, whose last digits differ between platforms:
they are rounded to 1/64 voxel^2, far coarser than those digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fftmech.microstructure.phase_map import counts, slabs
from fftmech.microstructure.tessellation import UNIT, Tessellation, nearest_image

if TYPE_CHECKING:
    from scipy.sparse import csr_array

QUANTUM = UNIT**2 // 64
"""Fitted weights are multiples of this, 1/64 voxel^2."""

DIRECT = 3000
"""Grains up to which Newton steps are solved for directly, which is then faster."""


@dataclass(frozen=True)
class Laguerre:
    """Tessellations of all weights around the same positions.

    Positions (`seeds`), `periodic` and `stride`, a coarse view of the same
    tessellation, are as in `Tessellation`.
    """

    shape: tuple[int, int, int]
    seeds: np.ndarray
    periodic: tuple[bool, bool, bool] = (True, True, True)
    stride: int = 1

    def tessellation(self, weights: np.ndarray) -> Tessellation:
        """Tessellation of weights (P,) in (1/1024 voxel)^2."""
        return Tessellation(self.shape, self.seeds, weights, self.periodic, self.stride)

    def phase(self, weights: np.ndarray) -> np.ndarray:
        """Grain of each voxel for weights (P,) in (1/1024 voxel)^2."""
        return self.tessellation(weights).rasterise()

    def volumes(self, phase: np.ndarray) -> np.ndarray:
        """Voxels of each grain, shape (P,)."""
        return counts(phase, len(self.seeds))

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
            pair, count = self._faces(phase, axis)
            pairs.append(pair)
            squares.append(count.astype(float) ** 2)
        pair, place = np.unique(np.concatenate(pairs), return_inverse=True)
        square = np.bincount(place, np.concatenate(squares), len(pair))
        a, b = np.divmod(pair, grains)
        a, b = np.concatenate([a, b]), np.concatenate([b, a])
        apart = np.zeros(len(a))
        for axis in range(3):
            gap = self.seeds[a, axis] - self.seeds[b, axis]
            apart += (nearest_image(gap, self._edge(axis)) / UNIT) ** 2
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
            step = _solved(self.sensitivity(phase), error)
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
        total = np.zeros(self.seeds.shape)
        for part in slabs(phase.shape):
            ids = phase[part]
            for axis, n in enumerate(self.shape):
                centre = (2 * np.arange(0, n, self.stride) + 1) * (UNIT // 2)
                centre = centre[part] if axis == 0 else centre
                centre = centre.reshape([-1 if a == axis else 1 for a in range(3)])
                offset = nearest_image(
                    centre - self.seeds[:, axis][ids], self._edge(axis)
                )
                # sums of whole numbers, in whatever order
                total[:, axis] += np.bincount(
                    ids.ravel(), offset.ravel(), len(self.seeds)
                )
        volumes = np.maximum(self.volumes(phase), 1)[:, None]
        moved = np.rint(total / volumes).astype(np.int64)
        return (self.seeds + moved) % (np.array(self.shape) * UNIT)

    def _faces(self, phase: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of grains that meet across an axis, as one number, and their faces."""
        grains, n = len(self.seeds), len(phase)
        again = int(self.periodic[axis])
        pairs, faces = [], []
        for part in slabs(phase.shape):
            here = phase[part]
            if axis == 0:
                # with the plane after the slab, of which the first is that of the box
                after = slice(part.stop, part.stop + 1)
                after = phase[after] if part.stop < n else phase[:again]
                along = np.concatenate([here, after])
            else:
                along = np.moveaxis(here, axis, 0)
                along = np.concatenate([along, along[:again]])
            left, right = along[:-1], along[1:]
            apart = left != right
            a, b = left[apart].astype(np.int64), right[apart]
            pair = np.minimum(a, b) * grains + np.maximum(a, b)
            pair, count = np.unique(pair, return_counts=True)
            pairs.append(pair)
            faces.append(count)
        pair, place = np.unique(np.concatenate(pairs), return_inverse=True)
        return pair, np.bincount(place, np.concatenate(faces), len(pair))

    def _edge(self, axis: int) -> int | None:
        return self.shape[axis] * UNIT if self.periodic[axis] else None


def _solved(slope: csr_array, error: np.ndarray) -> np.ndarray:
    """Change of the weights (voxel^2) that changes the volumes by `error`.

    Weights count up to a constant: the first stays.
    """
    from scipy.sparse import csc_array, diags_array
    from scipy.sparse.linalg import cg, spsolve

    step = np.zeros(len(error))
    if len(error) <= DIRECT:
        step[1:] = np.asarray(spsolve(csc_array(slope)[1:, 1:], error[1:]))
        return step
    diagonal = slope.diagonal()
    step, _ = cg(slope, error, rtol=1e-10, M=diags_array(1 / diagonal))
    return step - step[0]
