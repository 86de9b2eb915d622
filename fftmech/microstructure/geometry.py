"""Geometry of a body, of which any planes can be made without the others.

A generator first finds out where things are: seeds of grains, places of pores. From
these few numbers each voxel follows by itself, so that a body is made some planes at a
time, and that each process of a parallel run can make its own.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.phase_map import slabs, smallest

Slab = tuple[int, int]
"""First plane across x, and the one after the last."""


class Geometry(ABC):
    """Which phase is where in a box of `shape` voxels.

    Attributes
    ----------
    shape
        Voxels along x, y, z.
    phases
        Phase ids are below this.
    chunk
        Planes that are best made together.
    """

    shape: tuple[int, int, int]
    phases: int = 2
    chunk: int = 1

    @abstractmethod
    def planes(self, first: int, last: int) -> np.ndarray:
        """Phase ids of the planes `first` to `last` - 1 across x, (planes, ny, nz)."""

    def rasterise(self, slab: Slab | None = None) -> np.ndarray:
        """Phase map of a slab, of the whole box by default, in the smallest type.

        Memory beyond the map is that of a few planes.
        """
        first, last = slab or (0, self.shape[0])
        phase = np.empty((last - first, *self.shape[1:]), smallest(self.phases - 1))
        for part in slabs(phase.shape, self.chunk):
            phase[part] = self.planes(first + part.start, first + part.stop)
        return phase

    def fractions(self) -> np.ndarray:
        """Volume fraction of each phase id, (phases,)."""
        total = np.zeros(self.phases, dtype=np.int64)
        for part in slabs(self.shape, self.chunk):
            ids = self.planes(part.start, part.stop)
            total += np.bincount(ids.ravel(), minlength=self.phases)
        return total / np.prod(self.shape, dtype=float)

    def microstructure(
        self, grid: Grid, slab: Slab | None = None, **tables: Any
    ) -> Microstructure:
        """Microstructure of a slab, at its place, of the whole box by default.

        `grid` is that of the whole box, `tables` are those of `Microstructure`.
        """
        if slab is not None:
            first, last = slab
            if not 0 <= first < last <= grid.shape[0]:
                raise InputError(
                    f"slab {slab}", f"0 <= first < last <= {grid.shape[0]} planes"
                )
            corner = grid.origin[0] + first * grid.h[0]
            shape = (last - first, *grid.shape[1:])
            grid = Grid(shape, grid.spacing, (corner, *grid.origin[1:]))
        return Microstructure(grid, self.rasterise(slab), **tables)
