"""The folder of an evaluation: tables, numbers and pictures, each file whole."""

import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecosurrogate.evaluation.table import markdown
from ecosurrogate.training.files import holds, write_json, write_text
from fftmech.errors import InputError
from fftmech.figures import matplotlib_module, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUMBERS = "evaluation.json"
TABLES = "evaluation.md"


def check_folder(folder: str | PathLike, force: bool) -> None:
    """Refuse a folder that cannot be written to, before any work is done."""
    matplotlib_module("figure")
    place = Path(folder)
    if holds(place, NUMBERS, "evaluation") and not force:
        raise InputError(
            f"{folder} holds an evaluation: choose another -o, or add --force"
        )
    above = place.absolute().parent
    try:
        tempfile.TemporaryFile(dir=place if place.is_dir() else above).close()
    except OSError as error:
        raise InputError(
            f"{folder}: it cannot be written to ({error.strerror})",
            mend="choose another -o",
        ) from error


def write_folder(
    folder: str | PathLike,
    found: Mapping[str, Any],
    pictures: Iterable[tuple[str, "Figure"]],
) -> None:
    """Write an evaluation; a new folder appears with all its files, or not at all.

    `check_folder` has let the folder pass; `pictures` are by name.
    """
    # all of them first: what cannot be drawn leaves no folder behind
    drawn = list(pictures)
    place = Path(folder)
    new = not place.exists()
    place.mkdir(exist_ok=True)
    try:
        # the numbers first: with them the folder may be replaced
        write_json(place / NUMBERS, found)
        write_text(place / TABLES, markdown(found))
        for name, figure in drawn:
            save_figure(figure, place / name)
    except BaseException:
        if new:
            for name in (NUMBERS, TABLES, *(name for name, _ in drawn)):
                (place / name).unlink(missing_ok=True)
            with suppress(OSError):
                place.rmdir()
        raise
