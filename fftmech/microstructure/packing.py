"""Random sequential adsorption of voxel bodies into a periodic box."""

import numpy as np

from fftmech.discretization.grid import Grid

TOUCHING = np.ones((3, 3, 3), dtype=bool)
"""A voxel touches those that share a face, an edge or a corner with it."""


class Packing:
    """Bodies placed one after another, a gap of at least one voxel between any two.

    No body touches another, nor itself through the periodic box.
    """

    def __init__(self, grid: Grid) -> None:
        self.filled = np.zeros(grid.shape, dtype=bool)
        self.voxels = 0
        self._near = np.zeros(grid.shape, dtype=bool)

    def free(self, voxels: np.ndarray) -> np.ndarray:
        """Whether voxels (..., 3) are neither filled nor touching one that is."""
        return ~self._near[voxels[..., 0], voxels[..., 1], voxels[..., 2]]

    def place(self, body: np.ndarray, corner: np.ndarray) -> bool:
        """Fill the voxels of a body if they keep the gap, and say whether.

        The body is boolean, in a small box whose first voxel lies at `corner`.
        """
        from scipy.ndimage import binary_dilation

        if not body.any():
            return False
        shape = np.array(self.filled.shape)
        used = np.argwhere(body)
        first, last = used.min(axis=0), used.max(axis=0)
        if ((last - first + 2 > shape) & (shape > 1)).any():
            return False
        places = tuple(((used + corner) % shape).T)
        if self._near[places].any():
            return False
        self.filled[places] = True
        self.voxels += len(used)
        halo = np.argwhere(binary_dilation(np.pad(body, 1), TOUCHING)) + corner - 1
        self._near[tuple((halo % shape).T)] = True
        return True
