"""Scalar fields of a result, as the page draws them."""

from math import isfinite
from os import PathLike
from typing import Any

import numpy as np

from ecosurrogate.server.refusal import Refusal
from fftmech.errors import InputError
from fftmech.figures.colors import color_range
from fftmech.io import read_result
from fftmech.results.scalar_fields import known_fields, scalar_fields

LONGEST = 40  # characters of a unit that are told: it comes from a stranger's file


def list_fields(path: str | PathLike) -> dict[str, Any]:
    """Shape, size, units and fields of a result with their components, JSON-ready."""
    result = read_result(path)
    grid, units = result.microstructure.grid, result.microstructure.units
    return {
        "shape": grid.shape,
        "size": grid.size,
        "units": {name[:LONGEST]: unit[:LONGEST] for name, unit in units.items()},
        "fields": known_fields(result),
    }


def draw_field(
    path: str | PathLike, field: str, component: str | None
) -> tuple[bytes, dict[str, Any]]:
    """Return a scalar field of a result, or a component of a tensor or a vector.

    It is float32, little-endian, C order (x, y, z), NaN in pores. With it come shape,
    symbol, unit, and the ends of its colour scale, JSON-ready.
    """
    result = read_result(path)
    known = known_fields(result)
    if field not in known:
        expected = f"one of {', '.join(known)}"
        raise Refusal(404, f"field {field[:LONGEST]!r}", expected)
    if parts := known[field] if component is None else ():
        given, mend = f"{field} without a component", f"add ?component={parts[0]}"
        raise InputError(given, f"one of {', '.join(parts)}", mend)
    (scalar,) = scalar_fields(result, field, () if component is None else (component,))
    with np.errstate(all="ignore"):
        low, high, diverging = color_range(scalar)
        values = np.where(scalar.solid, scalar.values, np.nan).astype("<f4")
    if not (isfinite(low) and isfinite(high)):
        expected, mend = "a field of ordinary size", "scale the load down"
        raise InputError(f"{field} is not finite", expected, mend)
    return values.tobytes(), {
        "shape": result.microstructure.grid.shape,
        "symbol": scalar.symbol,
        "unit": scalar.unit[:LONGEST],
        "low": low,
        "high": high,
        "diverging": diverging,
    }
