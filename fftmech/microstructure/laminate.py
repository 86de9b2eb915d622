"""Laminates: plane layers across one axis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.geometry import Geometry, Slab
from fftmech.microstructure.resolution import Resolution, unit_grid


def laminate(
    res: Resolution,
    layers: Sequence[tuple[float, np.ndarray]],
    axis: str = "x",
    slab: Slab | None = None,
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
    slab
        (first, last): only these planes across x of the same body, without `last`.

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
    made = Layers(grid.shape, along, voxels)
    stiffness = np.stack([C for _, C in layers])
    return made.microstructure(grid, slab, stiffness=stiffness)


@dataclass(frozen=True)
class Layers(Geometry):
    """Layers across an axis, of so many voxels each."""

    shape: tuple[int, int, int]
    axis: int
    voxels: np.ndarray

    @property
    def phases(self) -> int:  # type: ignore[override]
        """Number of layers."""
        return len(self.voxels)

    def planes(self, first: int, last: int) -> np.ndarray:
        """Layer of each voxel of some planes."""
        layer = np.repeat(np.arange(self.phases), self.voxels)
        layer = layer.reshape([-1 if a == self.axis else 1 for a in range(3)])
        return np.broadcast_to(layer, self.shape)[first:last]


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
