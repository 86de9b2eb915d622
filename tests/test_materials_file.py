"""Materials files: each key gives the stiffness it names, in the sample's frame."""

import re

import numpy as np
import pytest

from fftmech import Grid, InputError, Microstructure
from fftmech.io.materials import read_materials
from fftmech.materials import elastic
from fftmech.tensors import (
    J,
    K,
    components_from_mandel,
    matrix_from_mandel,
    matrix_from_quaternion,
    quaternion_from_bunge,
    rotate_stiffness,
    voigt_from_mandel,
)
from fftmech.tensors.bounds import hashin_shtrikman
from fftmech.tensors.stiffness import isotropic_moduli, youngs_modulus


@pytest.fixture
def materials(tmp_path):
    """Read a materials file with this text."""

    def read(text):
        path = tmp_path / "m.toml"
        path.write_text(text)
        return read_materials(path)

    return read


def phases(*ids, **fields):
    """One voxel of each phase id."""
    return Microstructure(
        Grid((len(ids), 1, 1)), np.array(ids).reshape(-1, 1, 1), **fields
    )


CUBIC = "cubic = { C11 = 204.6, C12 = 137.7, C44 = 126.2 }"

WRITTEN = {
    "isotropic = { E = 113.8, nu = 0.34 }": elastic.isotropic(E=113.8, nu=0.34),
    "isotropic = { K = 70.2, G = 29.0 }": 3 * 70.2 * J + 2 * 29.0 * K,
    "isotropic = { lambda = 2, mu = 1 }": 3 * (2 + 2 / 3) * J + 2 * K,
    CUBIC: elastic.cubic(204.6, 137.7, 126.2),
    "hexagonal = { C11 = 162.4, C12 = 92, C13 = 69, C33 = 180.7, C44 = 46.7 }": (
        elastic.hexagonal(162.4, 92, 69, 180.7, 46.7)
    ),
    "orthotropic = { C11 = 9, C22 = 8, C33 = 7, C12 = 1, C13 = 2, C23 = 3, C44 = 4, "
    "C55 = 5, C66 = 6 }": elastic.orthotropic(9, 8, 7, 1, 2, 3, 4, 5, 6),
    f"stiffness = {np.diag([3, 3, 3, 1, 1, 1]).tolist()}": np.diag(
        [3.0, 3, 3, 2, 2, 2]
    ),
    "pore = true": np.zeros((6, 6)),
}


@pytest.mark.parametrize("line", WRITTEN)
@pytest.mark.parametrize("place", ["[default]", "[[phase]]\nid = 3"])
def test_every_kind_of_stiffness(materials, line, place):
    made = materials(f'units = "GPa"\n{place}\n{line}').apply(phases(3))
    np.testing.assert_allclose(made.stiffness[3], WRITTEN[line], atol=1e-12)
    assert np.isnan(made.stiffness[:3]).all()
    assert made.units == {"stress": "GPa"}


def test_listed_phases_come_before_the_default(materials):
    made = materials(f"[default]\n{CUBIC}\n[[phase]]\nid = 1\npore = true")
    made = made.apply(phases(0, 1, 5)).check()
    assert made.pores.tolist() == [1]
    assert (made.stiffness[0] == made.stiffness[5]).all()


def test_euler_angles_are_bunge_in_degrees(materials):
    """Euler (0, 54.7356, 45) puts the crystal's <111> along z.

    For C = 170, 122.5, 75.8 GPa Young's modulus along <111> is 192.280 GPa.
    """
    text = "[default]\ncubic = { C11 = 170, C12 = 122.5, C44 = 75.8 }\neuler = "
    tilt = np.degrees(np.arccos(1 / np.sqrt(3)))
    made = materials(f"{text}[0, {tilt}, 45]")
    C = made.apply(phases(0)).stiffness[0]
    assert youngs_modulus(C, (0, 0, 1)) == pytest.approx(192.280, rel=1e-5)
    made = materials(text + "[0, 45, 0]").apply(phases(0))
    assert youngs_modulus(made.stiffness[0], (0, 0, 1)) == pytest.approx(131.4037, 1e-5)


def test_orientations_of_the_file_turn_the_default_and_euler_overrides_them(materials):
    q = quaternion_from_bunge(np.array([[10.0, 20, 30], [40, 50, 60]]), degrees=True)
    made = materials(
        f"[default]\n{CUBIC}\n[[phase]]\nid = 1\n{CUBIC}\neuler = [0, 0, 0]"
    )
    made = made.apply(phases(0, 1, orientation=q))
    crystal = elastic.cubic(204.6, 137.7, 126.2)
    turned = rotate_stiffness(crystal, matrix_from_quaternion(q[0]))
    np.testing.assert_allclose(made.stiffness[0], turned, atol=1e-12)
    np.testing.assert_allclose(made.stiffness[1], crystal, atol=1e-12)
    np.testing.assert_allclose(made.orientation[0], q[0])
    np.testing.assert_allclose(made.orientation[1], [1, 0, 0, 0])


def test_phases_that_are_not_listed_keep_their_stiffness(materials):
    micro = phases(0, 1, stiffness=np.array([np.eye(6), 2 * np.eye(6)]))
    made = materials("[[phase]]\nid = 1\npore = true").apply(micro)
    assert (made.stiffness[0] == np.eye(6)).all() and made.pores.tolist() == [1]


def test_eigenstrain_and_expansion_turn_with_the_crystal(materials):
    made = materials(
        f"[default]\n{CUBIC}\nthermal_expansion = 2e-5\n"
        f"[[phase]]\nid = 1\n{CUBIC}\neuler = [90, 0, 0]\n"
        "eigenstrain = { xx = 1e-3, yz = 2e-4 }"
    ).apply(phases(0, 1))
    # a turn by 90 degrees about z takes x to y and y to -x
    expected = np.zeros((3, 3))
    expected[1, 1] = 1e-3
    expected[0, 2] = expected[2, 0] = -2e-4
    np.testing.assert_allclose(
        matrix_from_mandel(made.eigenstrain[1]), expected, atol=1e-18
    )
    assert not made.eigenstrain[0].any()
    shown = components_from_mandel(made.thermal_expansion)
    assert shown[0].tolist() == pytest.approx([2e-5, 2e-5, 2e-5, 0, 0, 0])
    assert not shown[1].any()


RANDOM = f"[default]\n{CUBIC}\n[random_orientations]\nseed = 0\n"


def test_random_orientations_depend_on_the_id_and_the_seed_alone(materials):
    few, all_ = (
        materials(RANDOM).apply(phases(3, 7)),
        materials(RANDOM).apply(phases(*range(12))),
    )
    for p in (3, 7):
        assert (few.orientation[p] == all_.orientation[p]).all()
        R = matrix_from_quaternion(few.orientation[p])
        turned = rotate_stiffness(elastic.cubic(204.6, 137.7, 126.2), R)
        np.testing.assert_allclose(few.stiffness[p], turned, atol=1e-12)
    other = materials(RANDOM.replace("0\n", "1\n")).apply(phases(3, 7))
    assert np.abs(other.orientation[7] - few.orientation[7]).max() > 1e-2


def test_random_orientations_spare_isotropic_listed_and_known_ones(materials):
    known = np.full((4, 4), np.nan)
    known[2] = [0.6, 0.8, 0, 0]
    made = materials(
        RANDOM + "[[phase]]\nid = 0\nisotropic = { E = 1, nu = 0.3 }\n"
        f"[[phase]]\nid = 1\n{CUBIC}\neuler = [0, 0, 0]\n"
    ).apply(phases(0, 1, 2, 3, orientation=known))
    assert np.isnan(made.orientation[0]).all()
    assert made.orientation[1].tolist() == [1, 0, 0, 0]
    assert made.orientation[2].tolist() == [0.6, 0.8, 0, 0]
    assert np.isfinite(made.orientation[3]).all()


def test_random_orientations_are_uniform(materials):
    """Over all rotations the mean of R is 0 and that of R_ij^2 is 1/3."""
    made = materials(RANDOM).apply(phases(*range(4000)))
    R = matrix_from_quaternion(made.orientation)
    assert np.abs(R.mean(axis=0)).max() < 5 / np.sqrt(3 * 4000)
    assert np.abs((R**2).mean(axis=0) - 1 / 3).max() < 5 * 0.3 / np.sqrt(4000)


GREY = "[grey]\nsolid = { K = 70.2, G = 29.0 }\nfull = 200\n"


def test_grey_values_by_voigt_are_fractions_of_the_solid(materials):
    made = materials(GREY).apply(phases(0, 50, 200)).check()
    solid = 3 * 70.2 * J + 2 * 29.0 * K
    for grey, fraction in ((0, 0), (50, 0.25), (200, 1)):
        np.testing.assert_allclose(made.stiffness[grey], fraction * solid, rtol=1e-14)
    assert made.pores.tolist() == [0]


def test_grey_values_by_hashin_shtrikman_are_on_the_upper_bound(materials):
    made = materials(GREY + 'rule = "hashin-shtrikman"').apply(phases(0, 50, 199, 200))
    for grey in (50, 199, 200):
        f = grey / 200
        bound = hashin_shtrikman((70.2, 0), (29.0, 0), (f, 1 - f))
        bulk, shear = isotropic_moduli(made.stiffness[grey])
        assert bulk == pytest.approx(bound["K"][1], rel=1e-12)
        assert shear == pytest.approx(bound["G"][1], rel=1e-12)
        # K_HS+ = 4 G f K / (4 G + 3 (1 - f) K), shells of solid around voids
        shells = 4 * 29 * f * 70.2 / (4 * 29 + 3 * (1 - f) * 70.2)
        assert bulk == pytest.approx(shells, rel=1e-12)
    assert not made.stiffness[0].any()


def test_a_listed_phase_comes_before_the_grey_rule(materials):
    made = materials(GREY + f"[[phase]]\nid = 7\n{CUBIC}").apply(phases(7, 100))
    assert voigt_from_mandel(made.stiffness[7])[0, 0] == pytest.approx(204.6)


def test_units_may_be_a_table(materials):
    made = materials(
        'units = { stress = "MPa", length = "um" }\n[default]\npore = true'
    )
    assert made.units == {"stress": "MPa", "length": "um"}


PHASE = "[[phase]]\nid = 0\n"

BAD = {
    "[default\n": r"not TOML: .*line 1, column 9",
    "units = 3\n" + PHASE + CUBIC: r"units = 3: expected text",
    "": "no phase; add",
    "unit = 'GPa'": "unknown key 'unit': expected one of units, default, phase",
    "[phase]\nid = 0": r"write each phase as a table \[\[phase\]\]",
    "[[phase]]\npore = true": r"\[\[phase\]\] number 1 has no id",
    "[[phase]]\nid = 1.5\npore = true": "id = 1.5: expected a whole number",
    "[[phase]]\nid = -1\npore = true": "id = -1: expected a whole number >= 0",
    "[[phase]]\nid = true\npore = true": "id = True: expected a whole number",
    PHASE: "phase 0: has no stiffness: expected exactly one of isotropic",
    PHASE + "pore = true\n" + CUBIC: "phase 0: cubic and pore are both given",
    PHASE + "pore = false": "phase 0: pore: expected true",
    PHASE + "pore = true\n" + PHASE + "pore = true": "phase id 0 is given twice",
    PHASE
    + "cubc = {}": "phase 0: unknown key 'cubc': expected one of isotropic, cubic",
    PHASE + "cubic = { C11 = 1, C12 = 0.5 }": "phase 0: cubic: C44 missing",
    PHASE + "cubic = { C11 = 1, C12 = 0, C44 = 1, C13 = 0 }": "unknown key 'C13'",
    PHASE
    + "cubic = { C11 = 1, C12 = 2, C44 = 1 }": "phase 0: cubic: .*not positive def",
    PHASE + "cubic = { C11 = nan, C12 = 2, C44 = 1 }": "C11 = nan: expected a finite",
    PHASE + "cubic = { C11 = '1', C12 = 2, C44 = 1 }": "C11 = '1': expected a finite",
    PHASE + "cubic = { C11 = true, C12 = 2, C44 = 1 }": "C11 = True: expected a finite",
    PHASE
    + "cubic = 3": "phase 0: cubic: constants: expected a table with C11, C12, C44",
    PHASE + "isotropic = { E = 1, K = 1 }": "phase 0: isotropic: .*expected one pair",
    PHASE + "isotropic = { E = 1, nu = 0.5 }": "nu = 0.5: expected -1 < nu < 0.5",
    PHASE + "stiffness = [[1, 2], [3, 4]]": "expected six rows of six numbers",
    PHASE + f"stiffness = {[[1.0] * 5] * 6}": "expected 6 numbers",
    PHASE + f"stiffness = {(np.eye(6) + np.eye(6, k=1)).tolist()}": "not symmetric",
    PHASE + CUBIC + "\neuler = [1, 2]": r"euler = \[1, 2\]: expected 3 numbers",
    PHASE + CUBIC + "\neuler = [1, 2, inf]": "euler = inf: expected a finite number",
    PHASE
    + CUBIC
    + "\neigenstrain = { zx = 1 }": "unknown key 'zx': expected one of xx",
    PHASE + CUBIC + "\neigenstrain = '1'": "eigenstrain = '1': expected a finite",
    PHASE + CUBIC + "\n[random_orientations]": "random_orientations. has no seed",
    PHASE + CUBIC + "\n[random_orientations]\nsed = 0": "unknown key 'sed'",
    "[grey]\nfull = 255": r"\[grey\]: solid missing",
    GREY + "[default]\npore = true": r"\[grey\] and \[default\] exclude each other",
    GREY + 'rule = "reuss"': "rule 'reuss': expected voigt or hashin-shtrikman",
    GREY.replace("200", "0"): "full = 0: expected the grey value of solid",
    GREY.replace("200", "2.5"): "full = 2.5: expected a whole number",
    GREY.replace("K = 70.2, G = 29.0", "pore = true"): "solid is a pore",
    GREY.replace("K = 70.2, G = 29.0", CUBIC) + 'rule = "hashin-shtrikman"': (
        "hashin-shtrikman needs an isotropic solid"
    ),
}


@pytest.mark.parametrize("text", BAD)
def test_bad_materials_are_named_in_one_line(materials, tmp_path, text):
    with pytest.raises(InputError, match=BAD[text]) as caught:
        materials(text)
    assert str(caught.value).startswith(str(tmp_path / "m.toml"))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_named(tmp_path):
    (tmp_path / "m.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="m.toml: not TOML"):
        read_materials(tmp_path / "m.toml")


def test_a_phase_without_material_is_named(materials):
    with pytest.raises(InputError, match=re.escape("phase 4 of the microstructure")):
        materials(PHASE + CUBIC).apply(phases(0, 4))


def test_a_grey_value_above_full_is_named(materials):
    with pytest.raises(InputError, match="grey value 255 .* above full = 200"):
        materials(GREY).apply(phases(0, 255))


def test_isotropic_phase_that_expands_along_an_axis_is_turned_at_random(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(
        "[default]\nisotropic = { E = 1.0, nu = 0.3 }\n"
        "thermal_expansion = { xx = 1e-5 }\n[random_orientations]\nseed = 1\n"
    )
    body = Microstructure(Grid((2, 1, 1)), np.array([[[0]], [[1]]]))
    made = read_materials(path).apply(body)
    alpha = made.thermal_expansion
    np.testing.assert_allclose((alpha**2).sum(axis=1), 1e-10)  # turned, not stretched
    assert abs(alpha[0] - alpha[1]).max() > 1e-6


def test_an_isotropic_expansion_has_no_axes(materials):
    made = materials(
        "[default]\nisotropic = { E = 1.0, nu = 0.3 }\n"
        "thermal_expansion = 2e-5\neigenstrain = 1e-3"
    ).apply(phases(0))
    assert made.notes == ()
