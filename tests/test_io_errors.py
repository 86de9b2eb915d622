"""Bad files: one line that names the file and the dataset, and how to mend it."""

import gzip

import h5py
import numpy as np
import pytest
from written_files import (
    NX,
    NY,
    NZ,
    bare_hdf5,
    body,
    dream3d,
    marked,
    result,
    tesr,
    vti,
)

from fftmech import InputError, io

bare = pytest.fixture(bare_hdf5)

ONES = np.ones((NX, NY, NZ), int)
XYZ = {"axes": "xyz"}

BAD_HDF5 = {
    "unknown axes": ({"phase": (ONES, {"axes": "yxz"})}, {}, 'expected "xyz" or "zyx"'),
    "NaN": (
        {"phase": (ONES * np.nan, XYZ)},
        {},
        r"phase has 24 voxel\(s\) that are NaN",
    ),
    "quaternion of zeros": (
        {"phase": (ONES, XYZ), "orientation": np.array([[1.0, 0, 0, 0], [0] * 4])},
        {},
        r"dataset /orientation: row 1 is zero: expected unit quaternions",
    ),
    "group": ({"a/b": ONES}, {"dataset": "a"}, r"dataset a is a group; .* /a/b"),
    "spacing": ({"phase": (ONES, XYZ)}, {"spacing": (1, 0, 1)}, "positive lengths"),
}


@pytest.mark.parametrize("case", BAD_HDF5)
def test_bad_hdf5_is_named_with_its_dataset(bare, case):
    contents, options, message = BAD_HDF5[case]
    path = bare(**contents)
    with pytest.raises(InputError, match=message) as caught:
        io.read(path, **options)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_truncated_files_are_named(tmp_path):
    io.write(tmp_path / "a.h5", body())
    np.save(tmp_path / "a.npy", marked())
    (tmp_path / "a.vti").write_bytes(vti("binary"))
    (tmp_path / "a.tesr").write_bytes(tesr())
    (tmp_path / "a.raw.gz").write_bytes(gzip.compress(marked().tobytes()))
    shape = {"shape": (NX, NY, NZ), "dtype": "int64"}
    for name in ("a.h5", "a.npy", "a.vti", "a.tesr", "a.raw.gz"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
        with pytest.raises(InputError, match=str(path)):
            io.read(path, **(shape if "raw" in name else {}))


def test_vti_data_that_is_damaged(tmp_path):
    content = bytearray(vti("binary", compressed=False))
    start = content.index(b"offset") + 20
    (tmp_path / "a.vti").write_bytes(bytes(content[:start] + content[start + 40 :]))
    with pytest.raises(InputError, match="cell data material: data cut short"):
        io.read(tmp_path / "a.vti")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'Spacing="0.5 1 2"', b'Spacing="0.5 one 2"'),
        (b'WholeExtent="1 3 0 3 0 4"', b'WholeExtent="1 3 0 3"'),
        (b"1 3 0 3 0 4", b"1 3 0 3 4 4"),
        (b'Piece Extent="1 3', b'Piece Extent="1 2'),
        (b'Spacing="', b'Direction="0 1 0 1 0 0 0 0 1" Spacing="'),
        (b'type="ImageData"', b'type="PolyData"><x/></VTKFile>'),
        (b'type="Int64"', b'type="String"'),
        (b'Name="material"', b'NumberOfComponents="3" Name="material"'),
        (b'compressor="vtkZLib', b'compressor="vtkLZ4'),
    ],
)
def test_vti_that_does_not_say_what_it_must(tmp_path, old, new):
    (tmp_path / "a.vti").write_bytes(vti("binary").replace(old, new))
    with pytest.raises(InputError, match="a.vti: "):
        io.read(tmp_path / "a.vti")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"   3\n", b"   4\n", "section missing, cut short or not numbers"),
        (b"2 3 4", b"2 3 x", "section missing, cut short or not numbers"),
        (b"ascii", b"binary12", "format 'binary12' of ..data: expected ascii, binary8"),
        (b"\n***end", b" 7\n***end", "25 values under ..data, expected 24"),
        (b" 100 10 ", b" -1 10 ", "cell -1 is negative"),
        (b" **data", b" *ori\n euler-roe\n 1 2 3\n **data", "descriptor 'euler-roe'"),
        (b" **data", b" *ori\n rodrigues\n 1 2 3\n **data", "not numbers"),
        (b"   ascii\n", b"   ascii\n *file no.raw\n", "no.raw does not exist"),
    ],
)
def test_tesr_that_does_not_say_what_it_must(tmp_path, old, new, message):
    assert old in tesr()
    (tmp_path / "a.tesr").write_bytes(tesr().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        io.read(tmp_path / "a.tesr")


def test_a_tif_of_four_axes_or_in_colour_is_refused(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    several = np.zeros((2, 3, 8, 8), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", several, imagej=True)
    with pytest.raises(InputError, match="expected a stack"):
        io.read(tmp_path / "a.tif")
    tifffile.imwrite(
        tmp_path / "b.tif", np.zeros((8, 8, 3), np.uint8), photometric="rgb"
    )
    with pytest.raises(InputError, match="colour"):
        io.read(tmp_path / "b.tif")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (2, 3, 3), "dtype": "uint8"}, "more than 18 bytes"),
        ({"shape": (2, 3, 4), "dtype": "complex64"}, "expected the type of a voxel"),
    ],
)
def test_raw_must_have_the_size_that_is_said(tmp_path, options, message):
    marked().astype(np.uint8).tofile(tmp_path / "a.raw")
    with pytest.raises(InputError, match=message):
        io.read(tmp_path / "a.raw", **options)


def test_absurd_sizes_are_refused_before_memory_is_taken(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("phase", (10**5,) * 3, "u1", chunks=(64, 64, 64))
        file["phase"].attrs["axes"] = "xyz"
    header = vti("ascii").replace(b"1 3 0 3 0 4", b"0 9999 0 9999 0 99999")
    (tmp_path / "a.vti").write_bytes(header)
    text = "***tesr\n**format 2.1\n**general 3 99999 99999 99999 1 1 1\n**data\nascii\n"
    (tmp_path / "a.tesr").write_text(text)
    for name in ("a.h5", "a.vti", "a.tesr"):
        with pytest.raises(InputError, match="reading .* GiB"):
            io.read(tmp_path / name)


def test_dream3d_without_what_is_needed(tmp_path):
    path = dream3d(tmp_path / "a.dream3d", 7, ONES)
    with h5py.File(path, "a") as file:
        cells = file["DataContainers/Scan/EBSD Cells"]
        cells["Grains"] = cells["FeatureIds"][()] + 4
        del cells["FeatureIds"]
    with pytest.raises(InputError, match="cells without FeatureIds.*Grains"):
        io.read(path)
    named = "DataContainers/Scan/EBSD Cells/Grains"
    assert (io.read(path, dataset=named).phase == 5).all()
    with pytest.raises(InputError, match="expected cells of an image geometry"):
        io.read(path, dataset="DataContainers/Scan/Features/FeatureIds")
    with h5py.File(path, "a") as file:
        del file["DataContainers/Scan/EBSD Cells"]
    with pytest.raises(InputError, match="image geometry without cells"):
        io.read(path)
    with h5py.File(path, "a") as file:
        del file["DataContainers/Scan/_SIMPL_GEOMETRY"]
    with pytest.raises(InputError, match="no image geometry"):
        io.read(path)


def test_dream3d_angles_in_degrees_are_refused(tmp_path):
    euler = np.full((NX, NY, NZ, 3), 312.0)
    path = dream3d(tmp_path / "a.dream3d", 7, ONES, euler=euler)
    with pytest.raises(InputError, match="EulerAngles: angle 312: expected radians"):
        io.read(path)


def test_vtkhdf_that_does_not_fit_itself(tmp_path, rng):
    def broken(change):
        io.write_result(tmp_path / "a.h5", result(rng))
        with h5py.File(tmp_path / "a.h5", "a") as file:
            change(file)
        return tmp_path / "a.h5"

    def set_attribute(group, name, value):
        return lambda file: file[group].attrs.__setitem__(name, value)

    for change, message in (
        (set_attribute("VTKHDF", "Type", np.bytes_("PolyData")), "expected ImageData"),
        (set_attribute("VTKHDF", "WholeExtent", [0, 1, 0, 1, 0, 1]), "has shape"),
        (set_attribute("VTKHDF", "Spacing", [1.0]), "Spacing .* 3 numbers"),
        (set_attribute("fftmech", "format_version", 99), "newer than this program"),
        (
            lambda file: file.__delitem__("VTKHDF/CellData/phase"),
            "phase does not exist",
        ),
    ):
        with pytest.raises(InputError, match=message):
            io.read(broken(change))
    for change, message in (
        (
            lambda file: file.__delitem__("VTKHDF/CellData/stress"),
            "stress does not exist",
        ),
        (lambda file: file.__delitem__("fftmech/run"), "holds no result"),
    ):
        with pytest.raises(InputError, match=message):
            io.read_result(broken(change))


def test_a_microstructure_is_no_result(tmp_path):
    io.write(tmp_path / "a.h5", body())
    with pytest.raises(
        InputError, match="holds no result; make one with fftmech solve"
    ):
        io.read_result(tmp_path / "a.h5")


def test_kind_of_other_files(tmp_path, bare):
    assert io.kind(bare("b.h5", phase=ONES)) == "microstructure"
    (tmp_path / "a.doc").write_text("x")
    assert io.kind(tmp_path / "a.doc") is None
    with pytest.raises(InputError, match="unknown extension: expected one of .h5"):
        io.read(tmp_path / "a.doc")
    for missing in ("no.h5", "no.vti"):
        with pytest.raises(InputError, match=f"{missing}: no such file"):
            io.kind(tmp_path / missing)
    with pytest.raises(InputError, match="is a folder"):
        io.read(tmp_path)


@pytest.mark.parametrize("option", ["shape", "axes", "spacing", "dtype", "threshold"])
def test_an_option_that_the_format_does_not_take_is_refused(tmp_path, option):
    io.write(tmp_path / "a.h5", body())
    value = {"axes": "xyz", "dtype": "uint8", "threshold": 1.0}.get(option, (1, 1, 1))
    with pytest.raises(InputError, match=f"takes no --{option} .it takes --dataset"):
        io.read(tmp_path / "a.h5", **{option: value})
