"""Closed forms and published values of composites: fast parts of the benchmark."""

import closed_forms as cf
import numpy as np
import pytest
from eshelby import DILUTE, ellipsoid, eshelby, eshelby_array

from fftmech import Load, March, Path, Step, homogenize, solve

ODD = ("fourier", "central")
"""Schemes that fall apart into interleaved grids where the number of voxels is even."""


def test_a_coated_sphere_of_hashins_is_neutral_in_its_matrix():
    # exact fractions give the bulk modulus of the matrix itself
    matrix, coating, core = cf.coated_sphere(8).stiffness
    moduli = [C[:3, :3].sum() / 9 for C in (matrix, coating, core)]
    np.testing.assert_allclose(moduli, [4.3053435, 4, 22 / 3], rtol=1e-7)
    inner = (0.2 / 0.4) ** 3
    neutral = 4 + inner / (1 / (22 / 3 - 4) + (1 - inner) / (4 + 4 / 3 * 3))
    assert neutral == pytest.approx(cf.COATED, rel=1e-9)


def test_a_coated_sphere_has_hashins_bulk_modulus(scheme):
    errors = []
    for n in (16 - (scheme in ODD), 32 - (scheme in ODD)):
        body = cf.coated_sphere(n)
        K = cf.bulk(body, scheme=scheme, certificate=False)
        errors.append(abs(K / cf.coated_bulk(body) - 1))
    assert errors[0] < 6e-4 and errors[1] < errors[0]


@pytest.mark.parametrize("scheme", ["rotated", "fourier", "central"])
def test_equal_shear_moduli_give_hills_stiffness_exactly(scheme):
    body = cf.equal_shear_cube(15)
    C = homogenize(body, scheme=scheme, tolerance=1e-9).stiffness
    np.testing.assert_allclose(C, cf.hill(body), atol=1e-9 * C.max())


@pytest.mark.parametrize("seed", range(4))
def test_random_laminates_with_eigenstrain_and_mixed_loads_are_exact(scheme, seed):
    body, load = cf.random_laminate(seed)
    result = solve(body, load, scheme=scheme, tolerance=1e-11)
    strain, stress, inside = cf.layered(body, load)
    for actual, exact in (
        (result.mean_strain, strain),
        (result.mean_stress, stress),
        (result.strain[..., 0, 0].T, inside),
    ):
        np.testing.assert_allclose(actual, exact, atol=1e-8 * np.abs(exact).max())


def test_two_phases_expand_as_levins_theorem_says(scheme):
    body = cf.expanding_phases(7)
    solved, exact = cf.expansions(body, scheme=scheme, tolerance=1e-8)
    np.testing.assert_allclose(solved, exact, atol=1e-7 * np.abs(exact).max())


def test_hills_tensor_of_a_sphere_has_eshelbys_two_numbers(monkeypatch):
    # a bulk and a shear strain in a sphere: Eshelby 1957, equation 3.16
    monkeypatch.setattr("eshelby.ELLIPSOID", (1.0, 1.0, 1.0))
    A = eshelby(ellipsoid(8))
    (K, G), (K1, G1) = (
        (C[:3, :3].sum() / 9, C[3, 3] / 2) for C in ellipsoid(8).stiffness
    )
    alpha = 3 * K / (3 * K + 4 * G)
    beta = 6 * (K + 2 * G) / (5 * (3 * K + 4 * G))
    assert A[:3, :3].sum() / 3 == pytest.approx(
        1 / (1 + alpha * (K1 / K - 1)), rel=1e-9
    )
    assert A[3, 3] == pytest.approx(1 / (1 + beta * (G1 / G - 1)), rel=1e-9)


@pytest.mark.parametrize("scheme", ["rotated", "bbar"])
def test_the_strain_in_an_ellipsoid_approaches_that_of_eshelbys_array(scheme):
    errors = []
    for n in (24, 48):
        body = ellipsoid(n)
        load = Load(strain={"xx": 1.0})
        result = solve(body, load, scheme=scheme, certificate=False)
        inside = result.strain[:3, body.phase == 1].mean(axis=-1)
        errors.append(np.abs(inside - eshelby_array(body)[:3, 0]).max())
    exact = eshelby_array(body)[0, 0]
    assert errors[1] < 0.06 * exact and errors[1] < 0.75 * errors[0]
    # one alone in an unbounded matrix is strained less: the array's distance is small
    assert exact / eshelby(body)[0, 0] - 1 == pytest.approx(0.048, abs=0.001)
    assert body.fractions[1].round(3) == DILUTE


def limit(fraction, n, m, scheme):
    """alpha and beta over those of the drawn fraction, linear in the voxel's size.

    A rigid sphere of voxels is as large as its corners: an error of first order.
    """
    a, b = (
        cf.suspension(body, scheme=scheme) / cf.nunan_keller(body.fractions[1])
        for body in (cf.rigid_spheres(n, fraction), cf.rigid_spheres(m, fraction))
    )
    assert (b > 1).all() and (b < a).all()
    return (m * b - n * a) / (m - n)


def test_bbar_reaches_nunan_and_kellers_alpha_and_beta_of_rigid_spheres():
    np.testing.assert_allclose(limit(0.24, 16, 32, "bbar"), 1, atol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "fraction"), [("bbar", 0.04), ("rotated", 0.24)])
def test_finer_rigid_spheres_reach_nunan_and_kellers(scheme, fraction):
    np.testing.assert_allclose(limit(fraction, 24, 48, scheme), 1, atol=0.03)


def test_hex8_locks_between_rigid_spheres():
    alpha, beta = cf.suspension(cf.rigid_spheres(16, 0.24), scheme="hex8")
    exact = cf.NUNAN_KELLER[0.24]
    assert alpha > 50 * exact[0] and beta > 1.4 * exact[1]


def hollow(n, scheme):
    """Mean stress of four increments over the limit."""
    body, e = cf.hollow_sphere(n), 0.01
    load = Load(strain=dict(xx=e, yy=e, zz=e))
    march = March(body, Path((Step(load, increments=4),)), scheme=scheme)
    mean = [point.mean_stress[:3].mean() for point in march.points()]
    assert march.status == "converged"
    return np.array(mean) / cf.limit_pressure(body)


def test_bbar_bears_the_limit_load_of_a_hollow_sphere():
    mean = hollow(12, "bbar")
    assert mean[-1] == pytest.approx(1, abs=0.05)
    assert mean[-1] / mean[-2] - 1 < 2e-3


def test_hex8_bears_more_than_the_limit_load_of_a_hollow_sphere_and_ever_more():
    mean = hollow(12, "hex8")
    assert mean[-1] > 1.2 and mean[-1] / mean[-2] - 1 > 0.02
