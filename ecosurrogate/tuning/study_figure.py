"""Picture of a study: its errors by trial, and by each setting that was tried."""

from math import ceil
from typing import TYPE_CHECKING, Any

from ecosurrogate.tuning.journal import Trial
from ecosurrogate.tuning.search_space import Choice, Range, Space
from fftmech.figures import matplotlib_module, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4
_PANEL = (2.9, 2.6)  # inches
_LEGEND = 0.3  # inches, above the panels
_NAME = 12  # characters of a choice that are written out


def study_figure(trials: list[Trial], space: Space, error: str) -> "Figure":
    """Draw the error of each trial against its number, and against its values.

    Filled: trained to the end; hollow: pruned, with the last error; red: the best. The
    line is the best so far. Trials without an error are left out.

    Raises
    ------
    InputError
        Matplotlib is not installed.
    """
    panels = 1 + len(space)
    rows = ceil(panels / _COLUMNS)
    columns = ceil(panels / rows)
    figure = new_figure((_PANEL[0] * columns, _PANEL[1] * rows))
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for ax in axes.flat[panels:]:
        ax.set_visible(False)
    known = [t for t in trials if t.error is not None]
    done = [t for t in known if t.status == "done"]
    best = min(done, key=lambda t: (t.error, t.number), default=None)
    front, *others = axes.flat[:panels]
    _points(front, known, [t.number for t in known], best)
    if best:
        _best_so_far(front, done, trials[-1].number)
    front.set_xlabel("trial")
    front.xaxis.set_major_locator(
        matplotlib_module("ticker").MaxNLocator(integer=True, nbins=6)
    )
    for ax, (key, dimension) in zip(others, space.items(), strict=True):
        ax.set_xlabel(key)
        if isinstance(dimension, Choice):
            places = [dimension.labels.index(_label(t, key)) for t in known]
            _points(ax, known, places, best)
            names = [label[:_NAME] for label in dimension.labels]
            ax.set_xticks(range(len(names)), names)
            ax.set_xlim(-0.5, len(names) - 0.5)
            continue
        _points(ax, known, [t.values[key] for t in known], best)
        _axis(ax, dimension)
    errors = [t.error for t in known if t.error is not None]
    if errors and 0 < 5 * min(errors) < max(errors):
        front.set_yscale("log")
    for ax in axes[:, 0]:
        ax.set_ylabel(error.replace(" and ", "\nand "))
    for ax in axes.flat[:panels]:
        ax.grid(color="0.9")
        ax.set_axisbelow(True)
    height = _PANEL[1] * rows
    figure.tight_layout(rect=(0, 0, 1, 1 - _LEGEND / height))
    marks = (("C0", "C0", "trained to the end"), ("none", "C0", "pruned"))
    handles = [
        front.scatter([], [], s=18, facecolors=face, edgecolors=edge, label=label)
        for face, edge, label in (*marks, ("C3", "C3", "best"))
    ]
    figure.legend(handles=handles, loc="upper right", ncols=3, frameon=False)
    return figure


def _points(ax: Any, trials: list[Trial], places: list[Any], best: Any) -> None:
    for trial, x in zip(trials, places, strict=True):
        if trial is best:
            color, face, size = "C3", "C3", 40
        else:
            face = "C0" if trial.status == "done" else "none"
            color, size = "C0", 18
        ax.scatter(x, trial.error, s=size, facecolors=face, edgecolors=color, zorder=3)


def _best_so_far(ax: Any, done: list[Trial], last: int) -> None:
    xs, ys = [], []
    for trial in done:
        if not ys or trial.error < ys[-1]:
            xs.append(trial.number)
            ys.append(trial.error)
    ax.step([*xs, last], [*ys, ys[-1]], where="post", color="0.6", lw=1.2)


def _axis(ax: Any, dimension: Range) -> None:
    """An axis over the whole range, with a margin."""
    low, high = dimension.low, dimension.high
    if dimension.log:
        ax.set_xscale("log")
        margin = (high / low) ** 0.04
        ax.set_xlim(low / margin, high * margin)
    else:
        margin = 0.04 * (high - low)
        ax.set_xlim(low - margin, high + margin)


def _label(trial: Trial, key: str) -> str:
    return Choice((trial.values[key],)).labels[0]
