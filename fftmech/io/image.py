"""Images: arrays of phase ids or grey values, checked and made microstructures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np

from fftmech.arrays.memory import check_bytes, size_text
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.phase_map import phase_map, slabs

AXES = ("xyz", "zyx")
"""Meaning of an array's indices: [x, y, z], or [z, y, x] (x runs fastest)."""

OPTIONS = ("axes", "spacing", "threshold", "crop")
"""Options of `microstructure_from_image` that readers of bare arrays pass on."""

LARGEST = 4
"""Bytes of the largest type of phase ids."""


POINTER, POINTER_BYTES = b"version https://git-lfs.github.com/spec/", 1024
"""How a pointer of Git LFS begins, and how long it is at most."""


def check_axes(axes: str, where: str) -> None:
    """Refuse axes other than "xyz" and "zyx"."""
    if axes not in AXES:
        raise InputError(f"{where}: axes {axes!r}", '"xyz" or "zyx"')


def check_size(shape: Sequence[int], itemsize: int, where: str) -> None:
    """Refuse an array that this machine's free memory cannot take, unread."""
    check_bytes(
        prod(map(int, shape)) * itemsize,
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


@dataclass(frozen=True)
class Mapped:
    """An array in a file, mapped into memory only while some of it is copied."""

    opened: Callable[[], np.ndarray]
    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        """A copy of a part."""
        return np.array(self.opened()[index])


@dataclass(frozen=True)
class Planes:
    """Numbers on three axes, of an array or a file, taken some planes at a time.

    `source` has a shape and a type and gives planes when it is indexed with slices, as
    arrays and datasets of h5py do. What lies in the `window` counts; with a `threshold`
    the numbers say whether it is exceeded.
    """

    source: Any
    window: tuple[slice, ...]
    threshold: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers along each axis."""
        return tuple(part.stop - part.start for part in self.window)

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers."""
        return np.dtype(bool if self.threshold is not None else self.source.dtype)

    @property
    def chunk(self) -> int:
        """Planes that the source stores together."""
        stored = getattr(self.source, "chunks", None) or (1,)
        return max(1, min(stored[0], self.shape[0]))

    def __getitem__(self, part: slice) -> np.ndarray:
        """Some planes of the window."""
        values = self._values(part)
        return values if self.threshold is None else values > self.threshold

    def unknown(self) -> int:
        """How many numbers are NaN."""
        if self.source.dtype.kind != "f":
            return 0
        parts = slabs(self.shape, self.chunk)
        return sum(int(np.isnan(self._values(part)).sum()) for part in parts)

    def _values(self, part: slice) -> np.ndarray:
        first = self.window[0].start
        along = slice(first + part.start, first + part.stop)
        return self.source[(along, *self.window[1:])]


def _window(
    crop: Sequence[int] | None, shape: Sequence[int], axes: str, where: str
) -> tuple[slice, ...]:
    """Slices along the axes of an array of the part that is wanted."""
    if crop is None:
        return tuple(slice(0, n) for n in shape)
    voxels = shape if axes == "xyz" else shape[::-1]
    low, high = crop[::2], crop[1::2]
    ends = list(zip(low, high, voxels, strict=False))
    if len(crop) != 6 or not all(0 <= a < b <= n for a, b, n in ends):
        raise InputError(
            f"{where}: crop {','.join(map(str, crop))}",
            f"x0,x1,y0,y1,z0,z1 within {size_text(voxels)} voxels",
        )
    window = tuple(slice(int(a), int(b)) for a, b, _ in ends)
    return window if axes == "xyz" else window[::-1]


def microstructure_from_image(
    values: Any,
    where: str,
    axes: str,
    spacing: Sequence[float] | None = None,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    threshold: float | None = None,
    notes: Sequence[str] = (),
    crop: Sequence[int] | None = None,
    **tables: Any,
) -> Microstructure:
    """Turn an array into a microstructure.

    `values` are phase ids (whole numbers >= 0), or grey values with a `threshold`:
    voxels above it are phase 1, the others phase 0. They may be in a file still, and
    are read some planes at a time (`Planes`). `axes` says what the indices are;
    `spacing` and `origin` are the edges of a voxel and the corner of the box, along
    x, y, z (length units). `crop` is the first voxel, and the one after the last, along
    x, y and z, of a part. `where` names the array in messages, `notes` say what was
    assumed before, `tables` are those of `Microstructure`. An array on two axes is one
    voxel in z.
    """
    check_axes(axes, where)
    notes = list(notes)
    if len(values.shape) == 2:
        values = np.asarray(values[:])
        values = values[:, :, None] if axes == "xyz" else values[None]
        notes.append("the image is flat: one voxel along z")
    if len(values.shape) != 3:
        raise InputError(
            f"{where} has {len(values.shape)} axes (shape {values.shape})",
            "three, or two of a flat image",
        )
    if values.dtype.kind not in "biuf":
        raise InputError(f"{where} has type {values.dtype}", "real numbers")
    if threshold is not None and not isfinite(threshold):
        raise InputError(f"threshold {threshold}", "a finite grey value")
    window = _window(crop, values.shape, axes, where)
    planes = Planes(values, window, threshold)
    check_size(planes.shape, min(planes.dtype.itemsize, LARGEST), where)
    if unknown := planes.unknown():
        raise InputError(
            f"{where} has {unknown} voxel(s) that are NaN: fill them first"
        )
    try:
        phase, numbers = phase_map(planes, axes == "zyx", renumber=True)
        if crop is not None and spacing is not None:
            low = crop[::2]
            origin = [o + n * h for o, n, h in zip(origin, low, spacing, strict=True)]
        box = None if spacing is None else tuple(float(h) for h in spacing)
        corner = tuple(float(o) for o in origin)
        grid = Grid(phase.shape, box, corner)  # type: ignore[arg-type]
        if box is None and grid.voxels > 1:
            edge = f"1/{max(grid.shape)}"
            notes.append(f"voxels assumed to be cubes, edge {edge} (--spacing)")
        if numbers is not None:
            tables = {name: _rows(table, numbers) for name, table in tables.items()}
            tables["number"] = numbers
        body = Microstructure(grid, phase, **tables)
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
