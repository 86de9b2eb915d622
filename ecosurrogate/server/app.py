"""Routes of the server: health, models, microstructures, predictions, solves, jobs.

Every answer that is no file is one JSON object; one that says no has `error`,
`expected` and `mend`. There are no CORS headers: pages of other sites cannot read.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

import fftmech
from ecosurrogate.server import schemas
from ecosurrogate.server.jobs import Job
from ecosurrogate.server.refusal import Refusal, mistake
from ecosurrogate.server.request_limits import RequestLimits, answer
from ecosurrogate.server.result_fields import draw_field, list_fields
from ecosurrogate.server.service import Service
from ecosurrogate.server.upload import receive
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure

FILE = "application/x-hdf5"
"""Type of an answer that is a VTKHDF file."""

TICK = 0.5
"""Seconds between two looks at whether a client still waits."""

PAGE = Path(__file__).with_name("static")
"""Files of the page, which need no token and no network."""

POLICY = {"Content-Security-Policy": "default-src 'self'; img-src 'self' data:"}
"""What the page may load: this server's files alone."""

REPEATED = {"strain", "stress", "uniaxial", "shape", "spacing"}
"""Options that a query may have several times."""

# what the description says of routes, beside the types of `schemas`
BINARY = {"type": "string", "format": "binary"}
FORM = {"file": BINARY, "materials": BINARY, "options": {"type": "string"}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A microstructure: HDF5 as it is, or any file that `fftmech "
        "convert` reads as the field `file` of a form, with `materials` (TOML) and "
        "`options` (JSON) where they are needed.",
        "content": {
            FILE: {"schema": BINARY},
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": FORM},
                "example": {"options": '{"strain": {"xx": 1e-3}}'},
            },
        },
    }
}
VTKHDF: dict[str, Any] = {
    "description": "VTKHDF",
    "content": {FILE: {"schema": BINARY}},
}
DRAWN: dict[str, Any] = {
    "description": "NaN in pores. The header X-Field is JSON: shape, symbol, unit, and "
    "low, high and diverging, the ends and the kind of its colour scale",
    "content": {"application/octet-stream": {"schema": BINARY}},
}
REFUSALS = {
    401: "No token",
    404: "No such model, job or field",
    406: "Neither the file nor JSON is accepted",
    408: "The body came too slowly",
    409: "The job is not done",
    413: "Too many bytes or voxels",
    422: "A body or an option that makes no sense",
    429: "Too many requests from this address; Retry-After",
    503: "The queue is full, or the server is stopping; Retry-After",
}


async def _service(request: Request) -> Service:
    return request.app.state.service


async def _check_each_once(request: Request) -> None:
    counts = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in counts.items():
        if count > 1 and name not in REPEATED:
            raise InputError(f"option {name!r} given twice", "each once", schemas.MEND)


async def _wants_json(
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
) -> bool:
    """Whether JSON is preferred to a file, which is what is sent otherwise."""
    for kind in accept.lower().split(","):
        name = kind.partition(";")[0].strip()
        if name == "application/json":
            return True
        if name in (FILE, "application/octet-stream", "application/*", "*/*"):
            return False
    mend = "leave the header out for the file"
    raise Refusal(406, f"Accept: {accept[:80]}", f"{FILE} or application/json", mend)


TheService = Annotated[Service, Depends(_service)]
AsJson = Annotated[bool, Depends(_wants_json)]


def _work(model: type[schemas.Means]) -> dict[str, Any]:
    """What is said of a route that works for a while."""
    done = "VTKHDF, or with Accept: application/json its summary"
    late = "Not done in `wait` seconds: a job"
    return {
        "response_class": Response,
        "responses": {
            200: {**VTKHDF, "model": model, "description": done},
            202: {"model": schemas.Job, "description": late},
        },
    }


router = APIRouter(
    dependencies=[Depends(_check_each_once)],
    responses={
        status: {"model": schemas.Refused, "description": text}
        for status, text in REFUSALS.items()
    },
)


@router.get("/", include_in_schema=False)
async def page() -> Response:
    """The page for people."""
    return FileResponse(PAGE / "index.html", headers=POLICY)


@router.get("/health", response_model=schemas.Health)
async def health(service: TheService) -> dict[str, Any]:
    """Whether the server works."""
    return service.health()


@router.get("/models", response_model=schemas.Models)
def models(service: TheService) -> dict[str, Any]:
    """The models: scheme, resolution, training data, errors."""
    return {"models": service.describe()}


@router.post("/generate", response_class=Response, responses={200: VTKHDF})
async def generate(
    service: TheService, asked: Annotated[schemas.Generate, Query()]
) -> Response:
    """Make a microstructure, to be sent to /predict or /solve."""
    service.check_place()
    with ExitStack() as stack:
        path = stack.enter_context(service.upload_folder()) / "body.h5"
        await service.generate(asked, path)
        # until the file is sent
        remove = BackgroundTask(stack.pop_all().close)
    name = f"{asked.kind}.h5"
    return FileResponse(path, media_type=FILE, filename=name, background=remove)


@router.post("/predict", **_work(schemas.Predicted), openapi_extra=BODY)
async def predict(
    request: Request,
    service: TheService,
    as_json: AsJson,
    asked: Annotated[schemas.Asked, Query()],
) -> Response:
    """Predict the fields of a body."""

    def begin(body: Microstructure, asked: schemas.Asked) -> Job:
        return service.predict(body, asked, file=not as_json)

    return await _answered(request, service, as_json, asked, begin)


@router.post("/solve", **_work(schemas.Solved), openapi_extra=BODY)
async def solve(
    request: Request,
    service: TheService,
    as_json: AsJson,
    asked: Annotated[schemas.AskedToSolve, Query()],
) -> Response:
    """Solve the same with the solver."""
    return await _answered(request, service, as_json, asked, service.solve)


@router.get(
    "/jobs/{name}", response_model=schemas.Job, response_model_exclude_unset=True
)
async def job(service: TheService, name: str) -> dict[str, Any]:
    """How far a job is."""
    return service.jobs.get(name).as_dict()


@router.delete(
    "/jobs/{name}", response_model=schemas.Job, response_model_exclude_unset=True
)
async def cancel(service: TheService, name: str) -> dict[str, Any]:
    """Cancel a job, or remove one that has ended."""
    job = service.jobs.get(name)
    if job.ended is None:
        service.jobs.cancel(job)
    else:
        service.jobs.remove(job)
    return job.as_dict()


@router.get("/jobs/{name}/result", response_class=Response, responses={200: VTKHDF})
async def result(service: TheService, name: str) -> Response:
    """The result of a job that is done, VTKHDF."""
    job = service.jobs.get(name)
    job.check_done()
    job.fetched = True
    return _file(job)


@router.get("/jobs/{name}/fields", response_model=schemas.Fields)
async def fields(
    service: TheService, name: str, _: Annotated[schemas.Options, Query()]
) -> dict[str, Any]:
    """The fields of a job that is done, with their components."""
    return await service.look(service.jobs.get(name), list_fields)


@router.get(
    "/jobs/{name}/fields/{field}", response_class=Response, responses={200: DRAWN}
)
async def field(
    service: TheService,
    name: str,
    field: str,
    asked: Annotated[schemas.Component, Query()],
) -> Response:
    """One of them by voxel: float32, little-endian, C order (x, y, z)."""
    job = service.jobs.get(name)
    values, told = await service.look(job, draw_field, field, asked.component)
    headers = {"X-Field": json.dumps(told)}
    return Response(values, media_type="application/octet-stream", headers=headers)


@router.post("/jobs/{name}/solve", **_work(schemas.Solved))
async def solve_prediction(
    request: Request,
    service: TheService,
    as_json: AsJson,
    name: str,
    asked: Annotated[schemas.Method, Query()],
) -> Response:
    """Solve what was predicted, and measure the prediction."""
    service.check_place()
    job = service.solve_prediction(service.jobs.get(name), asked)
    return await _outcome(request, service, as_json, job, asked.wait)


def make_app(service: Service) -> FastAPI:
    """Return the application of a service that has been started."""
    settings = service.settings
    # /docs asks for the token, which `RequestLimits` checks
    bearer = Security(HTTPBearer(scheme_name="token", auto_error=False))
    # FastAPI's own pages of routes load programs from a network
    app = FastAPIOffline(
        title="ecosr serve",
        version=fftmech.__version__,
        summary="Stress and strain fields of microstructures, by surrogate and solver",
        dependencies=[] if settings.token is None else [bearer],
        redoc_url=None,
        static_url="/static/docs",
        # nobody else is asked whether the description is valid
        swagger_ui_parameters={"validatorUrl": None, "defaultModelsExpandDepth": -1},
    )
    app.state.service = service
    app.add_middleware(
        RequestLimits,
        limits=settings.limits,
        token=settings.token,
        local=settings.local,
    )
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _mistaken)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=PAGE))
    return app


async def _answered(
    request: Request,
    service: Service,
    as_json: bool,
    asked: Any,
    begin: Callable[[Microstructure, Any], Job],
) -> Response:
    """Read a request, begin its job, and answer as `_outcome`."""
    service.check_place()
    with service.upload_folder() as folder:
        upload = await receive(request, folder)
        asked = asked.with_options(upload.options)
        service.model(asked.model)
        body = await service.read(upload, asked)
    job = begin(body, asked)
    # the arrays are the job's
    del body
    return await _outcome(request, service, as_json, job, asked.wait)


async def _outcome(
    request: Request, service: Service, as_json: bool, job: Job, wait: float
) -> Response:
    """Wait for a job, and answer with its result or with where it will be."""
    if not await _waited(request, job, wait):
        # before anything else runs, so that its result becomes a file
        job.detached = True
        if await request.is_disconnected():
            service.jobs.remove(job)
        headers = {"Location": f"/jobs/{job.id}", "Retry-After": "1"}
        return JSONResponse(job.as_dict(), 202, headers)
    if job.state == "done":
        remove = BackgroundTask(service.jobs.remove, job)
        if as_json:
            return JSONResponse(job.summary, background=remove)
        return _file(job, remove)
    service.jobs.remove(job)
    raise job.error or Refusal(
        503, "the work was cancelled", "a server that is not stopping", "ask again", 10
    )


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


def _file(job: Job, after: BackgroundTask | None = None) -> FileResponse:
    # the summary's numbers for those who take the file
    headers = {"X-Summary": json.dumps(job.summary, allow_nan=False)}
    return _File(job.path, 200, headers, FILE, after, f"{job.kind}.vtkhdf")


def _refused(request: Request, error: Any) -> Response:
    return answer(error)


def _invalid(request: Request, error: Any) -> Response:
    """Of options that are not as `schemas` says."""
    found = error.errors()[0]
    name = " ".join(str(part) for part in found["loc"] if part not in ("query", "path"))
    given, expected = f"{name} {str(found['input'])[:40]!r}", found["msg"]
    if found["type"] == "missing":
        given = f"no {name}"
    elif found["type"] == "extra_forbidden":
        given, expected = f"option {name!r}", "an option that this route has"
    elif found["type"] == "value_error":
        given, expected = "options that do not fit", str(found["ctx"]["error"])
    expected = expected.removeprefix("Input should be ")
    return answer(InputError(given, expected, schemas.MEND))


def _no_route(request: Request, error: Any) -> Response:
    """Of what the framework refuses: no such path or method, a form that is none."""
    given = f"{request.method} {request.url.path[:80]}: {error.detail}"
    expected, mend = "a request that /openapi.json describes", "see /openapi.json"
    response = answer(Refusal(error.status_code, given, expected, mend))
    response.headers.update(error.headers or {})
    return response


def _mistaken(request: Request, error: Exception) -> Response:
    return answer(mistake())
