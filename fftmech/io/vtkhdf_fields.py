"""Fields on a grid as VTKHDF stores them, [z, y, x] and components last.

Tensors are tensor components in VTK's order xx yy zz xy yz xz. The displacement is the
total one, u = E.x + fluctuation, x from the corner of the box, so that ParaView's Warp
By Vector shows the deformed body: PointData (Nz+1, Ny+1, Nx+1, 3) where the scheme's
nodes are voxel corners, CellData (Nz, Ny, Nx, 3) where they are centres.
"""

from collections.abc import Iterator
from math import prod

import h5py
import numpy as np
from numpy.typing import DTypeLike

from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import container, image
from fftmech.tensors import FACTORS

VTK_ORDER = (0, 1, 2, 5, 3, 4)
"""Place in `COMPONENTS` of each component of VTK's xx yy zz xy yz xz."""

SLAB = 8
"""Planes across z that are transposed at a time: a cache line of float64."""

SMALL = 2**18
"""Bytes that are transposed at a time where planes are small: half a cache."""


def slabs(item: h5py.Dataset, count: int) -> Iterator[slice]:
    """Slices of the first `count` planes across z, so that no whole field is copied."""
    planes = max(SLAB, SMALL // (item.dtype.itemsize * prod(item.shape[1:])))
    return (slice(k, min(k + planes, count)) for k in range(0, count, planes))


def write_scalar(
    cells: h5py.Group, name: str, field: np.ndarray, dtype: DTypeLike | None = None
) -> None:
    """Write (nx, ny, nz) as (nz, ny, nx)."""
    item = cells.create_dataset(name, field.shape[::-1], dtype or field.dtype)
    for planes in slabs(item, field.shape[2]):
        item[planes] = field[..., planes].T


def write_tensor(
    cells: h5py.Group, name: str, mandel: np.ndarray, dtype: DTypeLike | None = None
) -> None:
    """Write Mandel (6, nx, ny, nz) as tensor components (nz, ny, nx, 6)."""
    _, nx, ny, nz = mandel.shape
    item = cells.create_dataset(name, (nz, ny, nx, 6), dtype or mandel.dtype)
    item.attrs["components"] = "tensor components, order xx yy zz xy yz xz"
    factors = FACTORS.astype(mandel.dtype)
    for planes in slabs(item, nz):
        part = mandel[..., planes]
        components = np.empty((*part.shape[:0:-1], 6), mandel.dtype)
        for c, m in enumerate(VTK_ORDER):
            np.divide(part[m].T, factors[m], out=components[..., c])
        item[planes] = components


def write_displacement(
    root: h5py.Group,
    name: str,
    fluctuation: np.ndarray,
    gradient: np.ndarray,
    grid: Grid,
    scheme: str,
    dtype: DTypeLike | None = None,
) -> None:
    """Write the total displacement of a fluctuation (3, nx, ny, nz).

    Along an axis that is not periodic the fluctuation has one node more than voxels.
    `gradient` is that of its affine part, (3, 3): the mean strain, or F - 1.
    """
    centred = discretization(scheme).nodes == "centers"
    extra = 0 if centred else 1
    nx, ny, nz = (n + extra for n in grid.shape)
    group = root.require_group("CellData" if centred else "PointData")
    item = group.create_dataset(name, (nz, ny, nx, 3), dtype or fluctuation.dtype)
    item.attrs["components"] = (
        "x y z of u = E.x + fluctuation, E the mean strain (finite: mean F - 1), x "
        "from the box corner"
    )
    for planes in slabs(item, nz):
        k = np.arange(planes.start, planes.stop)
        part = fluctuation[..., k % fluctuation.shape[3]]
        more_x, more_y = nx - part.shape[1], ny - part.shape[2]
        part = np.pad(part, ((0, 0), (0, more_x), (0, more_y), (0, 0)), mode="wrap")
        total = part + _affine(grid, gradient, planes, centred, (nx, ny))
        item[planes] = total.T


def _affine(
    grid: Grid,
    gradient: np.ndarray,
    planes: slice,
    centred: bool,
    shape: tuple[int, int],
) -> np.ndarray:
    """E.x at the nodes of some planes, (3, nx, ny, k), x from the box corner."""
    E = gradient[..., None, None, None]
    offset = 0.5 if centred else 0.0
    nodes = np.ogrid[: shape[0], : shape[1], planes]
    x, y, z = (h * (node + offset) for h, node in zip(grid.h, nodes, strict=True))
    return E[:, 0] * x + E[:, 1] * y + E[:, 2] * z


def read_tensor(root: h5py.Group, name: str, grid: Grid) -> np.ndarray:
    """Read tensor components as Mandel (6, nx, ny, nz)."""
    item = container.dataset(root, f"CellData/{name}")
    shape = grid.shape
    check_shape(item, (*shape[::-1], 6))
    image.check_size(item.shape, item.dtype.itemsize, container.where(item))
    mandel = np.empty((6, *shape), item.dtype)
    for planes in slabs(item, shape[2]):
        components = item[planes].T
        for c, m in enumerate(VTK_ORDER):
            mandel[m, ..., planes] = components[c] * FACTORS[m]
    return mandel


def write_components(cells: h5py.Group, name: str, field: np.ndarray) -> None:
    """Write (3, 3, nx, ny, nz) by rows, or any (k, nx, ny, nz), as (nz, ny, nx, k)."""
    field = field.reshape(-1, *field.shape[-3:])
    count, nx, ny, nz = field.shape
    item = cells.create_dataset(name, (nz, ny, nx, count), field.dtype)
    if count == 9:
        item.attrs["components"] = "by rows: xx xy xz yx yy yz zx zy zz"
    for planes in slabs(item, nz):
        item[planes] = field[..., planes].T


def read_components(root: h5py.Group, name: str, grid: Grid, count: int) -> np.ndarray:
    """Read so many numbers by voxel, (count, nx, ny, nz)."""
    item = container.dataset(root, f"CellData/{name}")
    check_shape(item, (*grid.shape[::-1], count))
    image.check_size(item.shape, item.dtype.itemsize, container.where(item))
    field = np.empty((count, *grid.shape), item.dtype)
    for planes in slabs(item, grid.shape[2]):
        field[..., planes] = item[planes].T
    return field


def read_scalar(root: h5py.Group, name: str, grid: Grid) -> np.ndarray:
    """Read a number by voxel, (nx, ny, nz)."""
    item = container.dataset(root, f"CellData/{name}")
    check_shape(item, grid.shape[::-1])
    field = np.empty(grid.shape, item.dtype)
    for planes in slabs(item, grid.shape[2]):
        field[..., planes] = item[planes].T
    return field


def read_displacement(
    root: h5py.Group,
    name: str,
    grid: Grid,
    gradient: np.ndarray,
    periodic: tuple[bool, bool, bool] = (True, True, True),
) -> np.ndarray:
    """Read the displacement fluctuation, (3, nx, ny, nz); see `write_displacement`."""
    centred = f"CellData/{name}" in root
    place = "CellData" if centred else "PointData"
    item = container.dataset(root, f"{place}/{name}")
    nx, ny, nz = grid.shape
    extra = 0 if centred else 1
    check_shape(item, (nz + extra, ny + extra, nx + extra, 3))
    nx, ny, nz = (n + (not p) for n, p in zip(grid.shape, periodic, strict=True))
    fluctuation = np.empty((3, nx, ny, nz), item.dtype)
    for planes in slabs(item, nz):
        total = item[planes, :ny, :nx].T
        affine = _affine(grid, gradient, planes, centred, (nx, ny))
        np.subtract(total, affine, out=fluctuation[..., planes])
    return fluctuation


def check_shape(item: h5py.Dataset, shape: tuple[int, ...]) -> None:
    """Refuse an array that does not fill the extent.

    Raises
    ------
    InputError
        Naming both shapes.
    """
    if item.shape != shape:
        raise InputError(
            f"{container.where(item)} has shape {item.shape}",
            f"{shape} (z, y, x), that of WholeExtent",
        )
