"""A picture of a body without display, GPU or browser.

Cells are painted by Matplotlib from the farthest to the nearest in parallel projection.
That needs no OpenGL, of which a server or a container may have none, and every machine
draws the same; it is right because all cells are about one voxel large.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fftmech.figures import matplotlib_module, new_figure
from fftmech.microstructure.base import Microstructure
from fftmech.viewer.surface import Panel
from fftmech.viewer.view import View, draw_colors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOOKS = {
    "corner": ((1.0, -1.35, 0.85), (0.0, 0.0, 1.0)),
    "x": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "y": ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
    "z": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
}
"""Direction from the body to the eye, and upwards, of each place to look from."""

DPI = 100
"""Pixels an inch of a picture."""

_BAR = 1.35  # inches at the right, for the colour bar
_EDGE = "0.35"


class Projection(NamedTuple):
    """Parallel projection: `right` and `up` on the picture, `near` towards the eye."""

    right: np.ndarray
    up: np.ndarray
    near: np.ndarray

    @classmethod
    def towards(cls, direction: Sequence[float], up: Sequence[float]) -> "Projection":
        """From a direction to the eye and one that is upwards on the picture."""
        near = np.asarray(direction, float) / np.linalg.norm(direction)
        right = np.cross(up, near)
        if np.linalg.norm(right) < 1e-6:
            right = np.array([1.0, 0.0, 0.0])
        right = right / np.linalg.norm(right)
        return cls(right, np.cross(near, right), near)

    def flat(self, points: np.ndarray) -> np.ndarray:
        """Places on the picture, (..., 2)."""
        return np.stack([points @ self.right, points @ self.up], axis=-1)


def draw(
    panels: Sequence[Panel],
    view: View,
    size: tuple[int, int] = (1280, 800),
    projection: Projection | None = None,
) -> "Figure":
    """Draw bodies side by side, each with a colour bar; width and height in pixels.

    `projection` says from where, by default a corner, of a 2-D body straight on.
    """
    if projection is None:
        shape = panels[0].file.body.grid.shape
        flat = [name for name, n in zip("xyz", shape, strict=True) if n == 1]
        projection = Projection.towards(*LOOKS[flat[-1] if flat else "corner"])
    figure = new_figure((size[0] / DPI, size[1] / DPI))
    figure.set_dpi(DPI)
    share, several = 1 / len(panels), len(panels) > 1
    for number, panel in enumerate(panels):
        left = number * share
        place, bar = _places(left, share, size, several)
        _paint(figure.add_axes(place), panel, view, projection, named=several)
        ax, lies = figure.add_axes(bar), "horizontal" if several else "vertical"
        draw_colors(ax, panel.scalar, panel.file.body, panel.scale, lies)
        title = shortened(panel.title, int(share * size[0] / 8.3))
        middle = left + 0.5 * share
        figure.text(middle, 0.955, title, ha="center", va="center", fontsize=10.5)
    return figure


def _places(
    left: float, share: float, size: tuple[int, int], several: bool
) -> tuple[tuple[float, float, float, float], ...]:
    """Where a body and its colour bar are: at the right of one, below several.

    Left, bottom, width and height, parts of the picture.
    """
    width, height = (n / DPI for n in size)
    if several:
        scene = (left + 0.1 * share, 1.1 / height, 0.8 * share, 0.9 - 1.1 / height)
        return scene, (left + 0.12 * share, 0.75 / height, 0.76 * share, 0.16 / height)
    bar = _BAR / width
    tall = min(0.6, 4.2 / height)
    margin = 1.25 / width
    scene = (margin, 0.06, 1 - bar - margin - 0.02, 0.84)
    return scene, (1 - bar, 0.46 - tall / 2, 0.16 * bar, tall)


def shortened(text: str, length: int) -> str:
    """A text of at most so many characters, its end kept, for titles."""
    return text if len(text) <= length else text[: max(length - 1, 1)] + "…"


def _paint(
    ax: Any, panel: Panel, view: View, projection: Projection, named: bool
) -> None:
    shown, rgb = panel.cells(view)
    corners = shown.corners
    order = np.argsort(corners.mean(axis=1) @ projection.near, kind="stable")
    cells = matplotlib_module("collections").PolyCollection(
        projection.flat(corners[order]),
        facecolors=rgb[order],
        # edges of the same colour close the seams between neighbours
        edgecolors=rgb[order],
        linewidths=0.3,
        antialiaseds=False,
        zorder=2,
    )
    ax.add_collection(cells)
    _draw_box(ax, panel.file.body, projection, named)
    ax.set_aspect("equal")
    ax.autoscale_view()
    ax.margins(0.02)
    ax.set_axis_off()


def _draw_box(
    ax: Any, body: Microstructure, projection: Projection, named: bool
) -> None:
    """The edges of the undeformed box, those behind the body below it.

    They are named, or their lengths are written.
    """
    size, origin = np.array(body.grid.size), np.array(body.grid.origin)
    sides = projection.near > 0
    for axis in range(3):
        for start in _edges(axis):
            ends = projection.flat(origin + [start, start + np.eye(3)[axis]] * size)
            behind = (np.delete(start, axis) != np.delete(sides, axis)).any()
            how = (
                {"zorder": 1, "alpha": 0.9} if behind else {"zorder": 3, "alpha": 0.35}
            )
            ax.plot(*ends.T, color=_EDGE, lw=0.8, **how)
    unit = body.units.get("length", "")
    halo = matplotlib_module("patheffects").withStroke(linewidth=3, foreground="white")
    for axis in range(3):
        start = _outer_edge(axis, projection)
        if start is None:
            continue
        middle = projection.flat(origin + (start + np.eye(3)[axis] / 2) * size)
        centre = projection.flat(origin + size / 2)
        away = (middle - centre) / max(float(np.linalg.norm(middle - centre)), 1e-300)
        length = f"{size[axis]:.4g} {unit}".strip()
        ax.annotate(
            "xyz"[axis] if named else f"{'xyz'[axis]}: {length}",
            middle,
            xytext=away * (12 if named else 22),
            textcoords="offset points",
            ha="right" if away[0] < -0.3 else "left" if away[0] > 0.3 else "center",
            va="center",
            fontsize=10,
            annotation_clip=False,
            zorder=5,
            path_effects=[halo],
        )


def _edges(axis: int) -> list[np.ndarray]:
    """Beginnings of the unit cube's four edges along an axis."""
    starts = ((first, second) for first in (0.0, 1.0) for second in (0.0, 1.0))
    return [np.insert(start, axis, 0.0) for start in starts]


def _outer_edge(axis: int, projection: Projection) -> np.ndarray | None:
    """Beginning of the edge along an axis that is lowest, or leftmost, on the picture.

    It is on the outline of the box: one of its two faces is seen, the other not. None
    of an axis that is seen end on.
    """
    unit = np.eye(3)[axis]
    if np.linalg.norm(projection.flat(unit)) < 1e-6:
        return None
    near = np.delete(projection.near > 1e-6, axis)
    seen = [(np.delete(start, axis) == near).sum() for start in _edges(axis)]
    outline = [s for s, n in zip(_edges(axis), seen, strict=True) if n == 1]
    across = 0 if axis == 2 else 1
    return min(outline, key=lambda start: projection.flat(start + unit / 2)[across])
