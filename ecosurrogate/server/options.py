"""What a request asks for, from its query and from JSON.

In the query as on the command line, `model=steel&strain=xx=1e-3&stress=yy=0&wait=5`;
in JSON, the field `options` of the query or of a form, with strain, stress and uniaxial
as objects: {"model": "steel", "strain": {"xx": 1e-3}}.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from ecosurrogate.server.refusal import Refusal
from fftmech import SCHEMES
from fftmech.errors import InputError
from fftmech.loads.load import Load

LOADS = ("strain", "stress", "uniaxial")
READING = {
    "dataset": str,
    "axes": str,
    "shape": (int, 3),
    "dtype": str,
    "spacing": (float, 3),
    "threshold": float,
}
"""Options of `fftmech.io.read`; numbers of which there are three have commas."""

METHOD = {
    "scheme": str,
    "tolerance": float,
    "max_iterations": int,
    "precision": str,
}
"""Options of `fftmech.solve`, of which strangers choose those."""

SINGLE = {"model": str, "res": str, "wait": float, **READING, **METHOD}

WAIT = 10.0, 60.0
"""Seconds that a request waits for its answer unless it says so, and at most."""

LONGEST = 2**14
"""Characters of `options`."""


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Attributes
    ----------
    model
        Name of the run; None for the only one, or the first.
    load
        None for that of the training set.
    res
        Resample the body, as `--res`.
    wait
        Seconds to wait for the answer; what takes longer becomes a job.
    reading, method
        Options of `fftmech.io.read`, and of `fftmech.solve`.
    """

    model: str | None = None
    load: Load | None = None
    res: str | None = None
    wait: float = WAIT[0]
    reading: Mapping[str, Any] = field(default_factory=dict)
    method: Mapping[str, Any] = field(default_factory=dict)


def parse_options(
    query: Iterable[tuple[str, str]], document: str | None = None
) -> Options:
    """Return the options of a query and of a JSON object.

    Raises
    ------
    Refusal
        An option that there is not, one given twice, a value that makes no sense.
    """
    given: dict[str, Any] = {}
    texts = [] if document is None else [document]
    for name, text in query:
        if name == "options":
            texts.append(text)
        elif name in LOADS:
            given.setdefault(name, {})
            component, _, value = text.partition("=")
            _put(given[name], component.strip(), _number(name, value), name)
        else:
            _put(given, name, text)
    for text in texts:
        for name, value in _object(text).items():
            _put(given, name, value)
    _check_known(given, [*LOADS, *SINGLE])
    values = {n: _value(n, given[n], kind) for n, kind in SINGLE.items() if n in given}
    method = {n: values[n] for n in METHOD if n in values}
    if method.get("scheme", "rotated") not in SCHEMES:
        raise _refusal(f"scheme {method['scheme']!r}", f"one of {', '.join(SCHEMES)}")
    return Options(
        values.get("model"),
        _load({name: given[name] for name in LOADS if name in given}),
        values.get("res"),
        _wait(values),
        {n: values[n] for n in READING if n in values},
        method,
    )


def parse_solve(query: Iterable[tuple[str, str]]) -> Options:
    """Return the options of a solve whose body, load and scheme are known.

    Raises
    ------
    Refusal
        As `parse_options`.
    """
    known = {name: kind for name, kind in METHOD.items() if name != "scheme"}
    values = parse_values(query, {**known, "wait": float})
    method = {name: values[name] for name in known if name in values}
    return Options(wait=_wait(values), method=method)


def parse_values(
    query: Iterable[tuple[str, str]], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values of a query by name; `known` are types by name.

    Raises
    ------
    Refusal
        As `parse_options`.
    """
    given: dict[str, Any] = {}
    for name, text in query:
        _put(given, name, text)
    _check_known(given, known)
    return {name: _value(name, text, known[name]) for name, text in given.items()}


def _check_known(given: Iterable[str], known: Collection[str]) -> None:
    unknown = sorted({*given} - {*known})
    if unknown:
        some = f"some of {', '.join(known)}" if known else "none"
        raise _refusal(f"option {unknown[0]!r}", some)


def _wait(values: Mapping[str, Any]) -> float:
    wait = values.get("wait", WAIT[0])
    if not 0 <= wait <= WAIT[1]:
        raise _refusal(f"wait {wait:g}", f"0 to {WAIT[1]:g} seconds")
    return wait


def _put(into: dict[str, Any], name: str, value: Any, option: str = "") -> None:
    if name in into:
        raise _refusal(f"{option or 'option'} {name!r} given twice", "each once")
    into[name] = value


def _object(text: str) -> dict[str, Any]:
    try:
        if len(text) > LONGEST:
            raise ValueError("too long")
        found = json.loads(text, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise _refusal("options that are no JSON", "a JSON object") from error
    if not isinstance(found, dict):
        raise _refusal("options that are no JSON object", "a JSON object")
    return found


def _constant(text: str) -> float:
    raise ValueError(text)


def _value(name: str, given: Any, kind: Any) -> Any:
    if isinstance(kind, tuple):
        kind, count = kind
        parts = given.split(",") if isinstance(given, str) else given
        if not isinstance(parts, list) or len(parts) != count:
            raise _refusal(f"{name} {given!r}", f"{count} numbers")
        return tuple(_number(name, part, kind) for part in parts)
    if kind is str:
        if not isinstance(given, str | int) or len(str(given)) > 200:
            raise _refusal(f"{name} {str(given)[:80]!r}", "a short text")
        return str(given)
    return _number(name, given, kind)


def _number(name: str, given: Any, kind: type = float) -> Any:
    try:
        if isinstance(given, bool) or len(str(given)) > 40:
            raise ValueError
        number = kind(given)
        if not isfinite(number) or (isinstance(given, float) and number != given):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        what = "a whole number" if kind is int else "a finite number"
        raise _refusal(f"{name} {str(given)[:40]!r}", what) from error
    return number


def _load(given: Mapping[str, Any]) -> Load | None:
    if not given:
        return None
    for name, values in given.items():
        if not isinstance(values, dict) or not values:
            raise _refusal(f"{name} {str(values)[:40]!r}", "values by component")
    try:
        parts = {
            name: {c: _number(name, value) for c, value in values.items()}
            for name, values in given.items()
        }
        uniaxial = parts.pop("uniaxial", None)
        if uniaxial is None:
            return Load(**parts)
        if parts or len(uniaxial) > 1:
            raise InputError("uniaxial with another load")
        ((component, value),) = uniaxial.items()
        Load({component: value})
        return Load.uniaxial(component, value)
    except InputError as error:
        raise _refusal(
            str(error), "strain and stress of xx yy zz yz xz xy, or uniaxial alone"
        ) from error


def _refusal(error: str, expected: str) -> Refusal:
    return Refusal(422, error, expected, "see /openapi.json for the options")
