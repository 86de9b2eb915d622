"""What a kind of dataset is made of: one random body after the other."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure

UNITS = {"stress": "GPa", "length": "box edge"}
"""What the numbers of every body mean."""


class Draw(NamedTuple):
    """One body of a dataset.

    Attributes
    ----------
    body
        Microstructure at the high resolution, with stiffness, in `UNITS`.
    statistics
        What is known of it, JSON-ready: numbers and names.
    """

    body: Microstructure
    statistics: dict[str, Any]


class Recipe(Protocol):
    """A kind of body; a frozen dataclass whose fields are JSON-ready parameters.

    Attributes
    ----------
    kind
        Name on the command line and in the card.
    load
        What is prescribed unless the user says otherwise.
    parts
        Samples for training, validation and test, in parts (80, 10, 10).
    """

    kind: ClassVar[str]
    load: ClassVar[Load]
    parts: ClassVar[tuple[int, int, int]]

    def draw(self, seed: int, index: int, res: int) -> Draw:
        """Make body `index` of the dataset with this seed, `res` voxels an edge.

        It depends on the arguments and the parameters alone.

        Raises
        ------
        InputError
            Parameters of which no body can be made at this resolution.
        """
        ...

    def available(self) -> int | None:
        """Number of different bodies that there are, None if endless."""
        ...


def body_seed(seed: int, index: int, attempt: int = 0) -> int:
    """Seed of one body, a number below 2^64 that depends on the arguments alone."""
    sequence = SeedSequence(seed, spawn_key=(index, attempt))
    return int(sequence.generate_state(1, np.uint64)[0])


def numbers(name: str, value: Any, expected: Sequence[str]) -> tuple[float, ...]:
    """Return finite numbers as a tuple.

    Parameters
    ----------
    name
        Parameter, for the message.
    value
        A list or tuple.
    expected
        What each of its numbers is.
    """
    try:
        given = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        given = ()
    if len(given) != len(expected) or not all(map(isfinite, given)):
        raise InputError(f"{name} {value!r}", f"finite numbers {', '.join(expected)}")
    return given


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
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return make(body_seed(seed, index, attempt))
        except InputError:
            continue
    return make(body_seed(seed, index, ATTEMPTS - 1))


def interval(name: str, value: Any) -> tuple[float, float]:
    """Return the ends of a range of positive numbers."""
    low, high = numbers(name, value, ("low", "high"))
    if not 0 < low <= high:
        raise InputError(f"{name} {low:g} to {high:g}", "0 < low <= high")
    return low, high


def balanced(names: Sequence[str], seed: int, index: int) -> str:
    """Class of body `index`: each block of as many bodies as names has each once.

    Their order within a block is random, for one that is fixed would go in step with
    splits, which are periodic too.
    """
    block, place = divmod(index, len(names))
    random = Generator(PCG64(SeedSequence(seed, spawn_key=(block,))))
    return names[int(random.permutation(len(names))[place])]
