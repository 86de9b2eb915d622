"""Cost of computations: applications of the Green operator, and seconds."""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple, TypeVar

import numpy as np
from torch import Tensor

from ecosurrogate.mechanics.operators import Operators
from fftmech.arrays import crowding

ROUNDS = 3, 9
"""Least and largest number of rounds."""

ENOUGH = 20.0
"""Seconds after which there are no rounds beyond the least number."""

TOO_LONG = 120.0
"""Seconds of one round after which there is no other."""

TURN = 0.1
"""Seconds that a task has in each round, to be repeated if it is short."""

SPREAD = 0.05, 0.95
"""Quantiles between which nine of ten repeats are."""

Key = TypeVar("Key", bound=Hashable)


@dataclass
class Count:
    """Applications of the Green operator so far, each to a whole batch."""

    green: int = 0


@contextmanager
def counted_green() -> Iterator[Count]:
    """Count the applications of the Green operator of what runs inside.

        with counted_green() as count:
            model(bodies)
        print(count.green)

    A projection on equilibrated stresses applies it twice, the second time to remove
    rounding. All threads are counted.
    """
    count, green = Count(), Operators.green

    def counted(self: Operators, force: Tensor) -> Tensor:
        count.green += 1
        return green(self, force)

    Operators.green = counted
    try:
        yield count
    finally:
        Operators.green = green


class Time(NamedTuple):
    """Seconds of a task over its repeats.

    Attributes
    ----------
    wall, processor
        Medians of the time that passed, and of what all threads together worked.
    low, high
        Quantiles `SPREAD` of the time that passed.
    """

    wall: float
    processor: float
    low: float
    high: float


class Times(NamedTuple):
    """Times of tasks by their keys, the number of rounds, and the machine's crowding.

    `crowding` is the median over the rounds (`fftmech.arrays.crowding`).
    """

    tasks: dict[Any, Time]
    rounds: int
    crowding: float


def measure(
    tasks: Mapping[Key, Callable[[], float]],
    threads: int = 1,
    report: Callable[[int], None] = lambda number: None,
) -> Times:
    """Time tasks that take turns, so that other work slows all of them alike.

    Each task works, not for the first time, and returns its seconds; short ones are
    done several times in each round. Processor time has the share of these seconds that
    it has of the whole call. `report` is called with the number of each round.
    """
    least, most = ROUNDS
    found: dict[Key, list[tuple[float, float]]] = {key: [] for key in tasks}
    crowded: list[float] = []
    started, rounds = time.perf_counter(), 0
    while rounds < most:
        report(rounds + 1)
        for key, task in tasks.items():
            found[key] += _turn(task)
        crowded.append(crowding.crowding(threads))
        rounds += 1
        spent = time.perf_counter() - started
        if spent > TOO_LONG or (rounds >= least and spent > ENOUGH):
            break
    times = {key: _time(repeats) for key, repeats in found.items()}
    return Times(times, rounds, median(crowded))


def _turn(task: Callable[[], float]) -> Iterator[tuple[float, float]]:
    """Seconds of each repeat: that passed, and that all threads worked."""
    started = time.perf_counter()
    while True:
        called, worked = time.perf_counter(), time.process_time()
        seconds = task()
        worked, ended = time.process_time() - worked, time.perf_counter()
        yield seconds, seconds * worked / max(ended - called, 1e-9)
        if ended - started >= TURN:
            return


def _time(repeats: list[tuple[float, float]]) -> Time:
    wall, processor = np.array(repeats).T
    low, high = np.quantile(wall, SPREAD)
    middle = float(np.median(wall)), float(np.median(processor))
    return Time(*middle, float(low), float(high))
