"""What a solve can be asked for: precision, tolerance, iterations, temperature."""

import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError

PRECISIONS = {"double": np.float64, "single": np.float32}


def default_tolerance(precision: str, grid: Grid) -> float:
    """Tolerance if none is given: 1e-6, and in single precision the least.

    There the rounding of the displacement ends the descent. Of polycrystals, contrasts
    and pores all converged at 1e-5 up to 128^3 and 512^2 voxels; at 1024^2 a pore ended
    at 1.7e-5. The floor grows with the longest axis.
    """
    return 1e-6 if precision == "double" else max(1e-5, 2e-8 * max(grid.shape))


def check_options(
    tolerance: float | None,
    max_iterations: int,
    precision: str,
    grid: Grid,
    reference: tuple[float, float] | None = None,
) -> float:
    """Refuse numbers that no solve can use; return the tolerance.

    Raises
    ------
    InputError
        Naming the option.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}", "double or single")
    least = default_tolerance(precision, grid)
    if tolerance is None:
        tolerance = least
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance {tolerance}", "a number in (0, 1)")
    if precision == "single" and tolerance < least:
        raise InputError(
            f"tolerance {tolerance:g} with precision single",
            f"at least {least:g}, which rounding allows",
            "use --precision double",
        )
    if max_iterations < 1:
        raise InputError(f"max_iterations {max_iterations}", "at least 1")
    if reference is not None and not all(np.isfinite(m) and m > 0 for m in reference):
        raise InputError(f"reference {reference}", "two positive moduli (K, G)")
    return tolerance
