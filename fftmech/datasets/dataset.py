"""Datasets that are read: samples by number or split, and checks of their files."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from fftmech.arrays.threads import processors
from fftmech.datasets.card import Card, read_card
from fftmech.datasets.directory import SAMPLES, sample_path
from fftmech.datasets.manifest import Record, read_manifest
from fftmech.datasets.splits import SPLITS
from fftmech.errors import InputError
from fftmech.io.sample_file import check_fields, read_sample
from fftmech.loads.boundary import Boundary
from fftmech.results.sample import FIELDS, Sample


class Fault(NamedTuple):
    """A sample whose file is "missing", "altered" or "unreadable"."""

    index: int
    what: str


class Dataset(Sequence[Sample]):
    """The samples of a dataset that are done, those of one split or all.

    Samples are read when asked for; nothing is kept open, so that a dataset may go to
    other processes (the workers of a torch DataLoader, for instance).

    Parameters
    ----------
    directory
        Its folder.
    split
        "train", "val" or "test"; all of them if None.
    fields
        Fields to read, of strain, stress, displacement and, in samples of boxes with
        faces, displacement_gradient.
    levels
        Resolutions to read; all of them if None.

    Attributes
    ----------
    card
        Its parameters.
    records
        Lines of the manifest, one a sample, in order: statistics, iterations, ...
    failed
        Lines of the samples that did not converge, and why.
    unreadable
        Number of lines of the manifest that are damaged; their samples are missing.

    Raises
    ------
    InputError
        No dataset there; an unknown split, field or resolution.
    """

    def __init__(
        self,
        directory: str | PathLike,
        split: str | None = None,
        *,
        fields: Sequence[str] = FIELDS,
        levels: Sequence[int] | None = None,
    ) -> None:
        self.directory = Path(directory)
        self.card: Card = read_card(directory)
        self.split, self.fields = split, tuple(fields)
        self.levels = self.card.levels if levels is None else tuple(levels)
        if split not in (None, *SPLITS):
            raise InputError(f"split {split!r}", f"one of {', '.join(SPLITS)}")
        check_fields(self.fields)
        for level in self.levels:
            if level not in self.card.levels:
                raise InputError(
                    f"resolution {level}: {directory} has "
                    f"{', '.join(map(str, self.card.levels))}"
                )
        manifest = read_manifest(directory)
        wanted = [r for r in manifest.records.values() if split in (None, r["split"])]
        self.records: list[Record] = [r for r in wanted if r["status"] == "done"]
        self.failed: list[Record] = [r for r in wanted if r["status"] == "failed"]
        self.unreadable = manifest.unreadable

    def __repr__(self) -> str:
        levels = ", ".join(map(str, self.card.levels))
        return (
            f"<Dataset {self.directory}: {len(self)} {self.card.kind} samples, "
            f"split {self.split or 'all'}, resolutions {levels}>"
        )

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, item: Any) -> Any:
        """Read one sample, or a list of them for a slice."""
        if isinstance(item, slice):
            return [self[i] for i in range(*item.indices(len(self)))]
        record = self.records[item]
        path = sample_path(self.directory, record["index"])
        if not path.exists():
            raise InputError(
                f"{path}: missing",
                mend=f"fftmech dataset verify {self.directory} --repair makes it again",
            )
        sample = read_sample(path, self.fields, self.levels)
        if sample.boundary != self.card.loading.boundary:
            raise InputError(
                f"{path}: boundary {sample.boundary or Boundary()}",
                f"that of the card, {self.card.loading.boundary or Boundary()}",
                f"fftmech dataset verify {self.directory} --repair makes it again",
            )
        return sample

    def verify(self) -> Iterator[Fault | None]:
        """Compare every file with its SHA-256, in order; yield what is wrong, or None.

        Files are read by as many threads as there are processors.
        """
        with ThreadPoolExecutor(processors()) as pool:
            yield from pool.map(self._fault, self.records)

    def unknown(self) -> list[Path]:
        """Files among the samples that the manifest does not list."""
        known = {sample_path(self.directory, r["index"]).name for r in self.records}
        folder = self.directory / SAMPLES
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.name not in known)

    def _fault(self, record: Record) -> Fault | None:
        from hashlib import file_digest

        index = record["index"]
        try:
            with open(sample_path(self.directory, index), "rb") as file:
                found = file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return Fault(index, "missing")
        except OSError:
            return Fault(index, "unreadable")
        return None if found == record["sha256"] else Fault(index, "altered")
