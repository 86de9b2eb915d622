"""The body of a request becomes files in a folder of ours, under names of ours."""

import shutil
from asyncio import to_thread
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from ecosurrogate.server.refusal import Refusal
from fftmech.errors import InputError
from fftmech.io import FORMATS as ALL_FORMATS

# readers of other packages need not withstand what strangers send
FORMATS = ALL_FORMATS.own

TABLES = ("materials", "path", "options")  # of a form of two TOML files
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


class Tables(NamedTuple):
    """A materials file and a load path, and the JSON of a form's `options`."""

    materials: Path
    path: Path
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


async def receive_tables(request: Request, folder: Path) -> Tables:
    """Write the materials file and the load path of a form to `folder`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        known = f"{FORM} with the fields materials and path"
        raise Refusal(415, f"a body of type {kind!r}", known, "set Content-Type")
    limits = {"max_files": 2, "max_fields": 3, "max_part_size": MATERIALS}
    async with request.form(**limits) as form:
        _check_names(form, TABLES)
        *tables, options = map(form.get, TABLES)
        if isinstance(options, UploadFile):
            raise _bad("options as a file", "JSON as text", TABLES)
        files = []
        for name, table in zip(TABLES[:2], tables, strict=True):
            if table is None:
                raise _bad(f"no {name}", f"the field {name}, a TOML file", TABLES)
            files.append(await _toml(name, table, folder))
        materials, path = files
        return Tables(materials, path, options)


async def _form(request: Request, folder: Path) -> Upload:
    limits = {"max_files": 2, "max_fields": 2, "max_part_size": TEXT}
    async with request.form(**limits) as form:
        file, materials, options = map(form.get, PARTS)
        _check_names(form, PARTS)
        if not isinstance(file, UploadFile) or isinstance(options, UploadFile):
            raise _bad("no file", "the field file with a name that has an extension")
        body = folder / f"body{_extension(file.filename or '')}"
        await to_thread(_copy, file, body)
        listed = materials and await _toml("materials", materials, folder)
        return Upload(body, listed or None, options)


def _check_names(form: FormData, parts: Sequence[str]) -> None:
    names = [name for name, _ in form.multi_items()]
    if len({*names}) < len(names) or not {*names} <= {*parts}:
        raise _bad("other fields", f"{', '.join(parts)}, each once", parts)


async def _toml(name: str, table: UploadFile | str, folder: Path) -> Path:
    """Write a field that is a TOML file, or its text, to a file of ours."""
    path = folder / f"{name}.toml"
    if isinstance(table, str):
        path.write_text(table, encoding="utf-8", errors="replace")
    elif (table.size or 0) <= MATERIALS:
        await to_thread(_copy, table, path)
    else:
        raise _bad(name, f"at most {MATERIALS} bytes")
    return path


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


def _bad(what: str, expected: str, parts: Sequence[str] = PARTS) -> InputError:
    first, *others = parts if parts is PARTS else ("materials and path", "options")
    mend = f"send {first}, and if needed {', '.join(others)}"
    return InputError(what, expected, mend)
