"""Files with one fault each, and sound ones beside them, for the command line."""

import h5py
import numpy as np
from written_files import body, dream3d, marked, result, tesr, vti

from fftmech import Grid, Microstructure, io
from fftmech.materials import PORE, isotropic

IDS = np.zeros((4, 4, 4), int)
IDS[:2] = 1
VOIGT = np.array([2 * np.eye(6), 3 * np.eye(6)])
SOLID = isotropic(E=1.0, nu=0.3)
XYZ = {"axes": "xyz", "spacing": [1.0, 1.0, 1.0]}

TABLE = """units = "GPa"
[default]
isotropic = { E = 1.0, nu = 0.3 }
"""
TOML = {
    "ok": TABLE,
    "broken": TABLE + "cubic = { C11 = 1,,}\n",
    "huge": TABLE.replace("1.0", "1" + "0" * 400),
    "zero": "[[phase]]\nid = 0\nisotropic = { E = 1.0, nu = 0.3 }\n",
}


def write_bad_files(folder):
    """Write all of them."""
    write_bare_hdf5(folder)
    write_own_format(folder)
    write_other_formats(folder)
    for name, text in TOML.items():
        (folder / f"{name}.toml").write_text(text)
    (folder / "folder").mkdir()
    (folder / "locked").mkdir(mode=0o500)


def bare(path, phase, attributes=XYZ, stiffness=VOIGT):
    """Write a bare HDF5 file."""
    with h5py.File(path, "w") as file:
        file["phase"] = phase
        file["phase"].attrs.update(attributes)
        file["stiffness"] = stiffness


def write_bare_hdf5(folder):
    """Bare HDF5; `bare.h5` is sound, and so is `linked.h5`, which links to it."""
    for name, phase in (
        ("bare", IDS),
        ("negative", -IDS),
        ("half", IDS / 2),
        ("inf", np.where(IDS, np.inf, 0)),
        ("wide", IDS.astype("u8") << 40),
        ("line", IDS[0, 0]),
        ("four", IDS[None]),
        ("none", IDS[:0]),
        ("string", IDS.astype("S3")),
        ("complex", IDS.astype(complex)),
        ("null", h5py.Empty("i4")),
    ):
        bare(folder / f"{name}.h5", phase)
    bare(folder / "order.h5", IDS, {})
    skew = VOIGT.copy()
    skew[1, 0, 1] = 0.5
    for name, stiffness in (
        ("nan", np.where(np.eye(6), np.nan, VOIGT)),
        ("skew", skew),
        ("minus", -VOIGT),
        ("small", VOIGT[:, :3, :3]),
        ("rows", VOIGT[:1]),
    ):
        bare(folder / f"{name}.h5", IDS, stiffness=stiffness)
    with h5py.File(folder / "object.h5", "w") as file:
        item = file.create_dataset("phase", (2, 2, 2), h5py.vlen_dtype("i4"))
        item.attrs.update(XYZ)
    with h5py.File(folder / "alone.h5", "w") as file:
        file["image"] = IDS[0]
    for name, target, place in (
        ("link", "no.h5", "/a"),
        ("linked", "bare.h5", "/phase"),
    ):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["phase"] = h5py.ExternalLink(target, place)
            file["stiffness"] = VOIGT


def write_own_format(folder):
    """VTKHDF microstructures and results, and damaged copies."""
    for name, stiffness in (
        ("ok", np.array([SOLID, 2 * SOLID])),
        ("pore", np.array([SOLID, PORE])),
        ("pores", np.array([PORE, PORE])),
        ("phase", None),
    ):
        io.write(folder / f"{name}.h5", Microstructure(Grid((4, 4, 4)), IDS, stiffness))
    io.write(folder / "small_grid.h5", body())
    rng = np.random.default_rng(0)
    io.write_result(folder / "result.h5", result(rng))
    io.write_result(folder / "other.h5", result(rng, micro=io.read(folder / "ok.h5")))
    content = (folder / "ok.h5").read_bytes()
    (folder / "cut.h5").write_bytes(content[:-300])
    # SNOD is the mark of a group's table of contents
    (folder / "damaged.h5").write_bytes(content.replace(b"SNOD", b"SNOB"))
    content = (folder / "result.h5").read_bytes()
    (folder / "run.h5").write_bytes(content.replace(b'"scheme":', b'"scheme"*'))


def write_other_formats(folder):
    """Other formats; `a.npy` and `a.raw` are sound, `mine` is another's."""
    (folder / "empty.h5").touch()
    for name in ("text.h5", "a.doc", "text.tesr", "mine.h5", "mine.png"):
        (folder / name).write_text("mine\n")
    np.save(folder / "a.npy", IDS)
    np.save(folder / "object.npy", np.array([{}]), allow_pickle=True)
    head = (folder / "a.npy").read_bytes().replace(b"'shape': (4,", b"'shape': ((,")
    (folder / "head.npy").write_bytes(head)
    (folder / "a.raw").write_bytes(IDS.astype("u1").tobytes())

    dream3d(folder / "ids.dream3d", 7, marked())
    with h5py.File(folder / "ids.dream3d", "a") as file:
        del file["DataContainers/Scan/EBSD Cells/FeatureIds"]
    dream3d(folder / "cells.dream3d", 8, marked())
    with h5py.File(folder / "cells.dream3d", "a") as file:
        del file["DataStructure/Group/Image/Cell Data"]

    (folder / "noise.vti").write_bytes(np.random.default_rng(0).bytes(500))
    two = vti("ascii").replace(b"material", b"grain")
    array = two[two.index(b"<DataArray") : two.index(b"</CellData>")]
    two = two.replace(array, array + array.replace(b"grain", b"id"))
    (folder / "two.vti").write_bytes(two)
    damaged = bytearray(vti("binary"))
    damaged[-200:-180] = b"!" * 20
    (folder / "damaged.vti").write_bytes(damaged)
    many = tesr().replace(b"**cell\n   2", b"**cell\n   2000000000")
    (folder / "many.tesr").write_bytes(many)


def write_bad_tif(folder):
    """TIFF in colour, and of four pages cut short; needs tifffile."""
    import tifffile

    colours = np.zeros((4, 4, 3), "u1")
    tifffile.imwrite(folder / "colour.tif", colours, photometric="rgb")
    tifffile.imwrite(folder / "cut.tif", IDS.astype("u1"))
    content = (folder / "cut.tif").read_bytes()
    (folder / "cut.tif").write_bytes(content[:100])
