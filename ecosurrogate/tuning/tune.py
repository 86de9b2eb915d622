"""Begin a study of settings (`ecosurrogate.tuning.study`), or go on with one."""

import json
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ecosurrogate.networks import NETWORKS
from ecosurrogate.training.checkpoint import CARD, make_model
from ecosurrogate.training.config import ADMISSIBLE, Config, Settings, merged
from ecosurrogate.training.objective import Objective
from ecosurrogate.training.run import Run, prepare
from ecosurrogate.training.settings import join, resolve
from ecosurrogate.tuning.journal import optuna_module
from ecosurrogate.tuning.search_space import (
    Space,
    check_free,
    corners,
    default_space,
    drop_given,
    look_up,
    with_values,
)
from ecosurrogate.tuning.study import CERTIFICATE, LABELS, Study
from ecosurrogate.tuning.study_files import FORMAT_VERSION, STUDY, read_card
from fftmech.errors import InputError


def open_study(
    dataset: str | PathLike,
    folder: str | PathLike,
    settings: Settings,
    space: Space,
    *,
    device: str = "cpu",
) -> Study:
    """Begin a study, or go on with the one in that folder; nothing is written yet.

    Parameters
    ----------
    dataset
        Folder of a dataset with validation samples.
    folder
        Of the study: a new one, or one with a study of the same settings and space.
    settings
        What all trials share.
    space
        What is tried; `default_space` for what is neither in it nor in `settings`.
    device
        "cpu" or "cuda".

    Raises
    ------
    InputError
        Anything that does not go together, a study begun with something else; Optuna
        is not installed.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise InputError(
            "a study runs in one process", mend="start it without torchrun"
        )
    optuna_module()
    folder = Path(folder)
    check_free(space, settings)
    before = read_card(folder / STUDY) if (folder / STUDY).exists() else None
    if (folder / CARD).exists():
        raise InputError(f"{folder} holds a run: choose another -o")
    # the folder of a run that will not be there, so that nothing is in its way
    place = folder if before is None else folder / "trial-new"
    trying = {key: dimension.ends[0] for key, dimension in space.items()}
    run = prepare(dataset, place, with_values(settings, trying), device=device)
    config = run.card.config
    space = {**drop_given(default_space(config), settings), **space}
    examples = [*run.train, *run.val]
    pores = any(len(e.body.pores) or not e.solid.all() for e in examples)
    labels = all(e.strain is not None and e.stress is not None for e in examples)
    made = [_architecture(config)]
    for corner in corners(space):
        changed = Config.from_dict(merged(config.as_dict(), corner))
        Objective(changed, pores, labels)
        if _architecture(changed) not in made:
            make_model(changed)
            made.append(_architecture(changed))
    # by name, so that best.toml means the same whatever the defaults are
    names = [n for n in ("model", "backbone", "preset") if n not in space]
    shared = join({name: getattr(config, name) for name in names}, settings)
    error = _error(run, pores)
    card = {
        "format_version": FORMAT_VERSION,
        "settings": shared,
        "space": {key: str(dimension) for key, dimension in space.items()},
        "error": error,
        "dataset": dict(run.card.dataset),
    }
    if before is not None:
        _check_same(folder, before, card)
    first = _defaults(resolve(settings, pores), space)
    return Study(str(dataset), folder, shared, space, error, card, first, device)


def _architecture(config: Config) -> tuple[Any, ...]:
    """What a model is made of."""
    network = (config.backbone, config.preset, config.network)
    return (config.model, config.options, config.representation, *network)


def _error(run: Run, pores: bool) -> str:
    if not len(run.val):
        raise InputError(
            "no sample for validation is done, and trials are compared on them",
            mend="make some (fftmech dataset --splits)",
        )
    if all(e.strain is not None and e.stress is not None for e in run.val):
        return LABELS
    if run.card.config.model in ADMISSIBLE and not pores:
        return CERTIFICATE
    raise InputError(
        "the validation samples have no labels, and without them there is a "
        f"certificate only of {', '.join(ADMISSIBLE)} in bodies without pores"
    )


def _defaults(config: Config, space: Space) -> dict[str, Any]:
    """What a run without the study would have, as far as the space has it."""
    sizes = NETWORKS[config.backbone][1].preset(config.preset, **config.network)
    document = {**config.as_dict(), "network": vars(sizes)}
    values = {key: look_up(document, key) for key in space}
    # a list on the command line is a tuple in the sizes
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    return {key: value for key, value in values.items() if value in space[key]}


def _check_same(
    folder: Path, before: Mapping[str, Any], card: Mapping[str, Any]
) -> None:
    """Refuse to go on with other settings, space or data."""
    for part in ("settings", "space", "dataset", "error"):
        there, here = before.get(part), json.loads(json.dumps(card[part]))
        if there == here:
            continue
        if isinstance(there, dict) and isinstance(here, dict):
            name = min(k for k in {*there, *here} if there.get(k) != here.get(k))
            there, here = there.get(name), here.get(name)
            part = f"{part} {name}"
        raise InputError(
            f"{folder}: the study was begun with another {part}: {there} there, "
            f"{here} asked",
            mend="give the same, or choose another -o",
        )
