"""`ecosr compare`: a surrogate, or the solver stopped early?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fftmech.arrays.memory import size_text
from fftmech.results.metrics import skill
from fftmech_cli.load import load_options, take_load
from fftmech_cli.method import device_option
from fftmech_cli.options import force_option, json_option, output_option
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import (
    Finite,
    check_output,
    exit_code,
    print_json,
    print_notes,
    show,
    table,
)
from fftmech_cli.source import load_microstructure, resolution_options, source_options
from fftmech_cli.surrogate import surrogate_packages

if TYPE_CHECKING:
    from rich.table import Table

    from ecosurrogate.comparison.comparison import Comparison, Point


@click.command()
@click.argument("run", type=click.Path())
@source_options
@resolution_options
@load_options("the load of the training set")
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.IntRange(min=1),
    default=(1, 8),
    show_default=True,
    help="Bodies that the model predicts at once; repeat it for several.",
)
@click.option(
    "--tolerance",
    type=Finite(),
    default=1e-6,
    show_default=True,
    help="Relative equilibrium residual at which the solver stops.",
)
@device_option
@output_option(
    "Picture (.png, .pdf, .svg), numbers (.json), or a folder for both.  "
    "[default: SOURCE-comparison.png in this folder]",
    required=False,
)
@force_option
@json_option
def compare(
    run: str,
    source: str,
    batches: tuple[int, ...],
    tolerance: float,
    device: str,
    output: str | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Compare the model of RUN with the solver on SOURCE: error against time.

    RUN is a folder that `ecosr fit` made, or a name that `ecosr models` lists.

    The solver is stopped after 1, 2, 3, ... iterations, and started from the
    prediction too (warm, the prediction included). Errors are against a solve to 1e-10,
    beside those of a uniform field, which knows nothing (skill 0); the solver's stress
    is C e. Times are medians, from a body that is ready to its fields; on a machine
    that is busy they are not compared.

    Example: ecosr compare run micro.h5 -o comparison
    """
    with surrogate_packages():
        from ecosurrogate.comparison import compare as comparison
        from ecosurrogate.comparison import figure as pictures
    output = output or f"{Path(source).name.split('.')[0]}-comparison.png"
    files = pictures.output_files(output)
    for path in files.new:
        check_output(path, force)
    load = take_load(options)
    body = load_microstructure(source, **options)
    try:
        with progress_bar("Comparing") as report:
            found = comparison.compare(
                run,
                body,
                load,
                device=device,
                tolerance=tolerance,
                batches=batches,
                report=report,
            )
    except comparison.ReferenceNotConverged as error:
        advice = "the reference has to reach a hundredth of --tolerance; raise that"
        return exit_code(error.result.status, error.result.residual, advice)
    pictures.write(found, files)
    written = [str(path) for path in files.written]
    document = pictures.document(found)
    print_notes(document["notes"])
    if as_json:
        print_json({**document, "output": written})
        return 0
    show(_title(found), _rows(found))
    for sentence in document["verdict"]:
        click.echo(sentence)
    click.echo(f"wrote {' and '.join(written)}")
    return 0


def _title(found: Comparison) -> str:
    return (
        f"{found.model} and conjugate gradients (CG), {size_text(found.shape)} voxels, "
        f"scheme {found.scheme}, {found.device}\nnRMSE of strain and stress over the "
        "standard deviation, skill of the worse one,\nenergy error, Green operations, "
        "wall and processor (CPU) milliseconds a body"
    )


def _rows(found: Comparison) -> Table:
    batches = [b for b in found.surrogate[-1].batches if b > 1]
    rows = table(
        *("", "step", "strain", "stress", "skill", "energy", "Green", "wall", "CPU"),
        *(f"{b} at\nonce" for b in batches),
    )
    rows.add_row("uniform", "", *_errors(found, found.uniform), "0", end_section=True)
    named = (
        ("surrogate", found.surrogate),
        ("CG", found.solver),
        ("CG, warm", found.warm),
    )
    for name, points in named:
        for point in points:
            together = (_together(found, point, b) for b in batches)
            rows.add_row(
                name if point is points[0] else "",
                "" if point.steps is None else str(point.steps),
                *_errors(found, vars(point)),
                str(point.green),
                *map(_milliseconds, (point.seconds, point.processor, *together)),
                end_section=point is points[-1],
            )
    return rows


def _errors(found: Comparison, point: Mapping[str, Any]) -> Iterator[str]:
    """Errors, and the skill of the worse field."""
    from ecosurrogate.comparison.sentences import skill_text

    fields = ("strain", "stress")
    skills = [skill(point[field], found.uniform[field]) for field in fields]
    known = [value for value in skills if value is not None]
    yield from (_text(point[field]) for field in fields)
    yield skill_text(min(known)) if known else "-"
    yield _text(point["certificate"])


def _together(found: Comparison, point: Point, batch: int) -> float | None:
    """Seconds a body of several; the solver takes one after the other."""
    alone = point.seconds if point in found.solver else None
    return point.batches.get(batch, alone)


def _milliseconds(seconds: float | None) -> str:
    return _text(None if seconds is None else 1000 * seconds)


def _text(value: float | None) -> str:
    known = value is not None and isfinite(value)
    return f"{float(f'{value:.2g}'):g}" if known else "-"
