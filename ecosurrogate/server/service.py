"""Everything that a server has: models, workers, jobs and a folder for their files."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import fftmech
from ecosurrogate.checkpoint import RunCard
from ecosurrogate.predict import BYTES, choose_load, trained_load
from ecosurrogate.server import worker_tasks
from ecosurrogate.server.generate import make_body
from ecosurrogate.server.jobs import Job, Jobs
from ecosurrogate.server.model_info import describe
from ecosurrogate.server.prediction_errors import solve_prediction
from ecosurrogate.server.predictor import Predictor
from ecosurrogate.server.refusal import Refusal
from ecosurrogate.server.request_limits import Limits
from ecosurrogate.server.schemas import (
    GENERATORS,
    METHOD,
    READING,
    Asked,
    AskedToSolve,
    Generate,
    Method,
)
from ecosurrogate.server.upload import Upload
from ecosurrogate.server.workers import Workers
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result

READ = 30.0
"""Seconds that a body may take to be read, or made."""

MEMORY = 2**30
"""Bytes that reading may take in any case, beside some times the largest body."""

SOLVE = Load({"xx": 1e-3})
"""The load of a solve that names none, as on the command line."""

FOLDER = "ecosr-serve-"
"""How the name of a server's folder begins; the number of its process follows."""


@dataclass(frozen=True)
class Settings:
    """How a server is to be."""

    runs: Mapping[str, str | PathLike]
    """Folders of trained runs by the names that clients use."""
    device: str = "cpu"
    """Of the models, "cpu" or "cuda"."""
    workers: int = 1
    """Processes that read bodies, and as many that solve."""
    token: str | None = None
    """That clients have to show; None for no token."""
    local: bool = True
    """Whether it is for this machine only."""
    queue: int = 64
    """Predictions that may wait, and jobs."""
    voxels: int | None = None
    """Of a body at most; what half of the free memory takes if None."""
    seconds: float = 600.0
    """That one piece of work may take."""
    limits: Limits = field(default_factory=Limits)
    """Of a request."""


class Service:
    """A server without its network.

    Raises
    ------
    InputError
        A folder that holds no run, a device that is not there.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = False
        affordable = max(1, psutil.virtual_memory().available // 2 // BYTES)
        self.voxels = settings.voxels or affordable
        self.predictor = Predictor(
            settings.runs, settings.device, settings.queue, self.voxels
        )
        self.readers = Workers(settings.workers, MEMORY + 200 * self.voxels)
        self.solvers = Workers(settings.workers)
        self.folder = _own_folder()
        self.jobs = Jobs(self.folder, settings.queue, settings.seconds)
        # one result at a time is in memory to be looked at
        self._looking = asyncio.Lock()

    def start(self) -> None:
        """Warm the models up and start all processes.

        Raises
        ------
        InputError
            A model that cannot predict.
        """
        schemes = {card.encoder.scheme for _, card in self.predictor.models.values()}
        begun = [
            *self.readers.start(worker_tasks.warm_up),
            *self.solvers.start(worker_tasks.warm_up, sorted(schemes)),
        ]
        self.predictor.start()
        for task in begun:
            task.result()

    def end(self) -> None:
        """End all that is under way and remove the folder."""
        self.readers.end()
        self.solvers.end()
        self.predictor.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def upload_folder(self) -> Iterator[Path]:
        """A folder for what one request sends."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def check_place(self) -> None:
        """Refuse (503) work that could not be begun, before its body is read."""
        if self.stopping:
            raise Refusal(
                503,
                "the server is stopping",
                "a server that runs",
                "ask again when it has been started again",
                retry_after=10,
            )
        self.jobs.check_place()

    def model(self, name: str | None) -> tuple[str, RunCard]:
        """Name and card of a model, the first one if no name is given; 404 if none."""
        models = self.predictor.models
        name = next(iter(models)) if name is None else name
        if name not in models:
            raise Refusal(
                404, f"model {name!r}", f"one of {', '.join(models)}", "see GET /models"
            )
        return name, models[name][1]

    async def read(self, upload: Upload, asked: Asked) -> Microstructure:
        """Read a body in a process that may be lost."""
        return await self.readers.call(
            worker_tasks.read_body,
            upload.body,
            upload.materials,
            asked.given(READING),
            asked.res,
            self.voxels,
            seconds=READ,
        )

    async def generate(self, asked: Generate, output: Path) -> None:
        """Write a microstructure."""
        options = asked.given(GENERATORS[asked.kind] | {"seed"})
        given = (asked.kind, asked.res, options, self.voxels, output)
        await self.readers.call(make_body, *given, seconds=READ)

    def predict(self, body: Microstructure, asked: Asked, file: bool) -> Job:
        """Begin a prediction; a file is written if `file`, or if nobody waits for it.

        Raises
        ------
        InputError
            No such model, a load that it does not take, a full queue.
        """
        name, card = self.model(asked.model)
        self.jobs.check_place()
        answer = self.predictor.ask(name, body, choose_load(card, asked.load()))

        async def work(job: Job) -> dict[str, Any]:
            result = await _answer(job, answer)
            if not (
                np.isfinite(result.strain).all() and np.isfinite(result.stress).all()
            ):
                raise InputError(
                    "the prediction is not finite",
                    "a body and a load like those that the model was trained on",
                    "check the size of the stiffness and of the load",
                )
            if file or job.detached:
                # in another process, for here the models would wait for it
                write, seconds = worker_tasks.write_prediction, self.settings.seconds
                await self.readers.call(write, result, job.path, seconds=seconds)
            return {
                "model": name,
                **worker_tasks.means_of(result),
                "certificates": result.residuals,
            }

        job = self.jobs.begin("predict", work)
        # what nobody waits for any more leaves the queue
        job.task.add_done_callback(lambda _: answer.cancel())
        return job

    def solve(self, body: Microstructure, asked: AskedToSolve) -> Job:
        """Begin a solve; its scheme is that of the model unless it is named."""
        card = self.model(asked.model)[1]
        method = {"scheme": card.encoder.scheme, **asked.given(METHOD)}
        load = asked.load() or trained_load(card) or SOLVE
        return self._solve(worker_tasks.solve_body, body, load, method)

    def solve_prediction(self, prediction: Job, asked: Method) -> Job:
        """Begin a solve of what was predicted, which measures the prediction."""
        if prediction.kind != "predict":
            raise InputError(
                f"the job is a {prediction.kind}",
                "a prediction",
                "send its body to POST /solve",
            )
        prediction.check_done()
        given = prediction.id, prediction.path, asked.given(METHOD)
        return self._solve(solve_prediction, *given)

    def _solve(self, task: Callable[..., Any], *given: Any) -> Job:
        async def work(job: Job) -> dict[str, Any]:
            return await self.solvers.call(
                task, *given, job.path, seconds=self.settings.seconds, report=job.run
            )

        return self.jobs.begin("solve", work)

    async def look(self, job: Job, task: Callable[..., Any], *given: Any) -> Any:
        """Return what `task(path, *given)` tells of the result of a job.

        Raises
        ------
        InputError
            A job that is not done, or was removed meanwhile; what the task refuses.
        """
        job.check_done()
        async with self._looking:
            try:
                return await asyncio.to_thread(task, job.path, *given)
            except (InputError, OSError):
                self.jobs.get(job.id)
                raise

    def describe(self) -> list[dict[str, Any]]:
        """What the models are, JSON-ready."""
        runs, device = self.settings.runs, self.settings.device
        return [
            {"name": name, "device": device, **describe(*model, runs[name])}
            for name, model in self.predictor.models.items()
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
    while not waiting.done() and not answer.running():
        await asyncio.wait({waiting}, timeout=0.1)
    job.run({})
    return await waiting


def _own_folder() -> Path:
    """Make a folder that only this user reads; remove those of killed servers."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        number = folder.name.removeprefix(FOLDER).partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
