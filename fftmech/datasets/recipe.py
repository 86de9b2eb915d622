"""Recipes: how the random bodies of a kind of dataset are generated."""

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result

UNITS = {"stress": "GPa", "length": "box edge"}
"""Units of every body."""


class GeneratedBody(NamedTuple):
    """A microstructure at the high resolution, with stiffness, in `UNITS`.

    Statistics are numbers and names that describe it, JSON-ready.
    """

    body: Microstructure
    statistics: dict[str, Any]


class Recipe(Protocol):
    """A kind of body; a frozen dataclass whose fields are JSON-ready parameters.

    `kind` is its name on the command line and in the card, `load` the default load,
    `parts` are the samples for training, validation and test, in parts; a body that
    cannot be made is left out if it `may_fail`, and ends the run otherwise. Bodies are
    `solved`, for which they need a stiffness, or come with fields that were checked;
    `nonlinear` are those that obey a law.
    """

    kind: ClassVar[str]
    load: ClassVar[Load]
    parts: ClassVar[tuple[int, int, int]] = (80, 10, 10)
    may_fail: ClassVar[bool] = True
    solved: ClassVar[bool] = True

    @property
    def nonlinear(self) -> bool:
        """Whether bodies obey a law that is not linear elastic."""
        return False

    def draw(self, seed: int, index: int, res: int) -> GeneratedBody:
        """Make body `index` of the dataset with this seed, `res` voxels an edge.

        It depends on the arguments and the parameters alone; where no body can be made
        of them, it is an InputError.
        """
        ...

    def available(self) -> int | None:
        """Number of different bodies that there are, None if endless."""
        return None

    def given(self, index: int) -> dict[str, Result] | None:
        """Fields that came with body `index`, by name of the load; None: it is solved.

        Such a recipe has bodies of one resolution.
        """
        return None

    def divided(self, parts: Sequence[int]) -> Self:
        """The recipe of a new dataset, in which bodies of splits are kept apart.

        `parts` are the samples for training, validation and test, in parts.
        """
        return self

    def within(self, periodic: tuple[bool, bool, bool]) -> Self:
        """The recipe of bodies for a box that is periodic along some axes only."""
        return self

    def of_split(self, split: str) -> Self:
        """The recipe of the samples of one split of such a dataset."""
        return self


def body_seed(seed: int, index: int, attempt: int = 0) -> int:
    """Seed of one body, a number below 2^64 that depends on the arguments alone."""
    sequence = SeedSequence(seed, spawn_key=(index, attempt))
    return int(sequence.generate_state(1, np.uint64)[0])


def numbers(name: str, value: Any, expected: Sequence[str]) -> tuple[float, ...]:
    """Return as many finite numbers as `expected` has names, as a tuple.

    `name` is the parameter, for the message of the InputError.
    """
    try:
        given = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        given = ()
    if len(given) != len(expected) or not all(map(isfinite, given)):
        raise InputError(f"{name} {value!r}", f"finite numbers {', '.join(expected)}")
    return given


ATTEMPTS = 10
"""Seeds that are tried for one body."""

Made = TypeVar("Made")


def first_sound(make: Callable[[int], Made], seed: int, index: int) -> Made:
    """Make body `index` with the first of `ATTEMPTS` seeds that gives one.

    `make` takes a seed; the InputError of the last attempt is passed on.
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return make(body_seed(seed, index, attempt))
        except InputError:
            continue
    return make(body_seed(seed, index, ATTEMPTS - 1))


def interval(name: str, value: Any, below: float = inf) -> tuple[float, float]:
    """Return the ends of a range of positive numbers."""
    low, high = numbers(name, value, ("low", "high"))
    if not 0 < low <= high < below:
        bound = f" < {below:g}" if below < inf else ""
        raise InputError(f"{name} {low:g} to {high:g}", f"0 < low <= high{bound}")
    return low, high


def balanced(names: Sequence[str], seed: int, index: int) -> str:
    """Class of body `index`; each block of len(names) bodies has every class once.

    The order within a block is random: a fixed one could coincide with the period of
    the splits.
    """
    block, place = divmod(index, len(names))
    random = Generator(PCG64(SeedSequence(seed, spawn_key=(block,))))
    return names[int(random.permutation(len(names))[place])]
