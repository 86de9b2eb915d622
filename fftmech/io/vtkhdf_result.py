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
from fftmech.io.vtkhdf import check_shape, read_microstructure, write_microstructure
from fftmech.load import Load
from fftmech.result import Result
from fftmech.tensors import (
    COMPONENTS,
    FACTORS,
    components_from_mandel,
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
        density = np.ascontiguousarray(result.energy_density.transpose(2, 1, 0))
        cells.create_dataset("energy_density", data=density)
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
    """Write Mandel (6, nx, ny, nz) as (nz, ny, nx, 6), a plane at a time."""
    _, nx, ny, nz = mandel.shape
    item = cells.create_dataset(name, (nz, ny, nx, 6), mandel.dtype)
    item.attrs["components"] = "tensor components, order xx yy zz xy yz xz"
    for k in range(nz):
        plane = components_from_mandel(mandel[..., k], axis=0)
        item[k] = plane[VTK_ORDER, ...].transpose(2, 1, 0)


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
    for k in range(nz):
        plane = result.displacement[..., k % grid.shape[2]]
        plane = np.pad(plane, ((0, 0), (0, extra), (0, extra)), mode="wrap")
        total = plane + _affine(grid, result.mean_strain, k, centred, (nx, ny))
        item[k] = total.transpose(2, 1, 0)


def _affine(
    grid: Grid, mean_strain: np.ndarray, k: int, centred: bool, shape: tuple[int, int]
) -> np.ndarray:
    """E.x at the nodes of plane k, (3, nx, ny), x measured from the box corner."""
    E = matrix_from_mandel(mean_strain)
    offset = 0.5 if centred else 0.0
    hx, hy, hz = grid.h
    x = hx * (np.arange(shape[0]) + offset)[:, None]
    y = hy * (np.arange(shape[1]) + offset)[None, :]
    z = hz * (k + offset)
    return np.stack([E[i, 0] * x + E[i, 1] * y + E[i, 2] * z for i in range(3)])


def _read_tensor(file: h5py.File, name: str, grid: Grid) -> np.ndarray:
    item = container.dataset(file, f"VTKHDF/CellData/{name}")
    shape = grid.shape
    check_shape(item, (*shape[::-1], 6))
    image.check_size(item.shape, item.dtype.itemsize, container.where(item))
    mandel = np.empty((6, *shape), item.dtype)
    for k in range(shape[2]):
        plane = item[k].transpose(2, 1, 0)
        for c, m in enumerate(VTK_ORDER):
            mandel[m, ..., k] = plane[c] * FACTORS[m]
    return mandel


def _read_scalar(file: h5py.File, name: str, grid: Grid) -> np.ndarray:
    item = container.dataset(file, f"VTKHDF/CellData/{name}")
    check_shape(item, grid.shape[::-1])
    return np.ascontiguousarray(item[()].transpose(2, 1, 0))


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
    for k in range(nz):
        total = item[k, :ny, :nx].transpose(2, 1, 0)
        fluctuation[..., k] = total - _affine(grid, mean_strain, k, centred, (nx, ny))
    return fluctuation
