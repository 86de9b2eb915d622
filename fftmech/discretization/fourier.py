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

from functools import lru_cache
from typing import Any

import numpy as np

from fftmech.arrays.backend import (
    Backend,
    backend_of,
    is_tensor,
    namespace,
    torch_backend,
)
from fftmech.discretization.base import Discretization, inc
from fftmech.discretization.grid import Grid
from fftmech.tensors import PAIRS
from fftmech.tensors.fields import full


class Fourier(Discretization):
    """Spectral derivative, with the Nyquist rule on even grids.

    FFTs are those of `backend`; of all processors, or of torch, if None.
    """

    name = "fourier"
    nodes = "centers"

    def __init__(self, backend: Backend | None = None) -> None:
        self._backend = backend

    def on(self, backend: Backend) -> "Fourier":
        """The scheme with the FFTs of a backend, for arrays of its library."""
        return Fourier(backend)

    def _fft(self, array: Any) -> Backend:
        return self._backend or backend_of(array)

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
        fft = self._fft(f)
        spectrum = fft.rfftn(f)
        spectrum *= self._k(grid, spectrum)[axis]
        return fft.irfftn(spectrum, grid.shape)

    def adjoint(self, f: Any, axis: int, grid: Grid, point: int = 0) -> Any:
        """D_a* f = -D_a f, the symbol being imaginary."""
        return -self.derivative(f, axis, grid)

    def gradient(self, u: Any, grid: Grid) -> Any:
        """D u: (*batch, c, x, y, z) -> (*batch, 1, c, 3, x, y, z)."""
        fft = self._fft(u)
        spectrum = fft.rfftn(u)
        k = self._k(grid, spectrum)
        k = k if is_tensor(k) else k.astype(spectrum.dtype)
        spectrum = spectrum[..., :, None, :, :, :] * k
        return fft.irfftn(spectrum, grid.shape)[..., None, :, :, :, :, :]

    def gradient_adjoint(self, t: Any, grid: Grid) -> Any:
        """D* t: (*batch, 1, c, 3, x, y, z) -> (*batch, c, x, y, z)."""
        fft = self._fft(t)
        spectrum = fft.rfftn(t[..., 0, :, :, :, :, :])
        spectrum *= self._k(grid, spectrum).conj()
        return fft.irfftn(spectrum.sum(axis=-4), grid.shape)

    def strain(self, u: Any, grid: Grid) -> Any:
        """sym(D u) + P n of a displacement u, or of an unknown (u, n)."""
        fft = self._fft(u)
        spectrum = fft.rfftn(u[..., :3, :, :, :])
        if is_tensor(u):
            strain = self._strain_spectrum(spectrum, grid)
            if u.shape[-4] > 3:
                extra = fft.rfftn(u[..., 3:, :, :, :])
                strain = strain + _nyquist_filter(grid, u.dtype, u.device) * extra
            return fft.irfftn(strain, grid.shape)[..., None, :, :, :, :]
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
        fft = self._fft(stress)
        spectrum = fft.rfftn(stress[..., 0, :, :, :, :])
        if is_tensor(stress):
            k = self._k(grid, spectrum)
            rows = full(spectrum).unbind(-5)
            parts = [-(k * row).sum(-4) for row in rows]
            force = fft.xp.stack(parts, -4)
            if self.unknowns(grid) > 3:
                nyquist = _nyquist_filter(grid, stress.dtype, stress.device)
                force = fft.xp.cat([force, nyquist * spectrum], -4)
            return fft.irfftn(force, grid.shape)
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

    def _inc(self, field: Any, grid: Grid, adjoint: bool) -> Any:
        if not is_tensor(field):
            D = self.adjoint if adjoint else self.derivative
            return inc(lambda f, k, m: D(D(f, m, grid), k, grid), field)
        # with D or with D*: two imaginary symbols change their signs together
        fft = self._fft(field)
        spectrum = fft.rfftn(field)
        xi = self._k(grid, spectrum).imag
        result = inc(lambda f, k, m: -xi[k] * xi[m] * f, spectrum)
        return fft.irfftn(result, grid.shape)

    def _strain_spectrum(self, u: Any, grid: Grid) -> Any:
        """sym(k u) of the transform of a displacement, a tensor."""
        k, u = self._k(grid, u), u.unbind(-4)
        parts = [
            k[i] * u[j] if i == j else (k[i] * u[j] + k[j] * u[i]) * 0.5**0.5
            for i, j in PAIRS
        ]
        return namespace(k).stack(parts, -4)

    def _k(self, grid: Grid, spectrum: Any) -> Any:
        """The symbol, (3, *spectral_shape), in the array library of a spectrum."""
        if is_tensor(spectrum):
            return _tensor_symbol(grid, spectrum.dtype, spectrum.device)
        return self.symbol(grid, namespace(spectrum))[0]

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


@lru_cache(maxsize=4)
def _tensor_symbol(grid: Grid, dtype: Any, device: Any) -> Any:
    return _constant(FOURIER.symbol(grid)[0], dtype, device)


@lru_cache(maxsize=4)
def _nyquist_filter(grid: Grid, dtype: Any, device: Any) -> Any:
    """1 at frequencies with a Nyquist component, else 0."""
    return _constant(FOURIER.nyquist(grid), dtype, device)


def _constant(array: np.ndarray, dtype: Any, device: Any) -> Any:
    """A tensor that may be kept: not one of inference mode, useless in training."""
    torch = torch_backend().xp
    with torch.inference_mode(False):
        return torch.as_tensor(array, dtype=dtype, device=device)


FOURIER = Fourier()
