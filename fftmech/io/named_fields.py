"""Fields of other programs: arrays by name in NPZ, HDF5, VTI, CSV, a folder of NPY.

Their axes are as stored. Of VTI they are known, (z, y, x, c); of CSV a name is that of
one column, or several in a list, which are the components: (rows, c).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import fspath
from pathlib import Path
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io.image import check_fetched

Name = str | Sequence[str]
ReadArray = Callable[[Name], np.ndarray]

ENDS = (".npz", ".h5", ".hdf5", ".hdf", ".vtkhdf", ".vti", ".csv")
"""Extensions that are read, beside folders."""

VTI_AXES = {1: "z y x", 6: "z y x c", 9: "z y x i j"}
"""Axes of a VTI array by its number of components."""


@contextmanager
def named_arrays(path: Path) -> Iterator[ReadArray]:
    """Open a file, or a folder of .npy files, and give a function that reads arrays."""
    end = path.suffix.lower()
    if path.is_dir():
        yield lambda name: _npy(path, _one(name))
        return
    check_fetched(path)
    if end == ".npz":
        yield from _npz(path)
    elif end == ".vti":
        yield _vti(path)
    elif end == ".csv":
        yield _csv(path)
    elif end in ENDS:
        from fftmech.io import container

        with container.opened(path) as file:
            yield lambda name: _numbers(
                container.dataset(file, _one(name))[()], f"{path}: {name}"
            )
    else:
        raise InputError(
            f"{path}: arrays by name",
            f"a file that ends in {', '.join(ENDS)}, or a folder of .npy files",
        )


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


def _npz(path: Path) -> Iterator[ReadArray]:
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
        yield read


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


def _vti(path: Path) -> ReadArray:
    from fftmech.io import vti, vtk_xml

    file = vtk_xml.read_xml(path)
    piece, cells, _, _ = vti.box_of(fspath(path), file.root)
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

    return read


def _csv(path: Path) -> ReadArray:
    text = path.read_text(encoding="utf-8-sig")
    head, _, rest = text.partition("\n")
    names = [name.strip().strip('"') for name in head.split(",")]
    try:
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
        if table.shape[1] != len(names):
            raise InputError(
                f"{path}: {table.shape[1]} columns under {len(names)} names"
            )
        columns = table[:, [names.index(one) for one in wanted]]
        return columns[:, 0] if isinstance(name, str) else columns

    return read
