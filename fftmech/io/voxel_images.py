"""Scalar images of a body, from the file that holds its phase ids."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from fftmech.errors import InputError
from fftmech.io.image import check_axes
from fftmech.io.named_fields import ENDS, named_arrays
from fftmech.microstructure.base import Microstructure

CELLS = "VTKHDF/CellData/"
"""Where VTKHDF has an array of the voxels."""


def with_images(
    body: Microstructure,
    path: str | PathLike,
    names: Sequence[str],
    axes: str | None = None,
) -> Microstructure:
    """Return the body with images that its file has by name, beside those it has.

    Cell data of VTKHDF and VTI, whose axes are known; of other HDF5 files arrays, whose
    axes are `axes`, "xyz" or "zyx".

    Raises
    ------
    InputError
        An array that is not there, of another shape than the body, or not numbers.
    """
    missing = [name for name in names if name not in body.images]
    if not missing:
        return body
    end = Path(path).suffix.lower()
    if end not in ENDS or end == ".csv":
        raise InputError(
            f"{path} has no image {', '.join(missing)}",
            "a file with arrays of that name: VTKHDF, HDF5 or VTI",
        )
    found = dict(body.images)
    with named_arrays(Path(path)) as (read, _):
        for name in missing:
            found[name] = _image(read, name, path, end, axes)
    for name in missing:
        if found[name].shape != body.grid.shape:
            raise InputError(
                f"{path}: {name} has shape {found[name].shape}",
                f"{body.grid.shape}, that of the phase ids",
                "--crop needs a file of ours (Microstructure.images)",
            )
    return body.with_changes(images=found)


def _image(read, name: str, path: str | PathLike, end: str, axes: str | None):
    known = "zyx"
    try:
        if end == ".vtkhdf":
            values = read(f"{CELLS}{name}")
        else:
            values = read(name)
            if end != ".vti":
                known = axes
    except InputError as error:
        raise error if str(path) in error.what else error.within(path) from error
    if known is None:
        raise InputError(f"{path}: {name} without axes", mend="give --axes xyz or zyx")
    check_axes(known, f"{path}: {name}")
    values = np.asarray(values)
    if values.ndim != 3 or values.dtype.kind not in "biuf":
        raise InputError(f"{path}: {name}", "a number in each voxel")
    values = values.astype(float)
    return np.ascontiguousarray(values.T if known == "zyx" else values)
