"""The page: files of this package, which need no token and no network."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).with_name("static")

POLICY = "default-src 'self'; img-src 'self' data:"
"""What the page may load: this server's files alone."""

FRESH = {"Cache-Control": "no-cache"}
"""Files are asked for again, so that those of two versions are never mixed."""


class _Files(StaticFiles):
    def file_response(self, *given: Any, **named: Any) -> Response:
        response = super().file_response(*given, **named)
        response.headers.update(FRESH)
        return response


def add_page(app: FastAPI) -> None:
    """Add `GET /` and what it loads from `/static/`."""

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        headers = {**FRESH, "Content-Security-Policy": POLICY}
        return FileResponse(FOLDER / "index.html", headers=headers)

    app.mount("/static", _Files(directory=FOLDER))
