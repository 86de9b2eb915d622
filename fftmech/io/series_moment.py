"""One time of a series as a result, so that it is drawn like any other."""

import json
from os import PathLike

import h5py
import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.io import container
from fftmech.io.vtkhdf import read_microstructure
from fftmech.io.vtkhdf_fields import VTK_ORDER, check_shape
from fftmech.loads.load import Load
from fftmech.results.result import FiniteFields, Result
from fftmech.tensors import FACTORS, mandel_from_matrix, matrix_from_mandel

_KNOWN = ("phase", "strain", "stress", "energy_density", "displacement", "F", "P")


def read_moment(path: str | PathLike, number: int) -> Result:
    """Read a series at its time `number`, from 0.

    A series stores fields and no history of each time: load, residuals and
    certificate are empty. The displacement fluctuation has a node more than voxels
    along every axis.

    Raises
    ------
    InputError
        Arrays that do not fit the extent.
    """
    with container.opened(path) as file:
        body = read_microstructure(file, None)
        root, grid = container.group(file, "VTKHDF"), body.grid
        cells = container.group(root, "CellData")
        run = json.loads(container.text(container.dataset(file, "fftmech/run")[()]))
        strain, stress = (
            _mandel(_read(cells, name, number, grid)) for name in ("strain", "stress")
        )
        finite = None
        if "F" in cells:
            F, P = (
                _read(cells, name, number, grid).reshape(3, 3, *grid.shape)
                for name in "FP"
            )
            means = (tensor.mean(axis=(2, 3, 4)) for tensor in (F, P))
            finite = FiniteFields(F, P, *means)
        mean_strain, mean_stress = (
            field.mean(axis=(1, 2, 3), dtype=float) for field in (strain, stress)
        )
        gradient = matrix_from_mandel(mean_strain)
        if finite is not None:
            F, P = finite.mean_F, finite.mean_P
            gradient = F - np.eye(3)
            mean_strain = mandel_from_matrix((F.T @ F - np.eye(3)) / 2)
            cauchy = P @ F.T / np.linalg.det(F)
            mean_stress = mandel_from_matrix((cauchy + cauchy.T) / 2)
        energy_density = _read(cells, "energy_density", number, grid)[0]
        return Result(
            body,
            Load(),
            scheme=run["scheme"],
            solver=run["solver"],
            tolerance=run["tolerance"],
            displacement=_read_displacement(root, number, grid, gradient),
            strain=strain,
            stress=stress,
            energy_density=energy_density,
            mean_strain=mean_strain,
            mean_stress=mean_stress,
            energy=float(energy_density.mean(dtype=float)),
            status="converged",
            advice="",
            iterations=0,
            residuals=[],
            variables={
                name: _read_variable(cells, name, number, grid)
                for name in map(str, cells)
                if name not in _KNOWN
            },
            finite=finite,
            time=float(container.dataset(root, "Steps/Values")[number]),
        )


def _read(cells: h5py.Group, name: str, number: int, grid: Grid) -> np.ndarray:
    """Numbers by voxel at one time, (k, nx, ny, nz)."""
    item = container.dataset(cells, name)
    shape = (len(item), *grid.shape[::-1])
    check_shape(item, (*shape, *item.shape[4:5]))
    values = item[min(number, len(item) - 1)]
    return np.ascontiguousarray(values.reshape(*grid.shape[::-1], -1).T)


def _read_variable(cells: h5py.Group, name: str, number: int, grid: Grid) -> np.ndarray:
    values = _read(cells, name, number, grid)
    return _mandel(values) if len(values) == 6 else values


def _mandel(components: np.ndarray) -> np.ndarray:
    """Mandel from tensor components in VTK's order, (6, nx, ny, nz)."""
    mandel = np.empty_like(components)
    for c, m in enumerate(VTK_ORDER):
        mandel[m] = components[c] * FACTORS[m]
    return mandel


def _read_displacement(
    root: h5py.Group, number: int, grid: Grid, gradient: np.ndarray
) -> np.ndarray:
    centred = "displacement" in container.group(root, "CellData")
    extra, offset = (0, 0.5) if centred else (1, 0.0)
    place = "CellData" if centred else "PointData"
    item = container.dataset(root, f"{place}/displacement")
    check_shape(item, (len(item), *(n + extra for n in grid.shape[::-1]), 3))
    nodes = np.indices(item.shape[3:0:-1]) + offset
    x = nodes * np.reshape(grid.h, (3, 1, 1, 1))
    return item[number].T - np.tensordot(gradient, x, axes=1)
