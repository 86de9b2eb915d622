"""DAMASK's material.yaml: constants, orientations, names, and what is not used."""

import numpy as np
import pytest
from conftest import DATA
from foreign_files import PLASTIC, damask_yaml, pulled

from fftmech import Grid, InputError, Microstructure, io
from fftmech.io.materials import read_materials
from fftmech.tensors import quaternion_from_bunge, voigt_from_mandel

pytest.importorskip("yaml")


@pytest.fixture
def materials(tmp_path):
    """A function that writes a material.yaml and reads it."""

    def read(content=None, **options):
        text = damask_yaml(**options) if content is None else content
        (tmp_path / "material.yaml").write_bytes(text)
        return read_materials(tmp_path / "material.yaml")

    return read


def two():
    """Voxels of two numbers."""
    return Microstructure(Grid((2, 1, 1)), np.array([0, 1]).reshape(2, 1, 1))


def test_a_grid_and_its_materials(cases):
    body = io.read(DATA / "20grains32x32x32.vti")
    body = read_materials(cases / "damask_material.yaml").apply(body)
    assert not body.notes and body.units == {"stress": "Pa"}
    assert pulled(body) * 1e-9 == pytest.approx(0.198289, abs=2e-6)
    assert [body.material_name[m] for m in body.materials] == ["copper", "steel"]


def test_constants_are_in_pascal_and_the_phases_names_are_materials(materials):
    body = materials().apply(two())
    steel, zinc = voigt_from_mandel(body.stiffness)
    assert body.label(0) == "phase 0 (material 0, steel)"
    # C_33 of a hexagonal crystal, turned by 73.74 degrees about y
    c, s = np.cos(np.deg2rad(73.74)), np.sin(np.deg2rad(73.74))
    turned = s**4 * 163.7 + c**4 * 63.5 + s**2 * c**2 * (2 * 53 + 4 * 38.8)
    assert zinc[2, 2] * 1e-9 == pytest.approx(turned, rel=1e-4)
    assert steel[0, 1] > 0 and not body.notes


def test_a_quaternion_is_that_of_its_bunge_angles():
    """DAMASK's Rotation.from_Euler_angles, with its P = -1."""
    phi1, Phi, phi2 = 0.3, 0.7, 1.1
    c, s, P = np.cos(Phi / 2), np.sin(Phi / 2), -1
    mean, half = (phi1 + phi2) / 2, (phi1 - phi2) / 2
    q = [c * np.cos(mean), -P * s * np.cos(half)]
    q += [-P * s * np.sin(half), -P * c * np.sin(mean)]
    np.testing.assert_allclose(quaternion_from_bunge([phi1, Phi, phi2]), q)


def test_a_power_law_of_ours_is_taken(materials):
    listed = materials(plastic=PLASTIC.format(a=1, h=1))
    law = listed.phases[0].law
    assert (law.tau0, law.tau1) == (31e6, 32e6) and law.exponent == 20
    assert law.theta0 == pytest.approx(1e9 * 32 / 63)
    assert listed.units == {"stress": "Pa", "time": "s"} and not listed.notes
    # its resistance follows xi' = h_0 (1 - xi / xi_inf)
    from fftmech.materials.slip import resistance

    G = np.linspace(0, 0.2, 5)
    hardening = [np.full(5, v) for v in (law.tau0, law.tau1, law.theta0, 0.0)]
    g, slope = resistance(G, hardening)
    np.testing.assert_allclose(slope, 1e9 * (1 - g / 63e6), rtol=1e-12)


def test_a_power_law_of_hexagonal_families_is_taken(materials):
    plastic = PLASTIC.format(a=1, h=1).encode()
    for old, new in (
        (b"N_sl: [12]", b"N_sl: [3, 3, 0, 12]"),
        (b"xi_0_sl: [31.e+6]", b"xi_0_sl: [31.e+6, 41.e+6, 0, 51.e+6]"),
        (b"xi_inf_sl: [63.e+6]", b"xi_inf_sl: [63.e+6, 73.e+6, 0, 83.e+6]"),
    ):
        assert old in plastic
        plastic = plastic.replace(old, new)
    text = damask_yaml().replace(b"C_44: 38.8e9", b"C_44: 38.8e9" + plastic)
    with pytest.raises(InputError, match="c/a"):
        materials(text)
    listed = materials(text.replace(b"lattice: hP", b"lattice: hP\n    c/a: 1.856"))
    law = listed.phases[1].law
    assert (law.lattice, law.c_over_a, law.structure) == ("hcp", 1.856, (3, 3, 12))
    assert [f.tau0 for f in law.slip_families] == [31e6, 41e6, 51e6]
    assert law.families[2].theta0 == pytest.approx(1e9 * 32 / 83)
    # not all of a family
    assert materials(text.replace(b"0, 12]", b"0, 6]")).phases[1].law is None


@pytest.mark.parametrize(("a", "h"), [(2.25, 1), (1, 1.4)])
def test_another_power_law_is_a_note(materials, a, h):
    listed = materials(plastic=PLASTIC.format(a=a, h=h))
    assert listed.phases[0].law is None
    assert "steel: plastic (phenopowerlaw) not used, it is elastic" in listed.notes[0]


def test_interactions_of_cubic_systems_are_taken(materials):
    ratios = "1, 1.1, 1.8, 1.2, 1.3, 1.4, 1.5, 9"
    plastic = PLASTIC.format(a=1, h="@").replace("1, 1, @", ratios)
    law = materials(plastic=plastic).phases[0].law
    assert law.latent_hardening == (1, 1.1, 1.8, 1.2, 1.3, 1.4, 1.5)
    assert law.theta0 == pytest.approx(1e9 * 32 / 63)
    # all of them alike are one ratio
    same = plastic.replace(ratios, "1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 9")
    law = materials(plastic=same).phases[0].law
    assert law.latent_hardening == 1.0
    assert law.theta0 == pytest.approx(1.4e9 * 32 / 63)


def test_what_is_not_used_is_a_note(materials):
    text = damask_yaml().replace(b"C_44: 126.2e9}", b"'C_44,T': 1e6, C_44: 126.2e9}")
    text = text.replace(b"  zinc:", b"    damage: {type: x}\n  zinc:")
    (note,) = materials(text).notes
    assert "steel: C_44,T, damage not used" in note


def test_names_of_phases_may_be_numbers(materials):
    """As DAMASK writes them of DREAM.3D's phases: a text here, a number there."""
    text = damask_yaml().replace(b"  steel:", b"  '1':")
    listed = materials(text.replace(b"phase: steel", b"phase: 1"))
    assert listed.made_of == {0: "1", 1: "zinc"}


def test_a_grain_without_an_entry_is_named(materials):
    body = Microstructure(Grid((3, 1, 1)), np.arange(3)[:, None, None])
    with pytest.raises(InputError, match="no entry of material for phase 2 of"):
        materials().apply(body)


BAD = [
    (b"C_11: 204.6e9, ", b"", "phase steel: C_11 missing: expected C_11, C_12, C_44"),
    (b"C_11: 204.6e9", b"C_11: one", "phase steel: C_11 = 'one': expected a finite"),
    (b"C_12: 137.7e9", b"C_12: 300e9", "steel: stiffness is not positive definite"),
    (b"lattice: cF", b"lattice: xx", "lattice 'xx': expected one of cF, cI, hP, tI"),
    (b"type: Hooke, ", b"type: Hook, ", "elastic type 'Hook': expected Hooke"),
    (b"phase: steel, v", b"phase: tin, v", "phase 'tin' is not described: expected"),
    (b"[0.8, 0.0, 0.6, 0.0]", b"[0.8, 0.0, 0.6]", "expected a quaternion, w x y z"),
    (b"[0.8, 0.0, 0.6, 0.0]", b"[8, 0, 6, 0]", "has length 10: expected a unit quat"),
    (b"  zinc:", b"  steel:", "not YAML .steel is given twice"),
    (b"material:\n", b"grains:\n", "material: expected a list, an entry a grain"),
    (b"phase:\n", b"phase: [\n", "not YAML"),
    (b"constituents:\n", b"constituents:\n  - {phase: zinc}\n", "has 2 constituents"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_bad_materials_are_named(materials, old, new, message):
    assert old in damask_yaml()
    with pytest.raises(InputError, match=message):
        materials(damask_yaml().replace(old, new, 1))


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 100_000])
def test_deep_nests_are_refused(materials, text):
    with pytest.raises(InputError, match="nested more than 50 levels deep"):
        materials(text.encode())


def test_aliases_are_not_multiplied(materials):
    """Twelve levels of nine: 282 billion numbers, were they written out."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for i in range(12):
        lines.append(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]")
    text = "\n".join(lines).encode() + damask_yaml()
    for value in (b"O: [0.8, 0.0, 0.6, 0.0]", b"O: [0.8, 0, 0.6, 0], V_e: [[1]]"):
        other = value.replace(b"[0.8, 0.0, 0.6, 0.0]", b"*a12").replace(
            b"[[1]]", b"*a12"
        )
        made = text.replace(b"O: [0.8, 0.0, 0.6, 0.0]", other)
        if b"V_e" in value:
            assert materials(made).notes == ("initial stretches (V_e) are not used",)
            continue
        with pytest.raises(InputError, match="O = .* a quaternion, w x y z"):
            materials(made)
