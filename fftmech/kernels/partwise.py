"""Laws and their tangents, a part of the points at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels import tile
from fftmech.materials.base import Response, StrainStep


class Points(NamedTuple):
    """What a compiled law reads and writes; fields are flat, component by component."""

    rows: np.ndarray  # of each point in the table of constants, (n,), int32
    strain: np.ndarray  # (c n)
    stress: np.ndarray  # (c n)
    kept: np.ndarray  # what the tangent needs, (k n); empty if there will be none


class Part(NamedTuple):
    """Strains that a compiled tangent is applied to, flat, component by component."""

    strain: np.ndarray  # (c pitch)
    out: np.ndarray  # (c pitch)
    pitch: int  # points in them
    start: int  # number of the first of these among all points of the tangent


class PartwiseTangent(ABC):
    """`fftmech.materials.base.Tangent` of a kernel.

    Parameters
    ----------
    threads
        Threads that share the points.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def apply(self, strain: np.ndarray) -> np.ndarray:
        """ds of de, (c, n)."""
        strain = np.ascontiguousarray(strain)
        out, count = np.empty_like(strain), strain.shape[1]
        whole = Part(strain.reshape(-1), out.reshape(-1), count, 0)
        parallel(lambda *points: self._apply(whole, *points), count, self._threads)
        return out

    def apply_part(self, strain: np.ndarray, start: int, out: np.ndarray) -> None:
        """See `fftmech.kernels.points.PartialTangent`; arrays are contiguous."""
        count = strain.shape[1]
        # on this thread: one of the pool that waited for the pool would wait forever
        part = Part(strain.reshape(-1), out.reshape(-1), count, start)
        self._apply(part, start, start + count)

    @abstractmethod
    def _apply(self, part: Part, first: int, last: int) -> None:
        """Write ds of the points first..last."""


def respond(
    kernel: Any,
    step: StrainStep,
    table: np.ndarray,
    sizes: tuple[int, int],
    tangent: Callable[[np.ndarray, np.ndarray], PartwiseTangent],
    threads: int,
) -> Response:
    """Evaluate a law without internal variables, in tiles of points.

    Parameters
    ----------
    kernel
        Compiled `kernel(points, table, first, last, tile)`.
    table
        Constants of each row, in the precision of the strain.
    sizes
        Numbers that are kept of each point, rows of a tile.
    tangent
        Makes the tangent of rows, (n,), and what is kept, (k, n).
    threads
        Threads that share the points.
    """
    rows = np.ascontiguousarray(step.rows, np.int32)
    strain = np.ascontiguousarray(step.strain)
    table = np.ascontiguousarray(table)  # compiled for one order of its entries
    stress = np.empty_like(strain)
    wanted = step.precision is not None
    kept = np.empty(
        (sizes[0], len(rows) if wanted else 0), step.precision or strain.dtype
    )
    points = Points(rows, strain.reshape(-1), stress.reshape(-1), kept.reshape(-1))

    def part(first: int, last: int) -> None:
        kernel(points, table, first, last, tile.new(sizes[1], strain.dtype))

    parallel(part, len(rows), threads)
    return Response(stress, step.state, tangent(rows, kept) if wanted else None)
