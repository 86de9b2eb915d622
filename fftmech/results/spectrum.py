"""Radially averaged power spectra of fields on a periodic grid."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import cpu_backend, gpu_backend, namespace, to_numpy
from fftmech.discretization.grid import Grid


@dataclass(frozen=True)
class Spectrum:
    """Power of a field by shell of wavenumbers.

    Each of S shells has a centre (cycles per length) and a number of modes, (S,), and
    the mean of |f(k)|^2 over its modes, (..., S), where f(k) is the transform divided
    by the number of voxels (field units squared).
    """

    wavenumber: np.ndarray
    power: np.ndarray
    counts: np.ndarray


def power_spectrum(field: Any, grid: Grid) -> Spectrum:
    """Radially averaged power spectrum of a field (..., x, y, z) without its mean.

    Shell n >= 1 holds the modes with n - 1/2 <= |k|/dk < n + 1/2, where k_a is in
    cycles per length and dk = 1/(longest edge of the box), so that shells of one box
    agree at every resolution and are spheres whatever the shape of box and voxel. All
    modes of the grid are in some shell; beyond the Nyquist frequency 1/(2 h) shells are
    incomplete. Shells without modes are left out.
    """
    xp = namespace(field)
    fft = cpu_backend() if xp is np else gpu_backend()
    fluctuation = field - field.mean(axis=(-3, -2, -1), keepdims=True)
    modes = fft.rfftn(fluctuation) / grid.voxels
    weights = xp.broadcast_to(grid.spectral_weights(xp), grid.spectral_shape).ravel()
    shell = _shells(grid, xp).ravel()
    counts = to_numpy(xp.bincount(shell, weights))
    lead = modes.shape[:-3]
    sums = [
        to_numpy(xp.bincount(shell, weights * mode))
        for mode in (abs(modes) ** 2).reshape(-1, shell.size)
    ]
    kept = counts > 0
    kept[0] = False  # the mean
    power = np.stack(sums)[:, kept] / counts[kept]
    return Spectrum(
        wavenumber=np.flatnonzero(kept) * _width(grid),
        power=power.reshape(*lead, -1),
        counts=np.rint(counts[kept]).astype(int),
    )


def octave_bands(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Edges and variance of octaves of wavenumber, from the first shell upwards.

    Edges are k_1, 2 k_1, 4 k_1, ... (cycles per length), (B + 1,); the variance of
    [edges[b], edges[b + 1]) is the sum of power x counts over its shells, (..., B).
    """
    k = spectrum.wavenumber
    if not k.size:
        return np.zeros(1), np.zeros((*spectrum.power.shape[:-1], 0))
    octave = np.floor(np.log2(k / k[0]) + 1e-9).astype(int)
    edges = k[0] * 2.0 ** np.arange(octave[-1] + 2)
    power = spectrum.power * spectrum.counts
    bands = [power[..., octave == b].sum(axis=-1) for b in range(octave[-1] + 1)]
    return edges, np.stack(bands, axis=-1)


def _width(grid: Grid) -> float:
    edges = [s for s, n in zip(grid.size, grid.shape, strict=True) if n > 1]
    return 1 / max(edges, default=1.0)


def _shells(grid: Grid, xp: Any) -> Any:
    """Shell number of each half-complex frequency, integers, spectral_shape."""
    square: Any = 0.0
    for xi, h in zip(grid.angles(xp), grid.h, strict=True):
        square = square + (xi / (2 * np.pi * h)) ** 2
    # the small shift keeps |k| on a border in one shell whatever the rounding
    shell = xp.floor(xp.sqrt(square) / _width(grid) + 0.5 + 1e-9)
    return shell.astype(int)
