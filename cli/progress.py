"""Progress of a solve and of a load path, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fftmech import Grid, March
from fftmech.simulations.method import default_tolerance


@contextmanager
def residual_bar(
    method: dict[str, Any], grid: Grid, title: str
) -> Iterator[Callable[..., None]]:
    """Show the residual's way to the tolerance, on a terminal only."""
    tolerance = method["tolerance"] or default_tolerance(method["precision"], grid)
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("iteration {task.fields[iteration]}"),
        TextColumn("residual {task.fields[residual]:.1e}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=1.0, iteration=0, residual=1.0)

        def report(iteration: int, residual: float, title: str = title) -> None:
            # the residual falls by a constant factor: its logarithm is the progress
            done = np.log(min(max(residual, tolerance), 1.0)) / np.log(tolerance)
            bar.update(
                task,
                completed=done,
                description=title,
                iteration=iteration,
                residual=residual,
            )

        yield report


@contextmanager
def increment_bar(march: March) -> Iterator[Callable[[int, float], None]]:
    """Show increments, and the solver's way to the tolerance, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    name = "Newton" if march.method.solver == "newton" else "iteration"
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(f"{name} {{task.fields[iteration]}}"),
        TextColumn("residual {task.fields[residual]:.1e}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as bar:
        total = march.path.increments
        task = bar.add_task("Solving", total=total, iteration=0, residual=1.0)

        def report(iteration: int, residual: float) -> None:
            stand = march.stand
            count = march.path.steps[stand.step].increments
            # the residual falls by factors; that of a failure is no number
            least = march.tolerance
            part = np.log(min(max(least, residual), 1.0)) / np.log(least)
            bar.update(
                task,
                completed=len(stand.points) + part,
                description=f"step {stand.step + 1}, increment {stand.increment + 1} "
                f"of {count}",
                iteration=iteration,
                residual=residual,
            )

        yield report
