"""Work under way: what has been asked for, how far it is, and its file at the end."""

import asyncio
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from ecosurrogate.server.gate import busy
from ecosurrogate.server.helper import Cancelled
from ecosurrogate.server.refusal import Refusal, refusal_of
from fftmech.errors import InputError

log = logging.getLogger("ecosurrogate.server")

ENDED = ("done", "failed", "cancelled")

FETCHED = 5.0
"""Seconds in which a client that asks for its job now and then fetches the result."""


class Job:
    """One piece of work.

    Parameters
    ----------
    kind
        "predict" or "solve".
    folder
        Of its files.

    Attributes
    ----------
    id
        Long enough that nobody guesses it.
    state
        "queued", "running", or one of `ENDED`.
    progress, summary
        JSON-ready.
    refusal
        Why it failed.
    path
        The result, once it is done.
    cancelled
        Set to end it.
    detached
        Whether nobody waits for it: then its result becomes a file.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.id, self.kind = secrets.token_urlsafe(16), kind
        self.folder = folder / self.id
        self.path = self.folder / "result.vtkhdf"
        self.state = "queued"
        self.progress: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.refusal: Refusal | None = None
        self.cancelled = threading.Event()
        self.detached = False
        self.fetched = False
        self.began = time.monotonic()
        self.ended: float | None = None
        self.task: asyncio.Task[None]
        self.folder.mkdir()

    def check_done(self) -> None:
        """Refuse to give what there is only when it is done.

        Raises
        ------
        Refusal
            409.
        """
        if self.state != "done":
            raise Refusal(
                409,
                f"the job is {self.state}",
                "a job that is done",
                "look at GET /jobs/{id}, which says how far it is",
            )

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        place = f"/jobs/{self.id}"
        shown: dict[str, Any] = {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "seconds": (self.ended or time.monotonic()) - self.began,
            "progress": self.progress,
            "href": place,
        }
        if self.state == "done":
            shown.update(summary=self.summary, result=f"{place}/result")
        if self.refusal is not None:
            shown.update(self.refusal.as_dict())
        return shown


Work = Callable[[Job], Awaitable[dict[str, Any]]]
"""Does what a job is for; returns the summary, and writes `Job.path`."""


class Jobs:
    """All jobs of a server; to be used from its event loop.

    Parameters
    ----------
    folder
        Of their files.
    most
        Jobs that are not done; as many that are, the oldest of which go.
    seconds
        That a job may take.
    """

    def __init__(self, folder: Path, most: int = 64, seconds: float = 600.0) -> None:
        self.folder, self.most, self.seconds = folder, most, seconds
        self._jobs: dict[str, Job] = {}

    @property
    def running(self) -> list[Job]:
        """Those that have not ended."""
        return [job for job in self._jobs.values() if job.state not in ENDED]

    @property
    def unfinished(self) -> list[Job]:
        """Those, and those that are done and that somebody may still come for."""
        late = time.monotonic() - FETCHED
        return [
            job
            for job in self._jobs.values()
            if job.ended is None
            or (job.state == "done" and not job.fetched and job.ended > late)
        ]

    def check_place(self) -> None:
        """Refuse work when there is much.

        Raises
        ------
        Refusal
            503.
        """
        if len(self.running) >= self.most:
            raise busy()

    def begin(self, kind: str, work: Work) -> Job:
        """Begin work.

        Raises
        ------
        Refusal
            There is too much.
        """
        self.check_place()
        ended = [job for job in self._jobs.values() if job.state in ENDED]
        for job in ended[: max(0, len(ended) - self.most + 1)]:
            self.remove(job)
        job = Job(kind, self.folder)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job, work))
        return job

    def get(self, name: str) -> Job:
        """Return a job by its id.

        Raises
        ------
        Refusal
            404.
        """
        if name not in self._jobs:
            raise Refusal(
                404,
                "no such job",
                "an id that POST gave, of one that was not removed yet",
                "ask again with POST",
            )
        return self._jobs[name]

    def cancel(self, job: Job) -> None:
        """End a job; one that has ended stays what it is."""
        if job.state not in ENDED:
            job.cancelled.set()
            job.task.cancel()
            self._end(job, "cancelled")

    def remove(self, job: Job) -> None:
        """End a job if need be, forget it and remove its files."""
        self.cancel(job)
        self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    async def _run(self, job: Job, work: Work) -> None:
        try:
            async with asyncio.timeout(self.seconds):
                job.summary = await work(job)
            self._end(job, "done")
        except (Cancelled, CancelledError, asyncio.CancelledError):
            self._end(job, "cancelled")
        except TimeoutError:
            job.cancelled.set()
            self._fail(job, _late(self.seconds))
        except Refusal as refusal:
            self._fail(job, refusal)
        except InputError as error:
            self._fail(job, refusal_of(error))
        except Exception:
            log.exception("job %s (%s) failed", job.id, job.kind)
            self._fail(job, mistake())

    def _fail(self, job: Job, refusal: Refusal) -> None:
        job.refusal = refusal
        self._end(job, "failed")

    def _end(self, job: Job, state: str) -> None:
        if job.state not in ENDED:
            job.state, job.ended = state, time.monotonic()


def mistake() -> Refusal:
    """Of what is our fault; what happened is in the server's log."""
    return Refusal(
        500,
        "the server made a mistake",
        "none",
        "try another body, and tell who runs the server",
    )


def _late(seconds: float) -> Refusal:
    return Refusal(
        422,
        f"the work took more than {seconds:g} s",
        "work that is done in this time",
        "coarsen the body, or run it on the command line",
    )
