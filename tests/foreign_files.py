"""Small files of other programs' formats, written by hand, that the tests read."""

import bz2
import gzip
import io as memory
import struct
import zlib

import numpy as np
import pytest
from written_files import NX, NY, NZ, marked, tesr, vti

from fftmech import Load, solve

SPACING = (0.5, 1.0, 2.0)
ORIGIN = (1.0, 2.0, 3.0)
VTK_TYPES = {"i8": "vtktypeint64", "u1": "unsigned_char", "f4": "float"}


def vtk_legacy(form="BINARY", place="CELL_DATA", kind="i8", field=False):
    """Structured points of the marked map, on cells or on points."""
    values = marked().T.ravel().astype(f">{kind}")
    dims = np.array((NX, NY, NZ)) + (place == "CELL_DATA")
    corner = np.array(ORIGIN) + (place == "POINT_DATA") * np.array(SPACING) / 2
    data = values.tobytes()
    if form == "ASCII":
        data = " ".join(map(str, values.tolist())).encode()
    name = VTK_TYPES[kind]
    head = f"SCALARS material {name} 1\nLOOKUP_TABLE default\n"
    if field:
        head = f"FIELD FieldData 1\nmaterial 1 {values.size} {name}\n"
    lines = (
        f"# vtk DataFile Version 3.0\nmarked\n{form}\nDATASET STRUCTURED_POINTS\n"
        f"DIMENSIONS {dims[0]} {dims[1]} {dims[2]}\n"
        f"SPACING {SPACING[0]} {SPACING[1]} {SPACING[2]}\n"
        f"ORIGIN {corner[0]} {corner[1]} {corner[2]}\n"
        f"{place} {values.size}\nVECTORS v float\n"
    )
    some = np.zeros(3 * values.size, ">f4").tobytes()
    if form == "ASCII":
        some = b"0 " * (3 * values.size)
    return lines.encode() + some + b"\n" + head.encode() + data + b"\n"


def vtk_planes(form="BINARY", even=True):
    """A legacy rectilinear grid of the marked map, as DREAM.3D writes it."""
    lines = f"# vtk DataFile Version 2.0\nmarked\n{form}\nDATASET RECTILINEAR_GRID\n"
    content = f"{lines}DIMENSIONS {NX + 1} {NY + 1} {NZ + 1}\n".encode()
    for axis, start, h, n in zip("XYZ", ORIGIN, SPACING, (NX, NY, NZ), strict=True):
        at = (start + h * np.arange(n + 1)).astype(">f4")
        at[-1] += 0 if even else 0.1
        content += f"{axis}_COORDINATES {n + 1} float\n".encode()
        content += at.tobytes() if form == "BINARY" else " ".join(map(str, at)).encode()
        content += b"\n"
    ids = marked().T.ravel().astype(">i4")
    content += f"CELL_DATA {ids.size}\nSCALARS FeatureIds int 1\n".encode()
    content += b"LOOKUP_TABLE default\n"
    data = ids.tobytes() if form == "BINARY" else " ".join(map(str, ids)).encode()
    return content + data + b"\n"


def vtr(even=True):
    """A rectilinear grid of the marked map, ascii."""
    rows = []
    for start, h, n in zip(ORIGIN, SPACING, (NX, NY, NZ), strict=True):
        at = start + h * np.arange(n + 1)
        at[-1] += 0 if even else 0.1
        text = " ".join(map(str, at))
        rows.append(f'<DataArray type="Float64" format="ascii">{text}</DataArray>')
    ids = " ".join(map(str, marked().T.ravel()))
    extent = f"0 {NX} 0 {NY} 0 {NZ}"
    return (
        f'<VTKFile type="RectilinearGrid"><RectilinearGrid WholeExtent="{extent}">'
        f'<Piece Extent="{extent}"><Coordinates>{"".join(rows)}</Coordinates><CellData>'
        f'<DataArray type="Int32" Name="material" format="ascii">{ids}</DataArray>'
        "</CellData></Piece></RectilinearGrid></VTKFile>"
    ).encode()


def mha(packed=False, flipped=False, sized=True):
    """A MetaImage of the marked map; `flipped` runs down along x."""
    ids = marked()[::-1] if flipped else marked()
    data = ids.T.astype("<u2").tobytes()
    first = np.array(ORIGIN) + np.array(SPACING) / 2
    first[0] += flipped * (NX - 1) * SPACING[0]
    turn = f"{-1 if flipped else 1} 0 0 0 1 0 0 0 1"
    size = f"ElementSpacing = {' '.join(map(str, SPACING))}\n" if sized else ""
    return (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\n"
        f"BinaryDataByteOrderMSB = False\nCompressedData = {packed}\n"
        f"TransformMatrix = {turn}\nOffset = {' '.join(map(str, first))}\n{size}"
        f"DimSize = {NX} {NY} {NZ}\nElementType = MET_USHORT\nElementDataFile = LOCAL\n"
    ).encode() + (zlib.compress(data) if packed else data)


def nrrd(encoding="raw", directions=True, sized=True):
    """A NRRD of the marked map."""
    data = marked().T.astype("<i4").tobytes()
    first = np.array(ORIGIN) + np.array(SPACING) / 2
    packed = {
        "raw": data,
        "gzip": gzip.compress(data),
        "bzip2": bz2.compress(data),
        "text": " ".join(map(str, marked().T.ravel())).encode(),
    }[encoding]
    size = "spacings: 0.5 1 2\n" * sized
    if directions:
        x, y, z = first
        size = (
            "space directions: (0.5,0,0) (0,1,0) (0,0,2)\n"
            f'space units: "mm" "mm" "mm"\nspace origin: ({x},{y},{z})\n'
        )
    return (
        f"NRRD0004\n# a comment\ntype: int\ndimension: 3\nsizes: {NX} {NY} {NZ}\n"
        f"{size}endian: little\nencoding: {encoding}\nname:=marked\n\n"
    ).encode() + packed


def abaqus(ids=None, h=SPACING, extra="", sections=True, kind="C3D8R"):
    """A deck of voxels: the element set and material of each id, two materials."""
    ids = np.ones((2, 2, 2), int) if ids is None else ids
    shape = np.array(ids.shape)
    lines = ["*Heading", " voxels", "** a comment", "*Part, name=PART-1", "*Node"]
    nodes = np.indices(shape + 1).reshape(3, -1).T
    number = np.arange(1, len(nodes) + 1).reshape(shape + 1)
    for n, at in enumerate(nodes, start=1):
        x, y, z = np.array(ORIGIN) + at * h
        lines.append(f"{n}, {x}, {y}, {z}")
    lines.append(f"*Element, type={kind}")
    ring = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]
    corners = [*ring, *((x, y, 1) for x, y, _ in ring)]
    cells = np.argwhere(ids > 0)
    for e, cell in enumerate(cells, start=1):
        around = [number[tuple(cell + corner)] for corner in corners]
        lines.append(", ".join(map(str, [e, *around])))
    of = ids[tuple(cells.T)]
    for p in np.unique(of):
        lines.append(f"*Elset, elset=GRAIN-{p}")
        members = (np.flatnonzero(of == p) + 1).tolist()
        lines += [
            ", ".join(map(str, members[i : i + 16])) for i in range(0, len(members), 16)
        ]
        if sections:
            lines += [f"*Solid Section, elset=GRAIN-{p}, material=MAT-{p}", ","]
    lines += ["*End Part"]
    return "\n".join([*lines, extra, ""]).encode()


def material(name, *lines):
    """Lines of a material of a deck."""
    return "\n".join([f"*Material, name={name}", *lines])


IRON = "*Elastic\n 210., 0.3"


def tif():
    """A small TIFF stack as ImageJ writes it."""
    tifffile = pytest.importorskip("tifffile")
    file = memory.BytesIO()
    ids = marked().T.astype("u2")
    tifffile.imwrite(file, ids, imagej=True, metadata={"spacing": 2.0, "unit": "um"})
    return file.getvalue()


def png():
    """A small PNG."""
    pillow = pytest.importorskip("PIL.Image")
    file = memory.BytesIO()
    pillow.fromarray(marked()[:, :, 0].astype("u1")).save(file, format="PNG")
    return file.getvalue()


def write_form(form, folder):
    """Write the small sound file of one of `FORMS`; return its path."""
    path = folder / f"a.{form.split()[0]}"
    path.write_bytes(bytes_of(form))
    return path


def bytes_of(form):
    """The bytes of a small sound file."""
    orientations = (
        "  *id\n  7 5\n  *crysym\n  cubic\n  *ori\n  rodrigues\n  0 0 0\n  0.1 0 0\n"
    )
    cells = marked() % 3
    return {
        "tesr": lambda: tesr(extra=orientations, values=cells),
        "tesr binary": lambda: tesr("binary8", extra=orientations, values=cells),
        "tesr voxels": lambda: voxel_tesr(),
        "vti": lambda: vti("raw", compressed=True),
        "vti base64": lambda: vti("binary", compressed=False),
        "vtr": vtr,
        "vtk": vtk_legacy,
        "vtk ascii": lambda: vtk_legacy("ASCII", field=True),
        "vtk planes": vtk_planes,
        "mha": mha,
        "mha packed": lambda: mha(packed=True),
        "nrrd": nrrd,
        "nrrd gzip": lambda: nrrd("gzip"),
        "nrrd text": lambda: nrrd("text", directions=False),
        "inp": lambda: abaqus(
            np.array([[[1, 2], [2, 0]]]), extra=material("MAT-1", IRON)
        ),
        "inp turned": lambda: abaqus(
            extra="*Distribution, location=element, name=D\n, 1, 0, 0, 0, 1, 0\n"
            "2, 0, 1, 0, 1, 0, 0\n*Orientation, name=O\nD\n3, 30\n"
        ).replace(b"material=", b"orientation=O, material="),
        "npy": lambda: npy(marked()),
        "yaml": damask_yaml,
        "tif": tif,
        "png": png,
    }[form]()


FORMS = (
    "tesr", "tesr binary", "tesr voxels", "vti", "vti base64", "vtr", "vtk",
    "vtk ascii", "vtk planes", "mha", "mha packed", "nrrd", "nrrd gzip", "nrrd text",
    "inp", "inp turned", "npy", "yaml", "tif", "png",
)  # fmt: skip


def npy(values):
    """An array as numpy.save writes it."""
    head = f"{{'descr': '{values.dtype.str}', 'fortran_order': False, 'shape': "
    head = f"{head}{values.shape}, }}"
    head = head.ljust(117) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.encode() + values.tobytes()
    )


def voxel_tesr(rows=None, layout="ascii", cells=None, symmetry="cubic", oridef=None):
    """A tessellation whose orientations are those of voxels, Rodrigues vectors."""
    cells = np.ones((NX, NY, NZ), int) if cells is None else cells
    rows = np.tile([0.1, 0.2, 0.3], (cells.size, 1)) if rows is None else rows
    crysym = f"  *crysym\n   {symmetry}\n" if symmetry else ""
    whole = tesr(extra=crysym, values=cells).replace(b"***end\n", b"")
    data = rows.astype("<f8").tobytes()
    if layout == "ascii":
        data = "\n".join(" ".join(map(repr, row)) for row in rows.tolist()).encode()
    whole += f" **oridata\n   rodrigues:active\n   {layout}\n".encode() + data + b"\n"
    if oridef is not None:
        whole += b" **oridef\n   ascii\n" + " ".join(map(str, oridef)).encode() + b"\n"
    return whole + b"***end\n"


PLASTIC = """
      plastic:
        type: phenopowerlaw
        N_sl: [12]
        n_sl: 20
        a_sl: {a}
        h_0_sl-sl: 1.0e+9
        h_sl-sl: [1, 1, {h}]
        xi_0_sl: [31.e+6]
        xi_inf_sl: [63.e+6]
        dot_gamma_0_sl: 0.001"""


def damask_yaml(plastic="", count=2, homogenization="  SX: {N_constituents: 1}"):
    """A material.yaml of `count` grains, steel and zinc in turn."""
    text = f"""
homogenization:
{homogenization}
phase:
  steel:
    lattice: cF
    mechanical:
      output: [F, P]
      elastic: {{type: Hooke, C_11: 204.6e9, C_12: 137.7e9, C_44: 126.2e9}}{plastic}
  zinc:
    lattice: hP
    mechanical:
      elastic:
        type: Hooke
        C_11: 163.7e9
        C_12: 36.4e9
        C_13: 53.e+9
        C_33: 63.5e9
        C_44: 38.8e9
material:
"""
    for m in range(count):
        name = ("steel", "zinc")[m % 2]
        text += (
            "- homogenization: SX\n  constituents:\n"
            f"  - {{phase: {name}, v: 1.0, O: [0.8, 0.0, 0.6, 0.0]}}\n"
        )
    return text.encode()


def pulled(body):
    """Mean stress zz of a body, pulled along z by 1e-3."""
    return solve(body, Load.uniaxial("zz", 1e-3), scheme="rotated").mean_stress[2]
