"""What recipes share: several attempts at a body, classes that are balanced."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from numpy.random import PCG64, Generator, SeedSequence

from fftmech.datasets.recipe import body_seed
from fftmech.errors import InputError

ATTEMPTS = 10
"""Draws of one body before its refusal is passed on."""

Made = TypeVar("Made")


def first_sound(make: Callable[[int], Made], seed: int, index: int) -> Made:
    """Make body `index` with the first of its seeds of which it can be made.

    Parameters
    ----------
    make
        Makes it of a seed, or raises InputError.
    seed, index
        Of the dataset, and of the body in it.

    Raises
    ------
    InputError
        The refusal of the last attempt.
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return make(body_seed(seed, index, attempt))
        except InputError:
            continue
    return make(body_seed(seed, index, ATTEMPTS - 1))


def balanced(names: Sequence[str], seed: int, index: int) -> str:
    """Class of body `index`: each block of as many bodies as names has each once.

    Their order within a block is random, for one that is fixed would go in step with
    splits, which are periodic too.
    """
    block, place = divmod(index, len(names))
    random = Generator(PCG64(SeedSequence(seed, spawn_key=(block,))))
    return names[int(random.permutation(len(names))[place])]
