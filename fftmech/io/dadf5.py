"""DAMASK's results (DADF5, versions 0.14 and 1): fields of one increment by name.

/geometry                             attributes cells, size (from 1.1 also datasets)
/cell_to/phase                        (cells, constituents) label, entry; x runs fastest
/increment_N/phase/LABEL/mechanical/F (entries, 3, 3), row and column; P likewise
/setup                                the texts of the input, the grid (.vti) too

Names are "N/F" or "last/F", N an increment, of any tensor there, and these of F and P:
"green_lagrange" 1/2 (F^T F - 1) and "second_piola_kirchhoff" F^-1 P, between which
DAMASK's Hooke law holds; "small_strain" sym F - 1 and "cauchy" P F^T / det F.
"material" is the number of each cell's material in material.yaml, from the grid in
/setup.
DAMASK's Python library (`damask.Result`) documents the layout.
"""

import re
from collections.abc import Callable

import h5py
import numpy as np

from fftmech.errors import InputError
from fftmech.io import container, vti, vtk_xml

MINORS = {0: (14, 14), 1: (0, 99)}
"""Least and largest minor version by the major one."""


def recognises(file: h5py.File) -> bool:
    """Whether the file is a result of DAMASK."""
    return "DADF5_version_major" in file.attrs


def read(file: h5py.File, name: str) -> np.ndarray:
    """Read the field `name`, (z, y, x) or (z, y, x, 3, 3)."""
    major, minor = (_attribute(file, f"DADF5_version_{n}") for n in ("major", "minor"))
    least, most = MINORS.get(int(major), (1, 0))
    if not least <= minor <= most:
        raise InputError(
            f"{file.filename}: DADF5 version {major}.{minor}",
            "0.14 or 1.x, of DAMASK 3",
        )
    x, y, z = cells(file)
    if name == "material":
        return _material(file).reshape(z, y, x)
    increment, _, field = name.partition("/")
    group = _increment(file, increment)
    derived = DERIVED.get(field)
    if derived is None:
        return _placed(file, group, field).reshape(z, y, x, 3, 3)
    F, P = (_placed(file, group, one) for one in "FP")
    return derived(F, P).reshape(z, y, x, 3, 3)


def cells(file: h5py.File) -> tuple[int, int, int]:
    """Cells of the grid along x, y and z."""
    geometry = container.group(file, "geometry")
    if "cells" not in geometry.attrs and "cells" not in geometry:
        raise InputError(f"{file.filename}: no regular grid", "a job of DAMASK_grid")
    x, y, z = map(int, _attribute(geometry, "cells"))
    return x, y, z


def size(file: h5py.File) -> tuple[float, ...]:
    """Edges of the box along x, y and z."""
    return tuple(map(float, _attribute(container.group(file, "geometry"), "size")))


def _attribute(group: h5py.Group, name: str) -> np.ndarray:
    """An attribute or, as later versions have it, a dataset of this name."""
    if name in group.attrs:
        return np.asarray(group.attrs[name])
    return np.asarray(container.dataset(group, name)[()])


def _increment(file: h5py.File, wanted: str) -> str:
    names = (re.fullmatch(r"increment_(\d+)", name) for name in map(str, file))
    found = sorted(int(name[1]) for name in names if name)
    if wanted == "last" and found:
        return f"increment_{found[-1]}"
    if wanted.isdecimal() and int(wanted) in found:
        return f"increment_{int(wanted)}"
    raise InputError(
        f"{file.filename}: increment {wanted!r}",
        f"last, or one of {', '.join(map(str, found))}: name arrays N/F, for instance",
    )


def _placed(file: h5py.File, increment: str, field: str) -> np.ndarray:
    """A tensor of every cell, (cells, 3, 3), from those of the phases."""
    mapping = container.dataset(file, "cell_to/phase")[()]
    count = int(np.prod(cells(file)))
    if mapping.shape != (count, 1):
        raise InputError(
            f"{file.filename}: cell_to/phase of shape {mapping.shape}",
            f"{(count, 1)}, one constituent a cell",
        )
    label, entry = mapping["label"][:, 0], mapping["entry"][:, 0]
    placed = np.full((len(label), 3, 3), np.nan)
    for phase in np.unique(label):
        here = label == phase
        path = f"{increment}/phase/{phase.decode()}/mechanical/{field}"
        values = container.dataset(file, path)
        if values.shape[1:] != (3, 3):
            raise InputError(f"{container.where(values)}: {values.shape}", "(n, 3, 3)")
        rows = entry[here]
        if rows.min() < 0 or rows.max() >= len(values):
            raise InputError(
                f"{container.where(values)}: {len(values)} entries",
                f"{rows.max() + 1}",
                "copy the file again",
            )
        placed[here] = values[()][rows]
    return placed


def _material(file: h5py.File) -> np.ndarray:
    """Material of each cell, x fastest, from the grid that the job was given."""
    inputs = map(str, container.group(file, "setup"))
    grids = [name for name in inputs if name.lower().endswith(".vti")]
    if len(grids) != 1:
        raise InputError(f"{file.filename}: {len(grids)} grids (.vti) in /setup", "one")
    name = f"setup/{grids[0]}"
    text = container.text(container.dataset(file, name)[()])
    grid = vtk_xml.parse_xml(text.encode(), f"{file.filename}: {name}")
    piece, shape, _, _ = vti.box_of(grid.name, grid.root)
    if shape != cells(file):
        raise InputError(f"{grid.name} has {shape} cells", f"{cells(file)}")
    for array in piece.findall("CellData/DataArray"):
        if array.get("Name") == "material":
            return grid.values(array, int(np.prod(shape)), grid.name)
    raise InputError(f"{grid.name}: no cell data material")


def _green_lagrange(F: np.ndarray, P: np.ndarray) -> np.ndarray:
    return (F.swapaxes(1, 2) @ F - np.eye(3)) / 2


def _second_piola_kirchhoff(F: np.ndarray, P: np.ndarray) -> np.ndarray:
    return _symmetric(np.linalg.solve(F, P))


def _small_strain(F: np.ndarray, P: np.ndarray) -> np.ndarray:
    return _symmetric(F) - np.eye(3)


def _cauchy(F: np.ndarray, P: np.ndarray) -> np.ndarray:
    return _symmetric(P @ F.swapaxes(1, 2)) / np.linalg.det(F)[:, None, None]


def _symmetric(tensor: np.ndarray) -> np.ndarray:
    return (tensor + tensor.swapaxes(1, 2)) / 2


DERIVED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "green_lagrange": _green_lagrange,
    "second_piola_kirchhoff": _second_piola_kirchhoff,
    "small_strain": _small_strain,
    "cauchy": _cauchy,
}
"""Fields that are made of F and P, (n, 3, 3) each."""
