"""Fields of a result in VTKHDF ImageData.

CellData/strain and CellData/stress (Nz, Ny, Nx, 6) are tensor components in VTK's order
xx yy zz xy yz xz; CellData/energy_density (Nz, Ny, Nx) is the elastic energy. The
displacement is the total one, u = E.x + fluctuation, x from the corner of the box, so
that ParaView's Warp By Vector shows the deformed body: PointData/displacement (Nz+1,
Ny+1, Nx+1, 3) where the scheme's nodes are voxel corners, CellData/displacement (Nz,
Ny, Nx, 3) where they are centres. /fftmech/run is JSON.
"""

import json
from dataclasses import asdict
from os import PathLike
from typing import Any

import h5py
import numpy as np

from fftmech.discretization import discretization
from fftmech.errors import InputError
from fftmech.grid import Grid
from fftmech.io import container, image
from fftmech.io.atomic import whole_hdf5
from fftmech.io.vtkhdf import (
    check_shape,
    read_microstructure,
    slabs,
    write_microstructure,
    write_scalar,
)
from fftmech.load import Load
from fftmech.result import Result
from fftmech.tensors import (
    COMPONENTS,
    FACTORS,
    mandel_from_components,
    matrix_from_mandel,
)

VTK_ORDER = (0, 1, 2, 5, 3, 4)
"""Place in `COMPONENTS` of each component of VTK's xx yy zz xy yz xz."""

RUN: dict[str, Any] = {
    "scheme": str,
    "solver": str,
    "tolerance": float,
    "energy": float,
    "status": str,
    "advice": str,
    "iterations": int,
    "residuals": list,
    "times": dict,
    "certificate": dict,
    "temperature": float,
    "precision": str,
}
"""Fields of `Result` that are JSON as they are, and their types."""


def write_result(path: str | PathLike, result: Result) -> None:
    """Write a result with its microstructure; the file appears whole or not at all."""
    with whole_hdf5(path) as file:
        write_microstructure(file, result.microstructure, "result")
        root = container.group(file, "VTKHDF")
        cells = container.group(root, "CellData")
        _write_tensor(cells, "strain", result.strain)
        _write_tensor(cells, "stress", result.stress)
        write_scalar(cells, "energy_density", result.energy_density)
        _write_displacement(root, cells, result)
        run = json.dumps(_run(result))
        file.create_dataset("fftmech/run", data=run, dtype=h5py.string_dtype())


def read_run(path: str | PathLike) -> dict[str, Any]:
    """Read how a result was computed: load, scheme, status, residuals, ..."""
    with container.opened(path) as file:
        return _read_run(file)


def read_result(path: str | PathLike) -> Result:
    """Read a result; the fluctuation is the displacement less the mean strain's part.

    Raises
    ------
    InputError
        The file holds no result, or arrays that do not fit its extent.
    """
    with container.opened(path) as file:
        run = _read_run(file)
        microstructure = read_microstructure(file, None)
        grid = microstructure.grid
        mean_strain, mean_stress = (
            mandel_from_components(np.array([run[name][c] for c in COMPONENTS]))
            for name in ("mean_strain", "mean_stress")
        )
        return Result(
            microstructure,
            Load(**run["load"]),
            displacement=_read_displacement(file, grid, mean_strain),
            strain=_read_tensor(file, "strain", grid),
            stress=_read_tensor(file, "stress", grid),
            energy_density=_read_scalar(file, "energy_density", grid),
            mean_strain=mean_strain,
            mean_stress=mean_stress,
            **{name: run[name] for name in RUN},
        )


def _read_run(file: h5py.File) -> dict[str, Any]:
    if "fftmech/run" not in file:
        raise InputError(
            f"{file.filename} holds no result; make one with fftmech solve ... "
            "-o result.vtkhdf"
        )
    item = container.dataset(file, "fftmech/run")
    try:
        run = json.loads(container.text(item[()]))
        for name, kind in RUN.items():
            run[name] = kind(run[name])
        for name in ("mean_strain", "mean_stress"):
            run[name] = {c: float(run[name][c]) for c in COMPONENTS}
        Load(**run["load"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{container.where(item)} does not say how this was solved ({error}); "
            "solve again"
        ) from error
    return run


def _run(result: Result) -> dict[str, Any]:
    run = {name: getattr(result, name) for name in RUN}
    run["load"] = asdict(result.load)
    for name in ("mean_strain", "mean_stress"):
        components = getattr(result, name) / FACTORS
        run[name] = dict(zip(COMPONENTS, components.tolist(), strict=True))
    # numpy scalars and arrays are not JSON; their Python values are
    return json.loads(json.dumps(run, default=lambda value: value.tolist()))


def _write_tensor(cells: h5py.Group, name: str, mandel: np.ndarray) -> None:
    """Write Mandel (6, nx, ny, nz) as tensor components (nz, ny, nx, 6)."""
    _, nx, ny, nz = mandel.shape
    item = cells.create_dataset(name, (nz, ny, nx, 6), mandel.dtype)
    item.attrs["components"] = "tensor components, order xx yy zz xy yz xz"
    factors = FACTORS.astype(mandel.dtype)
    for planes in slabs(nz):
        part = mandel[..., planes]
        components = np.empty((*part.shape[:0:-1], 6), mandel.dtype)
        for c, m in enumerate(VTK_ORDER):
            np.divide(part[m].T, factors[m], out=components[..., c])
        item[planes] = components


def _write_displacement(root: h5py.Group, cells: h5py.Group, result: Result) -> None:
    centred = discretization(result.scheme).nodes == "centers"
    grid = result.microstructure.grid
    extra = 0 if centred else 1
    nx, ny, nz = (n + extra for n in grid.shape)
    group = cells if centred else root.create_group("PointData")
    item = group.create_dataset(
        "displacement", (nz, ny, nx, 3), result.displacement.dtype
    )
    item.attrs["components"] = (
        "x y z of u = E.x + fluctuation, E the mean strain, x from the box corner"
    )
    for planes in slabs(nz):
        k = np.arange(planes.start, planes.stop)
        part = result.displacement[..., k % grid.shape[2]]
        part = np.pad(part, ((0, 0), (0, extra), (0, extra), (0, 0)), mode="wrap")
        total = part + _affine(grid, result.mean_strain, planes, centred, (nx, ny))
        item[planes] = total.T


def _affine(
    grid: Grid,
    mean_strain: np.ndarray,
    planes: slice,
    centred: bool,
    shape: tuple[int, int],
) -> np.ndarray:
    """E.x at the nodes of some planes, (3, nx, ny, k), x from the box corner."""
    E = matrix_from_mandel(mean_strain)[..., None, None, None]
    offset = 0.5 if centred else 0.0
    nodes = np.ogrid[: shape[0], : shape[1], planes]
    x, y, z = (h * (node + offset) for h, node in zip(grid.h, nodes, strict=True))
    return E[:, 0] * x + E[:, 1] * y + E[:, 2] * z


def _read_tensor(file: h5py.File, name: str, grid: Grid) -> np.ndarray:
    item = container.dataset(file, f"VTKHDF/CellData/{name}")
    shape = grid.shape
    check_shape(item, (*shape[::-1], 6))
    image.check_size(item.shape, item.dtype.itemsize, container.where(item))
    mandel = np.empty((6, *shape), item.dtype)
    for planes in slabs(shape[2]):
        components = item[planes].T
        for c, m in enumerate(VTK_ORDER):
            mandel[m, ..., planes] = components[c] * FACTORS[m]
    return mandel


def _read_scalar(file: h5py.File, name: str, grid: Grid) -> np.ndarray:
    item = container.dataset(file, f"VTKHDF/CellData/{name}")
    check_shape(item, grid.shape[::-1])
    field = np.empty(grid.shape, item.dtype)
    for planes in slabs(grid.shape[2]):
        field[..., planes] = item[planes].T
    return field


def _read_displacement(
    file: h5py.File, grid: Grid, mean_strain: np.ndarray
) -> np.ndarray:
    centred = "VTKHDF/CellData/displacement" in file
    place = "CellData" if centred else "PointData"
    item = container.dataset(file, f"VTKHDF/{place}/displacement")
    nx, ny, nz = grid.shape
    extra = 0 if centred else 1
    check_shape(item, (nz + extra, ny + extra, nx + extra, 3))
    fluctuation = np.empty((3, nx, ny, nz), item.dtype)
    for planes in slabs(nz):
        total = item[planes, :ny, :nx].T
        affine = _affine(grid, mean_strain, planes, centred, (nx, ny))
        np.subtract(total, affine, out=fluctuation[..., planes])
    return fluctuation
