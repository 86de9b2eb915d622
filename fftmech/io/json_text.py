"""JSON in files, of numbers that JSON does not have: those of solves that diverged."""

import json
from typing import Any

from fftmech.io import container

NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
"""What is written for numbers that are not finite, by Python's name: a string."""

NUMBERS = {name: float(python) for python, name in NAMES.items()}


def json_text(document: dict[str, Any]) -> str:
    """JSON that every reader takes, with the strings "NaN" and "Infinity" for numbers.

    NumPy's scalars and arrays are written as numbers and lists.
    """
    plain = json.loads(json.dumps(document, default=lambda value: value.tolist()))
    return json.dumps(_changed(plain, float, lambda x: NAMES.get(str(x), x)))


def read_json(value: object) -> Any:
    """Data of an HDF5 string; the numbers may also be NaN and Infinity as they are."""
    document = json.loads(container.text(value))
    return _changed(document, str, lambda text: NUMBERS.get(text, text))


def _changed(value: Any, kind: type, change: Any) -> Any:
    """The same data, with `change` of every value of a kind."""
    if isinstance(value, dict):
        return {key: _changed(entry, kind, change) for key, entry in value.items()}
    if isinstance(value, list):
        return [_changed(entry, kind, change) for entry in value]
    return change(value) if isinstance(value, kind) else value
