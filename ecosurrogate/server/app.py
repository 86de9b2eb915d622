"""Routes of the server: health, models, microstructures, predictions, solves, jobs.

Every answer that is no file is one JSON object; one that says no has `error`,
`expected` and `mend`. There are no CORS headers: pages of other sites cannot read.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi_offline import FastAPIOffline
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

import fftmech
from ecosurrogate.server import openapi
from ecosurrogate.server.gate import Gate
from ecosurrogate.server.generation import parse_generate
from ecosurrogate.server.job_fields import draw_field, list_fields
from ecosurrogate.server.jobs import ENDED, Job, mistake
from ecosurrogate.server.options import (
    Options,
    parse_options,
    parse_solve,
    parse_values,
)
from ecosurrogate.server.page import add_page
from ecosurrogate.server.refusal import Refusal
from ecosurrogate.server.service import Service
from ecosurrogate.server.upload import receive
from fftmech.microstructure.base import Microstructure

FILE = "application/x-hdf5"
"""Type of an answer that is a VTKHDF file."""

TICK = 0.5
"""Seconds between two looks at whether a client still waits."""


def make_app(service: Service) -> FastAPI:
    """Return the application of a service that has been started."""
    settings = service.settings
    # FastAPI's own pages of routes load programs from a network
    app = FastAPIOffline(
        title="ecosr serve",
        version=fftmech.__version__,
        summary="Stress and strain fields of microstructures, by surrogate and solver",
        redoc_url=None,
        static_url="/static/docs",
        swagger_ui_parameters=openapi.PAGE,
    )
    if settings.token is not None:
        openapi.ask_for_token(app)
    app.state.service = service
    app.add_middleware(
        Gate, limits=settings.limits, token=settings.token, local=settings.local
    )
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _mistaken)

    @app.get("/health", **openapi.HEALTH)
    def health() -> dict[str, Any]:
        return service.health()

    @app.get("/models", **openapi.MODELS)
    def models() -> dict[str, Any]:
        return {"models": service.describe()}

    @app.post("/generate", **openapi.GENERATE)
    async def generate(request: Request) -> Response:
        options = parse_generate(request.query_params.multi_items())
        service.check_place()
        with ExitStack() as stack:
            path = stack.enter_context(_folder(service)) / "body.h5"
            await service.generate(options, path)
            # until the file is sent
            remove = BackgroundTask(stack.pop_all().close)
        name = f"{options['kind']}.h5"
        return FileResponse(path, media_type=FILE, filename=name, background=remove)

    @app.post("/predict", **openapi.PREDICT)
    async def predict(request: Request) -> Response:
        as_json = _wants_json(request)
        return await _answered(
            request,
            service,
            as_json,
            lambda body, options: service.predict(body, options, not as_json),
        )

    @app.post("/solve", **openapi.SOLVE)
    async def solve(request: Request) -> Response:
        return await _answered(request, service, _wants_json(request), service.solve)

    @app.get("/jobs/{name}", **openapi.JOB)
    async def job(name: str) -> dict[str, Any]:
        return service.jobs.get(name).as_dict()

    @app.get("/jobs/{name}/result", **openapi.RESULT)
    async def result(name: str) -> Response:
        job = service.jobs.get(name)
        job.check_done()
        job.fetched = True
        return _file(job.path, job)

    @app.get("/jobs/{name}/fields", **openapi.FIELDS)
    async def fields(request: Request, name: str) -> dict[str, Any]:
        parse_values(request.query_params.multi_items(), {})
        return await service.look(service.jobs.get(name), list_fields)

    @app.get("/jobs/{name}/fields/{field}", **openapi.FIELD)
    async def field(request: Request, name: str, field: str) -> Response:
        given = parse_values(request.query_params.multi_items(), {"component": str})
        job = service.jobs.get(name)
        drawn = await service.look(job, draw_field, field, given.get("component"))
        return Response(
            drawn.content,
            media_type="application/octet-stream",
            headers={"X-Field": drawn.header},
        )

    @app.post("/jobs/{name}/solve", **openapi.SOLVE_PREDICTION)
    async def solve_prediction(request: Request, name: str) -> Response:
        as_json = _wants_json(request)
        options = parse_solve(request.query_params.multi_items())
        service.check_place()
        job = service.solve_prediction(service.jobs.get(name), options)
        return await _outcome(request, service, as_json, job, options.wait)

    @app.delete("/jobs/{name}", **openapi.CANCEL)
    async def cancel(name: str) -> dict[str, Any]:
        job = service.jobs.get(name)
        if job.state in ENDED:
            service.jobs.remove(job)
        else:
            service.jobs.cancel(job)
        return job.as_dict()

    add_page(app)
    return app


async def _answered(
    request: Request,
    service: Service,
    as_json: bool,
    begin: Callable[[Microstructure, Options], Job],
) -> Response:
    """Read a request, begin its job, and answer as `_outcome`."""
    query = request.query_params.multi_items()
    parse_options(query)
    service.check_place()
    with _folder(service) as folder:
        upload = await receive(request, folder)
        options = parse_options(query, upload.options)
        service.model(options)
        body = await service.read(upload, options)
    job = begin(body, options)
    # the arrays are the job's
    del body
    return await _outcome(request, service, as_json, job, options.wait)


async def _outcome(
    request: Request, service: Service, as_json: bool, job: Job, wait: float
) -> Response:
    """Wait for a job, and answer with its result or with where it will be."""
    if not await _waited(request, job, wait):
        # before anything else runs, so that its result becomes a file
        job.detached = True
        if await request.is_disconnected():
            service.jobs.remove(job)
        place = f"/jobs/{job.id}"
        return JSONResponse(job.as_dict(), 202, {"Location": place, "Retry-After": "1"})
    remove = BackgroundTask(service.jobs.remove, job)
    if job.refusal is not None:
        service.jobs.remove(job)
        raise job.refusal
    if job.state != "done":
        service.jobs.remove(job)
        raise Refusal(
            503,
            "the work was cancelled",
            "a server that is not stopping",
            "ask again",
            retry_after=10,
        )
    if as_json:
        return JSONResponse(job.summary, background=remove)
    return _file(job.path, job, remove)


async def _waited(request: Request, job: Job, seconds: float) -> bool:
    """Whether a job ended in time, while its client was there."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while not job.task.done() and (rest := until - clock()) > 0:
        await asyncio.wait({job.task}, timeout=min(rest, TICK))
        if not job.task.done() and await request.is_disconnected():
            return False
    return job.task.done()


class _File(FileResponse):
    """A file in few parts: each is read in a thread that the models' may wait for."""

    chunk_size = 2**22


def _file(path: Path, job: Job, after: BackgroundTask | None = None) -> FileResponse:
    # the summary's numbers for those who take the file
    headers = {"X-Summary": json.dumps(job.summary, allow_nan=False)}
    return _File(
        path,
        media_type=FILE,
        filename=f"{job.kind}.vtkhdf",
        headers=headers,
        background=after,
    )


@contextmanager
def _folder(service: Service):
    """A folder for what one request sends."""
    folder = Path(tempfile.mkdtemp(dir=service.folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wants_json(request: Request) -> bool:
    """Whether JSON is preferred to a file, which is what is sent otherwise."""
    accepted = request.headers.get("accept", "*/*").lower()
    for kind in accepted.split(","):
        name = kind.partition(";")[0].strip()
        if name == "application/json":
            return True
        if name in (FILE, "application/octet-stream", "application/*", "*/*"):
            return False
    raise Refusal(
        406,
        f"Accept: {accepted[:80]}",
        f"{FILE} or application/json",
        "leave the header out for the file",
    )


def _refused(request: Request, error: Any) -> Response:
    return _line(error)


def _no_route(request: Request, error: Any) -> Response:
    """Of what the framework refuses: no such path or method, a form that is none."""
    refusal = Refusal(
        error.status_code,
        f"{request.method} {request.url.path[:80]}: {error.detail}",
        "a request that /openapi.json describes",
        "see /openapi.json",
    )
    response = _line(refusal)
    response.headers.update(error.headers or {})
    return response


def _mistaken(request: Request, error: Exception) -> Response:
    return _line(mistake())


def _line(refusal: Refusal) -> Response:
    line = json.dumps(refusal.as_dict()) + "\n"
    return Response(line, refusal.status, refusal.headers(), "application/json")
