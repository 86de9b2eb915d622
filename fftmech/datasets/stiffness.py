"""Effective stiffness of bodies for random stiffnesses of their phases.

What a network of laminates learns from: a folder for each body, which holds it
(micro.h5), and its pairs (stiffness.h5, see `fftmech.datasets.stiffness_file`).
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import ExitStack, closing
from functools import partial
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import numpy as np

from fftmech.arrays.threads import count_of
from fftmech.datasets.directory import locked
from fftmech.datasets.executor import run, stop_if_cancelled
from fftmech.datasets.stiffness_draw import Inputs, Pairs
from fftmech.datasets.stiffness_file import LEFTOVERS, PairsFile, begin
from fftmech.datasets.stiffness_pairs import DONE, FAILED, MISSING
from fftmech.microstructure.base import Microstructure
from fftmech.simulations.homogenize import homogenize

PAUSE = 2.0
"""Seconds between two writes of a file: what a kill may cost."""


class PairCounts(NamedTuple):
    """Pairs of a dataset after a run; `made` of them are this run's."""

    done: int
    failed: int
    missing: int
    made: int


def make_pairs(
    body: Microstructure,
    directory: str | PathLike,
    count: int,
    pairs: Pairs | None = None,
    *,
    jobs: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> PairCounts:
    """Make the pairs that a folder does not have yet; an interrupted run is continued.

    Parameters
    ----------
    body
        Phases, and which of them are pores; other stiffnesses play no part.
    directory
        A new folder, or that of a run with the same body and parameters. More pairs may
        be asked for than it was begun with.
    jobs
        Processes; as many as there are processors if None.
    progress
        Called with the numbers of pairs done, failed, and wanted in all.

    Raises
    ------
    InputError
        A body or a folder that does not go with it.
    """

    def told(name: str, done: int, failed: int) -> None:
        if progress:
            progress(done, failed, count)

    folder = Path(directory)
    bodies = {folder.name: lambda: body}
    work = make_pairs_of(bodies, folder.parent, count, pairs, jobs=jobs, progress=told)
    (counts,) = work.values()
    if isinstance(counts, Exception):
        raise counts
    return counts


def make_pairs_of(
    bodies: Mapping[str, Callable[[], Microstructure]],
    directory: str | PathLike,
    count: int,
    pairs: Pairs | None = None,
    *,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, PairCounts | Exception]:
    """Make the pairs of many bodies, each in a folder of its name, as `make_pairs`.

    A body that cannot be read or solved ends no other.

    Parameters
    ----------
    bodies
        Called for a body when its turn comes, by name.
    directory
        Folder of their folders.
    progress
        Called with a name, and the numbers of its pairs done and failed.

    Returns
    -------
    dict
        By name, how many there are, or why there are none.
    """
    pairs, jobs = pairs or Pairs(), count_of("jobs", jobs)
    work: dict[str, _Work] = {}
    found: dict[str, PairCounts | Exception] = {}

    def tasks() -> Iterator[_Task]:
        for name, read in bodies.items():
            try:
                begun = _Work(Path(directory) / name, read(), count, pairs)
            except Exception as error:
                found[name] = error
                continue
            work[name] = opened.enter_context(begun)
            yield from begun.tasks(name)

    with ExitStack() as opened:
        # one pool for all: to start processes takes seconds
        few = min(jobs, count * len(bodies))
        task = partial(_solve, pairs=pairs)
        with closing(run(task, tasks(), "local", few)) as solved:
            for name, index, effective in solved:
                own = work[name]
                own.take(index, effective)
                if progress:
                    progress(name, *own.file.counts(DONE, FAILED))
    found |= {name: own.error or own.counts() for name, own in work.items()}
    return {name: found[name] for name in bodies}


class _Task(NamedTuple):
    """A pair to be solved: of which body, and which of its pairs."""

    name: str
    index: int
    body: Microstructure
    inputs: Inputs


class _Work:
    """The pairs of a body that are missing; its folder is locked until all are there.

    As a context it keeps those that are done when it is left, also if interrupted.
    """

    def __init__(
        self, folder: Path, body: Microstructure, count: int, pairs: Pairs
    ) -> None:
        self.error: Exception | None = None
        self.pairs, self.inputs = pairs, Inputs.of(body)
        # the geometry alone: drawn stiffnesses go with no law, eigenstrain, expansion
        self.body = body.with_changes(
            law={}, eigenstrain=None, thermal_expansion=None, stiffness=None
        )
        begin(folder, body)
        with ExitStack() as held:
            held.enter_context(locked(folder))
            for leftover in folder.glob(LEFTOVERS):
                leftover.unlink()
            self.file = PairsFile.opened(folder, body, self.inputs, pairs, count)
            held.callback(self.file.write)
            self._held = held.pop_all()
        self._todo = np.flatnonzero(self.file.status == MISSING).tolist()
        self._written = monotonic()

    def __enter__(self) -> "_Work":
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def tasks(self, name: str) -> Iterator[_Task]:
        """Yield what is to be solved."""
        if not self._todo:
            self._held.close()
        for index in self._todo:
            if self.error:
                return
            yield _Task(name, index, self.body, self.inputs)

    def take(self, index: int, effective: np.ndarray | None | Exception) -> None:
        """Keep a pair, and its file now and then; an error is the end of the others."""
        if isinstance(effective, Exception):
            self.error = self.error or effective
            self._held.close()
            return
        self.file.add(index, self.pairs.draw(index, self.inputs.count), effective)
        done, failed = self.file.counts(DONE, FAILED)
        if done + failed == len(self.file.status):
            self._held.close()
        elif not self.error and monotonic() - self._written > PAUSE:
            self.file.write()
            self._written = monotonic()

    def counts(self) -> PairCounts:
        """How many there are now."""
        done, failed, missing = self.file.counts(DONE, FAILED, MISSING)
        return PairCounts(done, failed, missing, len(self._todo) - missing)


def _solve(task: _Task, pairs: Pairs) -> tuple[str, int, np.ndarray | None | Exception]:
    """The effective stiffness of one pair, Mandel (6, 6); None if not converged."""
    drawn = pairs.draw(task.index, task.inputs.count)
    drawn[task.inputs.pores] = 0.0
    try:
        effective = homogenize(
            task.body.with_changes(stiffness=task.inputs.table(drawn)),
            scheme=pairs.scheme,
            tolerance=pairs.tolerance,
            max_iterations=pairs.max_iterations,
            threads=1,
            progress=stop_if_cancelled,
        )
    except CancelledError:
        raise
    except Exception as error:
        return task.name, task.index, error
    found = effective.stiffness if effective.converged else None
    return task.name, task.index, found
