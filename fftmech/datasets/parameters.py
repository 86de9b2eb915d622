"""Parameters of recipes as JSON gives them back: lists of numbers."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from fftmech.errors import InputError


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

    Raises
    ------
    InputError
        Anything but as many finite numbers as expected.
    """
    try:
        given = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        given = ()
    if len(given) != len(expected) or not all(map(isfinite, given)):
        raise InputError(
            f"{name} {value!r}: expected finite numbers {', '.join(expected)}"
        )
    return given


def interval(name: str, value: Any) -> tuple[float, float]:
    """Return the ends of a range of positive numbers.

    Raises
    ------
    InputError
        Anything but 0 < low <= high.
    """
    low, high = numbers(name, value, ("low", "high"))
    if not 0 < low <= high:
        raise InputError(f"{name} {low:g} to {high:g}: expected 0 < low <= high")
    return low, high
