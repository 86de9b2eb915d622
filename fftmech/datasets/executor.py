"""Many samples at once: on the processors of one machine, or over MPI."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from fftmech.errors import InputError

T = TypeVar("T")
S = TypeVar("S")

EXECUTORS = ("local", "mpi")

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that size the thread pools of numerical libraries when they are loaded."""

_over: Event | None = None


def stop_if_cancelled(*_: Any) -> None:
    """Raise CancelledError if the run was interrupted or failed.

    It is called now and then by a working process, as the progress of a solve.
    """
    if _over is not None and _over.is_set():
        raise CancelledError


def check_executor(executor: str) -> None:
    """Refuse an executor that cannot work here."""
    if executor not in EXECUTORS:
        raise InputError(f"executor {executor!r}", f"one of {', '.join(EXECUTORS)}")
    if executor != "mpi":
        return
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        # RuntimeError: no MPI library
        raise InputError(
            "--executor mpi needs mpi4py and an MPI library",
            mend='pip install "fftmech[mpi]"',
        ) from error
    processes = MPI.COMM_WORLD.Get_size()
    # one alone would ask MPI to start others, which many systems do not allow; several
    # that know nothing of each other would wait for ever
    if processes == 1 or "mpi4py.futures" not in sys.orig_argv:
        raise InputError(
            f"--executor mpi in {processes} process(es): start them with mpiexec -n N "
            "python -m mpi4py.futures $(which fftmech) dataset ..., N at least 2"
        )


def run(
    task: Callable[[S], T], indices: Iterable[S], executor: str, jobs: int
) -> Generator[T, None, None]:
    """Yield `task(index)` for every index, as they are done.

    The executor "local" is `jobs` processes, this one if `jobs` is 1, "mpi" those that
    mpiexec started (`mpiexec -n N python -m mpi4py.futures ...`). `task` is pickled
    where there are several.
    """
    if executor == "mpi":
        with _mpi() as pool:
            yield from _run(pool, task, indices, 2 * max(1, pool.num_workers))
    elif jobs == 1:
        yield from map(task, indices)
    else:
        with _local(jobs) as pool:
            yield from _run(pool, task, indices, 2 * jobs)


def _run(
    pool: Executor, task: Callable[[S], T], indices: Iterable[S], ahead: int
) -> Iterator[T]:
    """Keep `ahead` tasks submitted: enough for all processes, and few to cancel."""
    todo = iter(indices)

    def submit(count: int) -> set[Future[T]]:
        # a process that is started here inherits the mask: Ctrl-C at a terminal
        # reaches all processes, and is this one's to answer
        with _without_interrupts():
            return {pool.submit(task, index) for index in islice(todo, count)}

    running = submit(ahead)
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        running |= submit(len(done))
        for future in done:
            yield future.result()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Delay Ctrl-C to the end of the block, where the system can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    main = threading.current_thread() is threading.main_thread()
    came = threading.Event()
    handler: Any = None
    if main:
        # another thread may take the signal, and Python then raises in this one
        handler = signal.signal(signal.SIGINT, lambda *_: came.set())
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if main:
            signal.signal(signal.SIGINT, handler)
        if came.is_set():
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _local(jobs: int) -> Iterator[Executor]:
    """Processes that end with the run, however this one ends."""
    # fork would copy threads and the lock of the folder
    context = multiprocessing.get_context("spawn")
    over = context.Event()
    pool = ProcessPoolExecutor(jobs, context, partial(_begin, over))
    kept = {name: os.environ.get(name) for name in POOLS}
    os.environ.update(dict.fromkeys(POOLS, "1"))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise InputError(
            "a working process died, of too little memory perhaps",
            mend="what is done is kept: run again with fewer --jobs",
        ) from error
    finally:
        over.set()
        pool.shutdown(cancel_futures=True)
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(over: Event) -> None:
    """Set up a working process."""
    global _over
    _over = over
    # Ctrl-C reaches all processes; the first one tells the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, killed for instance."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _mpi() -> Iterator[Any]:
    from mpi4py.futures import MPIPoolExecutor

    pool = MPIPoolExecutor()
    try:
        yield pool
    except BrokenExecutor as error:
        raise InputError(
            f"--executor mpi: a process died ({error})",
            mend="what is done is kept: run again",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
