"""TIFF and PNG: slices, voxel sizes from metadata, notes on what is assumed."""

import numpy as np
import pytest
from command_lines import run_fftmech
from written_files import NX, NY, NZ, marked

from fftmech import InputError, homogenize, io
from fftmech.io.materials import read_materials
from fftmech.tensors import voigt_from_mandel

tifffile = pytest.importorskip("tifffile")
pillow = pytest.importorskip("PIL.Image")

DEPTH = "distance of slices not given: 1 um, as ImageJ takes it (--spacing)"
CUBES = "voxels assumed to be cubes, edge 1/4 (--spacing)"
ROWS = marked().T.astype("u2")


def write_slices(folder, ending, numbers=range(NZ)):
    """One file a slice, numbered without zeros in front."""
    folder.mkdir(exist_ok=True)
    for k, plane in zip(numbers, ROWS, strict=True):
        name = folder / f"scan_{k}{ending}"
        if ending == ".png":
            pillow.fromarray(plane).save(name)
        else:
            tifffile.imwrite(name, plane)


@pytest.mark.parametrize("name", ["imagej.tif", "ome.ome.tif"])
def test_voxel_sizes_come_from_the_file(cases, name):
    body = io.read(cases / name)
    assert body.grid.h == (0.5, 0.5, 2.0) and body.units == {"length": "um"}
    assert not body.notes
    body = read_materials(cases / "fibre.toml").apply(body)
    C = voigt_from_mandel(homogenize(body, scheme="rotated").stiffness)
    assert C[0, 0] == pytest.approx(8.07, abs=0.01)


@pytest.mark.parametrize("ending", [".tif", ".png"])
def test_a_folder_of_slices_is_in_natural_order(tmp_path, ending):
    write_slices(tmp_path / "ct", ending, [8, 9, 10, 11])
    (tmp_path / "ct" / "Thumbs.db").write_text("x")
    body = io.read(tmp_path / "ct")
    assert (body.phase == marked()).all()
    assert body.notes == (CUBES,)
    assert not io.read(tmp_path / "ct", spacing=(1, 2, 3)).notes
    assert io.kind(tmp_path / "ct") == "microstructure"
    # a list is in that order too, and a pattern
    files = sorted((tmp_path / "ct").glob("scan*"))
    assert (io.read(files).phase == marked()).all()
    assert (io.read(str(tmp_path / "ct" / f"scan_*{ending}")).phase == marked()).all()


def test_a_gap_in_the_numbers_and_other_files_are_notes(tmp_path):
    write_slices(tmp_path / "ct", ".tif", [1, 2, 4, 5])
    (tmp_path / "ct" / "scanner.log").write_text("x")
    notes = io.read(tmp_path / "ct").notes
    assert notes[0] == "files that are no slices: scanner.log"
    assert "jump from scan_2.tif to scan_4.tif" in notes[1]


def test_slices_that_do_not_fit_together_are_refused(tmp_path):
    write_slices(tmp_path / "ct", ".tif")
    tifffile.imwrite(tmp_path / "ct" / "scan_9.tif", ROWS[0][:2])
    with pytest.raises(InputError, match="scan_9.tif has .*slices of one size"):
        io.read(tmp_path / "ct")
    tifffile.imwrite(tmp_path / "ct" / "scan_9.tif", ROWS, photometric="minisblack")
    with pytest.raises(InputError, match="scan_9.tif has 4 pages"):
        io.read(tmp_path / "ct")
    write_slices(tmp_path / "both", ".tif")
    write_slices(tmp_path / "both", ".png")
    with pytest.raises(InputError, match="several kinds"):
        io.read(tmp_path / "both")


def test_a_folder_of_bodies_is_no_stack(tmp_path):
    write_slices(tmp_path / "work", ".png")
    np.save(tmp_path / "work" / "a.npy", marked())
    with pytest.raises(InputError, match="is a folder: give the name of a file"):
        io.read(tmp_path / "work")


@pytest.mark.parametrize("ending", [".tif", ".png", ".npy"])
def test_a_flat_image_is_one_voxel_in_z(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".npy":
        np.save(path, ROWS[2].T)
    elif ending == ".png":
        pillow.fromarray(ROWS[2]).save(path)
    else:
        tifffile.imwrite(path, ROWS[2])
    body = io.read(path)
    assert (body.phase == marked()[:, :, 2:3]).all()
    assert "the image is flat: one voxel along z" in body.notes


@pytest.mark.parametrize(
    ("metadata", "h", "note"),
    [
        ({"unit": "um", "spacing": 2.0}, (0.5, 0.25, 2.0), None),
        ({"unit": "\\u00B5m"}, (0.5, 0.25, 1.0), DEPTH),
        ({"unit": "inch"}, (0.25, 0.25, 0.25), CUBES),
        ({"unit": "pixel"}, (0.25, 0.25, 0.25), CUBES),
    ],
)
def test_imagej(tmp_path, metadata, h, note):
    tifffile.imwrite(
        *(tmp_path / "a.tif", ROWS),
        imagej=True,
        resolution=(2, 4),
        metadata=metadata | {"axes": "ZYX"},
    )
    body = io.read(tmp_path / "a.tif")
    dots = ["its dots per inch or cm are not used (--spacing)"]
    expected = dots * (metadata["unit"] == "inch") + [note] * bool(note)
    assert body.grid.h == h and list(body.notes) == expected
    assert body.units == ({} if note == CUBES else {"length": "um"})


@pytest.mark.parametrize(
    ("sizes", "h", "note"),
    [
        ({"X": 0.5, "Y": 0.5, "Z": 2000, "ZUnit": "nm"}, (0.5, 0.5, 2.0), None),
        ({"X": 0.5, "Y": 0.5}, (0.5, 0.5, 0.5), "distance of slices not given"),
        ({"X": 1, "Y": 1, "Z": 2, "ZUnit": "pc"}, (0.25,) * 3, "pc and um are not"),
    ],
)
def test_ome(tmp_path, sizes, h, note):
    said = {f"PhysicalSize{key}": value for key, value in sizes.items()}
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, ROWS, ome=True, metadata=said | {"axes": "ZYX"})
    body = io.read(path)
    assert body.grid.h == h
    assert (note is None) == (not body.notes) and (note or "") in "".join(body.notes)


def test_channels_and_times_are_no_slices(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ROWS, imagej=True, metadata={"axes": "TYX"})
    assert "4 times are taken as slices along z" in io.read(path).notes


@pytest.mark.parametrize("every", [2, 4])
def test_pages_that_are_stored_in_two_ways_are_one_stack(tmp_path, every):
    """Every second page of another compression, or one, as some programs write them."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for k, page in enumerate(ROWS):
            packed = "zlib" if k % every == 1 else None
            file.write(page, compression=packed, metadata=None, contiguous=False)
    body = io.read(path)
    assert (body.phase == marked()).all() and body.notes == (CUBES,)


def test_dots_per_inch_are_no_voxel_size(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        *(path, ROWS),
        photometric="minisblack",
        resolution=(72, 72),
        resolutionunit="INCH",
    )
    body = io.read(path)
    assert body.notes == ("its dots per inch or cm are not used (--spacing)", CUBES)


def test_indices_of_a_palette_are_the_ids(tmp_path):
    image = pillow.fromarray(np.eye(4, dtype="u1") * 3, mode="P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "a.png")
    body = io.read(tmp_path / "a.png")
    assert body.phases.tolist() == [0, 3]
    assert "colours are not used: the numbers behind them are" in body.notes
    image.convert("RGB").save(tmp_path / "a.png")
    with pytest.raises(InputError, match="colour"):
        io.read(tmp_path / "a.png")


def test_the_order_of_axes_of_a_bare_array_is_a_note(tmp_path):
    np.save(tmp_path / "a.npy", marked())
    order = "order of axes assumed to be xyz: 2 x 3 x 4 voxels along x y z (--axes zyx"
    notes = io.read(tmp_path / "a.npy").notes
    assert notes == (f"{order}: 4 x 3 x 2)", CUBES)
    assert not io.read(tmp_path / "a.npy", axes="xyz", spacing=(1, 1, 1)).notes
    (tmp_path / "a.raw").write_bytes(ROWS.tobytes())
    given = {"shape": (NX, NY, NZ), "dtype": "uint16"}
    notes = io.read(tmp_path / "a.raw", **given).notes
    assert "x assumed to run fastest" in notes[0] and "'>u2' is the other" in notes[1]
    given |= {"dtype": "<u2", "axes": "zyx", "spacing": (1, 1, 1)}
    assert not io.read(tmp_path / "a.raw", **given).notes


def test_the_result_of_a_pattern_has_a_name_without_wildcards(tmp_path, monkeypatch):
    write_slices(tmp_path / "ct", ".png")
    (tmp_path / "m.toml").write_text("[default]\nisotropic = { E = 1, nu = 0.3 }\n")
    monkeypatch.chdir(tmp_path)
    for source, name in (("ct/scan_*.png", "scan_"), ("ct", "ct")):
        line = ["solve", source, "--materials", "m.toml", "--strain", "xx=1e-3"]
        run_fftmech(*line)
        assert (tmp_path / f"{name}-result.vtkhdf").exists()
