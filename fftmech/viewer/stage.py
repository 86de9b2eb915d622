"""A scene of VTK for a browser: the server holds geometry and renders nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.results.scalar_fields import ScalarField, microstructure_of
from fftmech.viewer.picture import DIRECTION
from fftmech.viewer.scene import Surface, colors, nodes, shade, surface
from fftmech.viewer.state import View

try:
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkRenderingAnnotation import vtkCubeAxesActor
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer
    from vtkmodules.vtkRenderingOpenGL2 import vtkGenericOpenGLRenderWindow
except ImportError:
    raise InputError(
        "the viewer needs VTK, which is not installed",
        mend='pip install "fftmech[view]"',
    ) from None

LOOKS = {
    "corner": (DIRECTION, (0.0, 0.0, 1.0)),
    "x": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "y": ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
    "z": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
}
"""Direction to the eye and upwards of each place to look from."""


AXES = ((0.80, 0.15, 0.12), (0.10, 0.55, 0.20), (0.10, 0.35, 0.80))
"""Colours (RGB) of the edges along x, y and z from the corner of the box."""

WITHIN = 1e-6
"""Distance of the first and the last number along an edge from its ends, by length."""

_CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])


class Stage:
    """One body in a window of its own: its cells, the box, and the probed voxel.

    Parameters
    ----------
    grid
        Of the body.
    lengths
        Whether they are written along the edges of the box, unless the body is
        deformed.

    Attributes
    ----------
    window
        What trame sends to the browser.
    shown
        The surface that is on stage.
    """

    def __init__(self, grid: Grid, lengths: bool = True) -> None:
        self._grid = grid
        # one without a context of its own: nothing is rendered here
        self.window = vtkGenericOpenGLRenderWindow()
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(1, 1, 1)
        self.window.AddRenderer(self._renderer)
        self.shown = Surface(np.zeros((0, 3)), np.zeros((0, 4), int), np.zeros(0, int))
        self._cells, self._probe = vtkPolyData(), vtkPolyData()
        self._add(self._cells)
        box = vtkPolyData()
        low, size = np.array(grid.origin), np.array(grid.size)
        _set_box(box, low + _CORNERS * size)
        self._add(box).SetColor(0.35, 0.35, 0.35)
        for axis, color in enumerate(AXES):
            edge = vtkPolyData()
            _set_points(edge, low + np.outer((0, 1), size * np.eye(3)[axis]))
            edge.SetLines(_cell_array(np.array([[0, 1]])))
            look = self._add(edge)
            look.SetColor(*color)
            look.SetLineWidth(4)
        probe = self._add(self._probe)
        probe.SetColor(0.85, 0.0, 0.55)
        probe.SetLineWidth(4)
        self._known: tuple[Any, float, np.ndarray] | None = None
        self._axes = self._new_axes()
        self._lengths = lengths
        self._renderer.AddActor(self._axes)
        flat = grid.shape[2] == 1
        self.look(*LOOKS["z" if flat else "corner"])

    def show(
        self, source: Microstructure | Result, scalar: ScalarField, view: View
    ) -> None:
        """Put on stage what a view shows of a body."""
        body = microstructure_of(source)
        corners = self._nodes(source, view.warp)
        self.shown = surface(source, scalar, view, corners)
        rgb = colors(scalar, body, view, self.shown.voxels)
        if view.mode != "slices":
            rgb = rgb * shade(self.shown)
        _set_cells(self._cells, self.shown, rgb)
        self._axes.SetVisibility(self._lengths and not view.warp)
        i, j, k = view.probe
        around = corners[i : i + 2, j : j + 2, k : k + 2]
        _set_box(self._probe, around.reshape(8, 3))

    def _nodes(self, source: Microstructure | Result, factor: float) -> np.ndarray:
        # a slider asks for the same ones again and again
        last = self._known
        if last is None or last[0] is not source or last[1] != factor:
            self._known = last = (source, factor, nodes(source, factor))
        return last[2]

    @property
    def centre(self) -> list[float]:
        """Of the box."""
        return (np.array(self._grid.origin) + np.array(self._grid.size) / 2).tolist()

    def look(self, toward: Sequence[float], up: Sequence[float]) -> None:
        """Look at the whole body: direction to the eye, and what is upwards."""
        camera = self._renderer.GetActiveCamera()
        near = np.asarray(toward, float) / np.linalg.norm(toward)
        reach = float(np.linalg.norm(self._grid.size))
        camera.SetFocalPoint(*self.centre)
        camera.SetPosition(*(self.centre + 2.0 * reach * near))
        camera.SetViewUp(*up)
        camera.SetClippingRange(0.01 * reach, 20 * reach)

    def voxel_at(self, place: Sequence[float]) -> tuple[int, int, int] | None:
        """The voxel whose cell on stage is nearest to a place, None of no cell."""
        if not len(self.shown.voxels):
            return None
        middles = self.shown.points[self.shown.quads].mean(axis=1)
        nearest = ((middles - np.asarray(place, float)) ** 2).sum(axis=1).argmin()
        i, j, k = np.unravel_index(self.shown.voxels[nearest], self._grid.shape)
        return int(i), int(j), int(k)

    def _new_axes(self) -> vtkCubeAxesActor:
        """Lengths along the edges of the box, which the browser writes."""
        axes = vtkCubeAxesActor()
        axes.SetCamera(self._renderer.GetActiveCamera())
        low, size = np.array(self._grid.origin), np.array(self._grid.size)
        # numbers at the corners, where two axes meet, would overlap; the browser writes
        # none along an axis without length, and its lines are behind a flat body
        flat = np.array(self._grid.shape) == 1
        first = low + np.where(flat, 0, WITHIN * size)
        last = low + np.where(flat, 0, (1 - WITHIN) * size)
        axes.SetBounds(np.stack([first, last], axis=1).ravel().tolist())
        for name in "XYZ":
            getattr(axes, f"Set{name}Title")(name.lower())
        axes.GetXAxesGridlinesProperty().SetColor(0.3, 0.3, 0.3)
        return axes

    def _add(self, data: vtkPolyData) -> Any:
        """Add an actor; return how it looks."""
        mapper, actor = vtkPolyDataMapper(), vtkActor()
        mapper.SetInputData(data)
        mapper.SetScalarModeToUseCellData()
        mapper.SetColorModeToDirectScalars()
        actor.SetMapper(mapper)
        actor.GetProperty().SetAmbient(1.0)
        actor.GetProperty().SetDiffuse(0.0)
        self._renderer.AddActor(actor)
        return actor.GetProperty()


def _set_cells(data: vtkPolyData, shown: Surface, rgb: np.ndarray) -> None:
    _set_points(data, shown.points)
    data.SetPolys(_cell_array(shown.quads))
    colors_8_bit = numpy_to_vtk(np.rint(255 * rgb).astype(np.uint8), deep=True)
    colors_8_bit.SetName("rgb")
    data.GetCellData().SetScalars(colors_8_bit)
    data.Modified()


def _set_box(data: vtkPolyData, corners: np.ndarray) -> None:
    _set_points(data, corners)
    edges = [(a, a | bit) for bit in (1, 2, 4) for a in range(8) if not a & bit]
    data.SetLines(_cell_array(np.array(edges)))
    data.Modified()


def _set_points(data: vtkPolyData, places: np.ndarray) -> None:
    points = vtkPoints()
    points.SetData(numpy_to_vtk(places.astype(np.float32), deep=True))
    data.SetPoints(points)


def _cell_array(corners: np.ndarray) -> vtkCellArray:
    count, each = corners.shape
    cells = vtkCellArray()
    starts = np.arange(count + 1, dtype=np.int64) * each
    cells.SetData(
        numpy_to_vtkIdTypeArray(starts, deep=True),
        numpy_to_vtkIdTypeArray(corners.astype(np.int64).ravel(), deep=True),
    )
    return cells
