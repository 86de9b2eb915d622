"""Kernels of a body that processes share: each has a slab of planes across x.

A vector has a plane of the neighbours on either side of the own ones, brought in before
derivatives are taken; then the operators of one process do as they are. Spectra are
turned from planes to rows, and back, by one message from each process to each (Dalcin,
Mortensen and Keyes 2019, doi:10.1016/j.jpdc.2019.02.006).
"""

from math import prod
from typing import Any

import numpy as np

from fftmech.arrays.backend import BlockTransform
from fftmech.arrays.ranks import Processes
from fftmech.kernels.cpu import CpuKernels
from fftmech.kernels.tables import Frame


class ProcessKernels(CpuKernels):
    """Fused operators of the planes of one process: see `fftmech.kernels.Kernels`.

    Vectors are coordinates: nodal values of the own planes and of one on either side.

    Parameters
    ----------
    phase
        Phase ids of the own planes.
    ranks
        The processes. All call the same functions in the same order.
    """

    def __init__(
        self,
        frame: Frame,
        phase: np.ndarray,
        stiffness: np.ndarray,
        eigenstrain: np.ndarray | None,
        reference: tuple[float, float],
        transform: BlockTransform,
        threads: int,
        ranks: Processes,
    ) -> None:
        # one type, for the ids that each process has may fit into others
        phase = phase.astype(np.int32, copy=False)
        padded = ranks.padded(phase, frame.grid.shape[0])
        body = padded, stiffness, eigenstrain
        super().__init__(frame, *body, reference, transform, threads)
        self._ranks = self._processes = ranks
        self._extent = (len(padded), *frame.grid.shape[1:])
        self._own = slice(1, len(padded) - 1)
        self.size = 3 * padded.size

    @property
    def coordinates(self) -> "ProcessKernels":
        """See `fftmech.kernels.Kernels`."""
        return self

    def to_nodes(self, c: np.ndarray, components: int = 3) -> np.ndarray:
        """See `fftmech.kernels.Coordinates`: the own planes."""
        return c.reshape(3, *self._shape)[:components, self._own]

    def from_nodes(self, f: np.ndarray) -> np.ndarray:
        """See `fftmech.kernels.Coordinates`."""
        c = np.zeros(self.size, f.dtype)
        self.to_nodes(c)[...] = f
        return c

    def dot(self, a: np.ndarray, b: np.ndarray) -> float:
        """<a, b>."""
        parts = zip(self._nodal(a), self._nodal(b), strict=True)
        return self._ranks.sum(
            sum(super(ProcessKernels, self).dot(x.ravel(), y.ravel()) for x, y in parts)
        )

    def transient(self, size: int, dtype: Any) -> np.ndarray:
        """See `fftmech.kernels.Kernels`."""
        self._half_spectrum(np.dtype(dtype))
        return self._memory.view(dtype)[:size]

    def release(self) -> None:
        super().release()
        self._memory = self._rows = np.empty(0)

    def _refresh(self, u: np.ndarray) -> None:
        shape = 3, *self._extent
        self._processes.exchange(u.reshape(shape), self._frame.grid.shape[0])

    def _half_spectrum(self, dtype: np.dtype, components: int = 3) -> np.ndarray:
        complex_type = np.result_type(dtype, np.complex64)
        if self._spectrum is None or self._spectrum.dtype != complex_type:
            self.release()  # its memory, before it is taken again
            nx, ny, nz = self._frame.grid.spectral_shape
            own = self._own.stop - self._own.start
            y = self._processes.planes(ny)
            shape = components, own, ny, nz
            # with room for a vector: see `transient`
            self._memory = np.empty(max(prod(shape), self.size // 2 + 6), complex_type)
            self._spectrum = self._memory[: prod(shape)].reshape(shape)
            rows = components, nx, y.stop - y.start, nz
            self._rows = np.empty(rows, complex_type)
        return self._spectrum

    def _to_rows(self, planes: np.ndarray) -> tuple[np.ndarray, slice]:
        self._processes.transpose(planes, self._rows)
        return self._rows, self._processes.planes(planes.shape[2])

    def _to_planes(self, planes: np.ndarray) -> None:
        self._processes.transpose(planes, self._rows, back=True)
