import json
import warnings

import numpy as np
import pytest

from fftmech.errors import InputError
from fftmech.materials.elastic import PORE, cubic, hexagonal, isotropic, orthotropic
from fftmech.tensors import (
    matrix_from_quaternion,
    quaternion_from_bunge,
    rotate_stiffness,
)
from fftmech.tensors.stiffness import (
    engineering_constants,
    isotropic_moduli,
    symmetry_distances,
    universal_anisotropy,
    youngs_modulus,
    zener_ratio,
)

COPPER = cubic(170, 122.5, 75.8)
PUBLISHED = {(0, 0, 1): 67.3932, (0, 1, 1): 131.4037, (1, 1, 1): 192.280}
# Bunge angles that put a crystal direction along sample x; from the first column of g
ALONG_X = {
    (0, 0, 1): (90, 90, 0),
    (0, 1, 1): (90, 45, 180),
    (1, 1, 1): (90, np.degrees(np.arcsin(3**-0.5)), 225),
}


def turned(C, euler):
    R = matrix_from_quaternion(quaternion_from_bunge(np.array(euler), degrees=True))
    return rotate_stiffness(C, R)


@pytest.mark.parametrize("direction", PUBLISHED)
def test_crystal_has_the_published_young_modulus_along_direction(direction):
    E = youngs_modulus(COPPER, direction)
    assert pytest.approx(PUBLISHED[direction], rel=2e-5) == E


@pytest.mark.parametrize("direction", PUBLISHED)
def test_bunge_angles_bring_the_crystal_direction_to_sample_x(direction):
    constants = engineering_constants(turned(COPPER, ALONG_X[direction]))
    assert constants["E_x"] == pytest.approx(PUBLISHED[direction], rel=2e-5)


def test_isotropic_stiffness_gives_back_its_constants():
    found = engineering_constants(isotropic(E=210.0, nu=0.3))
    for name in ("E", "E_x", "E_y", "E_z"):
        assert found[name] == pytest.approx(210)
    for name in ("nu", "nu_xy", "nu_yx", "nu_xz", "nu_zx", "nu_yz", "nu_zy"):
        assert found[name] == pytest.approx(0.3)
    for name in ("G", "G_yz", "G_xz", "G_xy"):
        assert found[name] == pytest.approx(210 / 2.6)
    assert found["K"] == pytest.approx(175)
    assert found["A_U"] == pytest.approx(0, abs=1e-12)
    assert found["zener"] == pytest.approx(1)


def test_orthotropic_constants_come_from_the_compliance_matrix():
    # compliance by hand: E = 10, 20, 40; nu_xy = .2, nu_xz = .1, nu_yz = .25
    E, G = (10.0, 20.0, 40.0), (3.0, 4.0, 5.0)
    xy, xz, yz = -0.2 / E[0], -0.1 / E[0], -0.25 / E[1]
    normal = np.array([[1 / E[0], xy, xz], [xy, 1 / E[1], yz], [xz, yz, 1 / E[2]]])
    C = np.linalg.inv(normal)
    stiffness = orthotropic(C[0, 0], C[1, 1], C[2, 2], C[0, 1], C[0, 2], C[1, 2], *G)
    found = engineering_constants(stiffness)
    assert [found[f"E_{a}"] for a in "xyz"] == pytest.approx(E)
    assert [found[f"G_{a}"] for a in ("yz", "xz", "xy")] == pytest.approx(G)
    assert found["nu_xy"] == pytest.approx(0.2)
    assert found["nu_yx"] == pytest.approx(0.2 * E[1] / E[0])
    assert found["nu_zx"] == pytest.approx(0.1 * E[2] / E[0])
    assert found["zener"] is None


def test_universal_anisotropy_of_a_cubic_crystal_follows_from_its_zener_ratio():
    # Ranganathan & Ostoja-Starzewski 2008, eq. 10: 6/5 (sqrt(A) - 1/sqrt(A))^2
    A = zener_ratio(COPPER)
    assert pytest.approx(2 * 75.8 / (170 - 122.5)) == A
    expected = 6 / 5 * (np.sqrt(A) - 1 / np.sqrt(A)) ** 2
    assert universal_anisotropy(COPPER) == pytest.approx(expected)
    assert universal_anisotropy(turned(COPPER, (20, 40, 70))) == pytest.approx(expected)


def test_isotropic_moduli_of_a_cubic_crystal_are_voigt_averages():
    K, G = isotropic_moduli(COPPER)
    assert pytest.approx((170 + 2 * 122.5) / 3) == K
    assert pytest.approx((170 - 122.5 + 3 * 75.8) / 5) == G


def test_each_symmetry_is_found_in_its_own_axes_only():
    found = symmetry_distances(COPPER)
    assert found["cubic"] < 1e-14 < 0.05 < found["isotropic"]
    assert found["orthotropic"] < 1e-14 and found["tetragonal_y"] < 1e-14
    assert symmetry_distances(turned(COPPER, (0, 0, 30)))["cubic"] > 0.01
    assert symmetry_distances(turned(COPPER, (0, 0, 30)))["tetragonal_z"] > 0.01

    zinc = hexagonal(165, 31, 50, 62, 40)
    along_z, along_x = (
        symmetry_distances(zinc),
        symmetry_distances(turned(zinc, (90, 90, 0))),
    )
    assert along_z["hexagonal_z"] < 1e-14 < 0.05 < along_z["hexagonal_x"]
    assert along_x["hexagonal_x"] < 1e-14 < 0.05 < along_x["hexagonal_z"]
    # about its own axis a hexagonal crystal is isotropic
    assert symmetry_distances(turned(zinc, (17, 0, 0)))["hexagonal_z"] < 1e-14


def test_distance_to_isotropy_is_the_norm_of_the_anisotropic_part():
    # C = 3 K J + 2 G1 (two modes) + 2 G2 (three modes); nearest G = (2 G1 + 3 G2)/5
    G1, G2, bulk = (170 - 122.5) / 2, 75.8, (170 + 245) / 3
    G = (2 * G1 + 3 * G2) / 5
    off = 2 * np.sqrt(2 * (G1 - G) ** 2 + 3 * (G2 - G) ** 2)
    norm = np.sqrt((3 * bulk) ** 2 + 2 * (2 * G1) ** 2 + 3 * (2 * G2) ** 2)
    assert symmetry_distances(COPPER)["isotropic"] == pytest.approx(off / norm)


def test_a_medium_that_carries_only_x_has_no_other_modulus_and_warns_of_nothing():
    C = np.zeros((6, 6))
    C[0, 0] = 7.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = engineering_constants(C)
        symmetry_distances(C)
    assert found["E_x"] == pytest.approx(7)
    assert [found[k] for k in ("E_y", "E_z", "G_yz", "G_xz", "G_xy")] == [0] * 5
    assert found["nu_yx"] is None and found["A_U"] is None
    json.dumps(found, allow_nan=False)


def test_empty_space_has_zero_moduli_and_no_ratios():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = engineering_constants(PORE)
        distances = symmetry_distances(PORE)
    assert found["E_x"] == found["K"] == found["E"] == 0
    assert found["nu"] is None and found["nu_xy"] is None and found["zener"] is None
    assert set(distances.values()) == {0.0}


@pytest.mark.parametrize(
    ("stiffness", "words"),
    [
        (np.eye(3), "(3, 3)"),
        (np.full((6, 6), np.nan), "finite"),
        (np.eye(6) + np.eye(6, k=1), "not symmetric"),
        (-np.eye(6), "negative eigenvalue"),
    ],
)
def test_an_unsound_stiffness_is_refused_in_one_line(stiffness, words):
    with pytest.raises(InputError) as error:
        engineering_constants(stiffness)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("direction", [(0, 0, 0), (1, 2), (np.nan, 0, 1)])
def test_a_direction_without_direction_is_refused(direction):
    with pytest.raises(InputError, match="direction"):
        youngs_modulus(COPPER, direction)
