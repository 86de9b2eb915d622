"""Fields of a result in VTKHDF ImageData.

Strain, stress, energy density, displacement and internal variables are stored as
`vtkhdf_fields` says, at finite strain also F and P, nine components by rows;
/fftmech/run is JSON.
"""

import json
from dataclasses import asdict
from os import PathLike
from typing import Any

import h5py
import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import container
from fftmech.io.atomic import whole_hdf5
from fftmech.io.vtkhdf import read_microstructure, write_microstructure
from fftmech.io.vtkhdf_fields import (
    read_components,
    read_displacement,
    read_scalar,
    read_tensor,
    write_components,
    write_displacement,
    write_scalar,
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

LATER: dict[str, Any] = {"time": 1.0, "linear_iterations": 0}
"""More such fields, which older files do not have, with what they would be."""


def write_result(path: str | PathLike, result: Result) -> None:
    """Write a result with its microstructure; the file appears whole or not at all."""
    with whole_hdf5(path) as file:
        write_microstructure(file, result.microstructure, "result")
        root = container.group(file, "VTKHDF")
        write_fields(root, result)
        run = json.dumps(_run(result))
        file.create_dataset("fftmech/run", data=run, dtype=h5py.string_dtype())


def write_fields(root: h5py.Group, result: Result) -> None:
    """Write the fields of a result below /VTKHDF."""
    cells = root.require_group("CellData")
    write_tensor(cells, "strain", result.strain)
    write_tensor(cells, "stress", result.stress)
    write_scalar(cells, "energy_density", result.energy_density)
    if result.finite is not None:
        write_components(cells, "F", result.finite.F)
        write_components(cells, "P", result.finite.P)
    for name, field in result.variables.items():
        if len(field) == 1:
            write_scalar(cells, name, field[0])
        elif len(field) == 6:
            write_tensor(cells, name, field)
        else:
            write_components(cells, name, field)
    write_displacement(
        root,
        "displacement",
        result.displacement,
        _gradient(result.mean_strain, result.finite and result.finite.mean_F),
        result.microstructure.grid,
        result.scheme,
    )


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
        grid, root = microstructure.grid, container.group(file, "VTKHDF")
        mean_strain, mean_stress = (
            mandel_from_components(np.array([run[name][c] for c in COMPONENTS]))
            for name in ("mean_strain", "mean_stress")
        )
        finite = _read_finite(root, grid, run) if "mean_F" in run else None
        gradient = _gradient(mean_strain, finite and finite.mean_F)
        boundary = Boundary(**run["boundary"]) if "boundary" in run else None
        return Result(
            microstructure,
            _load(run["load"]),
            displacement=read_displacement(
                root,
                "displacement",
                grid,
                gradient,
                (Boundary() if boundary is None else boundary).periodic,
            ),
            strain=read_tensor(root, "strain", grid),
            stress=read_tensor(root, "stress", grid),
            energy_density=read_scalar(root, "energy_density", grid),
            mean_strain=mean_strain,
            mean_stress=mean_stress,
            variables={
                name: _read_variable(root, name, grid, count)
                for name, count in run["variables"].items()
            },
            finite=finite,
            boundary=boundary,
            **{name: run[name] for name in (*RUN, *LATER)},
        )


def _read_finite(root: h5py.Group, grid: Grid, run: dict[str, Any]) -> FiniteFields:
    shape = (3, 3, *grid.shape)
    F, P = (read_components(root, name, grid, 9).reshape(shape) for name in "FP")
    return FiniteFields(F, P, np.array(run["mean_F"]), np.array(run["mean_P"]))


def _read_variable(root: h5py.Group, name: str, grid: Grid, count: int) -> np.ndarray:
    if count == 1:
        return read_scalar(root, name, grid)[None]
    if count == 6:
        return read_tensor(root, name, grid)
    return read_components(root, name, grid, count)


def _load(written: dict[str, Any]) -> Load | FiniteLoad:
    return FiniteLoad(**written) if "F" in written else Load(**written)


def _gradient(mean_strain: np.ndarray, mean_F: np.ndarray | None) -> np.ndarray:
    """Gradient (3, 3) of the affine part of the displacement."""
    if mean_F is None:
        return matrix_from_mandel(mean_strain)
    return mean_F - np.eye(3)


def _read_run(file: h5py.File) -> dict[str, Any]:
    if "fftmech/run" not in file:
        raise InputError(
            f"{file.filename} holds no result",
            mend="make one with fftmech solve ... -o result.vtkhdf",
        )
    item = container.dataset(file, "fftmech/run")
    try:
        run = json.loads(container.text(item[()]))
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
    # numpy scalars and arrays are not JSON; their Python values are
    return json.loads(json.dumps(run, default=lambda value: value.tolist()))
