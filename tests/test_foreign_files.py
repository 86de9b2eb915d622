"""Files of other programs: sizes, orientations and materials as they were meant."""

import gzip

import h5py
import numpy as np
import pytest
from foreign_files import (
    ORIGIN,
    SPACING,
    mha,
    nrrd,
    pulled,
    voxel_tesr,
    vtk_legacy,
    vtk_planes,
    vtr,
)
from scipy.spatial.transform import Rotation
from written_files import MARK, NX, NY, NZ, marked, tesr, vti

from fftmech import Grid, InputError, io
from fftmech.io.materials import read_materials
from fftmech.microstructure.unindexed import fill_unindexed
from fftmech.tensors import matrix_from_quaternion

BOX = Grid((NX, NY, NZ), SPACING, ORIGIN)
STEEL = "[default]\ncubic = { C11 = 204.6, C12 = 137.7, C44 = 126.2 }\n"


# neper


def test_orientations_of_voxels_are_those_of_their_cell(cases):
    body = io.read(cases / "oridata.tesr")
    assert not body.notes
    body = read_materials(cases / "steel.toml").apply(body)
    assert pulled(body) == pytest.approx(0.2998, abs=1e-4)  # E111 of steel


@pytest.mark.parametrize("layout", ["ascii", "binary", "binary16"])
def test_orientations_of_voxels_are_averaged_under_the_crystal_symmetry(
    tmp_path, rng, layout
):
    mean = Rotation.from_rotvec([0.2, 0.1, 0.3])
    cubic = Rotation.create_group("O")
    some = cubic[rng.integers(len(cubic), size=marked().size)]
    small = Rotation.from_rotvec(rng.normal(scale=1e-4, size=(marked().size, 3)))
    voxels = (small * mean * some).as_rotvec()
    angle = np.linalg.norm(voxels, axis=1, keepdims=True)
    rows = np.tan(angle / 2) * voxels / angle
    (tmp_path / "a.tesr").write_bytes(voxel_tesr(rows, layout))
    body = io.read(tmp_path / "a.tesr")
    found = Rotation.from_matrix(matrix_from_quaternion(body.orientation[1]))
    off = min((found.inv() * mean * s).magnitude() for s in cubic)
    assert off < 1e-3
    assert "averaged over each cell" in body.notes[0] and len(body.notes) == 1
    # without the symmetry the equivalents are other crystals
    (tmp_path / "a.tesr").write_bytes(voxel_tesr(rows, layout, symmetry=""))
    assert "averaged as triclinic" in io.read(tmp_path / "a.tesr").notes[1]


def test_voxels_without_an_orientation_do_not_count(tmp_path):
    rows = np.tile([0.1, 0.2, 0.3], (marked().size, 1))
    rows[3] = [5.0, 0, 0]
    defined = np.ones(marked().size, int)
    (tmp_path / "all.tesr").write_bytes(voxel_tesr(rows))
    defined[3] = 0
    (tmp_path / "a.tesr").write_bytes(voxel_tesr(rows, oridef=defined))
    body = io.read(tmp_path / "a.tesr")
    x, y, z = body.orientation[1][1:] / body.orientation[1][0]
    np.testing.assert_allclose([x, y, z], rows[0], atol=1e-12)
    assert not body.notes and io.read(tmp_path / "all.tesr").notes


def test_without_cells_every_voxel_is_a_crystal(tmp_path):
    whole = voxel_tesr(np.random.default_rng(0).normal(size=(marked().size, 3)))
    start, end = whole.index(b" **data"), whole.index(b" **oridata")
    (tmp_path / "a.tesr").write_bytes(whole[:start] + whole[end:])
    body = io.read(tmp_path / "a.tesr")
    assert len(body.phases) == marked().size == len(body.orientation) - 1
    assert "every voxel is a crystal" in body.notes[0]


def test_void_is_nobodys_guess(tmp_path):
    cells = np.ones((NX, NY, NZ), int)
    cells[MARK] = 0
    (tmp_path / "a.tesr").write_bytes(tesr(values=cells))
    (tmp_path / "m.toml").write_text(STEEL)
    body = io.read(tmp_path / "a.tesr")
    made = read_materials(tmp_path / "m.toml").apply(body)
    with pytest.raises(InputError, match="1 of 24 voxels are not indexed"):
        made.check()
    assert fill_unindexed(made, "pore").check().pores.tolist() == [0]
    # who lists it knows what it is
    (tmp_path / "m.toml").write_text(STEEL + "[[phase]]\nid = 0\npore = true\n")
    made = read_materials(tmp_path / "m.toml").apply(body)
    assert made.check().pores.tolist() == [0]


def test_groups_of_cells_are_materials(tmp_path):
    cells = np.ones((NX, NY, NZ), int)
    cells[0] = 2
    extra = "  *id\n  4 9\n  *group\n  1 2\n"
    (tmp_path / "a.tesr").write_bytes(tesr(extra=extra, values=cells))
    body = io.read(tmp_path / "a.tesr")
    assert [body.material_of(p) for p in (4, 9)] == [1, 2]
    assert body.materials.tolist() == [1, 2]


@pytest.mark.parametrize("form", ["tesr", "vti"])
def test_memory_does_not_grow_with_the_largest_number(tmp_path, form):
    import tracemalloc

    numbers = np.arange(1, marked().size + 1) * 500_000
    ids = numbers.reshape((NZ, NY, NX)).T
    if form == "vti":
        text = vti("ascii").replace(b"UInt8", b"Int64")
        listed = " ".join(map(str, marked().T.ravel())).encode()
        whole = text.replace(listed, " ".join(map(str, ids.T.ravel())).encode())
    else:
        cells = np.arange(1, marked().size + 1).reshape((NZ, NY, NX)).T
        turns = "0.1 0 0\n" * marked().size
        extra = f"  *id\n{' '.join(map(str, numbers))}\n  *ori\n rodrigues\n{turns}"
        whole = tesr(extra=extra, values=cells)
        whole = whole.replace(b"**cell\n   2", f"**cell\n   {ids.size}".encode())
    (tmp_path / f"a.{form}").write_bytes(whole)
    (tmp_path / "m.toml").write_text(STEEL)
    tracemalloc.start()
    body = read_materials(tmp_path / "m.toml").apply(io.read(tmp_path / f"a.{form}"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22
    assert body.number_of(body.phase[MARK]) == ids[MARK]
    assert form == "vti" or np.isfinite(body.orientation).all()


# VTK


@pytest.mark.parametrize("form", ["ASCII", "BINARY"])
@pytest.mark.parametrize("field", [False, True])
@pytest.mark.parametrize("kind", ["i8", "u1", "f4"])
def test_legacy_vtk(tmp_path, form, field, kind):
    (tmp_path / "a.vtk").write_bytes(vtk_legacy(form, kind=kind, field=field))
    body = io.read(tmp_path / "a.vtk")
    assert (body.phase == marked()).all() and body.grid == BOX
    assert body.notes == ("other arrays are not used: v",)


def test_legacy_vtk_of_points_is_voxels_about_them(tmp_path):
    (tmp_path / "a.vtk").write_bytes(vtk_legacy(place="POINT_DATA"))
    body = io.read(tmp_path / "a.vtk", dataset="PointData/material")
    assert (body.phase == marked()).all() and body.grid == BOX
    assert "a voxel is made about each point" in body.notes[0]
    with pytest.raises(InputError, match="no cell data 'ids'; it has PointData/v, P"):
        io.read(tmp_path / "a.vtk", dataset="ids")


def test_rectilinear_grids_are_read_where_they_are_even(tmp_path):
    (tmp_path / "a.vtr").write_bytes(vtr())
    body = io.read(tmp_path / "a.vtr")
    assert (body.phase == marked()).all() and body.grid == BOX and not body.notes
    (tmp_path / "a.vtr").write_bytes(vtr(even=False))
    with pytest.raises(InputError, match="planes along x are not evenly spaced"):
        io.read(tmp_path / "a.vtr")


@pytest.mark.parametrize("form", ["ASCII", "BINARY"])
def test_legacy_rectilinear_grids_are_read_where_they_are_even(tmp_path, form):
    (tmp_path / "a.vtk").write_bytes(vtk_planes(form))
    body = io.read(tmp_path / "a.vtk")
    assert (body.phase == marked()).all() and body.grid == BOX and not body.notes
    (tmp_path / "a.vtk").write_bytes(vtk_planes(form, even=False))
    with pytest.raises(InputError, match="planes along x are not evenly spaced"):
        io.read(tmp_path / "a.vtk")


@pytest.mark.parametrize("name", ["ZLib", "LZMA", "LZ4"])
def test_vti_of_every_compression(tmp_path, name, monkeypatch):
    vtk = pytest.importorskip("vtk")
    pyvista = pytest.importorskip("pyvista")
    mesh = pyvista.ImageData(dimensions=(NX + 1, NY + 1, NZ + 1))
    mesh.cell_data["id"] = marked().ravel(order="F")
    writer = vtk.vtkXMLImageDataWriter()
    writer.SetInputData(mesh)
    writer.SetFileName(str(tmp_path / "a.vti"))
    getattr(writer, f"SetCompressorTypeTo{name}")()
    writer.Write()
    # the only array needs no name
    assert (io.read(tmp_path / "a.vti").phase == marked()).all()
    if name == "LZ4":
        monkeypatch.setitem(__import__("sys").modules, "vtkmodules.vtkIOCore", None)
        with pytest.raises(InputError, match=r'unpacked by VTK; .*"fftmech\[viz\]"'):
            io.read(tmp_path / "a.vti")


def test_vti_says_which_arrays_it_does_not_use(tmp_path):
    text = vti("ascii")
    array = text[text.index(b"<DataArray") : text.index(b"</CellData>")]
    several = array + b"".join(
        array.replace(b"material", b"phi%d" % i) for i in range(1, 5)
    )
    (tmp_path / "a.vti").write_bytes(text.replace(array, several))
    notes = io.read(tmp_path / "a.vti").notes
    assert notes == ("other arrays are not used: phi1, phi2, phi3 and 1 more",)


@pytest.mark.parametrize(
    "dataset", [None, "material", "CellData/material", "VTKHDF/CellData/material"]
)
def test_foreign_vtkhdf_by_every_spelling(cases, dataset):
    body = io.read(cases / "foreign.vtkhdf", dataset=dataset)
    assert body.grid == Grid((6, 5, 4), SPACING, ORIGIN) and not body.notes


# images with a head


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("flipped", [False, True])
def test_metaimage(tmp_path, packed, flipped):
    (tmp_path / "a.mha").write_bytes(mha(packed, flipped))
    body = io.read(tmp_path / "a.mha")
    assert (body.phase == marked()).all() and body.grid == BOX and not body.notes
    # a file of data beside the head, and no other
    head, _, data = mha(packed, flipped).partition(b"LOCAL\n")
    (tmp_path / "a.mhd").write_bytes(head + b"a.raw\n")
    (tmp_path / "a.raw").write_bytes(data)
    assert io.read(tmp_path / "a.mhd").grid == BOX
    # empty lines, and a file that was packed by itself, as pore networks have them
    packed = gzip.compress(data) if not packed else data
    (tmp_path / "a.raw.gz").write_bytes(packed)
    (tmp_path / "a.mhd").write_bytes(
        head.replace(b"Offset", b"\n  \nOffset") + b"a.raw.gz\n"
    )
    assert (io.read(tmp_path / "a.mhd").phase == marked()).all()
    for name in (b"../a.raw", b"/etc/passwd", b"no.raw"):
        (tmp_path / "a.mhd").write_bytes(head + name + b"\n")
        with pytest.raises(InputError, match="own folder|does not exist"):
            io.read(tmp_path / "a.mhd")


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "text"])
def test_nrrd(tmp_path, encoding):
    (tmp_path / "a.nrrd").write_bytes(nrrd(encoding))
    body = io.read(tmp_path / "a.nrrd")
    assert (body.phase == marked()).all() and body.grid == BOX and not body.notes
    assert body.units == {"length": "mm"}
    (tmp_path / "a.nrrd").write_bytes(nrrd(encoding, directions=False))
    body = io.read(tmp_path / "a.nrrd")
    assert (body.phase == marked()).all() and body.grid.h == SPACING


@pytest.mark.parametrize("turn", [(1, 2, 0), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_axes_in_another_order_change_places(tmp_path, name, turn):
    """A sagittal image: array axis a runs along axis turn[a] of the box, downwards."""
    ids = np.flip(marked().transpose(turn)).T.astype("<u2")
    steps = -np.eye(3)[list(turn)] * np.array(SPACING)
    first = np.array(ORIGIN) + (np.array(marked().shape) - 0.5) * SPACING
    sizes = " ".join(map(str, ids.shape[::-1]))
    if name == "a.nrrd":
        vectors = [f"({','.join(map(str, row))})" for row in steps]
        head = (
            f"NRRD0004\ntype: ushort\ndimension: 3\nsizes: {sizes}\nencoding: raw\n"
            f"endian: little\nspace directions: {' '.join(vectors)}\n"
            f"space origin: ({','.join(map(str, first))})\n\n"
        )
    else:
        h = np.array(SPACING)[list(turn)]
        matrix = " ".join(map(str, (steps / h[:, None]).ravel()))
        head = (
            f"NDims = 3\nDimSize = {sizes}\nTransformMatrix = {matrix}\n"
            f"ElementSpacing = {' '.join(map(str, h))}\nElementType = MET_USHORT\n"
            f"Offset = {' '.join(map(str, first))}\nElementDataFile = LOCAL\n"
        )
    (tmp_path / name).write_bytes(head.encode() + ids.tobytes())
    body = io.read(tmp_path / name)
    assert (body.phase == marked()).all() and body.grid == BOX and not body.notes


def test_images_of_vectors_are_refused_as_such(tmp_path):
    content = nrrd().replace(
        b"type: int\n", b"type: int\nkinds: vector domain domain\n"
    )
    (tmp_path / "a.nrrd").write_bytes(content)
    with pytest.raises(InputError, match="axis of kind vector: expected one number a"):
        io.read(tmp_path / "a.nrrd")
    (tmp_path / "a.mha").write_bytes(b"ElementNumberOfChannels = 3\n" + mha())
    with pytest.raises(InputError, match="voxels of 3 MET_USHORT each"):
        io.read(tmp_path / "a.mha")


@pytest.mark.parametrize("name", ["a.dream3d", "a.ang", "a.tif", "folder", "a.mhd"])
def test_a_pointer_of_git_lfs_is_called_that(tmp_path, name):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
        (path / "a.png").write_bytes(pointer)
    elif name == "a.mhd":
        path.write_bytes(mha().partition(b"LOCAL")[0] + b"a.raw\n")
        (tmp_path / "a.raw").write_bytes(pointer)
    else:
        path.write_bytes(pointer)
    with pytest.raises(InputError, match="a pointer of Git LFS, .*; git lfs pull"):
        io.read(path)


def test_the_only_dataset_is_named_where_there_are_others(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image/ms"] = marked()
        file["image/ms"].attrs["permute_order"] = "xyz"
        file["image/ms"].attrs["L"] = [1.0, 1.0, 1.0]
    assert not io.read(tmp_path / "a.h5").notes
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["image/time"] = [1.0, 2.0]
    notes = io.read(tmp_path / "a.h5").notes
    assert notes == ("phase ids are those of /image/ms: /image/time are not used",)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.move("image/time", "Scan 1/EBSD/Data/Pattern")
    with pytest.raises(InputError, match="an EBSD scan in HDF5: .* as .ang or .ctf"):
        io.read(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.mha", mha(sized=False)), ("a.nrrd", nrrd(directions=False, sized=False))],
)
def test_an_image_without_voxel_size_says_so(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    body = io.read(tmp_path / name)
    assert body.notes == ("voxels assumed to be cubes, edge 1/4 (--spacing)",)
    assert not io.read(tmp_path / name, spacing=SPACING).notes


def test_vtk_reads_the_same_image(tmp_path):
    vtk = pytest.importorskip("vtk")
    from vtk.util.numpy_support import vtk_to_numpy

    (tmp_path / "a.mha").write_bytes(mha())
    (tmp_path / "a.vtk").write_bytes(vtk_legacy(place="POINT_DATA"))
    for reader in (vtk.vtkMetaImageReader(), vtk.vtkStructuredPointsReader()):
        legacy = isinstance(reader, vtk.vtkStructuredPointsReader)
        reader.SetFileName(str(tmp_path / ("a.vtk" if legacy else "a.mha")))
        reader.Update()
        found = reader.GetOutput()
        values = vtk_to_numpy(found.GetPointData().GetScalars())
        assert (values == marked().ravel(order="F")).all()
        assert found.GetSpacing() == SPACING
        centre = np.array(ORIGIN) + np.array(SPACING) / 2
        np.testing.assert_allclose(found.GetOrigin(), centre)
