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

FETCHED = 5.0  # seconds in which a client that asks now and then fetches a result


class Job:
    """A "predict", "solve" or "respond": queued, running, then done, failed, cancelled.

    To be used from the event loop, as `Jobs`.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        # long enough that nobody guesses it
        self.id, self.kind = secrets.token_urlsafe(16), kind
        end = "csv" if kind == "respond" else "vtkhdf"
        self.path = folder / self.id / f"result.{end}"
        self.path.parent.mkdir()
        self.state = "queued"
        self.progress: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.error: InputError | None = None
        self.began = time.monotonic()
        self.ended: float | None = None  # when its state became final
        # whether nobody waits for it, so that its result becomes a file; and whether
        # somebody has asked for that
        self.detached = self.fetched = False
        self.task: asyncio.Task[None]

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
            mend = "look at GET /jobs/{id}, which says how far it is"
            raise Refusal(409, f"the job is {self.state}", "a job that is done", mend)

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


# does what a job is for: writes `Job.path`, and returns the summary
Work = Callable[[Job], Awaitable[dict[str, Any]]]


class Jobs:
    """All jobs of a server, which take some `seconds` each at most.

    There are `most` that have not ended, and as many that have: the oldest of those go.
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
        since = time.monotonic() - FETCHED
        done = [j for j in self._jobs.values() if j.state == "done" and not j.fetched]
        return [*self.running, *(job for job in done if (job.ended or 0) > since)]

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
            known = "an id that POST gave, of one that was not removed yet"
            raise Refusal(404, "no such job", known, "ask again with POST")
        return self._jobs[name]

    def cancel(self, job: Job) -> None:
        """End a job; one that has ended stays what it is."""
        if job.ended is None:
            job.end("cancelled")
            job.task.cancel()

    def remove(self, job: Job) -> None:
        """End a job if need be, forget it, and remove its files once it leaves them."""
        self.cancel(job)
        self._jobs.pop(job.id, None)
        folder = job.path.parent
        job.task.add_done_callback(lambda _: shutil.rmtree(folder, ignore_errors=True))

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
