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
from fftmech.discretization.base import Discretization, full, symmetrize
from fftmech.grid import Grid


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
        strain = symmetrize(self.gradient(u[..., :3, :, :, :], grid))
        if u.shape[-4] > 3:
            strain[..., 0, :, :, :, :] += self._project(u[..., 3:, :, :, :], grid)
        return strain

    def strain_adjoint(self, stress: Any, grid: Grid) -> Any:
        """(D* s, P s) where the unknown has nine components, D* s where three."""
        force = self.gradient_adjoint(full(stress), grid)
        if self.unknowns(grid) == 3:
            return force
        nyquist = self._project(stress[..., 0, :, :, :, :], grid)
        return namespace(stress).concatenate([force, nyquist], axis=-4)

    def _project(self, f: Any, grid: Grid) -> Any:
        """P f: what f has at Nyquist frequencies."""
        fft = _fft(f)
        return fft.irfftn(fft.rfftn(f) * self.nyquist(grid, fft.xp), grid.shape)


def _fft(array: Any):
    return cpu_backend() if namespace(array) is np else gpu_backend()


FOURIER = Fourier()
