"""Processes beside the server: what they are given may end them, and they are replaced.

A helper reads what strangers sent, with a limit on its memory, or solves. It is given
one task at a time over a pipe, and ends when the server's end of the pipe is gone.
"""

import asyncio
import multiprocessing
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from ecosurrogate.server.refusal import UNREADABLE, Refusal

TICK = 0.1
"""Seconds between two looks at a task's cancellation."""

STARTS = 60.0
"""Seconds that a new process has, to import what it needs."""


class Cancelled(Exception):
    """A task was cancelled; its process has been ended."""


class Broken(Exception):
    """A task failed by a mistake of ours; the message is for the server's log."""


class Helper:
    """One process, started when it is needed and again when it was lost.

    Parameters
    ----------
    memory
        Bytes that it may take beyond what it has at its start; None for no limit.
    """

    def __init__(self, memory: int | None = None) -> None:
        self.memory = memory
        self._process: Any = None
        self._pipe: Any = None

    def call(
        self,
        task: Callable[..., Any],
        *given: Any,
        seconds: float,
        report: Callable[[dict[str, Any]], None] = lambda progress: None,
        cancelled: threading.Event | None = None,
    ) -> Any:
        """Return what `task(report, *given)` returns in the process.

        Raises
        ------
        Refusal
            Of the task; it took more than `seconds`; the process was lost.
        Cancelled
            `cancelled` was set.
        Broken
            Another exception of the task.
        """
        try:
            self.start()
            self._pipe.send((task, given))
            return self._wait(seconds, report, cancelled)
        except (EOFError, OSError) as error:
            self.end()
            raise Refusal(
                UNREADABLE,
                "the process that worked on the body was lost",
                "a body that can be read in the memory of a request",
                "check the file with fftmech info, or coarsen it",
            ) from error
        except BaseException as error:
            # what it is doing still is of no use; a refusal or a mistake it survives
            if not isinstance(error, Refusal | Broken):
                self.end()
            raise

    def start(self) -> None:
        """Start the process if there is none."""
        if self._process is not None and self._process.is_alive():
            return
        self.end()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, self.memory), daemon=True
        )
        self._process.start()
        theirs.close()
        if not self._pipe.poll(STARTS):
            raise EOFError
        self._pipe.recv()

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._pipe.close()
        self._process = self._pipe = None

    def _wait(
        self,
        seconds: float,
        report: Callable[[dict[str, Any]], None],
        cancelled: threading.Event | None,
    ) -> Any:
        until = time.monotonic() + seconds
        while True:
            if cancelled is not None and cancelled.is_set():
                raise Cancelled
            if time.monotonic() > until:
                self.end()
                raise Refusal(
                    UNREADABLE,
                    f"the work took more than {seconds:g} s",
                    "work that is done in this time",
                    "coarsen the body, or run it on the command line",
                )
            if not self._pipe.poll(TICK):
                continue
            kind, value = self._pipe.recv()
            if kind == "progress":
                report(value)
            elif kind == "done":
                return value
            else:
                raise value if kind == "refused" else Broken(value)


class Helpers:
    """Some helpers, each at one task at a time; further tasks wait.

    Parameters
    ----------
    count
        How many.
    memory
        Of each, as in `Helper`.
    """

    def __init__(self, count: int, memory: int | None = None) -> None:
        self.all = [Helper(memory) for _ in range(count)]
        self._threads = ThreadPoolExecutor(count, "helper")
        self._free: queue.SimpleQueue[Helper] = queue.SimpleQueue()
        for helper in self.all:
            self._free.put(helper)

    async def call(self, task: Callable[..., Any], *given: Any, **how: Any) -> Any:
        """As `Helper.call`, of the first that is free."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, partial(self._call, task, *given, **how)
        )

    def start(self, task: Callable[..., Any], *given: Any) -> None:
        """Start all, one after the other, with a first task for each."""
        for helper in self.all:
            helper.call(task, *given, seconds=STARTS)

    def end(self) -> None:
        """End all, whatever they do."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for helper in self.all:
            helper.end()

    def _call(self, task: Callable[..., Any], *given: Any, **how: Any) -> Any:
        helper = self._free.get()
        try:
            return helper.call(task, *given, **how)
        finally:
            self._free.put(helper)


def _work(pipe: Connection, memory: int | None) -> None:
    """Do tasks until the server is gone."""
    # the server decides when it ends, also where a whole group is signalled
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # what tasks need is imported before memory is limited
    import fftmech.io.vtkhdf_result
    import fftmech.microstructure.resample  # noqa: F401

    if memory is not None:
        _limit_memory(memory)
    with suppress(EOFError, OSError):
        pipe.send(("ready", None))
        while True:
            task, given = pipe.recv()
            pipe.send(_outcome(pipe, task, given))


def _outcome(pipe: Connection, task: Callable[..., Any], given: Any) -> tuple[str, Any]:
    def report(progress: dict[str, Any]) -> None:
        try:
            pipe.send(("progress", progress))
        except OSError:
            # the server is gone
            sys.exit()

    try:
        return "done", task(report, *given)
    except Refusal as error:
        return "refused", error
    except Exception as error:
        return "broken", f"{type(error).__name__}: {error}"


def _limit_memory(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    import psutil

    most = psutil.Process().memory_info().vms + memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
