"""Progress: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import numpy as np

from fftmech import Grid, March
from fftmech.arrays.progress import ProgressReport
from fftmech.simulations.method import default_tolerance

PAUSE = 10.0
"""Least time between two lines, seconds."""


@contextmanager
def progress_bar(title: str, counted: bool = False) -> Iterator[ProgressReport]:
    """Show a bar and a text; of what is `counted` also the numbers and the time left.

    Where there is no terminal, a line on standard error says the same every `PAUSE`.
    """
    if not sys.stderr.isatty():
        yield _lines(title, counted)
        return
    from rich import progress
    from rich.console import Console

    text = progress.TextColumn("{task.description}")
    columns = (text, progress.TimeElapsedColumn())
    if counted:
        columns = (progress.MofNCompleteColumn(), text, progress.TimeRemainingColumn())
    with progress.Progress(
        *(progress.TextColumn(title), progress.BarColumn(), *columns),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        begun = False

        def report(done: float, total: float | None, text: str) -> None:
            nonlocal begun
            if not begun:
                # what an earlier run did says nothing of this one's speed
                bar.reset(task, total=total, completed=int(done))
                begun = True
            bar.update(task, completed=done, total=total, description=text)

        yield report


def _lines(title: str, counted: bool) -> ProgressReport:
    """Print a line every `PAUSE`, with the time left of what is counted."""
    last = started = time.monotonic()
    first: float | None = None

    def report(done: float, total: float | None, text: str) -> None:
        nonlocal last, first
        # what an earlier run did says nothing of this one's speed
        first = done if first is None else first
        now = time.monotonic()
        if now - last < PAUSE:
            return
        last, parts = now, [text]
        if counted and total:
            left = (total - done) * (now - started) / (done - first or np.inf)
            parts = [f"{done:g} of {total:g}", text]
            parts += [f"about {left:.0f} s left"] if left else []
        click.echo(f"{title}: {', '.join(filter(None, parts))}", err=True)

    return report


@contextmanager
def residual_bar(
    method: dict[str, Any], grid: Grid, title: str
) -> Iterator[Callable[..., None]]:
    """Show the residual's way to the tolerance.

    Yields a function of iteration and residual, and of a text before them.
    """
    tolerance = method.get("energy_tolerance") or method["tolerance"]
    tolerance = tolerance or default_tolerance(method["precision"], grid)
    with progress_bar(title) as report:
        yield lambda iteration, residual, before="": report(
            _share(residual, tolerance),
            1.0,
            f"{before}iteration {iteration}, residual {residual:.1e}",
        )


@contextmanager
def increment_bar(march: March) -> Iterator[Callable[[int, float], None]]:
    """Show increments, and the solver's way to the tolerance in each.

    Yields a function of iteration and residual.
    """
    name = "Newton" if march.method.solver == "newton" else "iteration"
    with progress_bar("Solving") as report:

        def report_iteration(iteration: int, residual: float) -> None:
            state = march.state
            count = march.path.steps[state.step].increments
            report(
                len(state.points) + _share(residual, march.tolerance),
                march.path.increments,
                f"step {state.step + 1}, increment {state.increment + 1} of {count}, "
                f"{name} {iteration}, residual {residual:.1e}",
            )

        yield report_iteration


def _share(residual: float, tolerance: float) -> float:
    """Part of the way from 1 to the tolerance, which falls by factors.

    A residual that is no number counts as the tolerance.
    """
    return float(np.log(min(max(tolerance, residual), 1.0)) / np.log(tolerance))
