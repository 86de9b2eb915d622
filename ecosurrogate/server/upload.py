"""The body of a request becomes files in a folder of ours, under names of ours."""

import shutil
from asyncio import to_thread
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from ecosurrogate.server.options import LONGEST
from ecosurrogate.server.refusal import Refusal
from fftmech.io import FORMATS

RAW = ("", "application/octet-stream", "application/x-hdf5", "application/x-hdf")
"""Types of a body that is one HDF5 file; curl gives it one of a form unless told."""

FORM = "multipart/form-data"

PARTS = ("file", "materials", "options")

MATERIALS = 2**20
"""Bytes of a materials file."""


@dataclass(frozen=True)
class Upload:
    """What came.

    Attributes
    ----------
    body
        The microstructure.
    materials
        The materials file, if any.
    options
        The field of that name of a form, JSON.
    """

    body: Path
    materials: Path | None = None
    options: str | None = None


async def receive(request: Request, folder: Path) -> Upload:
    """Write the body of a request to `folder`.

    Raises
    ------
    Refusal
        A type of body that is not taken, a form with other fields, no bytes.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        upload = await _form(request, folder)
    elif kind in RAW:
        upload = Upload(folder / "body.h5")
        with open(upload.body, "wb") as file:
            async for part in request.stream():
                file.write(part)
    else:
        raise Refusal(
            415,
            f"a body of type {kind!r}",
            f"HDF5 as application/x-hdf5, or {FORM} with the field file",
            "set the header Content-Type",
        )
    if not upload.body.stat().st_size:
        raise Refusal(
            400,
            "no body",
            "a microstructure: HDF5, or any file that fftmech convert reads",
            "send one; fftmech generate makes some",
        )
    return upload


async def _form(request: Request, folder: Path) -> Upload:
    async with request.form(
        max_files=2, max_fields=2, max_part_size=4 * LONGEST
    ) as form:
        parts: dict[str, Any] = {}
        for name, value in form.multi_items():
            if name not in PARTS or name in parts:
                raise _bad(f"field {name[:80]!r}", f"{', '.join(PARTS)}, each once")
            parts[name] = value
        file = parts.get("file")
        if not isinstance(file, UploadFile):
            raise _bad("no file", "the field file with a name that has an extension")
        body = folder / f"body{_extension(file.filename or '')}"
        await to_thread(_copy, file, body)
        materials = parts.get("materials")
        listed = None if materials is None else folder / "materials.toml"
        if isinstance(materials, UploadFile):
            if (materials.size or 0) > MATERIALS:
                raise _bad("materials", f"at most {MATERIALS} bytes")
            await to_thread(_copy, materials, listed)
        elif listed is not None:
            listed.write_text(str(materials), encoding="utf-8", errors="replace")
        options = parts.get("options")
        if isinstance(options, UploadFile):
            raise _bad("options as a file", "JSON in the field options")
        return Upload(body, listed, options)


def _extension(name: str) -> str:
    """One of `FORMATS`: nothing else of a stranger's file name is used."""
    fitting = [known for known in FORMATS if name.lower().endswith(known)]
    if not fitting:
        raise _bad(
            f"a file name that ends in {name[-12:]!r}", f"one of {' '.join(FORMATS)}"
        )
    return max(fitting, key=len)


def _copy(file: UploadFile, path: Any) -> None:
    with open(path, "wb") as target:
        shutil.copyfileobj(file.file, target)


def _bad(error: str, expected: str) -> Refusal:
    return Refusal(422, error, expected, "send file, and if needed materials, options")
