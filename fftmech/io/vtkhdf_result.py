"""Fields of a result in VTKHDF ImageData.

Strain, stress, energy density and displacement are stored as `vtkhdf_fields` says;
/fftmech/run is JSON.
"""

import json
from dataclasses import asdict
from os import PathLike
from typing import Any

import h5py
import numpy as np

from fftmech.errors import InputError
from fftmech.io import container
from fftmech.io.atomic import whole_hdf5
from fftmech.io.vtkhdf import read_microstructure, write_microstructure
from fftmech.io.vtkhdf_fields import (
    read_displacement,
    read_scalar,
    read_tensor,
    write_displacement,
    write_scalar,
    write_tensor,
)
from fftmech.load import Load
from fftmech.result import Result
from fftmech.tensors import (
    COMPONENTS,
    FACTORS,
    mandel_from_components,
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


def write_result(path: str | PathLike, result: Result) -> None:
    """Write a result with its microstructure; the file appears whole or not at all."""
    with whole_hdf5(path) as file:
        write_microstructure(file, result.microstructure, "result")
        root = container.group(file, "VTKHDF")
        cells = container.group(root, "CellData")
        write_tensor(cells, "strain", result.strain)
        write_tensor(cells, "stress", result.stress)
        write_scalar(cells, "energy_density", result.energy_density)
        write_displacement(
            root,
            "displacement",
            result.displacement,
            result.mean_strain,
            result.microstructure.grid,
            result.scheme,
        )
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
        grid, root = microstructure.grid, container.group(file, "VTKHDF")
        mean_strain, mean_stress = (
            mandel_from_components(np.array([run[name][c] for c in COMPONENTS]))
            for name in ("mean_strain", "mean_stress")
        )
        return Result(
            microstructure,
            Load(**run["load"]),
            displacement=read_displacement(root, "displacement", grid, mean_strain),
            strain=read_tensor(root, "strain", grid),
            stress=read_tensor(root, "stress", grid),
            energy_density=read_scalar(root, "energy_density", grid),
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
