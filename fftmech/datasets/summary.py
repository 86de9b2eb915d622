"""Summary of a dataset: counts and statistics, JSON-ready."""

from collections import Counter
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from fftmech.datasets import overlap
from fftmech.datasets.card import read_card
from fftmech.datasets.manifest import read_manifest
from fftmech.datasets.splits import SPLITS


def summarize(directory: str | PathLike) -> dict[str, Any]:
    """Return the card and the counts of a dataset, JSON-ready.

    Returns
    -------
    dict
        "card"; "wanted", "done", "failed" and "missing", each a number by split;
        "bytes"; "iterations", by resolution (min, mean, max); "statistics", by name
        (min, mean, max of numbers; how many of each name); "overlap": by split, what
        samples share with those for training (`fftmech.datasets.overlap.summary`);
        "failures": how many by reason.
    """
    card = read_card(directory)
    records = read_manifest(directory).records
    wanted = list(card.indices())
    there = [records[i] for i in wanted if i in records]
    done = [r for r in there if r["status"] == "done"]
    failed = [r for r in there if r["status"] == "failed"]
    counts = {
        "wanted": Counter(card.split_of(i) for i in wanted),
        "done": Counter(r["split"] for r in done),
        "failed": Counter(r["split"] for r in failed),
    }
    counts["missing"] = counts["wanted"] - counts["done"] - counts["failed"]
    return {
        "card": card.as_dict(),
        **{name: {split: c[split] for split in SPLITS} for name, c in counts.items()},
        "bytes": sum(r["bytes"] for r in done),
        "iterations": _spread([r["iterations"] for r in done]),
        "statistics": _spread([r["statistics"] for r in done]),
        "overlap": overlap.summary(done),
        "failures": dict(Counter(r["reason"] for r in failed).most_common()),
    }


def _spread(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By name: min, mean and max of numbers, how many there are of each text."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: _describe([row[name] for row in rows if name in row]) for name in names
    }


def _describe(values: Sequence[Any]) -> dict[str, Any]:
    if isinstance(values[0], str):
        return dict(sorted(Counter(values).items()))
    numbers = np.asarray(values, dtype=float)
    return {
        "min": float(numbers.min()),
        "mean": float(numbers.mean()),
        "max": float(numbers.max()),
    }
