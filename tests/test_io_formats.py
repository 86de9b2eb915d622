"""Formats of other programs: voxels, ids and orientations end up as they were meant."""

import runpy
from importlib import import_module
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from written_files import MARK, NX, NY, NZ, dream3d, marked, tesr, vti

from fftmech import Grid, io
from fftmech.io import FORMATS
from fftmech.microstructure.grains import mean_orientations
from fftmech.tensors import (
    bunge_from_quaternion,
    matrix_from_quaternion,
    quaternion_from_bunge,
)

DOCS = Path(__file__).resolve().parents[1] / "docs"

# a voxel of a measured file: Bunge angles (radians) and quaternion x y z w of DREAM.3D
EULER = (3.0456, 2.3747, 4.4033)
QUATERNION = (0.7218, -0.5823, -0.2059, 0.3124)


@pytest.mark.parametrize("version", [7, 8])
def test_dream3d_cells_are_found_whatever_their_name(tmp_path, version):
    micro = io.read(dream3d(tmp_path / "a.dream3d", version, marked()))
    assert (micro.phase == marked()).all()
    assert micro.grid == Grid((NX, NY, NZ), (0.2, 0.3, 0.4), (1, 2, 3))
    assert micro.orientation is None


@pytest.mark.parametrize("version", [7, 8])
def test_dream3d_quaternions_are_passive_x_y_z_w(tmp_path, version):
    ids = np.full((NX, NY, NZ), 3)
    ones = np.ones((NX, NY, NZ, 1))
    quats = dream3d(tmp_path / "q.dream3d", version, ids, quats=ones * QUATERNION)
    euler = dream3d(tmp_path / "e.h5", version, ids, euler=ones * EULER)
    expected = quaternion_from_bunge(np.array(EULER))
    for path in (quats, euler):
        orientation = io.read(path).orientation
        assert orientation.shape == (4, 4) and np.isnan(orientation[:3]).all()
        np.testing.assert_allclose(orientation[3], expected, atol=1e-4)
    angles = bunge_from_quaternion(io.read(quats).orientation[3])
    np.testing.assert_allclose(angles, EULER, atol=3e-4)


def scattered(rng, group, spread=0.02, count=400):
    """Voxels about one orientation, each written as a random symmetry equivalent."""
    center = Rotation.from_euler("ZXZ", [1.0, 0.7, 2.0])
    small = Rotation.from_rotvec(rng.normal(scale=spread, size=(count, 3)))
    symmetry = Rotation.create_group(group)
    some = Rotation.from_quat(
        symmetry.as_quat()[rng.integers(len(symmetry), size=count)]
    )
    flip = rng.choice([-1.0, 1.0], size=(count, 1))
    voxels = np.roll((small * center * some).as_quat(), 1, axis=1) * flip
    return voxels, center, symmetry


@pytest.mark.parametrize("group", ["O", "D6"])
def test_mean_orientation_does_not_depend_on_symmetry_equivalents(rng, group):
    voxels, center, symmetry = scattered(rng, group)
    ids = np.repeat([4, 9], 200)
    grains, means = mean_orientations(ids, voxels, group)
    assert grains.tolist() == [4, 9]
    for mean in means:
        off = Rotation.from_quat(np.roll(mean, -1)).inv() * center
        angle = min((off * s).magnitude() for s in symmetry)
        # the standard error of 200 voxels scattered by 0.02
        assert angle < 4 * 0.02 / np.sqrt(200) * np.sqrt(3)


def test_dream3d_symmetry_comes_from_the_ensemble(tmp_path, rng):
    """Hexagonal equivalents have a mean of their own only if taken as hexagonal."""
    voxels, center, symmetry = scattered(rng, "D6", spread=1e-4, count=27)
    quats = np.roll(voxels * [1, -1, -1, -1], -1, axis=1).reshape(3, 3, 3, 4)
    angle = {}
    for name, structures in (("hexagonal", [999, 0]), ("cubic", [999, 1])):
        path = dream3d(
            tmp_path / f"{name}.h5",
            7,
            np.ones((3, 3, 3), int),
            quats=quats,
            structures=structures,
        )
        mean = io.read(path).orientation[1]
        off = Rotation.from_quat(np.roll(mean, -1)).inv() * center
        angle[name] = min((off * s).magnitude() for s in symmetry)
    assert angle["hexagonal"] < 1e-3 < 0.01 < angle["cubic"]


def test_voxels_that_were_not_indexed_do_not_count(tmp_path):
    ids = np.ones((NX, NY, NZ), int)
    quats = np.ones((NX, NY, NZ, 1)) * QUATERNION
    quats[0] = 0
    path = dream3d(tmp_path / "a.dream3d", 8, ids, quats=quats)
    expected = quaternion_from_bunge(np.array(EULER))
    np.testing.assert_allclose(io.read(path).orientation[1], expected, atol=1e-4)


def test_measured_dream3d(data):
    micro = io.read(data / "measured.dream3d")
    assert micro.grid.shape == (201, 101, 1)
    with h5py.File(data / "measured.dream3d") as file:
        ids = file["DataContainers/Small IN100/EBSD Scan Data/FeatureIds"][0, :, :, 0]
    assert (micro.phase[:, :, 0] == ids.T).all()
    used = micro.orientation[micro.phases]
    np.testing.assert_allclose(np.linalg.norm(used, axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("form", ["ascii", "binary", "raw", "base64"])
@pytest.mark.parametrize("size", ["UInt32", "UInt64"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["Int64", "UInt8", "Float32"])
def test_vti_in_every_layout(tmp_path, form, size, compressed, dtype):
    (tmp_path / "a.vti").write_bytes(vti(form, size, dtype, compressed))
    micro = io.read(tmp_path / "a.vti")
    assert (micro.phase == marked()).all()
    assert micro.grid == Grid((NX, NY, NZ), (0.5, 1, 2), (0.5, 0, 0))


def test_vti_with_header_and_data_encoded_together(tmp_path):
    (tmp_path / "a.vti").write_bytes(vti("binary", compressed=False, together=True))
    assert (io.read(tmp_path / "a.vti").phase == marked()).all()


@pytest.mark.parametrize("binary", [False, True])
def test_vti_that_pyvista_wrote(tmp_path, binary):
    pyvista = pytest.importorskip("pyvista")
    mesh = pyvista.ImageData(dimensions=(NX + 1, NY + 1, NZ + 1))
    mesh.cell_data["material"] = marked().ravel(order="F")
    mesh.save(tmp_path / "a.vti", binary=binary)
    assert (io.read(tmp_path / "a.vti").phase == marked()).all()


def test_measured_vti(data):
    pyvista = pytest.importorskip("pyvista")
    mesh = pyvista.read(data / "20grains32x32x32.vti")
    micro = io.read(data / "20grains32x32x32.vti")
    assert (micro.phase.ravel(order="F") == mesh["material"]).all()
    assert len(micro.phases) == 20


@pytest.mark.parametrize("layout", ["ascii", "binary8", "binary16", "binary32_big"])
@pytest.mark.parametrize("form", ["2.0", "2.1"])
def test_tesr_in_every_layout(tmp_path, layout, form):
    (tmp_path / "a.tesr").write_bytes(tesr(layout, form=form))
    micro = io.read(tmp_path / "a.tesr")
    assert (micro.phase == marked()).all()
    assert micro.grid == Grid((NX, NY, NZ), (0.5, 1, 2), (1, 2, 3))


def test_tesr_data_in_a_file_of_its_own(tmp_path):
    content = tesr("binary8")
    start = content.index(b"binary8\n") + 8
    (tmp_path / "a.raw").write_bytes(content[start : start + marked().size])
    (tmp_path / "a.tesr").write_bytes(content[:start] + b" *file a.raw\n***end\n")
    assert (io.read(tmp_path / "a.tesr").phase == marked()).all()


def test_tesr_keeps_its_own_ids_and_orientations(tmp_path):
    cells = np.zeros((NX, NY, NZ), int)
    cells[MARK], cells[0, 2, 3] = 1, 2
    extra = "  *id\n   7 5\n  *ori\n   euler-bunge:active\n   10 20 30\n   40 50 60\n"
    (tmp_path / "a.tesr").write_bytes(tesr(extra=extra, values=cells))
    micro = io.read(tmp_path / "a.tesr")
    assert (micro.phase[MARK], micro.phase[0, 2, 3], micro.phase[0, 0, 0]) == (7, 5, 0)
    expected = quaternion_from_bunge(np.array([[10, 20, 30], [40, 50, 60]]), True)
    np.testing.assert_allclose(micro.orientation[[7, 5]], expected, atol=1e-14)
    assert np.isnan(micro.orientation[[0, 1, 6]]).all()


def test_every_neper_descriptor_says_the_same_rotation(tmp_path):
    q = quaternion_from_bunge(np.array([10.0, 20, 30]), True)
    R = matrix_from_quaternion(q)
    angle = 2 * np.arccos(q[0])
    written = {
        "quaternion": q,
        "quaternion:passive": q * [1, -1, -1, -1],
        "rodrigues": q[1:] / q[0],
        "rodrigues:passive": -q[1:] / q[0],
        # (phi1, Phi, phi2) of the inverse is (180 - phi2, Phi, 180 - phi1)
        "euler-bunge:passive": [150, 20, 170],
        "rotmat:active": R.T.ravel(),
        "rotmat:passive": R.ravel(),
        "axis-angle": [*q[1:] / np.sin(angle / 2), np.rad2deg(angle)],
    }
    for descriptor, values in written.items():
        row = " ".join(repr(float(v)) for v in values)
        extra = f"  *id 1 2\n  *ori\n   {descriptor}\n   {row}\n   {row}\n"
        cells = np.ones((NX, NY, NZ), int)
        (tmp_path / "a.tesr").write_bytes(tesr(extra=extra, values=cells))
        found = matrix_from_quaternion(io.read(tmp_path / "a.tesr").orientation[1])
        np.testing.assert_allclose(found, R, atol=1e-12, err_msg=descriptor)


def test_flat_tesr_is_one_voxel_in_z(tmp_path):
    text = "***tesr\n**format 2.1\n**general 2\n 3 2\n 0.5 0.25\n**data\nascii\n"
    (tmp_path / "a.tesr").write_text(text + "1 2 3\n4 5 6\n***end\n")
    micro = io.read(tmp_path / "a.tesr")
    assert micro.grid.shape == (3, 2, 1)
    assert micro.phase[:, 1, 0].tolist() == [4, 5, 6]


def test_every_reader_declares_what_it_uses_and_what_it_ignores():
    modules = {module for several in FORMATS.own.values() for module in several}
    for name in sorted(modules | {"slices", "damask"}):
        reader = import_module(f"fftmech.io.{name}")
        for said in (reader.USED, reader.IGNORED):
            assert isinstance(said, tuple), name
            assert all(isinstance(phrase, str) and phrase for phrase in said), name
        assert reader.USED, name


def test_the_table_of_formats_is_what_the_readers_declare(monkeypatch):
    names = runpy.run_path(str(DOCS / "formats.py"))
    monkeypatch.setattr("sys.argv", ["formats.py", "--check"])
    assert names["main"]() == 0
