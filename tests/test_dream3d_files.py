"""Files of DREAM.3D: orientations, phases and cells that were not indexed."""

import json
import tomllib

import h5py
import numpy as np
import pytest
from command_lines import run_fftmech as run
from scan_files import E111, E111_STEEL, STEEL, modulus, two_phases
from written_files import dream3d

from fftmech import Grid, InputError, Microstructure, io
from fftmech.io.materials import parse_materials
from fftmech.microstructure import fill_unindexed

STEEL_FILE = """units = "GPa"
[default]
cubic = { C11 = 204.6, C12 = 137.7, C44 = 126.2 }
"""


def test_dream3d_orientations_of_features_are_used_where_cells_have_none(tmp_path):
    for version in (7, 8):
        path = dream3d(tmp_path / f"{version}.h5", version, np.ones((3, 3, 3), int))
        with h5py.File(path, "a") as file:
            root = file[
                "DataContainers/Scan" if version == 7 else "DataStructure/Group/Image"
            ]
            root["Grains/AvgEulerAngles"] = np.deg2rad([[0, 0, 0], E111]).astype("f4")
            root["Grains/Phases"] = np.array([[0], [1]], np.int32)
            root["Other/AvgQuats"] = np.zeros((7, 4), "f4")
        body = io.read(path)
        assert modulus(body, STEEL, (0, 0, 1)) == pytest.approx(E111_STEEL, rel=1e-5)
        assert body.notes == ()


def test_dream3d_of_several_scans_takes_the_symmetry_of_the_same_container(tmp_path):
    path = dream3d(tmp_path / "a.h5", 7, np.ones((3, 3, 3), int), structures=[999, 0])
    other = dream3d(tmp_path / "b.h5", 7, np.ones((4, 3, 3), int), structures=[999, 1])
    with h5py.File(path, "a") as file, h5py.File(other) as second:
        second.copy("DataContainers/Scan", file["DataContainers"], "Another")
        file["DataContainers/Scan/Ensemble/MaterialName"] = np.array([b"", b"Ti"])
        file["DataContainers/Another/Ensemble/PhaseName"] = np.array([b"", b"Ni"])
    for container, name in (("Scan", "Ti"), ("Another", "Ni")):
        ids = f"DataContainers/{container}/EBSD Cells/FeatureIds"
        assert io.read(path, dataset=ids).material_name == {1: name}


def test_dream3d_cells_without_a_feature_or_phase_are_not_indexed(tmp_path):
    ids = np.full((3, 3, 3), 2)
    ids[0, 0, 0] = 0
    euler = np.broadcast_to(np.deg2rad(E111), (3, 3, 3, 3)).copy()
    euler[0] = 0
    path = dream3d(tmp_path / "a.h5", 7, ids, euler=euler, structures=[999, 1])
    with h5py.File(path, "a") as file:
        file["DataContainers/Scan/EBSD Cells/Phases"][:, :, 0] = 0
    body = io.read(path)
    assert body.unindexed_voxels == 9 and np.isnan(body.orientation[0]).all()
    assert modulus(body, STEEL, (0, 0, 1), 2) == pytest.approx(E111_STEEL, rel=1e-5)


def test_a_grain_of_two_phases_or_of_scattered_orientations_is_noted(tmp_path):
    ids = np.ones((3, 3, 3), int)
    euler = np.zeros((3, 3, 3, 3))
    euler[0, 0] = 0.7
    path = dream3d(tmp_path / "a.h5", 7, ids, euler=euler, structures=[999, 1, 1])
    with h5py.File(path, "a") as file:
        file["DataContainers/Scan/EBSD Cells/Phases"][0, 0] = 2
    notes = io.read(path).notes
    assert any(n.startswith("grain 1: voxels of two phases") for n in notes)
    assert any("more than 15 degrees from their mean" in n for n in notes)


def test_a_grain_of_two_phases_has_the_orientation_of_its_own(tmp_path):
    euler = np.zeros((3, 3, 3, 3))
    euler[2] = 0.7
    path = dream3d(
        tmp_path / "a.h5", 7, np.ones((3, 3, 3), int), euler=euler, structures=[9, 1, 1]
    )
    with h5py.File(path, "a") as file:
        file["DataContainers/Scan/EBSD Cells/Phases"][:, :, 2] = 2
    body = io.read(path)
    assert body.material.tolist() == [-1, 1]
    np.testing.assert_allclose(body.orientation[1], [1, 0, 0, 0], atol=1e-6)


def test_one_default_for_several_materials_is_noted(tmp_path):
    body = io.read(two_phases(tmp_path / "a.dream3d"))
    notes = parse_materials(tomllib.loads(STEEL_FILE), "m.toml").apply(body).notes
    assert any("[default] of m.toml is what" in n and "copper" in n for n in notes)


def test_crystals_taken_as_cubic_are_noted_only_where_it_matters(tmp_path):
    euler = np.full((3, 3, 3, 3), 0.3)
    path = dream3d(tmp_path / "a.h5", 7, np.ones((3, 3, 3), int), euler=euler)
    assert io.read(path).notes == ()
    euler[0] = 0.31
    path = dream3d(tmp_path / "b.h5", 7, np.ones((3, 3, 3), int), euler=euler)
    assert "structure of phase 1 is not in the file" in io.read(path).notes[0]


def test_ids_in_the_millions_take_no_memory(tmp_path):
    ids = np.full((3, 3, 3), 3_000_000)
    ids[0] = 7
    path = dream3d(tmp_path / "a.h5", 7, ids, euler=np.full((3, 3, 3, 3), 0.3))
    body = io.read(path)
    assert body.orientation.shape == (2, 4) and body.unindexed is None
    assert [body.number_of(p) for p in body.phases] == [7, 3_000_000]
    assert body.material.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("name", "materials", "right"),
    [
        ("feature_only.dream3d", STEEL_FILE, 0.2998),
        (
            "two_phase.dream3d",
            'units = "GPa"\n[[material]]\nid = 1\n'
            "cubic = { C11 = 204.6, C12 = 137.7, C44 = 126.2 }\n"
            '[[material]]\nname = "copper"\n'
            "cubic = { C11 = 168.4, C12 = 121.4, C44 = 75.4 }\n",
            0.113653,
        ),
    ],
)
def test_dream3d_files_are_solved_right(cases, tmp_path, name, materials, right):
    (tmp_path / "m.toml").write_text(materials)
    options = ("--uniaxial", "zz=1e-3", "--scheme", "rotated", "--json", "--strict")
    output = ("-o", tmp_path / "r.vtkhdf", "--materials", tmp_path / "m.toml")
    done = run("solve", cases / name, *options, *output)
    stress = json.loads(done.stdout)["mean_stress"]["zz"]
    assert stress == pytest.approx(right, rel=2e-4)


def test_cells_that_were_not_indexed_are_counted_and_refused(cases, tmp_path):
    (tmp_path / "m.toml").write_text(STEEL_FILE)
    options = ("--uniaxial", "zz=1e-3", "--scheme", "rotated", "--json", "--force")
    output = ("-o", tmp_path / "r.vtkhdf", "--materials", tmp_path / "m.toml")
    source = cases / "unindexed.dream3d"
    done = run("solve", source, *options, *output, code=2)
    assert "116 of 576 voxels are not indexed" in done.stderr
    assert not (tmp_path / "r.vtkhdf").exists()
    stress = {}
    for what in ("pore", "nearest", "1"):
        done = run("solve", source, *options, *output, "--unindexed", what)
        assert "116 of 576 voxels are not indexed" in done.stderr
        stress[what] = json.loads(done.stdout)["mean_stress"]["zz"]
    assert stress["nearest"] == pytest.approx(0.2998, rel=2e-4)
    assert stress["pore"] < 0.83 * stress["nearest"]
    said = ("--unindexed", "nearest", "--strict")
    run("solve", source, *options, *output, *said)
    info = run("info", source, "--json")
    assert json.loads(info.stdout)["unindexed"] == 116
    assert "not indexed" in run("info", source).stdout


def test_a_material_said_of_voxels_that_were_not_indexed_is_that_of_the_file():
    body = Microstructure(
        Grid((2, 1, 1)),
        np.array([0, 1]).reshape(2, 1, 1),
        material=np.array([-1, 4]),
        material_name={4: "steel"},
        unindexed=0,
    )
    for what in ("steel", "4", 4):
        assert fill_unindexed(body, what).material.tolist() == [4, 4]
    with pytest.raises(InputError, match="'gold': expected pore, nearest, or one of 4"):
        fill_unindexed(body, "gold")
