"""A study: trials of settings, each a run, whose best one is kept.

    study.json      what is tried, every trial and the best
    best.toml       settings of the best trial, which `ecosr fit --config` takes
    study.png       errors by setting
    journal.log     Optuna's record (JSON lines), from which a study is resumed
    trial-0000/     a run (`ecosurrogate.training.checkpoint`); the first has the
                    defaults

The sampler is the paper's, multivariate tree-structured Parzen estimates (Oommen et
al. 2025, Methods). What a trial tries follows from the seed, its number and the trials
before it, so that a resumed study repeats, on a CPU, one that was not interrupted.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from ecosurrogate.training.checkpoint import STATE, locked, versions
from ecosurrogate.training.config import Settings
from ecosurrogate.training.files import write_json, write_text
from ecosurrogate.training.run import prepare
from ecosurrogate.training.settings import as_options, as_toml, join, nested
from ecosurrogate.training.train import fit
from ecosurrogate.tuning.search_space import Space
from ecosurrogate.tuning.trials import Trial, Trials, best_of
from fftmech.arrays.progress import ProgressReport
from fftmech.errors import InputError
from fftmech.figures import save_figure

FORMAT_VERSION = 1

STUDY = "study.json"
BEST = "best.toml"
PICTURE = "study.png"

LABELS = "mean of strain and stress nRMSE"
CERTIFICATE = "certificate"

PATIENCE = 3
"""Trials in a row that could not be trained after which a study stops."""


class Pruned(Exception):
    """A trial is worse than half of those before it were at the same step."""


@dataclass(frozen=True)
class Study:
    """Trials of one space on one dataset.

    Attributes
    ----------
    settings, space
        What all trials share, and what is tried.
    error
        What is minimised: `LABELS` or `CERTIFICATE`, on the validation set after the
        last step.
    card
        What must be the same when it is resumed; JSON-ready.
    first
        Values of the first trial, the defaults, by dotted keys.
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
        count: int,
        report: ProgressReport | None = None,
        ended: Callable[[Trial], None] | None = None,
    ) -> list[Trial]:
        """Train until there are `count` trials; return all of them.

        `report` is called after each step, `ended` after each trial.

        Raises
        ------
        InputError
            A damaged study, another process that trains in its folder, several trials
            in a row that could not be trained.
        KeyboardInterrupt
            After Ctrl-C; the trial goes on when this is called again.
        """
        self.folder.mkdir(exist_ok=True)
        with locked(self.folder):
            if not (self.folder / STUDY).exists():
                self._write([])
            trials = Trials(self.folder, self.space, self.settings.get("seed", 0))
            trials.begin(self.first)
            self._write(done := trials.ended())
            while len(done) < count:
                self._train(trials, count, report)
                self._write(done := trials.ended())
                if figure := trials.figure(self.error):
                    save_figure(figure, self.folder / PICTURE, dpi=100)
                if ended:
                    ended(done[-1])
                if [trial.status for trial in done[-PATIENCE:]] == [
                    "failed"
                ] * PATIENCE:
                    raise InputError(
                        f"{PATIENCE} trials in a row could not be trained: "
                        f"{done[-1].reason}"
                    )
        return done

    def trial_folder(self, number: int) -> Path:
        """Folder of a trial's run."""
        return self.folder / f"trial-{number:04d}"

    def trial_settings(self, trial: Trial) -> dict[str, Any]:
        """Settings of a trial's run."""
        return join(self.settings, nested(trial.values))

    def command(self, trial: Trial) -> str:
        """Line of `ecosr fit` that trains a trial again, to the same weights."""
        options = as_options(self.trial_settings(trial))
        return f"ecosr fit {shlex.quote(self.dataset)} -o RUN {options}"

    def measure(self, errors: Mapping[str, float]) -> float | None:
        """What is minimised, of a validation; None where it is not finite."""
        names = ("strain", "stress") if self.error == LABELS else (CERTIFICATE,)
        found = [errors.get(name) for name in names]
        known = [x for x in found if x is not None and isfinite(x)]
        return sum(known) / len(known) if len(known) == len(names) else None

    def _train(self, trials: Trials, count: int, report: ProgressReport | None) -> None:
        """Train the next trial, and record how it ended."""
        number, values = trials.ask()
        folder = self.trial_folder(number)
        last: float | None = None

        def reported(step: float, steps: float | None, text: str) -> None:
            if report:
                report(step, steps, f"trial {number + 1} of {count}, {text}")

        def validated(step: int, steps: int, errors: Mapping[str, float]) -> None:
            nonlocal last
            last = self.measure(errors)
            behind = last is not None and trials.report(step, last)
            # the first errors show little but the warm-up of the learning rate
            if behind and steps // 4 <= step < steps:
                raise Pruned

        try:
            settings = join(self.settings, nested(values))
            run = prepare(
                self.dataset, folder, settings, resume=True, device=self.device
            )
            end = fit(run, reported, validated)
        except Pruned:
            trials.tell("pruned", last)
        except InputError as failure:
            trials.tell("failed", None, str(failure))
        else:
            error = self.measure(end.validation)
            if end.status != "done" or error is None:
                reason = end.advice or "no finite error on the validation set"
                trials.tell("diverged", None, reason)
            else:
                trials.tell("done", error)
        # most of the bytes of a run, and needed only to resume it
        (folder / STATE).unlink(missing_ok=True)

    def _write(self, trials: list[Trial]) -> None:
        best = best_of(trials)
        document = {
            **self.card,
            "versions": versions(),
            "trials": [trial._asdict() for trial in trials],
            "best": None if best is None else best.number,
        }
        write_json(self.folder / STUDY, document)
        if best:
            head = (
                f"# trial {best.number}, {self.error} {best.error!r}\n"
                f"# ecosr fit DATASET -o RUN --config {BEST}\n"
            )
            write_text(self.folder / BEST, head + as_toml(self.trial_settings(best)))
