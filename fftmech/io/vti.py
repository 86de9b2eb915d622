"""VTK XML ImageData (`.vti`), as DAMASK writes grids: cell data `material`."""

import base64
import binascii
import re
import zlib
from os import PathLike, fspath
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.microstructure.base import Microstructure

TYPES = {
    "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4",
    "UInt32": "u4", "Int64": "i8", "UInt64": "u8", "Float32": "f4", "Float64": "f8",
}  # fmt: skip
"""NumPy's name of each of VTK's types."""

OPTIONS = ("dataset", "threshold")


def read(
    path: str | PathLike, dataset: str | None = None, threshold: float | None = None
) -> Microstructure:
    """Read the phase ids of ImageData: ascii, inline binary or appended data.

    `dataset` names the cell data that holds the ids, "material" unless given; of grey
    values, those above `threshold` are phase 1.
    """
    name = fspath(path)
    xml, appended = _split(Path(path).read_bytes())
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise InputError(f"{name}: not complete VTK XML ({error})") from error
    piece, shape, spacing, origin = _box(name, root)
    arrays = {a.get("Name"): a for a in piece.findall("CellData/DataArray")}
    wanted = dataset or "material"
    if wanted not in arrays:
        listed = ", ".join(map(str, arrays)) or "none"
        raise InputError(
            f"{name}: no cell data {wanted!r}; it has {listed}",
            mend="name one with --dataset",
        )
    where = f"{name}: cell data {wanted}"
    array = arrays[wanted]
    if array.get("type") not in TYPES or array.get("NumberOfComponents", "1") != "1":
        raise InputError(where, "one number a voxel")
    dtype = np.dtype(TYPES[str(array.get("type"))])
    if root.get("byte_order") == "BigEndian":
        dtype = dtype.newbyteorder(">")
    image.check_size(shape, dtype.itemsize, where)
    try:
        values = _values(root, array, appended, dtype, int(np.prod(shape)))
    except (ValueError, zlib.error, binascii.Error, IndexError) as error:
        raise InputError(f"{where}: data cut short or damaged ({error})") from error
    values = values.reshape(shape[::-1])
    return image.microstructure_from_image(
        values, where, "zyx", spacing, origin, threshold
    )


def _box(
    name: str, root: ElementTree.Element
) -> tuple[ElementTree.Element, tuple[int, ...], list[float], list[float]]:
    """The one piece of an image; its voxels, their edges, and the box's corner."""
    box = root.find("ImageData")
    pieces = [] if box is None else box.findall("Piece")
    if box is None or len(pieces) != 1:
        raise InputError(
            f"{name}: VTK XML of type {root.get('type')} in {len(pieces)} piece(s)",
            "ImageData in one piece",
        )
    try:
        extent = np.array(box.get("WholeExtent", "").split(), dtype=int)
        spacing = np.array(box.get("Spacing", "1 1 1").split(), dtype=float)
        origin = np.array(box.get("Origin", "0 0 0").split(), dtype=float)
        turn = np.array(box.get("Direction", "1 0 0 0 1 0 0 0 1").split(), dtype=float)
        shape = tuple(int(n) for n in (extent[1::2] - extent[::2]).reshape(3))
        corner = origin + extent[::2] * spacing
    except ValueError as error:
        raise InputError(
            f"{name}: WholeExtent, Spacing, Origin or Direction is not numbers x y z "
            f"({error})",
            mend="write it again",
        ) from error
    if pieces[0].get("Extent") != box.get("WholeExtent") or min(shape) < 1:
        raise InputError(
            f"{name}: piece {pieces[0].get('Extent')} of WholeExtent "
            f"{box.get('WholeExtent')}",
            "one piece that fills it, with cells",
        )
    if not np.array_equal(turn, np.eye(3).ravel()):
        raise InputError(f"{name}: Direction {turn}", "axes along x, y, z")
    return pieces[0], shape, spacing.tolist(), corner.tolist()


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Part the XML from appended data, which need not be XML."""
    start = re.search(rb"<AppendedData[^>]*>\s*_", content)
    end = content.rfind(b"</AppendedData>")
    if start is None or end < 0:
        return content, b""
    return content[: start.end() - 1] + content[end:], content[start.end() : end]


def _values(
    root: ElementTree.Element,
    array: ElementTree.Element,
    appended: bytes,
    dtype: np.dtype,
    count: int,
) -> np.ndarray:
    layout = array.get("format")
    if layout == "ascii":
        values = np.array((array.text or "").split(), dtype=dtype)
    else:
        encoded = True
        text = "".join((array.text or "").split()).encode()
        if layout == "appended":
            holder = root.find("AppendedData")
            encoded = holder is None or holder.get("encoding") == "base64"
            text = appended[int(array.get("offset", "0")) :]
        data = _decode(root, text, encoded, count * dtype.itemsize)
        values = np.frombuffer(data, dtype)
    if values.size != count:
        raise ValueError(f"{values.size} values, expected {count}")
    return values


def _decode(root: ElementTree.Element, text: bytes, encoded: bool, size: int) -> bytes:
    """Bytes of an array: a header of block sizes, then blocks, maybe compressed."""
    word = np.dtype("u8" if root.get("header_type") == "UInt64" else "u4")
    if root.get("byte_order") == "BigEndian":
        word = word.newbyteorder(">")
    packing = root.get("compressor")
    if packing not in (None, "vtkZLibDataCompressor"):
        raise ValueError(f"compressor {packing}: save it with zlib or uncompressed")
    if packing is None:
        _, data = _take(text, word.itemsize, encoded, size)
        return data
    first, _ = _take(text, 3 * word.itemsize, encoded, 0)
    blocks, block_size, _last = (int(n) for n in np.frombuffer(first, word))
    if blocks * word.itemsize > len(text):
        raise ValueError("block header")
    header, _ = _take(text, (3 + blocks) * word.itemsize, encoded, 0)
    sizes = [int(n) for n in np.frombuffer(header, word)[3:]]
    _, data = _take(text, len(header), encoded, sum(sizes))
    starts = np.cumsum([0, *sizes])
    return b"".join(
        zlib.decompressobj().decompress(data[a:b], min(block_size, size))
        for a, b in zip(starts[:-1], starts[1:], strict=True)
    )


def _take(text: bytes, head: int, encoded: bool, size: int) -> tuple[bytes, bytes]:
    """Header of `head` bytes and the `size` bytes after it.

    Base64 headers are encoded apart from the data by VTK, together by some writers:
    padding at the header's end tells.
    """
    if not encoded:
        return text[:head], text[head : head + size]
    letters = -(-head // 3) * 4
    header = base64.b64decode(text[:letters])
    if head % 3 and text[letters - 1 : letters] != b"=":
        both = base64.b64decode(text[: -(-(head + size) // 3) * 4])
        return both[:head], both[head : head + size]
    body = text[letters : letters + -(-size // 3) * 4]
    return header[:head], base64.b64decode(body)[:size]
