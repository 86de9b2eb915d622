"""Options whose values are several numbers."""

from math import isfinite
from typing import Any

import click


class Numbers(click.ParamType):
    """Finite numbers, as many as one of the forms of the metavar shows.

    "A,B,C" are three, "N|NX,NY,NZ" one or three, "N[,N...]" any number; numbers are
    separated by commas, or by slashes if the metavar has one.
    """

    def __init__(self, metavar: str, kind: type[int] | type[float] = float) -> None:
        self.name, self.kind = metavar, kind
        self.separator = "/" if "/" in metavar else ","
        self.counts = [len(form.split(self.separator)) for form in metavar.split("|")]

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Parse "A,B,C"."""
        try:
            numbers = tuple(map(self.kind, str(value).split(self.separator)))
        except ValueError:
            numbers = ()
        fits = "..." in self.name or len(numbers) in self.counts
        if not (numbers and fits and all(map(isfinite, numbers))):
            what = "whole" if self.kind is int else "finite"
            self.fail(f"{value!r}: expected {what} numbers {self.name}", param, ctx)
        return numbers
