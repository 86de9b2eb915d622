"""Fields of a result in VTKHDF ImageData.

Strain, stress, energy density, displacement and internal variables are stored as
`vtkhdf_fields` says, at finite strain also F and P, nine components by rows;
/fftmech/run is JSON.
"""

from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from typing import Any

import h5py
import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import container
from fftmech.io.atomic import whole_hdf5
from fftmech.io.json_text import json_text, read_json
from fftmech.io.vtkhdf import read_microstructure, write_microstructure
from fftmech.io.vtkhdf_fields import (
    Arrays,
    read_displacement,
    read_tensor,
    write_components,
    write_displacement,
    write_tensor,
)
from fftmech.loads.boundary import Boundary
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.results.result import FiniteFields, Result
from fftmech.tensors import (
    COMPONENTS,
    FACTORS,
    mandel_from_components,
    matrix_from_mandel,
    von_mises,
)

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

FACES = "fftmech/boundary_displacement"
"""Dataset of `Boundary.displacement` at the nodes, where there is one."""

LATER: dict[str, Any] = {"time": 1.0, "linear_iterations": 0, "notes": []}
"""More such fields, which older files do not have, with what they would be."""


def write_result(path: str | PathLike, result: Result) -> None:
    """Write a result with its microstructure; the file appears whole or not at all."""
    with whole_hdf5(path) as file:
        write_microstructure(file, result.microstructure, "result")
        write_fields(Arrays(container.group(file, "VTKHDF")), result)
        run = json_text(_run(result))
        file.create_dataset("fftmech/run", data=run, dtype=h5py.string_dtype())
        boundary = result.boundary
        if boundary is not None and boundary.displacement is not None:
            values = boundary.values(result.microstructure.grid)
            assert values is not None
            # zero but on the faces
            item = file.create_dataset(FACES, data=values.T, compression="gzip")
            item.attrs["convention"] = "x y z at nodes [z, y, x], added to E.x on faces"


def write_fields(arrays: Arrays, result: Result) -> None:
    """Write the fields of a result below /VTKHDF."""
    write_tensor(arrays, "CellData/strain", result.strain)
    write_tensor(arrays, "CellData/stress", result.stress)
    write_components(arrays, "CellData/energy_density", result.energy_density)
    stress = result.stress
    arrays.write(
        "CellData/von_mises",
        stress.shape[:0:-1],
        stress.dtype,
        lambda planes: von_mises(stress[..., planes]).T,
    )
    if result.finite is not None:
        write_components(arrays, "CellData/F", result.finite.F)
        write_components(arrays, "CellData/P", result.finite.P)
    for name, field in result.variables.items():
        if len(field) == 6:
            write_tensor(arrays, f"CellData/{name}", field)
        else:
            values = field[0] if len(field) == 1 else field
            write_components(arrays, f"CellData/{name}", values)
    write_displacement(
        arrays,
        "displacement",
        result.displacement,
        result.mean_gradient,
        result.microstructure.grid,
        result.scheme,
    )


def read_run(path: str | PathLike) -> dict[str, Any]:
    """Read how a result was computed: load, scheme, status, residuals, ...

    "boundary_displacement" is the largest component of `Boundary.displacement`.
    """
    with container.opened(path) as file:
        run = _read_run(file)
        if FACES in file:
            values = container.dataset(file, FACES)[()]
            run["boundary_displacement"] = float(np.abs(values).max())
        return run


def read_result(path: str | PathLike) -> Result:
    """Read a result."""
    with container.opened(path) as file:
        run = _read_run(file)
        microstructure = read_microstructure(file, None)
        grid, arrays = microstructure.grid, Arrays(container.group(file, "VTKHDF"))
        mean_strain, mean_stress = (
            mandel_from_components(np.array([run[name][c] for c in COMPONENTS]))
            for name in ("mean_strain", "mean_stress")
        )
        finite, gradient = None, matrix_from_mandel(mean_strain)
        if "mean_F" in run:
            mean_F, mean_P = (np.array(run[name]) for name in ("mean_F", "mean_P"))
            F, P = read_F_and_P(arrays, grid)
            finite = FiniteFields(F, P, mean_F, mean_P)
            gradient = mean_F - np.eye(3)
        boundary = _read_boundary(file, run) if "boundary" in run else None
        periodic = (boundary or Boundary()).periodic
        return Result(
            microstructure,
            _load(run["load"]),
            displacement=read_displacement(
                arrays, "displacement", grid, gradient, periodic
            ),
            mean_strain=mean_strain,
            mean_stress=mean_stress,
            finite=finite,
            boundary=boundary,
            **read_fields(arrays, grid, run["variables"]),
            **{name: run[name] for name in (*RUN, *LATER)},
        )


def read_fields(
    arrays: Arrays, grid: Grid, variables: Mapping[str, int]
) -> dict[str, Any]:
    """Read what `Result` has at every voxel; `variables` are counts of components."""

    def variable(name: str, count: int) -> np.ndarray:
        if count == 1:
            return arrays.read(f"CellData/{name}", grid.shape[::-1])[None]
        if count == 6:
            return read_tensor(arrays, f"CellData/{name}", grid)
        return arrays.read(f"CellData/{name}", (*grid.shape[::-1], count))

    return {
        "strain": read_tensor(arrays, "CellData/strain", grid),
        "stress": read_tensor(arrays, "CellData/stress", grid),
        "energy_density": arrays.read("CellData/energy_density", grid.shape[::-1]),
        "variables": {name: variable(name, k) for name, k in variables.items()},
    }


def read_F_and_P(arrays: Arrays, grid: Grid) -> list[np.ndarray]:
    """Read the fields of finite strain, each (3, 3, nx, ny, nz)."""
    fields = (arrays.read(f"CellData/{name}", (*grid.shape[::-1], 9)) for name in "FP")
    return [field.reshape(3, 3, *grid.shape) for field in fields]


def _read_boundary(file: h5py.File, run: dict[str, Any]) -> Boundary:
    if FACES not in file:
        return Boundary(**run["boundary"])
    item = container.dataset(file, FACES)
    if item.ndim != 4 or item.shape[3] != 3:
        raise InputError(
            f"{container.where(item)} has shape {item.shape}", "x y z last"
        )
    return Boundary(**run["boundary"], displacement=item[()].T)


def _load(written: dict[str, Any]) -> Load | FiniteLoad:
    return FiniteLoad(**written) if "F" in written else Load(**written)


def _read_run(file: h5py.File) -> dict[str, Any]:
    if "fftmech/run" not in file:
        raise InputError(
            f"{file.filename} holds no result",
            mend="make one with fftmech solve ... -o result.vtkhdf",
        )
    item = container.dataset(file, "fftmech/run")
    try:
        run = read_json(item[()])
        for name, kind in RUN.items():
            run[name] = kind(run[name])
        for name in ("mean_strain", "mean_stress"):
            run[name] = {c: float(run[name][c]) for c in COMPONENTS}
        _load(run["load"])
        Boundary(**run.get("boundary", {}))
        for name, default in LATER.items():
            run[name] = type(default)(run.get(name, default))
        run["variables"] = {n: int(k) for n, k in run.get("variables", {}).items()}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{container.where(item)} does not say how this was solved ({error})",
            mend="solve again",
        ) from error
    return run


def _run(result: Result) -> dict[str, Any]:
    run = {name: getattr(result, name) for name in RUN}
    run.update({name: getattr(result, name) for name in LATER})
    run["load"] = asdict(result.load)
    run["variables"] = {name: len(field) for name, field in result.variables.items()}
    if result.boundary is not None:
        run["boundary"] = dict(zip("xyz", result.boundary.kinds, strict=True))
    if result.finite is not None:
        run["mean_F"], run["mean_P"] = result.finite.mean_F, result.finite.mean_P
    for name in ("mean_strain", "mean_stress"):
        components = getattr(result, name) / FACTORS
        run[name] = dict(zip(COMPONENTS, components.tolist(), strict=True))
    return run
