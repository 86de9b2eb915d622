"""Small charts of the page, as SVG that an image element shows."""

import base64
import importlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.figures import new_figure
from fftmech.microstructure.base import Microstructure
from fftmech.results.scalar_fields import ScalarField
from fftmech.results.spectrum import power_spectrum
from fftmech.viewer.legend import draw_colors
from fftmech.viewer.state import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROUNDING = 1e-12  # of the largest power: below it a spectrum is noise
_LINES = ("#0072b2", "#d55e00")
_SIZE = (3.1, 2.5)  # inches


def bar_chart(scalar: ScalarField, body: Microstructure, view: View) -> str:
    """The colour bar of values, lying, with label and unit, or the legend of phases."""
    figure = new_figure((3.6, 0.72))
    ax = figure.add_axes((0.06, 0.74, 0.88, 0.22))
    draw_colors(ax, scalar, body, view, "horizontal")
    return _image(figure)


def histogram_chart(scalars: Sequence[ScalarField], names: Sequence[str]) -> str:
    """How often values occur in the voxels that are not pores."""
    figure = new_figure(_SIZE)
    ax = figure.add_axes((0.17, 0.2, 0.79, 0.74))
    inside = [scalar.values[scalar.solid] for scalar in scalars]
    every = np.concatenate(inside)
    edges = np.linspace(every.min(), every.max(), 61) if every.size else 1
    for values, name, color in zip(inside, names, _LINES, strict=False):
        ax.hist(
            values,
            edges,
            density=True,
            histtype="step",
            lw=1.4,
            color=color,
        )
        ax.plot([], [], lw=1.4, color=color, label=name)
    ax.set_xlabel(scalars[0].label)
    ax.set_ylabel("probability density")
    _finish(ax, names)
    return _image(figure)


def spectrum_chart(
    scalars: Sequence[ScalarField], names: Sequence[str], grid: Grid, length: str
) -> str:
    """Radially averaged power spectra; pores count as zero."""
    figure = new_figure(_SIZE)
    ax = figure.add_axes((0.2, 0.2, 0.76, 0.74))
    for scalar, name, color in zip(scalars, names, _LINES, strict=False):
        spectrum = power_spectrum(np.where(scalar.solid, scalar.values, 0.0), grid)
        least = _ROUNDING * spectrum.power.max(initial=0.0)
        power = np.ma.masked_less_equal(spectrum.power, least)
        ax.loglog(spectrum.wavenumber, power, lw=1.4, color=color, label=name)
    ax.set_xlabel(f"wavenumber (cycles/{length})" if length else "wavenumber (cycles)")
    unit = scalars[0].unit
    ax.set_ylabel(f"power a mode ({unit}$^2$)" if unit else "power a mode")
    _finish(ax, names)
    return _image(figure)


def _finish(ax, names: Sequence[str]) -> None:
    ax.grid(color="0.92")
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=8)
    if len(names) > 1:
        ax.legend(frameon=False, fontsize=8)


def _image(figure: "Figure") -> str:
    written = io.BytesIO()
    # without date and random ids, so that equal charts are equal text
    with importlib.import_module("matplotlib").rc_context({"svg.hashsalt": "fftmech"}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(written.getvalue()).decode()
