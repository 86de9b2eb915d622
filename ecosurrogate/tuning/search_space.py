"""Which values of which settings a study tries.

A range is written `low:high` or `low:high:log`, whole numbers if both ends are; a
choice is a list of TOML: `lr=1e-4:1e-2:log`, `network.channels=[[8, 16], [16, 32]]`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from os import PathLike
from typing import Any

from ecosurrogate.training.config import TABLES, Config, Settings, check_names, flat
from ecosurrogate.training.settings import nested, parse_value, read_toml
from fftmech.errors import InputError

TABLE = "space"
"""Table of a TOML file that holds a space."""

_FIXED = ("model", "preset", "seed", "validate_every", "save_every")
_WITH_GAMMA = ("strain", "stress", "constitutive")


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones if both ends are."""

    low: float
    high: float
    log: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """Values to check before a study begins."""
        return self.low, self.high

    def suggest(self, trial: Any, key: str) -> float:
        """Value of a trial of Optuna."""
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        draw = trial.suggest_int if whole else trial.suggest_float
        return draw(key, self.low, self.high, log=self.log)

    def encode(self, value: Any) -> Any:
        """As Optuna stores it."""
        return value

    decode = encode

    def __contains__(self, value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low!r}:{self.high!r}" + ":log" * self.log


@dataclass(frozen=True)
class Choice:
    """One of several values, JSON-ready; Optuna stores their JSON."""

    ends: tuple[Any, ...]

    @property
    def labels(self) -> list[str]:
        """The values as JSON."""
        return [json.dumps(value) for value in self.ends]

    def suggest(self, trial: Any, key: str) -> Any:
        """Value of a trial of Optuna."""
        return json.loads(trial.suggest_categorical(key, self.labels))

    def encode(self, value: Any) -> str:
        """As Optuna stores it."""
        return json.dumps(value)

    def decode(self, label: str) -> Any:
        """Value of what Optuna stores."""
        return json.loads(label)

    def __contains__(self, value: Any) -> bool:
        return json.dumps(value) in self.labels

    def __str__(self) -> str:
        return f"[{', '.join(self.labels)}]"


Space = Mapping[str, Range | Choice]
"""What is tried of each setting, by dotted keys."""


def parse_dimension(text: str) -> dict[str, Range | Choice]:
    """Part of a space written `key=low:high[:log]` or `key=[value, value]`."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not all(key.split(".")):
        raise InputError(
            f"{text!r}",
            "key=low:high, key=low:high:log or key=[value, value], for instance "
            "lr=1e-4:1e-2:log",
        )
    return {key: _dimension(key, parse_value(value))}


def read_study_file(path: str | PathLike) -> tuple[dict[str, Any], Space]:
    """Read settings, and the space in the table `space`, from a TOML file."""
    settings = read_toml(path)
    table = settings.pop(TABLE, {})
    try:
        check_names(settings)
        if not isinstance(table, Mapping):
            raise InputError(f"{TABLE} {table!r}", "a table")
        return settings, {k: _dimension(k, value) for k, value in flat(table).items()}
    except InputError as error:
        raise error.within(path) from error


def default_space(config: Config) -> dict[str, Range | Choice]:
    """What the paper tuned, but for the sizes of the network.

    Oommen et al. 2025, Methods: alpha, beta and gamma of eqs. 17 and 18, dropout, peak
    learning rate, weight decay. Weights of the loss range over two decades around their
    defaults; that of the first term stays, as a common factor of all says little.
    """
    space: dict[str, Range | Choice] = {
        "lr": Range(1e-4, 1e-2, log=True),
        "weight_decay": Range(1e-4, 1e-1, log=True),
    }
    if config.backbone == "ddpm-unet":
        space["network.dropout"] = Range(0.0, 0.4)
    for name, weight in list(config.terms.items())[1:]:
        low, high = (float(f"{weight * factor:.2g}") for factor in (0.1, 10))
        space[f"loss.{name}"] = Range(low, high, log=True)
    if any(name in config.terms for name in _WITH_GAMMA):
        space["gamma"] = Range(1.0, 3.0)
    return space


def corners(space: Space) -> Iterable[dict[str, Any]]:
    """Settings that reach every end and every choice, one after the other."""
    first = {key: dimension.ends[0] for key, dimension in space.items()}
    yield nested(first)
    for key, dimension in space.items():
        for value in dimension.ends[1:]:
            yield nested({**first, key: value})


def look_up(settings: Settings, key: str) -> Any:
    """Value of a dotted key, None if there is none."""
    value: Any = settings
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _dimension(key: str, value: Any) -> Range | Choice:
    name, *rest = key.split(".")
    check_names({name: None})
    if name in _FIXED:
        raise InputError(f"{TABLE} {key}: a study cannot vary the {name}")
    in_table = name in TABLES
    if len(rest) != in_table:
        raise InputError(f"{TABLE} {key}", f"{name}.NAME" if in_table else name)
    if isinstance(value, list):
        return _choice(key, value)
    return _range(key, value)


def _choice(key: str, values: list[Any]) -> Choice:
    try:
        labels = {json.dumps(value, allow_nan=False) for value in values}
    except (TypeError, ValueError):
        labels = set()
    if len(labels) < max(2, len(values)):
        raise InputError(f"{TABLE} {key}", "two different values or more")
    return Choice(tuple(values))


def _range(key: str, value: Any) -> Range:
    parts = (
        [part.strip() for part in value.split(":")] if isinstance(value, str) else []
    )
    ends, log = [parse_value(part) for part in parts[:2]], parts[2:] == ["log"]
    known = all(type(end) in (int, float) and isfinite(end) for end in ends)
    if not known or len(parts) != 2 + log:
        raise InputError(
            f"{TABLE} {key}={value}", "low:high, low:high:log or [value, value]"
        )
    low, high = ends
    if not low < high:
        raise InputError(
            f"{TABLE} {key}={value}",
            "the lower end first",
            f"the same value for all is --set {key}={low}",
        )
    if log and low <= 0:
        raise InputError(f"{TABLE} {key}={value}: with log, expected positive ends")
    return Range(low, high, log)
