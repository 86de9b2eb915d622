"""`ecosr fit --model dmn` of a folder of pairs of many bodies: a network for each."""

from typing import TYPE_CHECKING, Any

import click

from fftmech_cli.many_sources import print_counted, print_failed
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import interrupted, print_json, show, table

if TYPE_CHECKING:
    from ecosurrogate.response.training import Training


def fit_responses(
    dataset: str,
    output: str,
    training: "Training",
    *,
    resume: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Train, print a table and return the exit code."""
    from ecosurrogate.response.fit_many import FAILED, TABLE, fit_each

    try:
        with progress_bar("Training") as report:

            def told(which: str, step: int, of: int, text: str) -> None:
                report(step, of, f"{which}, step {step} of {of}, {text.rstrip(', ')}")

            options = {"resume": resume, "force": force, "progress": told}
            rows = fit_each(dataset, output, training, **options)
    except KeyboardInterrupt:
        return interrupted(
            "networks that are trained are kept, and the same command with --resume "
            "goes on with the others."
        )
    failed = [row for row in rows if row["status"] == FAILED]
    print_counted((row["notes"] for row in rows), "networks", f"{output}/{TABLE}")
    for row in failed:
        print_failed(row["body"], row["reason"])
    if as_json:
        print_json({"output": output, "table": f"{output}/{TABLE}", "networks": rows})
    else:
        _tell(rows)
        click.echo(f"{len(rows) - len(failed)} of {len(rows)} networks trained")
        click.echo(f"wrote {output}/{TABLE}")
    return 2 if failed else 0


def _tell(rows: list[dict[str, Any]]) -> None:
    """Print the table, errors in per cent."""
    from ecosurrogate.response.cross_check import PATHS

    paths = [name.replace(" ", "_") for name in PATHS]
    shown = table(
        *("body", "pairs", "leaves", "stiffness", "largest", "energy", "largest"),
        *PATHS,
        "s",
    )
    for row in rows:
        if row["status"] != "trained":
            shown.add_row(row["body"], row["status"])
            continue
        errors = [
            *("stiffness_mean", "stiffness_max", "energy_mean", "energy_max"),
            *(f"{name}_mean" for name in paths),
        ]
        shown.add_row(
            *(str(row[name]) for name in ("body", "pairs", "leaves")),
            *("" if row[n] is None else f"{100 * row[n]:.3g}" for n in errors),
            f"{row['seconds']:.0f}",
        )
    show(
        "Errors, %: of pairs for validation, of mean stresses against the solver", shown
    )
