"""Laminates: plane layers across one axis."""

from collections.abc import Sequence

import numpy as np

from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.resolution import Resolution, unit_grid


def laminate(
    res: Resolution, layers: Sequence[tuple[float, np.ndarray]], axis: str = "x"
) -> Microstructure:
    """Stack of layers with their normal along one axis; layer p is phase p.

    Parameters
    ----------
    res
        Voxels along every axis, or along x, y, z; the longest edge has length 1.
    layers
        Thickness and Mandel stiffness (6, 6) (stress units) of each layer, from the
        low end of the axis. Thicknesses are fractions of the edge (their sum is 1),
        cut at the nearest voxel faces, or whole numbers of voxels (their sum is the
        number of voxels along the axis).
    axis
        Layer normal, "x", "y" or "z".

    Raises
    ------
    InputError
        No layer, an unknown axis, thicknesses that do not fill the edge, a layer
        thinner than a voxel.
    """
    if axis not in ("x", "y", "z"):
        raise InputError(f"laminate axis {axis!r}", "x, y or z")
    if not layers:
        raise InputError("laminate without layers: give at least one")
    grid = unit_grid(res)
    along = "xyz".index(axis)
    n = grid.shape[along]
    voxels = _voxels([float(thickness) for thickness, _ in layers], n)
    shape = [1, 1, 1]
    shape[along] = n
    layer = np.repeat(np.arange(len(layers), dtype=np.int32), voxels).reshape(shape)
    phase = np.broadcast_to(layer, grid.shape)
    return Microstructure(grid, phase, np.stack([C for _, C in layers]))


def _voxels(thicknesses: list[float], n: int) -> np.ndarray:
    """Voxels of each layer."""
    total = sum(thicknesses)
    positive = all(0 < t < np.inf for t in thicknesses)
    if positive and abs(total - 1) < 1e-6:
        # the tenth decimal keeps a face at half a voxel on one side everywhere
        faces = np.floor(np.round(np.cumsum(thicknesses) * n, 10) + 0.5).astype(int)
        voxels = np.diff(faces, prepend=0)
    elif positive and total == n and all(t == int(t) for t in thicknesses):
        voxels = np.array(thicknesses, dtype=int)
    else:
        raise InputError(
            f"layer thicknesses {thicknesses}",
            f"positive fractions that sum to 1, or whole voxels that sum to {n}",
        )
    if voxels.min() < 1:
        p = int(voxels.argmin())
        raise InputError(
            f"layer {p} of thickness {thicknesses[p]:g} has no voxel among {n}",
            mend="raise --res or thicken the layer",
        )
    return voxels
