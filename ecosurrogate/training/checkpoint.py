"""The folder of a run: its configuration and weights.

    config.json             configuration, scheme, normalisation, dataset, versions
    weights.safetensors     averaged weights: the model to use
    state.safetensors       what is needed to resume (`TrainState`)

Files are read as data that may be hostile: JSON and safetensors only, sizes checked
before memory is taken.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import file_digest
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.lawless import Scales
from ecosurrogate.data.normalization import Normalization
from ecosurrogate.data.training_set import TrainingSet
from ecosurrogate.mechanics.box_operators import BoxOperators
from ecosurrogate.mechanics.operators import Operators
from ecosurrogate.models.boxes import BOX_MODELS
from ecosurrogate.models.creep import CREEP_MODELS
from ecosurrogate.models.eco import MODELS
from ecosurrogate.networks import NETWORKS, make_network
from ecosurrogate.networks.convolution import set_periodic
from ecosurrogate.pretrained.catalogue import run_folder
from ecosurrogate.training.config import ADMISSIBLE, IN_BOXES, Config
from ecosurrogate.training.files import damaged, read_json, short
from ecosurrogate.training.tensor_file import read_tensors
from fftmech.datasets.loading import Loading
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.version import __version__

FORMAT_VERSION = 2
CARD = "config.json"
WEIGHTS = "weights.safetensors"
STATE = "state.safetensors"

DATASET = ("kind", "sha256", "loads", "res", "labels", "train", "val")
"""Keys of the training set's description: kind, sha256 of its card, loads, resolutions
of bodies and of labels, and numbers of examples."""

LARGEST_CARD = 2**24
"""Bytes of config.json: some thousands, and 17 for each body for training."""


@dataclass(frozen=True)
class Ancestor:
    """A run whose weights were the first ones of another.

    `weights` is their SHA-256; `dataset` and `training_set` are those of its card.
    """

    weights: str
    dataset: Mapping[str, Any]
    training_set: TrainingSet | None

    def summary(self) -> dict[str, Any]:
        """Its weights and dataset, as JSON."""
        return {"weights": self.weights, "dataset": dict(self.dataset)}


@dataclass(frozen=True)
class RunCard:
    """Description of a run: all that is stored beside its weights.

    `dataset` describes the training set, with the keys `DATASET`; `units` are the
    dataset's, as text; `versions` those of the packages that began the run;
    `training_set` says which bodies and what kind, None in runs of earlier versions.
    `ancestors` are the runs that the first weights come from, the last one first;
    `extended` the numbers of steps that the run had before it was given more.
    InputError for parts that do not fit together.
    """

    config: Config
    encoder: Encoder
    dataset: Mapping[str, Any]
    units: Mapping[str, str]
    versions: Mapping[str, str]
    training_set: TrainingSet | None = None
    ancestors: tuple[Ancestor, ...] = ()
    extended: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if missing := sorted({*DATASET} - {*self.dataset}):
            raise InputError(f"nothing said of the dataset's {', '.join(missing)}")
        encoder = self.encoder
        channels = self.config.channels
        if encoder.normalization.channels != channels:
            raise InputError(
                f"normalisation of {encoder.normalization.channels} channels for "
                f"{self.config.representation}",
                str(channels),
            )
        if not isfinite(encoder.ratio):
            raise InputError(f"ratio {encoder.ratio}", "a finite number")
        Operators(encoder.scheme, Grid((1, 1, 1)), encoder.ratio, 1.0)
        if encoder.scales is not None:
            encoder.scales.check()
            self.config.check_without_law()
        if encoder.boundary is not None:
            BoxOperators(encoder.scheme, Grid((2, 2, 2)), encoder.boundary)
            if self.config.model not in IN_BOXES:
                raise InputError(
                    f"model {self.config.model} of boxes with faces",
                    ", ".join(IN_BOXES),
                )
        if (encoder.creep is None) == self.config.creep:
            raise InputError(
                f"representation {self.config.representation} with"
                f"{'out' * self.config.creep} a law of viscoplastic crystals"
            )

    @property
    def law(self) -> bool:
        """Whether the model knows a constitutive law."""
        return self.encoder.scales is None

    @property
    def certified(self) -> bool:
        """Whether predictions have a certificate.

        They are admissible, in a periodic box, and a constitutive law is known.
        """
        periodic = self.encoder.boundary is None
        return self.config.model in ADMISSIBLE and periodic and self.law

    @property
    def training_sets(self) -> tuple[TrainingSet | None, ...]:
        """All that the weights were trained on, the last first; None is unknown."""
        return (self.training_set, *(each.training_set for each in self.ancestors))

    def as_dict(self) -> dict[str, Any]:
        """As JSON, which `from_dict` takes."""
        package = NETWORKS.package(self.config.backbone)
        return {
            "format_version": FORMAT_VERSION,
            "config": self.config.as_dict(),
            **({} if package is None else {"package": package}),
            "scheme": self.encoder.scheme,
            "ratio": self.encoder.ratio,
            **({} if self.law else {"scales": list(self.encoder.scales or ())}),
            **({"creep": creep.constants()} if (creep := self.encoder.creep) else {}),
            "normalization": self.encoder.normalization.as_dict(),
            "dataset": dict(self.dataset),
            "units": dict(self.units),
            "versions": dict(self.versions),
            "training_set": self.training_set and self.training_set.as_dict(),
            "ancestors": [
                each.summary()
                | {"training_set": each.training_set and each.training_set.as_dict()}
                for each in self.ancestors
            ],
            "extended": list(self.extended),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "RunCard":
        """Return what `as_dict` wrote; `read_run` catches errors of anything else."""
        config = Config.from_dict(document["config"])
        if "package" in document:  # which the network is of
            NETWORKS.find(config.backbone, package=str(document["package"]))
        scales = document.get("scales")
        boundary = Loading.from_dict(document["dataset"]["loads"]).boundary
        creep = document.get("creep")
        return cls(
            config,
            Encoder(
                document["scheme"],
                config.representation,
                float(document["ratio"]),
                Normalization.from_dict(document["normalization"]),
                None if scales is None else Scales(*map(float, scales)),
                boundary,
                None if creep is None else _creep(creep),
                config.images,
            ),
            dict(document["dataset"]),
            dict(document["units"]),
            dict(document["versions"]),
            _training_set(document),
            tuple(
                Ancestor(
                    str(each["weights"]), dict(each["dataset"]), _training_set(each)
                )
                for each in document.get("ancestors", ())
            ),
            tuple(map(int, document.get("extended", ()))),
        )


def _creep(constants: Any) -> CrystalCreep:
    law = CrystalCreep.parse(constants, "creep")
    assert isinstance(law, CrystalCreep)
    return law


def _training_set(document: Mapping[str, Any]) -> TrainingSet | None:
    known = document.get("training_set")
    return None if known is None else TrainingSet.from_dict(known)


def read_run(run: str | PathLike) -> RunCard:
    """Read the description of a run, refuse one of a newer program.

    Here and below a run is its folder, or the name of a pretrained model.
    """
    path = run_folder(run) / CARD
    if not path.is_file():
        raise InputError(
            f"{run}: no run there (no {CARD})",
            mend="check the name, or take one that ecosr models lists",
        )
    if path.stat().st_size > LARGEST_CARD:
        raise InputError(
            f"{path}: more than {LARGEST_CARD} bytes", mend="restore the file"
        )
    document = read_json(path, FORMAT_VERSION, "restore the file")
    try:
        return RunCard.from_dict(document)
    except InputError as error:
        raise InputError(f"{path}: {short(error, 300)}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(path, error, "restore the file") from error


def make_model(config: Config, boundary: Boundary | None = None) -> nn.Module:
    """Return a model with fresh weights, of boxes with these faces if there are any."""
    try:
        backbone = partial(
            make_network, config.backbone, preset=config.preset, **config.network
        )
        models = MODELS if boundary is None else BOX_MODELS
        if config.creep:
            models = CREEP_MODELS
        model = models[config.model](backbone, config.channels, **config.options)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"{config.model} with options {short(dict(config.options))}, network "
            f"{config.backbone} with {short(dict(config.network))}: {short(error)}"
        ) from error
    if boundary is not None:
        set_periodic(model, boundary.periodic)
    return model


def model_without_memory(config: Config, boundary: Boundary | None = None) -> nn.Module:
    """As `make_model`, with names, shapes and types of weights, but no values."""
    with torch.device("meta"), _Uninitialized():
        return make_model(config, boundary)


def load_model(run: str | PathLike) -> tuple[nn.Module, RunCard]:
    """Return the trained model of a run, ready to predict, and its description.

    Raises
    ------
    InputError
        No run there, or files that are damaged or do not belong together.
    """
    card = read_run(run)
    # a hostile configuration must not take memory
    boundary = card.encoder.boundary
    expected = model_without_memory(card.config, boundary).state_dict()
    weights, _ = read_tensors(run_folder(run) / WEIGHTS, expected)
    with torch.random.fork_rng(devices=[]):
        model = make_model(card.config, boundary)
    model.load_state_dict(weights)
    return model.eval(), card


def digest_of_weights(run: str | PathLike) -> str:
    """SHA-256 of the weights, by which an evaluation names its run."""
    with open(run_folder(run) / WEIGHTS, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Versions of the packages that a run depends on."""
    from importlib.metadata import version

    names = ("numpy", "torch", "safetensors")
    return {"fftmech": __version__, **{name: version(name) for name in names}}


@contextmanager
def locked(run: str | PathLike) -> Iterator[None]:
    """Be the only process that trains in this folder, as long as the process lives."""
    from filelock import FileLock, Timeout

    lock = FileLock(Path(run) / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"{run}: another process trains in this folder",
            mend="wait for it, or choose another -o",
        ) from error
    try:
        yield
    finally:
        lock.release()


class _Uninitialized(TorchFunctionMode):
    """Skips the initialisation of weights, which takes a second on the meta device."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
