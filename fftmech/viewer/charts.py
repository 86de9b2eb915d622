"""Small charts of the page, as SVG that an image element shows."""

import base64
import importlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.figures import new_figure, with_unit
from fftmech.figures.field_figures import draw_spectra
from fftmech.microstructure.base import Microstructure
from fftmech.results.scalar_fields import ScalarField
from fftmech.viewer.surface import Panel
from fftmech.viewer.view import draw_colors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINES = ("#0072b2", "#d55e00")
_SIZE = (3.1, 2.5)  # inches


def bar_chart(panel: Panel) -> str:
    """The colour bar of values, lying, with label and unit, or the legend of phases."""
    figure = new_figure((3.6, 0.72))
    ax = figure.add_axes((0.06, 0.74, 0.88, 0.22))
    draw_colors(ax, panel.scalar, panel.file.body, panel.scale, "horizontal")
    return _image(figure)


def histogram_chart(scalars: Sequence[ScalarField], names: Sequence[str]) -> str:
    """How often values occur in the voxels that are not pores."""
    figure = new_figure(_SIZE)
    ax = figure.add_axes((0.17, 0.2, 0.79, 0.74))
    inside = [scalar.values[scalar.solid] for scalar in scalars]
    every = np.concatenate(inside)
    edges = np.linspace(every.min(), every.max(), 61) if every.size else 1
    for values, name, color in zip(inside, names, _LINES, strict=False):
        how: Any = {"lw": 1.4, "color": color}
        ax.hist(values, edges, density=True, histtype="step", **how)
        ax.plot([], [], label=name, **how)
    ax.set_xlabel(scalars[0].label)
    ax.set_ylabel("probability density")
    return _finish(ax, names)


def spectrum_chart(
    scalars: Sequence[ScalarField], names: Sequence[str], body: Microstructure
) -> str:
    """Radially averaged power spectra; pores count as zero."""
    figure = new_figure(_SIZE)
    ax = figure.add_axes((0.2, 0.2, 0.76, 0.74))
    ax.set_prop_cycle(color=_LINES)
    draw_spectra(ax, scalars, names, body)
    unit = scalars[0].unit
    ax.set_ylabel(with_unit("power a mode", unit and f"{unit}$^2$"))
    return _finish(ax, names)


def _finish(ax: Any, names: Sequence[str]) -> str:
    ax.grid(color="0.92")
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=8)
    if len(names) > 1:
        ax.legend(frameon=False, fontsize=8)
    return _image(ax.figure)


def _image(figure: "Figure") -> str:
    written = io.BytesIO()
    # without date and random ids, so that equal charts are equal text
    with importlib.import_module("matplotlib").rc_context({"svg.hashsalt": "fftmech"}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(written.getvalue()).decode()
