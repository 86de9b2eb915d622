"""A render window of VTK, which the browser draws: the server holds its geometry."""

from collections.abc import Sequence

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkRenderingAnnotation import vtkCubeAxesActor
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer
from vtkmodules.vtkRenderingOpenGL2 import vtkGenericOpenGLRenderWindow

from fftmech.discretization.grid import Grid
from fftmech.viewer.picture import LOOKS
from fftmech.viewer.surface import EMPTY, Panel, nodes_of
from fftmech.viewer.view import View

AXES = ((0.80, 0.15, 0.12), (0.10, 0.55, 0.20), (0.10, 0.35, 0.80))
"""Colours (RGB) of the edges along x, y and z from the corner of the box."""

WITHIN = 1e-6
"""Distance of the first and the last number along an edge from its ends, by length."""

_CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])
_EDGES = np.array([(a, a | bit) for bit in (1, 2, 4) for a in range(8) if not a & bit])


class RenderWindow:
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
        VTK's, which trame sends to the browser.
    shown
        The cells of the body.
    centre
        Of the box.
    """

    def __init__(self, grid: Grid, lengths: bool = True) -> None:
        self._low, self._size = np.array(grid.origin), np.array(grid.size)
        self.centre: list[float] = (self._low + self._size / 2).tolist()
        self._shape, self._lengths = grid.shape, lengths
        # one without a context of its own: nothing is rendered here
        self.window = vtkGenericOpenGLRenderWindow()
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(1, 1, 1)
        self.window.AddRenderer(self._renderer)
        self.shown = EMPTY
        self._cells, self._probe = vtkPolyData(), vtkPolyData()
        self._add(self._cells)
        box = vtkPolyData()
        _set_lines(box, self._low + _CORNERS * self._size, _EDGES)
        self._add(box, (0.35, 0.35, 0.35))
        for axis, color in enumerate(AXES):
            edge, ends = vtkPolyData(), np.outer((0, 1), self._size * np.eye(3)[axis])
            _set_lines(edge, self._low + ends, np.array([[0, 1]]))
            self._add(edge, color, width=4)
        self._add(self._probe, (0.85, 0.0, 0.55), width=4)
        self._axes = self._new_axes()
        self._renderer.AddActor(self._axes)
        self.look(*LOOKS["z" if grid.shape[2] == 1 else "corner"])

    def show(self, panel: Panel, view: View) -> None:
        """Put into the window what a view shows of a body."""
        self.shown, rgb = panel.cells(view)
        _set_points(self._cells, self.shown.points)
        self._cells.SetPolys(_cell_array(self.shown.quads))
        colors = numpy_to_vtk(np.rint(255 * rgb).astype(np.uint8), deep=True)
        colors.SetName("rgb")
        self._cells.GetCellData().SetScalars(colors)
        self._cells.Modified()
        self._axes.SetVisibility(self._lengths and not view.warp)
        i, j, k = view.probe
        around = nodes_of(panel.file, view.warp)[i : i + 2, j : j + 2, k : k + 2]
        _set_lines(self._probe, around.reshape(8, 3), _EDGES)

    def look(self, toward: Sequence[float], up: Sequence[float]) -> None:
        """Look at the whole body: direction to the eye, and what is upwards."""
        camera = self._renderer.GetActiveCamera()
        near = np.asarray(toward, float) / np.linalg.norm(toward)
        reach = float(np.linalg.norm(self._size))
        camera.SetFocalPoint(*self.centre)
        camera.SetPosition(*(self.centre + 2.0 * reach * near))
        camera.SetViewUp(*up)
        camera.SetClippingRange(0.01 * reach, 20 * reach)

    def voxel_at(self, place: Sequence[float]) -> tuple[int, int, int] | None:
        """The voxel whose cell is nearest to a place, None where there is no cell."""
        if not len(self.shown.voxels):
            return None
        middles = self.shown.corners.mean(axis=1)
        nearest = ((middles - np.asarray(place, float)) ** 2).sum(axis=1).argmin()
        i, j, k = np.unravel_index(self.shown.voxels[nearest], self._shape)
        return int(i), int(j), int(k)

    def _new_axes(self) -> vtkCubeAxesActor:
        """Lengths along the edges of the box, which the browser writes."""
        axes = vtkCubeAxesActor()
        axes.SetCamera(self._renderer.GetActiveCamera())
        # numbers at the corners, where two axes meet, would overlap; the browser writes
        # none along an axis without length, and its lines are behind a flat body
        flat = np.array(self._shape) == 1
        first = self._low + np.where(flat, 0, WITHIN * self._size)
        last = self._low + np.where(flat, 0, (1 - WITHIN) * self._size)
        axes.SetBounds(np.stack([first, last], axis=1).ravel().tolist())
        for name in "XYZ":
            getattr(axes, f"Set{name}Title")(name.lower())
        axes.GetXAxesGridlinesProperty().SetColor(0.3, 0.3, 0.3)
        return axes

    def _add(
        self, data: vtkPolyData, color: Sequence[float] = (1, 1, 1), width: float = 1
    ) -> None:
        """Add an actor in the colours of its cells, or in one colour, without light."""
        mapper, actor = vtkPolyDataMapper(), vtkActor()
        mapper.SetInputData(data)
        mapper.SetScalarModeToUseCellData()
        mapper.SetColorModeToDirectScalars()
        actor.SetMapper(mapper)
        look = actor.GetProperty()
        look.SetAmbient(1.0)
        look.SetDiffuse(0.0)
        look.SetColor(*color)
        look.SetLineWidth(width)
        self._renderer.AddActor(actor)


def _set_points(data: vtkPolyData, places: np.ndarray) -> None:
    points = vtkPoints()
    points.SetData(numpy_to_vtk(places.astype(np.float32), deep=True))
    data.SetPoints(points)


def _set_lines(data: vtkPolyData, places: np.ndarray, lines: np.ndarray) -> None:
    _set_points(data, places)
    data.SetLines(_cell_array(lines))
    data.Modified()


def _cell_array(corners: np.ndarray) -> vtkCellArray:
    flat = corners.astype(np.int64).ravel()
    cells = vtkCellArray()
    cells.SetData(corners.shape[1], numpy_to_vtkIdTypeArray(flat, deep=True))
    return cells
