"""The folder of a dataset: names of its files, its lock, checks before writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path

from fftmech.datasets import card as cards
from fftmech.datasets import manifest
from fftmech.datasets.card import Card, card_text, read_card
from fftmech.datasets.manifest import Manifest, read_manifest, write_manifest
from fftmech.errors import InputError
from fftmech.io.atomic import whole_file

SAMPLES = "samples"
LOCK = ".lock"

LEFTOVERS = (".dataset-????????.json", ".manifest-????????.jsonl")
LEFTOVER_SAMPLES = ".*-????????.h5"
"""Names that `whole_file` gives to what it has not finished."""


def sample_path(directory: str | PathLike, index: int) -> Path:
    """File of a sample."""
    return Path(directory) / SAMPLES / f"{index:05d}.h5"


@contextmanager
def locked(directory: str | PathLike) -> Iterator[None]:
    """Lock the folder against other processes; the lock ends with the process."""
    from filelock import FileLock, Timeout

    lock = FileLock(Path(directory) / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"{directory}: another process is at work on this dataset",
            mend=(
                "wait for it, or share the work with --shard and fftmech dataset merge"
            ),
        ) from error
    try:
        yield
    finally:
        lock.release()


def check_new(directory: str | PathLike) -> None:
    """Refuse a folder for a new dataset that holds anything, or cannot be made.

    Hidden files do not count: a start that was interrupted leaves them.
    """
    path = Path(directory)
    if path.is_dir():
        if exists(path):
            raise InputError(
                f"{path} holds a dataset already", mend="choose another -o"
            )
        if any(not item.name.startswith(".") for item in path.iterdir()):
            raise InputError(
                f"{path}: the folder is not empty and holds no dataset (no "
                f"{cards.NAME})",
                mend="choose another -o",
            )
    elif path.exists():
        raise InputError(f"{path} is a file: give the name of a folder")
    elif not path.absolute().parent.is_dir():
        raise InputError(
            f"{path}: no folder {path.absolute().parent}", mend="create it first"
        )


def exists(directory: str | PathLike) -> bool:
    """Whether there is a dataset in this folder."""
    return (Path(directory) / cards.NAME).exists()


def check_same(directory: str | PathLike, card: Card) -> Card:
    """Return the card of an existing dataset if it makes the same samples as `card`.

    Places are those of `card`: images may have been moved.
    """
    there = read_card(directory)
    differences = there.differences(card)
    if differences:
        raise InputError(
            f"{directory} was made with other parameters ({'; '.join(differences)})",
            mend="choose another -o, or give the same",
        )
    if there.count != card.count:
        advice = (
            f"fftmech dataset extend {directory} --count {card.count}"
            if card.count > there.count
            else "a dataset does not shrink; choose another -o"
        )
        raise InputError(
            f"{directory} was made with another count ({there.count} there, "
            f"{card.count} asked)",
            mend=advice,
        )
    return replace(there, parameters=card.parameters)


def begin(directory: str | PathLike, card: Card) -> Manifest:
    """Prepare the folder for more samples, under its lock; return its manifest.

    Leftovers of an interrupted run are removed, and a manifest with a damaged line is
    rewritten.
    """
    path = Path(directory)
    # first: a folder without it is not taken for a dataset
    if not exists(path):
        write_card(path, card)
    (path / SAMPLES).mkdir(exist_ok=True)
    for pattern in (*LEFTOVERS, f"{SAMPLES}/{LEFTOVER_SAMPLES}"):
        for leftover in path.glob(pattern):
            leftover.unlink(missing_ok=True)
    found = read_manifest(path)
    text = (
        (path / manifest.NAME).read_bytes() if (path / manifest.NAME).exists() else b""
    )
    if found.unreadable or not text.endswith(b"\n"):
        write_manifest(path, found.records.values())
    return read_manifest(path)


def write_card(directory: str | PathLike, card: Card) -> None:
    """Write dataset.json; it appears whole or not at all."""
    with whole_file(Path(directory) / cards.NAME) as path:
        path.write_text(card_text(card), encoding="utf-8")
