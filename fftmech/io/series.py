"""Time series of results: one VTKHDF ImageData file that ParaView plays.

As `vtkhdf_result`, with a leading time axis: CellData/stress is (T, Nz, Ny, Nx, 6), and
phase, which does not change, (1, Nz, Ny, Nx). Steps/Values are the times, the attribute
NSteps of Steps is their number, and Steps/CellDataOffsets/NAME (or PointDataOffsets)
say where on its time axis a dataset has each of them.

Times are added while a load path is solved, and the file must be readable if the
process is killed at any moment. So T is the number of times that are planned: the file
is written whole with the first two, with space for the others (a hole in the file,
where the file system has these), and a later time changes only numbers in their place:
HDF5 neither moves nor allocates anything. The fields of a time are written first, then
NSteps and the length of Values in one write, for VTK 9.7 writes beyond the end of an
array where Values are more than NSteps. A series begins with two times because VTK
expects no time axis where there is only one.
"""

import json
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

import h5py
import numpy as np

from fftmech.errors import InputError
from fftmech.io import container
from fftmech.io.atomic import changed_hdf5, whole_hdf5
from fftmech.io.json_text import read_json
from fftmech.io.vtkhdf import read_microstructure, write_image, write_tables
from fftmech.io.vtkhdf_fields import Arrays, Layout, read_displacement
from fftmech.io.vtkhdf_result import read_F_and_P, read_fields, write_fields
from fftmech.loads.load import Load
from fftmech.results.field_names import FIELDS, FINITE, Fields, chosen
from fftmech.results.result import FiniteFields, Result
from fftmech.tensors import mandel_from_matrix, matrix_from_mandel

KNOWN = ("phase", *FIELDS, *FINITE)
"""Cell data that are no internal variables."""

MEANS = ("mean_strain", "mean_stress", "energy")
"""Below /fftmech by time, Mandel, and at finite strain mean_F and mean_P by rows."""


def write_series(
    path: str | PathLike,
    results: Sequence[Result],
    count: int,
    identity: Mapping[str, Any],
    fields: Fields = None,
) -> None:
    """Begin a series; the file appears whole or not at all.

    `results` are two at least, at increasing times, and `count` is the largest number
    of times. `identity` is what is solved, and how (`march_checkpoint.identity`).
    `fields` are the names of those that are written, as later of the other times.
    """
    body = results[0].microstructure
    with whole_hdf5(path) as file:
        root = file.create_group("VTKHDF")
        write_image(Arrays(root, 0, 1), body)
        # the first version that has times
        root.attrs["Version"] = np.array([2, 0])
        own = write_tables(file, body, "series")
        text = json.dumps(identity)
        own.create_dataset("run", data=text, dtype=h5py.string_dtype())
        steps = root.create_group("Steps")
        steps.attrs["NSteps"] = np.int64(len(results))
        steps.create_dataset(
            "Values",
            data=np.array([result.time for result in results]),
            maxshape=(count,),
            chunks=(count,),
        )
        for number, result in enumerate(results):
            names = chosen(fields, result.fields)
            write_fields(Arrays(root, number, count), result, names)
            _write_means(Arrays(own, number, count), result)
        for item in container.datasets(root):
            kind, _, name = str(item.name).removeprefix("/VTKHDF/").partition("/")
            if kind != "Steps":
                # a dataset with one time on its axis is that of all times
                places = np.arange(count) if len(item) > 1 else np.zeros(count, int)
                steps[f"{kind}Offsets/{name}"] = places


def append_result(path: str | PathLike, result: Result, fields: Fields = None) -> None:
    """Add the result of the next time."""
    with changed_hdf5(path) as file:
        number = len(_values(file))
        arrays = Arrays(container.group(file, "VTKHDF"), number)
        write_fields(arrays, result, chosen(fields, result.fields))
        own = container.group(file, "fftmech")
        if "energy" in own:  # of a series that was begun before there were means
            _write_means(Arrays(own, number), result)
    with changed_hdf5(path, at_once=True) as file:
        _set_count(file, number + 1)
        _values(file)[number] = result.time


def cut_series(path: str | PathLike, count: int) -> None:
    """Remove all times after the first `count`."""
    with changed_hdf5(path, at_once=True) as file:
        _set_count(file, count)


def check_series(path: str | PathLike, identity: Mapping[str, Any], count: int) -> None:
    """Refuse a file that is no series of this problem, or has too few times."""
    with container.opened(path) as file:
        known, found = "fftmech/run" in file and "VTKHDF/Steps" in file, 0
        if known:
            run = container.dataset(file, "fftmech/run")
            known, found = (
                container.text(run[()]) == json.dumps(identity),
                len(_values(file)),
            )
    if not known:
        raise InputError(
            f"{fspath(path)} is not the series that was begun: move it away, or begin "
            "anew, without --restart"
        )
    if found < count:
        raise InputError(
            f"{fspath(path)} has {found} times",
            f"{count}",
            "begin anew, without --restart and with --force",
        )


def read_times(path: str | PathLike) -> np.ndarray:
    """Read the times of a series."""
    with container.opened(path) as file:
        return _values(file)[()]


def read_result_at(path: str | PathLike, number: int) -> Result:
    """Read the result at the time `number` of a series, from 0.

    A series stores fields and their means alone: load, residuals and certificate are
    empty.
    """
    with container.opened(path) as file:
        body = read_microstructure(file, None)
        arrays = Arrays(container.group(file, "VTKHDF"), number)
        cells, grid = container.group(arrays.root, "CellData"), body.grid
        run = read_json(container.dataset(file, "fftmech/run")[()])
        counts = {str(n): item.shape[4:] for n, item in cells.items() if n not in KNOWN}
        variables = {n: k[0] if k else 1 for n, k in counts.items()}
        names = [str(name) for name in cells]
        fields = read_fields(arrays, grid, variables, names)
        F, P = read_F_and_P(arrays, grid, names)
        own = container.group(file, "fftmech")
        if "energy" in own:
            means = _read_means(Arrays(own, number))
        else:
            means = _means_of(fields, F, P)
        gradient = matrix_from_mandel(means["mean_strain"])
        finite = None
        if "mean_F" in means:
            finite = FiniteFields(F, P, means.pop("mean_F"), means.pop("mean_P"))
            gradient = finite.mean_F - np.eye(3)
        displacement = None
        if "displacement" in cells or "PointData/displacement" in arrays.root:
            displacement = read_displacement(arrays, "displacement", grid, gradient)
        return Result(
            body,
            Load(),
            displacement=displacement,  # type: ignore[arg-type]
            status="converged",
            advice="",
            iterations=0,
            residuals=[],
            finite=finite,
            time=float(_values(file)[number]),
            **fields,
            **means,
            **{name: run[name] for name in ("scheme", "solver", "tolerance")},
        )


def _write_means(arrays: Arrays, result: Result) -> None:
    """Write what is one number for the whole box, as `_read_means` reads it."""
    means = {name: getattr(result, name) for name in MEANS}
    if result.finite is not None:
        means |= {"mean_F": result.finite.mean_F, "mean_P": result.finite.mean_P}
    for name, mean in means.items():
        values = np.ravel(mean).astype(float)
        arrays.write(Layout(name, values.shape, float), values.__getitem__)


def _read_means(arrays: Arrays) -> dict[str, Any]:
    means: dict[str, Any] = {n: arrays.read(n, (6,)) for n in MEANS[:2]}
    means["energy"] = float(arrays.read("energy", (1,))[0])
    if "mean_F" in arrays.root:
        for name in ("mean_F", "mean_P"):
            means[name] = arrays.read(name, (9,)).reshape(3, 3)
    return means


def _means_of(fields: dict[str, Any], F: Any, P: Any) -> dict[str, Any]:
    """Means of the fields of a file that has none, for it has all fields."""
    means: dict[str, Any] = {
        f"mean_{name}": fields[name].mean(axis=(1, 2, 3), dtype=float)
        for name in ("strain", "stress")
    }
    if F is not None:
        F, P = (field.mean(axis=(2, 3, 4)) for field in (F, P))
        cauchy = P @ F.T / np.linalg.det(F)
        means = {
            "mean_strain": mandel_from_matrix((F.T @ F - np.eye(3)) / 2),
            "mean_stress": mandel_from_matrix((cauchy + cauchy.T) / 2),
            "mean_F": F,
            "mean_P": P,
        }
    means["energy"] = float(fields["energy_density"].mean(dtype=float))
    return means


def _set_count(file: h5py.File, count: int) -> None:
    _steps(file).attrs.modify("NSteps", np.int64(count))
    _values(file).resize((count,))


def _values(file: h5py.File) -> h5py.Dataset:
    return container.dataset(_steps(file), "Values")


def _steps(file: h5py.File) -> h5py.Group:
    return container.group(file, "VTKHDF/Steps")
