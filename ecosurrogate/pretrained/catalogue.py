"""The pretrained models: their names, folders and cards.

A model is a folder beside this file, as `ecosr fit` writes it but for its log and
state, with a card; `benchmarks/pretrained.py` makes all of it.
"""

import atexit
import json
import shutil
import tempfile
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

from fftmech.errors import InputError

PACKAGE = "ecosurrogate.pretrained"

CARD = "card.json"
"""What a model is for, trained on and worth; all of its numbers are measured."""


def names() -> list[str]:
    """Names of the pretrained models, sorted."""
    items = files(PACKAGE).iterdir()
    return sorted(item.name for item in items if (item / CARD).is_file())


def read_card(name: str) -> dict[str, Any]:
    """The card of a pretrained model, JSON-ready; InputError of an unknown name."""
    if name not in names():
        raise InputError(
            f"no pretrained model {name!r}", f"one of {', '.join(names())}"
        )
    return json.loads((files(PACKAGE) / name / CARD).read_text(encoding="utf-8"))


def run_folder(run: str | PathLike) -> Path:
    """Folder of a run that is named by its path, or as a pretrained model.

    A text may be the name of a model; with a separator, as in ./NAME, and as a `Path`
    it is a folder. InputError of a name that is a run in the current folder too: one
    of the two would be taken for the other.
    """
    if not isinstance(run, str) or run not in names():
        return Path(run)
    if (Path(run) / "config.json").exists():
        raise InputError(
            f"{run} is a run in this folder and a pretrained model too",
            f"./{run} for the run, or {folder_of(run)} for the model",
        )
    return folder_of(run)


@cache
def folder_of(name: str) -> Path:
    """Folder of a pretrained model.

    Of a package in a zip file it is a copy, for as long as this process lives.
    """
    source = files(PACKAGE) / name
    if isinstance(source, Path):
        return source
    copy = Path(tempfile.mkdtemp(prefix="ecosr-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for file in source.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy
