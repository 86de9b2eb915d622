"""Fields on a grid as VTKHDF stores them, [z, y, x] and components last.

Tensors are tensor components in VTK's order xx yy zz xy yz xz. The displacement is the
total one, u = E.x + fluctuation, x from the corner of the box, so that ParaView's Warp
By Vector shows the deformed body: PointData (Nz+1, Ny+1, Nx+1, 3) where the scheme's
nodes are voxel corners, CellData (Nz, Ny, Nx, 3) where they are centres.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike

from fftmech.arrays.ranks import ALONE, Ranks
from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import container, image
from fftmech.results.field_names import BY_SYSTEM
from fftmech.results.result import affine_displacement
from fftmech.tensors import FACTORS

VTK_ORDER = (0, 1, 2, 5, 3, 4)
"""Place in `COMPONENTS` of each component of VTK's xx yy zz xy yz xz."""

TENSOR = "tensor components, order xx yy zz xy yz xz"
"""What the attribute `components` of a symmetric tensor says."""

SLAB = 8
"""Planes across z that are transposed at a time: a cache line of float64."""

SMALL = 2**18
"""Bytes that are transposed at a time where planes are small: half a cache."""


@dataclass(frozen=True)
class Layout:
    """An array of a file: its name below a group, its shape (z, y, x[, component]).

    `components` says what these are. `dtype` is that of the values if None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DTypeLike | None = None
    components: str = ""


@dataclass(frozen=True)
class Arrays:
    """Arrays below a group of VTKHDF: the whole of each, or one time of a series.

    `root` holds CellData and PointData. `number` is that of the time, from 0, None
    where arrays have no time axis; arrays that are made get `count` times.
    """

    root: h5py.Group
    number: int | None = None
    count: int = 0

    def write_planes(
        self,
        layouts: Sequence[Layout],
        parts: Iterable[slice],
        values: Callable[[slice], Sequence[np.ndarray]],
    ) -> None:
        """Write arrays some planes across z at a time, so that none is ever whole.

        Each has its full size in the file before its first planes are written, and so
        the parts may come in any order.

        Parameters
        ----------
        layouts
            The arrays, made where they are not there.
        parts
            Planes across z, slices.
        values
            Those planes of each array.
        """
        items: list[h5py.Dataset] = []
        for part in parts:
            blocks = values(part)
            if not items:
                items = [
                    self._made(layout, block.dtype)
                    for layout, block in zip(layouts, blocks, strict=True)
                ]
            for item, block in zip(items, blocks, strict=True):
                item[(*self._place, part)] = block

    def write(self, layout: Layout, values: Callable[[slice], np.ndarray]) -> None:
        """Write one array, of which `values` are some planes across z."""
        parts = _slabs(layout.shape, np.dtype(layout.dtype))
        self.write_planes((layout,), parts, lambda part: (values(part),))

    def read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Read an array of this shape, transposed: ([component,] x, y, z)."""
        item = container.dataset(self.root, name)
        check_shape(item, (*item.shape[: len(self._place)], *shape))
        image.check_size(shape, item.dtype.itemsize, container.where(item))
        field = np.empty(shape[::-1], item.dtype)
        for planes in _slabs(shape, item.dtype):
            field[..., planes] = item[(*self._place, planes)].T
        return field

    @property
    def _place(self) -> tuple[int, ...]:
        return () if self.number is None else (self.number,)

    def _made(self, layout: Layout, dtype: DTypeLike) -> h5py.Dataset:
        """The array, which is there where an earlier time has made it."""
        if self.number is not None and layout.name in self.root:
            return container.dataset(self.root, layout.name)
        item = self._create(layout.name, layout.shape, layout.dtype or dtype)
        if layout.components:
            item.attrs["components"] = layout.components
        return item

    def _create(
        self, name: str, shape: tuple[int, ...], dtype: DTypeLike
    ) -> h5py.Dataset:
        if self.number is None:
            return self.root.create_dataset(name, shape, dtype)
        # space for all times is set aside, so that none has to be found later
        space = set_aside()
        return self.root.create_dataset(name, (self.count, *shape), dtype, dcpl=space)


def set_aside() -> Any:
    """How a dataset is made that has its space in the file at once, unwritten."""
    space = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    space.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    space.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    return space


def write_components(
    arrays: Arrays, name: str, field: np.ndarray, dtype: DTypeLike | None = None
) -> None:
    """Write ([k,] nx, ny, nz), or (3, 3, nx, ny, nz) by rows, as (nz, ny, nx[, k])."""
    rows = ""
    if field.ndim > 3:
        field = field.reshape(-1, *field.shape[-3:])
        if len(field) == 9 and not name.endswith(BY_SYSTEM):
            rows = "by rows: xx xy xz yx yy yz zx zy zz"
    arrays.write(
        Layout(name, field.shape[::-1], dtype or field.dtype, rows),
        lambda planes: field[..., planes].T,
    )


def write_tensor(
    arrays: Arrays, name: str, mandel: np.ndarray, dtype: DTypeLike | None = None
) -> None:
    """Write Mandel (6, nx, ny, nz) as tensor components (nz, ny, nx, 6)."""
    arrays.write(
        Layout(name, mandel.shape[::-1], dtype or mandel.dtype, TENSOR),
        lambda planes: tensor_planes(mandel[..., planes]),
    )


def tensor_planes(mandel: np.ndarray) -> np.ndarray:
    """Mandel (6, nx, ny, m) as tensor components in VTK's order (m, ny, nx, 6)."""
    factors = FACTORS.astype(mandel.dtype)
    values = np.empty((*mandel.shape[:0:-1], 6), mandel.dtype)
    for c, m in enumerate(VTK_ORDER):
        np.divide(mandel[m].T, factors[m], out=values[..., c])
    return values


def read_tensor(arrays: Arrays, name: str, grid: Grid) -> np.ndarray:
    """Read tensor components as Mandel (6, nx, ny, nz)."""
    mandel = arrays.read(name, (*grid.shape[::-1], 6))
    mandel[list(VTK_ORDER[3:])] = mandel[3:].copy()
    mandel[3:] *= FACTORS[3:, None, None, None]
    return mandel


def read_rows(arrays: Arrays, name: str, grid: Grid) -> np.ndarray:
    """Read tensors without symmetry, by rows, as (3, 3, nx, ny, nz)."""
    return arrays.read(name, (*grid.shape[::-1], 9)).reshape(3, 3, *grid.shape)


def write_displacement(
    arrays: Arrays,
    name: str,
    fluctuation: np.ndarray,
    gradient: np.ndarray,
    grid: Grid,
    scheme: str,
    dtype: DTypeLike | None = None,
    ranks: Ranks = ALONE,
) -> None:
    """Write the total displacement of a fluctuation (3, nx, ny, nz).

    Along an axis that is not periodic the fluctuation has one node more than voxels.
    `gradient` is that of its affine part, (3, 3): the mean strain, or F - 1. Of `ranks`
    each has the fluctuation of its own planes across x.
    """
    centred = discretization(scheme).nodes == "centers"
    nx, ny, nz = (n + (not centred) for n in grid.shape)
    first, count = ranks.planes(grid.shape[0]).start, fluctuation.shape[1]
    # the nodes of the last face are those of the first
    face = ranks.padded(fluctuation[:, :1], grid.shape[0])[:, 2:]
    more_x = int(count > 0 and first + count == nx - 1)

    def total(planes: slice) -> np.ndarray:
        k = np.arange(planes.start, planes.stop) % fluctuation.shape[3]
        part = np.concatenate([fluctuation[..., k], face[:, :more_x, :, k]], axis=1)
        more_y = ny - part.shape[2]
        part = np.pad(part, ((0, 0), (0, 0), (0, more_y), (0, 0)), mode="wrap")
        nodes = np.ogrid[first : first + part.shape[1], :ny, planes]
        return (part + affine_displacement(gradient, grid, centred, nodes)).T

    layout = Layout(
        f"{'Cell' if centred else 'Point'}Data/{name}",
        (nz, ny, nx, 3),
        dtype or fluctuation.dtype,
        "x y z of u = E.x + fluctuation, E the mean strain (finite: mean F - 1), x "
        "from the box corner",
    )
    arrays.write(layout, total)


def read_displacement(
    arrays: Arrays,
    name: str,
    grid: Grid,
    gradient: np.ndarray,
    periodic: tuple[bool, bool, bool] = (True, True, True),
) -> np.ndarray:
    """Read the displacement fluctuation, (3, nx, ny, nz); see `write_displacement`."""
    centred = f"CellData/{name}" in arrays.root
    place = "CellData" if centred else "PointData"
    shape = tuple(n + (not centred) for n in grid.shape[::-1])
    total = arrays.read(f"{place}/{name}", (*shape, 3))
    nx, ny, nz = (n + (not p) for n, p in zip(grid.shape, periodic, strict=True))
    fluctuation = np.ascontiguousarray(total[:, :nx, :ny, :nz])
    for planes in _slabs((nz, ny, nx, 3), fluctuation.dtype):
        nodes = np.ogrid[:nx, :ny, planes]
        fluctuation[..., planes] -= affine_displacement(gradient, grid, centred, nodes)
    return fluctuation


def check_shape(item: h5py.Dataset, shape: tuple[int, ...]) -> None:
    """Refuse an array that does not fill the extent."""
    if item.shape != shape:
        raise InputError(
            f"{container.where(item)} has shape {item.shape}",
            f"{shape} (z, y, x), that of WholeExtent",
        )


def _slabs(shape: tuple[int, ...], dtype: np.dtype) -> Iterator[slice]:
    """Slices of planes across z, the first axis."""
    step = max(SLAB, SMALL // (dtype.itemsize * prod(shape[1:])))
    return (slice(k, min(k + step, shape[0])) for k in range(0, shape[0], step))
