"""Connected components of a mask, and a body put into a cube of its own."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.microstructure.base import Microstructure

NEIGHBOURS = {6: 1, 18: 2, 26: 3}
"""Coordinates in which connected voxels may differ, by the number of neighbours."""


class Component(NamedTuple):
    """A connected component: its voxels in the box that bounds it, boolean.

    `label` is its number among all those of the mask, from 1, in the order of first
    voxels; `cut` says whether it touches a face of the mask's box.
    """

    label: int
    body: np.ndarray
    cut: bool


def components(mask: np.ndarray, smallest: int, neighbours: int) -> list[Component]:
    """Connected components of at least `smallest` voxels; the box is not periodic.

    Of 6, 18 or 26 neighbours voxels share a face, an edge, or a corner.
    """
    from scipy.ndimage import find_objects, generate_binary_structure, label

    touching = generate_binary_structure(3, NEIGHBOURS[neighbours])
    labels = np.empty(mask.shape, dtype=np.int32)
    label(mask, touching, output=labels)
    sizes = np.bincount(labels.ravel())
    found = []
    for number, part in enumerate(find_objects(labels), 1):
        if sizes[number] < smallest:
            continue
        ends = zip(part, mask.shape, strict=True)
        cut = any(side.start == 0 or side.stop == n for side, n in ends)
        found.append(Component(number, labels[part] == number, cut))
    return found


def embedded(
    body: np.ndarray, spacing: Sequence[float], margin: float
) -> Microstructure:
    """Put a body (phase 1), in the box that bounds it, into a cube of phase 0.

    `margin` is the solid between the longest extent of the body and either face, as a
    fraction of the edge; at least a voxel. Where voxels, of edges `spacing`, are no
    cubes, the box is a cube to within a voxel.
    """
    h = np.array(spacing)
    extent = np.array(body.shape)
    edge = max(((extent + 2) * h).max(), (extent * h).max() / (1 - 2 * margin))
    # rounding must not add a voxel to an edge that is whole
    nx, ny, nz = np.ceil(edge / h - 1e-9).astype(int)
    grid = Grid((nx, ny, nz), (h[0], h[1], h[2]))
    phase = np.zeros(grid.shape, dtype=np.int32)
    corner = (np.array(grid.shape) - extent) // 2
    phase[tuple(slice(c, c + n) for c, n in zip(corner, extent, strict=True))] = body
    return Microstructure(grid, phase)
