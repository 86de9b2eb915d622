"""Laws of the discrete derivative."""

import numpy as np
import pytest

from fftmech import SCHEMES, Grid, InputError, discretization
from fftmech.discretization import Stencil, StencilDiscretization

SPACING = (0.1, 0.25, 0.4)


def test_divergence_is_minus_the_adjoint_of_strain(scheme, shape, rng):
    d, grid = discretization(scheme), Grid(shape, SPACING)
    u = rng.normal(size=(2, d.unknowns(grid), *shape))
    s = rng.normal(size=(2, d.points, 6, *shape))
    left = (d.strain(u, grid) * s).mean(axis=(1, 3, 4, 5)).sum()
    right = (u * d.strain_adjoint(s, grid)).mean(axis=(2, 3, 4)).sum()
    size = np.sqrt((d.strain(u, grid) ** 2).mean() * (s**2).mean())
    assert abs(left - right) < 1e-12 * size


def test_gradient_and_its_adjoint_are_made_of_the_derivatives(scheme, shape, rng):
    d, grid = discretization(scheme), Grid(shape, SPACING)
    u = rng.normal(size=(3, *shape))
    t = rng.normal(size=(d.points, 3, 3, *shape))
    D = d.gradient(u, grid)
    back = np.zeros_like(u)
    for q in range(d.points):
        for c in range(3):
            for a in range(3):
                expected = d.derivative(u[c], a, grid, q)
                np.testing.assert_allclose(D[q, c, a], expected, atol=1e-11)
                back[c] += d.adjoint(t[q, c, a], a, grid, q) / d.points
    np.testing.assert_allclose(d.gradient_adjoint(t, grid), back, atol=1e-11)


def test_stencil_and_symbol_are_the_same_operator(scheme, shape, rng):
    d, grid = discretization(scheme), Grid(shape, SPACING)
    f = rng.normal(size=shape)
    k = d.symbol(grid)
    for q in range(d.points):
        for a in range(3):
            spectral = np.fft.irfftn(k[q, a] * np.fft.rfftn(f), shape, axes=(0, 1, 2))
            scale = abs(f).max() / grid.h[a]
            error = abs(spectral - d.derivative(f, a, grid, q)).max()
            assert error < 1e-13 * scale * 10


TABLES = [d for d in SCHEMES.values() if isinstance(d, StencilDiscretization)]


@pytest.mark.parametrize("d", TABLES, ids=lambda d: d.name)
def test_stencil_products_expand_to_offsets_and_weights(d, rng):
    shape = (4, 5, 6)
    grid, f = Grid(shape, SPACING), rng.normal(size=shape)
    for q, stencils in enumerate(d.table):
        for a, stencil in enumerate(stencils):
            assert isinstance(stencil, Stencil)
            expected = sum(
                w * np.roll(f, tuple(-o), axis=(0, 1, 2))
                for o, w in zip(stencil.offsets, stencil.weights, strict=True)
            )
            actual = d.derivative(f, a, grid, q) * grid.h[a]
            np.testing.assert_allclose(actual, expected, atol=1e-13)


def test_derivative_of_a_linear_field_is_its_slope_away_from_the_seam(scheme):
    d, n = discretization(scheme), 9
    if scheme == "fourier":  # spectral: exact on a wave instead
        grid = Grid((n, 1, 1))
        x = grid.centers()[0] + 0 * np.zeros((n, 1, 1))
        du = d.derivative(np.sin(2 * np.pi * x), 0, grid)
        np.testing.assert_allclose(du, 2 * np.pi * np.cos(2 * np.pi * x), atol=1e-12)
        return
    grid = Grid((n, n, n), SPACING)
    coordinates = np.meshgrid(*(h * np.arange(n) for h in SPACING), indexing="ij")
    f = 2 * coordinates[0] - 3 * coordinates[1] + 5 * coordinates[2]
    inside = (slice(1, n - 1),) * 3
    for q in range(d.points):
        for a, slope in enumerate((2, -3, 5)):
            np.testing.assert_allclose(
                d.derivative(f, a, grid, q)[inside], slope, atol=1e-12
            )


def _dense(d, grid):
    """The strain operator on displacements, as a matrix."""
    size = 3 * grid.voxels
    basis = np.eye(size).reshape(size, 3, *grid.shape)
    return d.strain(basis, grid).reshape(size, -1)


@pytest.mark.parametrize("shape", [(4, 4, 4), (3, 4, 5), (4, 3, 1), (3, 3, 3)], ids=str)
def test_null_modes_are_as_many_as_the_kernel_of_the_strain(scheme, shape):
    d, grid = discretization(scheme), Grid(shape, SPACING)
    weights = np.broadcast_to(grid.spectral_weights(), grid.spectral_shape)
    counted = 3 * int(weights[d.null_modes(grid)].sum())
    rank = np.linalg.matrix_rank(_dense(d, grid), tol=1e-10)
    assert counted == 3 * grid.voxels - rank


@pytest.mark.parametrize(
    "scheme, modes",
    # rotated: two or three Nyquist components, 3 (n - 1) + 1, and the mean
    [("rotated", 3 * 3 + 1 + 1), ("hex8", 1), ("central", 2**3), ("forward", 1)],
)
def test_number_of_null_frequencies_on_a_cube_of_four_is_known(scheme, modes):
    grid, d = Grid((4, 4, 4)), discretization(scheme)
    weights = np.broadcast_to(grid.spectral_weights(), grid.spectral_shape)
    assert weights[d.null_modes(grid)].sum() == modes


def test_incompatibility_of_a_compatible_strain_vanishes(one_point_scheme, shape, rng):
    d, grid = discretization(one_point_scheme), Grid(shape, SPACING)
    strain = d.strain(rng.normal(size=(3, *shape)), grid)
    size = abs(strain).max() / min(SPACING) ** 2
    assert abs(d.incompatibility(strain, grid)).max() < 1e-12 * size


def test_stress_functions_give_a_divergence_free_stress(one_point_scheme, shape, rng):
    d, grid = discretization(one_point_scheme), Grid(shape, SPACING)
    stress = d.stress_function(rng.normal(size=(6, *shape)), grid)
    gradient = d.gradient(stress[0], grid)
    assert abs(d.divergence(stress, grid)).max() <= 1e-13 * abs(gradient).max()


def test_stress_functions_of_one_scheme_are_not_equilibrated_in_another(rng):
    shape, grid = (8, 8, 8), Grid((8, 8, 8))
    stress = discretization("rotated").stress_function(
        rng.normal(size=(6, *shape)), grid
    )
    forward = discretization("forward")
    gradient = np.sqrt((forward.gradient(stress[0], grid) ** 2).sum())
    assert np.sqrt((forward.divergence(stress, grid) ** 2).sum()) > 0.05 * gradient


def test_stress_functions_of_hex8_are_refused():
    with pytest.raises(InputError, match="8 integration points.*rotated"):
        discretization("hex8").stress_function(np.zeros((6, 2, 2, 2)), Grid((2, 2, 2)))


def test_fourier_nyquist_strain_is_free_and_the_stress_there_vanishes(rng):
    d, shape = discretization("fourier"), (4, 5, 6)
    grid = Grid(shape, SPACING)
    assert d.unknowns(grid) == 9
    assert d.unknowns(Grid((3, 5, 7))) == 3
    nyquist = np.zeros((9, *shape))
    nyquist[3] = (-1.0) ** np.arange(4).reshape(-1, 1, 1)
    np.testing.assert_allclose(d.strain(nyquist, grid)[0, 0], nyquist[3], atol=1e-14)
    smooth = np.zeros((9, *shape))
    smooth[3] = np.cos(2 * np.pi * np.arange(4) / 4).reshape(-1, 1, 1)
    assert abs(d.strain(smooth, grid)).max() < 1e-14


def test_unknown_scheme_is_refused_with_the_list():
    with pytest.raises(InputError, match="'rotate'.*rotated, hex8"):
        discretization("rotate")
