"""What processes beside the server do: read, make or solve a body."""

import time
from collections.abc import Callable, Mapping
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

from ecosurrogate.server.generation import make
from ecosurrogate.server.guard import check_hdf5
from ecosurrogate.server.refusal import UNREADABLE, Refusal, refusal_of
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.tensors import COMPONENTS, components_from_mandel

PAUSE = 0.1
"""Least time between two reports of progress, seconds."""

Report = Callable[[dict[str, Any]], None]
"""Called with the progress, JSON-ready."""


def read_body(
    report: Report,
    path: str | PathLike,
    materials: str | PathLike | None,
    options: dict[str, Any],
    res: str | None,
    voxels: int,
) -> Microstructure:
    """Read a microstructure as `fftmech convert` does, and check it.

    Parameters
    ----------
    report
        Not called.
    path, materials
        Our files; the extension of the first tells the format.
    options
        Of `fftmech.io.read`.
    res
        Resample it, as `--res`.
    voxels
        At most so many.

    Raises
    ------
    Refusal
        Naming what is wrong, not our files.
    """
    from fftmech import io
    from fftmech.io.materials import read_materials
    from fftmech.microstructure.resample import resample
    from fftmech.microstructure.resolution import parse_resolution, shape_for

    try:
        if io.FORMATS[_extension(path)] is io.HDF5:
            check_hdf5(path, voxels)
        body = io.read(path, **options)
        _check_voxels(body.grid.voxels, voxels)
        if materials is not None:
            body = read_materials(materials).apply(body)
        if res is not None:
            shape = shape_for(body.grid, parse_resolution(res))
            _check_voxels(body.grid.with_shape(shape).voxels, voxels)
            body = resample(body, shape, "majority")
        return body.check()
    except InputError as error:
        raise refusal_of(error, path) from error
    except MemoryError as error:
        raise Refusal(
            413,
            "reading the body takes more memory than a request may",
            f"at most {voxels} voxels",
            "coarsen it: fftmech convert --res",
        ) from error


def make_body(
    report: Report,
    kind: str,
    res: str,
    options: Mapping[str, Any],
    voxels: int,
    output: str | PathLike,
) -> None:
    """Write a microstructure to `output` as `fftmech generate` does.

    Parameters
    ----------
    report
        Not called.
    kind, res, options
        Of `ecosurrogate.server.generation.make`.
    voxels
        At most so many.

    Raises
    ------
    Refusal
        What cannot be made.
    """
    from fftmech import io
    from fftmech.discretization.grid import Grid
    from fftmech.microstructure.resolution import parse_resolution, shape_for

    try:
        shape = shape_for(Grid((1, 1, 1)), parse_resolution(res))
        _check_voxels(prod(shape), voxels)
        io.write(output, make(kind, shape, options))
    except InputError as error:
        raise refusal_of(error) from error
    except MemoryError as error:
        raise Refusal(
            413,
            "making the body takes more memory than a request may",
            f"at most {voxels} voxels",
            "lower res, or ask for less in it",
        ) from error


def write_prediction(
    report: Report, prediction: Result, output: str | PathLike
) -> None:
    """Write a prediction to `output`; `report` is not called."""
    from fftmech.io import write_result

    write_result(output, prediction)


def solve_body(
    report: Report,
    body: Microstructure,
    load: Load,
    method: dict[str, Any],
    output: str | PathLike,
) -> dict[str, Any]:
    """Solve, write the result to `output`, return what `fftmech solve --json` prints.

    Raises
    ------
    Refusal
        What cannot be solved, or did not converge.
    """
    from fftmech.io import write_result

    result = solved(report, body, load, method)
    write_result(output, result)
    return summary_of(result)


def solved(
    report: Report, body: Microstructure, load: Load, method: dict[str, Any]
) -> Result:
    """Solve, and report the iterations.

    Raises
    ------
    Refusal
        What cannot be solved, or did not converge.
    """
    from fftmech.simulations.solve import solve

    last = 0.0

    def progress(iteration: int, residual: float) -> None:
        nonlocal last
        if time.monotonic() - last > PAUSE:
            last = time.monotonic()
            report({"iteration": iteration, "residual": float(residual)})

    try:
        result = solve(body, load, progress=progress, **method)
    except InputError as error:
        raise refusal_of(error) from error
    if not result.converged:
        raise Refusal(
            UNREADABLE,
            f"not converged ({result.status}) after {result.iterations} iterations: "
            f"residual {result.residual:.1e}",
            f"a residual of {result.tolerance:g}",
            result.advice or "raise max_iterations",
        )
    return result


def summary_of(result: Result) -> dict[str, Any]:
    """What `fftmech solve --json` prints."""
    return {
        "status": result.status,
        "iterations": result.iterations,
        "residual": result.residual,
        "scheme": result.scheme,
        **means_of(result),
    }


def means_of(result: Result) -> dict[str, Any]:
    """Volume averages, energy, certificate and times of a result, JSON-ready."""
    return {
        "mean_strain": _by_component(result.mean_strain),
        "mean_stress": _by_component(result.mean_stress),
        "energy": result.energy,
        "certificate": result.certificate,
        "time": result.times,
        "voxels": result.microstructure.grid.voxels,
    }


def _by_component(mandel: Any) -> dict[str, float]:
    values = components_from_mandel(mandel)
    return {name: float(x) for name, x in zip(COMPONENTS, values, strict=True)}


def _check_voxels(given: int, most: int) -> None:
    if given > most:
        raise Refusal(
            413,
            f"a body of {given} voxels",
            f"at most {most}, which this machine's memory takes",
            "coarsen it: fftmech convert --res",
        )


def _extension(path: str | PathLike) -> str:
    """Ours: the name is `body` and one of `FORMATS`."""
    return Path(path).name.removeprefix("body")
