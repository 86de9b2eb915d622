"""Pictures of a dataset: a contact sheet of its samples, and their statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.datasets.dataset import Dataset
from fftmech.datasets.histograms import (
    check_samples,
    class_of,
    class_statistic,
    spaced,
    statistics_figure,
)
from fftmech.errors import InputError
from fftmech.figures import matplotlib_module, new_figure
from fftmech.figures.colors import color_range, phase_colors
from fftmech.figures.planes import in_plane
from fftmech.microstructure.base import Microstructure
from fftmech.results.scalar_fields import ScalarField
from fftmech.tensors.fields import von_mises

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["contact_sheet", "statistics_figure"]

_MOST_PAIRS = 4  # samples in a row
_PANEL, _GAP, _BETWEEN = 1.3, 0.06, 0.3  # inches: a slice, to its field, to the next
_LABEL, _TITLE, _BAR = 0.28, 0.38, 1.15  # inches: above a sample, above all, at right
_WIDE = 8.0  # colours whose ends have a larger ratio are logarithmic
_PORE = "0.8"  # a grey that no colour map here has


@dataclass(frozen=True)
class _Cut:
    """The slice of one sample: its colours at the high resolution, its stress below."""

    label: str
    body: np.ndarray
    field: np.ndarray
    """Whole low-resolution field, of which `plane` is drawn."""
    solid: np.ndarray
    plane: int
    unit: str


def contact_sheet(dataset: Dataset, count: int = 16) -> "Figure":
    """Draw slices of samples: the body as it was made, and the von Mises stress in it.

    The body is that of the highest resolution, the stress that of the lowest, of the
    first load. `count` samples are evenly spaced over all and have one colour scale,
    `colors.color_range` of all their voxels, logarithmic where these are far apart;
    pores are grey. Slices hold the axis of the load; they go through the middle, or of
    two phases through most of the rarer.
    """
    if count < 1:
        raise InputError(f"count {count}", "at least 1 sample")
    check_samples(dataset)
    fine, coarse = dataset.card.levels[0], dataset.card.levels[-1]
    across = _across(dataset)
    cuts = _cuts(dataset, across, count)
    values = np.stack([cut.field for cut in cuts])
    scalar = ScalarField(
        values,
        "von Mises stress",
        cuts[-1].unit,
        np.stack([cut.solid for cut in cuts]),
        float(np.abs(values).max(initial=0.0)),
    )
    figure = _draw_cuts(cuts, scalar, across)
    right, up = ("xyz"[a] for a in in_plane(across))
    loads = {"random": ", random loads", "six": ", load xx"}
    figure.text(
        _BETWEEN / figure.get_figwidth(),
        1 - 0.5 * _TITLE / figure.get_figheight(),
        f"{dataset.card.kind}: {fine}$^3$ voxels, and von Mises stress at {coarse}$^3$"
        f"{loads.get(dataset.card.loading.mode, '')}; {right} to the right, {up} up",
        fontsize=10,
        va="center",
    )
    return figure


def _cuts(dataset: Dataset, across: int, count: int) -> list[_Cut]:
    """Slices of samples, evenly spaced over all."""
    fine, coarse = dataset.card.levels[0], dataset.card.levels[-1]
    levels = tuple(dict.fromkeys((fine, coarse)))
    source = Dataset(
        dataset.directory, dataset.split, fields=("stress",), levels=levels
    )
    statistic = class_statistic(source.records)
    cuts = []
    for i in spaced(len(source), count):
        sample = source[i]
        high, low = sample.high.body, sample.low.body
        assert sample.low.stress is not None
        plane = _plane(high, coarse, across)
        kind = class_of(source.records[i], statistic)
        cuts.append(
            _Cut(
                ", ".join(filter(None, (str(sample.index), sample.split, kind))),
                _colored(high, across, (2 * plane + 1) * fine // coarse // 2),
                von_mises(sample.low.stress[0]),
                ~np.isin(low.phase, low.pores),
                plane,
                low.units.get("stress", ""),
            )
        )
    return cuts


def _across(dataset: Dataset) -> int:
    """Axis that slices are across: z, or y where the load is along z."""
    load = dataset.card.loading.load
    parts = {} if load is None else {**load.stress, **load.strain}
    return 1 if parts and max(parts, key=lambda c: abs(parts[c])) == "zz" else 2


def _plane(body: Microstructure, count: int, axis: int) -> int:
    """Plane, of `count` at the low resolution: through most of the rarer of two phases.

    The middle one of bodies of other numbers of phases.
    """
    if len(body.phases) != 2:
        return count // 2
    rarer = body.phase == body.phases[body.fractions[body.phases].argmin()]
    others = tuple(a for a in range(3) if a != axis)
    return int(rarer.sum(axis=others).reshape(count, -1).sum(axis=1).argmax())


def _colored(body: Microstructure, axis: int, plane: int) -> np.ndarray:
    """RGB of a slice, rows up."""
    rank = np.searchsorted(body.phases, body.phase.take(plane, axis))
    return np.array(phase_colors(body))[rank].swapaxes(0, 1)


def _draw_cuts(cuts: Sequence[_Cut], scalar: ScalarField, across: int) -> "Figure":
    columns = min(_MOST_PAIRS, len(cuts))
    rows = -(-len(cuts) // columns)
    step_x, step_y = 2 * _PANEL + _GAP + _BETWEEN, _PANEL + _LABEL
    width = _BETWEEN + columns * step_x + _BAR
    height = max(rows * step_y, 1.8) + _TITLE + 0.15
    figure = new_figure((width, height))
    inches = np.array([width, height, width, height])

    def axes(*place: float) -> Any:
        """Axes at x, y of this width and height, in inches."""
        return figure.add_axes(tuple(np.array(place) / inches))

    low, high, _ = color_range(scalar)
    wide = 0 < _WIDE * low < high
    norms = matplotlib_module("colors")
    norm = (norms.LogNorm if wide else norms.Normalize)(low, high)
    how: Any = {"origin": "lower", "interpolation": "nearest"}
    image: Any = None
    for n, cut in enumerate(cuts):
        row, column = divmod(n, columns)
        x = _BETWEEN + column * step_x
        y = height - _TITLE - (row + 1) * step_y
        body, field = (
            axes(x + k * (_PANEL + _GAP), y, _PANEL, _PANEL) for k in range(2)
        )
        for ax in (body, field):
            ax.set(xticks=[], yticks=[], facecolor=_PORE)
        body.imshow(cut.body, **how)
        body.set_title(cut.label, fontsize=9, loc="left", pad=3)
        masked = np.ma.array(cut.field, mask=~cut.solid).take(cut.plane, across)
        image = field.imshow(masked.T, **how, cmap="viridis", norm=norm)
    inside = scalar.values[scalar.solid]
    below, above = (inside < low).any(), (inside > high).any()
    tall = min(3.0, height - _TITLE - 0.5)
    bar: Any = figure.colorbar(
        image,
        cax=axes(width - _BAR, height - _TITLE - _LABEL - tall, 0.15, tall),
        extend=("neither", "max", "min", "both")[2 * below + above],
        label=scalar.label,
    )
    if not wide:
        bar.formatter.set_powerlimits((-2, 4))
        bar.formatter.set_useMathText(True)
    return figure
