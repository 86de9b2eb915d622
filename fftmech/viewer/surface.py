"""Cells that are drawn of a body, voxel by voxel.

A surface is quadrilaterals, each the face or the middle of one voxel, so that one cell
has one colour, that of its voxel: nothing is interpolated but the displacement.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fftmech.discretization import discretization
from fftmech.figures.planes import in_plane
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.results.scalar_fields import ScalarField, microstructure_of
from fftmech.viewer.opened_file import OpenedFile
from fftmech.viewer.view import ColorScale, View, colors

SHADES = np.array([0.74, 0.87, 1.0])
"""Brightness of faces across x, y and z."""


class Surface(NamedTuple):
    """Quadrilaterals of voxels.

    `points` are corners, (N, 3), `quads` the indices of each one's in cyclic order,
    (M, 4), and `voxels` the flat indices of the voxels that they belong to, (M,).
    """

    points: np.ndarray
    quads: np.ndarray
    voxels: np.ndarray

    @property
    def corners(self) -> np.ndarray:
        """Corners of each quadrilateral, (M, 4, 3)."""
        return self.points[self.quads]


EMPTY = Surface(np.zeros((0, 3)), np.zeros((0, 4), int), np.zeros(0, int))
"""A surface without cells."""


class Panel(NamedTuple):
    """A body to draw: its file, the values on it, what is written above, colours."""

    file: OpenedFile
    scalar: ScalarField
    title: str
    scale: ColorScale

    def cells(self, view: View) -> tuple[Surface, np.ndarray]:
        """Cells that a view shows, and their colours (RGB, 0 to 1), (M, 3)."""
        shown = surface(nodes_of(self.file, view.warp), self.scalar, view)
        rgb = colors(self.scalar, self.file.body, self.scale, shown.voxels)
        return shown, rgb if view.mode == "slices" else rgb * shade(shown)


# a slider asks for the same ones again and again
@lru_cache(maxsize=3)
def nodes_of(file: OpenedFile, factor: float) -> np.ndarray:
    """The `nodes` of the body in a file."""
    return nodes(file.source, factor)


def nodes(source: Microstructure | Result, factor: float = 0.0) -> np.ndarray:
    """Corners of the voxels of a deformed body, x + factor u, (nx+1, ny+1, nz+1, 3).

    u is the total displacement; of schemes whose nodes are voxel centres it is
    averaged onto corners. Of a microstructure the factor is 0.
    """
    grid = microstructure_of(source).grid
    axes = (np.arange(n + 1) * h for n, h in zip(grid.shape, grid.h, strict=True))
    reference = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    if not factor:
        return reference + grid.origin
    assert isinstance(source, Result)
    total = reference @ source.mean_gradient.T + np.moveaxis(
        _fluctuation(source), 0, -1
    )
    return reference + grid.origin + factor * total


def surface(corners: np.ndarray, scalar: ScalarField, view: View) -> Surface:
    """Cells that a view shows of a body, whose `nodes` are `corners`."""
    if view.mode == "slices":
        axes = [axis for axis in range(3) if view.planes[axis]]
        shown = joined([plane(corners, axis, view.slices[axis]) for axis in axes])
        if view.keep is None:
            return shown
        seen = _kept(scalar, view.keep).ravel()[shown.voxels]
        return shown._replace(quads=shown.quads[seen], voxels=shown.voxels[seen])
    kept = scalar.solid.copy() if view.keep is None else _kept(scalar, view.keep)
    if view.mode == "corner":
        # the camera looks from +x, -y, +z
        i, j, k = view.slices
        kept[i:, : j + 1, k:] = False
    return skin(corners, kept)


def plane(corners: np.ndarray, axis: int, index: int) -> Surface:
    """The middle of the layer of voxels `index` across an axis."""
    a, b = (np.take(corners, index + n, axis) for n in (0, 1))
    points = (a + b) / 2
    rows, columns = points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    around = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    shape = [n - 1 for n in corners.shape[:3]]
    voxels = np.arange(np.prod(shape)).reshape(shape).take(index, axis)
    quads = np.stack(around, axis=-1).reshape(-1, 4)
    return Surface(points.reshape(-1, 3), quads, voxels.ravel())


def skin(corners: np.ndarray, kept: np.ndarray) -> Surface:
    """The faces of kept voxels towards voxels that are not, and the outside."""
    strides = np.array([corners.shape[1] * corners.shape[2], corners.shape[2], 1])
    quads, voxels = [], []
    padded = np.pad(kept, 1)
    inner = (slice(1, -1),) * 3
    for axis in range(3):
        u, v = (strides[a] for a in in_plane(axis))
        around = np.array([0, u, u + v, v])
        for side in (0, 1):
            beyond = list(inner)
            beyond[axis] = slice(2, None) if side else slice(0, -2)
            place = np.argwhere(kept & ~padded[tuple(beyond)])
            quads.append((place @ strides + side * strides[axis])[:, None] + around)
            voxels.append(np.ravel_multi_index(tuple(place.T), kept.shape))
    used, renumbered = np.unique(np.concatenate(quads), return_inverse=True)
    points = corners.reshape(-1, 3)[used]
    return Surface(points, renumbered.reshape(-1, 4), np.concatenate(voxels))


def joined(parts: list[Surface]) -> Surface:
    """Several surfaces as one."""
    parts = [EMPTY, *parts]
    starts = np.cumsum([0, *(len(part.points) for part in parts[:-1])])
    return Surface(
        np.concatenate([part.points for part in parts]),
        np.concatenate([p.quads + s for p, s in zip(parts, starts, strict=True)]),
        np.concatenate([part.voxels for part in parts]),
    )


def shade(shown: Surface) -> np.ndarray:
    """How bright the faces of a skin are by their direction, so that it has a shape.

    n_x^2 s_x + n_y^2 s_y + n_z^2 s_z with the normal n: opposite faces are equal, and
    no light moves with the eye. Shape (M, 1).
    """
    corners = shown.corners
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    square = (normal / np.where(length > 0, length, 1)) ** 2
    return (square @ SHADES)[:, None]


def _kept(scalar: ScalarField, keep: tuple[float, float]) -> np.ndarray:
    return scalar.solid & (keep[0] <= scalar.values) & (scalar.values <= keep[1])


def _fluctuation(result: Result) -> np.ndarray:
    """Displacement fluctuation at the corners, (3, nx+1, ny+1, nz+1)."""
    u, shape = result.displacement, result.microstructure.grid.shape
    if discretization(result.scheme).nodes != "centers":
        more = [(0, n + 1 - m) for n, m in zip(shape, u.shape[1:], strict=True)]
        return np.pad(u, [(0, 0), *more], mode="wrap")
    u = np.pad(u, [(0, 0), (1, 1), (1, 1), (1, 1)], mode="wrap")
    for axis in (1, 2, 3):
        n = u.shape[axis]
        u = (u.take(range(n - 1), axis) + u.take(range(1, n), axis)) / 2
    return u
