"""The card of a dataset (dataset.json): all parameters that its samples depend on."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from fftmech.datasets.loading import Loading
from fftmech.datasets.splits import SPLITS, check_parts, split_of
from fftmech.errors import InputError
from fftmech.io.format_version import check_format_version

NAME = "dataset.json"
FORMAT_VERSION = 2
"""Of cards that this program reads; those of periodic boxes are written as version 1,
which has no boundary."""

METHOD = ("scheme", "solver", "tolerance", "max_iterations", "precision")
"""Options of `fftmech.solve` that every sample is solved with."""

PLACES = ("parameters.folder",)
"""Entries that are paths: what lies there may be moved."""

NOTES = ("units", "licence", "citation", "versions", "notes")
"""Entries that are for readers: they may be edited by hand."""


@dataclass(frozen=True)
class Card:
    """Parameters of a dataset.

    Parameters
    ----------
    kind, parameters
        The recipe and its parameters (`fftmech.datasets.RECIPES`), JSON-ready.
    count
        Number of samples, those of other splits and shards included.
    seed
        Seed; sample i depends on the seed, on i and on this card alone.
    levels
        Resolutions (voxels of an edge), the highest first. Bodies are made at the
        highest and resampled by majority; the lowest is solved in every sample, the
        others in those for the test.
    method
        Options of `fftmech.solve`: `METHOD`.
    parts
        Samples for training, validation and test, in parts.
    split
        The one split that this dataset has, or None: all.
    shard
        (i, n): only samples with index = i - 1 modulo n, or None: all.
    notes
        One line on each thing that was not checked of the samples.
    """

    kind: str
    parameters: Mapping[str, Any]
    count: int
    seed: int
    levels: tuple[int, ...]
    loading: Loading
    method: Mapping[str, Any]
    parts: tuple[int, int, int]
    split: str | None = None
    shard: tuple[int, int] | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    citation: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"count {self.count}", "at least 1 sample")
        if self.seed < 0:
            raise InputError(f"seed {self.seed}", "at least 0")
        high = self.levels[0]
        for low in self.levels[1:]:
            if not 1 <= low < high or high % low:
                raise InputError(
                    f"low resolution {low}", f"a divisor of the high one, {high}"
                )
        if list(self.levels) != sorted(set(self.levels), reverse=True):
            raise InputError(
                f"resolutions {', '.join(map(str, self.levels))}",
                "each once, from high to low",
            )
        check_parts(self.parts)
        if self.split is not None and self.split not in SPLITS:
            raise InputError(f"split {self.split!r}", f"one of {', '.join(SPLITS)}")
        if self.shard is not None:
            i, n = self.shard
            if not 1 <= i <= n:
                raise InputError(f"shard {i}/{n}", "I/N with 1 <= I <= N")

    def split_of(self, index: int) -> str:
        """Split of a sample."""
        return split_of(index, self.parts)

    def indices(self) -> Iterator[int]:
        """Indices of the samples that this dataset is to have, ascending."""
        i, n = self.shard or (1, 1)
        for index in range(i - 1, self.count, n):
            if self.split in (None, self.split_of(index)):
                yield index

    def solved_levels(self, index: int) -> tuple[int, ...]:
        """Resolutions at which a sample is solved."""
        return self.levels if self.split_of(index) == "test" else self.levels[-1:]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON for `from_dict`."""
        return {
            "format_version": 1 if self.loading.boundary is None else FORMAT_VERSION,
            "kind": self.kind,
            "parameters": dict(self.parameters),
            "count": self.count,
            "seed": self.seed,
            "levels": list(self.levels),
            "loads": self.loading.as_dict(),
            "method": dict(self.method),
            "splits": dict(zip(SPLITS, self.parts, strict=True)),
            "split": self.split,
            "shard": None if self.shard is None else list(self.shard),
            "units": dict(self.units),
            "licence": self.licence,
            "citation": self.citation,
            "versions": dict(self.versions),
            **({"notes": list(self.notes)} if self.notes else {}),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Card":
        """Make a card from what `as_dict` returned."""
        shard, splits = document["shard"], document["splits"]
        return cls(
            kind=document["kind"],
            parameters=dict(document["parameters"]),
            count=int(document["count"]),
            seed=int(document["seed"]),
            levels=tuple(map(int, document["levels"])),
            loading=Loading.from_dict(document["loads"]),
            method={name: document["method"][name] for name in METHOD},
            parts=check_parts([splits[name] for name in SPLITS]),
            split=document["split"],
            shard=None if shard is None else (int(shard[0]), int(shard[1])),
            units=dict(document["units"]),
            licence=document["licence"],
            citation=document["citation"],
            versions=dict(document["versions"]),
            notes=tuple(map(str, document.get("notes", ()))),
        )

    def differences(self, other: "Card") -> list[str]:
        """Names and both values of entries that change samples.

        A larger count only adds samples, and `PLACES` and `NOTES` change none.
        """
        # as JSON, in which tuples are lists
        mine, theirs = (
            _flat(json.loads(json.dumps(card.as_dict()))) for card in (self, other)
        )
        return [
            f"{name}: {_short(mine.get(name))} there, {_short(theirs.get(name))} asked"
            for name in {**mine, **theirs}
            if name.split(".")[0] not in ("count", "format_version", *NOTES)
            and name not in PLACES
            and mine.get(name) != theirs.get(name)
        ]


def read_card(directory: str | PathLike) -> Card:
    """Read the card of a dataset, if it is sound and no newer than this program."""
    path = Path(directory) / NAME
    if not Path(directory).is_dir():
        raise InputError(f"{directory}: no such folder", f"one with {NAME}")
    if not path.exists():
        raise InputError(f"{directory}: no dataset (no {NAME})", mend="check the name")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        writer = dict(document.get("versions", {})).get("fftmech")
        version = document["format_version"]
        check_format_version("", version, FORMAT_VERSION, writer)
        if document.pop("sha256") != _digest(document):
            raise InputError(
                "an entry was changed or damaged (sha256 does not fit)",
                mend=f"restore the file. Only {', '.join(NOTES)} may be edited",
            )
        return Card.from_dict(document)
    except InputError as error:
        raise error.within(path) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(
            f"{path}: damaged card ({type(error).__name__}: {error})",
            mend="restore the file",
        ) from error


def card_text(card: Card) -> str:
    """The text of dataset.json; its sha256 is of all entries but `NOTES`."""
    document = card.as_dict()
    document["sha256"] = _digest(document)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _digest(document: Mapping[str, Any]) -> str:
    from hashlib import sha256

    fixed = {name: value for name, value in document.items() if name not in NOTES}
    return sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()


def _flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Entries of nested objects by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _short(value: Any) -> str:
    """A value as text; of a long one its begin."""
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
