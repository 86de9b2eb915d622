"""Make the samples of a dataset, or those that it still lacks."""

import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import replace
from functools import partial
from math import ceil
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from fftmech.arrays.backend import get_backend
from fftmech.arrays.threads import count_of, processors
from fftmech.datasets.card import Card, card_text, read_card
from fftmech.datasets.directory import (
    begin,
    check_new,
    check_same,
    exists,
    locked,
    sample_path,
    write_card,
)
from fftmech.datasets.draft import check_feasible, check_machine
from fftmech.datasets.executor import check_executor, run
from fftmech.datasets.manifest import append_record, read_manifest, write_manifest
from fftmech.datasets.overlap import with_overlaps
from fftmech.datasets.sample_task import make_sample
from fftmech.errors import InputError

SampleProgress = Callable[[int, int, int], None]
"""Called with the numbers of samples done, failed, and wanted in all."""


class RunCounts(NamedTuple):
    """Samples of a dataset after a run, and the bytes of all.

    `made` of them, failed ones included, are this run's, which took `seconds`.
    """

    done: int
    failed: int
    missing: int
    made: int
    bytes: int
    seconds: float


def make(
    directory: str | PathLike,
    card: Card,
    *,
    jobs: int | None = None,
    executor: str = "local",
    device: str = "cpu",
    progress: SampleProgress | None = None,
) -> RunCounts:
    """Make the samples of `card` that `directory` does not have yet.

    A sample that does not converge is recorded with its reason and skipped; the run
    ends early only when more than 1 % of all have failed.

    Parameters
    ----------
    directory
        A new folder, or that of an interrupted run with the same card.
    jobs
        Processes; as many as there are processors if None.
    executor
        "local" or "mpi" (`fftmech.datasets.executor`).
    device
        "cpu" or "cuda", of the solves.
    progress
        Called after every sample.

    Raises
    ------
    InputError
        A dataset of other parameters there, another process at work on it, a recipe
        of which no body can be made or solved, a device that is not there.
    OSError
        The disk is full, for instance; what is done is kept.
    """
    workers = Workers.checked(jobs, executor, device)
    if exists(directory):
        card = check_same(directory, card)
    else:
        check_new(directory)
    # of an existing dataset too: its images may be gone
    check_feasible(card)
    check_machine(card, workers.jobs, workers.device)
    Path(directory).mkdir(exist_ok=True)
    with locked(directory):
        # another process may have begun it since
        if exists(directory):
            card = check_same(directory, card)
        return _fill(directory, card, workers, progress)


def extend(
    directory: str | PathLike,
    count: int,
    *,
    progress: SampleProgress | None = None,
    **options: Any,
) -> RunCounts:
    """Raise the number of samples of a dataset to `count`, and make the new ones.

    Options are those of `make`; nothing changes before all of them are checked.
    """
    workers = Workers.checked(**options)
    card = read_card(directory)
    if count < card.count:
        raise InputError(
            f"count {count}: {directory} has {card.count} already",
            mend="a dataset does not shrink (fftmech dataset subset takes a part)",
        )
    larger = replace(card, count=count)
    check_feasible(larger)
    check_machine(larger, workers.jobs, workers.device)
    with locked(directory):
        check_same(directory, card)
        write_card(directory, larger)
        return _fill(directory, larger, workers, progress)


class Workers(NamedTuple):
    """Processes that make samples, as in `make`."""

    jobs: int
    executor: str
    device: str

    @classmethod
    def checked(
        cls, jobs: int | None = None, executor: str = "local", device: str = "cpu"
    ) -> "Workers":
        """Refuse what this machine cannot do, before anything is changed."""
        jobs = count_of("jobs", jobs)
        check_executor(executor)
        get_backend(device)
        return cls(jobs, executor, device)


def _fill(
    directory: str | PathLike,
    card: Card,
    workers: Workers,
    progress: SampleProgress | None,
) -> RunCounts:
    """Make the samples that are missing, under the lock of the folder."""
    started = time.perf_counter()
    records = begin(directory, card).records
    wanted = list(card.indices())
    missing = [index for index in wanted if index not in records]
    failed = sum(records[i]["status"] == "failed" for i in wanted if i in records)
    local = workers.executor == "local"
    task = partial(
        make_sample,
        directory=str(directory),
        card=card_text(card),
        threads=max(1, processors() // workers.jobs) if local else 1,
        device=workers.device,
    )
    jobs = min(workers.jobs, max(1, len(missing)))
    made, there = 0, len(wanted) - len(missing)
    if progress:
        progress(there - failed, failed, len(wanted))
    if failed > allowed_failures(len(wanted)):
        missing = []
    with closing(run(task, missing, workers.executor, jobs)) as made_records:
        for record in made_records:
            append_record(directory, record)
            records[record["index"]] = record
            made += 1
            failed += record["status"] == "failed"
            if progress:
                progress(there + made - failed, failed, len(wanted))
            if failed > allowed_failures(len(wanted)):
                break
    write_manifest(directory, with_overlaps(card, records.values()))
    done = [r for i in wanted if (r := records.get(i)) and r["status"] == "done"]
    return RunCounts(
        done=len(done),
        failed=failed,
        missing=len(wanted) - len(done) - failed,
        made=made,
        bytes=sum(record["bytes"] for record in done),
        seconds=time.perf_counter() - started,
    )


def allowed_failures(count: int) -> int:
    """Samples of `count` that may fail: 1 %, rounded up."""
    return ceil(count / 100)


class Repair(NamedTuple):
    """Numbers of samples that were made again, and of those whose bytes changed.

    Another machine, or other versions of the libraries, solve to the tolerance but not
    to the last bit.
    """

    made: int
    changed: int


def repair(
    directory: str | PathLike,
    indices: Collection[int],
    *,
    progress: SampleProgress | None = None,
    **options: Any,
) -> Repair:
    """Make samples again whose files are damaged or gone, and those that are missing.

    Options are those of `make`; nothing changes before all of them are checked.
    """
    workers = Workers.checked(**options)
    card = read_card(directory)
    check_feasible(card)
    check_machine(card, workers.jobs, workers.device)
    with locked(directory):
        records = read_manifest(directory).records
        old = {i: records.pop(i)["sha256"] for i in indices if i in records}
        for index in old:
            sample_path(directory, index).unlink(missing_ok=True)
        write_manifest(directory, records.values())
        outcome = _fill(directory, card, workers, progress)
    now = read_manifest(directory).records
    changed = [
        i
        for i, sha256 in old.items()
        if i in now and now[i].get("sha256") not in (None, sha256)
    ]
    return Repair(outcome.made, len(changed))
