"""A study: trials of settings, each a run, chosen by what the last ones showed.

    study.json      what is tried, every trial and the best; for reading
    best.toml       settings of the best trial, which `ecosr fit --config` takes
    study.png       errors by trial, and by what was tried
    journal.log     Optuna's record (JSON lines), from which a study goes on
    trial-0000/     a run (`ecosurrogate.training.checkpoint`); the first has the
    defaults

Multivariate tree-structured Parzen estimates (Oommen et al. 2025, Methods). What a
trial tries follows from the seed, its number and the trials before it, so that a study
that was interrupted goes on, on a CPU, as if it had not been.
"""

import json
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from ecosurrogate.training.checkpoint import STATE, locked, versions
from ecosurrogate.training.config import Settings
from ecosurrogate.training.log import PAUSE
from ecosurrogate.training.run import prepare
from ecosurrogate.training.train import fit
from ecosurrogate.tuning.journal import Journal, Trial
from ecosurrogate.tuning.search_space import Space, with_values
from ecosurrogate.tuning.study_figure import study_figure
from ecosurrogate.tuning.study_files import (
    BEST,
    PICTURE,
    STUDY,
    as_options,
    as_toml,
    write_text,
)
from fftmech.errors import InputError
from fftmech.figures import save_figure

LABELS = "mean of strain and stress nRMSE"
CERTIFICATE = "certificate"

PATIENCE = 3
"""Trials in a row that could not be trained after which a study stops."""

Watch = Callable[[int, int, int, float | None], None]
"""Called with a trial's number, its steps done, all its steps, and its last error."""


class Pruned(Exception):
    """A trial is worse than half of those before it were at the same step."""


@dataclass(frozen=True)
class Study:
    """Trials of one space on one dataset.

    Attributes
    ----------
    dataset, folder
        Its data, and where its files are.
    settings
        What all trials share.
    space
        What is tried.
    error
        What is minimised: `LABELS` or `CERTIFICATE`, on the validation set after the
        last step.
    card
        What must not change while it goes on; JSON-ready.
    first
        Default settings, the first trial's, by dotted keys.
    """

    dataset: str
    folder: Path
    settings: Settings
    space: Space
    error: str
    card: Mapping[str, Any]
    first: Mapping[str, Any]
    device: str

    def run(
        self,
        trials: int,
        watch: Watch | None = None,
        report: Callable[[Trial], None] | None = None,
    ) -> list[Trial]:
        """Go on until there are that many trials; return all of them.

        Parameters
        ----------
        trials
            Number of trials, those of earlier calls included.
        watch
            Called after each step.
        report
            Called after each trial.

        Raises
        ------
        InputError
            Less than one trial, a damaged study, another process at work on it, several
            trials in a row that could not be trained.
        KeyboardInterrupt
            After Ctrl-C; the trial goes on when this is called again.
        """
        if trials < 1:
            raise InputError(f"trials {trials}", "at least 1")
        self.folder.mkdir(exist_ok=True)
        with locked(self.folder):
            if not (self.folder / STUDY).exists():
                write_text(self.folder / STUDY, self._document([]))
            journal = Journal(self.folder, self.space, self.settings.get("seed", 0))
            journal.begin(self.first)
            done = journal.trials()
            drawn = time.monotonic()
            while len(done) < trials:
                number, values = journal.ask()
                self._try(journal, number, values, watch)
                done = journal.trials()
                self._write(done)
                if time.monotonic() - drawn > PAUSE:
                    self._draw(done)
                    drawn = time.monotonic()
                if report:
                    report(done[-1])
                if _hopeless(done):
                    raise InputError(
                        f"{PATIENCE} trials in a row could not be trained: "
                        f"{done[-1].reason}"
                    )
            self._write(done)
            self._draw(done)
        return done

    def trial_folder(self, number: int) -> Path:
        """Folder of a trial's run."""
        return self.folder / f"trial-{number:04d}"

    def trial_settings(self, trial: Trial) -> dict[str, Any]:
        """Settings of a trial's run."""
        return with_values(self.settings, trial.values)

    def command(self, trial: Trial) -> str:
        """Line of `ecosr fit` that trains a trial again, to the same weights."""
        options = as_options(self.trial_settings(trial))
        return f"ecosr fit {shlex.quote(self.dataset)} -o RUN {options}"

    def _try(
        self,
        journal: Journal,
        number: int,
        values: Mapping[str, Any],
        watch: Watch | None,
    ) -> None:
        """Train with these values; tell the journal how it went."""
        settings = with_values(self.settings, values)
        folder = self.trial_folder(number)
        last: dict[str, float] = {}
        error: float | None = None

        def progress(
            step: int, steps: int, loss: float | None, errors: dict[str, float]
        ) -> None:
            nonlocal last, error
            new, last = errors is not last, errors
            if new and errors:
                error = self.measure(errors)
                # the learning rate's warm-up, and little else, shows in first errors
                if error is not None:
                    behind = journal.show(step, error)
                    if behind and steps // 4 <= step < steps:
                        raise Pruned
            if watch:
                watch(number, step, steps, error)

        try:
            run = prepare(
                self.dataset, folder, settings, resume=True, device=self.device
            )
            outcome = fit(run, progress)
        except Pruned:
            journal.tell("pruned", error)
        except InputError as failure:
            journal.tell("failed", None, str(failure))
        else:
            error = self.measure(outcome.validation)
            if outcome.status != "done" or error is None:
                reason = outcome.advice or "no finite error on the validation set"
                journal.tell("diverged", None, reason)
            else:
                journal.tell("done", error)
        # what only a run that goes on needs is most of its bytes
        (folder / STATE).unlink(missing_ok=True)

    def measure(self, errors: Mapping[str, float]) -> float | None:
        """What is minimised, of a validation; None where it is not finite."""
        names = ("strain", "stress") if self.error == LABELS else (CERTIFICATE,)
        found = [errors.get(name) for name in names]
        known = [x for x in found if x is not None and isfinite(x)]
        return sum(known) / len(known) if len(known) == len(names) else None

    def _write(self, trials: list[Trial]) -> None:
        write_text(self.folder / STUDY, self._document(trials))
        if best := best_of(trials):
            head = (
                f"# trial {best.number}, {self.error} {best.error!r}\n"
                f"# ecosr fit DATASET -o RUN --config {BEST}\n"
            )
            write_text(self.folder / BEST, head + as_toml(self.trial_settings(best)))

    def _draw(self, trials: list[Trial]) -> None:
        try:
            figure = study_figure(trials, self.space, self.error)
        except InputError:
            # no Matplotlib
            return
        save_figure(figure, self.folder / PICTURE, dpi=100)

    def _document(self, trials: list[Trial]) -> str:
        best = best_of(trials)
        document = {
            **self.card,
            "versions": versions(),
            "trials": [trial._asdict() for trial in trials],
            "best": None if best is None else best.number,
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def best_of(trials: list[Trial]) -> Trial | None:
    """The trial of least error among those that were trained to the end."""
    done = [trial for trial in trials if trial.status == "done"]
    return min(done, key=lambda trial: (trial.error, trial.number), default=None)


def _hopeless(trials: list[Trial]) -> bool:
    last = trials[-PATIENCE:]
    return len(last) == PATIENCE and all(trial.status == "failed" for trial in last)
