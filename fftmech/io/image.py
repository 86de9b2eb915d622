"""Images: arrays of phase ids or grey values, checked and made microstructures."""

from collections.abc import Sequence
from math import isfinite, prod
from typing import Any

import numpy as np

from fftmech.arrays.memory import check_bytes, size_text
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure, compact

AXES = ("xyz", "zyx")
"""Meaning of an array's indices: [x, y, z], or [z, y, x] (x runs fastest)."""

OPTIONS = ("axes", "spacing", "threshold")
"""Options of `microstructure_from_image` that readers of bare arrays pass on."""

WORKING_BYTES = 12
"""Bytes a voxel taken while reading, besides the values: int32 ids and copies."""


def check_axes(axes: str, where: str) -> None:
    """Refuse axes other than "xyz" and "zyx"."""
    if axes not in AXES:
        raise InputError(f"{where}: axes {axes!r}", '"xyz" or "zyx"')


def check_size(shape: Sequence[int], itemsize: int, where: str) -> None:
    """Refuse an array that this machine's free memory cannot take, unread."""
    check_bytes(
        prod(map(int, shape)) * (itemsize + WORKING_BYTES),
        f"{where}: reading {size_text(shape)} values",
        "crop or coarsen the image",
    )


def microstructure_from_image(
    values: np.ndarray,
    where: str,
    axes: str,
    spacing: Sequence[float] | None = None,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    threshold: float | None = None,
    **tables: Any,
) -> Microstructure:
    """Turn a 3-D array into a microstructure.

    `values` are phase ids (whole numbers >= 0), or grey values with a `threshold`:
    voxels above it are phase 1, the others phase 0. `axes` says what the indices are;
    `spacing` and `origin` are the edges of a voxel and the corner of the box, along
    x, y, z (length units). `where` names the array in messages, `tables` are those of
    `Microstructure`.
    """
    check_axes(axes, where)
    if values.ndim != 3:
        raise InputError(
            f"{where} has {values.ndim} axes (shape {values.shape})",
            "three",
            "2-D is one voxel in z: give it an axis of length 1",
        )
    if values.dtype.kind not in "biuf":
        raise InputError(f"{where} has type {values.dtype}", "real numbers")
    if values.dtype.kind == "f":
        unknown = int(np.isnan(values).sum())
        if unknown:
            raise InputError(
                f"{where} has {unknown} voxel(s) that are NaN: fill them first"
            )
    if threshold is not None:
        if not isfinite(threshold):
            raise InputError(f"threshold {threshold}", "a finite grey value")
        values = values > threshold
    if axes == "zyx":
        values = values.transpose(2, 1, 0)
    try:
        if values.size == 0:
            raise InputError(f"shape {values.shape}: an axis has no voxels")
        box = None if spacing is None else tuple(float(h) for h in spacing)
        corner = tuple(float(o) for o in origin)
        grid = Grid(values.shape, box, corner)  # type: ignore[arg-type]
        values, numbers = compact(values)
        if numbers is not None:
            tables = {name: _rows(table, numbers) for name, table in tables.items()}
            tables["number"] = numbers
        return Microstructure(grid, values, **tables)
    except InputError as error:
        raise error.within(where) from error


def _rows(table: Any, numbers: np.ndarray) -> Any:
    """A table of `Microstructure` by new ids; what is no table stays as it is."""
    if isinstance(table, np.ndarray):
        known = numbers[numbers < len(table)]
        if table.dtype.kind == "i":
            rows = np.full((len(numbers), *table.shape[1:]), -1)
        else:
            rows = np.full((len(numbers), *table.shape[1:]), np.nan)
        rows[: len(known)] = table[known]
        return rows
    return table
