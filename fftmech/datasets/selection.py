"""Which samples a picture of a dataset shows, and by which names it sorts them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fftmech.datasets.dataset import Dataset
from fftmech.errors import InputError

MOST_CLASSES = 8
"""Names that a statistic may have to sort samples by it."""


def check_samples(dataset: Dataset) -> None:
    """Refuse a dataset without samples."""
    if not len(dataset):
        split = f" of split {dataset.split}" if dataset.split else ""
        raise InputError(
            f"{dataset.directory}: no sample{split} is done yet", mend="nothing to draw"
        )


def spaced(total: int, count: int) -> list[int]:
    """Return at most `count` numbers below `total`, evenly spaced."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).astype(int)).tolist()


def class_statistic(records: Sequence[Mapping[str, Any]]) -> str | None:
    """Name of the first statistic that is a text with few values, if there is one."""
    for name in dict.fromkeys(n for r in records for n in r["statistics"]):
        found = [r["statistics"].get(name) for r in records]
        texts = {value for value in found if isinstance(value, str)}
        if 0 < len(texts) <= min(MOST_CLASSES, len(records) - 1):
            return name
    return None


def class_of(record: Mapping[str, Any], statistic: str | None) -> str:
    """Class of a sample; "" without a statistic."""
    return str(record["statistics"].get(statistic, "other")) if statistic else ""
