"""`ecosr tune`: try settings on a dataset, and keep the best."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ecosurrogate.training.settings import join, parse_setting
from ecosurrogate.tuning.search_space import parse_dimension, read_study_file
from fftmech_cli.method import device_option
from fftmech_cli.options import json_option, output_option
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import NOT_CONVERGED, interrupted, print_json
from fftmech_cli.surrogate import model_options, surrogate_packages

if TYPE_CHECKING:
    from ecosurrogate.tuning.study import Study
    from ecosurrogate.tuning.trials import Trial


@click.command()
@click.argument("dataset", type=click.Path())
@output_option("Folder of the study.", "STUDY")
@model_options
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Trials in all, those of an earlier call included.",
)
@click.option(
    "--space",
    "dimensions",
    multiple=True,
    metavar="KEY=LOW:HIGH[:log]",
    help="What to try of a setting, or KEY=[VALUE, VALUE]; repeat it for several.",
)
@click.option(
    "--config",
    type=click.Path(),
    metavar="FILE",
    help="Settings in a TOML file, and what to try in its table [space].",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of every trial, which is not tried then; repeat it for several.",
)
@device_option
@json_option
def tune(
    dataset: str,
    output: str,
    trials: int,
    dimensions: tuple[str, ...],
    config: str | None,
    assignments: tuple[str, ...],
    device: str,
    as_json: bool,
    **given: Any,
) -> int:
    """Train with different settings on the DATASET, and find the best ones.

    Tried are learning rate, weight decay and, where the model has them, the weights of
    its loss, gamma and dropout; --space adds to these or changes them, --set takes
    away. The first trial has the defaults, the next ones are drawn, and after ten the
    sampler (TPE) learns from what it has seen. Trials worse than half of the others at
    the same step end early.

    Each trial is a run in STUDY, which `ecosr predict` takes. Interrupted, the same
    command continues; with more --trials it goes on. Needs the extra tune.

    Example: ecosr tune grains -o study --model p-eco --preset smoke --trials 30
    """
    settings, space = read_study_file(config) if config else ({}, {})
    settings = join(
        settings,
        {name: value for name, value in given.items() if value is not None},
        *map(parse_setting, assignments),
    )
    for text in dimensions:
        space = {**space, **parse_dimension(text)}
    with surrogate_packages("surrogate,tune"):
        from ecosurrogate.tuning.trials import best_of
        from ecosurrogate.tuning.tune import open_study
    study = open_study(dataset, output, settings, space, device=device)
    for line in _description(study):
        click.echo(line, err=as_json)
    try:
        with progress_bar("Tuning", counted=True) as report:
            done = study.run(
                trials, report, lambda trial: click.echo(_line(trial), err=as_json)
            )
    except KeyboardInterrupt:
        return interrupted(f"{output} is kept, and the same command continues it.")
    return _show(study, done, best_of(done), as_json)


def _show(
    study: "Study", done: "list[Trial]", best: "Trial | None", as_json: bool
) -> int:
    """Print the outcome; return the exit code."""
    if as_json:
        print_json(_document(study, done, best))
    elif best is not None:
        click.echo(_summary(study, done, best))
    if best is not None:
        return 0
    click.echo(
        f"Error: no trial of {len(done)} was trained to the end; narrow the space of "
        f"lr, or see {study.folder / 'study.json'}",
        err=True,
    )
    return NOT_CONVERGED


def _description(study: "Study") -> Iterator[str]:
    from ecosurrogate.tuning.study import LABELS

    data, shared = study.card["dataset"], study.settings
    network = f"{shared.get('backbone', 'networks')} {shared['preset']}"
    yield (
        f"{shared['model']}, {network}; {data['kind']}: {data['train']} examples for "
        f"training, {data['val']} for validation"
    )
    known = " (uniform field 1)" if study.error == LABELS else ""
    yield f"minimised: {study.error}{known} on the validation set"
    for key, dimension in study.space.items():
        yield f"tried: {key} {dimension}"


def _line(trial: "Trial") -> str:
    error = "no error" if trial.error is None else f"{trial.error:.4g}"
    how = error if trial.status == "done" else f"{trial.status}, {error}"
    if trial.reason:
        how = f"{trial.status}: {trial.reason}"
    return (
        f"trial {trial.number}: {how}; {_values(trial.values)}; {trial.seconds:.1f} s"
    )


def _values(values: Any) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )


def _summary(study: "Study", done: "list[Trial]", best: "Trial") -> str:
    from ecosurrogate.tuning.study import BEST

    first = done[0]
    against = ""
    if best.number and first.error is not None and first.status == "done":
        against = f", with the defaults {first.error:.4g}"
    return (
        f"best: trial {best.number} of {len(done)}, {study.error} {best.error:.4g}"
        f"{against}\n"
        f"again: {study.command(best)}\n"
        f"its run: {study.trial_folder(best.number)}, settings: {study.folder / BEST}"
    )


def _document(
    study: "Study", done: "list[Trial]", best: "Trial | None"
) -> dict[str, Any]:
    found = None
    if best is not None:
        found = {
            **best._asdict(),
            "run": str(study.trial_folder(best.number)),
            "settings": study.trial_settings(best),
            "command": study.command(best),
        }
    return {
        "output": str(study.folder),
        "minimised": study.error,
        "settings": dict(study.settings),
        "space": dict(study.card["space"]),
        "trials": [trial._asdict() for trial in done],
        "best": found,
    }
