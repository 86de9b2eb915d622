"""What commands share that make samples: options, a progress bar, the end of a run."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from fftmech.datasets.executor import EXECUTORS
from fftmech.datasets.make import Outcome, Progress, allowed_failures
from fftmech.datasets.summary import summarize
from fftmech_cli.method import device_option
from fftmech_cli.rim import INTERRUPTED, NOT_CONVERGED, print_json

_RUN = ("jobs", "executor", "device")
"""Names in `fftmech.datasets.make` of what `run_options` adds."""


def run_options(command: Callable) -> Callable:
    """Add --jobs, --executor and --device."""
    for option in reversed(
        (
            click.option(
                "--jobs",
                type=click.IntRange(min=1),
                help="Processes.  [default: as many as processors]",
            ),
            click.option(
                "--executor",
                type=click.Choice(EXECUTORS),
                default="local",
                show_default=True,
                help="This machine's processors, or MPI (see the page on datasets).",
            ),
            device_option,
        )
    ):
        command = option(command)
    return command


def take_run(options: dict[str, Any]) -> dict[str, Any]:
    """Take what `run_options` added."""
    return {name: options.pop(name) for name in _RUN}


def finish(directory: str, as_json: bool, work: Callable[[Progress], Outcome]) -> int:
    """Make samples with a progress bar; say what came of it; return the exit code."""
    try:
        with sample_bar("Making samples") as progress:
            outcome = work(progress)
    except KeyboardInterrupt:
        click.echo(
            "Interrupted: whole samples are kept, and the same command continues.",
            err=True,
        )
        return INTERRUPTED
    document = summarize(directory)
    failed, count = outcome.failed, sum(document["wanted"].values())
    if as_json:
        print_json({"output": directory, **outcome._asdict()})
    else:
        done = ", ".join(f"{n} {split}" for split, n in document["done"].items() if n)
        rate = f", {outcome.made / outcome.seconds:.3g}/s" if outcome.made else ""
        click.echo(
            f"{directory}: {outcome.done} of {count} samples ({done or 'none'}), "
            f"{failed} failed, {size(outcome.bytes)}; {outcome.made} made in "
            f"{outcome.seconds:.1f} s{rate}"
        )
    if failed:
        reason, times = next(iter(document["failures"].items()))
        click.echo(f"failed {times} x: {reason}", err=True)
    if failed > allowed_failures(count):
        click.echo(
            f"Error: {failed} of {count} samples failed, more than 1 %; change the "
            "parameters, or raise --max-iterations, in another -o",
            err=True,
        )
        return NOT_CONVERGED
    return 0


@contextmanager
def sample_bar(title: str) -> Iterator[Progress]:
    """Show samples done, their rate, the time left and failures, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[rate]}"),
        TextColumn("failed {task.fields[failed]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1, failed=0, rate="")
        first: int | None = None

        def report(done: int, failed: int, total: int) -> None:
            nonlocal first
            if first is None:
                # what an earlier run made says nothing of this one's rate
                first = done + failed
                bar.reset(task, total=total, completed=first)
            seconds = bar.tasks[0].elapsed or 0.0
            made = done + failed - first
            rate = f"{made / seconds:.3g}/s" if made and seconds else ""
            bar.update(
                task, total=total, completed=done + failed, failed=failed, rate=rate
            )

        yield report


def size(count: float) -> str:
    """Bytes as text, in powers of 1000 as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.4g} TB"
