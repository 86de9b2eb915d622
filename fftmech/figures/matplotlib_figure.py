"""Matplotlib figures and their files: no window, no global state."""

import importlib
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
