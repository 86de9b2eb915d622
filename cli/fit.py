"""`ecosr fit`: train a model on a dataset."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from ecosurrogate.training.config import INPUTS
from ecosurrogate.training.settings import join, parse_setting, read_settings
from fftmech.datasets.stiffness_pairs import StiffnessPairs
from fftmech.errors import InputError
from fftmech_cli.fit_response import fit_response
from fftmech_cli.method import device_option
from fftmech_cli.options import json_option, output_option
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import (
    INTERRUPTED,
    NOT_CONVERGED,
    Finite,
    interrupted,
    print_json,
    print_notes,
)
from fftmech_cli.surrogate import RESPONSE, model_options, surrogate_packages

if TYPE_CHECKING:
    from ecosurrogate.training.run import Run
    from ecosurrogate.training.train import FitResult


@click.command()
@click.argument("dataset", type=click.Path())
@output_option("Folder of the run.", "RUN")
@model_options
@click.option("--lr", type=Finite(), help="Peak of the learning rate.")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    help="Of dmn: layers of laminates, 2^depth leaves.  [default: 6]",
)
@click.option(
    "--config", type=click.Path(), metavar="FILE", help="Settings in a TOML file."
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting, for instance loss.stress=2; repeat it for several.",
)
@click.option(
    "--from",
    "parent",
    type=click.Path(),
    metavar="OTHER",
    help="Begin with the model and weights of the run, or pretrained model, OTHER.",
)
@click.option(
    "--normalize",
    type=click.Choice(INPUTS),
    help="Inputs scaled as those of OTHER, or as DATASET says.  [default: keep]",
)
@click.option(
    "--freeze",
    multiple=True,
    metavar="NAME",
    help="Part of OTHER that is not trained, for instance encoder; repeatable.",
)
@device_option
@click.option(
    "--resume",
    is_flag=True,
    help="Continue RUN, to more --steps if it has ended; begin it if there is none.",
)
@click.option("--force", is_flag=True, help="Replace RUN.")
@json_option
def fit(
    dataset: str,
    output: str,
    config: str | None,
    assignments: tuple[str, ...],
    parent: str | None,
    device: str,
    resume: bool,
    force: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Train a model on the DATASET that `fftmech dataset` made.

    \b
    unet             strain and stress as a network says
    w-eco            its strain, and the stress by the constitutive law
    s-eco            compatible strain, equilibrated stress, by stress functions
    p-eco            the same by projections; no labels needed
    p-eco-stepped    the same, from one step of the solver
    p-eco-iterated   the same, several steps, each certified
    dmn              no fields: a tree of laminates, the response of any law

    A DATASET of `fftmech dataset stiffness` is for dmn, and dmn is for no other; of one
    of several bodies there is a network for each, in RUN/NAME, and a table of them.
    Of --config, options and --set the last one counts; with --from, what none of them
    says is as in OTHER. RUN then holds config.json, weights.safetensors, log.jsonl and
    curves.png.

    \b
    ecosr fit grains -o run --model p-eco-iterated --preset smoke
    ecosr fit others -o tuned --from run --steps 50 --lr 2e-4 --freeze encoder
    """
    pairs = StiffnessPairs.at(dataset) or bool(StiffnessPairs.each(dataset))
    if pairs or given["model"] == RESPONSE:
        others = {
            "--config": config,
            "--set": assignments,
            "--from": parent,
            "--device": device if device != "cpu" else None,
        }
        return fit_response(dataset, output, given, others, resume, force, as_json)
    if given.pop("depth") is not None:
        raise InputError("--depth", f"--model {RESPONSE}, which has one")
    with surrogate_packages():
        from ecosurrogate.training.devices import OtherProcessError, processes
        from ecosurrogate.training.run import prepare
    try:
        with processes(device) as devices:
            settings = join(
                read_settings(config) if config else {},
                {k: v for k, v in given.items() if v not in (None, ())},
                *map(parse_setting, assignments),
            )
            run = prepare(
                dataset,
                output,
                settings,
                parent=parent,
                resume=resume,
                force=force,
                device=devices,
            )
            return _train(run, as_json)
    except OtherProcessError:
        # as that process does, which says why
        return 2


def _train(run: "Run", as_json: bool) -> int:
    """Train, and return the exit code; of several processes one prints."""
    from ecosurrogate.training.train import fit as train

    silent = not run.devices.first
    if not silent:
        for line in _description(run):
            click.echo(line, err=as_json)
        print_notes(run.notes)
    try:
        with (
            nullcontext()
            if silent
            else progress_bar("Training", counted=True) as report
        ):
            result = train(run, report)
    except KeyboardInterrupt:
        if not silent:
            interrupted(
                f"{run.folder} is kept, and the same command with --resume continues "
                "it."
            )
        return INTERRUPTED
    code = 0 if result.status == "done" else NOT_CONVERGED
    if silent:
        return code
    if as_json:
        print_json(_document(run, result))
    else:
        click.echo(_summary(run, result))
    if code:
        click.echo(f"Error: {result.status}: {result.advice}", err=True)
    return code


def _description(run: "Run") -> Iterator[str]:
    config, data = run.card.config, run.card.dataset
    yield (
        f"{config.model}, {config.backbone} {config.preset}: {run.parameters:,} "
        f"parameters, scheme {run.card.encoder.scheme}"
    )
    low = run.train.card.levels[-1]
    yield (
        f"{data['kind']}: {data['train']} examples for training, {data['val']} for "
        f"validation, bodies of {run.train.res}^3 voxels, labels of {low}^3"
        + (f", boundary {run.train.boundary}" if run.train.boundary else "")
    )
    terms = " + ".join(f"{weight:g} {name}" for name, weight in config.terms.items())
    # see `ecosurrogate.training.objective`
    told = " (ln of a relative error: -4.6 is 1 %)" if "energy" in config.terms else ""
    yield f"loss {terms}{told}; {config.steps} steps of {config.batch}"
    if run.card.ancestors:
        frozen = f", {', '.join(config.freeze)} frozen" if config.freeze else ""
        inputs = "kept" if config.normalize == "keep" else "fitted"
        yield (
            f"weights of the run {run.card.ancestors[0].weights[:12]}{frozen}; "
            f"normalisation {inputs}; learning rate up to {config.lr:g}"
        )


def _summary(run: "Run", result: "FitResult") -> str:
    loss = "none" if result.loss is None else f"{result.loss:.4g}"
    errors = {name: x for name, x in result.validation.items() if x is not None}
    labels = [f"{n} nRMSE {errors[n]:.3g}" for n in ("strain", "stress") if n in errors]
    parts = [f"{', '.join(labels)} (uniform field 1)"] if labels else []
    if "certificate" in errors:
        parts.append(f"certificate {100 * errors['certificate']:.3g} %")
    # the logs of older runs do not have it
    if "uniform" in errors:
        parts[-1] += f" (uniform fields {100 * errors['uniform']:.3g} %)"
    low = run.train.card.levels[-1]
    against = f"validation at {low}^3" if parts else "no validation"
    skipped = f", {result.skipped} batches skipped" if result.skipped else ""
    return (
        f"{run.folder}: step {result.step} of {run.card.config.steps}, loss {loss}, "
        f"{' '.join((against, ', '.join(parts))).rstrip()}{skipped}; "
        f"{result.seconds:.1f} s"
    )


def _document(run: "Run", result: "FitResult") -> dict[str, Any]:
    return {
        "output": str(run.folder),
        **result._asdict(),
        "model": run.card.config.model,
        "parameters": run.parameters,
        "scheme": run.card.encoder.scheme,
        "data": dict(run.card.dataset),
        "ancestors": [each.summary() for each in run.card.ancestors],
        "notes": list(run.notes),
        "config": run.card.config.as_dict(),
    }
