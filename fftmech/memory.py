"""Refuse what this machine's memory cannot hold, before it is taken."""

from collections.abc import Sequence

import psutil

from fftmech.discretization.base import Discretization
from fftmech.errors import InputError
from fftmech.grid import Grid


def solve_bytes(grid: Grid, scheme: Discretization, precision: str) -> int:
    """Estimate the peak memory of a solve in bytes.

    Words per voxel, measured at 64^3 with 24 phases: 70 rotated, 88 fourier, 371 hex8.
    What counts is the strain and stress at each integration point.
    """
    words = 28 + 44 * scheme.points + 2 * scheme.unknowns(grid)
    return grid.voxels * words * (8 if precision == "double" else 4)


def check_memory(
    grid: Grid, scheme: Discretization, precision: str, device: str = "cpu"
) -> None:
    """Refuse a solve that does not fit.

    Raises
    ------
    InputError
        With the estimate and what is available.
    """
    if device == "cpu":
        check_bytes(
            solve_bytes(grid, scheme, precision),
            f"a solve on {size_text(grid.shape)} voxels",
        )


def check_bytes(needed: int, what: str, remedy: str = "lower --res") -> None:
    """Refuse work that takes more memory than is free.

    Parameters
    ----------
    needed
        Estimate in bytes.
    what, remedy
        How the message names the work, and what to do about it.

    Raises
    ------
    InputError
        With the estimate and what is free.
    """
    free = psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"{what} needs about {needed / 2**30:.3g} GiB and {free / 2**30:.3g} GiB "
            f"are free; {remedy}"
        )


def size_text(shape: Sequence[int]) -> str:
    """Shape of a grid or array as messages write it: "64 x 64 x 1"."""
    return " x ".join(map(str, shape))
