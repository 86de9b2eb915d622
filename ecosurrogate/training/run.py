"""A training run, checked and ready to begin or to be resumed."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ecosurrogate.data.examples import Batch, Examples
from ecosurrogate.data.representation import ORIENTED, SLIP
from ecosurrogate.data.training_set import TrainingSet
from ecosurrogate.mechanics.box_operators import BoxOperators
from ecosurrogate.mechanics.operators import Operators
from ecosurrogate.training import without_law
from ecosurrogate.training.checkpoint import Ancestor, RunCard, make_model, versions
from ecosurrogate.training.config import Config, Settings
from ecosurrogate.training.devices import Devices, choose
from ecosurrogate.training.encoders import check_kind, encoder_of
from ecosurrogate.training.objective import Objective
from ecosurrogate.training.sampler import Sampler, allowed_moves
from ecosurrogate.training.start import freeze, start
from fftmech.datasets.card import read_card
from fftmech.datasets.imported import stated_by
from fftmech.datasets.mapping import FieldMapping
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError

NO_SHEAR = (
    "stress functions of kind beltrami have no shear force and no torque of a bar with "
    "free sides, which faces of kind displacement bear: the stress lacks them; take "
    "--set options.stress_functions=maxwell"
)
"""Note on stresses that a model in a box cannot have."""


@dataclass(frozen=True)
class Run:
    """Everything that training needs; nothing is written yet.

    The model has its first weights; `sampler` has the order and symmetries of the
    training set; `resume` is whether the folder holds the run already; `notes` are what
    its numbers do not say.
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
    notes: tuple[str, ...] = ()

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.devices.device

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

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
    parent: str | PathLike | None = None,
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
    parent
        Folder of a run whose model and weights the new one begins with. Settings that
        are not given are that run's, but for `res`, `count`, `freeze` and `normalize`.
    resume
        Continue the run in that folder, to more steps if these are asked for; begin it
        if there is none.
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
    begin = start(folder, settings, parent, resume, force)
    lawless = _lawless(dataset)
    creep = read_card(dataset).parameters.get("creep") is not None
    check_kind(dataset, creep, begin.parent)
    # some defaults depend on whether the bodies have pores, which the data show
    shown = SLIP if creep else lawless and without_law.representation(lawless)
    first = begin.config(shown=shown)
    train, val = _examples(dataset, first, devices.neighbours)
    scheme = train.card.method["scheme"]
    Operators(scheme, Grid((1, 1, 1)), 1.0, 1.0)
    boundary = train.boundary
    if boundary is not None:
        box = BoxOperators(scheme, Grid((2, 2, 2)), boundary)
    pores, labels = _survey(train, val)
    val, notes = _unseen(val, (begin.resumed or begin).ancestors)
    data = _describe(train, val)
    phases = _phases(train) if lawless else set()
    if lawless:
        shown = without_law.representation(lawless, phases)
    faces = boundary is not None
    images = tuple(train[0].body.images)
    config = begin.config(pores, faces, shown, images)
    notes += _constant_images(config, train)
    _check_batch(config, devices)
    objective = Objective(config, pores, labels, lawless is None, faces)
    if (
        faces
        and box.lacks_shear
        and config.options.get("stress_functions") == "beltrami"
    ):
        notes += (NO_SHEAR,)
    moves = allowed_moves(config, scheme, train)
    if lawless:
        without_law.check_phases(config, phases, _phases(val))
        moves, told = without_law.sound_moves(moves, lawless, config)
        notes += told
    if begin.resumed:
        _check_data(dataset, begin.resumed, data)
        card = begin.resumed
    else:
        encoder = encoder_of(dataset, train, config, begin.parent)
        seen = _training_set(train)
        facts = data, train.card.units, versions(), seen
        card = RunCard(config, encoder, *facts, begin.ancestors)
    torch.manual_seed(config.seed)
    model = (begin.model or make_model(config, boundary)).to(devices.device)
    freeze(model, config.freeze)
    sampler = Sampler(len(train), config.batch, config.seed, moves)
    parts = (card, model, objective, train, val, sampler, devices)
    return Run(folder, *parts, resume=bool(begin.resumed), notes=notes)


def _lawless(dataset: str | PathLike) -> FieldMapping | None:
    """What the mapping of a dataset states, if it knows no constitutive law."""
    stated = stated_by(read_card(dataset))
    return stated if stated and stated.lawless else None


def _check_batch(config: Config, devices: Devices) -> None:
    if config.batch % devices.size:
        multiple = devices.size * (config.batch // devices.size + 1)
        raise InputError(
            f"batch {config.batch} for {devices.size} processes",
            "a multiple",
            f"take --batch {multiple}, or start as many processes as divide it",
        )


def _constant_images(config: Config, train: Examples) -> tuple[str, ...]:
    """Notes on images that say the same of all voxels of all bodies."""
    bodies = [train[i].body for i in range(0, len(train), train.loads)]
    notes = []
    for name in config.images:
        found = [body.images[name] for body in bodies if name in body.images]
        if found and min(map(np.min, found)) == max(map(np.max, found)):
            notes.append(
                f"image {name} is constant in the training set: the network learns "
                "nothing of it"
            )
    return tuple(notes)


def _phases(examples: Examples) -> set[int]:
    """Phase ids of all bodies."""
    samples = range(0, len(examples), examples.loads)
    return {int(p) for i in samples for p in examples[i].body.phases}


def _training_set(train: Examples) -> TrainingSet:
    samples = range(len(train.records))
    return TrainingSet.of(
        (train.sample(number)[0].body for number in samples),
        set().union(*map(train.fingerprints, samples)),
        train.res,
        train.card.levels[-1],
        train.card.parameters,
        train.card.loading.periodic,
    )


def _unseen(
    val: Examples, ancestors: Sequence[Ancestor]
) -> tuple[Examples, tuple[str, ...]]:
    """Validation examples that no ancestor was trained on, and what was left out."""
    notes = []
    sets = [each.training_set for each in ancestors]
    if None in sets:
        notes.append(
            "the weights come from a run of an earlier version: whether it was trained "
            "on some of the bodies for validation is unknown"
        )
    if found := set().union(*(val.seen(known) for known in sets if known)):
        notes.append(
            f"{len(found)} of {len(val.records)} bodies for validation were trained on "
            "by a run that the weights come from, and are left out"
        )
    return val.without(found), tuple(notes)


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
            orientation=config.representation in ORIENTED,
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
            labels &= part.boundary is None or example.gradient is not None
    return pores, labels


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
