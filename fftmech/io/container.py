"""HDF5 files opened for reading: every failure names the file and the dataset.

In a file that this project wrote, /fftmech has the version of its format.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath

import h5py
import numpy as np

from fftmech.arrays.memory import check_bytes, size_text
from fftmech.errors import InputError
from fftmech.io.format_version import check_format_version
from fftmech.materials.elastic import RIGID, is_rigid

FORMAT_VERSION = 1
"""Of bodies, results, samples and series."""

LISTED = 8


@contextmanager
def opened(path: str | PathLike) -> Iterator[h5py.File]:
    """Open an HDF5 file; raise InputError where it is damaged, also in the block."""
    path = fspath(path)
    try:
        file = h5py.File(path, "r")
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it") from error
    except OSError as error:
        if "truncated" in str(error):
            message = f"{path}: HDF5 file is cut short; copy or write it again"
        else:
            message = f"{path}: not an HDF5 file; check the name and its extension"
        raise InputError(message) from error
    with file:
        try:
            own = file.get("fftmech")
            if isinstance(own, h5py.Group):
                version = own.attrs.get("format_version", 1)
                writer = own.attrs.get("fftmech_version")
                check_format_version(path, version, FORMAT_VERSION, writer)
            yield file
        except InputError:
            raise
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            # h5py reports metadata that makes no sense as any of these
            reason = error.args[0] if error.args else error
            raise InputError(
                f"{path}: HDF5 file is damaged ({reason})",
                mend="copy or write it again",
            ) from error


def datasets(group: h5py.Group) -> list[h5py.Dataset]:
    """All datasets below `group`, in the order of their paths."""
    found: list[h5py.Dataset] = []

    def visit(_name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(item)

    group.visititems(visit)
    return found


def listing(items: list[h5py.Dataset]) -> str:
    """Paths, shapes and types of datasets, the first few of them, as text."""
    if not items:
        return "no datasets"
    names = [f"{item.name} {item.shape} {item.dtype}" for item in items[:LISTED]]
    more = len(items) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def dataset(file: h5py.Group, name: str) -> h5py.Dataset:
    """Return the dataset `name` of a file; an InputError lists those that exist."""
    item = file.get(name)
    if isinstance(item, h5py.Dataset) and item.shape is not None:
        return item
    link = file.get(name, getlink=True)
    if isinstance(item, h5py.Dataset):
        what = "is empty"
    elif isinstance(item, h5py.Group):
        what = "is a group"
    elif isinstance(link, h5py.ExternalLink):
        what = f"is a link to {link.path} in {link.filename}, which cannot be opened"
    else:
        what = "does not exist"
    inside = item if isinstance(item, h5py.Group) else file.file
    raise InputError(
        f"{file.file.filename}: dataset {name} {what}; the file has "
        f"{listing(datasets(inside))}"
    )


def group(file: h5py.Group, name: str) -> h5py.Group:
    """Return the group `name` of a file."""
    item = file.get(name)
    if isinstance(item, h5py.Group):
        return item
    raise InputError(
        f"{file.file.filename}: no group {name}", mend="write the file again"
    )


def where(item: h5py.Dataset) -> str:
    """How a message names a dataset: file and path."""
    return f"{item.file.filename}: dataset {item.name}"


def numbers(item: h5py.Dataset, shape: tuple[int | None, ...]) -> np.ndarray:
    """Read real numbers of this shape, of which None is any length, as float64.

    Rows of nothing but NaN are phases of which nothing is known; matrices of nothing
    but infinity are rigid.
    """
    fits = item.ndim == len(shape) and all(
        want in (None, got) for want, got in zip(shape, item.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("P" if n is None else str(n) for n in shape)
        rows = ", one row a phase id" if None in shape else ""
        raise InputError(f"{where(item)} has shape {item.shape}", f"({expected}){rows}")
    if item.dtype.kind not in "iuf":
        raise InputError(f"{where(item)} has type {item.dtype}", "numbers")
    check_bytes(
        (item.dtype.itemsize + 2 * 8) * item.size,
        f"{where(item)}: reading {size_text(item.shape)} numbers",
        "leave out rows of phases that no voxel has",
    )
    table = np.asarray(item[()], dtype=float)
    bad = ~np.isfinite(table)
    if bad.any():
        bad[np.isnan(table).reshape(len(table), -1).all(axis=1)] = False
        if table.shape[1:] == RIGID.shape:
            bad[is_rigid(table)] = False
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"{where(item)}: entry {index} is {table[index]}", "finite numbers"
        )
    return table


def text(value: object) -> str:
    """An HDF5 string attribute or scalar as str, whichever way it was stored."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, str):
        # h5py escapes bytes that are not UTF-8; they could not be printed
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\0")
    return str(value)
