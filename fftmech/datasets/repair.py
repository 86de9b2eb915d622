"""Make damaged or missing samples of a dataset again."""

from collections.abc import Collection
from os import PathLike
from typing import Any, NamedTuple

from fftmech.datasets.card import read_card
from fftmech.datasets.directory import locked, sample_path
from fftmech.datasets.make import make
from fftmech.datasets.manifest import read_manifest, write_manifest


class Repair(NamedTuple):
    """What came of it.

    Attributes
    ----------
    made
        Samples that were made again.
    changed
        Those of them whose bytes differ from the old ones: another machine, or other
        versions of the libraries, solves to the tolerance but not to the last bit.
    """

    made: int
    changed: int


def repair(
    directory: str | PathLike, indices: Collection[int], **options: Any
) -> Repair:
    """Make samples again, and those that are missing.

    Parameters
    ----------
    indices
        Samples whose files are damaged or gone.
    options
        As for `fftmech.datasets.make`.

    Raises
    ------
    InputError, OSError
        As for `fftmech.datasets.make`.
    """
    with locked(directory):
        records = read_manifest(directory).records
        old = {i: records.pop(i)["sha256"] for i in indices if i in records}
        for index in old:
            sample_path(directory, index).unlink(missing_ok=True)
        write_manifest(directory, records.values())
    outcome = make(directory, read_card(directory), **options)
    now = read_manifest(directory).records
    changed = [
        i
        for i, sha256 in old.items()
        if i in now and now[i].get("sha256") not in (None, sha256)
    ]
    return Repair(outcome.made, len(changed))
