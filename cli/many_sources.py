"""What commands that take many files share: their names, and what is said of them."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from fftmech import InputError
from fftmech.datasets.image_files import files_in
from fftmech.io import FORMATS
from fftmech.io.slices import files, is_stack

SHOWN = 10
"""Different notes that are printed."""


def are_several(sources: Sequence[str]) -> bool:
    """Whether sources are more than one body: several, or a folder of bodies."""
    return len(sources) > 1 or _is_folder_of_bodies(sources[0])


def plan(sources: Sequence[str], folder: str, end: str = "") -> dict[str, Path]:
    """Where in a folder each source's output goes, FOLDER/NAME and an ending.

    A folder of bodies stands for the files in it. InputError for names that clash.
    """
    listed = [
        str(path)
        for source in sources
        for path in (files_in(source) if _is_folder_of_bodies(source) else [source])
    ]
    taken: dict[str, str] = {}
    outputs: dict[str, Path] = {}
    for source in listed:
        output = Path(folder) / f"{name_of(source)}{end}"
        # as on file systems that do not tell cases apart
        other = taken.setdefault(output.name.lower(), source)
        if source in outputs or other != source:
            raise InputError(
                f"{other} and {source} would both become {output}",
                mend="rename one, or choose a folder for each",
            )
        outputs[source] = output
    return outputs


def name_of(source: str) -> str:
    """Name of a source without folder and extension; of a pattern, that of the folder.

    Of "a.1.h5" it is "a.1".
    """
    path = Path(source)
    if path.is_dir():
        return path.resolve().name
    if is_stack(source):
        return path.resolve().parent.name
    ends = [end for end in FORMATS if path.name.lower().endswith(end)]
    return (path.name[: -len(max(ends, key=len))] if ends else path.stem) or path.name


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written to, or made."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give a folder for several results")
    parent = folder if folder.exists() else folder.absolute().parent
    if not parent.is_dir():
        raise InputError(f"{folder}: no folder {parent}", mend="create it first")
    if not os.access(parent, os.W_OK):
        raise InputError(f"{folder} cannot be written to", mend="choose another -o")


def print_counted(notes: Iterable[Sequence[str]], of: str, table: str) -> None:
    """Print the notes of many files, each once with how many have it.

    `of` is what there are many of; `table`, which has all notes, is named where there
    are too many.
    """
    lists = list(notes)
    counts = Counter(note for own in lists for note in own)
    for note, count in counts.most_common(SHOWN):
        click.echo(f"note: {note} ({count} of {len(lists)} {of})", err=True)
    if len(counts) > SHOWN:
        more = f"{len(counts) - SHOWN} more different notes"
        click.echo(f"note: {more}{f' in {table}' if table else ''}", err=True)


def print_failed(source: str, reason: str) -> None:
    """Say in one line on standard error why a file has no result."""
    click.echo(f"Error: {source}: {reason.removeprefix(f'{source}: ')}", err=True)


def reason_of(error: Exception) -> str:
    """Why a file has no result, in one line."""
    if isinstance(error, InputError):
        text = str(error)
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    elif isinstance(error, MemoryError):
        text = "out of memory; use a smaller --res"
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _is_folder_of_bodies(source: str) -> bool:
    """Whether a source is a folder, and not one of slices, which are one body."""
    if not Path(source).is_dir():
        return False
    try:
        files(source)
    except InputError:
        return True
    return False
