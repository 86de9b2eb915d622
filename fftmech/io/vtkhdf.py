"""VTKHDF ImageData: the one format that this project writes, for ParaView and h5py.

/VTKHDF holds what ParaView shows: CellData/phase (Nz, Ny, Nx), and the fields of a
result (`vtkhdf_result`). /fftmech holds the tables by phase id and the units; `NOTES`
says their conventions.

The VTKHDF specification is at https://docs.vtk.org, "VTKHDF file format".
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import h5py
import numpy as np

from fftmech.arrays.ranks import Processes
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import container, hdf5, image
from fftmech.io.laws import read_laws, write_laws
from fftmech.io.named_arrays import PLACES, Choice, choose
from fftmech.io.shared_file import new_arrays, read_planes
from fftmech.io.vtkhdf_fields import Arrays, Layout, check_shape, write_components
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import components_from_mandel, voigt_from_mandel
from fftmech.version import __version__

NOTES = {
    "stiffness": "Voigt 6x6, order xx yy zz yz xz xy, engineering shear, sample frame; "
    "row p is phase id p; zero is a pore, infinite is rigid",
    "orientation": "unit quaternions w x y z, v_sample = R v_crystal; row p is phase p",
    "eigenstrain": "tensor components xx yy zz yz xz xy, sample frame; "
    "row p is phase p",
    "thermal_expansion": "tensor components xx yy zz yz xz xy per degree, "
    "sample frame; row p is phase p",
}
"""What the attribute `convention` of each table says."""

OPTIONS = ("dataset", "crop")
USED = (
    "cell data phase (of others' files material or the only one), or --dataset",
    "point data of others' files, a voxel about each point, with a note",
    "WholeExtent, Spacing, Origin",
    "/fftmech: tables by phase id, laws, units, materials, images, notes",
)
IGNORED = ("other arrays of others' files, with a note",)


def recognises(file: h5py.File, _dataset: str | None) -> bool:
    """Whether the file is VTKHDF."""
    return "VTKHDF" in file


def kind(file: h5py.File) -> str:
    """Kind of a VTKHDF file; one that another program wrote is a microstructure."""
    if "fftmech" not in file:
        return "microstructure"
    return container.text(container.group(file, "fftmech").attrs.get("kind", ""))


def write(path: str | PathLike, microstructure: Microstructure) -> None:
    """Write a microstructure; the file appears whole or not at all."""
    with new_arrays(path, microstructure) as (file, arrays):
        write_microstructure(file, arrays, microstructure, "microstructure")


def read(
    path: str | PathLike,
    dataset: str | None = None,
    crop: Sequence[int] | None = None,
) -> Microstructure:
    """Read a microstructure, also that of a result.

    `dataset` names the phase ids among the cell data, "phase" unless given; the path
    in the file, "VTKHDF/CellData/phase", does as well.
    """
    with container.opened(path) as file:
        return read_microstructure(file, dataset, crop=crop)


def read_shared(path: str | PathLike, ranks: Processes) -> Microstructure | None:
    """Read own planes of a file of ours; None if it has to be read in another way."""
    with container.opened(path) as file:
        # what other programs wrote is looked through, with notes
        own = "VTKHDF" in file and "fftmech" in file
        if not own or kind(file) not in ("microstructure", "result"):
            return None
        item = container.dataset(file, "VTKHDF/CellData/phase")
        offset, shape = item.id.get_offset(), item.shape
        # large ids may have to be renumbered, which takes all of them
        small = item.dtype in (np.uint8, np.uint16)
        if offset is None or item.ndim != 3 or not small:
            return None
        root = container.group(file, "VTKHDF")
        extent, spacing, origin = _box(root)
        check_shape(item, tuple((extent[1::2] - extent[::2])[::-1].tolist()))
        low = (origin + extent[::2] * spacing).tolist()
        given, dtype = read_tables(file), item.dtype
    phase = read_planes(path, offset, shape, dtype, ranks)
    grid = Grid(shape[::-1], tuple(spacing.tolist()), tuple(low))
    return Microstructure(grid, phase, ranks=ranks, **given)


def write_microstructure(
    file: h5py.File, arrays: Arrays, body: Microstructure, what: str
) -> None:
    """Write the phase map and the tables; `what` is the kind of file."""
    write_image(arrays, body)
    write_tables(file, body, what)


def write_image(arrays: Arrays, body: Microstructure) -> None:
    """Write the grid and the phase map."""
    root = arrays.root
    nx, ny, nz = body.grid.shape
    # the oldest version: later ones left ImageData as it was
    root.attrs["Version"] = np.array([1, 0])
    # the specification wants a fixed-length ASCII string, not h5py's default
    root.attrs["Type"] = np.bytes_("ImageData")
    root.attrs["WholeExtent"] = np.array([0, nx, 0, ny, 0, nz])
    root.attrs["Origin"] = np.array(body.grid.origin)
    root.attrs["Spacing"] = np.array(body.grid.h)
    root.attrs["Direction"] = np.eye(3).ravel()
    cells = root.create_group("CellData")
    cells.attrs["Scalars"] = np.bytes_("phase")
    least = np.min_scalar_type(len(body.counts) - 1)
    layout = Layout("CellData/phase", (nz, ny, nx), least)
    arrays.write(layout, lambda planes: body.phase[..., planes].T)
    for name, values in body.images.items():
        write_components(arrays, f"CellData/{name}", values)


def write_tables(file: h5py.File, body: Microstructure, what: str) -> h5py.Group:
    """Write units and tables by phase id; return their group, /fftmech."""
    own = file.create_group("fftmech")
    own.attrs["format_version"] = container.FORMAT_VERSION
    own.attrs["kind"] = what
    own.attrs["fftmech_version"] = __version__
    own.attrs["units"] = json.dumps(body.units)
    own.attrs["axes"] = "zyx"
    for name in hdf5.TABLES:
        table = getattr(body, name)
        if table is None:
            continue
        if name == "stiffness":
            table = voigt_from_mandel(table)
        elif name != "orientation":
            table = components_from_mandel(table)
        packed: dict[str, Any] = (
            {"compression": "gzip", "compression_opts": 4} if len(table) else {}
        )
        item = own.create_dataset(name, data=table, **packed)
        item.attrs["convention"] = NOTES[name]
    write_laws(own, body.law)
    for name in hdf5.NUMBERS:
        if getattr(body, name) is not None:
            own.create_dataset(name, data=getattr(body, name), compression="gzip")
    if body.material is not None:
        own["material"].attrs["names"] = json.dumps(body.material_name)
    if body.unindexed is not None:
        own.attrs["unindexed"] = body.unindexed
    if body.images:
        own.attrs["images"] = list(body.images)
    if body.notes:
        own.attrs["notes"] = list(body.notes)
    return own


def read_microstructure(
    file: h5py.File,
    dataset: str | None,
    root: str = "VTKHDF",
    tables: dict[str, Any] | None = None,
    crop: Sequence[int] | None = None,
) -> Microstructure:
    """Read the phase map of the image `root`, and the tables unless they are given."""
    image_group = container.group(file, root)
    extent, spacing, origin = _box(image_group)
    cells = tuple(int(n) for n in extent[1::2] - extent[::2])
    choice = _choice(file, image_group, dataset)
    item = container.dataset(image_group, f"{choice.place}/{choice.name}")
    low = (origin + extent[::2] * spacing).tolist()
    shape, corner = choice.box(cells, spacing.tolist(), low)
    # of a time series, phases do not change
    times = (1,) if item.ndim == 4 else ()
    check_shape(item, (*times, *shape[::-1]))
    given = read_tables(file) if tables is None else tables
    given = {**given, "notes": (*given.get("notes", ()), *choice.notes)}
    made = image.microstructure_from_image(
        item[0] if times else item,
        container.where(item),
        axes="zyx",
        spacing=spacing.tolist(),
        origin=corner,
        crop=crop,
        **given,
    )
    names = file["fftmech"].attrs.get("images", ()) if "fftmech" in file else ()
    if not len(names):
        return made
    x0, x1, y0, y1, z0, z1 = crop or (0, cells[0], 0, cells[1], 0, cells[2])
    found = Arrays(image_group)
    images = {
        str(name): found.read(f"CellData/{name}", cells[::-1])[x0:x1, y0:y1, z0:z1]
        for name in dict.fromkeys(names)
    }
    return made.with_changes(images=images)


def _choice(file: h5py.File, root: h5py.Group, dataset: str | None) -> Choice:
    """Which array holds the phase ids; in a file of ours, cell data phase."""
    if "fftmech" in file and dataset is None:
        return Choice("CellData", "phase")
    arrays: dict[str, dict[str, bool]] = {}
    for place in PLACES:
        group = root.get(place)
        items = group.items() if isinstance(group, h5py.Group) else ()
        arrays[place] = {
            name: item.ndim == 3
            for name, item in items
            if isinstance(item, h5py.Dataset) and item.shape is not None
        }
    usual = "phase"
    if "phase" not in arrays["CellData"] and "material" in arrays["CellData"]:
        usual = "material"
    choice = choose(file.filename, arrays, dataset, usual)
    # fields of a result are not a microstructure's business
    return replace(choice, notes=[]) if "fftmech" in file else choice


def read_tables(file: h5py.File) -> dict[str, Any]:
    """Tables by phase id and units, as `Microstructure` wants them."""
    if "fftmech" not in file:
        return {}
    own = container.group(file, "fftmech")
    return {
        **hdf5.read_tables(own),
        "law": read_laws(own),
        "units": hdf5.units(own.attrs.get("units")),
    }


def _box(root: h5py.Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Extent, spacing and origin of an image."""
    path = root.file.filename
    what = container.text(root.attrs.get("Type", ""))
    if what != "ImageData":
        raise InputError(f"{path}: VTKHDF type {what!r}", "ImageData (voxels)")
    extent = _attribute(root, "WholeExtent", 6, None).astype(int)
    spacing = _attribute(root, "Spacing", 3, np.ones(3))
    origin = _attribute(root, "Origin", 3, np.zeros(3))
    direction = _attribute(root, "Direction", 9, np.eye(3).ravel())
    if not np.allclose(direction, np.eye(3).ravel()):
        raise InputError(
            f"{path}: Direction {direction}",
            "axes along x, y, z",
            "resample the image first",
        )
    return extent, spacing, origin


def _attribute(
    root: h5py.Group, name: str, count: int, default: np.ndarray | None
) -> np.ndarray:
    values = np.asarray(root.attrs.get(name, () if default is None else default))
    if values.shape != (count,) or values.dtype.kind not in "iuf":
        raise InputError(
            f"{root.file.filename}: attribute {name} of {root.name} is {values}",
            f"{count} numbers",
        )
    return values.astype(float)
