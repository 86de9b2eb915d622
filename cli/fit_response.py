"""`ecosr fit --model dmn`: train a network of laminates on pairs of stiffness."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fftmech.datasets.stiffness_pairs import StiffnessPairs
from fftmech.errors import InputError
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import interrupted, print_json, print_notes
from fftmech_cli.surrogate import RESPONSE, surrogate_packages

_SETTINGS = ("depth", "steps", "batch", "lr", "seed")
"""Of `ecosurrogate.response.training.Training`."""


def fit_response(
    dataset: str,
    output: str,
    given: Mapping[str, Any],
    others: Mapping[str, Any],
    resume: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Train, print and return the exit code.

    `given` are values of the options of `ecosr fit`, `others` those by their names that
    say nothing of such a network. Of one body there is nothing to resume.
    """
    many = not StiffnessPairs.at(dataset) and StiffnessPairs.each(dataset)
    settings = {n: given[n] for n in _SETTINGS if given[n] is not None}
    more = {f"--{n}": v for n, v in given.items() if n not in (*_SETTINGS, "model")}
    others = {**others, "--resume": resume and not many}
    for name, value in {**others, **more}.items():
        if value not in (None, (), False):
            raise InputError(f"{name} with a dataset of pairs of stiffness", "none")
    if given["model"] not in (None, RESPONSE):
        raise InputError(
            f"--model {given['model']} with a dataset of pairs of stiffness",
            f"--model {RESPONSE}, or a dataset of fields",
        )
    if not StiffnessPairs.at(dataset) and not many:
        there = "holds no pairs" if Path(dataset).is_dir() else "is no folder of pairs"
        raise InputError(
            f"{dataset} {there} of stiffness, which --model {RESPONSE} learns from",
            mend="fftmech dataset stiffness MICRO -o DIR makes them",
        )
    with surrogate_packages():
        from ecosurrogate.response.trained_network import NORMS, fit
        from ecosurrogate.response.training import Training
    if many:
        from fftmech_cli.fit_response_many import fit_responses

        options = {"resume": resume, "force": force, "as_json": as_json}
        return fit_responses(dataset, output, Training(**settings), **options)
    try:
        with progress_bar("Training", counted=True) as report:
            made, seconds = fit(
                dataset, output, Training(**settings), force=force, progress=report
            )
    except KeyboardInterrupt:
        return interrupted("nothing is written; begin again.")
    print_notes(made.notes)
    errors = made.errors
    leaves = len(made.tree.leaves)
    if as_json:
        print_json(
            {
                "output": output,
                "model": RESPONSE,
                "leaves": leaves,
                "fractions": made.fractions.tolist(),
                "norms": NORMS,
                "errors": errors,
                "check": dict(made.check),
                "training": dict(made.training),
                "notes": list(made.notes),
                "seconds": seconds,
            }
        )
        return 0
    train, held = errors["train"], errors["validation"]
    click.echo(
        f"{output}: depth {made.tree.depth}, {leaves} of {len(made.tree.weight)} "
        f"leaves left, {train['pairs']} pairs for training, {held['pairs']} for "
        f"validation; {seconds:.1f} s"
    )
    for norm in NORMS:
        mean, largest = (100 * held[norm][name] for name in ("mean", "max"))
        click.echo(
            f"relative error of {norm}, of pairs for validation: mean {mean:.2g} %, "
            f"largest {largest:.2g} % (training {100 * train[norm]['mean']:.2g} %)"
        )
    listed = ", ".join(
        f"{name} {100 * one['mean']:.2g} % (largest {100 * one['max']:.2g} %)"
        for name, one in made.check.items()
    )
    click.echo(f"mean error of the stress against the solver, plastic paths: {listed}")
    return 0
