"""Tangents of crystals: a matrix for each point."""

import numpy as np

from fftmech.kernels import tile
from fftmech.kernels.compiled import U, compiled
from fftmech.kernels.partwise import Part, PartwiseTangent
from fftmech.kernels.tile import CHUNK
from fftmech.kernels.tile import L as T

LOWER = np.tril_indices(6)
SYMMETRIC = np.zeros((6, 6), np.int64)
SYMMETRIC[LOWER] = range(21)
SYMMETRIC.T[LOWER] = range(21)
FULL = np.arange(36).reshape(6, 6)
"""Number of each entry of a tangent's matrix among those kept, 21 or 36."""


class CrystalTangent(PartwiseTangent):
    """A matrix for each point, applied in one pass.

    Parameters
    ----------
    kept
        Its entries, (21, n) or (36, n).
    index
        Which of them each entry is, (6, 6).
    threads
        Threads that share the points.
    """

    def __init__(self, kept: np.ndarray, index: np.ndarray, threads: int) -> None:
        super().__init__(threads)
        self.kept, self.index = kept, index

    def matrices(self) -> np.ndarray:
        """See `fftmech.materials.tangent.matrices`."""
        return self.kept[self.index].astype(float, copy=False)

    def _apply(self, part: Part, first: int, last: int) -> None:
        kept = self.kept.reshape(-1), self.kept.shape[1], self.index
        points = first - part.start, last - part.start
        _apply(*kept, part, *points, tile.new(12, part.strain.dtype))


@compiled
def _apply(kept, pitch, index, part, first, last, s):
    width = U(part.pitch)
    for i in range(U(first), U(last), U(CHUNK)):
        count = min(U(CHUNK), U(last) - i)
        tile.load(part.strain, width, i, count, s, U(0), U(6))
        for m in range(U(6)):
            d0, d1 = U(index[m, 0]) * U(pitch), U(index[m, 1]) * U(pitch)
            d2, d3 = U(index[m, 2]) * U(pitch), U(index[m, 3]) * U(pitch)
            d4, d5 = U(index[m, 4]) * U(pitch), U(index[m, 5]) * U(pitch)
            t, k = (U(6) + m) * T, U(part.start) + i
            for j in range(count):
                s[t + j] = (
                    kept[d0 + k + j] * s[j]
                    + kept[d1 + k + j] * s[T + j]
                    + kept[d2 + k + j] * s[U(2) * T + j]
                    + kept[d3 + k + j] * s[U(3) * T + j]
                    + kept[d4 + k + j] * s[U(4) * T + j]
                    + kept[d5 + k + j] * s[U(5) * T + j]
                )
        tile.store(s, U(6), U(6), count, part.out, width, i)
