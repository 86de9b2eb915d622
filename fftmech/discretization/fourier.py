"""Moulinec and Suquet's discretization: trigonometric polynomials.

k_a = i xi_a / h_a, nodes and strain at voxel centres (Moulinec & Suquet 1998,
doi:10.1016/S0045-7825(97)00218-1).

Even grids. A frequency with a Nyquist component (|xi_a| = pi on an axis of even length)
has no derivative that is odd and real. Moulinec and Suquet's rule (1998)
takes G = C0^-1 there: the stress vanishes and the strain is free. Here the rule is part
of the discretization, so that every solver and every projection obeys it: on grids with
an even axis the unknown has six more components, a strain field n of which only Nyquist
frequencies count,

    strain(u, n) = sym(D u) + P n,        adjoint: s -> (D* s, P s),

with P the projection on Nyquist frequencies and D = 0 there. A consequence: a laminate
of an even number of voxels is not solved exactly by this scheme; an odd one is.
"""

from typing import Any

import numpy as np

from fftmech.backend import cpu_backend, gpu_backend, namespace
from fftmech.discretization.base import Discretization
from fftmech.grid import Grid
from fftmech.tensors import PAIRS


class Fourier(Discretization):
    """Spectral derivative, with the Nyquist rule on even grids."""

    name = "fourier"
    nodes = "centers"

    def symbol(self, grid: Grid, xp: Any = np) -> Any:
        """k_a = i xi_a / h_a, zero at Nyquist frequencies, (1, 3, *spectral_shape)."""
        k = xp.zeros((1, 3, *grid.spectral_shape), complex)
        for a, xi in enumerate(grid.angles(xp)):
            k[0, a] = 1j * xi / grid.h[a]
        k[:, :, self.nyquist(grid, xp)] = 0
        return k

    def nyquist(self, grid: Grid, xp: Any = np) -> Any:
        """Frequencies with a Nyquist component, boolean, grid.spectral_shape."""
        mask = xp.zeros(grid.spectral_shape, bool)
        for n, xi in zip(grid.shape, grid.angles(xp), strict=True):
            # the one frequency of an axis of one voxel is the mean, never Nyquist
            if n % 2 == 0:
                mask |= xp.abs(xi) > np.pi * (1 - 0.5 / n)
        return mask

    def unknowns(self, grid: Grid) -> int:
        """3 on odd grids; 9 where an axis is even (displacement, Nyquist strain)."""
        return 9 if any(n % 2 == 0 for n in grid.shape) else 3

    def derivative(self, f: Any, axis: int, grid: Grid, point: int = 0) -> Any:
        """D_a f by FFT, (..., x, y, z) -> (..., x, y, z)."""
        fft = _fft(f)
        spectrum = fft.rfftn(f)
        spectrum *= self.symbol(grid, fft.xp)[0, axis]
        return fft.irfftn(spectrum, grid.shape)

    def adjoint(self, f: Any, axis: int, grid: Grid, point: int = 0) -> Any:
        """D_a* f = -D_a f, the symbol being imaginary."""
        return -self.derivative(f, axis, grid)

    def gradient(self, u: Any, grid: Grid) -> Any:
        """D u: (*batch, c, x, y, z) -> (*batch, 1, c, 3, x, y, z)."""
        fft = _fft(u)
        spectrum = fft.rfftn(u)
        k = self.symbol(grid, fft.xp)[0].astype(spectrum.dtype)
        spectrum = spectrum[..., :, None, :, :, :] * k
        return fft.irfftn(spectrum, grid.shape)[..., None, :, :, :, :, :]

    def gradient_adjoint(self, t: Any, grid: Grid) -> Any:
        """D* t: (*batch, 1, c, 3, x, y, z) -> (*batch, c, x, y, z)."""
        fft = _fft(t)
        spectrum = fft.rfftn(t[..., 0, :, :, :, :, :])
        spectrum *= self.symbol(grid, fft.xp)[0].conj()
        return fft.irfftn(spectrum.sum(axis=-4), grid.shape)

    def strain(self, u: Any, grid: Grid) -> Any:
        """sym(D u) + P n of a displacement u, or of an unknown (u, n)."""
        fft = _fft(u)
        spectrum = fft.rfftn(u[..., :3, :, :, :])
        k = self._axes(grid, fft.xp, spectrum.dtype)
        shape = (*u.shape[:-4], 6, *grid.spectral_shape)
        strain = fft.xp.empty(shape, spectrum.dtype)
        for m, (i, j) in enumerate(PAIRS):
            strain[..., m, :, :, :] = k[i] * spectrum[..., j, :, :, :]
            if i != j:
                strain[..., m, :, :, :] += k[j] * spectrum[..., i, :, :, :]
                strain[..., m, :, :, :] *= 0.5**0.5
        extra = fft.rfftn(u[..., 3:, :, :, :]) if u.shape[-4] > 3 else None
        for planes in _nyquist_planes(grid):
            strain[planes] = 0 if extra is None else extra[planes]
        return fft.irfftn(strain, grid.shape)[..., None, :, :, :, :]

    def strain_adjoint(self, stress: Any, grid: Grid) -> Any:
        """(D* s, P s) where the unknown has nine components, D* s where three."""
        fft = _fft(stress)
        spectrum = fft.rfftn(stress[..., 0, :, :, :, :])
        k = self._axes(grid, fft.xp, spectrum.dtype)
        count = self.unknowns(grid)
        shape = (*spectrum.shape[:-4], count, *grid.spectral_shape)
        force = fft.xp.zeros(shape, spectrum.dtype)
        for m, (i, j) in enumerate(PAIRS):
            s = spectrum[..., m, :, :, :]
            if i == j:
                force[..., i, :, :, :] -= k[i] * s
            else:
                s = s * 0.5**0.5
                force[..., i, :, :, :] -= k[j] * s
                force[..., j, :, :, :] -= k[i] * s
        for planes in _nyquist_planes(grid):
            force[..., :3, :, :, :][planes] = 0
            force[..., 3:, :, :, :][planes] = spectrum[planes]
        return fft.irfftn(force, grid.shape)

    @staticmethod
    def _axes(grid: Grid, xp: Any, dtype: Any) -> list[Any]:
        """i xi_a / h_a of each axis, broadcastable over the spectrum."""
        angles = zip(grid.angles(xp), grid.h, strict=True)
        return [(1j * xi / h).astype(dtype) for xi, h in angles]


def _nyquist_planes(grid: Grid) -> list[tuple[Any, ...]]:
    """Index of the frequencies that are Nyquist along each axis of even length."""
    return [
        (..., n // 2, *(slice(None),) * (2 - axis))
        for axis, n in enumerate(grid.shape)
        if n % 2 == 0
    ]


def _fft(array: Any):
    return cpu_backend() if namespace(array) is np else gpu_backend()


FOURIER = Fourier()
