"""A comparison as a picture, error against time, and its files."""

from collections.abc import Sequence
from dataclasses import asdict
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ecosurrogate.comparison.comparison import Comparison, Point
from ecosurrogate.comparison.sentences import headline, notes, sentences
from ecosurrogate.training.files import finite, write_json
from fftmech.arrays.memory import size_text
from fftmech.errors import InputError
from fftmech.figures import FORMATS, matplotlib_module, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "comparison"
"""Of the files in a folder."""

FIELDS = ("strain", "stress")

# Okabe & Ito's blue, vermilion and green, which people of any colour vision tell apart
_SOLVER, _SURROGATE, _WARM = "#0072b2", "#d55e00", "#009e73"
_ROOM = 18.0  # dots between points with numbers


class Files(NamedTuple):
    """Picture and JSON document, None where not written, and the folder of both."""

    picture: Path | None
    document: Path | None
    folder: Path | None = None

    @property
    def written(self) -> list[Path]:
        """Files that are written."""
        return [path for path in (self.picture, self.document) if path]

    @property
    def new(self) -> list[Path]:
        """What is not there yet, unless it is replaced."""
        if self.folder and not self.folder.is_dir():
            return [self.folder]
        return self.written


def output_files(output: str | PathLike) -> Files:
    """Files of an output: a picture, a JSON document, or a folder for both."""
    path = Path(output)
    suffix = path.suffix.lower()
    if suffix == ".json" and not path.is_dir():
        return Files(None, path)
    matplotlib_module("figure")
    if path.is_dir() or not suffix:
        return Files(path / f"{NAME}{FORMATS[0]}", path / f"{NAME}.json", path)
    if suffix in FORMATS:
        return Files(path, None)
    raise InputError(
        f"{fspath(output)}",
        f"{', '.join(FORMATS)} for the picture, .json for the numbers, or a folder, "
        "without extension, for both",
    )


def document(found: Comparison) -> dict[str, Any]:
    """JSON-ready: the numbers, and sentences that say which is faster.

    An error that does not exist, against a uniform solution, is None.
    """
    return {**finite(asdict(found)), "verdict": sentences(found), "notes": notes(found)}


def write(found: Comparison, files: Files) -> None:
    """Write the files; each appears whole."""
    if files.folder:
        files.folder.mkdir(exist_ok=True)
    if files.document:
        write_json(files.document, document(found))
    if files.picture:
        save_figure(figure(found), files.picture)


def figure(found: Comparison) -> "Figure":
    """Draw the errors of strain and stress against the seconds for one body.

    Numbers at the points are iterations, or corrections of the model; bars have nine of
    ten repeats. The dotted line leads from the prediction to where the solver is first
    as good, the grey one is the uniform field.
    """
    made = new_figure((10.0, 5.0))
    panels = made.subplots(1, 2, sharex=True, sharey=True)
    for ax, field in zip(panels, FIELDS, strict=True):
        _draw(ax, found, field)
        ax.set_title(field, fontsize=11)
        ax.set_xlabel("seconds a body; bars: nine of ten repeats")
        ax.grid(which="major", color="0.9")
        ax.set_axisbelow(True)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.margins(x=0.12, y=0.08)
    panels[0].set_ylabel("nRMSE over the standard deviation")
    _plain_seconds(panels[0])
    handles, labels = panels[0].get_legend_handles_labels()
    made.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False)
    subject = (
        f"{found.model}, {size_text(found.shape)} voxels, {found.device}; numbers: "
        "iterations of CG, corrections of the surrogate"
    )
    made.text(0.5, 0.96, headline(found), ha="center", va="center", fontsize=12)
    made.text(0.5, 0.905, subject, ha="center", va="center", color="0.35", fontsize=10)
    made.tight_layout(rect=(0, 0.06, 1, 0.9))
    for ax, field in zip(panels, FIELDS, strict=True):
        # where the axes are final
        _number(ax, found.solver, field, _SOLVER)
        _number(ax, found.warm, field, _WARM)
        _number(ax, found.surrogate, field, _SURROGATE, above=True)
    return made


def _draw(ax: Any, found: Comparison, field: str) -> None:
    if found.uniform[field]:
        ax.axhline(found.uniform[field], color="0.6", lw=1.2, label="uniform field")
    best = found.surrogate[-1]
    level, k = getattr(best, field), found.first[field]
    equal = next((p for p in found.solver if p.steps == k), None)
    if equal and _error(best, field):
        ends = sorted((best.seconds, equal.seconds))
        ax.plot(ends, [level] * 2, color="0.45", ls=":", lw=1.2)
    styles = (
        (found.solver, "o-", _SOLVER, "conjugate gradients (CG)"),
        (found.warm, "^--", _WARM, "CG from the prediction"),
        (found.surrogate, "D-", _SURROGATE, "surrogate"),
    )
    for points, style, color, label in styles:
        seconds = [p.seconds for p in points]
        errors = [_error(p, field) for p in points]
        ax.plot(seconds, errors, style, color=color, lw=1.4, ms=5, label=label)
        for point, error in zip(points, errors, strict=True):
            if error is not None:
                ax.hlines(error, *point.spread, color=color, lw=3, alpha=0.4)
    for b in best.batches:
        if b > 1:
            ax.plot(
                [p.batches[b] for p in found.surrogate],
                [_error(p, field) for p in found.surrogate],
                "D:",
                color=_SURROGATE,
                mfc="white",
                lw=1,
                ms=5,
                label=f"surrogate, batches of {b}",
            )


def _number(
    ax: Any, points: Sequence[Point], field: str, color: str, above: bool = False
) -> None:
    """Steps beside the last point, and beside others that leave room for it."""
    placed: list[np.ndarray] = []
    for point in (*points[-1:], *points[:-1]):
        error = _error(point, field)
        if point.steps is None or error is None:
            continue
        place = ax.transData.transform((point.seconds, error))
        if any(np.linalg.norm(place - other) < _ROOM for other in placed):
            continue
        placed.append(place)
        ax.annotate(
            f"{point.steps}",
            (point.seconds, error),
            xytext=(0, 6) if above else (7, 0),
            textcoords="offset points",
            ha="center" if above else "left",
            va="bottom" if above else "center",
            fontsize=8,
            color=color,
        )


def _error(point: Point, field: str) -> float | None:
    """None, which is not drawn, for no error at all, or one that does not exist."""
    error = getattr(point, field)
    return error if 0 < error < np.inf else None


def _plain_seconds(ax: Any) -> None:
    """Seconds as 0.01, 0.1, 1, and some between them where these are few."""
    ticker = matplotlib_module("ticker")
    low, high = ax.get_xlim()
    steps = (1.0,) if high > 50 * low else (1.0, 2.0, 5.0)
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=steps))
    ax.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(ticker.NullFormatter())
