"""Planes through a grid, as a user writes them."""

import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError


def parse_slice(text: str, grid: Grid) -> tuple[int, int]:
    """Return axis and voxel index of a plane written AXIS=WHERE.

    WHERE is `mid`, a voxel index from 0, or a percentage of the box: z=mid, z=12,
    z=25%.

    Raises
    ------
    InputError
        Anything else, or a plane outside the box.
    """
    name, _, where = text.replace(" ", "").partition("=")
    expected = "expected AXIS=WHERE, for instance z=mid, z=12 (voxel) or z=25%"
    if name not in ("x", "y", "z") or not where:
        raise InputError(f"slice {text!r}: {expected}")
    axis = "xyz".index(name)
    n = grid.shape[axis]
    try:
        if where == "mid":
            index = n // 2
        elif where.endswith("%"):
            share = float(where[:-1]) / 100
            # the far face belongs to the last voxel
            index = int(np.floor(share * n)) if share != 1 else n - 1
        else:
            index = int(where)
    except (ValueError, OverflowError):
        raise InputError(f"slice {text!r}: {expected}") from None
    if not 0 <= index < n:
        raise InputError(
            f"slice {text!r}: outside the grid, whose {name} voxels are 0 to {n - 1}"
        )
    return axis, index


def middle_slices(grid: Grid) -> tuple[str, ...]:
    """Return the middle planes that are not lines: one of a 2-D grid, else three."""
    planes = [
        f"{'xyz'[axis]}=mid"
        for axis in range(3)
        if all(n > 1 for a, n in enumerate(grid.shape) if a != axis)
    ]
    return tuple(planes) or ("z=mid",)


def in_plane(axis: int) -> tuple[int, int]:
    """Horizontal and vertical axis of a slice: xy, xz or yz."""
    first, second = (a for a in range(3) if a != axis)
    return first, second
