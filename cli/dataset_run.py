"""Shared by commands that make samples: options, a progress bar, a summary."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import click

from fftmech.datasets.executor import EXECUTORS
from fftmech.datasets.make import RunCounts, SampleProgress, allowed_failures
from fftmech.datasets.summary import summarize
from fftmech_cli.method import device_option
from fftmech_cli.options import options
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import NOT_CONVERGED, interrupted, print_json

_RUN = ("jobs", "executor", "device")
"""Names in `fftmech.datasets.make` of what `run_options` adds."""

jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Processes.  [default: as many as processors]",
)

run_options = options(
    jobs_option,
    click.option(
        "--executor",
        type=click.Choice(EXECUTORS),
        default="local",
        show_default=True,
        help="This machine's processors, or MPI (see the page on datasets).",
    ),
    device_option,
)
"""Add --jobs, --executor and --device."""


def take_run(given: dict[str, Any]) -> dict[str, Any]:
    """Take the values of `run_options` out of all that were given."""
    return {name: given.pop(name) for name in _RUN}


def finish(
    directory: str, as_json: bool, work: Callable[[SampleProgress], RunCounts]
) -> int:
    """Make samples with a progress bar, print a summary, return the exit code."""
    try:
        with sample_bar("Making samples") as progress:
            outcome = work(progress)
    except KeyboardInterrupt:
        return interrupted("whole samples are kept, and the same command continues.")
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
def sample_bar(title: str) -> Iterator[SampleProgress]:
    """Show samples done, the time left, their rate and failures, on a terminal only."""
    with progress_bar(title, counted=True) as report:
        started: tuple[float, int] | None = None

        def report_samples(done: int, failed: int, total: int) -> None:
            nonlocal started
            # what an earlier run made says nothing of this one's rate
            started = started or (perf_counter(), done + failed)
            seconds, made = perf_counter() - started[0], done + failed - started[1]
            rate = f"{made / seconds:.3g}/s, " if made and seconds else ""
            report(done + failed, total, f"{rate}failed {failed}")

        yield report_samples


def size(count: float) -> str:
    """Bytes as text, in powers of 1000 as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.4g} TB"
