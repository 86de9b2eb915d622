"""Pole figures: equal-area projections of the upper hemisphere."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.figures.colors import SEQUENTIAL
from fftmech.figures.matplotlib_figure import matplotlib_module, new_figure
from fftmech.microstructure.poles import Poles, chance, density, lift, project, upper

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 200
"""Crystals whose poles are drawn as points; of more, the density is."""

SPREAD = 7.5
"""Degrees that a density is smoothed by."""

_PANEL = 2.7  # inches, the diameter of a pole figure
_BAR = 1.1  # inches on the right, for the colour bar
_TOP, _BOTTOM = 0.75, 0.75
_GAP = 0.6  # inches between discs
_PIXELS = 121  # across a disc
_AREA = 2000.0  # points^2 that all dots cover, unless the largest were too large
_LARGEST = 60.0  # points^2


def pole_figure(figures: Sequence[Poles], points: bool | None = None) -> "Figure":
    """Draw pole figures side by side: sample axes x to the right, y up, z to the eye.

    The upper hemisphere in equal-area (Lambert's, Schmidt's) projection: equal areas
    are equal parts of the sphere. Few crystals are dots, of areas in proportion to
    their volumes. Of many the density is drawn, in multiples of that of a random
    texture, from 0 to the largest of all figures in one scale.

    Parameters
    ----------
    figures
        Poles of each kind of plane.
    points
        Whether dots are drawn; None decides by the number of crystals.

    Raises
    ------
    InputError
        Matplotlib is not installed.
    """
    if points is None:
        points = max(len(poles.weights) for poles in figures) <= MOST_POINTS
    bar = 0.2 if points else _BAR
    width = max(len(figures) * (_PANEL + _GAP) + bar, 4.2)
    height = _PANEL + _TOP + _BOTTOM
    figure = new_figure((width, height))
    left = (width - bar - len(figures) * (_PANEL + _GAP) + _GAP) / 2
    panels = []
    for n in range(len(figures)):
        x = left + n * (_PANEL + _GAP)
        box = (x / width, _BOTTOM / height, _PANEL / width, _PANEL / height)
        panels.append(figure.add_axes(box))
    if points:
        for ax, poles in zip(panels, figures, strict=True):
            _draw_points(ax, poles)
    else:
        _draw_densities(panels, figures)
    for ax, poles in zip(panels, figures, strict=True):
        _draw_frame(ax, poles)
    figure.text(0.5, 0.16 / height, _caption(figures, points), ha="center", fontsize=8)
    return figure


def _caption(figures: Sequence[Poles], points: bool) -> str:
    first = "equal-area projection of the upper hemisphere, "
    if points:
        return first + "z to the eye;\ndots have areas in proportion to crystal volumes"
    noise = max(chance(poles, SPREAD) for poles in figures)
    return (
        f"{first}z to the eye;\nsmoothed by {SPREAD:g}\N{DEGREE SIGN}; as many random "
        f"crystals would have 1 \N{PLUS-MINUS SIGN} {noise:.1g}"
    )


def _draw_points(ax: Any, poles: Poles) -> None:
    vectors = poles.directions
    count = vectors.shape[1]
    weights = np.repeat(poles.weights, count)
    points = upper(vectors.reshape(-1, 3))
    # a pole on the rim is at both of its ends
    rim = points[:, 2] < 1e-9
    places = project(np.concatenate([points, -points[rim] * [1, 1, 0]]))
    scale = min(_AREA / count, _LARGEST / weights.max())
    sizes = scale * np.concatenate([weights, weights[rim]])
    dots = ax.scatter(*places.T, s=sizes, c="#0072b2", alpha=0.7, lw=0, zorder=5)
    dots.set_clip_on(False)


def _draw_densities(panels: Sequence[Any], figures: Sequence[Poles]) -> None:
    half = 1 + 1 / _PIXELS
    axis = np.linspace(-half, half, _PIXELS)
    x, y = np.meshgrid(axis, axis)
    # pixels beyond the rim are below it, and what they say is cut off there
    near = np.hypot(x, y) < 1 + 4 / _PIXELS
    directions = lift(np.stack([x[near], y[near]], axis=1))
    inside = np.hypot(x, y)[near] <= 1
    values = [density(poles, directions, SPREAD) for poles in figures]
    top = max(v[inside].max() for v in values)
    patches = matplotlib_module("patches")
    for ax, value in zip(panels, values, strict=True):
        whole = np.zeros(x.shape)
        whole[near] = value
        h = axis[1] - axis[0]
        edge = half + h / 2
        image = ax.imshow(
            whole,
            origin="lower",
            extent=(-edge, edge, -edge, edge),
            cmap=SEQUENTIAL,
            vmin=0.0,
            vmax=top,
            interpolation="bilinear",
        )
        image.set_clip_path(patches.Circle((0, 0), 1, transform=ax.transData))
        low, high = value[inside].min(), value[inside].max()
        text = f"{low:.2g} to {high:.2g}"
        ax.text(0.98, -0.99, text, ha="right", va="top", fontsize=8)
    place = panels[-1].inset_axes((1.2, 0.1, 0.06, 0.8))
    panels[-1].figure.colorbar(image, cax=place, label="multiples of random")


def _draw_frame(ax: Any, poles: Poles) -> None:
    patches = matplotlib_module("patches")
    rim = patches.Circle((0, 0), 1, fill=False, lw=1, ec="black", zorder=4)
    ax.add_patch(rim).set_clip_on(False)
    ax.plot([0], [0], "+", color="0.3", ms=5, mew=0.8, zorder=2)
    ax.plot([1, 1.05], [0, 0], color="black", lw=1, clip_on=False)
    ax.plot([0, 0], [1, 1.05], color="black", lw=1, clip_on=False)
    ax.text(1.08, 0, "x", ha="left", va="center")
    ax.text(0, 1.07, "y", ha="center", va="bottom")
    ax.set_xlim(-1, 1)
    ax.set_ylim(-1, 1)
    ax.set_aspect("equal")
    ax.axis("off")
    n = len(poles.weights)
    title = f"{_braces(poles.indices)}, {n} crystal{'' if n == 1 else 's'}"
    ax.text(0, 1.27, title, ha="center", va="bottom", fontsize=10)


def _braces(indices: Sequence[int]) -> str:
    """Name of the equivalent planes, with bars for negative indices."""
    digits = "".join(str(i) if i >= 0 else rf"\bar{{{-i}}}" for i in indices)
    return rf"$\{{{digits}\}}$"
