"""Cost of computations: applications of the Green operator, and seconds."""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from torch import Tensor

from ecosurrogate.mechanics.operators import Operators

ROUNDS = 3, 9
"""Least and largest number of rounds."""

ENOUGH = 20.0
"""Seconds after which there are no rounds beyond the least number."""

TOO_LONG = 120.0
"""Seconds of one round after which there is no other."""

TURN = 0.1
"""Seconds that a task has in each round, to be repeated if it is short."""

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


def medians(
    tasks: Mapping[Key, Callable[[], float]],
    report: Callable[[int], None] = lambda number: None,
) -> tuple[dict[Key, float], int]:
    """Medians of the seconds of tasks that take turns, and the number of rounds.

    Other work of the machine then slows all of them alike. Each task works, not for the
    first time, and returns its seconds; short ones are done several times in each
    round. `report` is called with the number of each round.
    """
    least, most = ROUNDS
    found: dict[Key, list[float]] = {key: [] for key in tasks}
    started, rounds = time.perf_counter(), 0
    while rounds < most:
        report(rounds + 1)
        for key, task in tasks.items():
            found[key] += _turn(task)
        rounds += 1
        spent = time.perf_counter() - started
        if spent > TOO_LONG or (rounds >= least and spent > ENOUGH):
            break
    return {key: median(seconds) for key, seconds in found.items()}, rounds


def _turn(task: Callable[[], float]) -> Iterator[float]:
    started = time.perf_counter()
    yield task()
    while time.perf_counter() - started < TURN:
        yield task()
