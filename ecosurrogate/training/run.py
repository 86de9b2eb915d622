"""A training run, checked and ready to begin or to be resumed."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.examples import Batch, Examples
from ecosurrogate.data.training_set import TrainingSet
from ecosurrogate.mechanics.operators import Operators
from ecosurrogate.training.checkpoint import (
    CARD,
    RunCard,
    make_model,
    read_run,
    versions,
)
from ecosurrogate.training.config import Config, Settings
from ecosurrogate.training.devices import Devices, choose
from ecosurrogate.training.files import holds
from ecosurrogate.training.objective import Objective
from ecosurrogate.training.sampler import Sampler, allowed_moves
from ecosurrogate.training.settings import resolve
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError


@dataclass(frozen=True)
class Run:
    """Everything that training needs; nothing is written yet.

    The model has its initial weights; `sampler` has the order and symmetries of the
    training set; `resume` is whether the folder holds the run already.
    """

    folder: Path
    card: RunCard
    model: nn.Module
    objective: Objective
    train: Examples
    val: Examples
    sampler: Sampler
    devices: Devices
    resume: bool

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.devices.device

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.model.parameters())

    def batch(self, step: int) -> Batch:
        """Batch of a step, this process's part of it."""
        part = self.devices.part(self.sampler(step))
        drawn = [self.train[i].moved(g) for i, g in part]
        return self.card.encoder.batch(drawn).to(self.device)


def prepare(
    dataset: str | PathLike,
    folder: str | PathLike,
    settings: Settings,
    *,
    resume: bool = False,
    force: bool = False,
    device: str | Devices = "cpu",
) -> Run:
    """Read the data, make the model, check that they and the folder go together.

    Parameters
    ----------
    dataset
        Folder of a dataset.
    folder
        Of the run: a new one, or with `resume` or `force` that of a run.
    settings
        What differs from the defaults (`ecosurrogate.training.settings`).
    resume
        Continue the run in that folder; begin it if there is none.
    force
        Replace the run in that folder.
    device
        "cpu" or "cuda"; one of several processes gives what `devices.processes` did.

    Raises
    ------
    InputError
        Anything that does not go together, before anything is written.
    """
    devices = Devices(choose(device)) if isinstance(device, str) else device
    folder = Path(folder)
    resume = _check_folder(folder, resume, force)
    before = read_run(folder) if resume else None
    if before:
        before.config.check_settings(settings)
    # some defaults depend on whether the bodies have pores, which the data show
    draft = before.config if before else resolve(settings)
    train, val = _examples(dataset, draft, devices.neighbours)
    scheme = train.card.method["scheme"]
    Operators(scheme, Grid((1, 1, 1)), 1.0, 1.0)
    pores, labels = _survey(train, val)
    data = _describe(train, val)
    if before:
        _check_data(dataset, before, data)
    config = before.config if before else resolve(settings, pores)
    if config.batch % devices.size:
        multiple = devices.size * (config.batch // devices.size + 1)
        raise InputError(
            f"batch {config.batch} for {devices.size} processes",
            "a multiple",
            f"take --batch {multiple}, or start as many processes as divide it",
        )
    objective = Objective(config, pores, labels)
    moves = allowed_moves(config, scheme, train)
    torch.manual_seed(config.seed)
    model = make_model(config).to(devices.device)
    card = before
    if card is None:
        numbers = range(0, len(train), train.loads)
        encoder = Encoder.fit(
            (train[i] for i in numbers), scheme, config.representation
        )
        seen = TrainingSet.of(
            (train[i].body for i in numbers),
            set().union(*train.fingerprints.values()),
            train.res,
            train.card.levels[-1],
            train.card.parameters,
        )
        card = RunCard(config, encoder, data, train.card.units, versions(), seen)
    sampler = Sampler(len(train), config.batch, config.seed, moves)
    parts = (card, model, objective, train, val, sampler, devices)
    return Run(folder, *parts, resume=bool(before))


def _examples(
    dataset: str | PathLike, config: Config, readers: int
) -> tuple[Examples, Examples]:
    """Training and validation examples."""
    train, val = (
        Examples(
            dataset,
            split,
            config.res,
            config.count if split == "train" else None,
            orientation=config.representation not in ("indicator", "stiffness"),
            readers=readers,
        )
        for split in ("train", "val")
    )
    if not len(train):
        raise InputError(f"{dataset}: no sample for training is done", mend="make some")
    return train, val


def _survey(*parts: Examples) -> tuple[bool, bool]:
    """Whether any example has pores, and whether all have labels."""
    pores, labels = False, True
    for part in parts:
        for example in part:
            pores |= len(example.body.pores) > 0 or not bool(example.solid.all())
            labels &= example.strain is not None and example.stress is not None
    return pores, labels


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


def _describe(train: Examples, val: Examples) -> dict[str, Any]:
    """The dataset of a run: what must not change when it is resumed."""
    return {
        "kind": train.card.kind,
        "sha256": train.sha256,
        "loads": train.card.loading.as_dict(),
        "res": train.res,
        "labels": train.card.levels[-1],
        "train": len(train),
        "val": len(val),
    }


def _check_data(dataset: str | PathLike, before: RunCard, data: dict[str, Any]) -> None:
    for name, value in data.items():
        if before.dataset.get(name) != value:
            raise InputError(
                f"{dataset} is not what the run was begun with ({name}: "
                f"{before.dataset.get(name)} there, {value} here)",
                mend="give that dataset, or choose another -o",
            )
