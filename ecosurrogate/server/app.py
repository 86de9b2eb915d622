"""Routes of the server: health, models, microstructures, jobs of four kinds.

Every answer that is no file is one JSON object; one that says no has `error`,
`expected` and `mend`. There are no CORS headers: pages of other sites cannot read.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

import fftmech
from ecosurrogate.server import openapi, schemas
from ecosurrogate.server.jobs import Job
from ecosurrogate.server.refusal import Refusal, mistake
from ecosurrogate.server.request_limits import RequestLimits, answer
from ecosurrogate.server.result_fields import draw_field, list_fields
from ecosurrogate.server.service import Service
from ecosurrogate.server.upload import receive, receive_tables
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure

FILE = "application/x-hdf5"  # type of an answer that is a VTKHDF file
TABLE = "text/csv"  # of one that is a table
RESPOND = "/respond"
PAGE = Path(__file__).with_name("static")
# what the page may load: this server's files alone
POLICY = {"Content-Security-Policy": "default-src 'self'; img-src 'self' data:"}
# options that a query may have several times
REPEATED = {"strain", "stress", "uniaxial", "shape", "spacing"}

A = TypeVar("A", bound=schemas.Asked)


async def _service(request: Request) -> Service:
    return request.app.state.service


TheService = Annotated[Service, Depends(_service)]


async def _wants_json(
    request: Request,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
) -> bool:
    """Whether JSON is preferred to a file, which is what is sent otherwise."""
    file, others = FILE, ("application/octet-stream", "application/*")
    if request.url.path == RESPOND:
        file, others = TABLE, ("text/*",)
    for kind in accept.lower().split(","):
        name = kind.partition(";")[0].strip()
        if name == "application/json":
            return True
        if name in (file, *others, "*/*"):
            return False
    mend = "leave the header out for the file"
    raise Refusal(406, f"Accept: {accept[:80]}", f"{file} or application/json", mend)


async def _check_each_once(request: Request) -> None:
    counts = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in counts.items():
        if count > 1 and name not in REPEATED:
            raise InputError(f"option {name!r} given twice", "each once", schemas.MEND)


@dataclass
class Client:
    """Who asks for work, and gets its result or the place where it will be."""

    request: Request
    service: TheService
    as_json: Annotated[bool, Depends(_wants_json)]

    async def work(
        self, asked: A, begin: Callable[[Microstructure, A, bool], Job]
    ) -> Response:
        """Read the body of the request, begin its job, and answer."""
        self.service.check_place()
        with self.service.upload_folder() as folder:
            upload = await receive(self.request, Path(folder))
            asked = asked.with_options(upload.options)
            self.service.model(asked.model)
            body = await self.service.read(upload, asked)
        # a server that stops meanwhile would not come to it
        self.service.check_place()
        job = begin(body, asked, not self.as_json)
        # the arrays are the job's
        del body
        return await self.answer(job, asked.wait)

    async def respond(self, asked: schemas.AskedToRespond) -> Response:
        """Read the tables of the request, begin its job, and answer."""
        self.service.check_place()
        with self.service.upload_folder() as folder:
            upload = await receive_tables(self.request, Path(folder))
            asked = asked.with_options(upload.options)
            given = await self.service.read_path(upload, asked)
        self.service.check_place()
        return await self.answer(self.service.respond(*given, asked), asked.wait)

    async def answer(self, job: Job, wait: float) -> Response:
        """Wait for a job, and answer with its result or with where it will be."""
        await asyncio.wait({job.task}, timeout=wait)
        if job.ended is None:
            # before anything else runs, so that its result becomes a file
            job.detached = True
            if await self.request.is_disconnected():
                self.service.jobs.remove(job)
            headers = {"Location": f"/jobs/{job.id}", "Retry-After": "1"}
            return JSONResponse(job.as_dict(), 202, headers)
        if job.state == "done":
            remove = BackgroundTask(self.service.jobs.remove, job)
            summary = JSONResponse(job.summary, background=remove)
            return summary if self.as_json else _file(job, remove)
        self.service.jobs.remove(job)
        expected = "a server that is not stopping"
        cancelled = Refusal(503, "the work was cancelled", expected, "ask again", 10)
        raise job.error or cancelled


TheClient = Annotated[Client, Depends()]

router = APIRouter(dependencies=[Depends(_check_each_once)], responses=openapi.REFUSALS)


@router.get("/", include_in_schema=False)
async def page() -> Response:
    """The page for people."""
    return FileResponse(PAGE / "index.html", headers=POLICY)


@router.get("/health", responses=openapi.HEALTH)
async def health(service: TheService) -> dict[str, Any]:
    """Whether the server works."""
    return service.health()


@router.get("/models", responses=openapi.MODELS)
def models(service: TheService) -> dict[str, Any]:
    """The models: scheme, resolution, training data, errors."""
    return {"models": service.describe()}


@router.post("/generate", response_class=Response, responses=openapi.VTKHDF)
async def generate(
    service: TheService, asked: Annotated[schemas.Generate, Query()]
) -> Response:
    """Make a microstructure, to be sent to /predict or /solve."""
    service.check_place()
    content = await service.generate(asked)
    headers = {"Content-Disposition": f'attachment; filename="{asked.kind}.h5"'}
    return Response(content, 200, headers, FILE)


@router.post("/predict", **openapi.PREDICTED, openapi_extra=openapi.BODY)
async def predict(
    client: TheClient, asked: Annotated[schemas.Asked, Query()]
) -> Response:
    """Predict the fields of a body."""
    return await client.work(asked, client.service.predict)


@router.post("/solve", **openapi.SOLVED, openapi_extra=openapi.BODY)
async def solve(
    client: TheClient, asked: Annotated[schemas.AskedToSolve, Query()]
) -> Response:
    """Solve the same with the solver."""
    return await client.work(asked, client.service.solve)


@router.post(RESPOND, **openapi.RESPONDED, openapi_extra=openapi.TABLES)
async def respond(
    client: TheClient, asked: Annotated[schemas.AskedToRespond, Query()]
) -> Response:
    """Mean stresses along a load path, by a network of laminates."""
    return await client.respond(asked)


@router.post("/jobs/{name}/solve", **openapi.SOLVED)
async def solve_prediction(
    client: TheClient, name: str, asked: Annotated[schemas.Method, Query()]
) -> Response:
    """Solve what was predicted, and measure the prediction."""
    client.service.check_place()
    prediction = client.service.jobs.get(name)
    job = client.service.solve_prediction(prediction, asked)
    return await client.answer(job, asked.wait)


@router.get("/jobs/{name}", responses=openapi.JOB)
async def job(service: TheService, name: str) -> dict[str, Any]:
    """How far a job is."""
    return service.jobs.get(name).as_dict()


@router.delete("/jobs/{name}", responses=openapi.JOB)
async def cancel(service: TheService, name: str) -> dict[str, Any]:
    """Cancel a job, or remove one that has ended."""
    job = service.jobs.get(name)
    act = service.jobs.cancel if job.ended is None else service.jobs.remove
    act(job)
    return job.as_dict()


@router.get("/jobs/{name}/result", response_class=Response, responses=openapi.VTKHDF)
async def result(service: TheService, name: str) -> Response:
    """The result of a job that is done, VTKHDF, or CSV of a response."""
    job = service.jobs.get(name)
    job.check_done()
    job.fetched = True
    return _file(job)


@router.get("/jobs/{name}/fields", responses=openapi.FIELDS)
async def fields(
    service: TheService, name: str, _: Annotated[schemas.Options, Query()]
) -> dict[str, Any]:
    """The fields of a job that is done, with their components."""
    return await service.look(service.jobs.get(name), list_fields)


@router.get(
    "/jobs/{name}/fields/{field}", response_class=Response, responses=openapi.DRAWN
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


for route in router.routes:
    if isinstance(route, APIRoute):
        route.summary = route.description.rstrip(".")


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
    app.add_middleware(RequestLimits, settings=settings)
    invalid = (RequestValidationError, ValidationError)
    for kind in (InputError, *invalid, HTTPException, Exception):
        app.add_exception_handler(kind, _refuse)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=PAGE))
    return app


def _file(job: Job, after: BackgroundTask | None = None) -> FileResponse:
    name, kind, headers = f"{job.kind}{job.path.suffix}", FILE, {}
    if job.kind == "respond":
        # a table has no place for them
        notes = {"X-Notes": json.dumps(job.summary["notes"])}
        kind, headers = TABLE, {**notes, "X-Certificate": "none"}
    options = {"media_type": kind, "filename": name, "background": after}
    file = FileResponse(job.path, headers=headers, **options)
    # few parts, for each is read in a thread that the models' may wait for
    file.chunk_size = 2**22
    return file


def _refuse(request: Request, error: Exception) -> Response:
    """One line of JSON for what was raised."""
    if isinstance(error, InputError):
        return answer(error)
    if isinstance(error, RequestValidationError | ValidationError):
        return answer(schemas.input_error(error.errors()[0]))
    if not isinstance(error, HTTPException):
        return answer(mistake())
    # the framework's: no such path or method, a form that is none
    given = f"{request.method} {request.url.path[:80]}: {error.detail}"
    expected = "a request that /openapi.json describes"
    response = answer(Refusal(error.status_code, given, expected))
    response.headers.update(error.headers or {})
    return response
