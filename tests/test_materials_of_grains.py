"""Grains have materials: said once for all of one, kept in files, averaged over."""

import json

import h5py
import numpy as np
import pytest
from command_lines import run_fftmech

import fftmech
from fftmech import Grid, InputError, Load, Microstructure, io
from fftmech.io.materials import read_materials
from fftmech.materials import cubic, elastic, isotropic
from fftmech.microstructure import polycrystal
from fftmech.microstructure.unindexed import fill_unindexed
from fftmech.results.averages import averages
from fftmech.tensors import von_mises

STEEL, COPPER = cubic(204.6, 137.7, 126.2), cubic(168.4, 121.4, 75.4)

FILE = """
units = "GPa"
[[material]]
id = 1
cubic = { C11 = 204.6, C12 = 137.7, C44 = 126.2 }
[[material]]
name = "copper"
units = "MPa"
cubic = { C11 = 168400, C12 = 121400, C44 = 75400 }
"""


def two_materials(**changes):
    """Four grains of a column: 0 and 1 of material 1, 2 of copper, 9 of none."""
    phase = np.array([0, 1, 2, 9]).repeat(4).reshape(4, 2, 2)
    material = np.array([1, 1, 2, -1, -1, -1, -1, -1, -1, -1])
    options = {"material": material, "material_name": {2: "copper"}} | changes
    return Microstructure(Grid((4, 2, 2)), phase, **options)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def materials(folder):
    """Apply a materials file with this text to a body."""

    def apply(text, body):
        (folder / "m.toml").write_text(text)
        return read_materials("m.toml").apply(body)

    return apply


def test_a_material_by_number_or_name_serves_all_its_grains_and_a_phase_wins(materials):
    body = materials(FILE + "[[phase]]\nid = 9\npore = true\n", two_materials())
    for p, expected in {0: STEEL, 1: STEEL, 2: COPPER, 9: 0 * STEEL}.items():
        np.testing.assert_allclose(body.stiffness[p], expected, rtol=1e-12)
    one = materials(
        FILE + "[[phase]]\nid = 1\npore = true\n[default]\npore = true\n",
        two_materials(),
    )
    assert list(one.pores) == [1, 9]


def test_a_grain_without_constants_is_named_with_its_material(materials):
    text = FILE.replace('"copper"', '"brass"') + "[[phase]]\nid = 9\npore = true\n"
    with pytest.raises(
        InputError,
        match=r"phase 2 \(material 2, copper\) .*"
        r"add \[\[material\]\] id = 2",
    ):
        materials(text, two_materials())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[material]]\npore = true', "add id = 0"),
        ('[[material]]\nid = 1\nname = "a"\npore = true', "id and name are both given"),
        ('[[material]]\nname = 3\npore = true', "name = 3: expected text"),
        ('[[material]]\nid = 1\npore = true\n' * 2, "material id 1 is given twice"),
        ('[[material]]\nid = 2\npore = true\n[[material]]\nname = "copper"\nrigid = '
         'true\n[default]\npore = true',
         "material 2 is listed by its number, and by its name 'copper'"),
        ('units = "GPa"\n[default]\nunits = "psi"\nisotropic = { E = 1, nu = 0 }',
         "units = 'psi' where the file's are 'GPa'"),
    ],
)  # fmt: skip
def test_bad_materials_are_named_in_one_line(text, message, materials):
    with pytest.raises(InputError, match=message):
        materials(text, two_materials())


def test_what_is_assumed_or_listed_in_vain_is_noted(materials):
    text = FILE + "[default]\npore = true\n[[phase]]\nid = 77\npore = true\n"
    body = materials(text.replace('"copper"', '"tin"'), two_materials())
    assert body.notes == (
        "m.toml lists phase 77: no voxel has it",
        "m.toml lists material tin: no voxel has it",
        "[default] of m.toml is what phase 2 (material 2, copper), phase 9 is made of",
        "2 anisotropic phase(s) without orientation: crystal axes along x y z",
    )


def test_known_bodies_have_no_notes(materials):
    turned = np.tile([1.0, 0, 0, 0], (10, 1))
    text = FILE + "[[phase]]\nid = 9\npore = true\n"
    assert not materials(text, two_materials(orientation=turned)).notes


def test_strict_makes_a_note_an_error_and_writes_nothing(folder):
    io.write("a.h5", two_materials())
    (folder / "m.toml").write_text(FILE + "[default]\npore = true\n")
    line = "solve a.h5 --materials m.toml -o r.vtkhdf --strain xx=1"
    done = run_fftmech(*line.split(), "--strict", code=2)
    assert "--strict: [default] of m.toml" in done.stderr
    assert not (folder / "r.vtkhdf").exists()


def test_engineering_constants_are_the_inverse_of_the_compliance():
    names = ["E1", "E2", "E3", "nu12", "nu13", "nu23", "G12", "G13", "G23"]
    given = dict(zip(names, (140, 11, 9, 0.3, 0.32, 0.45, 5, 6, 3.5), strict=True))
    S = np.linalg.inv(fftmech.voigt_from_mandel(elastic.orthotropic_moduli(**given)))
    expected = [140, 11, 9, 3.5, 6, 5]
    np.testing.assert_allclose(1 / np.diag(S), expected)
    np.testing.assert_allclose(-S[0, 1] * 140, 0.3)
    np.testing.assert_allclose(-S[1, 2] * 11, 0.45)
    isotropic_one = elastic.transversely_isotropic(70, 70, 0.3, 0.3, 70 / 2.6)
    np.testing.assert_allclose(isotropic_one, isotropic(E=70, nu=0.3), atol=1e-12)
    with pytest.raises(InputError, match="which way round"):
        elastic.orthotropic_moduli(10, 140, 9, 3.0, 0.3, 0.3, 5, 5, 5)


def test_trigonal_stiffness_has_its_threefold_axis():
    # quartz (GPa), about z
    C = elastic.trigonal(C11=86.8, C12=7.0, C13=11.9, C14=-18.0, C33=105.8, C44=58.2)
    R = np.array([[-0.5, -(0.75**0.5), 0], [0.75**0.5, -0.5, 0], [0, 0, 1]])
    np.testing.assert_allclose(fftmech.tensors.rotate_stiffness(C, R), C, atol=1e-12)
    sixth = R @ R @ np.diag([-1.0, -1, 1])
    assert abs(fftmech.tensors.rotate_stiffness(C, sixth) - C).max() > 10


def test_materials_numbers_and_notes_survive_files_and_ids_are_the_users(folder):
    with h5py.File("a.h5", "w") as file:
        phase = np.array([15_000_000, 3, 3, 70_000]).repeat(4).reshape(4, 2, 2)
        file["phase"] = phase
        file["phase"].attrs["axes"] = "xyz"
    (folder / "m.toml").write_text(
        "[default]\nisotropic = { E = 1, nu = 0.3 }\n"
        "[[phase]]\nid = 15000000\npore = true\n"
    )
    body = read_materials("m.toml").apply(io.read("a.h5").noted("seen"))
    assert len(body.stiffness) == 3 and body.fractions[body.pores] == [0.25]
    body = body.with_changes(material=np.array([1, 1, 2]), material_name={2: "gold"})
    io.write("b.h5", body)
    again = io.read("b.h5")
    assert [again.number_of(p) for p in again.phases] == [3, 70_000, 15_000_000]
    assert "seen" in again.notes and again.material_name == {2: "gold"}
    done = run_fftmech("info", "b.h5", "--json")
    document = json.loads(done.stdout)
    assert [phase["id"] for phase in document["phases"]] == [3, 70_000, 15_000_000]
    assert [m["fraction"] for m in document["materials"]] == [0.75, 0.25]


def test_voxels_that_are_not_indexed_are_what_the_user_says(materials):
    text = FILE + "[default]\nisotropic = { E = 1, nu = 0.3 }\n"
    body = two_materials(unindexed=9)
    with pytest.raises(InputError, match=r"4 of 16 voxels are not indexed: nobody"):
        materials(text, body).check()
    assert list(fill_unindexed(materials(text, body), "pore").pores) == [9]
    nearest = fill_unindexed(body, "nearest")
    np.testing.assert_array_equal(nearest.phase[3], 2)
    copper = materials(text, fill_unindexed(body, "copper"))
    np.testing.assert_allclose(copper.stiffness[9], COPPER)
    assert copper.notes[0] == "4 of 16 voxels are not indexed: copper"
    with pytest.raises(InputError, match="pore, nearest, or one of 1, 2, copper"):
        fill_unindexed(body, "lead")
    listed = materials(text + "[[phase]]\nid = 9\npore = true\n", body)
    assert list(listed.check().pores) == [9]


def test_averages_by_grain_and_material_add_up_to_the_means(folder):
    body = polycrystal(12, 8, seed=1, others=[(COPPER, 0.4)])
    result = fftmech.solve(body, Load.uniaxial("zz", 1e-3))
    for by, count in ("grain", 8), ("material", 2):
        found = averages(result, by)
        assert len(found.number) == count
        np.testing.assert_allclose(found.volume.sum(), 1)
        for name in ("strain", "stress"):
            mean = found.fraction @ getattr(found, name)
            expected = getattr(result, f"mean_{name}")
            np.testing.assert_allclose(mean, expected, atol=1e-6 * abs(expected).max())
        assert found.largest.max() == von_mises(result.stress).max()
    fftmech.write_result("r.vtkhdf", result)
    line = "info r.vtkhdf --by grain --csv grains.csv"
    done = run_fftmech(line)
    assert "…" not in done.stdout
    rows = (folder / "grains.csv").read_text().splitlines()
    assert len(rows) == 9 and rows[0].startswith("grain,name,volume,fraction,von_mises")
    with h5py.File("r.vtkhdf") as file:
        stored = file["VTKHDF/CellData/von_mises"][()]
    np.testing.assert_allclose(stored, von_mises(result.stress).T)


def test_further_phases_of_a_polycrystal_have_their_fraction_and_change_nothing_else():
    plain, mixed = (polycrystal(16, 40, 3, others=o) for o in ((), [(COPPER, 0.3)]))
    np.testing.assert_array_equal(plain.phase, mixed.phase)
    np.testing.assert_array_equal(plain.orientation, mixed.orientation)
    share = mixed.fractions[mixed.material == 1].sum()
    assert abs(share - 0.3) < mixed.fractions.max()
    np.testing.assert_array_equal(
        plain.stiffness[mixed.material == 0], mixed.stiffness[mixed.material == 0]
    )
    with pytest.raises(InputError, match="sum below 1"):
        polycrystal(8, 4, others=[(COPPER, 0.6), (COPPER, 0.5)])


def test_void_of_a_body_without_any_table_may_be_said_to_be_pores():
    grid = Grid((2, 1, 1))
    body = Microstructure(grid, np.array([0, 1]).reshape(2, 1, 1), unindexed=0)
    assert fill_unindexed(body, "pore").pores.tolist() == [0]
