"""`ecosr evaluate`: a trained model, and others, against the solver on a dataset."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from fftmech.datasets.splits import SPLITS
from fftmech.errors import InputError
from fftmech.tensors import COMPONENTS
from fftmech_cli.method import device_option
from fftmech_cli.options import output_option
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import print_json, print_notes, show, table
from fftmech_cli.surrogate import surrogate_packages

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
    metavar="low-res|cg:K|dual:K|none",
    help="What needs no training: the low-resolution solution, upsampled, or K "
    "iterations of conjugate gradients, of viscoplastic crystals of dual; repeat it "
    "for several.  [default: low-res, where there is a lower resolution]",
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
@output_option(
    "Folder for pictures, evaluation.md and evaluation.json.", "FOLDER", required=False
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
@click.option(
    "--include-trained",
    is_flag=True,
    help="Count bodies that a run was trained on, which are left out.",
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
    include_trained: bool,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Evaluate the model of RUN on samples of DATASET that were solved.

    RUN is a folder that `ecosr fit` made, or a name that `ecosr models` lists.

    Errors of strain and stress by component, over the standard deviation, beside those
    of a uniform field, which knows nothing (skill 0); and of what a mean error hides:
    equilibrium, fine structure, extreme energies. Pictures are drawn with -o.

    \b
    ecosr evaluate run grains -o evaluation
    ecosr evaluate run grains --against unet --baseline low-res --baseline cg:3
    """
    with surrogate_packages():
        from ecosurrogate.evaluation import evaluate as evaluation
        from ecosurrogate.evaluation.figures import figures
        from ecosurrogate.evaluation.folder import check_folder, write_folder
        from ecosurrogate.evaluation.predictors import make_predictors
        from ecosurrogate.evaluation.seen_bodies import unseen
        from ecosurrogate.evaluation.slices import check_choice, choose
        from ecosurrogate.evaluation.solved_cases import SolvedCases
    if output is not None:
        check_folder(output, force)
    cases = SolvedCases(dataset, split, res, count)
    check_choice(cases, sample, plane)
    asked = None if not baselines else [b for b in baselines if b != "none"]
    if "none" in baselines and asked:
        raise InputError(f"--baseline none with {asked[0]}: leave one of them out")
    predictors = make_predictors((run, *against), asked, cases, device)
    if not include_trained:
        cases = unseen(cases, predictors)
        check_choice(cases, sample, plane)
    with progress_bar("Evaluating", counted=True) as report:
        found = evaluation.evaluate(cases, predictors, report, include_trained)
    if output is not None:
        shown = choose(found, cases, predictors, sample)
        pictures = figures(found, shown, component, plane)
        write_folder(output, found, pictures)
    print_notes(found["notes"])
    if as_json:
        print_json({"output": output, **found})
        return
    _show(found)
    if output is not None:
        click.echo(f"wrote {output}")


def _show(found: Mapping[str, Any]) -> None:
    from rich.console import Console

    from ecosurrogate.evaluation.table import legend, tables

    everybody = [*found["contenders"], found["uniform"]]
    longest = max(max(len(c["name"]), len(c["what"]) + 2) for c in everybody)
    column = max(longest, _NUMBER) + 2
    # a file has lines of any length
    width = Console().width if sys.stdout.isatty() else 10_000
    # the uniform field is in all of them
    together = max(1, (width - _FIRST) // column - 1)
    for part in tables(found, together):
        made = table(*part.columns)
        for row in part.rows:
            made.add_row(*row)
            if row[0] in ("eps skill", "F skill"):
                made.add_section()
        show(part.title, made)
    for line in legend(found):
        click.echo(line)
