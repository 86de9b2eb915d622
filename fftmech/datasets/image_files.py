"""Image files that a dataset is made from, each with its SHA-256."""

import hashlib
from os import PathLike
from pathlib import Path

from fftmech.errors import InputError
from fftmech.io import FORMATS, SHARED

File = tuple[str, str]
"""Name of a file, and the SHA-256 of its content."""


def files_in(folder: str | PathLike) -> list[Path]:
    """Files of a folder that `fftmech.read` knows by their ends, sorted by name.

    Hidden files are left out. InputError if there are none.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder", mend="give one that is there")
    ends = tuple(end for end in FORMATS if end not in SHARED)
    files = sorted(
        file
        for file in path.iterdir()
        if file.is_file()
        and file.name.lower().endswith(ends)
        and not file.name.startswith(".")
    )
    if not files:
        raise InputError(
            f"{path}: no body or image in this folder",
            f"files that end in {' '.join(ends)}",
        )
    return files


def images_in(folder: str | PathLike) -> tuple[File, ...]:
    """Files of a folder that `fftmech.read` knows by their ends, each with its hash."""
    path = Path(folder)
    names = [file.name for file in files_in(path)]
    files = tuple((name, sha256_of(path / name)) for name in names)
    first = {sha256: name for name, sha256 in reversed(files)}
    for name, sha256 in files:
        if first[sha256] != name:
            raise InputError(
                f"{path}: {first[sha256]} and {name} are the same file, whose bodies "
                "would be in several splits",
                mend="remove one",
            )
    return files


def sha256_of(path: str | PathLike) -> str:
    """SHA-256 of a file's content."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", mend="check the name") from None


def check_unchanged(
    path: str | PathLike, sha256: str, found: str | None = None
) -> None:
    """Refuse a file of another content than `sha256` says; `found` is its own."""
    if (found or sha256_of(path)) != sha256:
        raise InputError(
            f"{path} is not the file that the dataset was begun with (its SHA-256 "
            "differs): put that one back, or begin a new dataset"
        )
