"""What is shown of a file: pure data, which the browser's page and a picture share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fftmech.errors import InputError
from fftmech.figures.colors import ROBUST, color_range
from fftmech.figures.planes import middle_slices, parse_slice
from fftmech.results.scalar_fields import ScalarField, default_field, scalar_fields
from fftmech.viewer.subject import Subject

MODES = ("slices", "corner", "body")
"""Three planes; the body without the corner beyond them; the whole body."""

MAPS = ("automatic", "viridis", "cividis", "magma", "gray", "RdBu_r", "PuOr_r")
"""Colour maps; automatic is diverging where both signs matter, else sequential."""

ENDS = ("robust", "full", "own")
"""Ends of the colour scale: percentiles `colors.ROBUST`, extremes, `View.limits`."""

DIFFERENT_PHASES = "phases differ"
"""Symbol of the difference of two phase maps."""


@dataclass(frozen=True)
class View:
    """What is shown.

    Parameters
    ----------
    field, component
        As `fields.scalar_fields` names them; the component of a scalar is "".
    slices
        Voxel index of the plane across x, y and z.
    planes
        Which of the three are shown.
    mode
        One of `MODES`.
    keep
        Least and largest value of voxels that are shown, or None for all.
    warp
        Factor on the displacement, 0 for the undeformed body.
    colors, ends, limits
        One of `MAPS`, one of `ENDS`, and the ends of the colour scale where own.
    probe
        Voxel whose values are listed.
    """

    field: str
    component: str = ""
    slices: tuple[int, int, int] = (0, 0, 0)
    planes: tuple[bool, bool, bool] = (True, True, True)
    mode: str = "slices"
    keep: tuple[float, float] | None = None
    warp: float = 0.0
    colors: str = "automatic"
    ends: str = "robust"
    limits: tuple[float, float] = (0.0, 1.0)
    probe: tuple[int, int, int] = (0, 0, 0)


def first_view(subject: Subject) -> View:
    """What is shown of a file at first: middle slices of its default field."""
    shape = subject.body.grid.shape
    middle = (shape[0] // 2, shape[1] // 2, shape[2] // 2)
    across = {
        parse_slice(text, subject.body.grid)[0]
        for text in middle_slices(subject.body.grid)
    }
    planes = (0 in across, 1 in across, 2 in across)
    return View(
        default_field(subject.source), slices=middle, planes=planes, probe=middle
    )


def with_field(view: View, subject: Subject, field: str, component: str = "") -> View:
    """The same view of another field, of its first component unless one is named.

    A threshold, and ends of the colour scale that are the user's own, were the other
    field's.

    Raises
    ------
    InputError
        No such field or component.
    """
    known = subject.fields.get(field, ())
    component = component or (known[0] if known else "")
    ends = view.ends
    if ends == "own" and field != view.field:
        ends = "robust"
    shown = replace(view, field=field, component=component, keep=None, ends=ends)
    scalar_of(shown, subject)
    return shown


def with_slice(view: View, subject: Subject, axis: int, index: int) -> View:
    """The same view with one plane elsewhere; outside the grid it is the last plane."""
    places = list(view.slices)
    places[axis] = min(max(int(index), 0), subject.body.grid.shape[axis] - 1)
    return replace(view, slices=(places[0], places[1], places[2]))


def scalar_of(view: View, subject: Subject) -> ScalarField:
    """The values that a view shows of a file.

    Raises
    ------
    InputError
        As `fields.scalar_fields`.
    """
    components = (view.component,) if view.component else ()
    return scalar_fields(subject.source, view.field, components)[0]


def difference(view: View, a: Subject, b: Subject) -> ScalarField:
    """What `a` shows less what `b` shows, where both are solid; of phases, 0 or 1.

    Raises
    ------
    InputError
        Grids or units that differ.
    """
    first, second = (scalar_of(view, subject) for subject in (a, b))
    if first.values.shape != second.values.shape:
        raise InputError(
            f"{a.path} has {first.values.shape} voxels, {b.path} {second.values.shape}",
            "equal grids",
            "solve both at one --res",
        )
    if first.unit != second.unit and first.unit and second.unit:
        raise InputError(
            f"{a.path} is in {first.unit}, {b.path} in {second.unit}",
            "one unit",
            "convert one file",
        )
    if view.field == "phase":
        values = (first.values != second.values).astype(int)
        return ScalarField(values, DIFFERENT_PHASES, "", first.solid, 1.0)
    values = first.values.astype(float) - second.values
    solid = first.solid & second.solid
    magnitude = max(first.magnitude, second.magnitude)
    return ScalarField(values, f"A − B, {first.symbol}", first.unit, solid, magnitude)


def color_scale(view: View, scalar: ScalarField) -> tuple[float, float, str]:
    """Ends of the colour scale, low < high, and the name of the colour map."""
    low, high, diverging = color_range(scalar)
    inside = scalar.values[scalar.solid]
    if view.ends == "own" and view.limits[0] < view.limits[1]:
        low, high = view.limits
    elif view.ends == "full" and inside.size and np.ptp(inside) > 0:
        low, high = float(inside.min()), float(inside.max())
        if diverging:
            high = max(-low, high)
            low = -high
    name = view.colors
    if name == "automatic":
        name = "RdBu_r" if diverging else "viridis"
    return low, high, name


def probe_rows(
    view: View,
    subject: Subject,
    fields: Mapping[str, tuple[str, ...]],
    digits: int = 5,
) -> list[tuple[str, str, str]]:
    """Name, value and unit of fields in the probed voxel, tensors by component."""
    rows = []
    for field, components in fields.items():
        for component, scalar in zip(
            components or ("",), scalar_fields(subject.source, field), strict=True
        ):
            value = scalar.values[view.probe]
            name = f"{_ROWS.get(field, field.replace('_', ' '))} {component}".strip()
            text = str(value) if field == "phase" else f"{value:.{digits}g}"
            if not scalar.solid[view.probe]:
                text = "pore"
            rows.append((name, text, scalar.unit))
    return rows


_ROWS = {"displacement": "fluctuation"}  # what displacement is in `fields`

ROBUST_TEXT = " to ".join(f"{p:g}" for p in ROBUST) + " %"
"""The percentiles of a robust colour scale, as the page says it."""
