"""Bare HDF5: `phase` and `stiffness` at the root, as three lines of h5py write it.

`phase` is a 3-D array of ids with an attribute `axes`, "xyz" (phase[x, y, z]) or
"zyx". Optional, beside it: `stiffness` (P, 6, 6) Voigt, sample frame; `orientation`
(P, 4) unit quaternions w x y z; `eigenstrain` and `thermal_expansion` (P, 6) tensor
components xx yy zz yz xz xy. Optional attributes: `spacing` and `origin` on `phase`
(three lengths, x y z), `units` on the root (the stress unit, or JSON such as
{"stress": "GPa"}).
"""

import json
from collections.abc import Sequence
from os import PathLike
from typing import Any

import h5py
import numpy as np

from fftmech.errors import InputError
from fftmech.io import container, image
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import mandel_from_components, mandel_from_voigt

TABLES = {
    "stiffness": (None, 6, 6),
    "orientation": (None, 4),
    "eigenstrain": (None, 6),
    "thermal_expansion": (None, 6),
}
"""Tables by phase id, with the shape of each."""

NUMBERS = ("material", "number")
"""Whole numbers by phase id: of its material, and in the file that it came from."""

OPTIONS = ("dataset", *image.OPTIONS)
USED = (
    "phase with its attributes axes, spacing and origin",
    "tables stiffness, orientation, eigenstrain, thermal_expansion, material, number",
    "attribute units",
)
IGNORED = ("other datasets and attributes",)


def recognises(file: h5py.File, dataset: str | None) -> bool:
    """Whether the file has a bare `phase` and no other dataset is asked for."""
    return "phase" in file and (dataset or "phase").strip("/") == "phase"


def read(
    path: str | PathLike,
    dataset: str | None = None,
    axes: str | None = None,
    spacing: Sequence[float] | None = None,
    threshold: float | None = None,
    crop: Sequence[int] | None = None,
) -> Microstructure:
    """Read a bare HDF5 microstructure."""
    with container.opened(path) as file:
        phase = container.dataset(file, "phase")
        name = container.where(phase)
        if axes is None:
            if "axes" not in phase.attrs:
                raise InputError(
                    f"{name} has no attribute axes: set it "
                    '(file["phase"].attrs["axes"] = "xyz" for phase[x, y, z], or '
                    '"zyx"), or give --axes'
                )
            axes = container.text(phase.attrs["axes"])
        if spacing is None:
            spacing = lengths(phase, "spacing")
        origin = lengths(phase, "origin")
        return image.microstructure_from_image(
            phase,
            name,
            axes,
            spacing,
            origin=(0, 0, 0) if origin is None else origin,
            threshold=threshold,
            crop=crop,
            units=units(file.attrs.get("units")),
            **read_tables(file),
        )


def lengths(item: h5py.Dataset, name: str) -> list[float] | None:
    """Three lengths in an attribute of `item`, or None where it has none."""
    if name not in item.attrs:
        return None
    values = np.asarray(item.attrs[name])
    if values.shape != (3,) or values.dtype.kind not in "iuf":
        raise InputError(
            f"{container.where(item)}: attribute {name} = {values}",
            "three lengths, x y z",
        )
    return [float(v) for v in values]


def read_tables(group: h5py.Group) -> dict[str, Any]:
    """Tables by phase id that `group` holds, as `Microstructure` wants them."""
    tables: dict[str, Any] = {}
    for name, shape in TABLES.items():
        if name not in group:
            continue
        item = container.dataset(group, name)
        table = container.numbers(item, shape)
        if name == "stiffness":
            table = mandel_from_voigt(table)
        elif name != "orientation":
            table = mandel_from_components(table)
        elif (zero := np.flatnonzero(~table.any(axis=1))).size:
            raise InputError(
                f"{container.where(item)}: row {zero[0]} is zero",
                "unit quaternions w x y z, or NaN where the orientation is unknown",
            )
        tables[name] = table
    for name in NUMBERS:
        if name in group:
            item = container.dataset(group, name)
            if item.ndim != 1 or item.dtype.kind not in "iu":
                raise InputError(container.where(item), "one whole number a phase id")
            tables[name] = item[()]
    if "material" in tables:
        tables["material_name"] = names(container.dataset(group, "material"))
    if "unindexed" in group.attrs:
        tables["unindexed"] = int(np.asarray(group.attrs["unindexed"]))
    if "notes" in group.attrs:
        tables["notes"] = tuple(map(str, np.asarray(group.attrs["notes"]).ravel()))
    return tables


def names(item: h5py.Dataset) -> dict[int, str]:
    """Names of materials by number, from the attribute of their numbers."""
    written = container.text(item.attrs.get("names", "{}"))
    try:
        return {int(number): str(name) for number, name in json.loads(written).items()}
    except (AttributeError, ValueError) as error:
        raise InputError(
            f"{container.where(item)}: attribute names = {written}",
            'JSON, names by number: {"1": "steel"}',
        ) from error


def units(value: object) -> dict[str, str]:
    """Units from an attribute: JSON of names, or the stress unit alone."""
    if value is None:
        return {}
    written = container.text(value)
    try:
        parsed = json.loads(written)
    except json.JSONDecodeError:
        parsed = None
    if isinstance(parsed, dict):
        return {str(key): str(unit) for key, unit in parsed.items()}
    return {"stress": written} if written else {}
