"""Options whose values are several numbers."""

from math import isfinite
from typing import Any

import click


class Numbers(click.ParamType):
    """Numbers separated by commas, as many as one of the metavar's forms asks for."""

    def __init__(self, metavar: str) -> None:
        self.name = metavar
        self.counts = [len(form.split(",")) for form in metavar.split("|")]

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[float, ...]:
        """Parse "A,B,C"."""
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in self.counts or not all(map(isfinite, numbers)):
            self.fail(f"{value!r}: expected finite numbers {self.name}", param, ctx)
        return numbers


class Whole(click.ParamType):
    """Whole numbers with separators, for instance "64,32" or "1/4"."""

    def __init__(self, metavar: str, counts: tuple[int, ...], separator: str) -> None:
        self.name = metavar
        self.counts, self.separator = counts, separator

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, ...]:
        """Parse them."""
        try:
            numbers = tuple(int(part) for part in str(value).split(self.separator))
        except ValueError:
            numbers = ()
        if not numbers or (self.counts and len(numbers) not in self.counts):
            self.fail(f"{value!r}: expected {self.name}", param, ctx)
        return numbers
