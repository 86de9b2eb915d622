"""Scalar fields of a result, as the page draws them."""

from math import isfinite
from os import PathLike
from typing import Any

import numpy as np

from ecosurrogate.server.refusal import Refusal
from fftmech.colors import color_range
from fftmech.errors import InputError
from fftmech.figures.colors import color_range
from fftmech.io import read_result
from fftmech.results.scalar_fields import known_fields, scalar_fields

LONGEST = 40
"""Characters of a unit that are told: it comes from a stranger's file."""


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

    Returns
    -------
    bytes
        float32, little-endian, C order (x, y, z), NaN in pores.
    dict
        Shape, symbol, unit, and the ends of its colour scale, JSON-ready.

    Raises
    ------
    InputError
        404 for a field that there is not, 422 for a component, or for values that are
        not finite.
    """
    result = read_result(path)
    known = known_fields(result)
    if field not in known:
        raise Refusal(
            404,
            f"field {field[:LONGEST]!r}",
            f"one of {', '.join(known)}",
            "see GET /jobs/{id}/fields",
        )
    if component is None and known[field]:
        raise InputError(
            f"{field} without a component",
            f"one of {', '.join(known[field])}",
            f"add ?component={known[field][0]}",
        )
    (scalar,) = scalar_fields(result, field, () if component is None else (component,))
    with np.errstate(all="ignore"):
        low, high, diverging = color_range(scalar)
        values = np.where(scalar.solid, scalar.values, np.nan).astype("<f4")
    if not (isfinite(low) and isfinite(high)):
        raise InputError(
            f"{field} is not finite", "a field of ordinary size", "scale the load down"
        )
    return values.tobytes(), {
        "shape": result.microstructure.grid.shape,
        "symbol": scalar.symbol,
        "unit": scalar.unit[:LONGEST],
        "low": low,
        "high": high,
        "diverging": diverging,
    }
