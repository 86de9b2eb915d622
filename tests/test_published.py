"""Published and closed-form values, for every scheme that they apply to."""

import numpy as np
import pytest
from closed_forms import antiplane, bulk, equal_shear_cube, obnosov, square_array
from conftest import EMPTY, sphere

from fftmech import Grid, Load, Microstructure, homogenize, solve
from fftmech.materials import cubic, hexagonal, isotropic
from fftmech.microstructure import polycrystal
from fftmech.tensors import (
    matrix_from_quaternion,
    quaternion_from_bunge,
    rotate_stiffness,
    voigt_from_mandel,
)


@pytest.mark.parametrize("scheme", ["rotated", "hex8", "forward"])
def test_laminate_of_ten_voxels_has_its_closed_form_stiffness(scheme):
    phase = np.zeros((10, 1, 1), int)
    phase[0] = 1
    soft, stiff = isotropic(E=8 / 3, nu=1 / 3), isotropic(E=88 / 3, nu=1 / 3)
    body = Microstructure(Grid(phase.shape), phase, np.array([soft, stiff]))
    C = voigt_from_mandel(homogenize(body, scheme=scheme).stiffness)
    actual = [C[0, 0], C[0, 1], C[1, 1], C[1, 2], C[3, 3], C[4, 4]]
    np.testing.assert_allclose(actual, [4.4, 2.2, 7.1, 3.1, 2.0, 1.1], rtol=1e-9)


@pytest.mark.parametrize("scheme, value", [("rotated", 2.263250), ("hex8", 2.269684)])
def test_equal_shear_moduli_give_hills_bulk_modulus(scheme, value):
    # Hill 1963: 1/(K_eff + 4G/3) = sum f/(K + 4G/3), whatever the geometry; hex8 is
    # above it by its discretization error
    body = equal_shear_cube(30)
    K = bulk(body, scheme=scheme, tolerance=1e-8)
    assert pytest.approx(value, rel=2e-7) == K


@pytest.mark.parametrize("contrast", [10.0, 100.0, 1e-3])
def test_square_array_of_a_quarter_approaches_obnosovs_value(scheme, contrast):
    exact = obnosov(contrast)
    errors = []
    for n in (16, 64):
        value = antiplane(square_array(n, contrast), scheme=scheme, tolerance=1e-7)
        errors.append(abs(value / exact - 1))
    assert errors[1] < {"rotated": 3e-5}.get(scheme, 1.5e-3)
    assert errors[1] < 0.6 * errors[0]


@pytest.mark.parametrize(
    "euler, modulus",
    # sample z is R^T e_z = (sin phi2 sin Phi, cos phi2 sin Phi, cos Phi) in the crystal
    [
        ((0, 0, 0), 67.3932),  # [001]
        ((0, 45, 0), 131.4037),  # [011]
        ((0, np.degrees(np.arccos(3**-0.5)), 45), 192.280),  # [111]
    ],
)
def test_solved_single_crystal_has_the_published_youngs_modulus(euler, modulus):
    R = matrix_from_quaternion(quaternion_from_bunge(euler, degrees=True))
    C = rotate_stiffness(cubic(170, 122.5, 75.8), R)
    body = Microstructure(Grid((2, 2, 2)), np.zeros((2, 2, 2), int), [C])
    result = solve(body, Load.uniaxial("zz", 1e-3))
    assert result.mean_stress[2] / 1e-3 == pytest.approx(modulus, rel=1e-5)


def test_orientation_turns_the_crystal_the_way_bunge_does():
    # A hexagonal crystal's c axis in the sample is R e_z = (sin phi1 sin Phi,
    # -cos phi1 sin Phi, cos Phi): with phi1 = 0, Phi = 90 it is -y, with phi1 = 90 +x
    titanium = hexagonal(162.4, 92.0, 69.0, 180.7, 46.7)  # Simmons & Wang 1971, GPa
    for euler, axis in (((0, 90, 0), 1), ((90, 90, 0), 0), ((30, 0, 20), 2)):
        q = quaternion_from_bunge(euler, degrees=True)
        C = rotate_stiffness(titanium, matrix_from_quaternion(q))
        diagonal = np.diag(voigt_from_mandel(C))[:3]
        expected = np.full(3, 162.4)
        expected[axis] = 180.7
        np.testing.assert_allclose(diagonal, expected, rtol=1e-12)


def test_effective_stiffness_lies_between_reuss_and_voigt(scheme):
    body = polycrystal(8, grains=6, seed=1)
    effective = homogenize(body, scheme=scheme)
    C = effective.stiffness
    np.testing.assert_allclose(C, C.T, rtol=0, atol=1e-12 * C.max())
    for lower, upper in (
        (effective.bounds["reuss"], C),
        (C, effective.bounds["voigt"]),
    ):
        assert np.linalg.eigvalsh(upper - lower).min() > -1e-9 * C.max()


@pytest.mark.slow
@pytest.mark.parametrize("contrast", [0.0, 100.0])
def test_sphere_array_lies_within_hashin_shtrikman(contrast):
    inclusion = EMPTY if contrast == 0 else isotropic(E=contrast, nu=0.3)
    body = sphere(12, isotropic(E=1, nu=0.3), inclusion)
    effective = homogenize(body)
    bounds = effective.bounds["hashin_shtrikman"]
    for modulus in ("K", "G"):
        lower, upper = bounds[modulus]
        assert lower - 1e-9 <= effective.engineering[modulus] <= upper + 1e-9


@pytest.mark.parametrize("scheme", ["bbar", "fourier"])
def test_homogenized_columns_are_the_stresses_of_unit_loads(scheme):
    body = polycrystal(6, grains=4, seed=2)
    C = homogenize(body, scheme=scheme, tolerance=1e-9).stiffness
    for m in range(6):
        load = Load.from_mandel(np.eye(6)[m])
        result = solve(body, load, scheme=scheme, tolerance=1e-9)
        np.testing.assert_allclose(result.mean_stress, C[m], atol=1e-7 * C.max())


def test_third_normal_load_of_a_cubic_polycrystal_needs_no_iteration():
    # xx + yy + zz is uniform (Hill 1952), so the third solution is minus the two others
    effective = homogenize(polycrystal(8, grains=6, seed=1))
    assert effective.iterations[2] <= 1 < min(effective.iterations[:2])


def test_capped_homogenization_reports_failure():
    effective = homogenize(polycrystal(6, grains=4, seed=2), max_iterations=1)
    assert effective.status == "max_iterations" and effective.advice


STEEL = cubic(204.6, 137.7, 126.2)
ITERATIONS = {
    "polycrystal": ("rotated", 14),
    "contrast 10": ("rotated", 20),
    "contrast 1000": ("rotated", 40),
    "contrast 1e-4": ("rotated", 40),
    "pore": ("rotated", 40),
    "hex8 1e-4": ("hex8", 30),
}


def _body(name, n):
    if name == "polycrystal":
        return polycrystal(n, grains=24, seed=0, stiffness=STEEL)
    soft = isotropic(E=1, nu=0.3)
    if name == "pore":
        return sphere(n, soft, EMPTY)
    return sphere(n, soft, isotropic(E=float(name.split()[-1]), nu=0.3))


@pytest.mark.parametrize("name", ITERATIONS)
def test_iterations_stay_within_the_methods_count(name):
    scheme, limit = ITERATIONS[name]
    result = solve(_body(name, 16), Load(strain={"xx": 1e-3}), scheme=scheme)
    assert result.converged and result.iterations <= limit


@pytest.mark.slow
@pytest.mark.parametrize("name", ITERATIONS)
def test_iterations_are_flat_over_resolutions(name):
    scheme, limit = ITERATIONS[name]
    counts = []
    for n in (16, 32, 64):
        result = solve(
            _body(name, n), Load(strain={"xx": 1e-3}), scheme=scheme, certificate=False
        )
        assert result.converged
        counts.append(result.iterations)
    assert max(counts) <= limit
    assert max(counts) - min(counts) <= 4  # +-2
