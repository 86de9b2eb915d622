"""What a run starts from: nothing, what its folder holds, or the weights of another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path

from torch import nn

from ecosurrogate.training.checkpoint import (
    CARD,
    STATE,
    WEIGHTS,
    Ancestor,
    RunCard,
    digest_of_weights,
    load_model,
    read_run,
)
from ecosurrogate.training.config import Config, Settings, check_names, merged
from ecosurrogate.training.files import holds
from ecosurrogate.training.settings import resolve
from fftmech.errors import InputError

INHERITED = (
    *("model", "options", "backbone", "preset", "network", "representation"),
    "images",
)
"""Settings that weights belong to."""

LISTED = 10
"""Most names of parts of a model in a message."""


@dataclass(frozen=True)
class Start:
    """What is there before the first step of a run, or the first one that is left.

    Attributes
    ----------
    settings
        What differs from the defaults.
    resumed
        Card of the run that the folder holds and that goes on; else None.
    parent, model, ancestors
        Card of the run whose weights `model` has, and what the new card says of it.
    """

    settings: Settings
    resumed: RunCard | None = None
    parent: RunCard | None = None
    model: nn.Module | None = None
    ancestors: tuple[Ancestor, ...] = ()

    def config(
        self,
        pores: bool = False,
        faces: bool = False,
        shown: str | None = None,
        images: Sequence[str] = (),
    ) -> Config:
        """The configuration; see `ecosurrogate.training.settings.resolve`."""
        if self.resumed:
            return self.resumed.config
        if self.parent is None:
            config = resolve(self.settings, pores, faces, shown, images)
            for name, value in ("normalize", "keep"), ("freeze", config.freeze):
                if value and getattr(config, name) == value:
                    raise InputError(
                        f"{name} of a run that begins with random weights",
                        mend="name the run whose weights it begins with (--from), or "
                        "leave this out",
                    )
            return config
        # resolution and number of bodies are of a dataset, not of weights
        own = {"res": None, "count": None, "freeze": (), "normalize": "keep"}
        inherited = {**self.parent.config.as_dict(), **own}
        return Config.from_dict(merged(inherited, self.settings))


def start(
    folder: Path,
    settings: Settings,
    parent: str | PathLike | None,
    resume: bool,
    force: bool,
) -> Start:
    """Find out what a run starts from; InputError for what does not go together."""
    resume = _check_folder(folder, resume, force)
    resumed = _resumed(folder, settings, parent) if resume else None
    if parent is None:
        return Start(settings, resumed)
    if Path(parent).resolve() == folder.resolve():
        raise InputError(
            f"{folder} is both what to begin with and where to write",
            mend="choose another -o; --resume with more --steps trains a run further",
        )
    model, card = load_model(parent)
    first = Ancestor(digest_of_weights(parent), card.dataset, card.training_set)
    if resumed is None:
        check_names(settings)
        card.config.check_settings(
            {name: settings[name] for name in INHERITED if name in settings},
            f"{parent} has the weights of another model",
            "leave these out, or train without --from",
        )
    elif [each.weights for each in resumed.ancestors[:1]] != [first.weights]:
        raise InputError(
            f"{folder} was not begun with the weights that {parent} has",
            mend="leave --from out, or choose another -o",
        )
    return Start(settings, resumed, card, model, (first, *card.ancestors))


def freeze(model: nn.Module, patterns: tuple[str, ...]) -> None:
    """Leave the weights of parts of a model as they are.

    A pattern is a dotted name, or consecutive parts of one, "encoder" or "decoder.0",
    where * stands for anything. InputError for one that names nothing, and if nothing
    is left to train.
    """
    names = dict(model.named_parameters())
    for pattern in patterns:
        found = [n for n in names if fnmatchcase(f".{n}.", f"*.{pattern}.*")]
        if not found:
            raise InputError(
                f"freeze {pattern!r}: no part of the model",
                f"one of {', '.join(_parts(list(names)))}",
            )
        for name in found:
            names[name].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in names.values()):
        raise InputError(
            f"freeze {', '.join(patterns)}: nothing is left to train",
            mend="freeze fewer parts",
        )


def _parts(names: list[str]) -> list[str]:
    """Names of parts, as deep as a message has room for."""
    parts: list[str] = []
    for depth in range(1, max(name.count(".") for name in names) + 2):
        deeper = list(dict.fromkeys(".".join(n.split(".")[:depth]) for n in names))
        if parts and len(deeper) > LISTED:
            break
        parts = deeper
    return parts


def _check_folder(folder: Path, resume: bool, force: bool) -> bool:
    """Whether there is a run to resume; refuse a folder that cannot be used."""
    if resume and force:
        raise InputError("--resume and --force: continue the run, or replace it")
    if not holds(folder, CARD, "run"):
        return False
    if not (resume or force):
        raise InputError(
            f"{folder} holds a run: --resume continues it, --force replaces it",
            mend="or choose another -o",
        )
    return resume


def _resumed(
    folder: Path, settings: Settings, parent: str | PathLike | None
) -> RunCard:
    """Card of the run in a folder, with more steps if the settings have more."""
    card = read_run(folder)
    before = card.config.steps
    steps = settings.get("steps", before)
    more = isinstance(steps, int) and steps > before
    if more:
        settings = {**settings, "steps": before}
    card.config.check_settings(settings)
    begun = (folder / STATE).exists()
    # the state is written before the weights
    if not begun and (folder / WEIGHTS).exists():
        raise InputError(
            f"{folder} has weights, but no {STATE} to go on from",
            mend=f"begin another run with its weights: --from {folder} -o NEW",
        )
    if not begun and card.ancestors and parent is None:
        raise InputError(
            f"{folder} was ended before its first checkpoint",
            mend="name the run again whose weights it begins with (--from)",
        )
    if not more:
        return card
    extended = (*card.extended, before) if begun else card.extended
    return replace(card, config=replace(card.config, steps=steps), extended=extended)
