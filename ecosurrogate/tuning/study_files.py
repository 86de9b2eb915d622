"""Files of a study that are for reading: its card, and settings as TOML or options."""

import json
import shlex
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ecosurrogate.training.config import Settings
from ecosurrogate.training.tensor_file import short
from fftmech.errors import InputError
from fftmech.io.atomic import whole_file

FORMAT_VERSION = 1

STUDY = "study.json"
BEST = "best.toml"
PICTURE = "study.png"

_OPTIONS = ("model", "backbone", "preset", "steps", "batch", "lr", "seed")


def read_card(path: str | PathLike) -> dict[str, Any]:
    """Read what a study is.

    Raises
    ------
    InputError
        A damaged file, or one of a newer program.
    """
    try:
        card = json.loads(Path(path).read_text(encoding="utf-8"))
        version = card["format_version"]
        newer = version > FORMAT_VERSION
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: damaged ({type(error).__name__}: {short(error)})",
            mend="restore it, or choose another -o",
        ) from error
    if newer:
        raise InputError(
            f"{path}: format version {version} is newer than this program's "
            f"{FORMAT_VERSION}",
            mend="pip install --upgrade fftmech",
        )
    return card


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def as_toml(settings: Settings) -> str:
    """Settings as TOML, which `settings.read_settings` takes."""
    tables = {k: v for k, v in settings.items() if isinstance(v, Mapping)}
    lines = [f"{k} = {_text(v)}" for k, v in settings.items() if k not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{k} = {_text(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def as_options(settings: Settings) -> str:
    """Settings as options of `ecosr fit`."""
    words: list[str] = []
    for name, value in settings.items():
        if name in _OPTIONS:
            words += [f"--{name}", value if isinstance(value, str) else _text(value)]
            continue
        entries = value.items() if isinstance(value, Mapping) else [(None, value)]
        for key, entry in entries:
            whole = name if key is None else f"{name}.{key}"
            words += ["--set", f"{whole}={_text(entry)}"]
    return shlex.join(words)


def _text(value: Any) -> str:
    """JSON, which is TOML of numbers, strings, booleans and lists."""
    return json.dumps(value, ensure_ascii=False)
