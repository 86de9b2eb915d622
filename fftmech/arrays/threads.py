"""Processors that this process may use, and work shared among threads."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import cache
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")


Check = Callable[..., None]
"""Called every iteration with any arguments; raises once the batch is over."""


# Numbers in a field from which threads pay in an FFT (3 x 48^3 does, 3 x 32^3 not).
THREADED = 2**18


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


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(voxels: int, threads: int | None = None) -> int:
    """Threads that pay on a grid: one where starting more costs more than it saves."""
    return (threads or processors()) if 3 * voxels >= THREADED else 1


def parallel(function: Callable[[int, int], None], count: int, threads: int) -> None:
    """Call function(first, last) on as many parts of range(count) as there are threads.

    The threads are Python's: `function` should spend its time where the interpreter is
    not needed. They sleep while they wait.
    """
    parts = max(1, min(threads, count))
    edges = [count * i // parts for i in range(parts + 1)]
    if parts == 1:
        return function(0, count)
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
