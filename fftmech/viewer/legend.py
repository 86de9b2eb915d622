"""What colours stand for: a colour bar of a quantity, a legend of phases.

Phase ids are names: they have colours of their own and no scale.
"""

from typing import Any, NamedTuple

from fftmech.figures import matplotlib_module
from fftmech.figures.colors import phase_colors
from fftmech.microstructure.base import Microstructure
from fftmech.results.scalar_fields import ScalarField
from fftmech.viewer.state import DIFFERENT_PHASES, View, color_scale

_NAMED = 12  # of more phases a legend would be a table
_COLUMNS = 6
_EQUAL, _DIFFERENT = (0.86, 0.88, 0.90), (0.835, 0.369, 0.0)


class Entry(NamedTuple):
    """A value that is a name: what a legend says of it, and its colour (RGB)."""

    value: int
    text: str
    color: tuple[float, float, float]


def entries(scalar: ScalarField, body: Microstructure) -> list[Entry]:
    """The names among the values of a field, by value; none of a quantity."""
    if scalar.symbol == DIFFERENT_PHASES:
        return [Entry(0, "equal", _EQUAL), Entry(1, "different", _DIFFERENT)]
    if scalar.symbol != "phase":
        return []
    pores = set(body.pores)
    return [
        Entry(int(p), f"{p} (pore)" if p in pores else str(p), color)
        for p, color in zip(body.phases, phase_colors(body), strict=True)
    ]


def draw_colors(
    ax: Any,
    scalar: ScalarField,
    body: Microstructure,
    view: View,
    orientation: str = "vertical",
) -> None:
    """Draw on axes of its own what the colours of a field stand for."""
    named = entries(scalar, body)
    if named:
        _draw_legend(ax, scalar, named, orientation == "vertical")
    else:
        _draw_bar(ax, scalar, view, orientation)


def _draw_legend(
    ax: Any, scalar: ScalarField, named: list[Entry], upright: bool
) -> None:
    ax.set_axis_off()
    if len(named) > _NAMED:
        text = f"{len(named)} phases: colours tell them apart, without order"
        place = (0.5, 0.5) if upright else (0.5, 0.2)
        ax.text(*place, text, rotation=90 * upright, ha="center", va="center")
        return
    patch = matplotlib_module("patches").Patch
    ax.legend(
        handles=[
            patch(facecolor=entry.color, edgecolor="0.4", lw=0.6, label=entry.text)
            for entry in named
        ],
        # with a title where the names say nothing
        title=None if scalar.symbol == DIFFERENT_PHASES else scalar.symbol,
        loc="center left" if upright else "upper center",
        bbox_to_anchor=(0.0, 0.5) if upright else (0.5, 1.6),
        ncols=1 if upright else min(len(named), _COLUMNS),
        frameon=False,
        fontsize=11 if upright else 8.5,
        title_fontsize=11 if upright else 8.5,
        handlelength=1.2,
        handleheight=1.0,
        columnspacing=1.0,
        borderpad=0,
    )


def _draw_bar(ax: Any, scalar: ScalarField, view: View, orientation: str) -> None:
    low, high, name = color_scale(view, scalar)
    norm = matplotlib_module("colors").Normalize(low, high)
    inside = scalar.values[scalar.solid]
    below, above = (inside < low).any(), (inside > high).any()
    extend = ("neither", "max", "min", "both")[2 * below + above]
    mappable = matplotlib_module("cm").ScalarMappable(norm, name)
    bar = ax.figure.colorbar(mappable, cax=ax, extend=extend, orientation=orientation)
    bar.set_label(scalar.label, fontsize=11)
    bar.formatter.set_powerlimits((-2, 4))
    bar.formatter.set_useMathText(True)
    if orientation == "vertical":
        bar.ax.yaxis.set_offset_position("left")
