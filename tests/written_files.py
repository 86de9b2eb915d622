"""Small files of every format, written by hand, that the tests read."""

import base64
import struct
import zlib

import h5py
import numpy as np

from fftmech import Grid, Load, Microstructure, Result
from fftmech.materials import PORE, cubic

NX, NY, NZ = 2, 3, 4
MARK = (1, 0, 2)


def marked():
    """An asymmetric map whose ids are their own addresses: 100 x + 10 y + z."""
    x, y, z = np.indices((NX, NY, NZ))
    return 100 * x + 10 * y + z


def body(**changes):
    """Two phases, one of them a pore, on voxels that are no cubes."""
    phase = np.zeros((NX, NY, NZ), int)
    phase[MARK] = 1
    fields = {
        "grid": Grid((NX, NY, NZ), (0.5, 0.25, 0.2), (1.0, 2.0, 3.0)),
        "phase": phase,
        "stiffness": np.array([cubic(C11=204.6, C12=137.7, C44=126.2), PORE]),
        "units": {"stress": "GPa", "length": "um"},
    }
    return Microstructure(**(fields | changes))


def result(rng, name="rotated", micro=None, kind=float):
    """A result with random fields: a file must not care what they mean."""
    micro = micro or body()
    shape = micro.grid.shape
    draw = [rng.normal(size=(n, *shape)).astype(kind) for n in (3, 6, 6)]
    return Result(
        micro,
        Load.uniaxial("zz", 1e-3),
        scheme=name,
        solver="cg",
        tolerance=1e-6,
        displacement=draw[0],
        strain=draw[1],
        stress=draw[2],
        energy_density=draw[1][0] ** 2,
        mean_strain=rng.normal(size=6),
        mean_stress=rng.normal(size=6),
        energy=np.float64(0.5),
        status="max_iterations",
        advice="raise --max-iterations",
        iterations=7,
        residuals=[1.0, np.float64(0.25)],
        times={"setup": 0.1, "solve": 2.0},
        certificate={"gap": np.float64(1e-9), "relative": None},
        temperature=3.0,
        precision="double",
    )


def bare_hdf5(tmp_path):
    """Writer of datasets (name: array or (array, attributes)) to an HDF5 file."""

    def write(name="m.h5", **contents):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, value in contents.items():
                values, attributes = value if isinstance(value, tuple) else (value, {})
                file[key] = values
                file[key].attrs.update(attributes)
        return path

    return write


def dream3d(path, version, ids, quats=None, euler=None, structures=None):
    """Write the least that DREAM.3D writes, with cells (z, y, x, components)."""
    dims = ids.shape
    with h5py.File(path, "w") as file:
        if version == 7:
            root = file.create_group("DataContainers/Scan")
            cells = root.create_group("EBSD Cells")
            root["_SIMPL_GEOMETRY/DIMENSIONS"] = np.array(dims, np.int64)
            root["_SIMPL_GEOMETRY/SPACING"] = np.array([0.2, 0.3, 0.4], np.float32)
            root["_SIMPL_GEOMETRY/ORIGIN"] = np.array([1, 2, 3], np.float32)
        else:
            root = file.create_group("DataStructure/Group/Image")
            cells = root.create_group("Cell Data")
            root.attrs["ObjectType"] = "ImageGeom"
            root.attrs["_DIMENSIONS"] = np.array(dims, np.uint64)
            root.attrs["_SPACING"] = np.array([0.2, 0.3, 0.4], np.float32)
            root.attrs["_ORIGIN"] = np.array([1, 2, 3], np.float32)
        cells["FeatureIds"] = ids.T[..., None].astype(np.int32)
        cells["Phases"] = np.ones((*dims[::-1], 1), np.int32)
        for name, values in (("Quats", quats), ("EulerAngles", euler)):
            if values is not None:
                cells[name] = values.transpose(2, 1, 0, 3).astype(np.float32)
        if structures is not None:
            root["Ensemble/CrystalStructures"] = np.array(structures, np.uint32)
        root["Features/FeatureIds"] = np.arange(5)
    return path


def vti(form, size="UInt32", dtype="Int64", compressed=True, together=False):
    """VTK XML of the marked map, its bytes laid out by hand."""
    word = {"UInt32": "I", "UInt64": "Q"}[size]
    numpy_type = {"Int64": "i8", "UInt8": "u1", "Float32": "f4"}[dtype]
    data = marked().T.astype(numpy_type).tobytes()
    head = struct.pack("<" + word, len(data))
    if compressed:
        half = 64
        blocks = [data[i : i + half] for i in range(0, len(data), half)]
        packed = [zlib.compress(block) for block in blocks]
        numbers = [len(blocks), half, len(blocks[-1]) % half, *map(len, packed)]
        head = struct.pack(f"<{len(numbers)}{word}", *numbers)
        data = b"".join(packed)
    b64 = base64.b64encode
    text = b64(head + data) if together else b64(head) + b64(data)
    inline, tail = b"", b""
    if form == "binary":
        inline = b"\n   " + text + b"\n"
    elif form == "ascii":
        inline = " ".join(map(str, marked().T.ravel())).encode()
    else:
        encoding = b"raw" if form == "raw" else b"base64"
        content = head + data if form == "raw" else text
        tail = b'<AppendedData encoding="%b">\n _pad%b\n</AppendedData>' % (
            encoding,
            content,
        )
    packing = ' compressor="vtkZLibDataCompressor"' if compressed else ""
    kind = form if form in ("ascii", "binary") else "appended"
    return (
        f'<?xml version="1.0"?>\n<VTKFile type="ImageData" version="1.0" '
        f'byte_order="LittleEndian" header_type="{size}"{packing}>'
        '<ImageData WholeExtent="1 3 0 3 0 4" Origin="0 0 0" Spacing="0.5 1 2">'
        '<Piece Extent="1 3 0 3 0 4"><CellData>'
        f'<DataArray type="{dtype}" Name="material" format="{kind}" offset="3">'
    ).encode() + inline + (
        b"</DataArray></CellData></Piece></ImageData>" + tail + b"</VTKFile>"
    )  # fmt: skip


def tesr(layout="ascii", extra="", values=None, form="2.1"):
    """A raster tessellation of the marked map, or of `values`, x fastest."""
    values = (marked() if values is None else values).T
    kinds = {"binary8": "u1", "binary16": "<i2", "binary32_big": ">i4"}
    body_ = (
        " ".join(map(str, values.ravel())).encode()
        if layout == "ascii"
        else values.astype(kinds[layout]).tobytes()
    )
    old = form == "2.0"
    head = f"""***tesr
 **format
   {form}{" " + layout if old else ""}
 **general
   3
   {NX} {NY} {NZ}
   0.5 1.0 2.0
  *origin
   1.0 2.0 3.0
 **cell
   2
{extra} **data
{"" if old else "   " + layout + chr(10)}"""
    return head.encode() + body_ + b"\n***end\n"
