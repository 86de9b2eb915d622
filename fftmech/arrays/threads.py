"""Processors that this process may use, and work that threads share."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import cache
from itertools import islice
from math import ceil
from numbers import Integral
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from fftmech.arrays.cgroups import ROOT, cpu_quota
from fftmech.errors import InputError

T = TypeVar("T")

Check = Callable[..., None]
"""Called every iteration with any arguments; raises once the batch is over."""

THREADED = 2**18
"""Numbers in a field from which threads pay (3 x 48^3 does, 3 x 32^3 not)."""

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
"""Variables that say how threads of OpenMP wait, of GNU's, Intel's and LLVM's."""

SPINS = "1000"
"""Turns that threads of GNU's OpenMP spin before they sleep, some 10 us: as long as the
gaps between a network's operations. It is 300000 without the variable."""


def run_together(tasks: Iterable[Callable[[Check], T]], threads: int) -> Iterator[T]:
    """Yield what tasks return, in their order, with `threads` of them at work.

    A task that raises, or Ctrl-C, ends the others at their next call of `check`.
    """
    over = threading.Event()

    def check(*_: Any) -> None:
        if over.is_set():
            raise CancelledError

    tasks = iter(tasks)
    if threads == 1:
        for task in tasks:
            yield task(check)
        return
    with ThreadPoolExecutor(threads, "fftmech-batch") as pool:
        try:
            first = islice(tasks, 2 * threads)
            running = deque(pool.submit(task, check) for task in first)
            while running:
                result = running.popleft().result()
                running.extend(pool.submit(task, check) for task in islice(tasks, 1))
                yield result
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)


def processors(root: Path = ROOT) -> int:
    """Processors that this process may use, at least one.

    The least of its CPU affinity, of the CPU quotas of its control groups, rounded up,
    and of the environment variable OMP_NUM_THREADS.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    # of a list, the first number is that of threads that are not nested
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        count = min(count, int(wanted))
    return ceil(min(count, cpu_quota(root)))


def count_of(what: str, given: int | None) -> int:
    """Return a number of threads or jobs: as many as there are processors if None.

    Raises
    ------
    InputError
        Not a whole number of at least 1; more than there are processors is allowed.
    """
    if given is None:
        return processors()
    if isinstance(given, bool) or not isinstance(given, Integral) or given < 1:
        raise InputError(f"{what} {given!r}", "a whole number of at least 1")
    return int(given)


def threads_for(voxels: int, threads: int | None = None) -> int:
    """Threads worth their cost on a grid: one if it is small, else all there are."""
    if 3 * voxels < THREADED:
        return 1
    return processors() if threads is None else threads


def let_openmp_sleep() -> None:
    """Have threads of OpenMP (torch's) sleep while they wait, unless the user says how.

    Otherwise they spin for milliseconds, and where processors are few they keep the
    threads that they wait for from working. OpenMP looks once, when torch loads it.
    """
    if not any(name in os.environ for name in WAITING):
        os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT=SPINS)


def limit_torch_threads(torch: ModuleType) -> None:
    """Give torch no more threads than processors: it does not know of quotas."""
    # not set where it is right, for to set it has effects of its own on MKL
    if torch.get_num_threads() > processors():
        torch.set_num_threads(processors())


def parallel(function: Callable[[int, int], None], count: int, threads: int) -> None:
    """Call function(first, last) on as many parts of range(count) as there are threads.

    The threads are Python's: `function` should spend its time where the interpreter is
    not needed. They sleep while they wait.
    """
    parts = max(1, min(threads, count))
    if parts == 1:
        return function(0, count)
    edges = [count * i // parts for i in range(parts + 1)]
    pool = _pool(parts - 1, os.getpid())
    others = [pool.submit(function, edges[i], edges[i + 1]) for i in range(1, parts)]
    try:
        function(edges[0], edges[1])
    finally:
        for other in others:
            other.result()


@cache
def _pool(workers: int, process: int) -> ThreadPoolExecutor:
    """One pool of a size in each process: threads do not outlive a fork."""
    return ThreadPoolExecutor(workers, "fftmech")
