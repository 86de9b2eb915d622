"""What processes beside the server do: read, make or solve a body, write a prediction.

Each task is called with a function to report progress to, which only solves use.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from math import isfinite, prod
from pathlib import Path
from typing import Any

from ecosurrogate.response.response import respond
from ecosurrogate.response.trained_network import TrainedNetwork
from ecosurrogate.server.hdf5_check import check_hdf5
from ecosurrogate.server.refusal import too_large
from ecosurrogate.server.workers import Report
from fftmech import io
from fftmech.datasets.recipe import UNITS
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io.load_path import read_path
from fftmech.io.materials import Materials, read_materials
from fftmech.loads.load import Load
from fftmech.loads.path import Path as LoadPath
from fftmech.materials.elastic import isotropic
from fftmech.microstructure import inclusions, polycrystal, pores, single_pore
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.resample import resample
from fftmech.microstructure.resolution import parse_resolution, shape_for
from fftmech.results.result import Result
from fftmech.simulations.solve import solve
from fftmech.tensors import COMPONENTS, components_from_mandel

PAUSE = 0.1  # least time between two reports of progress, seconds
WARM_UP = 8  # voxels along each axis of the body that is solved first
MATRIX = 3.0, 0.35  # Young's modulus (GPa) and Poisson's ratio around inclusions
RADIUS = 0.1  # of inclusions, in units of the longest edge
PORE = "lack-of-fusion"  # kind of pores

Shape = tuple[int, int, int]


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
    law: bool = True,
) -> Microstructure:
    """Read a microstructure as `fftmech convert` does, resample and check it.

    Without `law` it needs no stiffness.

    Both files are in one folder; the first is named `body` and one of `FORMATS`. The
    options are of `io.read`, `res` is as `--res`; at most `voxels` voxels are taken.
    """
    # errors name files by what they are called here, not where they are
    with chdir(path.parent), _little_memory(voxels):
        if io.FORMATS[path.name.removeprefix("body")] is io.HDF5:
            check_hdf5(path.name, voxels)
        body = io.read(path.name, **options)
        _check_voxels(body.grid.voxels, voxels)
        if materials is not None:
            body = read_materials(materials.name).apply(body)
        if res is not None:
            shape = shape_for(body.grid, parse_resolution(res))
            _check_voxels(prod(shape), voxels)
            body = resample(body, shape, "majority")
        return body.check() if law else body


def make_body(
    report: Report,
    kind: str,
    res: str,
    options: Mapping[str, Any],
    voxels: int,
    output: Path,
) -> None:
    """Write a microstructure to `output` as `fftmech generate --res` makes it."""
    with _little_memory(voxels):
        shape = shape_for(Grid((1, 1, 1)), parse_resolution(res))
        _check_voxels(prod(shape), voxels)
        body = GENERATORS[kind](shape, **options).check()
        io.write(output, body.with_changes(units=UNITS))


def write_prediction(report: Report, prediction: Result, output: Path) -> None:
    """Write a prediction to `output`."""
    io.write_result(output, prediction)


def solve_body(
    report: Report,
    body: Microstructure,
    load: Load,
    method: dict[str, Any],
    output: Path,
) -> dict[str, Any]:
    """Solve, write the result, and return what `fftmech solve --json` prints."""
    result = solved(report, body, load, method)
    io.write_result(output, result)
    return summary_of(result)


def solved(
    report: Report, body: Microstructure, load: Load, method: dict[str, Any]
) -> Result:
    """Solve, and report the iterations; InputError if it does not converge."""
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
    names = ("status", "iterations", "residual", "scheme")
    return {**{name: getattr(result, name) for name in names}, **means_of(result)}


def means_of(result: Result) -> dict[str, Any]:
    """Volume averages, energy, certificate and times of a result, JSON-ready."""
    strain, stress = (
        dict(zip(COMPONENTS, map(float, components_from_mandel(mean)), strict=True))
        for mean in (result.mean_strain, result.mean_stress)
    )
    return {
        "mean_strain": strain,
        "mean_stress": stress,
        "energy": result.energy if isfinite(result.energy) else None,
        "certificate": result.certificate,
        "time": result.times,
        "voxels": result.microstructure.grid.voxels,
    }


def read_path_files(
    report: Report, trained: TrainedNetwork, materials: Path, path: Path, most: int
) -> tuple[Materials, LoadPath]:
    """Read a materials file and a load path, and check that a network takes them.

    Both files are in one folder; the path has at most so many increments.
    """
    # errors name files by what they are called here, not where they are
    with chdir(path.parent):
        listed, asked = read_materials(materials.name), read_path(path.name)
        if asked.finite:
            raise InputError(
                f"{path.name}: a load path of finite strain",
                "strains and stresses, not F and P",
            )
        if asked.increments > most:
            raise InputError(
                f"{path.name}: {asked.increments} increments",
                f"at most {most}",
                "ask for fewer, or follow it on the command line with ecosr respond",
            )
        trained.body(listed)
    return listed, asked


def follow_path(
    report: Report,
    trained: TrainedNetwork,
    materials: Materials,
    path: LoadPath,
    temperature: float,
    output: Path,
) -> dict[str, Any]:
    """Follow a load path, write its table to `output` and return all as JSON."""
    last = 0.0

    def progress(done: int, of: int) -> None:
        nonlocal last
        if time.monotonic() - last > PAUSE:
            last = time.monotonic()
            report({"increment": done, "increments": of})

    given = trained, materials, path
    found = respond(*given, temperature=temperature, progress=progress)
    if found.found.status != "converged":
        raise InputError(
            "the path is not converged",
            "a path that can be followed",
            found.found.advice,
        )
    found.curve.write(output)
    header, *rows = found.curve.table()
    columns = zip(*rows, strict=True)
    return {
        **found.as_dict(),
        "units": dict(found.body.units),
        # without units in the names
        "path": {
            name.partition(" ")[0]: list(column)
            for name, column in zip(header, columns, strict=True)
        },
    }


@contextmanager
def _little_memory(voxels: int) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise too_large("a body that takes more memory", f"{voxels} voxels") from error


def _check_voxels(given: int, most: int) -> None:
    if given > most:
        text = f"{most}, which this machine's memory takes"
        raise too_large(f"a body of {given} voxels", text)


def _inclusions(
    shape: Shape, fraction: float = 0.2, contrast: float = 10.0, seed: int = 0
) -> Microstructure:
    E, nu = MATRIX
    matrix, inclusion = isotropic(E=E, nu=nu), isotropic(E=contrast * E, nu=nu)
    return inclusions(shape, fraction, RADIUS, matrix, inclusion, seed=seed)


def _pores(
    shape: Shape, fraction: float = 0.01, count: int = 1, seed: int = 0
) -> Microstructure:
    if count == 1:
        return single_pore(shape, PORE, fraction, seed=seed)
    return pores(shape, fraction, count, PORE, seed=seed)


# by kind; called with voxels along x, y, z, and the options of `schemas.Generate`
GENERATORS = {"polycrystal": polycrystal, "inclusions": _inclusions, "pores": _pores}
