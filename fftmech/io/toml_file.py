"""TOML files: opened, and their tables, numbers and keys checked."""

import codecs
import sys
import tomllib
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from fftmech.errors import InputError


def read_toml(path: str | PathLike, mend: str = "check the name") -> dict[str, Any]:
    """Read a TOML file; of one that cannot be read, `mend` says what to do."""
    name = fspath(path)
    try:
        return tomllib.loads(_text(Path(path).read_bytes()))
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file", mend=mend) from error
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}", mend=mend) from error
    except ValueError as error:  # TOML or UTF-8 that is none
        raise InputError(f"{name}: not TOML: {error}") from error


def _text(content: bytes) -> str:
    """Text of a file in UTF-8 or, where its byte order mark says so, UTF-16."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if wide else "utf-8-sig")
    return text.replace("\r\n", "\n")


def check_keys(entry: Any, allowed: Sequence[str], where: str = "") -> dict[str, Any]:
    """Return a table if all its keys are allowed ones."""
    if not isinstance(entry, Mapping):
        raise InputError(where, f"a table with {', '.join(allowed)}")
    prefix = f"{where}: " if where else ""
    for key in entry:
        if key not in allowed:
            raise InputError(
                f"{prefix}unknown key {key!r}", f"one of {', '.join(allowed)}"
            )
    return dict(entry)


def number(value: Any, where: str) -> float:
    """Return a finite number as a float."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        # a whole number of TOML may be beyond any float
        value = inf if abs(value) > sys.float_info.max else float(value)
        if isfinite(value):
            return value
    raise InputError(f"{where} = {value!r}", "a finite number")


def whole(value: Any, where: str, expected: str, least: int = 0) -> int:
    """Return a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{where} = {value!r}", expected)
    return value
