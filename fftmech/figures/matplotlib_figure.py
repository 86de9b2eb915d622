"""Matplotlib figures and their files: no window, no global state."""

import importlib
from math import floor, log10
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


PASCALS = ("Pa", "kPa", "MPa", "GPa")


def readable_unit(
    size: float, unit: str, prefixes: tuple[str, ...] = PASCALS
) -> tuple[float, str]:
    """Return a factor and a unit in which values of a size are short numbers.

    0.02 GPa are 20 MPa; where there are no prefixes a power of ten stands before the
    unit, as in `$10^{-4}$` of strains.
    """
    factor = 1.0
    if unit in prefixes and 0 < size < np.inf:
        old = prefixes.index(unit)
        steps = 0 if 0.1 <= size < 1e4 else floor(log10(size) / 3)
        new = min(max(old + steps, 0), len(prefixes) - 1)
        factor, unit = 1000.0 ** (old - new), prefixes[new]
    size *= factor
    if 0 < size < 0.01 or 1e4 <= size < np.inf:
        power = floor(log10(size))
        return factor * 10.0**-power, f"$10^{{{power}}}$ {unit}".strip()
    return factor, unit


def color_bar(
    figure: "Figure",
    image: Any,
    label: str,
    values: np.ndarray,
    unit: str = "",
    prefixes: tuple[str, ...] = PASCALS,
    **where: Any,
) -> Any:
    """Draw the colour bar of an image, pointed where values lie beyond its ends.

    Parameters
    ----------
    figure, image
        Of Matplotlib.
    label, unit
        Text beside the bar; numbers and unit are as in `readable_unit`.
    values
        All values that have colours, any shape.
    prefixes
        Units of which one may stand for another.
    where
        As in `Figure.colorbar`, for instance `cax`.
    """
    low, high = image.get_clim()
    below, above = (values < low).any(), (values > high).any()
    extend = ("neither", "max", "min", "both")[2 * below + above]
    factor, unit = readable_unit(max(abs(low), abs(high)), unit, prefixes)
    how = {"extend": extend, "label": with_unit(label, unit), **where}
    bar: Any = figure.colorbar(image, **how)
    bar.formatter = matplotlib_module("ticker").FuncFormatter(
        lambda x, _: f"{factor * x:.6g}".replace("-", "\N{MINUS SIGN}")
    )
    bar.update_ticks()
    return bar
