"""Everything that a server has: models, helpers, jobs and a folder for their files."""

import asyncio
import shutil
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

import fftmech
from ecosurrogate.checkpoint import RunCard
from ecosurrogate.predict import BYTES, choose_load
from ecosurrogate.server.description import describe
from ecosurrogate.server.gate import Limits, busy
from ecosurrogate.server.helper import Helpers
from ecosurrogate.server.jobs import Job, Jobs
from ecosurrogate.server.options import Options
from ecosurrogate.server.predictor import Full, Predictor
from ecosurrogate.server.refusal import Refusal
from ecosurrogate.server.scratch import own_folder
from ecosurrogate.server.tasks import means_of, read_body, solve_body
from ecosurrogate.server.upload import Upload
from fftmech.errors import InputError
from fftmech.io import write_result
from fftmech.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.result import Result

READING = 30.0
"""Seconds that a body may take to be read."""

READER = 2**30
"""Bytes that reading may take in any case, beside some times the largest body."""

SOLVE = Load({"xx": 1e-3})
"""The load of a solve that names none, as on the command line."""


@dataclass(frozen=True)
class Settings:
    """How a server is to be.

    Attributes
    ----------
    runs
        Folders of trained runs by the names that clients use.
    device
        "cpu" or "cuda", of the models.
    workers
        Processes that read bodies, and as many that solve.
    token
        That clients have to show; None for no token.
    local
        Whether it is for this machine only.
    queue
        Predictions that may wait, and jobs.
    voxels
        Of a body at most; what half of the free memory takes if None.
    seconds
        That one piece of work may take.
    limits
        Of a request.
    """

    runs: Mapping[str, str | PathLike]
    device: str = "cpu"
    workers: int = 1
    token: str | None = None
    local: bool = True
    queue: int = 64
    voxels: int | None = None
    seconds: float = 600.0
    limits: Limits = field(default_factory=Limits)


class Service:
    """A server without its network.

    Parameters
    ----------
    settings
        How it is to be.

    Raises
    ------
    InputError
        A folder that holds no run, a device that is not there.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = False
        self.voxels = settings.voxels or _affordable()
        self.predictor = Predictor(
            settings.runs, settings.device, settings.queue, self.voxels
        )
        self.readers = Helpers(settings.workers, READER + 200 * self.voxels)
        self.solvers = Helpers(settings.workers)
        self.folder = own_folder()
        self.jobs = Jobs(self.folder, settings.queue, settings.seconds)

    def start(self) -> None:
        """Warm the models up and start all processes.

        Raises
        ------
        InputError
            A model that cannot predict.
        """
        self.predictor.start()
        self.readers.start()
        self.solvers.start()

    def end(self) -> None:
        """End all that is under way and remove the folder."""
        self.readers.end()
        self.solvers.end()
        self.predictor.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def check_place(self) -> None:
        """Refuse work that could not be begun, before its body is read.

        Raises
        ------
        Refusal
            503.
        """
        if self.stopping:
            raise Refusal(
                503,
                "the server is stopping",
                "a server that runs",
                "ask again when it has been started again",
                retry_after=10,
            )
        self.jobs.check_place()

    async def read(self, upload: Upload, options: Options) -> Microstructure:
        """Read a body in a process that may be lost.

        Raises
        ------
        Refusal
            What cannot be read.
        """
        return await self.readers.call(
            read_body,
            upload.body,
            upload.materials,
            dict(options.reading),
            options.res,
            self.voxels,
            seconds=READING,
        )

    def predict(self, body: Microstructure, options: Options, file: bool) -> Job:
        """Begin a prediction; a file is written if `file`, or if nobody waits for it.

        Raises
        ------
        Refusal
            No such model, a load that it does not take, a full queue.
        """
        name = self.model(options)
        card = self.predictor.models[name][1]
        try:
            answer = self.predictor.ask(name, body, choose_load(card, options.load))
        except Full as error:
            raise busy() from error

        async def work(job: Job) -> dict[str, Any]:
            result = await _answer(job, answer)
            if not all(map(_finite, (result.strain, result.stress))):
                raise Refusal(
                    422,
                    "the prediction is not finite",
                    "a body and a load like those that the model was trained on",
                    "check the size of the stiffness and of the load",
                )
            if file or job.detached:
                await asyncio.to_thread(write_result, job.path, result)
            return {
                "model": name,
                **means_of(result),
                "certificates": result.residuals,
            }

        try:
            return self.jobs.begin("predict", work)
        except Refusal:
            answer.cancel()
            raise

    def solve(self, body: Microstructure, options: Options) -> Job:
        """Begin a solve; its scheme is that of the model unless it is named.

        Raises
        ------
        Refusal
            No such model, too many jobs.
        """
        card = self.predictor.models[self.model(options)][1]
        method = {"scheme": card.encoder.scheme, **options.method}
        load = options.load or _trained_load(card) or SOLVE

        async def work(job: Job) -> dict[str, Any]:
            def report(progress: dict[str, Any]) -> None:
                job.state, job.progress = "running", progress

            return await self.solvers.call(
                solve_body,
                body,
                load,
                method,
                job.path,
                seconds=self.settings.seconds,
                report=report,
                cancelled=job.cancelled,
            )

        return self.jobs.begin("solve", work)

    def model(self, options: Options) -> str:
        """Name of the model asked for, the first one if none is.

        Raises
        ------
        Refusal
            404.
        """
        names = [*self.predictor.models]
        name = names[0] if options.model is None else options.model
        if name not in names:
            raise Refusal(
                404, f"model {name!r}", f"one of {', '.join(names)}", "see GET /models"
            )
        return name

    def describe(self) -> list[dict[str, Any]]:
        """What the models are, JSON-ready."""
        return [
            {"name": name, "device": self.settings.device, **describe(*model, folder)}
            for (name, model), folder in zip(
                self.predictor.models.items(), self.settings.runs.values(), strict=True
            )
        ]

    def health(self) -> dict[str, Any]:
        """How the server is, JSON-ready."""
        return {
            "status": "stopping" if self.stopping else "ok",
            "version": fftmech.__version__,
            "models": [*self.predictor.models],
            "waiting": self.predictor.waiting,
            "queue": self.predictor.queue,
            "jobs": len(self.jobs.running),
            "voxels": self.voxels,
        }


async def _answer(job: Job, answer: Future[Result]) -> Result:
    """Wait for it, and say when it is no longer waiting itself."""
    waiting = asyncio.wrap_future(answer)
    try:
        while not waiting.done() and not answer.running():
            await asyncio.wait({waiting}, timeout=0.1)
        job.state = "running"
        return await waiting
    finally:
        # one that is cancelled leaves the queue
        answer.cancel()


def _trained_load(card: RunCard) -> Load | None:
    try:
        return choose_load(card, None)
    except InputError:
        return None


def _affordable() -> int:
    """Voxels of a prediction that half of the free memory takes."""
    import psutil

    return max(1, psutil.virtual_memory().available // 2 // BYTES)


def _finite(field: np.ndarray) -> bool:
    return bool(np.isfinite(field).all())
