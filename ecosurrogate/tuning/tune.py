"""Begin a study of settings (`ecosurrogate.tuning.study`), or resume one."""

import json
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ecosurrogate.networks import NETWORKS
from ecosurrogate.training.checkpoint import CARD, model_without_memory
from ecosurrogate.training.config import ADMISSIBLE, Config, Settings, merged
from ecosurrogate.training.files import read_json
from ecosurrogate.training.objective import Objective
from ecosurrogate.training.run import Run, prepare
from ecosurrogate.training.settings import join, nested, resolve
from ecosurrogate.tuning.search_space import Space, corners, default_space, look_up
from ecosurrogate.tuning.study import CERTIFICATE, FORMAT_VERSION, LABELS, STUDY, Study
from ecosurrogate.tuning.trials import optuna_module
from fftmech.errors import InputError


def open_study(
    dataset: str | PathLike,
    folder: str | PathLike,
    settings: Settings,
    space: Space,
    *,
    device: str = "cpu",
) -> Study:
    """Begin a study, or resume the one in that folder; nothing is written yet.

    The dataset has validation samples; a study that is resumed has the same settings
    and space. `default_space` is tried of what is neither in `space` nor in `settings`.
    """
    folder = Path(folder)
    before = _read_card(folder, settings, space)
    # the folder of a run that is not there, so that nothing is in its way
    place = folder if before is None else folder / "trial-new"
    ends = nested({key: dimension.ends[0] for key, dimension in space.items()})
    run = prepare(dataset, place, join(settings, ends), device=device)
    config = run.card.config
    if config.creep:
        raise InputError(
            f"{dataset}: a study of models of viscoplastic crystals",
            "elastic bodies",
            "use ecosr fit",
        )
    defaults = default_space(config).items()
    free = {key: d for key, d in defaults if look_up(settings, key) is None}
    space = {**free, **space}
    _check_corners(run, space)
    # by name, so that best.toml means the same whatever the defaults are
    names = [n for n in ("model", "backbone", "preset") if n not in space]
    if {"model", "preset"}.isdisjoint(space):
        names.append("options")
    shared = join({name: getattr(config, name) for name in names}, settings)
    error = _minimised(run)
    card = {
        "format_version": FORMAT_VERSION,
        "settings": shared,
        "space": {key: str(dimension) for key, dimension in space.items()},
        "error": error,
        "dataset": dict(run.card.dataset),
    }
    if before is not None:
        _check_same(folder, before, card)
    shown = None if run.card.law else run.card.config.representation
    faces = run.card.encoder.boundary is not None
    first = _defaults(resolve(settings, run.objective.pores, faces, shown), space)
    return Study(str(dataset), folder, shared, space, error, card, first, device)


def _read_card(folder: Path, settings: Settings, space: Space) -> dict[str, Any] | None:
    """The study in that folder, if there is one; refuse what no study can have."""
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise InputError(
            "a study runs in one process", mend="start it without torchrun"
        )
    optuna_module()
    for key in space:
        if look_up(settings, key) is not None:
            raise InputError(
                f"{key} is both given and to be tried", mend="leave out one of the two"
            )
    path, mend = folder / STUDY, "restore it, or choose another -o"
    before = read_json(path, FORMAT_VERSION, mend) if path.exists() else None
    if (folder / CARD).exists():
        raise InputError(f"{folder} holds a run: choose another -o")
    return before


def _check_corners(run: Run, space: Space) -> None:
    """Refuse a space with an end that no run can have."""
    for corner in corners(space):
        config = Config.from_dict(merged(run.card.config.as_dict(), corner))
        boundary, known = run.card.encoder.boundary, run.objective
        faces = boundary is not None
        Objective(config, known.pores, known.labels, known.law, faces)
        model_without_memory(config, boundary)


def _minimised(run: Run) -> str:
    """`LABELS` if all validation samples have them, else `CERTIFICATE`."""
    if not len(run.val):
        raise InputError(
            "no sample for validation is done, and trials are compared on them",
            mend="make some (fftmech dataset --splits)",
        )
    if all(e.strain is not None and e.stress is not None for e in run.val):
        return LABELS
    if run.card.certified and not run.objective.pores:
        return CERTIFICATE
    raise InputError(
        "the validation samples have no labels, and without them there is a "
        f"certificate only of {', '.join(ADMISSIBLE)} in periodic boxes without pores"
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
    """Refuse to resume a study with other settings, space or data."""
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
