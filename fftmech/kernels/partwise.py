"""Tangents that kernels apply part by part."""

from abc import ABC, abstractmethod

import numpy as np

from fftmech.arrays.threads import parallel


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
        out = np.empty_like(strain)

        def part(first: int, last: int) -> None:
            self._apply(strain, 0, out, first, last)

        parallel(part, strain.shape[1], self._threads)
        return out

    def apply_part(self, strain: np.ndarray, start: int, out: np.ndarray) -> None:
        """See `fftmech.kernels.points.PartialTangent`; arrays are contiguous."""
        # on this thread: one of the pool that waited for the pool would wait forever
        self._apply(strain, start, out, start, start + strain.shape[1])

    @abstractmethod
    def _apply(
        self, strain: np.ndarray, start: int, out: np.ndarray, first: int, last: int
    ) -> None:
        """Write ds of the points first..last; strain and out begin at point `start`."""
