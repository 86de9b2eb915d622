"""The body of a request becomes files in a folder of ours, under names of ours."""

import shutil
from asyncio import to_thread
from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import UploadFile
from starlette.requests import Request

from ecosurrogate.server.refusal import Refusal
from fftmech.errors import InputError
from fftmech.io import FORMATS as ALL_FORMATS

# readers of other packages need not withstand what strangers send
FORMATS = ALL_FORMATS.own

# types of a body that is one HDF5 file; curl gives it one of a form unless told
RAW = ("", "application/octet-stream", "application/x-hdf5", "application/x-hdf")
FORM = "multipart/form-data"
PARTS = ("file", "materials", "options")
MATERIALS = 2**20  # bytes of a materials file
TEXT = 2**16  # bytes of a field that is no file


class Upload(NamedTuple):
    """The microstructure, its materials file, and the JSON of a form's `options`."""

    body: Path
    materials: Path | None = None
    options: str | None = None


async def receive(request: Request, folder: Path) -> Upload:
    """Write the body of a request to `folder`; InputError for what is no body.

    The framework would read a form before anything else is checked, with any number of
    parts, and most of them in memory.
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
        known = f"HDF5 as application/x-hdf5, or {FORM} with the field file"
        raise Refusal(415, f"a body of type {kind!r}", known, "set Content-Type")
    if not upload.body.stat().st_size:
        known = f"a microstructure, one of {' '.join(FORMATS)}"
        raise Refusal(400, "no body", known, "send one; fftmech generate makes some")
    return upload


async def _form(request: Request, folder: Path) -> Upload:
    limits = {"max_files": 2, "max_fields": 2, "max_part_size": TEXT}
    async with request.form(**limits) as form:
        file, materials, options = map(form.get, PARTS)
        names = [name for name, _ in form.multi_items()]
        if len({*names}) < len(names) or not {*names} <= {*PARTS}:
            raise _bad("other fields", f"{', '.join(PARTS)}, each once")
        if not isinstance(file, UploadFile) or isinstance(options, UploadFile):
            raise _bad("no file", "the field file with a name that has an extension")
        body = folder / f"body{_extension(file.filename or '')}"
        await to_thread(_copy, file, body)
        if materials is None:
            return Upload(body, None, options)
        listed = folder / "materials.toml"
        if isinstance(materials, str):
            listed.write_text(materials, encoding="utf-8", errors="replace")
        elif (materials.size or 0) <= MATERIALS:
            await to_thread(_copy, materials, listed)
        else:
            raise _bad("materials", f"at most {MATERIALS} bytes")
        return Upload(body, listed, options)


def _extension(name: str) -> str:
    """One of `FORMATS`: nothing else of a stranger's file name is used."""
    fitting = [known for known in FORMATS if name.lower().endswith(known)]
    if fitting:
        return max(fitting, key=len)
    given = f"a file name that ends in {name[-12:]!r}"
    raise _bad(given, f"one of {' '.join(FORMATS)}")


def _copy(file: UploadFile, path: Path) -> None:
    with open(path, "wb") as target:
        shutil.copyfileobj(file.file, target)


def _bad(what: str, expected: str) -> InputError:
    return InputError(what, expected, "send file, and if needed materials, options")
