"""Refuse what this machine's memory cannot hold, before it is taken."""

from fftmech.arrays.memory import check_bytes, size_text
from fftmech.discretization.base import Discretization
from fftmech.discretization.grid import Grid
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
