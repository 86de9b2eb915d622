"""The log of a run: a line of JSON a step, and a picture."""

import json
import time
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ecosurrogate.training.files import finite
from fftmech.errors import InputError
from fftmech.figures import matplotlib_module, new_figure, save_figure
from fftmech.io.atomic import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "log.jsonl"
CURVES = "curves.png"

PAUSE = 10.0
"""Least time between two pictures of a running training, seconds."""

_ERRORS = {
    "strain": "strain, nRMSE",
    "stress": "stress, nRMSE",
    "certificate": "energy, by certificate",
}


class Log:
    """The log of a run; a context, with a file open.

    A step's record has step, loss (null where it was not finite), terms, lr, grad_norm,
    skipped, seconds; a validation's has step and validation. Of a log that goes on from
    `step`, records of later ones, and a line that was cut off, go.
    """

    def __init__(self, run: str | PathLike, step: int = 0) -> None:
        self.run, self.step = Path(run), step
        self.records: list[dict[str, Any]] = []
        self._file: IO[str] | None = None
        self._drawn = time.monotonic()

    def __enter__(self) -> "Log":
        path = self.run / NAME
        self.records = list(read_log(self.run, self.step)) if self.step else []
        with whole_file(path) as temporary:
            temporary.write_text("".join(map(_line, self.records)), encoding="utf-8")
        self._file = open(path, "a", encoding="utf-8")
        return self

    def __exit__(self, *error: object) -> None:
        assert self._file is not None
        self._file.close()

    def add(self, record: dict[str, Any]) -> None:
        """Append a record; numbers that are not finite become null."""
        assert self._file is not None
        record = finite(record)
        self.records.append(record)
        try:
            self._file.write(_line(record))
            self._file.flush()
        except OSError as error:
            # a failed write does not name its file
            raise OSError(error.errno, error.strerror, str(self.run / NAME)) from error

    def draw(self, at_once: bool = False) -> None:
        """Draw `curves.png` if Matplotlib is installed and the last one is not new."""
        now = time.monotonic()
        if now - self._drawn < PAUSE and not at_once:
            return
        try:
            figure = curves(self.records)
        except InputError:
            return
        save_figure(figure, self.run / CURVES, dpi=100)
        self._drawn = now


def read_log(run: str | PathLike, step: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the records of a run up to a step; lines that are no record are left out.

    A run without a log has none.
    """
    path = Path(run) / NAME
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
            known = isinstance(record["step"], int)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if known and (step is None or record["step"] <= step):
            yield record


def curves(records: list[dict[str, Any]]) -> "Figure":
    """Draw the loss and the errors of validation against the step.

    The line of the loss is a mean over a twentieth of the steps.
    """
    figure = new_figure((9.0, 3.6))
    left, right = figure.subplots(1, 2)
    points = [(r["step"], r["loss"]) for r in records if r.get("loss") is not None]
    if points:
        steps, losses = np.array(points).T
        window = max(1, len(losses) // 20)
        sums = np.concatenate(([0.0], np.cumsum(losses)))
        left.plot(steps, losses, color="0.8", lw=0.8)
        means = (sums[window:] - sums[:-window]) / window
        left.plot(steps[window // 2 :][: len(means)], means, "C0", lw=1.4)
        if losses.max() > 10 * losses.min() > 0:
            _log_axis(left)
    left.set_ylabel(_loss_label(records))
    tried = [r for r in records if "validation" in r]
    for number, (key, label) in enumerate(_ERRORS.items()):
        found = [(r["step"], r["validation"].get(key)) for r in tried]
        found = [(step, value) for step, value in found if value]
        if found:
            right.plot(*zip(*found, strict=True), f"C{number}.-", lw=1.4, label=label)
    if right.lines:
        _mark_uniform(right, tried[-1]["validation"])
    right.set_ylabel("error on the validation set")
    if right.lines:
        _log_axis(right)
        right.legend(frameon=False)
    for ax in (left, right):
        ax.set_xlabel("step")
        ax.grid(which="major", color="0.9")
    figure.tight_layout()
    return figure


def _mark_uniform(ax: Any, errors: dict[str, Any]) -> None:
    """Dotted lines at the errors of uniform fields, which know nothing."""
    how = {"ls": ":", "lw": 1.2}
    if "strain" in errors or "stress" in errors:
        ax.axhline(1, color="0.4", **how, label="nRMSE of a uniform field")
    if errors.get("uniform"):
        ax.axhline(errors["uniform"], color="C2", **how, label="of uniform fields")


def _loss_label(records: list[dict[str, Any]]) -> str:
    """The terms of the loss; that of an error's logarithm falls below zero."""
    last = next((r for r in reversed(records) if r.get("loss") is not None), {})
    terms = ", ".join(last.get("terms", {})) or "loss"
    below = (last.get("loss") or 0) < 0
    return f"loss: {terms}" + (", ln of a relative error" if below else "")


def _log_axis(ax: Any) -> None:
    """A logarithmic axis with plain numbers, those between decades if they are few."""
    ticker = matplotlib_module("ticker")
    ax.set_yscale("log")
    for place in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        place(ticker.LogFormatter(minor_thresholds=(2, 0.5)))


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
