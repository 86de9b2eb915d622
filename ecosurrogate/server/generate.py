"""Microstructures that the server makes, as `fftmech generate` makes them."""

from collections.abc import Mapping
from math import prod
from os import PathLike
from typing import Any

from ecosurrogate.server.refusal import too_large
from ecosurrogate.server.worker_tasks import check_voxels
from ecosurrogate.server.workers import Report
from fftmech import io
from fftmech.datasets.recipe import UNITS
from fftmech.grid import Grid
from fftmech.materials.elastic import isotropic
from fftmech.microstructure import inclusions, polycrystal, pores, single_pore
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.resolution import parse_resolution, shape_for

MATRIX = 3.0, 0.35
"""Young's modulus (GPa) and Poisson's ratio around inclusions."""

RADIUS = 0.1
"""Of inclusions, in units of the longest edge."""

PORE = "lack-of-fusion"
"""Kind of pores."""

Shape = tuple[int, int, int]


def make_body(
    report: Report,
    kind: str,
    res: str,
    options: Mapping[str, Any],
    voxels: int,
    output: str | PathLike,
) -> None:
    """Write a microstructure, stresses in GPa, lengths in longest edges of the box.

    Parameters
    ----------
    report
        Not called.
    kind
        One of `GENERATORS`.
    res
        As `--res`.
    options
        Of that generator.
    voxels
        At most so many.
    output
        Where it is written.

    Raises
    ------
    InputError
        What the generator cannot make.
    """
    try:
        shape = shape_for(Grid((1, 1, 1)), parse_resolution(res))
        check_voxels(prod(shape), voxels)
        body = GENERATORS[kind](shape, **options).check()
        io.write(output, body.with_changes(units=UNITS))
    except MemoryError as error:
        raise too_large("a body that takes more memory", f"{voxels} voxels") from error


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


GENERATORS = {"polycrystal": polycrystal, "inclusions": _inclusions, "pores": _pores}
"""By kind; called with voxels along x, y, z, seed, and what `schemas.Generate` says."""
