"""Matplotlib figures and their files: no window, no global state."""

import importlib
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io.atomic import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
"""Extensions of the pictures that are written."""


def check_picture(path: str | PathLike) -> None:
    """Refuse a name whose extension is not one of `FORMATS` (InputError)."""
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(
            f"{fspath(path)}: pictures are written as {', '.join(FORMATS)}",
            mend="end the name in one of these",
        )


def save_figure(figure: "Figure", path: str | PathLike, dpi: int = 150) -> None:
    """Write a figure, in the format of the extension; the file appears whole.

    Raises
    ------
    InputError
        An extension that is not one of `FORMATS`, dpi below 10 or above 2400.
    """
    check_picture(path)
    if not 10 <= dpi <= 2400:
        raise InputError(f"dpi {dpi}", "10 to 2400 dots an inch")
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=dpi)


def new_figure(size: tuple[float, float]) -> "Figure":
    """Return an empty figure, (width, height) in inches."""
    return matplotlib_module("figure").Figure(figsize=size)


def matplotlib_module(module: str) -> Any:
    """Import a module of Matplotlib.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return importlib.import_module(f"matplotlib.{module}")
    except ImportError:
        raise InputError(
            "pictures need Matplotlib, which is not installed",
            mend='pip install "fftmech[viz]"',
        ) from None


def with_unit(text: str, unit: str) -> str:
    """Return a label with its unit in parentheses, where there is one."""
    return f"{text} ({unit})" if unit else text


def color_bar(
    figure: "Figure", image: Any, label: str, values: np.ndarray, **where: Any
) -> Any:
    """Draw the colour bar of an image, pointed where values lie beyond its ends.

    Parameters
    ----------
    figure, image
        Of Matplotlib.
    label
        Text beside the bar.
    values
        All values that have colours, any shape.
    where
        As in `Figure.colorbar`, for instance `cax`.
    """
    low, high = image.get_clim()
    below, above = (values < low).any(), (values > high).any()
    extend = ("neither", "max", "min", "both")[2 * below + above]
    bar: Any = figure.colorbar(image, extend=extend, label=label, **where)
    bar.formatter.set_powerlimits((-2, 4))
    bar.formatter.set_useMathText(True)
    bar.ax.yaxis.set_offset_position("left")
    return bar
