"""Refuse what this machine's memory cannot hold, before it is taken."""

from collections.abc import Sequence

from fftmech.discretization.base import Discretization
from fftmech.errors import InputError
from fftmech.grid import Grid
from fftmech.kernels import has_kernels


def solve_bytes(
    grid: Grid,
    scheme: Discretization,
    precision: str,
    solver: str = "cg",
    whole_fields: bool = False,
) -> int:
    """Estimate the peak memory of a solve in bytes, beyond the microstructure.

    Bytes per voxel with kernels, measured at 128^3: 72 while cg iterates, 132 with the
    fields of the result. Words per voxel of the reference code, measured at 64^3: 70
    rotated, 88 fourier, 371 hex8: strain and stress at each integration point. It does
    a part of the work where `whole_fields`: the certificate of a body with eigenstrain.
    """
    word = 8 if precision == "double" else 4
    kernels = has_kernels(scheme) and solver in ("cg", "jacobi-cg")
    if kernels and not whole_fields:
        return grid.voxels * (17 * word + 24)
    words = 28 + 44 * scheme.points + 2 * scheme.unknowns(grid)
    return grid.voxels * words * word


def check_memory(
    grid: Grid,
    scheme: Discretization,
    precision: str,
    device: str = "cpu",
    solver: str = "cg",
    whole_fields: bool = False,
) -> None:
    """Refuse a solve that does not fit.

    Raises
    ------
    InputError
        With the estimate and what is available.
    """
    if device == "cpu":
        check_bytes(
            solve_bytes(grid, scheme, precision, solver, whole_fields),
            f"a solve on {size_text(grid.shape)} voxels",
        )


def check_march_memory(grid: Grid, scheme: Discretization, device: str = "cpu") -> None:
    """Refuse a nonlinear solve that does not fit.

    Measured: 1190 to 1590 bytes a voxel with one integration point, 7900 with eight.

    Raises
    ------
    InputError
        With the estimate and what is available.
    """
    if device == "cpu":
        needed = grid.voxels * (700 + 950 * scheme.points)
        check_bytes(needed, f"a nonlinear solve on {size_text(grid.shape)} voxels")


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
    # here, because most of what imports this module asks for no memory
    import psutil

    free = psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"{what} needs about {needed / 2**30:.3g} GiB and {free / 2**30:.3g} GiB "
            f"are free; {remedy}"
        )


def size_text(shape: Sequence[int]) -> str:
    """Shape of a grid or array as messages write it: "64 x 64 x 1"."""
    return " x ".join(map(str, shape))
