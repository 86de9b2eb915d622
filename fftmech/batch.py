"""Many solves at once: one on each thread, where one grid is too small for all."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from fftmech.backend import processors
from fftmech.errors import InputError
from fftmech.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.result import Result
from fftmech.solve import solve

T = TypeVar("T")
Check = Callable[..., None]
"""Called every iteration with any arguments; raises once the batch is over."""


def solve_many(
    cases: Iterable[tuple[Microstructure, Load]],
    *,
    jobs: int | None = None,
    **options: Any,
) -> Iterator[Result]:
    """Solve one body after the other, one on each thread.

    Parameters
    ----------
    cases
        Microstructure and load of each; may be a generator, of which only a few are
        taken in advance.
    jobs
        Solves at once; as many as there are processors if None.
    options
        As in `fftmech.solve`, but for `threads`, `progress` and `initial`.

    Yields
    ------
    Result
        In the order of the cases.

    Raises
    ------
    InputError
        An option that a batch does not take, a number of jobs below one, or what
        `fftmech.solve` raises.
    """
    for name in ("threads", "progress", "initial"):
        if name in options:
            raise InputError(f"{name}: a batch does not take it; use fftmech.solve")
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs {jobs}: expected at least 1")
    tasks = (
        lambda check, case=case: solve(*case, threads=1, progress=check, **options)
        for case in cases
    )
    return run_together(tasks, jobs or processors())


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
