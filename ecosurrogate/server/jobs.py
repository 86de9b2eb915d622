"""Work under way: what has been asked for, how far it is, and its file at the end."""

import asyncio
import logging
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from ecosurrogate.server.refusal import Refusal, busy, late, mistake, parts_of
from fftmech.errors import InputError

log = logging.getLogger("ecosurrogate.server")

ENDED = ("done", "failed", "cancelled")

FETCHED = 5.0
"""Seconds in which a client that asks for its job now and then fetches the result."""


class Job:
    """One piece of work: queued, running, then for good one of `ENDED`.

    To be used from the event loop, as `Jobs`.

    Parameters
    ----------
    kind
        "predict" or "solve".
    folder
        In which it has one of its own for its files.

    Attributes
    ----------
    id
        Long enough that nobody guesses it.
    progress, summary
        JSON-ready.
    error
        Why it failed.
    path
        The result, once it is done.
    detached
        Whether nobody waits for it: then its result becomes a file.
    fetched
        Whether somebody has asked for the result.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.id, self.kind = secrets.token_urlsafe(16), kind
        self.folder = folder / self.id
        self.path = self.folder / "result.vtkhdf"
        self.state = "queued"
        self.progress: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.error: InputError | None = None
        self.detached = self.fetched = False
        self.began = time.monotonic()
        self.ended: float | None = None
        self.task: asyncio.Task[None]
        self.folder.mkdir()

    def run(self, progress: dict[str, Any]) -> None:
        """Note progress; what is heard of a job that has ended is too late."""
        if self.ended is None:
            self.state, self.progress = "running", progress

    def end(self, state: str, error: InputError | None = None) -> None:
        """End it; one that has ended stays what it is."""
        if self.ended is None:
            self.state, self.error, self.ended = state, error, time.monotonic()

    def check_done(self) -> None:
        """Refuse (409) to give what there is only when it is done."""
        if self.state != "done":
            raise Refusal(
                409,
                f"the job is {self.state}",
                "a job that is done",
                "look at GET /jobs/{id}, which says how far it is",
            )

    def as_dict(self) -> dict[str, Any]:
        """What clients are told, JSON-ready."""
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
        if self.error is not None:
            shown.update(parts_of(self.error))
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
        Jobs that have not ended; as many that have, the oldest of which go.
    seconds
        That a job may take.
    """

    def __init__(self, folder: Path, most: int = 64, seconds: float = 600.0) -> None:
        self.folder, self.most, self.seconds = folder, most, seconds
        self._jobs: dict[str, Job] = {}

    @property
    def running(self) -> list[Job]:
        """Those that have not ended."""
        return [job for job in self._jobs.values() if job.ended is None]

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
        """Refuse work (503) when there is much."""
        if len(self.running) >= self.most:
            raise busy()

    def begin(self, kind: str, work: Work) -> Job:
        """Begin work; refused (503) when there is much."""
        self.check_place()
        ended = [job for job in self._jobs.values() if job.ended is not None]
        for job in ended[: max(0, len(ended) - self.most + 1)]:
            self.remove(job)
        job = Job(kind, self.folder)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job, work))
        return job

    def get(self, name: str) -> Job:
        """Return a job by its id; 404 if there is none."""
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
        if job.ended is None:
            job.end("cancelled")
            job.task.cancel()

    def remove(self, job: Job) -> None:
        """End a job if need be, forget it, and remove its files when it leaves them."""
        self.cancel(job)
        self._jobs.pop(job.id, None)
        job.task.add_done_callback(
            lambda _: shutil.rmtree(job.folder, ignore_errors=True)
        )

    async def _run(self, job: Job, work: Work) -> None:
        try:
            async with asyncio.timeout(self.seconds):
                job.summary = await work(job)
            job.end("done")
        except TimeoutError:
            job.end("failed", late(self.seconds))
        except (CancelledError, asyncio.CancelledError):
            job.end("cancelled")
        except InputError as error:
            job.end("failed", error)
        except Exception:
            log.exception("job %s (%s) failed", job.id, job.kind)
            job.end("failed", mistake())
