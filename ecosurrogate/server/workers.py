"""Processes beside the server: what they work on may end them, and they are replaced.

A worker reads what strangers sent, with a limit on its memory, or solves. It is given
one task at a time over a pipe, and ends when the server's end of the pipe is gone.
"""

import asyncio
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from ecosurrogate.server.refusal import late
from fftmech.errors import InputError

TICK = 0.1  # seconds between two looks at whether a task is still wanted

# called in the process with a function to report progress to, and what is given
Task = Callable[..., Any]
# called with the progress of a task, JSON-ready
Report = Callable[[dict[str, Any]], object]


class Worker:
    """One process, started when it is needed and again when it was lost.

    `memory` are the bytes that it may take beyond what it has at its start.
    """

    def __init__(self, memory: int | None) -> None:
        self.memory = memory
        # set when the present task is no longer wanted
        self.stop = threading.Event()
        self._process: Any = None
        self._pipe: Any = None

    def call(self, task: Task, given: tuple, report: Report) -> Any:
        """Return what a task returns in the process; None if it is stopped.

        Raises InputError of the task, or if the process was lost, else RuntimeError.
        """
        try:
            kind, value = self._outcome(task, given, report)
        except (EOFError, OSError) as error:
            self.end()
            raise InputError(
                "the process that worked on the body was lost",
                "a body that can be read in the memory of a request",
                "check the file with fftmech info, or coarsen it",
            ) from error
        except BaseException:
            # what it still does is of no use
            self.end()
            raise
        if kind == "failed":
            raise value
        return value

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._pipe.close()
        self._process = self._pipe = None

    def _outcome(self, task: Task, given: tuple, report: Report) -> tuple[str, Any]:
        if self._process is None or not self._process.is_alive():
            self.end()
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            ends = theirs, self.memory
            process = context.Process(target=_work, args=ends, daemon=True)
            process.start()
            self._process = process
            theirs.close()
        self._pipe.send((task, given))
        while not self.stop.is_set():
            if self._pipe.poll(TICK):
                kind, value = self._pipe.recv()
                if kind != "progress":
                    return kind, value
                report(value)
        self.end()
        return "stopped", None


class Workers:
    """Some workers, each at one task at a time; further tasks wait."""

    def __init__(self, count: int, memory: int | None = None) -> None:
        self.all = [Worker(memory) for _ in range(count)]
        self._threads = ThreadPoolExecutor(count, "worker")
        self._free: asyncio.Queue[Worker] = asyncio.Queue()
        for worker in self.all:
            self._free.put_nowait(worker)

    def start(self, task: Task, *given: Any) -> list[Future[Any]]:
        """Start all with a first task, which is over when the futures are done."""
        calls = [partial(w.call, task, given, lambda progress: None) for w in self.all]
        return [self._threads.submit(call) for call in calls]

    async def call(
        self,
        task: Task,
        *given: Any,
        seconds: float,
        report: Report = lambda progress: None,
    ) -> Any:
        """As `Worker.call`, of the first that is free.

        Its process is ended if this is cancelled, or takes more than `seconds`, which
        is an `InputError`. Only then, and only once, another task may have it.
        """
        worker = await self._free.get()
        worker.stop = stop = threading.Event()
        loop = asyncio.get_running_loop()
        reporting = partial(loop.call_soon_threadsafe, report)
        work = loop.run_in_executor(self._threads, worker.call, task, given, reporting)
        work.add_done_callback(lambda _: self._free.put_nowait(worker))
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(work)
        except TimeoutError as error:
            raise late(seconds) from error
        finally:
            stop.set()
            await asyncio.wait({work})

    def end(self) -> None:
        """End all, whatever they do."""
        for worker in self.all:
            worker.stop.set()
        self._threads.shutdown(cancel_futures=True)
        for worker in self.all:
            worker.end()


def _work(pipe: Connection, memory: int | None) -> None:
    """Do tasks until the server is gone."""
    # the server decides when it ends, also where a whole group is signalled
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # what tasks need is imported before memory is limited
    import ecosurrogate.server.worker_tasks  # noqa: F401

    if memory is not None and sys.platform != "win32":
        import resource

        import psutil

        most = psutil.Process().memory_info().vms + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(EOFError, OSError):
        while True:
            task, given = pipe.recv()
            try:
                done = task(lambda progress: pipe.send(("progress", progress)), *given)
                outcome = "done", done
            except InputError as error:
                outcome = "failed", error
            except Exception as error:
                outcome = "failed", RuntimeError(f"{type(error).__name__}: {error}")
            pipe.send(outcome)
