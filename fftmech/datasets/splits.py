"""Splits: samples for training, validation and test."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

from fftmech.errors import InputError

SPLITS = ("train", "val", "test")


def split_of(index: int, parts: Sequence[int]) -> str:
    """Split of a sample, which depends on its index and the parts alone.

    Sample by sample, the split that is farthest behind its share comes next, so that
    any first samples are shared out as the parts say to within one sample, and more
    samples change nothing for those that are there.
    """
    period = _period(tuple(parts))
    return SPLITS[period[index % len(period)]]


@lru_cache
def _period(parts: tuple[int, ...]) -> tuple[int, ...]:
    """Splits of the first sum(parts) samples; after them all are even again."""
    total = sum(parts)
    given = [0] * len(parts)
    order = []
    for i in range(total):
        behind = [
            part * (i + 1) - total * n for part, n in zip(parts, given, strict=True)
        ]
        k = behind.index(max(behind))
        given[k] += 1
        order.append(k)
    return tuple(order)


def check_parts(parts: Sequence[int]) -> tuple[int, int, int]:
    """Return three whole numbers that share out the samples."""
    sound = len(parts) == len(SPLITS) and all(n == int(n) and n >= 0 for n in parts)
    if not sound or not 0 < sum(parts) <= 10**6:
        raise InputError(
            f"splits {','.join(map(str, parts))}",
            "parts for training, validation and test, whole numbers such as 80,10,10",
        )
    train, val, test = map(int, parts)
    return train, val, test


def default_seed(parts: Sequence[int], usual: Sequence[int]) -> int:
    """Seed of a dataset that is given none: 0 with the usual parts of its recipe.

    Other parts have a seed of their own, which follows from them alone: two datasets
    that are split differently share no body unless a seed is given.
    """
    if tuple(parts) == tuple(usual):
        return 0
    return int(sha256(repr([*map(int, parts)]).encode()).hexdigest()[:8], 16)
