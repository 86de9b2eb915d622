"""Resolution (`--res`): voxels of a box that is made, or of one that exists."""

from collections.abc import Sequence
from math import prod

from fftmech.arrays.memory import check_bytes, size_text
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError

BYTES = 6
"""Bytes a voxel that making a body takes: ids, and what keeps pores apart."""

Resolution = int | Sequence[int]
"""Voxels of the longest axis, or voxels along x, y, z."""


def parse_resolution(text: str) -> Resolution:
    """Resolution from text: "64", or "64,64,1".

    Raises
    ------
    InputError
        Neither one nor three whole numbers.
    """
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3):
        raise InputError(f"res {text!r}", "one whole number (64) or three (64,64,1)")
    return numbers[0] if len(numbers) == 1 else numbers


def shape_for(grid: Grid, res: Resolution) -> tuple[int, int, int]:
    """Shape of `grid`'s box at another resolution.

    One number sets the voxels of the axis that has most; the others follow in
    proportion, rounded, and never below one. Three numbers are the shape itself.

    Raises
    ------
    InputError
        Not one or three whole numbers of at least 1.
    """
    res = _whole(res)
    if not isinstance(res, int):
        return res
    longest = max(grid.shape)
    # half up, in whole numbers: the same on every platform
    nx, ny, nz = (max(1, (2 * n * res + longest) // (2 * longest)) for n in grid.shape)
    return nx, ny, nz


def unit_grid(res: Resolution) -> Grid:
    """Grid of cubic voxels whose longest edge is 1; one number makes a cube.

    What does not fit the memory is an InputError.
    """
    res = _whole(res)
    shape = (res, res, res) if isinstance(res, int) else res
    check_bytes(BYTES * prod(shape), f"a grid of {size_text(shape)}")
    return Grid(shape)


def _whole(res: Resolution) -> int | tuple[int, int, int]:
    numbers = (res,) if not isinstance(res, Sequence) else tuple(res)
    sound = len(numbers) in (1, 3) and all(n == int(n) and n >= 1 for n in numbers)
    if not sound:
        raise InputError(
            f"res {res}",
            "one whole number of at least 1, or three (voxels along x, y, z)",
        )
    if len(numbers) == 1:
        return int(numbers[0])
    nx, ny, nz = numbers
    return int(nx), int(ny), int(nz)
