"""A render window of VTK, which the browser draws: the server holds its geometry."""

from collections.abc import Sequence

import numpy as np
import pyvista
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

    `lengths` are written along the edges of the box, unless the body is deformed.
    `window` is VTK's, which trame sends to the browser, `shown` the cells of the body.
    """

    def __init__(self, grid: Grid, lengths: bool = True) -> None:
        low, size = self._low, self._size = np.array(grid.origin), np.array(grid.size)
        self.centre: list[float] = (low + size / 2).tolist()
        self._shape, self._lengths = grid.shape, lengths
        # one without a context of its own: nothing is rendered here
        self.window = vtkGenericOpenGLRenderWindow()
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(1, 1, 1)
        self.window.AddRenderer(self._renderer)
        self.shown = EMPTY
        self._cells, self._probe = pyvista.PolyData(), pyvista.PolyData()
        self._add(self._cells)
        self._add(_lines(low + _CORNERS * size, _EDGES), (0.35, 0.35, 0.35))
        for axis, color in enumerate(AXES):
            ends = np.outer((0, 1), size * np.eye(3)[axis])
            self._add(_lines(low + ends, np.array([[0, 1]])), color, width=4)
        self._add(self._probe, (0.85, 0.0, 0.55), width=4)
        self._axes = self._new_axes()
        self._renderer.AddActor(self._axes)
        self.look(*LOOKS["z" if grid.shape[2] == 1 else "corner"])

    def show(self, panel: Panel, view: View) -> None:
        """Put into the window what a view shows of a body."""
        self.shown, rgb = panel.cells(view)
        cells = pyvista.PolyData.from_regular_faces(
            self.shown.points.astype(np.float32), self.shown.quads
        )
        cells.cell_data.set_scalars(np.rint(255 * rgb).astype(np.uint8), "rgb")
        self._cells.copy_from(cells)
        self._axes.SetVisibility(self._lengths and not view.warp)
        i, j, k = view.probe
        around = nodes_of(panel.file, view.warp)[i : i + 2, j : j + 2, k : k + 2]
        self._probe.copy_from(_lines(around.reshape(8, 3), _EDGES))

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
        self,
        data: pyvista.PolyData,
        color: Sequence[float] = (1, 1, 1),
        width: float = 1,
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


def _lines(points: np.ndarray, ends: np.ndarray) -> pyvista.PolyData:
    """Straight lines, (M, 2) of points."""
    lines = np.insert(ends, 0, 2, axis=1)
    return pyvista.PolyData(points.astype(np.float32), lines=lines)
