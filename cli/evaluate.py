"""`ecosr evaluate`: a trained model, and others, against the solver on a dataset."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from fftmech.datasets.splits import SPLITS
from fftmech.errors import InputError
from fftmech.tensors import COMPONENTS
from fftmech_cli.method import device_option
from fftmech_cli.rim import print_json, show, table
from fftmech_cli.surrogate import surrogate_packages

if TYPE_CHECKING:
    from ecosurrogate.evaluation.evaluate import Progress

_FIRST, _NUMBER = 30, 17  # characters: names of rows and the DNS; mean ± std


@click.command()
@click.argument("run", type=click.Path())
@click.argument("dataset", type=click.Path())
@click.option(
    "--against",
    multiple=True,
    type=click.Path(),
    metavar="RUN",
    help="Another run for the same tables; repeat it for several.",
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="low-res|cg:K|none",
    help="What needs no training: the low-resolution solution, upsampled, or K "
    "iterations of conjugate gradients; repeat it for several.  [default: low-res, "
    "where there is a lower resolution]",
)
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option(
    "--res",
    type=click.IntRange(min=1),
    help="Resolution.  [default: the highest that the samples are solved at]",
)
@click.option(
    "--count", type=click.IntRange(min=1), help="Only so many samples, the first ones."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="FOLDER",
    help="Folder for pictures, evaluation.md and evaluation.json.",
)
@click.option(
    "--component",
    type=click.Choice(COMPONENTS),
    default="xx",
    show_default=True,
    help="Of strain and stress, in pictures.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    help="Number of the sample in pictures.  [default: RUN's median]",
)
@click.option(
    "--slice",
    "plane",
    metavar="AXIS=WHERE",
    help="Plane in pictures: z=mid, z=12 (voxel) or z=25%.  [default: the middle, or "
    "where most of the pores are]",
)
@device_option
@click.option("--force", is_flag=True, help="Replace the evaluation in FOLDER.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def evaluate(
    run: str,
    dataset: str,
    against: tuple[str, ...],
    baselines: tuple[str, ...],
    split: str,
    res: int | None,
    count: int | None,
    output: str | None,
    component: str,
    sample: int | None,
    plane: str | None,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Evaluate the model of RUN on samples of DATASET that were solved.

    Errors of strain and stress by component, and of what a mean error hides:
    equilibrium, fine structure, extreme energies. Pictures are drawn with -o.

    \b
    ecosr evaluate run grains -o evaluation
    ecosr evaluate run grains --against unet --baseline low-res --baseline cg:3
    """
    library = _modules()
    if output is not None:
        library.check_folder(output, force)
    cases = library.Cases(dataset, split, res, count)
    library.check_choice(cases, sample, plane)
    asked = None if not baselines else [b for b in baselines if b != "none"]
    if "none" in baselines and asked:
        raise InputError(f"--baseline none with {asked[0]}: leave one of them out")
    contenders = library.contenders((run, *against), asked, cases, device)
    with _bar() as progress:
        found = library.evaluate(cases, contenders, progress)
    if output is not None:
        shown = library.choose(found, cases, contenders, sample)
        pictures = library.figures(found, shown, component, plane)
        library.write_folder(output, found, pictures)
    if as_json:
        print_json({"output": output, **found})
        return
    _show(library, found)
    if output is not None:
        click.echo(f"wrote {output}")


def _show(library: Any, found: Mapping[str, Any]) -> None:
    from rich.console import Console

    longest = max(max(len(c["name"]), len(c["what"]) + 2) for c in found["contenders"])
    column = max(longest, _NUMBER) + 2
    together = max(1, (Console().width - _FIRST) // column)
    for part in library.tables(found, together):
        made = table(*part.columns)
        for row in part.rows:
            made.add_row(*row)
            if row[0] == "strain mean":
                made.add_section()
        show(part.title, made)
    for line in library.legend(found):
        click.echo(line)
    for note in found["notes"]:
        click.echo(f"Note: {note}")


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """Show the cases that are done, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("Evaluating"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1)
        yield lambda done, count: bar.update(task, total=count, completed=done)


class _Library:
    """What the command calls, imported when it is."""

    def __init__(self) -> None:
        from ecosurrogate.evaluation.cases import Cases
        from ecosurrogate.evaluation.contenders import contenders
        from ecosurrogate.evaluation.evaluate import evaluate
        from ecosurrogate.evaluation.figures import figures
        from ecosurrogate.evaluation.folder import check_folder, write_folder
        from ecosurrogate.evaluation.slices import check_choice, choose
        from ecosurrogate.evaluation.table import legend, tables

        self.Cases, self.contenders, self.evaluate = Cases, contenders, evaluate
        self.check_choice, self.choose, self.figures = check_choice, choose, figures
        self.check_folder, self.write_folder = check_folder, write_folder
        self.legend, self.tables = legend, tables


def _modules() -> _Library:
    with surrogate_packages():
        return _Library()
