"""Configuration of a training run: a frozen record, checked, JSON-ready."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ecosurrogate.data.representation import SLIP, channel_count
from ecosurrogate.training.values import MOST_ENTRIES, check_sizes, is_a, number, one_of
from fftmech.errors import InputError

Settings = Mapping[str, Any]
"""Fields of a `Config` that were given; those of tables may be given in part."""

MODELS = ("unet", "w-eco", "s-eco", "p-eco", "p-eco-stepped", "p-eco-iterated")
"""Models by name, those of `ecosurrogate.models.eco`, which needs torch."""

ADMISSIBLE = MODELS[2:]
"""Models whose strain is compatible and whose stress is equilibrated."""

WITHOUT_LAW = ("unet", "s-eco")
"""Models that can learn fields of which no constitutive law is known."""

WITHOUT_LAW_TERMS = ("strain", "stress", "masked-labels", "divergence")
"""Terms of the loss that need no constitutive law."""

CREEP_TERMS = ("complementary", "stress")
"""Terms of the loss of viscoplastic crystals."""

IN_BOXES = MODELS[:3]
"""Models of bodies in boxes with faces too, those of `ecosurrogate.models.boxes`."""

OF_CREEP = ("p-eco", "p-eco-iterated")
"""Models of viscoplastic crystals too, those of `ecosurrogate.models.creep`."""

SEE_LOAD = MODELS[4:]
"""Models of elastic bodies whose input is the load too; the others learn one load."""

BACKBONES = ("unet", "ddpm-unet", "fno", "tfno", "deeponet")
"""Networks by name, those of `ecosurrogate.networks`, which needs torch."""

BACKBONES_IN_BOXES = BACKBONES[:4]
"""Networks of boxes with faces too: the others are made of periodic waves."""

SIZES = ("smoke", "small", "paper")
"""Presets."""

PRECISIONS = ("fp32", "bf16", "fp16")

INPUTS = ("keep", "fit")
"""Normalisations of inputs: that of the weights' run, or the dataset's own."""

TABLES = ("options", "network", "loss")
"""Fields that are tables."""

_LEAST = {
    **{"steps": 1, "batch": 1, "warmup_steps": 0, "seed": 0},
    **{"validate_every": 1, "save_every": 1, "res": 1, "count": 1},
}


@dataclass(frozen=True)
class Config:
    """All settings of a run but its data; JSON-ready by `as_dict`.

    Parameters
    ----------
    model, options
        One of `MODELS`; its options: stress_functions, gains and means (s-eco),
        corrections (p-eco-iterated).
    backbone, preset, network
        Network (`ecosurrogate.networks.NETWORKS`), its sizes by name, and what differs
        from them.
    representation
        Inputs of the network (`ecosurrogate.data.representation`).
    images
        Names of scalar images of the bodies, which are inputs too.
    loss, gamma
        Weights by term (`ecosurrogate.training.objective.TERMS`); weight of components
        off the diagonal, eqs. 17 and 18.
    steps, batch
        Steps of the optimizer, and samples in each.
    lr, warmup_steps, weight_decay, betas, clip
        AdamW: peak of the learning rate, after a linear warm-up and before a cosine to
        a fiftieth of it; decay; momenta; largest norm of a gradient.
    ema
        Decay of the averaged weights, which are the ones to use.
    seed
        Of the initial weights, the order of samples, symmetries and dropout.
    augment
        Whether samples are augmented by symmetries of the cube.
    precision
        Of the network: "fp32", "bf16" or "fp16". Blocks compute in fp32 at least.
    res, count
        Resolution of the bodies, and number of training samples: the highest and all
        if None.
    freeze
        Names of parts of the model, or patterns, whose weights are not trained.
    normalize
        One of `INPUTS`; "keep" only of a run that begins with another's weights.
    validate_every, save_every
        Steps between validations and between checkpoints.

    Raises
    ------
    InputError
        Values that no run can have.
    """

    model: str
    options: Mapping[str, Any]
    backbone: str
    preset: str
    network: Mapping[str, Any]
    representation: str
    loss: Mapping[str, float]
    steps: int
    batch: int
    lr: float
    warmup_steps: int
    validate_every: int
    save_every: int
    gamma: float = 1.7297
    weight_decay: float = 0.0165
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 0
    augment: bool = True
    precision: str = "fp32"
    res: int | None = None
    count: int | None = None
    freeze: tuple[str, ...] = ()
    normalize: str = "fit"
    images: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        one_of("model", self.model, MODELS)
        one_of("preset", self.preset, SIZES)
        one_of("precision", self.precision, PRECISIONS)
        one_of("normalize", self.normalize, INPUTS)
        for name in ("backbone", "representation"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name} {getattr(self, name)!r}", "a name")
        channel_count(self.representation)
        if not isinstance(self.augment, bool):
            raise InputError(f"augment {self.augment!r}", "true or false")
        for name in TABLES:
            if not isinstance(getattr(self, name), Mapping):
                raise InputError(f"{name} {getattr(self, name)!r}", "a table")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None and name in ("res", "count"):
                continue
            if not least <= number(value) < 2**53 or not is_a(int, value):
                raise InputError(
                    f"{name} {value!r}", f"a whole number of at least {least}"
                )
        for name in ("lr", "gamma", "clip"):
            if not number(getattr(self, name)) > 0:
                raise InputError(f"{name} {getattr(self, name)!r}", "a positive number")
        if not number(self.weight_decay) >= 0:
            raise InputError(f"weight_decay {self.weight_decay!r}", "at least 0")
        pair = self.betas if isinstance(self.betas, list | tuple) else ()
        if len(pair) != 2 or not all(0 <= number(beta) < 1 for beta in pair):
            raise InputError(f"betas {self.betas!r}", "two numbers below 1")
        object.__setattr__(self, "betas", tuple(pair))
        for key in ("freeze", "images"):
            given = getattr(self, key)
            names = given if isinstance(given, list | tuple) else (None,)
            if not all(isinstance(name, str) for name in names):
                raise InputError(f"{key} {given!r}", "a list of names")
            object.__setattr__(self, key, tuple(names))
        if len(self.images) > MOST_ENTRIES or len({*self.images}) < len(self.images):
            raise InputError(
                f"{len(self.images)} images", f"at most {MOST_ENTRIES}, each once"
            )
        if not 0 <= number(self.ema) < 1:
            raise InputError(f"ema {self.ema!r}", "a number from 0 to below 1")
        for name, weight in self.loss.items():
            if not number(weight) >= 0:
                raise InputError(f"loss.{name} {weight!r}", "at least 0")
        if not any(self.loss.values()):
            raise InputError("loss: every weight is 0", mend="give a term a weight")
        check_sizes("network", self.network)
        check_sizes("options", self.options)
        if self.creep:
            self._check_creep()

    def _check_creep(self) -> None:
        """Refuse what models of viscoplastic crystals do not have (InputError)."""
        known = "viscoplastic crystals: "
        if self.model not in OF_CREEP:
            raise InputError(
                f"{known}model {self.model} is of elastic bodies",
                mend=f"take --model {' or '.join(OF_CREEP)}",
            )
        if self.precision != "fp32":
            raise InputError(f"{known}precision {self.precision}", "fp32")
        if self.images:
            raise InputError(f"{known}images {', '.join(self.images)}", "none")
        for name in self.terms:
            if name not in CREEP_TERMS:
                raise InputError(f"{known}loss.{name}", ", ".join(CREEP_TERMS))

    @property
    def terms(self) -> dict[str, float]:
        """Terms of the loss with a weight above 0."""
        return {name: weight for name, weight in self.loss.items() if weight}

    @property
    def channels(self) -> int:
        """Number of input channels of a body."""
        return channel_count(self.representation) + len(self.images)

    @property
    def creep(self) -> bool:
        """Whether it is a model of viscoplastic crystals."""
        return self.representation == SLIP

    @property
    def sees_load(self) -> bool:
        """Whether the load is an input of the model."""
        return self.model in SEE_LOAD or self.creep

    def check_without_law(self) -> None:
        """Refuse what needs a constitutive law (InputError)."""
        known = "no constitutive law is known of these fields: "
        if self.model not in WITHOUT_LAW:
            raise InputError(
                f"{known}model {self.model} needs the stiffness",
                mend=f"take --model {' or '.join(WITHOUT_LAW)}",
            )
        for name in self.terms:
            if name not in WITHOUT_LAW_TERMS:
                raise InputError(
                    f"{known}loss.{name} needs it",
                    f"terms of {', '.join(WITHOUT_LAW_TERMS)}",
                )
        if self.model == "s-eco" and self.options.get("means") != "predicted":
            raise InputError(
                f"{known}optimal means need it", mend="take options.means=predicted"
            )
        if self.representation in ("stiffness", "indicator"):
            raise InputError(
                f"{known}representation {self.representation} needs the stiffness",
                mend="take phases:0,1 with all phase ids, or rotation of orientations",
            )

    def as_dict(self) -> dict[str, Any]:
        """As JSON, which `from_dict` takes."""
        lists = {n: list(getattr(self, n)) for n in ("betas", "freeze", "images")}
        return {**asdict(self), **lists}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Config":
        """Return the configuration that `as_dict` wrote."""
        check_names(document)
        try:
            return cls(**document)
        except TypeError as error:
            if not (missing := {f.name for f in fields(cls)} - set(document)):
                raise InputError(f"configuration: {error}") from error
            raise InputError(f"configuration without {min(missing)}") from error

    def check_settings(
        self,
        settings: Settings,
        what: str = "the run was begun with another configuration",
        mend: str = "give the same, leave these out, or choose another -o",
    ) -> None:
        """Refuse settings that would change this (InputError naming what differs)."""
        check_names(settings)
        mine = flat(self.as_dict())
        asked = flat(merged(self.as_dict(), settings))
        changed = [
            f"{name}: {mine.get(name)} there, {value} asked"
            for name, value in asked.items()
            if mine.get(name) != value
        ]
        if changed:
            raise InputError(f"{what} ({'; '.join(changed)})", mend=mend)


def check_names(settings: Settings) -> None:
    """Refuse settings that are no fields of a `Config` (InputError)."""
    known = [f.name for f in fields(Config)]
    for name in settings:
        if name not in known:
            raise InputError(f"setting {name!r}", f"one of {', '.join(known)}")


def merged(under: Settings, over: Settings) -> dict[str, Any]:
    """`under` updated by `over`; tables entry by entry."""
    both = {**under, **over}
    for name in TABLES:
        tables = [part[name] for part in (under, over) if name in part]
        if len(tables) == 2 and all(isinstance(table, Mapping) for table in tables):
            both[name] = {**tables[0], **tables[1]}
    return both


def flat(settings: Settings) -> dict[str, Any]:
    """Settings by dotted names; lists for tuples."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if name in TABLES and isinstance(value, Mapping):
            flat |= {f"{name}.{key}": _plain(entry) for key, entry in value.items()}
        else:
            flat[name] = _plain(value)
    return flat


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
