import numpy as np
import pytest

from fftmech.discretization.grid import Grid
from fftmech.results.spectrum import octave_bands, power_spectrum


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("shape", [(8, 9, 5), (16, 16, 16), (12, 7, 1), (1, 6, 1)])
def test_power_times_counts_sums_to_the_variance(shape):
    grid = Grid(shape, (0.5, 1.0, 2.0))
    field = noise(2, *shape) + 5
    spectrum = power_spectrum(field, grid)
    variance = (spectrum.power * spectrum.counts).sum(axis=-1)
    assert variance == pytest.approx(field.var(axis=(1, 2, 3)))
    assert spectrum.counts.sum() == grid.voxels - 1
    assert octave_bands(spectrum)[1].sum(axis=-1) == pytest.approx(variance)


def test_a_plane_wave_has_its_power_in_the_shell_of_its_wavenumber():
    grid = Grid((16, 32, 8), (1.0, 1.0, 1.0))
    x, y, _ = grid.centers()
    # |k| = hypot(2/16, 3/32) = 5/32 cycles a length: the fifth shell of width 1/32
    wave = 3 * np.cos(2 * np.pi * (2 * x / 16 + 3 * y / 32)) + np.zeros(grid.shape)
    spectrum = power_spectrum(wave, grid)
    peak = spectrum.power.argmax()
    assert spectrum.wavenumber[peak] == pytest.approx(5 / 32)
    assert spectrum.power[peak] * spectrum.counts[peak] == pytest.approx(4.5)
    assert np.delete(spectrum.power, peak).max() < 1e-25


def test_shells_of_white_noise_have_equal_power():
    grid = Grid((32, 32, 32))
    spectrum = power_spectrum(noise(*grid.shape), grid)
    inner = spectrum.counts > 500
    assert spectrum.power[inner] * grid.voxels == pytest.approx(1, rel=0.2)


def test_shells_of_one_box_agree_at_every_resolution():
    coarse, fine = Grid((8, 8, 4), (0.5,) * 3), Grid((16, 16, 8), (0.25,) * 3)
    k = [power_spectrum(noise(*g.shape), g).wavenumber for g in (coarse, fine)]
    assert k[0][:4] == pytest.approx(k[1][:4])
    assert k[0][0] == pytest.approx(1 / 4)


def test_octaves_double_from_the_first_shell_and_hold_their_waves():
    grid = Grid((32, 32, 1), (1.0, 1.0, 1.0))
    x, _, _ = grid.centers()
    field = sum(a * np.cos(2 * np.pi * n * x / 32) for n, a in ((1, 2), (3, 4), (4, 6)))
    edges, variance = octave_bands(power_spectrum(field + np.zeros(grid.shape), grid))
    assert edges[:4] == pytest.approx([1 / 32, 2 / 32, 4 / 32, 8 / 32])
    assert variance[:3] == pytest.approx([2, 8, 18])
    assert variance[3:] == pytest.approx(0, abs=1e-20)
