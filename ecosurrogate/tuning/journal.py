"""What a study has tried, in Optuna's journal: JSON lines, no pickle."""

import json
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ecosurrogate.tuning.search_space import Choice, Range, Space
from fftmech.errors import InputError

NAME = "journal.log"

_STUDY = "tune"


class Trial(NamedTuple):
    """One trial that has ended; JSON-ready.

    Attributes
    ----------
    number
        From 0.
    status
        "done"; "pruned" early, as half of the others were better; "diverged"; "failed".
    error
        What is minimised; the last one of a pruned trial, None if there is none.
    values
        What was tried, by dotted keys.
    seconds
        Time since it was begun, or gone on with.
    reason
        Of what diverged or failed.
    """

    number: int
    status: str
    error: float | None
    values: Mapping[str, Any]
    seconds: float
    reason: str


class Journal:
    """The trials of a study, of which one at most is at work.

    Parameters
    ----------
    folder
        Of the study; the caller has its lock.
    space
        What is tried.
    seed
        What all follows from.

    Raises
    ------
    InputError
        Optuna is not installed; a damaged journal.
    """

    def __init__(self, folder: Path, space: Space, seed: int) -> None:
        self.path, self.space, self.seed = folder / NAME, space, seed
        self.optuna = optuna_module()
        journal = self.optuna.storages.journal
        with self._sound():
            _drop_cut_line(self.path)
            storage = journal.JournalStorage(
                journal.JournalFileBackend(str(self.path), lock_obj=_Held())
            )
            self.study = self.optuna.create_study(
                study_name=_STUDY, storage=storage, load_if_exists=True
            )
        self.study.pruner = self.optuna.pruners.MedianPruner(n_startup_trials=4)
        self.current: Any = None

    def begin(self, first: Mapping[str, Any]) -> None:
        """Have the first trial try these values, if there is none yet."""
        with self._sound():
            if not self.study.get_trials(deepcopy=False):
                self.study.enqueue_trial(
                    {
                        key: json.dumps(value)
                        if isinstance(self.space[key], Choice)
                        else value
                        for key, value in first.items()
                    }
                )

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Number and values of the trial that was cut off, or else of a new one."""
        states = self.optuna.trial.TrialState
        with self._sound():
            known = self.study.get_trials(deepcopy=False)
            cut = [t for t in known if t.state == states.RUNNING]
            number = sum(t.state != states.WAITING for t in known) - len(cut)
            self.study.sampler = self._sampler(number)
            if cut:
                self.current = self.optuna.trial.Trial(self.study, cut[0]._trial_id)
            else:
                self.current = self.study.ask()
            values = {key: self._suggest(key) for key in self.space}
        self._start = time.monotonic()
        return self.current.number, values

    def show(self, step: int, error: float) -> bool:
        """Note an error on the way; whether half of the others were better there."""
        trial = self.current
        known = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        # of a trial that goes on from a checkpoint before its last error
        if step not in known:
            trial.report(error, step)
        return trial.should_prune()

    def tell(self, status: str, error: float | None, reason: str = "") -> None:
        """End the trial that is at work."""
        states = self.optuna.trial.TrialState
        ended = {
            **{"status": status, "error": error, "reason": reason},
            "seconds": round(time.monotonic() - self._start, 3),
        }
        self.current.set_user_attr("ended", ended)
        if status == "done":
            self.study.tell(self.current, error)
        else:
            # to the sampler worse than all that were trained to the end
            self.study.tell(self.current, state=states.PRUNED)
        self.current = None

    def trials(self) -> list[Trial]:
        """Trials that have ended, in order."""
        with self._sound():
            return [
                Trial(
                    t.number,
                    **t.user_attrs["ended"],
                    values={key: self._value(key, t.params[key]) for key in self.space},
                )
                for t in self.study.get_trials(deepcopy=False)
                if t.state.is_finished()
            ]

    def _suggest(self, key: str) -> Any:
        dimension, trial = self.space[key], self.current
        if isinstance(dimension, Range):
            ask = trial.suggest_int if dimension.whole else trial.suggest_float
            return ask(key, dimension.low, dimension.high, log=dimension.log)
        return self._value(key, trial.suggest_categorical(key, dimension.labels))

    def _value(self, key: str, value: Any) -> Any:
        dimension = self.space[key]
        if isinstance(dimension, Range):
            return value
        return dimension.values[dimension.labels.index(value)]

    def _sampler(self, number: int) -> Any:
        seed = np.random.SeedSequence([self.seed, number]).generate_state(1)[0]
        with warnings.catch_warnings():
            # that several settings at a time are experimental
            warnings.simplefilter("ignore")
            return self.optuna.samplers.TPESampler(multivariate=True, seed=int(seed))

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except (
            *(ValueError, KeyError, TypeError, AttributeError),
            *(IndexError, AssertionError, RecursionError),
        ) as error:
            raise InputError(
                f"{self.path}: damaged ({type(error).__name__}: {error})",
                mend="restore it, or choose another -o",
            ) from error


class _Held:
    """No lock: the folder's is held."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _drop_cut_line(path: Path) -> None:
    """Remove what a kill left of a last line, lest the next one be added to it."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with open(path, "r+b") as file:
                file.truncate(whole)


def optuna_module() -> Any:
    """Optuna, silent.

    Raises
    ------
    InputError
        It is not installed.
    """
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
