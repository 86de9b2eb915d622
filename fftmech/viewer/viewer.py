"""The files that are looked at together, their view, and the page's variables of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from os import PathLike
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.figures.colors import DIVERGING
from fftmech.results.result import Result
from fftmech.results.scalar_fields import ScalarField
from fftmech.viewer.opened_file import OpenedFile, headline, open_file
from fftmech.viewer.surface import Panel, nodes
from fftmech.viewer.view import DIFFERENT_PHASES, ColorScale, View

SLICES = ("slice_x", "slice_y", "slice_z")
SHOWN = ("planes", "mode", *SLICES, "keep", "warp", "colors", "ends", "low", "high")
"""Variables of the page that are the view's."""

PROBED = ("probe_x", "probe_y", "probe_z")


class Viewer:
    """One file or two, A and B, which share a view.

    InputError if the grids or units of two files differ.
    """

    def __init__(self, files: Sequence[OpenedFile], view: View) -> None:
        self.files, self.view = list(files), view
        self.scalars()

    @classmethod
    def open(
        cls,
        paths: Sequence[str | PathLike],
        field: str | None = None,
        component: str = "",
        **shown: Any,
    ) -> "Viewer":
        """Open files and show a field of them; `shown` are more attributes of `View`.

        InputError if there is no such field or component, and of a warp of a file
        without displacement.
        """
        files = [open_file(path) for path in paths]
        if len(files) > 1 and any("stress" not in file.fields for file in files):
            field = field or "phase"
        view = View.first(files[0])
        if field is not None or component:
            view = with_field(view, files[0], field or view.field, component)
        view = replace(view, **shown)
        for file in files:
            if view.warp and "displacement" not in file.fields:
                what, remedy = "holds a microstructure", "solve it first"
                if isinstance(file.source, Result):
                    what, remedy = "was written without: --fields", "solve it again"
                raise InputError(
                    f"warp {view.warp:g}: {file.path} {what}, and has no displacement",
                    mend=f"{remedy} (fftmech solve ... -o result.vtkhdf)",
                )
        return cls(files, view)

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Components of the fields that every file has."""
        first, *others = (file.fields for file in self.files)
        return {
            name: components
            for name, components in first.items()
            if all(other.get(name) == components for other in others)
        }

    def scalars(self) -> list[ScalarField]:
        """What is shown: of one file its values, of two also those of A - B."""
        return _scalars(tuple(self.files), self.view.field, self.view.component)

    def panels(self) -> list[Panel]:
        """What is shown, each with the body that it is shown on.

        A and B share the colour scale of A. That of the difference is centred on zero,
        and robust where the ends of the others are the user's own.
        """
        a, *others = self.files
        scalars = self.scalars()
        scale = self.view.color_scale(scalars[0])
        if not others:
            return [Panel(a, scalars[0], headline(a), scale)]
        view, gap = self.view, scalars[2]
        if view.ends == "own":
            view = replace(view, ends="robust")
        low, high, name = view.color_scale(gap)
        most = max(-low, high)
        name = DIVERGING if view.colors == "automatic" else name
        title = f"A − B: {_size(gap, scalars[1])}"
        return [
            Panel(a, scalars[0], f"A: {a.path.name}", scale),
            Panel(others[0], scalars[1], f"B: {others[0].path.name}", scale),
            Panel(a, gap, title, ColorScale(-most, most, name)),
        ]

    def visible_warp(self) -> float:
        """Factor that makes the largest displacement a tenth of the longest edge."""
        largest = max(
            float(np.linalg.norm(nodes(f.source, 1) - nodes(f.source), axis=-1).max())
            for f in self.files
        )
        longest = max(self.files[0].body.grid.size)
        return 0.1 * longest / largest if largest else 1.0


# a slider asks for the same values again and again
@lru_cache(maxsize=1)
def _scalars(
    files: tuple[OpenedFile, ...], field: str, component: str
) -> list[ScalarField]:
    scalars = [file.scalar(field, component) for file in files]
    if len(files) == 2:
        scalars.append(difference(*files, field, component))
    return scalars


def with_field(view: View, file: OpenedFile, field: str, component: str = "") -> View:
    """The same view of another field, of its first component unless one is named.

    A threshold, and ends of the colour scale that are the user's own, were the other
    field's. InputError if there is no such field or component.
    """
    known = file.fields.get(field, ())
    component = component or (known[0] if known else "")
    file.scalar(field, component)
    ends = view.ends
    if ends == "own" and field != view.field:
        ends = "robust"
    return replace(view, field=field, component=component, keep=None, ends=ends)


def difference(
    a: OpenedFile, b: OpenedFile, field: str, component: str = ""
) -> ScalarField:
    """A field of `a` less that of `b`, where both are solid; of phases, 0 or 1.

    InputError if grids or units differ.
    """
    first, second = (file.scalar(field, component) for file in (a, b))
    if first.values.shape != second.values.shape:
        shapes = first.values.shape, second.values.shape
        sizes = f"{a.path} has {shapes[0]} voxels, {b.path} {shapes[1]}"
        raise InputError(sizes, "equal grids", "solve both at one --res")
    if first.unit != second.unit and first.unit and second.unit:
        units = f"{a.path} is in {first.unit}, {b.path} in {second.unit}"
        raise InputError(units, "one unit", "convert one file")
    if field == "phase":
        values = (first.values != second.values).astype(int)
        return ScalarField(values, DIFFERENT_PHASES, "", first.solid, 1.0)
    values = first.values.astype(float) - second.values
    solid = first.solid & second.solid
    magnitude = max(first.magnitude, second.magnitude)
    return ScalarField(values, f"A − B, {first.symbol}", first.unit, solid, magnitude)


def _size(difference: ScalarField, reference: ScalarField) -> str:
    """How large a difference is, in words."""
    if difference.symbol == DIFFERENT_PHASES:
        return f"{np.count_nonzero(difference.values)} voxels differ"
    values, whole = (s.values[difference.solid] for s in (difference, reference))
    if not values.size:
        return "no voxel to compare"
    rms, scale = (float((x.astype(float) ** 2).mean() ** 0.5) for x in (values, whole))
    text = f"rms {rms:.3g} {difference.unit}".strip()
    return f"{text}, {100 * rms / scale:.2g} % of B" if scale else text


def first_state(viewer: Viewer) -> dict[str, Any]:
    """Variables of the page at first, but those that `App.show` fills."""
    view, a = viewer.view, viewer.files[0]
    return {
        "trame__title": f"{a.path.name} · fftmech view",
        "fields": [{"title": a.titles[name], "value": name} for name in viewer.fields],
        "field": view.field,
        "components": list(viewer.fields[view.field]),
        "component": view.component,
        "planes": [n for n, on in zip("xyz", view.planes, strict=True) if on],
        "mode": view.mode,
        **dict(zip(SLICES, view.slices, strict=True)),
        **dict(zip(PROBED, view.probe, strict=True)),
        "keep": [0, 100],
        "warp": f"{view.warp:g}",
        "colors": view.colors,
        "ends": view.ends,
        "low": "",
        "high": "",
        "time": a.number,
        "axis": "z",
        "tab": "probe",
        "histogram": "",
        "spectrum": "",
    }


def shown_view(state: Mapping[str, Any], viewer: Viewer) -> View:
    """The viewer's view with what the page says; text that is no number is not read.

    A colour scale that becomes the user's own begins with the ends that it had.
    """
    view = viewer.view
    low, high = view.limits
    limits = _number(state["low"], low), _number(state["high"], high)
    if state["ends"] == "own" and view.ends != "own":
        scale = view.color_scale(viewer.scalars()[0])
        limits = scale.low, scale.high
    i, j, k = (int(state[name]) for name in SLICES)
    x, y, z = (name in state["planes"] for name in "xyz")
    return replace(
        view,
        planes=(x, y, z),
        mode=state["mode"],
        slices=(i, j, k),
        keep=_kept(state["keep"], viewer),
        warp=_number(state["warp"], view.warp),
        colors=state["colors"],
        ends=state["ends"],
        limits=limits,
    )


def probed_voxel(
    state: Mapping[str, Any], viewer: Viewer
) -> tuple[int, int, int] | None:
    """The voxel whose values are to be listed; None while what is typed is none."""
    shape = viewer.files[0].body.grid.shape
    try:
        i, j, k = (
            min(max(int(state[name]), 0), n - 1)
            for name, n in zip(PROBED, shape, strict=True)
        )
    except (TypeError, ValueError):
        return None
    return i, j, k


def _kept(percent: tuple[float, float], viewer: Viewer) -> tuple[float, float] | None:
    """Values that percentages of their range stand for."""
    scalar = viewer.scalars()[0]
    inside = scalar.values[scalar.solid]
    if tuple(percent) == (0, 100) or not inside.size:
        return None
    low, high = float(inside.min()), float(inside.max())
    size = high - low
    return low + size * percent[0] / 100, high - size * (100 - percent[1]) / 100


def _number(text: Any, default: float) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return default
    return value if np.isfinite(value) else default
