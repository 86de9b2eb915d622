"""Statistics of a dataset as histograms."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.datasets.dataset import Dataset
from fftmech.datasets.splits import SPLITS
from fftmech.errors import InputError
from fftmech.figures import matplotlib_module, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS, _WIDTH, _HEIGHT = 3, 3.7, 2.6  # of histograms; inches
_BINS = 20
_FEW = 6  # whole numbers that an axis shows at least
_WIDE = 30.0  # positive numbers that spread over this ratio get a logarithmic axis
_MEASURED = 300  # bodies whose grains are measured
_PUBLISHED = -0.788  # mean of ln D that is given for bodies of 24 grains

MOST_CLASSES = 8
"""Names that a statistic may have to sort samples by it."""


def statistics_figure(dataset: Dataset) -> "Figure":
    """Draw histograms of the samples' statistics.

    Samples by split; iterations and residuals by resolution; the numbers among the
    statistics, by class where a statistic is a name. Of polycrystals also the diameters
    of the grains, measured on the voxels of up to 300 bodies, with the law that they
    were drawn from.
    """
    check_samples(dataset)
    records = dataset.records
    names = dict.fromkeys(n for r in records for n in r["statistics"])
    numbers = [name for name in names if _is_number(records, name)]
    grains = dataset.card.kind == "polycrystal"
    rows = -(-(3 + grains + len(numbers)) // _COLUMNS)
    figure = new_figure((_COLUMNS * _WIDTH, rows * _HEIGHT + 0.4))
    figure.set_layout_engine("constrained")
    axes = iter(figure.subplots(rows, _COLUMNS, squeeze=False).ravel())
    _draw_splits(next(axes), dataset)
    tolerance = dataset.card.method["tolerance"]
    _draw_solves(next(axes), dataset, "iterations", "iterations", 1)
    _draw_solves(next(axes), dataset, "residual", "residual / tolerance", tolerance)
    if grains:
        _draw_grains(next(axes), dataset)
    group = class_statistic(records)
    sizes = Counter(class_of(record, group) for record in records)
    for name in numbers:
        values = {
            label: [
                record["statistics"][name]
                for record in records
                if class_of(record, group) == label
                and record["statistics"].get(name) is not None
            ]
            for label in sorted(sizes)
        }
        _histogram(next(axes), values, name.replace("_", " "))
    for ax in axes:
        ax.axis("off")
    if group and numbers:
        patch = matplotlib_module("patches").Patch
        handles = [
            patch(color=f"C{k}", alpha=0.5, label=f"{name} ({sizes[name]})")
            for k, name in enumerate(sorted(sizes))
        ]
        figure.legend(
            handles=handles, loc="outside lower center", ncols=len(handles), title=group
        )
    return figure


def check_samples(dataset: Dataset) -> None:
    """Refuse a dataset without samples."""
    if not len(dataset):
        split = f" of split {dataset.split}" if dataset.split else ""
        raise InputError(
            f"{dataset.directory}: no sample{split} is done yet", mend="nothing to draw"
        )


def spaced(total: int, count: int) -> list[int]:
    """Return at most `count` numbers below `total`, evenly spaced."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).astype(int)).tolist()


def class_statistic(records: Sequence[Mapping[str, Any]]) -> str | None:
    """Name of the first statistic that is a text with few values, if there is one."""
    for name in dict.fromkeys(n for r in records for n in r["statistics"]):
        found = [r["statistics"].get(name) for r in records]
        texts = {value for value in found if isinstance(value, str)}
        if 0 < len(texts) <= min(MOST_CLASSES, len(records) - 1):
            return name
    return None


def class_of(record: Mapping[str, Any], statistic: str | None) -> str:
    """Class of a sample; "" without a statistic."""
    return str(record["statistics"].get(statistic, "other")) if statistic else ""


def _is_number(records: Sequence[Mapping[str, Any]], name: str) -> bool:
    found = [r["statistics"].get(name) for r in records]
    values = [value for value in found if value is not None]
    return bool(values) and all(type(value) in (int, float) for value in values)


def _draw_splits(ax: Any, dataset: Dataset) -> None:
    done, failed = (
        [sum(r["split"] == split for r in records) for split in SPLITS]
        for records in (dataset.records, dataset.failed)
    )
    ax.bar_label(ax.bar(SPLITS, done, width=0.6, color="C0", alpha=0.6))
    if any(failed):
        ax.bar(SPLITS, failed, 0.6, done, color="C3", alpha=0.6, label="failed")
        ax.legend(frameon=False, fontsize=8)
    ax.margins(y=0.15)
    ax.set_ylabel("samples")
    ax.set_xlabel("split")
    _bare(ax)


def _draw_solves(ax: Any, dataset: Dataset, name: str, text: str, unit: float) -> None:
    """A number that the manifest has of each solve, in some unit, by resolution."""
    values = {
        f"{res}$^3$ voxels": [
            r[name][str(res)] / unit for r in dataset.records if str(res) in r[name]
        ]
        for res in dataset.card.levels[::-1]
    }
    _histogram(ax, values, text)
    ax.legend(frameon=False, fontsize=8)


def _histogram(ax: Any, values: Mapping[str, Sequence[float]], text: str) -> None:
    """Overlaid histograms with common bins, one for each entry that is not empty."""
    edges, logarithmic = _bins(np.concatenate([np.array(v) for v in values.values()]))
    for k, (label, own) in enumerate(values.items()):
        if own:
            how = {"bins": edges, "color": f"C{k}"}
            ax.hist(own, histtype="stepfilled", alpha=0.35, label=label, **how)
            ax.hist(own, histtype="step", lw=1.2, **how)
    if logarithmic:
        ax.set_xscale("log")
    else:
        whole = bool(np.all(edges % 1 == 0.5))
        ax.locator_params(axis="x", nbins=6, integer=whole)
        ax.ticklabel_format(axis="x", scilimits=(-2, 4), useMathText=True)
    ax.set_xlabel(text)
    ax.set_ylabel("samples")
    ax.yaxis.get_major_locator().set_params(integer=True)
    _bare(ax)


def _bins(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Edges of bins, and whether they are logarithmic."""
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > _WIDE * low:
        return np.geomspace(low, high, _BINS + 1), True
    if (values == np.rint(values)).all():
        # as many whole numbers in every bin
        step = np.ceil((high - low + 1) / _BINS)
        empty = step * max(0, np.ceil((_FEW - (high - low)) / 2))
        return np.arange(low - empty - 0.5, high + empty + step, step), False
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.05 * abs(low)
        low, high = low - margin, high + margin
    return np.linspace(low, high, _BINS + 1), False


def _draw_grains(ax: Any, dataset: Dataset) -> None:
    """Grain sizes, and the law that they were drawn from."""
    from fftmech.datasets.polycrystal import log_diameters

    maps = Dataset(
        dataset.directory, dataset.split, fields=(), levels=dataset.card.levels[:1]
    )
    bodies = [log_diameters(maps[i].high.body) for i in spaced(len(maps), _MEASURED)]
    logs = np.concatenate(bodies)
    ax.hist(logs, bins=_BINS, density=True, color="C0", alpha=0.35)
    text = f"measured: {logs.mean():.3f} $\\pm$ {logs.std():.3f}"
    ax.plot([], [], color="C0", alpha=0.35, lw=6, label=text)
    x = np.linspace(logs.min() - 0.05, logs.max() + 0.05, 200)
    law = _size_law(dataset.card.parameters, [len(body) for body in bodies], x)
    if law is not None:
        ax.plot(x, law, color="0.1", lw=1.3, label="as drawn")
    label = f"published {_PUBLISHED}"
    ax.axvline(_PUBLISHED, 0, 0.68, color="C3", ls="--", lw=1, label=label)
    ax.set_xlabel("ln(equivalent diameter / edge)")
    ax.set_ylabel(f"density, {len(logs)} grains")
    ax.margins(y=0.5)
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    _bare(ax)


def _size_law(
    parameters: Mapping[str, Any], counts: Sequence[int], x: np.ndarray
) -> np.ndarray | None:
    """Density of ln D of grains, at x, that these numbers of them were drawn from."""
    from fftmech.datasets.polycrystal import size_target

    if parameters["sizes"] is None:
        return None
    mu, sigma = parameters["sizes"]
    density = np.zeros_like(x)
    for count in counts:
        mean = mu if parameters["grains"] is None else size_target(count, sigma)[0]
        density += count * np.exp(-(((x - mean) / sigma) ** 2) / 2)
    return density / (sum(counts) * sigma * np.sqrt(2 * np.pi)) if sigma else None


def _bare(ax: Any) -> None:
    ax.spines[["top", "right"]].set_visible(False)
