"""NRRD (`.nrrd`, and `.nhdr` with its data file), as 3D Slicer writes it.

The format: https://teem.sourceforge.net/nrrd/format.html. The first axis runs fastest
and is x; `space origin` is the centre of the first voxel.
"""

import bz2
import re
import zlib
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.microstructure.base import Microstructure

TYPES = {
    "i1": "signed char,int8,int8_t", "u1": "uchar,unsigned char,uint8,uint8_t",
    "i2": "short,short int,signed short,signed short int,int16,int16_t",
    "u2": "ushort,unsigned short,unsigned short int,uint16,uint16_t",
    "i4": "int,signed int,int32,int32_t", "u4": "uint,unsigned int,uint32,uint32_t",
    "i8": "longlong,long long,long long int,signed long long,int64,int64_t",
    "u8": "ulonglong,unsigned long long,unsigned long long int,uint64,uint64_t",
    "f4": "float", "f8": "double",
}  # fmt: skip
"""The names that NRRD has for each of NumPy's types."""

VOXELS = ("domain", "space", "???", "none")
"""Kinds of axes along which voxels lie; others are components, colours, times."""

OPTIONS = ("spacing", "threshold", "crop")
USED = (
    "voxels, 2-D or 3-D: raw, gzip, bzip2 or text",
    "spacings, or space directions along the axes, and space origin",
    "space units, as the unit of length",
)
IGNORED = ("other fields, and key/value pairs",)


def read(
    path: str | PathLike,
    spacing: list[float] | None = None,
    threshold: float | None = None,
    crop: list[int] | None = None,
) -> Microstructure:
    """Read an image of phase ids (or of grey values, with a threshold)."""
    name = fspath(path)
    content = Path(path).read_bytes()
    if not content.startswith(b"NRRD"):
        raise InputError(f"{name}: not a NRRD file")
    try:
        head, start = _head(content)
        shape = [int(n) for n in head["sizes"].split()]
        if len(shape) not in (2, 3) or len(shape) != int(head["dimension"]):
            raise InputError(f"{name} has {len(shape)} axes", "two or three")
        kinds = head.get("kinds", "").lower().split()
        if several := [kind for kind in kinds if kind not in VOXELS]:
            raise InputError(
                f"{name}: an axis of kind {several[0]}", "one number a voxel"
            )
        if min(shape) < 1:
            raise InputError(f"{name}: sizes {shape}", "one voxel or more each")
        dtype = _dtype(name, head)
        plain = head["encoding"].lower() == "raw"
        image.check_size(shape, dtype.itemsize if plain else 8, name)
        values = _values(
            name, head, memoryview(content)[start:], dtype, int(np.prod(shape))
        )
        values = values.reshape(shape[::-1])
        values = values.reshape((1,) * (3 - len(shape)) + values.shape)
        steps, first, sized = _places(head, len(shape))
    except InputError:
        raise
    except (
        *(KeyError, ValueError, IndexError, OverflowError),
        *(zlib.error, EOFError, OSError),
    ) as error:
        raise InputError(
            f"{name}: NRRD cut short or damaged ({error})", mend="write it again"
        ) from error
    values, h, corner = image.placed(values, steps, first, name)
    notes = ["the image is flat: one voxel along z"] if len(shape) == 2 else []
    units = set(re.findall(r'"([^"]*)"', head.get("space units", "")))
    return image.microstructure_from_image(
        values,
        name,
        "zyx",
        spacing or (h.tolist() if sized else None),
        corner.tolist() if sized else (0.0, 0.0, 0.0),
        threshold,
        notes,
        crop,
        units={"length": units.pop()} if len(units) == 1 and sized else {},
    )


def _head(content: bytes) -> tuple[dict[str, str], int]:
    """Fields, lower case, and their values; where data begin that follow them."""
    head: dict[str, str] = {}
    end = 0
    for line in re.finditer(rb"([^\n]*)\n", content):
        text, end = line.group(1).decode("latin-1").strip(), line.end()
        if not text:
            break
        key, colon, value = text.partition(": ")
        if colon and not text.startswith("#") and ":=" not in key:
            head[key.strip().lower()] = value.strip()
    return head, end


def _dtype(name: str, head: dict[str, str]) -> np.dtype:
    kind = head["type"].lower()
    found = [dtype for dtype, names in TYPES.items() if kind in names.split(",")]
    if not found:
        raise InputError(f"{name}: voxels of type {kind}", "one number a voxel")
    big = head.get("endian", "little").lower() == "big"
    return np.dtype(found[0]).newbyteorder(">" if big else "<")


def _values(
    name: str,
    head: dict[str, str],
    local: bytes | memoryview,
    dtype: np.dtype,
    count: int,
) -> np.ndarray:
    """The voxels, from the file or the one that it names."""
    other = head.get("data file", head.get("datafile"))
    if other is not None:
        if other.upper().startswith("LIST") or "%" in other:
            raise InputError(
                f"{name}: its data are in several files",
                "one file",
                "give the folder of slices instead",
            )
        local = memoryview(image.beside(name, other).read_bytes())
    for _ in range(min(int(head.get("line skip", "0")), len(local))):
        local = memoryview(bytes(local).partition(b"\n")[2])
    size = count * dtype.itemsize
    encoding = head["encoding"].lower()
    skip = int(head.get("byte skip", "0"))
    if encoding in ("gzip", "gz"):
        local = zlib.decompressobj(47).decompress(local, max(skip, 0) + size + 1)
    elif encoding in ("bzip2", "bz2"):
        local = bz2.BZ2Decompressor().decompress(local, max(skip, 0) + size + 1)
    elif encoding in ("text", "txt", "ascii"):
        values = np.array(bytes(local).split(), dtype=dtype.newbyteorder("="))
        if values.size != count:
            raise ValueError(f"{values.size} voxels, expected {count}")
        return values
    elif encoding != "raw":
        raise InputError(f"{name}: encoding {encoding}", "raw, gzip, bzip2 or text")
    local = local[len(local) - size if skip < 0 else skip :]
    if len(local) != size:
        raise ValueError(f"{len(local)} bytes of voxels, expected {size}")
    return np.frombuffer(local, dtype)


def _places(head: dict[str, str], n: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Steps from voxel to voxel along each axis, first centre; whether they are given.

    Of a flat image the step along z is that along x.
    """
    steps, first, sized = np.eye(3), np.zeros(3), False
    if "space directions" in head:
        rows = _vectors(head["space directions"])
        steps[:n, : len(rows[0])] = rows
        if n == 2:
            steps[2] = np.array([0, 0, np.abs(steps[0]).max()])
        sized = True
    elif "spacings" in head:
        h = [float(v) for v in head["spacings"].split()]
        if len(h) != n:
            raise ValueError(f"{len(h)} spacings of {n} axes")
        sized = bool(np.isfinite(h).all())
        if sized:
            steps = np.diag([*h, h[0]][:3])
    if "space origin" in head:
        (origin,) = _vectors(head["space origin"])
        first[: len(origin)] = origin
    return steps, first, sized


def _vectors(text: str) -> list[list[float]]:
    """Vectors written as (x,y,z) (x,y,z)."""
    return [
        [float(v) for v in part.split(",")] for part in re.findall(r"\(([^)]*)\)", text)
    ]
