"""`fftmech dataset stiffness`: effective stiffness for random stiffnesses of phases."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from fftmech import SCHEMES, InputError, Microstructure
from fftmech.datasets.make import allowed_failures
from fftmech.datasets.stiffness import PairCounts, make_pairs, make_pairs_of
from fftmech.datasets.stiffness_draw import Pairs
from fftmech.datasets.stiffness_pairs import BODY, StiffnessPairs
from fftmech.simulations.method import NONLINEAR
from fftmech_cli.dataset_run import jobs_option, sample_bar
from fftmech_cli.many_sources import (
    are_several,
    check_folder,
    plan,
    print_counted,
    print_failed,
    reason_of,
)
from fftmech_cli.numbers import Numbers
from fftmech_cli.options import json_option, output_option
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import NOT_CONVERGED, check_notes, interrupted, print_json
from fftmech_cli.source import (
    body_options,
    body_reader,
    load_microstructure,
    resolution_options,
)


@click.command("stiffness")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@body_options
@resolution_options
@output_option(
    "Folder of the dataset, or of those of several bodies; one that this command began "
    "is continued.",
    "DIR",
)
@click.option(
    "--count", required=True, type=click.IntRange(1, 10**6), help="Number of pairs."
)
@click.option(
    "--contrast",
    default="1e-3,1e3",
    show_default=True,
    type=Numbers("LOW,HIGH"),
    help="Least and largest ratio of the phases' mean moduli.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--scheme",
    type=click.Choice(list(SCHEMES)),
    default=NONLINEAR["scheme"],
    show_default=True,
    help="Discretization; the default is that of fftmech solve --path.",
)
@click.option(
    "--tol",
    "tolerance",
    type=float,
    default=1e-4,
    show_default=True,
    help="Relative equilibrium residual; the stiffness is right to its square.",
)
@click.option("--max-iterations", type=int, default=2000, show_default=True)
@jobs_option
@json_option
def stiffness_command(
    sources: tuple[str, ...],
    output: str,
    count: int,
    contrast: tuple[float, float],
    seed: int,
    scheme: str,
    tolerance: float,
    max_iterations: int,
    jobs: int | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Effective stiffness of each SOURCE for random orthotropic phases.

    What `ecosr fit --model dmn` learns from. A pore stays one; other stiffnesses of
    SOURCE play no part.

    Of several bodies, or a folder of them, pairs are in DIR/NAME, NAME of the file. One
    that cannot be read does not end the others (exit code 2).

    \b
    fftmech dataset stiffness spheres.h5 --res 24 -o pairs --count 400
    fftmech dataset stiffness bodies/ -o pairs --count 400
    """
    pairs = Pairs(seed, contrast, scheme, tolerance, max_iterations)
    try:
        if are_several(sources):
            return _make_many(sources, output, count, pairs, jobs, as_json, options)
        body = load_microstructure(sources[0], **options)
        with sample_bar("Solving pairs") as progress:
            made = make_pairs(body, output, count, pairs, jobs=jobs, progress=progress)
    except KeyboardInterrupt:
        return interrupted(
            "pairs that are done are kept, and the same command continues."
        )
    if as_json:
        print_json({"output": output, **made._asdict()})
    else:
        click.echo(_summary(output, made, count))
    return _exit_code(output, made, count)


def _make_many(
    sources: Sequence[str],
    output: str,
    count: int,
    pairs: Pairs,
    jobs: int | None,
    as_json: bool,
    options: dict[str, Any],
) -> int:
    """Make the pairs of several bodies, each in its folder; the exit code."""
    folders = plan(sources, output)
    names = {source: folder.name for source, folder in folders.items()}
    check_folder(Path(output))
    if (Path(output) / BODY).exists():
        raise InputError(
            f"{output} holds the pairs of one body", mend="choose another -o"
        )
    notes: dict[str, Sequence[str]] = {source: () for source in names}

    def reader(source: str) -> Microstructure:
        body = read(source)
        notes[source] = body.notes
        return body

    # notes are told at the end, each once
    read = body_reader(**options, tell=check_notes)
    bodies: dict[str, Callable[[], Microstructure]] = {
        name: partial(reader, source) for source, name in names.items()
    }
    Path(output).mkdir(exist_ok=True)
    there: dict[str, tuple[int, int]] = {}
    with progress_bar("Solving pairs", counted=True) as report:

        def told(name: str, done: int, failed: int) -> None:
            there[name] = done, failed
            report(
                sum(map(sum, there.values())),
                count * len(names),
                f"{name}, {len(there)} of {len(names)} bodies, failed "
                f"{sum(failed for _, failed in there.values())}",
            )

        made = make_pairs_of(bodies, output, count, pairs, jobs=jobs, progress=told)
    print_counted(notes.values(), "bodies", "")
    return _tell_many(folders, made, notes, count, output if as_json else None)


def _tell_many(
    folders: dict[str, Path],
    made: dict[str, PairCounts | Exception],
    notes: dict[str, Sequence[str]],
    count: int,
    output: str | None,
) -> int:
    """Print what became of several bodies, as JSON of an `output`; the exit code."""
    rows: list[dict[str, Any]] = []
    codes = [0]
    for source, folder in folders.items():
        found, place = made[folder.name], str(folder)
        row: dict[str, Any] = {"source": source, "output": place}
        if isinstance(found, Exception):
            print_failed(source, reason_of(found))
            codes.append(2)
            rows.append(row | {"error": reason_of(found)})
            continue
        codes.append(_exit_code(place, found, count))
        rows.append(row | {**found._asdict(), "notes": list(notes[source])})
        if output is None:
            click.echo(_summary(place, found, count))
    if output is not None:
        print_json({"output": output, "bodies": rows})
    return 2 if 2 in codes else max(codes)


def _summary(output: str, made: PairCounts, count: int) -> str:
    return (
        f"{output}: {made.done} of {count} pairs, {made.failed} did not converge; "
        f"{made.made} made now"
    )


def _exit_code(output: str, made: PairCounts, count: int) -> int:
    """3 of too many pairs that did not converge, which is said on standard error."""
    if made.failed <= allowed_failures(count):
        return 0
    click.echo(
        f"Error: {output}: {made.failed} of {count} pairs did not converge, more than "
        "1 %; raise --max-iterations in another -o, or narrow --contrast",
        err=True,
    )
    return NOT_CONVERGED


def show_pairs(directory: str, as_json: bool) -> None:
    """Print what a dataset of pairs is made of, and how many it has.

    Of several bodies a line each.
    """
    if StiffnessPairs.at(directory):
        about = _about(StiffnessPairs.read(directory))
        if as_json:
            print_json({"dataset": directory, **about})
            return
        for name, value in about.items():
            click.echo(f"{name}: {value}")
        return
    bodies = {
        name: _about(StiffnessPairs.read(folder))
        for name, folder in StiffnessPairs.each(directory).items()
    }
    if as_json:
        rows = [{"body": name, **about} for name, about in bodies.items()]
        print_json({"dataset": directory, "bodies": rows})
        return
    for name, about in bodies.items():
        shares = ", ".join(f"{fraction:.3g}" for fraction in about["fractions"])
        click.echo(
            f"{name}: {about['pairs']} pairs, {about['missing']} missing, "
            f"{about['failed']} did not converge; fractions {shares}"
        )


def _about(held: StiffnessPairs) -> dict[str, Any]:
    return {
        "pairs": len(held.effective),
        "failed": held.failed,
        "missing": held.missing,
        "phases": held.phases.tolist(),
        "fractions": held.fractions.tolist(),
        **held.attributes,
    }
