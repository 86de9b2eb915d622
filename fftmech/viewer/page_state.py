"""Variables of the page: their first values, and the view that they say."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fftmech.viewer.view import View
from fftmech.viewer.viewer import Viewer

SLICES = ("slice_x", "slice_y", "slice_z")
SHOWN = ("planes", "mode", *SLICES, "keep", "warp", "colors", "ends", "low", "high")
"""Variables of the page that are the view's."""

PROBED = ("probe_x", "probe_y", "probe_z")


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
    limits = (
        _number(state["low"], view.limits[0]),
        _number(state["high"], view.limits[1]),
    )
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
