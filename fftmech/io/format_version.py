"""Versions of what is written: a newer one is refused, an older one is read.

A number goes up where an older program would read a file wrongly. What older numbers
mean is said in docs/file-format.md.
"""

import re
from typing import Any

from fftmech.errors import InputError

_RELEASE = re.compile(r"\d[\w.+-]{0,30}")


def check_format_version(where: object, found: Any, known: int, writer: Any) -> None:
    """Refuse a format that this program does not know.

    Parameters
    ----------
    where
        The file, or "" where the caller says it.
    found
        Its `format_version`.
    known
        The newest one that is read.
    writer
        Version of fftmech that wrote it, where the file says so.

    Raises
    ------
    InputError
        It is newer, naming the version of fftmech that reads it, or no version.
    """
    place = f"{where}: " if where else ""
    try:
        version = int(found)
    except (TypeError, ValueError):
        version = 0
    if version < 1 or version != found:
        raise InputError(
            f"{place}damaged (format version {str(found)[:40]!r})", "a whole number"
        )
    if version <= known:
        return
    release = str(writer)
    of = ""
    upgrade = "pip install --upgrade fftmech"
    if _RELEASE.fullmatch(release):
        of = f", of fftmech {release},"
        upgrade = f'pip install "fftmech>={release}"'
    raise InputError(
        f"{place}format version {version}{of} is newer than this program's {known}",
        mend=upgrade,
    )
