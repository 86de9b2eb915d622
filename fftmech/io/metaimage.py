"""MetaImage (`.mha`, and `.mhd` with its data file), as ITK and 3D Slicer write it.

The format: https://itk.org/Wiki/ITK/MetaIO/Documentation. Voxels run with x fastest;
`Offset` is the centre of the first.
"""

import zlib
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.microstructure.base import Microstructure

TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2",
    "MET_INT": "i4", "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
"""NumPy's name of each type."""

PLACE = ("offset", "position", "origin")
MATRIX = ("transformmatrix", "rotation", "orientation")

OPTIONS = ("spacing", "threshold", "crop")
USED = (
    "voxels, 2-D or 3-D, plain or compressed",
    "ElementSpacing, Offset, TransformMatrix along the axes",
)
IGNORED = ("other keys of the head",)


def read(
    path: str | PathLike,
    spacing: list[float] | None = None,
    threshold: float | None = None,
    crop: list[int] | None = None,
) -> Microstructure:
    """Read an image of phase ids (or of grey values, with a threshold)."""
    name = fspath(path)
    content = Path(path).read_bytes()
    try:
        head, start = _head(content)
        shape = [int(n) for n in head["dimsize"].split()]
        if len(shape) not in (2, 3) or len(shape) != int(head["ndims"]):
            raise InputError(f"{name} has {len(shape)} axes", "two or three")
        if min(shape) < 1:
            raise InputError(f"{name}: DimSize {shape}", "one voxel or more each")
        dtype = _dtype(name, head)
        image.check_size(shape, dtype.itemsize, name)
        data = _data(
            name,
            head,
            memoryview(content)[start:],
            int(np.prod(shape)) * dtype.itemsize,
        )
        values = np.frombuffer(data, dtype).reshape(shape[::-1])
        values = values.reshape((1,) * (3 - len(shape)) + values.shape)
        steps, first, sized = _places(head, len(shape))
    except InputError:
        raise
    except (KeyError, ValueError, IndexError, OverflowError, zlib.error) as error:
        raise InputError(
            f"{name}: MetaImage cut short or damaged ({error})", mend="write it again"
        ) from error
    values, h, corner = image.placed(values, steps, first, name)
    notes = ["the image is flat: one voxel along z"] if len(shape) == 2 else []
    return image.microstructure_from_image(
        values,
        name,
        "zyx",
        spacing or (h.tolist() if sized else None),
        corner.tolist() if sized else (0.0, 0.0, 0.0),
        threshold,
        notes,
        crop,
    )


def _head(content: bytes) -> tuple[dict[str, str], int]:
    """Keys, lower case, and their values; where data begin that follow them."""
    head: dict[str, str] = {}
    at = 0
    while at < len(content):
        end = content.find(b"\n", at)
        end = len(content) if end < 0 else end
        line = content[at:end].decode("latin-1").strip()
        key, equals, value = line.partition("=")
        if not equals and line:
            raise ValueError(f"line {len(head) + 1} of its head is no key = value")
        at = end + 1
        head[key.strip().lower()] = value.strip()
        if key.strip().lower() == "elementdatafile":
            return head, at
    raise KeyError("no ElementDataFile")


def _dtype(name: str, head: dict[str, str]) -> np.dtype:
    kind = head["elementtype"].upper()
    channels = head.get("elementnumberofchannels", "1")
    if kind not in TYPES or channels != "1":
        raise InputError(
            f"{name}: voxels of {channels} {kind} each", "one number a voxel"
        )
    most = head.get("binarydatabyteordermsb", head.get("elementbyteordermsb", "false"))
    return np.dtype(TYPES[kind]).newbyteorder(">" if most.lower() == "true" else "<")


def _data(
    name: str, head: dict[str, str], local: bytes | memoryview, size: int
) -> bytes | memoryview:
    """The bytes of the voxels, from the file or the one that it names."""
    where = head["elementdatafile"]
    if where.upper() != "LOCAL":
        if where.upper().startswith("LIST") or "%" in where:
            raise InputError(
                f"{name}: its data are in several files",
                "one file",
                "give the folder of slices instead",
            )
        local = memoryview(image.beside(name, where).read_bytes())
    packed = head.get("compresseddata", "false").lower() == "true"
    if packed or where.lower().endswith(".gz"):
        local = zlib.decompressobj(47).decompress(local, size + 1)
    elif head.get("binarydata", "true").lower() != "true":
        raise InputError(f"{name}: its voxels are text", mend="save it as binary")
    skip = int(head.get("headersize", "0"))
    local = local[len(local) - size if skip < 0 else skip :]
    # what is left in the file after voxels is not theirs, of compressed data neither
    if len(local) < size or (len(local) > size and where.upper() != "LOCAL"):
        raise ValueError(f"{len(local)} bytes of voxels, expected {size}")
    return local[:size]


def _places(head: dict[str, str], n: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Steps from voxel to voxel along each axis, first centre; whether they are given.

    A row of the matrix is the direction of an axis of the array.
    """
    given = head.get("elementspacing", head.get("elementsize"))
    h = np.ones(3)
    if given is not None:
        h[:n] = [float(v) for v in given.split()[:n]]
        h[n:] = h[0]
    first = np.zeros(3)
    for key in PLACE:
        if key in head:
            first[:n] = [float(v) for v in head[key].split()[:n]]
    turn = np.eye(3)
    for key in MATRIX:
        if key in head:
            turn[:n, :n] = np.array(head[key].split(), dtype=float).reshape(n, n)
    return turn * h[:, None], first, given is not None
