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

from ecosurrogate.training.config import Config, Settings, check_names
from ecosurrogate.training.settings import join, nested, parse_value, read_toml
from fftmech.errors import InputError

TABLE = "space"
"""Name of the table of a TOML file that holds a space."""

_FIXED = ("model", "preset", "seed", "validate_every", "save_every")
_WITH_GAMMA = ("strain", "stress", "constitutive")


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones if both ends are."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> tuple[float, float]:
        """Values to check before a study begins."""
        return self.low, self.high

    def __contains__(self, value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low!r}:{self.high!r}" + ":log" * self.log


@dataclass(frozen=True)
class Choice:
    """One of several values, JSON-ready."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values to check before a study begins."""
        return self.values

    @property
    def labels(self) -> list[str]:
        """The values as JSON, by which a study remembers them."""
        return [json.dumps(value) for value in self.values]

    def __contains__(self, value: Any) -> bool:
        return json.dumps(value) in self.labels

    def __str__(self) -> str:
        return f"[{', '.join(self.labels)}]"


Space = Mapping[str, Range | Choice]
"""What is tried of each setting, by dotted keys."""


def parse_dimension(text: str) -> dict[str, Range | Choice]:
    """Part of a space written `key=low:high[:log]` or `key=[value, value]`.

    Raises
    ------
    InputError
        No such setting, one that a study cannot vary, another form, reversed ends.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not all(key.split(".")):
        raise InputError(
            f"{text!r}",
            "key=low:high, key=low:high:log or key=[value, value], for instance "
            "lr=1e-4:1e-2:log",
        )
    return {key: _dimension(key, parse_value(value))}


def read_study_file(path: str | PathLike) -> tuple[dict[str, Any], Space]:
    """Read settings, and the space in the table `space`, from a TOML file.

    Raises
    ------
    InputError
        As `settings.read_settings` and `parse_dimension`.
    """
    settings = read_toml(path)
    table = settings.pop(TABLE, {})
    try:
        check_names(settings)
        if not isinstance(table, Mapping):
            raise InputError(f"{TABLE} {table!r}", "a table")
        flat = _flat(table)
        return settings, {key: _dimension(key, value) for key, value in flat.items()}
    except InputError as error:
        raise error.within(path) from error


def default_space(config: Config) -> dict[str, Range | Choice]:
    """What the paper tuned, but for the sizes of the network.

    Oommen et al. 2025, Methods: the weights of the loss (alpha and beta), gamma,
    dropout, the learning rate and the weight decay. Weights range over two decades
    around their defaults; that of the first term stays, as a common factor of all says
    little.
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


def drop_given(space: Space, settings: Settings) -> dict[str, Range | Choice]:
    """Return a space without the settings that were given."""
    return {key: d for key, d in space.items() if not _given(key, settings)}


def check_free(space: Space, settings: Settings) -> None:
    """Refuse a setting that is both given and to be tried (InputError)."""
    for key in space:
        if _given(key, settings):
            raise InputError(
                f"{key} is both given and to be tried", mend="leave out one of the two"
            )


def corners(space: Space) -> Iterable[dict[str, Any]]:
    """Settings that reach every end and every choice, one after the other."""
    first = {key: dimension.ends[0] for key, dimension in space.items()}
    yield nested(first)
    for key, dimension in space.items():
        for value in dimension.ends[1:]:
            yield nested({**first, key: value})


def with_values(settings: Settings, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, and values by dotted keys."""
    return join(settings, nested(values))


def look_up(document: Mapping[str, Any], key: str) -> Any:
    """Value of a dotted key, None if there is none."""
    value: Any = document
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _given(key: str, settings: Settings) -> bool:
    return look_up(settings, key) is not None


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _dimension(key: str, value: Any) -> Range | Choice:
    name, *rest = key.split(".")
    check_names({name: None})
    if name in _FIXED:
        raise InputError(f"{TABLE} {key}: a study cannot vary the {name}")
    tables = ("options", "network", "loss")
    if (len(rest) == 1) != (name in tables) or len(rest) > 1:
        expected = f"{name}.NAME" if name in tables else name
        raise InputError(f"{TABLE} {key}", expected)
    if isinstance(value, list):
        labels = [json.dumps(v) for v in value if _is_json(v)]
        if len(labels) < len(value) or len(set(labels)) < max(2, len(labels)):
            raise InputError(f"{TABLE} {key}", "two different values or more")
        return Choice(tuple(value))
    return _range(key, value)


def _range(key: str, value: Any) -> Range:
    parts = value.split(":") if isinstance(value, str) else []
    log = len(parts) == 3 and parts[2].strip() == "log"
    ends = [parse_value(part.strip()) for part in parts[:2]]
    known = all(type(end) in (int, float) and isfinite(end) for end in ends)
    if len(parts) not in (2, 3) or (len(parts) == 3 and not log) or not known:
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


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
