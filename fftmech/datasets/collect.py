"""Datasets made of others: the shards of one put together, one split taken out.

Sample files are never changed in place, so they are linked where the file system
allows it, and copied elsewhere.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path

from fftmech.datasets.card import Card, read_card
from fftmech.datasets.directory import SAMPLES, check_new, sample_path, write_card
from fftmech.datasets.manifest import Record, read_manifest, write_manifest
from fftmech.datasets.overlap import with_overlaps
from fftmech.errors import InputError
from fftmech.io.atomic import temporary_name


def merge(sources: Sequence[str | PathLike], target: str | PathLike) -> int:
    """Put the shards of one dataset together; return how many samples are missing.

    The sources may differ in their shards only; a sample that is in several must be
    the same in all. The target is a new folder, which appears whole or not at all.
    """
    if not sources:
        raise InputError("nothing to merge: name the folders of the shards")
    cards = [read_card(source) for source in sources]
    first = replace(cards[0], shard=None)
    found: dict[int, tuple[str | PathLike, Record]] = {}
    for source, card in zip(sources, cards, strict=True):
        differences = first.differences(replace(card, shard=None))
        if card.count != first.count:
            differences.append(f"count: {first.count} there, {card.count} asked")
        if differences:
            text = "; ".join(differences).replace(" asked", " here")
            raise InputError(
                f"{source} was made with other parameters than {sources[0]} ({text})",
                mend="only shards of one dataset merge",
            )
        for index, record in read_manifest(source).records.items():
            if index not in found or found[index][1]["status"] == "failed":
                found[index] = source, record
            elif (
                record["status"] == "done"
                and record["sha256"] != found[index][1]["sha256"]
            ):
                raise InputError(
                    f"sample {index} of {source} differs from that of "
                    f"{found[index][0]}",
                    mend="leave one of them out",
                )
    with _new(target, first) as folder:
        for index, (source, record) in found.items():
            _take(source, folder, index, record)
        whole = with_overlaps(first, [record for _, record in found.values()])
        write_manifest(folder, whole)
    return sum(index not in found for index in first.indices())


def subset(source: str | PathLike, split: str, target: str | PathLike) -> int:
    """Make a dataset of one split of another; return how many samples it has."""
    card = read_card(source)
    if card.split not in (None, split):
        raise InputError(f"{source} has the split {card.split!r} only")
    records = [r for r in read_manifest(source).records.values() if r["split"] == split]
    part = replace(card, split=split)
    if not any(record["status"] == "done" for record in records):
        raise InputError(f"{source} has no samples of the split {split!r}")
    with _new(target, part) as folder:
        for record in records:
            _take(source, folder, record["index"], record)
        write_manifest(folder, records)
    return len(records)


@contextmanager
def _new(target: str | PathLike, card: Card) -> Iterator[Path]:
    """Give a folder that becomes `target` if the block succeeds."""
    check_new(target)
    target = Path(target).absolute()
    if target.is_dir() and any(target.iterdir()):
        raise InputError(f"{target}: the folder is not empty", mend="choose another -o")
    folder = temporary_name(target)
    try:
        folder.mkdir()
        (folder / SAMPLES).mkdir()
        write_card(folder, card)
        yield folder
        if target.exists():
            target.rmdir()
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _take(source: str | PathLike, folder: Path, index: int, record: Record) -> None:
    """Link or copy the file of a sample."""
    if record["status"] != "done":
        return
    there, here = sample_path(source, index), sample_path(folder, index)
    try:
        os.link(there, here)
    except FileNotFoundError as error:
        raise InputError(
            f"{there}: missing",
            mend=f"fftmech dataset verify {source} --repair makes it again",
        ) from error
    except OSError:
        shutil.copyfile(there, here)
