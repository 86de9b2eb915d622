"""Everything that a server has: models, workers, jobs and a folder for their files."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import fftmech
from ecosurrogate.evaluation.learned_load import choose_load, trained_load
from ecosurrogate.response.trained_network import TrainedNetwork
from ecosurrogate.server import schemas, worker_tasks
from ecosurrogate.server.jobs import Job, Jobs
from ecosurrogate.server.model_cards import describe, describe_network
from ecosurrogate.server.prediction_errors import solve_prediction
from ecosurrogate.server.predictor import Predictor
from ecosurrogate.server.refusal import Refusal
from ecosurrogate.server.upload import Tables, Upload
from ecosurrogate.server.workers import Workers
from ecosurrogate.training.checkpoint import RunCard
from fftmech.errors import InputError
from fftmech.io.materials import Materials
from fftmech.loads.load import Load
from fftmech.loads.path import Path as LoadPath
from fftmech.microstructure.base import Microstructure

READING = 30.0  # seconds that a body may take to be read, or made
READER = 2**30  # bytes that reading may take beside some times the largest body
SOLVE = Load({"xx": 1e-3})  # of a solve that names none, as on the command line
NO_FIELDS = "get its table at GET /jobs/{id}/result"
FOLDER = "ecosr-serve-"  # names of folders begin so; the number of a process follows


@dataclass(frozen=True)
class Settings:
    """How a server is to be; its runs by the names that clients use."""

    runs: Mapping[str, str | PathLike]
    device: str = "cpu"  # of the models
    workers: int = 1  # processes that read bodies, and as many that solve
    token: str | None = None  # that clients have to show
    local: bool = True  # whether it is for this machine only
    queue: int = 64  # predictions that may wait, and jobs
    voxels: int | None = None  # of a body; what half of the free memory takes if None
    seconds: float = 600.0  # that one piece of work may take
    increments: int = 4000  # of a load path
    body: int = 2**28  # bytes of a request
    upload: float = 60.0  # seconds in which they have to arrive
    silence: float = 20.0  # seconds in which a client has to ask, or take its answer
    rate: float = 50.0  # requests a second and address; twice as many in one second
    open: int = 128  # requests at once: each may have a body on the disk


class Service:
    """A server without its network; InputError if a run or a device is not there."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = False
        runs = settings.runs.items()
        self.networks = {
            name: TrainedNetwork.read(run)
            for name, run in runs
            if TrainedNetwork.at(run)
        }
        fields = {name: run for name, run in runs if name not in self.networks}
        self.predictor = Predictor(fields, settings.device, settings.voxels or 0)
        self.voxels = self.predictor.voxels
        self.readers = Workers(settings.workers, READER + 200 * self.voxels)
        self.solvers = Workers(settings.workers)
        self.folder = _own_folder()
        self.jobs = Jobs(self.folder, settings.queue, settings.seconds)
        # one result at a time is in memory to be looked at
        self._looking = asyncio.Lock()

    def start(self) -> None:
        """Start all processes and warm the models up; InputError if one is no good."""
        models = self.predictor.models.values()
        schemes = sorted({card.encoder.scheme for _, card in models})
        begun = self.readers.start(worker_tasks.warm_up)
        begun += self.solvers.start(worker_tasks.warm_up, schemes)
        self.predictor.warm_up()
        for task in begun:
            task.result()

    def end(self) -> None:
        """End all that is under way and remove the folder."""
        self.readers.end()
        self.solvers.end()
        self.predictor.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def upload_folder(self) -> tempfile.TemporaryDirectory[str]:
        """A folder for what one request sends."""
        return tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True)

    def check_place(self) -> None:
        """Refuse (503) work that could not be begun, before its body is read."""
        if self.stopping:
            mend = "ask again when it has been started again"
            known = "a server that runs"
            raise Refusal(503, "the server is stopping", known, mend, retry_after=10)
        self.jobs.check_place()

    def model(self, name: str | None) -> tuple[str, RunCard]:
        """Name and card of a model, the first one if no name is given; 404 if none."""
        models = self.predictor.models
        name = _known(
            name, models, "of fields", "ask a network of laminates at /respond"
        )
        return name, models[name][1]

    def network(self, name: str | None) -> tuple[str, TrainedNetwork]:
        """Name and content of a network of laminates, likewise."""
        mend = "serve one that ecosr fit --model dmn made"
        name = _known(name, self.networks, "that is a network of laminates", mend)
        return name, self.networks[name]

    async def read(self, upload: Upload, asked: schemas.Asked) -> Microstructure:
        """Read a body in a process that may be lost."""
        given = upload.body, upload.materials, asked.given(schemas.READING), asked.res
        # what is solved is checked again
        law = self.model(asked.model)[1].law
        read = worker_tasks.read_body
        return await self.readers.call(read, *given, self.voxels, law, seconds=READING)

    async def generate(self, asked: schemas.Generate) -> bytes:
        """Make a microstructure, HDF5."""
        options = asked.given(schemas.GENERATORS[asked.kind] | {"seed"})
        with self.upload_folder() as folder:
            path = Path(folder, "body.h5")
            given = asked.kind, asked.res, options, self.voxels, path
            await self.readers.call(worker_tasks.make_body, *given, seconds=READING)
            return await asyncio.to_thread(path.read_bytes)

    def predict(self, body: Microstructure, asked: schemas.Asked, file: bool) -> Job:
        """Begin a prediction, which becomes a file if `file`, or if nobody waits."""
        name, card = self.model(asked.model)
        load = choose_load(card, asked.load())

        async def work(job: Job) -> dict[str, Any]:
            begun = partial(job.run, {})
            result = await self.predictor.predict(name, body, load, begun)
            if not all(np.isfinite(x).all() for x in (result.strain, result.stress)):
                expected = "a body and a load like those that the model was trained on"
                mend = "check the size of the stiffness and of the load"
                raise InputError("the prediction is not finite", expected, mend)
            if file or job.detached:
                # in another process, for here the models would wait for it
                write, seconds = worker_tasks.write_prediction, self.settings.seconds
                await self.readers.call(write, result, job.path, seconds=seconds)
            means = worker_tasks.means_of(result)
            summary = {"model": name, "status": result.status, **means}
            notes = {"certificates": result.residuals, "notes": result.notes}
            return {**summary, **notes}

        return self.jobs.begin("predict", work)

    def solve(self, body: Microstructure, asked: schemas.Asked, file: bool) -> Job:
        """Begin a solve in the box of the model, in its scheme unless one is named."""
        card = self.model(asked.model)[1]
        box = {"scheme": card.encoder.scheme, "boundary": card.encoder.boundary}
        method = {**box, **asked.given(schemas.METHOD)}
        load = asked.load() or trained_load(card) or SOLVE
        return self._solve(worker_tasks.solve_body, body, load, method)

    def solve_prediction(self, prediction: Job, asked: schemas.Method) -> Job:
        """Begin a solve of what was predicted, which measures the prediction."""
        if prediction.kind != "predict":
            mend = "send a body to /solve"
            raise InputError("the job is no prediction", "a prediction", mend)
        prediction.check_done()
        method = asked.given(schemas.METHOD)
        return self._solve(solve_prediction, prediction.id, prediction.path, method)

    async def read_path(
        self, upload: Tables, asked: schemas.AskedToRespond
    ) -> tuple[Materials, LoadPath]:
        """Read a materials file and a load path in a process that may be lost."""
        trained = self.network(asked.model)[1]
        given = trained, upload.materials, upload.path, self.settings.increments
        read = worker_tasks.read_path_files
        return await self.readers.call(read, *given, seconds=READING)

    def respond(
        self, materials: Materials, path: LoadPath, asked: schemas.AskedToRespond
    ) -> Job:
        """Begin to follow a load path."""
        name, trained = self.network(asked.model)
        given = trained, materials, path, asked.temperature

        async def work(job: Job) -> dict[str, Any]:
            task = worker_tasks.follow_path
            limits = {"seconds": self.settings.seconds, "report": job.run}
            found = await self.solvers.call(task, *given, job.path, **limits)
            return {"model": name, **found}

        return self.jobs.begin("respond", work)

    def _solve(self, task: Callable[..., Any], *given: Any) -> Job:
        async def work(job: Job) -> dict[str, Any]:
            limits = {"seconds": self.settings.seconds, "report": job.run}
            return await self.solvers.call(task, *given, job.path, **limits)

        return self.jobs.begin("solve", work)

    async def look(self, job: Job, task: Callable[..., Any], *given: Any) -> Any:
        """Return what `task(path, *given)` tells of a result; 404 if it is removed."""
        if job.kind == "respond":
            raise InputError(
                "the job is a response", "a job that has fields", NO_FIELDS
            )
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
        ] + [
            {"name": name, "device": "cpu", **describe_network(trained)}
            for name, trained in self.networks.items()
        ]

    def health(self) -> dict[str, Any]:
        """How the server is, JSON-ready."""
        return {
            "status": "stopping" if self.stopping else "ok",
            "version": fftmech.__version__,
            "models": [*self.predictor.models, *self.networks],
            "waiting": len(self.predictor.waiting),
            "queue": self.settings.queue,
            "jobs": len(self.jobs.running),
            "voxels": self.voxels,
        }


def _known(name: str | None, models: Mapping[str, Any], kind: str, mend: str) -> str:
    """A name of `models`, the first one if none is given; 404 if there is none."""
    if not models:
        raise Refusal(404, f"no model {kind}", "a server that has one", mend)
    name = next(iter(models)) if name is None else name
    if name not in models:
        given, known = f"model {name!r}", f"one of {', '.join(models)}"
        raise Refusal(404, given, f"{known}, {kind}", "see GET /models")
    return name


def _own_folder() -> Path:
    """Make a folder that only this user reads; remove those of killed servers."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        number = folder.name.removeprefix(FOLDER).partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
