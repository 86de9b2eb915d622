"""Refuse what this machine's memory cannot hold, before it is taken."""

import psutil

from fftmech.discretization.base import Discretization
from fftmech.errors import InputError
from fftmech.grid import Grid


def solve_bytes(grid: Grid, scheme: Discretization, precision: str) -> int:
    """Estimate the peak memory of a solve in bytes (benchmarks/solve.py measures it).

    Per voxel: four vectors, the Green operator and the transforms, and for each
    integration point the gradient, strain and stress.
    """
    words = 60 + 30 * scheme.points + 4 * scheme.unknowns(grid)
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
        check_bytes(solve_bytes(grid, scheme, precision), grid.shape)


def check_bytes(needed: int, shape: tuple[int, int, int]) -> None:
    """Refuse `needed` bytes for a grid if they are not available.

    Raises
    ------
    InputError
        With the estimate and what is available.
    """
    available = psutil.virtual_memory().available
    if needed > available:
        nx, ny, nz = shape
        raise InputError(
            f"{nx} x {ny} x {nz} voxels need about {needed / 2**30:.1f} GiB, "
            f"{available / 2**30:.1f} GiB are available; use a smaller --res"
        )
