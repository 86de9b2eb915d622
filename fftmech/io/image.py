"""Images: arrays of phase ids or grey values, checked and made microstructures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, prod
from pathlib import Path
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


POINTER, POINTER_BYTES = b"version https://git-lfs.github.com/spec/", 1024
"""How a pointer of Git LFS begins, and how long it is at most."""


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


def axes_note(axes: str, shape: Sequence[int]) -> str:
    """Note that the order of an array's indices is assumed, with what it would mean."""
    other = AXES[1 - AXES.index(axes)]
    voxels = shape if axes == "xyz" else shape[::-1]
    return (
        f"order of axes assumed to be {axes}: {size_text(voxels)} voxels along x y z "
        f"(--axes {other}: {size_text(voxels[::-1])})"
    )


def check_fetched(path: Path) -> None:
    """Refuse what Git leaves in the place of a large file that was not fetched."""
    if path.stat().st_size < POINTER_BYTES and path.read_bytes().startswith(POINTER):
        raise InputError(
            f"{path} is a pointer of Git LFS, not the file itself", mend="git lfs pull"
        )


def beside(path: str, named: str) -> Path:
    """File that the head of another names: in its folder or below, and there."""
    relative = Path(named.strip().strip("\"'"))
    file = Path(path).parent / relative
    if relative.is_absolute() or ".." in relative.parts or not relative.name:
        raise InputError(
            f"{path}: it names the file {named.strip()!r}",
            "a file in its own folder",
            "move it there",
        )
    if not file.is_file():
        raise InputError(f"{path}: its data file {file} does not exist")
    check_fetched(file)
    return file


def placed(
    values: np.ndarray, steps: np.ndarray, first: np.ndarray, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image [z, y, x], edges of its voxels and its corner, with x, y, z upwards.

    `steps` has a row an axis of the array, the fastest first: the vector from a voxel
    to the next; `first` is the centre of the first voxel. Axes that run downwards are
    turned round, and those that are in another order change places.
    """
    along = np.abs(steps).argmax(axis=1)
    if sorted(along) == [0, 1, 2]:
        order = np.argsort(along)
        steps, values = steps[order], values.T.transpose(order).T
    h = np.diag(steps).copy()
    if not np.isfinite(steps).all() or not np.isfinite(first).all() or not h.all():
        raise InputError(f"{where}: no voxel size, or none that is finite")
    if np.abs(steps - np.diag(h)).max() > 1e-5 * np.abs(h).max():
        raise InputError(
            f"{where}: its axes are turned against x, y, z",
            mend="resample the image first",
        )
    down = np.flatnonzero(h < 0)
    values = np.flip(values, tuple(2 - int(axis) for axis in down))
    last = h * (np.array(values.shape[::-1]) - 1)
    return values, np.abs(h), first + np.minimum(last, 0) - np.abs(h) / 2


def microstructure_from_image(
    values: np.ndarray,
    where: str,
    axes: str,
    spacing: Sequence[float] | None = None,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    threshold: float | None = None,
    notes: Sequence[str] = (),
    **tables: Any,
) -> Microstructure:
    """Turn an array into a microstructure.

    `values` are phase ids (whole numbers >= 0), or grey values with a `threshold`:
    voxels above it are phase 1, the others phase 0. `axes` says what the indices are;
    `spacing` and `origin` are the edges of a voxel and the corner of the box, along
    x, y, z (length units). `where` names the array in messages, `notes` say what was
    assumed before, `tables` are those of `Microstructure`. An array on two axes is one
    voxel in z.
    """
    check_axes(axes, where)
    notes = list(notes)
    if values.ndim == 2:
        values = values[:, :, None] if axes == "xyz" else values[None]
        notes.append("the image is flat: one voxel along z")
    if values.ndim != 3:
        raise InputError(
            f"{where} has {values.ndim} axes (shape {values.shape})",
            "three, or two of a flat image",
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
        if box is None and grid.voxels > 1:
            edge = f"1/{max(grid.shape)}"
            notes.append(f"voxels assumed to be cubes, edge {edge} (--spacing)")
        values, numbers = compact(values)
        if numbers is not None:
            tables = {name: _rows(table, numbers) for name, table in tables.items()}
            tables["number"] = numbers
        body = Microstructure(grid, values, **tables)
        return body.noted(*notes) if notes else body
    except InputError as error:
        raise error.within(where) from error


@dataclass(frozen=True)
class Image:
    """An image as its file has it: numbers, voxel sizes where it says them, notes.

    `spacing` is the edges of a voxel along x, y, z, None where the file does not say
    them, in `unit`.
    """

    values: np.ndarray
    spacing: Sequence[float] | None = None
    unit: str | None = None
    notes: list[str] = field(default_factory=list)

    def microstructure(
        self, where: str, axes: str, spacing: Sequence[float] | None = None, **rest: Any
    ) -> Microstructure:
        """Make it one; `spacing` is what the user says, which counts more."""
        unit = self.unit if spacing is None and self.spacing else None
        return microstructure_from_image(
            self.values,
            where,
            axes,
            spacing or self.spacing,
            notes=self.notes,
            units={"length": unit} if unit else {},
            **rest,
        )


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
