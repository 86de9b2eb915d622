"""Fields of other programs: arrays by name in NPZ, HDF5, VTI, CSV, a folder of NPY.

Their axes are as stored. HDF5 files of DAMASK have names of their own
(`fftmech.io.dadf5`). Of VTI they are known, (z, y, x, c); of CSV a name is that of
one column, or several in a list, which are the components: (rows, c).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import fspath
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fftmech.errors import InputError
from fftmech.io.image import check_fetched

Name = str | Sequence[str]
ReadArray = Callable[[Name], np.ndarray]


class ArrayFile(NamedTuple):
    """A function that reads an array; edges of the box along x, y, z, where known."""

    read: ReadArray
    size: tuple[float, ...] | None = None


ENDS = (".npz", ".h5", ".hdf5", ".hdf", ".vtkhdf", ".vti", ".csv")
"""Extensions that are read, beside folders."""

VTI_AXES = {1: "z y x", 6: "z y x c", 9: "z y x i j"}
"""Axes of a VTI array by its number of components."""


@contextmanager
def named_arrays(path: Path) -> Iterator[ArrayFile]:
    """Open a file, or a folder of .npy files, to read arrays of it by name."""
    end = path.suffix.lower()
    if path.is_dir():
        yield ArrayFile(lambda name: _npy(path, _one(name)))
        return
    check_fetched(path)
    if end == ".npz":
        yield from _npz(path)
    elif end == ".vti":
        yield _vti(path)
    elif end == ".csv":
        yield ArrayFile(_csv(path))
    elif end in ENDS:
        # h5py takes longer to import than --help may
        from fftmech.io import container, dadf5

        with container.opened(path) as file:
            damask = dadf5.recognises(file)

            def read(name: Name) -> np.ndarray:
                if damask:
                    return dadf5.read(file, _one(name))
                values = container.dataset(file, _one(name))[()]
                return _numbers(values, f"{path}: {name}")

            yield ArrayFile(read, _box_size(file, damask))
    else:
        raise InputError(
            f"{path}: arrays by name",
            f"a file that ends in {', '.join(ENDS)}, or a folder of .npy files",
        )


def _box_size(file: Any, damask: bool) -> tuple[float, ...] | None:
    """Edges of the box in a result of DAMASK or an image of VTKHDF."""
    if damask:
        from fftmech.io import dadf5

        return dadf5.size(file)
    attributes = file["VTKHDF"].attrs if "VTKHDF" in file else {}
    if "Spacing" not in attributes or "WholeExtent" not in attributes:
        return None
    extent = np.asarray(attributes["WholeExtent"])
    return tuple((extent[1::2] - extent[::2]) * attributes["Spacing"])


def _one(name: Name) -> str:
    if isinstance(name, str):
        return name
    raise InputError(f"array {name!r}", "one name; a list is for the columns of CSV")


def _numbers(values: Any, where: str) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind not in "iufb":
        raise InputError(f"{where} has type {values.dtype}", "real numbers")
    return values


def _npy(folder: Path, name: str) -> np.ndarray:
    path = folder / name
    if not path.is_file():
        has = ", ".join(sorted(file.name for file in folder.glob("*.npy"))[:8])
        raise InputError(f"{path}: no such file", mend=f"it has {has or 'no .npy'}")
    return _loaded(path, lambda: np.load(path, allow_pickle=False))


def _npz(path: Path) -> Iterator[ArrayFile]:
    file = _loaded(path, lambda: np.load(path, allow_pickle=False))
    if isinstance(file, np.ndarray):
        raise InputError(f"{path}: one array", "an .npz of several")

    def read(name: Name) -> np.ndarray:
        if _one(name) not in file.files:
            raise InputError(
                f"{path}: no array {name!r}; it has {', '.join(file.files[:8])}"
            )
        return _numbers(_loaded(path, lambda: file[name]), f"{path}: {name}")

    with file:
        yield ArrayFile(read)


def _loaded(path: Path, load: Callable[[], Any]) -> Any:
    """What NumPy loads; what it raises depends on where the damage is."""
    try:
        return load()
    except PermissionError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: not complete arrays of numbers ({type(error).__name__})",
            mend="write it again with NumPy",
        ) from error


def _vti(path: Path) -> ArrayFile:
    from fftmech.io import vti, vtk_xml

    file = vtk_xml.read_xml(path)
    piece, cells, spacing, _ = vti.box_of(fspath(path), file.root)
    arrays = {str(a.get("Name")): a for a in piece.findall("CellData/DataArray")}

    def read(name: Name) -> np.ndarray:
        if _one(name) not in arrays:
            has = ", ".join(arrays) or "none"
            raise InputError(f"{path}: no cell data {name!r}; it has {has}")
        array = arrays[str(name)]
        width = int(array.get("NumberOfComponents", "1"))
        where = f"{path}: cell data {name}"
        count = int(np.prod(cells, dtype=object)) * width
        values = file.values(array, count, where, width)
        tail = {1: (), 9: (3, 3)}.get(width, (width,))
        return values.reshape(*cells[::-1], *tail)

    return ArrayFile(read, tuple(np.multiply(cells, spacing)))


def _csv(path: Path) -> ReadArray:
    try:
        head, _, rest = path.read_text(encoding="utf-8-sig").partition("\n")
        names = [name.strip().strip('"') for name in head.split(",")]
        if not rest.strip():
            raise ValueError("no rows")
        table = np.loadtxt(rest.splitlines(), delimiter=",", ndmin=2)
    except ValueError as error:
        raise InputError(
            f"{path}: not rows of numbers after one of names ({error})",
            mend="separate them by commas",
        ) from error

    def read(name: Name) -> np.ndarray:
        wanted = [name] if isinstance(name, str) else list(name)
        for one in wanted:
            if one not in names:
                raise InputError(
                    f"{path}: no column {one!r}; it has {', '.join(names)}"
                )
            # of two increments, for instance: nobody knows which is meant
            if names.count(one) > 1:
                raise InputError(
                    f"{path}: {names.count(one)} columns {one!r}",
                    "one of that name",
                    "rename or remove the others",
                )
        if table.shape[1] != len(names):
            raise InputError(
                f"{path}: {table.shape[1]} columns under {len(names)} names"
            )
        columns = table[:, [names.index(one) for one in wanted]]
        return columns[:, 0] if isinstance(name, str) else columns

    return read
