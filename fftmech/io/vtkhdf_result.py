"""Fields of a result in VTKHDF ImageData.

Strain, stress, energy density, displacement and internal variables are stored as
`vtkhdf_fields` says, at finite strain also F and P, nine components by rows;
/fftmech/run is JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from typing import Any

import h5py
import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import container
from fftmech.io.json_text import json_text, read_json
from fftmech.io.shared_file import new_arrays
from fftmech.io.vtkhdf import read_microstructure, write_microstructure
from fftmech.io.vtkhdf_fields import (
    TENSOR,
    Arrays,
    Layout,
    read_displacement,
    read_rows,
    read_tensor,
    tensor_planes,
    write_components,
    write_displacement,
    write_tensor,
)
from fftmech.loads.boundary import Boundary
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.results.field_names import FIELDS, FINITE, Fields, chosen, is_tensor
from fftmech.results.result import FieldPlanes, FieldSource, FiniteFields, Result
from fftmech.tensors import COMPONENTS, FACTORS, mandel_from_components, von_mises

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

VOXEL = ("strain", "stress", "energy_density", "von_mises")
"""Fields that are computed and written together, planes across z at a time."""

WORDS = 13
"""Numbers a voxel of what is computed at once: strain, stress, energy density."""

FACES = "fftmech/boundary_displacement"
"""Dataset of `Boundary.displacement` at the nodes, where there is one."""

LATER: dict[str, Any] = {"time": 1.0, "linear_iterations": 0, "notes": []}
"""More such fields, which older files do not have, with what they would be."""


def write_result(
    path: str | PathLike,
    result: Result,
    fields: Fields = None,
    source: FieldSource | None = None,
) -> None:
    """Write a result with its microstructure: see `fftmech.io.write_result`."""
    names = chosen(fields, result.fields if source is None else FIELDS)
    with new_arrays(path, result.microstructure) as (file, arrays):
        write_microstructure(file, arrays, result.microstructure, "result")
        write_fields(arrays, result, names, source)
        run = json_text(_run(result, names))
        file.create_dataset("fftmech/run", data=run, dtype=h5py.string_dtype())
        boundary = result.boundary
        if boundary is not None and boundary.displacement is not None:
            values = boundary.values(result.microstructure.grid)
            assert values is not None
            # zero but on the faces
            item = file.create_dataset(FACES, data=values.T, compression="gzip")
            item.attrs["convention"] = "x y z at nodes [z, y, x], added to E.x on faces"


def write_fields(
    arrays: Arrays,
    result: Result,
    names: Sequence[str],
    source: FieldSource | None = None,
) -> None:
    """Write fields of a result below /VTKHDF; `source` as in `io.write_result`."""
    _write_planes(arrays, result, names, source.planes if source else result.planes)
    for name in FINITE:
        if name in names:
            write_components(arrays, f"CellData/{name}", getattr(result.finite, name))
    for name, field in result.variables.items():
        if name not in names:
            continue
        if is_tensor(name, len(field)):
            write_tensor(arrays, f"CellData/{name}", field)
        else:
            values = field[0] if len(field) == 1 else field
            write_components(arrays, f"CellData/{name}", values)
    if "displacement" not in names:
        return
    write_displacement(
        arrays,
        "displacement",
        (source or result).displacement,
        result.mean_gradient,
        result.microstructure.grid,
        result.scheme,
        ranks=result.microstructure.ranks,
    )


def _write_planes(
    arrays: Arrays, result: Result, names: Sequence[str], planes: FieldPlanes
) -> None:
    """Write those of strain, stress, energy density and von Mises stress together."""
    grid = result.microstructure.grid
    names = [name for name in VOXEL if name in names]
    shape, layouts = grid.shape[::-1], []
    for name in names:
        tensor = name in ("strain", "stress")
        numbers = (*shape, 6) if tensor else shape
        components = TENSOR if tensor else ""
        layouts.append(Layout(f"CellData/{name}", numbers, components=components))

    def values(part: slice) -> list[np.ndarray]:
        strain, stress, energy = planes(part)
        make: dict[str, Callable[[], np.ndarray]] = {
            "strain": lambda: tensor_planes(strain),
            "stress": lambda: tensor_planes(stress),
            "energy_density": lambda: energy.T,
            "von_mises": lambda: von_mises(stress).T,
        }
        if stress is None and result.von_mises is not None:
            equivalent = result.von_mises[..., part]
            make["von_mises"] = lambda: equivalent.T
        return [make[name]() for name in names]

    if names:
        arrays.write_planes(layouts, grid.slabs(2 * WORDS * 8), values)


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
        names = run["fields"]
        microstructure = read_microstructure(file, None)
        grid, arrays = microstructure.grid, Arrays(container.group(file, "VTKHDF"))
        mean_strain, mean_stress = (
            mandel_from_components(np.array([run[name][c] for c in COMPONENTS]))
            for name in ("mean_strain", "mean_stress")
        )
        boundary = _read_boundary(file, run) if "boundary" in run else None
        faces = boundary or Boundary()
        finite, gradient = None, faces.mean_gradient(mean_strain)
        if "mean_F" in run:
            mean_F, mean_P = (np.array(run[name]) for name in ("mean_F", "mean_P"))
            F, P = read_F_and_P(arrays, grid, names)
            finite = FiniteFields(F, P, mean_F, mean_P)
            gradient = mean_F - np.eye(3)
        displacement = None
        if "displacement" in names:
            displacement = read_displacement(
                arrays, "displacement", grid, gradient, faces.periodic
            )
        return Result(
            microstructure,
            _load(run["load"]),
            displacement=displacement,  # type: ignore[arg-type]
            mean_strain=mean_strain,
            mean_stress=mean_stress,
            finite=finite,
            boundary=boundary,
            **read_fields(arrays, grid, run["variables"], names),
            **{name: run[name] for name in (*RUN, *LATER)},
        )


def read_fields(
    arrays: Arrays, grid: Grid, variables: Mapping[str, int], names: Sequence[str]
) -> dict[str, Any]:
    """Read what `Result` has at every voxel, None for what is not in `names`.

    `variables` are counts of components.
    """

    def scalar(name: str) -> np.ndarray | None:
        if name not in names:
            return None
        return arrays.read(f"CellData/{name}", grid.shape[::-1])

    def variable(name: str, count: int) -> np.ndarray:
        if count == 1:
            return arrays.read(f"CellData/{name}", grid.shape[::-1])[None]
        item = container.dataset(arrays.root, f"CellData/{name}")
        if item.attrs.get("components") == TENSOR:
            return read_tensor(arrays, f"CellData/{name}", grid)
        return arrays.read(f"CellData/{name}", (*grid.shape[::-1], count))

    tensors = {
        name: read_tensor(arrays, f"CellData/{name}", grid) if name in names else None
        for name in ("strain", "stress")
    }
    return {
        **tensors,
        "energy_density": scalar("energy_density"),
        # else it follows from the stress
        "von_mises": scalar("von_mises") if "stress" not in names else None,
        "variables": {name: variable(name, k) for name, k in variables.items()},
    }


def read_F_and_P(arrays: Arrays, grid: Grid, names: Sequence[str]) -> list[Any]:
    """Read the fields of finite strain, each (3, 3, nx, ny, nz), None if not there."""
    return [
        read_rows(arrays, f"CellData/{name}", grid) if name in names else None
        for name in FINITE
    ]


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
        finite = FINITE if "mean_F" in run else ()
        everything = [*FIELDS, *finite, *run["variables"]]
        run["fields"] = [str(name) for name in run.get("fields", everything)]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{container.where(item)} does not say how this was solved ({error})",
            mend="solve again",
        ) from error
    return run


def _run(result: Result, names: Sequence[str]) -> dict[str, Any]:
    run = {name: getattr(result, name) for name in RUN}
    run.update({name: getattr(result, name) for name in LATER})
    run["load"] = asdict(result.load)
    run["fields"] = names
    run["variables"] = {n: len(f) for n, f in result.variables.items() if n in names}
    if result.boundary is not None:
        run["boundary"] = result.boundary.as_dict()
    if result.finite is not None:
        run["mean_F"], run["mean_P"] = result.finite.mean_F, result.finite.mean_P
    for name in ("mean_strain", "mean_stress"):
        components = getattr(result, name) / FACTORS
        run[name] = dict(zip(COMPONENTS, components.tolist(), strict=True))
    return run
