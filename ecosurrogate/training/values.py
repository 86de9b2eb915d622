"""Checks of the values of settings."""

from collections.abc import Mapping
from typing import Any

from fftmech.errors import InputError

MOST_ENTRIES = 32
"""Of a list."""

MOST = 4096
"""Largest size of a network."""


def one_of(name: str, value: Any, choices: Any) -> None:
    """Refuse a value that is not among the choices (InputError)."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{name} {value!r}", f"one of {', '.join(choices)}")


def is_a(kind: Any, value: Any) -> bool:
    """Whether a value is of a kind; true and false are no numbers."""
    return isinstance(value, kind) and not isinstance(value, bool)


def number(value: Any) -> float:
    """A finite number; NaN, which fails every comparison, of anything else."""
    # a whole number may be too large for a float
    sound = is_a(int | float, value) and abs(value) < 1e300
    return float(value) if sound else float("nan")


def check_sizes(name: str, table: Mapping[str, Any]) -> None:
    """Refuse sizes of a network that would fill the memory."""
    for key, value in table.items():
        entries = value if isinstance(value, list | tuple) else [value]
        large = [n for n in entries if is_a(int | float, n) and not abs(n) <= MOST]
        if large or len(entries) > MOST_ENTRIES:
            raise InputError(
                f"{name}.{key} {str(value)[:60]}",
                f"numbers up to {MOST}, at most {MOST_ENTRIES} of them",
            )
