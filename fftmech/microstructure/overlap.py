"""Overlap of the voxels of two resolutions of one box, in whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fftmech.microstructure.phase_map import slabs

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PIECES = 2**20
"""Pieces of voxels that are counted at a time, which bounds the memory."""


@dataclass(frozen=True)
class Overlap:
    """Pieces into which the faces of old and new voxels cut one axis.

    Along an axis that gets more voxels, or keeps them, there is one piece a new voxel:
    the old voxel at its centre. A piece lies in a `new` and an `old` voxel; its length,
    and twice the distance from the new voxel's centre to its own (`offset`), are in a
    unit common to the axis. `centre` is the old voxel at the centre of each new one;
    the upper where that is a face.
    """

    new: np.ndarray
    old: np.ndarray
    length: np.ndarray
    offset: np.ndarray
    centre: np.ndarray

    @classmethod
    def between(cls, n: int, m: int) -> Overlap:
        """Overlap of n old with m new voxels; the unit is 1/(n m) of the axis."""
        j = np.arange(m)
        centre = (2 * j + 1) * n // (2 * m)
        if m >= n:
            return cls(j, centre, np.ones_like(j), np.zeros_like(j), centre)
        cuts = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)
        low, high = cuts[:-1], cuts[1:]
        new = low // n
        return cls(new, low // m, high - low, low + high - (2 * new + 1) * n, centre)

    def part(self, start: int, stop: int) -> Overlap:
        """Pieces of the new voxels start to stop, numbered from start."""
        a, b = np.searchsorted(self.new, [start, stop])
        return Overlap(
            self.new[a:b] - start,
            self.old[a:b],
            self.length[a:b],
            self.offset[a:b],
            self.centre[start:stop],
        )


@dataclass(frozen=True)
class PhaseVolumes:
    """Volume of each phase in each new voxel of a slab.

    Overlap volumes are whole numbers, sparse (voxels, P), phases ascending in a row;
    `moments`, volume times offset along x, y, z, in the order of `volume.data`, are
    only there where asked for. `centre` is the phase at the centre of each voxel.
    """

    volume: csr_array
    moments: list[np.ndarray]
    centre: np.ndarray

    @property
    def phases(self) -> np.ndarray:
        """Number of phases in each voxel."""
        return np.diff(self.volume.indptr)

    def majority(self) -> np.ndarray:
        """Phase with the largest volume; a tie goes to the centre's, or the lowest."""
        start, ids, data = (
            self.volume.indptr[:-1],
            self.volume.indices,
            self.volume.data,
        )
        tied = data == np.repeat(np.maximum.reduceat(data, start), self.phases)
        beyond = np.iinfo(ids.dtype).max
        lowest = np.minimum.reduceat(np.where(tied, ids, beyond), start)
        tied &= ids == np.repeat(self.centre, self.phases)
        return np.where(np.logical_or.reduceat(tied, start), self.centre, lowest)

    def fractions(self, voxels: np.ndarray) -> csr_array:
        """Volume fractions of the phases in some of the voxels, sparse (voxels, P)."""
        volume = self.volume[voxels].astype(float)
        volume.data /= np.repeat(volume.sum(axis=1), np.diff(volume.indptr))
        return volume


def shared_volumes(
    phase: np.ndarray, shape: tuple[int, int, int], with_moments: bool = False
) -> Iterator[tuple[tuple[slice, slice], PhaseVolumes]]:
    """Yield volumes of phases in new voxels, some planes across x at a time.

    Of planes with too many pieces it is some rows along y, and always in C order.
    """
    from scipy.sparse import csr_array

    x, y, z = (Overlap.between(n, m) for n, m in zip(phase.shape, shape, strict=True))
    phases = int(phase.max()) + 1
    row = -(-len(x.new) // shape[0]) * -(-len(y.new) // shape[1]) * len(z.new)
    for part in _blocks(shape, max(1, PIECES // row)):
        (a, b), (c, d) = ((cut.start, cut.stop) for cut in part)
        pieces, made = (x.part(a, b), y.part(c, d), z), (b - a, d - c, shape[2])
        old, length, offset, centre = (
            np.ix_(*(getattr(piece, name) for piece in pieces))
            for name in ("old", "length", "offset", "centre")
        )
        new = np.ravel_multi_index(np.ix_(*(piece.new for piece in pieces)), made)
        index = (new.ravel(), phase[old].ravel())
        rows = made[0] * made[1] * made[2]

        def total(weight: np.ndarray, index=index, rows=rows) -> csr_array:
            matrix = csr_array((weight.ravel(), index), shape=(rows, phases))
            matrix.sum_duplicates()
            return matrix

        volume = length[0] * length[1] * length[2]
        moments = [total(volume * d).data for d in offset] if with_moments else []
        yield part, PhaseVolumes(total(volume), moments, phase[centre].ravel())


def _blocks(shape: tuple[int, int, int], rows: int) -> Iterator[tuple[slice, slice]]:
    """Planes across x and rows along y, about so many rows at a time, in C order."""
    for planes in slabs(shape[:2], voxels=rows):
        some = max(1, rows // (planes.stop - planes.start))
        for part in slabs(shape[1:2], voxels=some):
            yield planes, part
