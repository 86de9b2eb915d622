"""What all kernels on the host share: threads, blocks of the grid, vectors."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, Self

import numpy as np

from fftmech.arrays.backend import BlockTransform
from fftmech.arrays.threads import THREADED, parallel
from fftmech.discretization.grid import Grid
from fftmech.kernels import vectors

# Bytes of planes or rows that are transformed at once: part of the second-level cache.
BLOCK_BYTES = 2**18

DOT_PARTS = 64

FieldPlanes = Callable[[slice], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Voxel averages of planes across z, strain, stress and energy density."""

# A grid that threads share is cut into at least so many blocks, if it has the planes.
MOST_THREADS = 16


class HostKernels(ABC):
    """Vectors and constants of one body, and its grid shared out to threads.

    Parameters
    ----------
    grid
        Voxels, with axes in the order that kernels work in.
    phase, stiffness, eigenstrain
        As in `fftmech.kernels.get_kernels`.
    transform
        FFTs block by block.
    threads
        Threads that share the work.
    """

    def __init__(
        self,
        grid: Grid,
        phase: np.ndarray,
        stiffness: np.ndarray,
        eigenstrain: np.ndarray | None,
        transform: BlockTransform,
        threads: int,
    ) -> None:
        self._grid = grid
        # one type, so that each kernel is compiled once
        self._shape, self._phase = phase.shape, phase.reshape(-1)
        self._phase = self._phase.astype(np.int32, copy=False)
        self._stiffness, self._eigenstrain = stiffness, eigenstrain
        self._tables: dict[Any, np.ndarray] = {}
        self._transform = transform
        self._threads = threads
        self.release()

    def release(self) -> None:
        """See `fftmech.kernels.Coordinates`."""
        self._work: dict[Any, Any] = {}
        self._spectrum = None

    def twin(self, threads: int | None = None) -> Self:
        """See `fftmech.kernels.Kernels`."""
        other = copy(self)
        other.release()
        if threads is not None:
            other._threads = min(threads, self._threads)
        return other

    @abstractmethod
    def _constants(
        self, stiffness: np.ndarray, eigenstrain: np.ndarray | None = None
    ) -> np.ndarray:
        """Constants by phase as `_apply` reads them."""

    @abstractmethod
    def _apply(
        self, u: np.ndarray, E: np.ndarray, out: np.ndarray, table: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """`apply` with constants by phase."""

    def apply(
        self, u: np.ndarray, E: np.ndarray, out: np.ndarray, total: bool = False
    ) -> tuple[np.ndarray, float]:
        """out <- D* s; the mean stress, and <u, out>."""
        return self._apply(u, E, out, self._table(total, u.dtype))

    def quadratic(self, u: np.ndarray, E: np.ndarray, matrices: np.ndarray) -> float:
        """<e : G : e> for G by phase, Mandel (P, 6, 6), and e = E + sym(D u)."""
        table = self._constants(matrices).astype(u.dtype)
        mean, work = self._apply(u, E, self.transient(u.size, u.dtype), table)
        return float(mean @ E) + work

    @abstractmethod
    def field_planes(self, u: np.ndarray, E: np.ndarray) -> FieldPlanes:
        """See `fftmech.kernels.Kernels`."""

    def transient(self, size: int, dtype: Any) -> np.ndarray:
        """See `fftmech.kernels.Kernels`."""
        return np.empty(size, dtype)

    def _own_planes(self, part: slice) -> tuple[tuple[int, int], tuple[int, int, int]]:
        """Ends of planes across z in the kernels' order of axes, and the shape."""
        first, last, _ = part.indices(self._shape[2])
        shape = *self._shape[:2], last - first
        plane = self._shape[2] == 1
        return ((0, self._shape[1]) if plane else (first, last)), shape

    def dot(self, a: np.ndarray, b: np.ndarray) -> float:
        """<a, b>."""
        # parts that do not depend on the number of threads, and so neither does the sum
        count = max(1, min(DOT_PARTS, a.size))
        edges = [a.size * i // count for i in range(count + 1)]
        sums = np.zeros(count)

        def parts(first: int, last: int) -> None:
            for i in range(first, last):
                part = slice(edges[i], edges[i + 1])
                sums[i] = vectors.dot(a[part], b[part])

        parallel(parts, count, self._threads)
        return float(sums.sum()) / self._grid.voxels

    def add(self, v: np.ndarray, alpha: float, p: np.ndarray) -> None:
        """v <- v + alpha p."""
        alpha = v.dtype.type(-alpha)

        def part(first: int, last: int) -> None:
            vectors.subtract(v[first:last], alpha, p[first:last])

        parallel(part, v.size, self._threads)

    def _table(self, total: bool, dtype: np.dtype) -> np.ndarray:
        """Constants by phase, with C e0 if `total`."""
        eigenstrain = self._eigenstrain if total else None
        key = eigenstrain is not None, dtype
        if key not in self._tables:
            table = self._constants(self._stiffness, eigenstrain)
            self._tables[key] = table.astype(dtype)
        return self._tables[key]

    def _half_spectrum(self, dtype: np.dtype, components: int = 3) -> np.ndarray:
        complex_type = np.result_type(dtype, np.complex64)
        if self._spectrum is None or self._spectrum.dtype != complex_type:
            self._spectrum = None  # its memory, before it is taken again
            shape = (components, *self._grid.spectral_shape)
            self._spectrum = np.empty(shape, complex_type)
        return self._spectrum

    def _each_block(
        self, count: int, size: int, work: Callable[[Iterator[slice]], None]
    ) -> None:
        """Share out blocks of range(count), an entry of `size` bytes, to the threads.

        Blocks do not depend on the number of threads, and so neither does rounding.
        """
        step = max(1, BLOCK_BYTES // size)
        if 3 * self._grid.voxels >= THREADED:
            step = max(1, min(step, -(-count // MOST_THREADS)))
        edges = [*range(0, count, step), count]

        def part(first: int, last: int) -> None:
            work(slice(edges[i], edges[i + 1]) for i in range(first, last))

        parallel(part, len(edges) - 1, self._threads)
