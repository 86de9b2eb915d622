"""The trials of a study, in Optuna's journal: JSON lines, no pickle."""

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from ecosurrogate.training.files import damaged
from ecosurrogate.tuning.search_space import Space
from fftmech.errors import InputError

JOURNAL = "journal.log"


class Trial(NamedTuple):
    """A trial that has ended; JSON-ready.

    Attributes
    ----------
    number
        From 0.
    status
        "done"; "pruned", as half of the others were better at that step; "diverged";
        "failed".
    error
        What is minimised; the last one of a pruned trial, None if there is none.
    values
        What was tried, by dotted keys.
    seconds
        Time since it was begun or resumed.
    reason
        Why it diverged or failed, else "".
    """

    number: int
    status: str
    error: float | None
    values: Mapping[str, Any]
    seconds: float
    reason: str


class Trials:
    """The trials of a study, of which one at most is running.

    The caller has the lock of the study's folder; `seed` is the sampler's.
    """

    def __init__(self, folder: Path, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed
        self.optuna = optuna_module()
        path = folder / JOURNAL
        _drop_cut_line(path)
        journal = self.optuna.storages.journal
        try:
            # Optuna's own lock would outlive a process that is killed
            backend = journal.JournalFileBackend(str(path), lock_obj=Lock())
            self.study = self.optuna.create_study(
                study_name="tune",
                storage=journal.JournalStorage(backend),
                pruner=self.optuna.pruners.MedianPruner(n_startup_trials=4),
                load_if_exists=True,
            )
            self.ended()
        except OSError:
            raise
        except Exception as error:
            mend = "restore it, or choose another -o"
            raise damaged(path, error, mend) from error

    def begin(self, first: Mapping[str, Any]) -> None:
        """Have the first trial try these values, if there is none yet."""
        if not self.study.get_trials(deepcopy=False):
            values = {key: self.space[key].encode(v) for key, v in first.items()}
            self.study.enqueue_trial(values)

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Number and values of the trial that was cut off, or else of a new one."""
        running = self.optuna.trial.TrialState.RUNNING
        cut = [t for t in self.study.get_trials(deepcopy=False) if t.state == running]
        self.study.sampler = self._sampler(len(self.ended()))
        if cut:
            self.current = self.optuna.trial.Trial(self.study, cut[0]._trial_id)
        else:
            self.current = self.study.ask()
        self._start = time.monotonic()
        values = {
            key: dim.suggest(self.current, key) for key, dim in self.space.items()
        }
        return self.current.number, values

    def report(self, step: int, error: float) -> bool:
        """Record an error of the trial; whether half of the others were better."""
        trial = self.current
        known = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        # a trial resumed from a checkpoint may validate a step again
        if step not in known:
            trial.report(error, step)
        return trial.should_prune()

    def tell(self, status: str, error: float | None, reason: str = "") -> None:
        """End the running trial."""
        seconds = round(time.monotonic() - self._start, 3)
        ended = {"status": status, "error": error, "reason": reason, "seconds": seconds}
        self.current.set_user_attr("ended", ended)
        if status == "done":
            self.study.tell(self.current, error)
        else:
            # to the sampler worse than all that were trained to the end
            pruned = self.optuna.trial.TrialState.PRUNED
            self.study.tell(self.current, state=pruned)

    def ended(self) -> list[Trial]:
        """Trials that have ended, in order."""
        return [
            Trial(
                t.number,
                **t.user_attrs["ended"],
                values={key: d.decode(t.params[key]) for key, d in self.space.items()},
            )
            for t in self.study.get_trials(deepcopy=False)
            if t.state.is_finished()
        ]

    def figure(self, error: str) -> Any:
        """Draw the error of the trials trained to the end against each setting.

        None without such a trial, or without Matplotlib.
        """
        if not any(trial.status == "done" for trial in self.ended()):
            return None
        try:
            from matplotlib import pyplot
        except ImportError:
            return None
        # one trial alone, and that these plots are experimental, are warned of
        with pyplot.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plot = self.optuna.visualization.matplotlib.plot_slice
            axes = np.ravel(plot(self.study, list(self.space), target_name=error))
            pyplot.close(axes[0].figure)
        for ax in axes:
            # labels between powers of ten would overlap
            ax.xaxis.set_minor_formatter("")
        return axes[0].figure

    def _sampler(self, number: int) -> Any:
        seed = np.random.SeedSequence([self.seed, number]).generate_state(1)[0]
        with warnings.catch_warnings():
            # `multivariate` is experimental
            warnings.simplefilter("ignore", self.optuna.exceptions.ExperimentalWarning)
            return self.optuna.samplers.TPESampler(multivariate=True, seed=int(seed))


def best_of(trials: list[Trial]) -> Trial | None:
    """The trial of least error among those that were trained to the end."""
    done = [trial for trial in trials if trial.status == "done"]
    return min(done, key=lambda trial: (trial.error, trial.number), default=None)


def _drop_cut_line(path: Path) -> None:
    """Remove what a kill left of a last line, lest the next one be added to it."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with open(path, "r+b") as file:
                file.truncate(whole)


def optuna_module() -> Any:
    """Optuna, silent."""
    try:
        import optuna
        import optuna.storages.journal
    except ModuleNotFoundError as error:
        raise InputError(
            f"a study needs {error.name}, which is not installed",
            mend='pip install "fftmech[tune]"',
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
