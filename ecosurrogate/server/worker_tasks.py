"""What processes beside the server do: read a body, solve it, write a prediction."""

import time
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ecosurrogate.server.hdf5_check import check_hdf5
from ecosurrogate.server.refusal import Refusal, too_large
from ecosurrogate.server.workers import Report
from fftmech import io
from fftmech.errors import InputError
from fftmech.io.materials import read_materials
from fftmech.load import Load
from fftmech.microstructure import polycrystal
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.resample import resample
from fftmech.microstructure.resolution import parse_resolution, shape_for
from fftmech.result import Result
from fftmech.solve import solve
from fftmech.tensors import COMPONENTS, components_from_mandel

PAUSE = 0.1
"""Least time between two reports of progress, seconds."""

WARM_UP = 8
"""Voxels along each axis of the body that is solved first."""


def warm_up(report: Report, schemes: Sequence[str] = ()) -> None:
    """Load what tasks need, and the compiled code of solves in some schemes.

    Their first body would else pay for it, and its solve seem slow.
    """
    body, load = polycrystal(WARM_UP, 2), Load({"xx": 1e-3})
    for scheme in schemes:
        solved(report, body, load, {"scheme": scheme})


def read_body(
    report: Report,
    path: Path,
    materials: Path | None,
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
    InputError
        Naming what is wrong, not our files.
    """
    try:
        # its name is `body` and one of `FORMATS`
        if io.FORMATS[path.name.removeprefix("body")] is io.HDF5:
            check_hdf5(path, voxels)
        body = io.read(path, **options)
        check_voxels(body.grid.voxels, voxels)
        if materials is not None:
            body = read_materials(materials).apply(body)
        if res is not None:
            shape = shape_for(body.grid, parse_resolution(res))
            check_voxels(body.grid.with_shape(shape).voxels, voxels)
            body = resample(body, shape, "majority")
        return body.check()
    except Refusal:
        raise
    except InputError as error:
        parts = (error.what, error.expected, error.mend)
        raise InputError(*(_without_names(part, path) for part in parts)) from error
    except MemoryError as error:
        raise too_large("a body that takes more memory", f"{voxels} voxels") from error


def write_prediction(
    report: Report, prediction: Result, output: str | PathLike
) -> None:
    """Write a prediction to `output`; `report` is not called."""
    io.write_result(output, prediction)


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
    InputError
        What cannot be solved, or did not converge.
    """
    result = solved(report, body, load, method)
    io.write_result(output, result)
    return summary_of(result)


def solved(
    report: Report, body: Microstructure, load: Load, method: dict[str, Any]
) -> Result:
    """Solve, and report the iterations; refused as in `solve_body`."""
    last = 0.0

    def progress(iteration: int, residual: float) -> None:
        nonlocal last
        if time.monotonic() - last > PAUSE:
            last = time.monotonic()
            report({"iteration": iteration, "residual": float(residual)})

    result = solve(body, load, progress=progress, **method)
    if not result.converged:
        raise InputError(
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


def check_voxels(given: int, most: int) -> None:
    """Refuse (413) more voxels than the machine's memory takes."""
    if given > most:
        raise too_large(
            f"a body of {given} voxels", f"{most}, which this machine's memory takes"
        )


def _by_component(mandel: Any) -> dict[str, float]:
    values = components_from_mandel(mandel)
    return {name: float(x) for name, x in zip(COMPONENTS, values, strict=True)}


def _without_names(text: str, path: Path) -> str:
    return text.replace(str(path), "the body").replace(f"{path.parent}/", "")
