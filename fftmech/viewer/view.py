"""What is shown of a file, and the colours of its values.

A view is pure data, which the browser's page and a picture share. Phase ids are names:
they have colours of their own and no scale.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fftmech.figures import color_bar, matplotlib_module
from fftmech.figures.colors import (
    DIVERGING,
    MOST_NAMED_PHASES,
    ROBUST,
    SEQUENTIAL,
    color_range,
    phase_colors,
    phase_labels,
)
from fftmech.figures.planes import middle_slices, parse_slice
from fftmech.microstructure.base import Microstructure
from fftmech.results.scalar_fields import ScalarField, default_field
from fftmech.viewer.opened_file import OpenedFile

MODES = ("slices", "corner", "body")
"""Three planes; the body without the corner beyond them; the whole body."""

MAPS = ("automatic", SEQUENTIAL, "cividis", "magma", "gray", DIVERGING, "PuOr_r")
"""Colour maps; automatic is diverging where both signs matter, else sequential."""

ENDS = {"robust": " to ".join(f"{p:g}" for p in ROBUST) + " %", "full": "", "own": ""}
"""Ends of the colour scale: percentiles, extremes, `View.limits`; how they are said."""

DIFFERENT_PHASES = "phases differ"
"""Symbol of the difference of two phase maps."""

PORE = (0.8, 0.8, 0.8)
"""Grey of pores, which no colour map has."""

_COLUMNS = 6  # of a legend that lies
_EQUAL, _DIFFERENT = (0.86, 0.88, 0.90), (0.835, 0.369, 0.0)


class ColorScale(NamedTuple):
    """Ends of a colour scale, low < high, and Matplotlib's name of its colour map."""

    low: float
    high: float
    name: str

    def mappable(self) -> Any:
        """Matplotlib's object that gives values their colours."""
        norm = matplotlib_module("colors").Normalize(self.low, self.high)
        return matplotlib_module("cm").ScalarMappable(norm, self.name)


@dataclass(frozen=True)
class View:
    """What is shown: a field's component ("" of a scalar), and how.

    `slices` are the voxel indices of planes across x, y and z, of which `planes` says
    which are shown, and `keep` the least and largest value of voxels that are, None for
    all. `warp` is a factor on the displacement, 0 for the undeformed body. `limits` are
    the ends of the colour scale where `ends` is own. `probe` is the voxel whose values
    are listed.
    """

    field: str
    component: str = ""
    slices: tuple[int, int, int] = (0, 0, 0)
    planes: tuple[bool, bool, bool] = (True, True, True)
    mode: str = "slices"
    keep: tuple[float, float] | None = None
    warp: float = 0.0
    colors: str = "automatic"
    ends: str = "robust"
    limits: tuple[float, float] = (0.0, 1.0)
    probe: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def first(cls, file: OpenedFile) -> "View":
        """Middle slices of a file's default field."""
        grid = file.body.grid
        nx, ny, nz = grid.shape
        middle = (nx // 2, ny // 2, nz // 2)
        across = {parse_slice(text, grid)[0] for text in middle_slices(grid)}
        planes = (0 in across, 1 in across, 2 in across)
        field = default_field(file.source)
        return cls(field, slices=middle, planes=planes, probe=middle)

    def color_scale(self, scalar: ScalarField) -> ColorScale:
        """Colours of a field's values."""
        low, high, diverging = color_range(scalar)
        inside = scalar.values[scalar.solid]
        if self.ends == "own" and self.limits[0] < self.limits[1]:
            low, high = self.limits
        elif self.ends == "full" and inside.size and np.ptp(inside) > 0:
            low, high = float(inside.min()), float(inside.max())
            if diverging:
                high = max(-low, high)
                low = -high
        name = self.colors
        if name == "automatic":
            name = DIVERGING if diverging else SEQUENTIAL
        return ColorScale(low, high, name)


class NamedValue(NamedTuple):
    """A value that is a name, its text in a legend, and its colour (RGB)."""

    value: int
    text: str
    color: tuple[float, float, float]


def named_values(scalar: ScalarField, body: Microstructure) -> list[NamedValue]:
    """The names among the values of a field, by value; none of a quantity."""
    if scalar.symbol == DIFFERENT_PHASES:
        return [NamedValue(0, "equal", _EQUAL), NamedValue(1, "different", _DIFFERENT)]
    if scalar.symbol != "phase":
        return []
    rows = zip(body.phases, phase_labels(body), phase_colors(body), strict=True)
    return [NamedValue(int(p), text, color) for p, text, color in rows]


def colors(
    scalar: ScalarField, body: Microstructure, scale: ColorScale, voxels: np.ndarray
) -> np.ndarray:
    """RGB of voxels, 0 to 1, shape (M, 3)."""
    values = scalar.values.ravel()[voxels]
    named = named_values(scalar, body)
    if named:
        rank = np.searchsorted([entry.value for entry in named], values)
        return np.array([entry.color for entry in named])[rank]
    rgb = scale.mappable().to_rgba(values)[:, :3]
    return np.where(scalar.solid.ravel()[voxels, None], rgb, PORE)


def draw_colors(
    ax: Any,
    scalar: ScalarField,
    body: Microstructure,
    scale: ColorScale,
    orientation: str = "vertical",
) -> None:
    """Draw on axes of its own the colour bar of a quantity, or a legend of names."""
    named = named_values(scalar, body)
    if named:
        _draw_legend(ax, scalar, named, orientation == "vertical")
        return
    inside = scalar.values[scalar.solid]
    where = {"cax": ax, "orientation": orientation}
    # in the unit of the numbers on the page
    given = (scalar.symbol, inside, scalar.unit, ())
    bar = color_bar(ax.figure, scale.mappable(), *given, **where)
    bar.set_label(bar.ax.get_xlabel() or bar.ax.get_ylabel(), fontsize=11)


def _draw_legend(
    ax: Any, scalar: ScalarField, named: list[NamedValue], upright: bool
) -> None:
    ax.set_axis_off()
    if len(named) > MOST_NAMED_PHASES:
        text = f"{len(named)} phases: colours tell them apart, without order"
        place = (0.5, 0.5) if upright else (0.5, 0.2)
        ax.text(*place, text, rotation=90 * upright, ha="center", va="center")
        return
    fontsize = 11 if upright else 8.5
    patch = partial(matplotlib_module("patches").Patch, edgecolor="0.4", lw=0.6)
    ax.legend(
        handles=[patch(facecolor=e.color, label=e.text) for e in named],
        # with a title where the names say nothing
        title=None if scalar.symbol == DIFFERENT_PHASES else scalar.symbol,
        loc="center left" if upright else "upper center",
        bbox_to_anchor=(0.0, 0.5) if upright else (0.5, 1.6),
        ncols=1 if upright else min(len(named), _COLUMNS),
        frameon=False,
        fontsize=fontsize,
        title_fontsize=fontsize,
        handlelength=1.2,
        handleheight=1.0,
        columnspacing=1.0,
        borderpad=0,
    )
