"""Everything that a server has: models, helpers, jobs and a folder for their files."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

import fftmech
from ecosurrogate.evaluation.predict import choose_load, trained_load
from ecosurrogate.server import tasks
from ecosurrogate.server.assessment import solve_prediction, warm_up
from ecosurrogate.server.description import describe
from ecosurrogate.server.gate import busy
from ecosurrogate.server.generation import RES
from ecosurrogate.server.helper import Helpers
from ecosurrogate.server.jobs import Job, Jobs
from ecosurrogate.server.options import Options
from ecosurrogate.server.predictor import Full, Predictor
from ecosurrogate.server.refusal import UNREADABLE, Refusal
from ecosurrogate.server.scratch import own_folder
from ecosurrogate.server.settings import Settings, affordable
from ecosurrogate.server.upload import Upload
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result

READING = 30.0
"""Seconds that a body may take to be read, or made."""

READER = 2**30
"""Bytes that reading may take in any case, beside some times the largest body."""

SOLVE = Load({"xx": 1e-3})
"""The load of a solve that names none, as on the command line."""


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
        self.voxels = settings.voxels or affordable()
        self.predictor = Predictor(
            settings.runs, settings.device, settings.queue, self.voxels
        )
        self.readers = Helpers(settings.workers, READER + 200 * self.voxels)
        self.solvers = Helpers(settings.workers)
        self.folder = own_folder()
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
        self.predictor.start()
        cards = [card for _, card in self.predictor.models.values()]
        self.readers.start(warm_up)
        self.solvers.start(warm_up, sorted({card.encoder.scheme for card in cards}))

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
            tasks.read_body,
            upload.body,
            upload.materials,
            dict(options.reading),
            options.res,
            self.voxels,
            seconds=READING,
        )

    async def generate(self, options: Mapping[str, Any], output: Path) -> None:
        """Write a microstructure; `options` are kind, res and those of the generator.

        Raises
        ------
        Refusal
            What cannot be made.
        """
        given = {"res": RES, **options}
        kind, res = given.pop("kind"), given.pop("res")
        await self.readers.call(
            tasks.make_body, kind, res, given, self.voxels, output, seconds=READING
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
                # in another process, for here the models would wait for it
                seconds = self.settings.seconds
                await self.readers.call(
                    tasks.write_prediction, result, job.path, seconds=seconds
                )
            return {
                "model": name,
                **tasks.means_of(result),
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
        load = options.load or trained_load(card) or SOLVE
        return self._solve(tasks.solve_body, body, load, method)

    def solve_prediction(self, prediction: Job, options: Options) -> Job:
        """Begin a solve of what was predicted, which measures the prediction.

        Raises
        ------
        Refusal
            Another job, one that is not done, too many jobs.
        """
        if prediction.kind != "predict":
            raise Refusal(
                UNREADABLE,
                f"the job is a {prediction.kind}",
                "a prediction",
                "send its body to POST /solve",
            )
        prediction.check_done()
        return self._solve(
            solve_prediction, prediction.id, prediction.path, dict(options.method)
        )

    async def look(self, job: Job, task: Callable[..., Any], *given: Any) -> Any:
        """Return what `task(path, *given)` tells of the result of a job.

        Raises
        ------
        Refusal
            A job that is not done, or was removed meanwhile; what the task refuses.
        """
        job.check_done()
        async with self._looking:
            try:
                return await asyncio.to_thread(task, job.path, *given)
            except (InputError, OSError):
                self.jobs.get(job.id)
                raise

    def _solve(self, task: Callable[..., Any], *given: Any) -> Job:
        async def work(job: Job) -> dict[str, Any]:
            def report(progress: dict[str, Any]) -> None:
                job.state, job.progress = "running", progress

            return await self.solvers.call(
                task,
                *given,
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


def _finite(field: np.ndarray) -> bool:
    return bool(np.isfinite(field).all())
