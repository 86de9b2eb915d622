"""Tiles: a few hundred points, component by component, copied into the cache.

Rows of a tile have a constant pitch: the compiler sees that they do not overlap, which
it cannot see of the components of a field, and uses SIMD.
"""

from typing import Any

import numpy as np

from fftmech.kernels.compiled import U, inlined

CHUNK = 256
"""Points of a tile."""

BLOCK = 16
"""Points that one loop of a law takes: past the end of a run if need be."""

# 17 lines of 64 bytes: rows of floats start in different sets of the cache.
L = U(CHUNK + BLOCK)


def new(rows: int, dtype: Any) -> np.ndarray:
    """Scratch of one thread: points past the end are zero, and so harmless."""
    return np.zeros(rows * int(L), dtype)


@inlined
def load(field, pitch, first, count, tile, row, rows):
    """Rows of the tile <- points of a field whose components are `pitch` apart."""
    for m in range(rows):
        i, t = m * pitch + first, (row + m) * L
        for j in range(count):
            tile[t + j] = field[i + j]


@inlined
def store(tile, row, rows, count, field, pitch, first):
    """Points of a field <- rows of the tile."""
    for m in range(rows):
        i, t = m * pitch + first, (row + m) * L
        for j in range(count):
            field[i + j] = tile[t + j]
