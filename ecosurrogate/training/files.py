"""Folders, and JSON and text files, of runs, studies and evaluations.

Files that are read may be damaged or hostile.
"""

import json
from collections.abc import Mapping
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

from fftmech.errors import InputError
from fftmech.io.atomic import whole_file
from fftmech.io.format_version import check_format_version


def read_json(path: str | PathLike, version: int, mend: str) -> dict[str, Any]:
    """Read a JSON object that has a `format_version` of at most `version`."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        found = document["format_version"]
        versions = document.get("versions", {})
        writer = document.get("fftmech_version", dict(versions).get("fftmech"))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(path, error, mend) from error
    check_format_version(path, found, version, writer)
    return document


def holds(folder: Path, name: str, kind: str) -> bool:
    """Whether a folder has the file `name`, which every `kind` has.

    InputError for a file, a folder that holds something else, or one in no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give the name of a folder")
    above = folder.absolute().parent
    if not above.is_dir():
        raise InputError(f"{folder}: no folder {above}", mend="create it first")
    if (folder / name).exists():
        return True
    # a kill may leave hidden files
    if folder.is_dir() and any(item.name[0] != "." for item in folder.iterdir()):
        raise InputError(
            f"{folder}: the folder is not empty and holds no {kind} (no {name})",
            mend="choose another -o",
        )
    return False


def write_json(path: str | PathLike, document: Mapping[str, Any]) -> None:
    """Write a JSON document; the file appears whole or not at all."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def finite(value: Any) -> Any:
    """The same data with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def write_text(path: str | PathLike, text: str) -> None:
    """Write a text; the file appears whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def damaged(path: str | PathLike, error: Exception, mend: str) -> InputError:
    """Return the refusal of a file that could not be read."""
    return InputError(
        f"{path}: damaged ({type(error).__name__}: {short(error)})", mend=mend
    )


def short(text: Any, length: int = 100) -> str:
    """Text of a hostile file in one line of limited length."""
    text = " ".join(str(text)[: 2 * length].split())
    return text if len(text) <= length else text[: length - 3] + "..."
