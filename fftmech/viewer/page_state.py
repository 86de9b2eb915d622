"""State of the page: from a exhibit, and back to what it says is shown."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fftmech.viewer.exhibit import Exhibit
from fftmech.viewer.picture import shortened
from fftmech.viewer.state import View, color_scale

SHOWN = (
    *("planes", "mode", "slice_x", "slice_y", "slice_z"),
    *("keep", "warp", "colors", "ends", "low", "high"),
)
"""Variables of the page that are the view's."""

PROBED = ("probe_x", "probe_y", "probe_z")


def first_state(exhibit: Exhibit) -> dict[str, Any]:
    """All variables of the page at first."""
    view, a = exhibit.view, exhibit.subjects[0]
    return {
        "trame__title": f"{a.path.name} · fftmech view",
        "fields": [{"title": a.titles[name], "value": name} for name in exhibit.fields],
        "field": view.field,
        "components": list(exhibit.fields[view.field]),
        "component": view.component,
        "planes": [n for n, on in zip("xyz", view.planes, strict=True) if on],
        "mode": view.mode,
        **{f"slice_{n}": i for n, i in zip("xyz", view.slices, strict=True)},
        **dict(zip(PROBED, view.probe, strict=True)),
        "keep": [0, 100],
        "keep_text": "",
        "warp": f"{view.warp:g}",
        "colors": view.colors,
        "ends": view.ends,
        "low": "",
        "high": "",
        "time": a.number,
        "time_text": "",
        "axis": "z",
        "tab": "probe",
        "titles": titles(exhibit),
        "bars": [],
        "runs": [],
        "probed": [],
        "histogram": "",
        "spectrum": "",
    }


def titles(exhibit: Exhibit) -> list[str]:
    """What is above each scene."""
    length = 170 if len(exhibit.subjects) == 1 else 52
    return [shortened(panel.title, length) for panel in exhibit.panels()]


def shown_view(state: Mapping[str, Any], exhibit: Exhibit) -> View:
    """The exhibit's view with what the page says; text that is no number is not read.

    A colour scale that becomes the user's own begins with the ends that it had.
    """
    view = exhibit.view
    low, high = (
        _number(state[name], end)
        for name, end in zip(("low", "high"), view.limits, strict=True)
    )
    if state["ends"] == "own" and view.ends != "own":
        low, high, _ = color_scale(view, exhibit.scalars()[0])
    planes, slices = state["planes"], [int(state[f"slice_{n}"]) for n in "xyz"]
    return replace(
        view,
        planes=("x" in planes, "y" in planes, "z" in planes),
        mode=state["mode"],
        slices=(slices[0], slices[1], slices[2]),
        keep=_kept(state["keep"], exhibit),
        warp=_number(state["warp"], view.warp),
        colors=state["colors"],
        ends=state["ends"],
        limits=(low, high),
    )


def probed_voxel(
    state: Mapping[str, Any], exhibit: Exhibit
) -> tuple[int, int, int] | None:
    """The voxel whose values are to be listed; None while what is typed is none."""
    shape = exhibit.subjects[0].body.grid.shape
    try:
        i, j, k = (
            min(max(int(state[name]), 0), n - 1)
            for name, n in zip(PROBED, shape, strict=True)
        )
    except (TypeError, ValueError):
        return None
    return i, j, k


def _kept(share: tuple[float, float], exhibit: Exhibit) -> tuple[float, float] | None:
    """Values that percentages of their range stand for."""
    if tuple(share) == (0, 100):
        return None
    scalar = exhibit.scalars()[0]
    inside = scalar.values[scalar.solid]
    if not inside.size:
        return None
    low, high = float(inside.min()), float(inside.max())
    return (
        low + (high - low) * share[0] / 100,
        high - (high - low) * (100 - share[1]) / 100,
    )


def _number(text: Any, default: float) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return default
    return value if np.isfinite(value) else default
