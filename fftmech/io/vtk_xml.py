"""VTK's XML files: the tree and its arrays, ascii, inline binary or appended.

The format is described at https://docs.vtk.org, "VTK XML file formats".
"""

import base64
import binascii
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image

TYPES = {
    "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4",
    "UInt32": "u4", "Int64": "i8", "UInt64": "u8", "Float32": "f4", "Float64": "f8",
}  # fmt: skip
"""NumPy's name of each of VTK's types."""


@dataclass(frozen=True)
class XmlFile:
    """A file that was read: its tree, and appended data, which need not be XML."""

    name: str
    root: ElementTree.Element
    appended: bytes

    def values(
        self, array: ElementTree.Element, count: int, where: str, width: int = 1
    ) -> np.ndarray:
        """The `count` numbers of a data array, `width` of them a tuple."""
        kind = str(array.get("type"))
        if kind not in TYPES or array.get("NumberOfComponents", "1") != str(width):
            raise InputError(where, "one number a voxel")
        dtype = np.dtype(TYPES[kind])
        if self.root.get("byte_order") == "BigEndian":
            dtype = dtype.newbyteorder(">")
        image.check_size((count,), dtype.itemsize, where)
        try:
            return self._values(array, dtype, count)
        except (ValueError, IndexError, OverflowError, *PACKED) as error:
            if isinstance(error, InputError):
                raise error.within(where) from error
            raise InputError(f"{where}: data cut short or damaged ({error})") from error

    def _values(
        self, array: ElementTree.Element, dtype: np.dtype, count: int
    ) -> np.ndarray:
        layout = array.get("format")
        if layout == "ascii":
            values = np.array((array.text or "").split(), dtype=dtype)
        else:
            encoded = True
            text = "".join((array.text or "").split()).encode()
            if layout == "appended":
                holder = self.root.find("AppendedData")
                encoded = holder is None or holder.get("encoding") == "base64"
                text = self.appended[int(array.get("offset", "0")) :]
            data = _decode(self.root, text, encoded, count * dtype.itemsize)
            values = np.frombuffer(data, dtype)
        if values.size != count:
            raise ValueError(f"{values.size} values, expected {count}")
        return values


PACKED = (zlib.error, lzma.LZMAError, binascii.Error, EOFError)
"""What decoding raises of damaged data."""


def read_xml(path: str | PathLike) -> XmlFile:
    """Read a file of VTK's XML."""
    return parse_xml(Path(path).read_bytes(), fspath(path))


def parse_xml(content: bytes, name: str) -> XmlFile:
    """Parse VTK's XML; messages call it `name`."""
    xml, appended = _split(content)
    try:
        return XmlFile(name, ElementTree.fromstring(xml), appended)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{name}: not complete VTK XML ({error})") from error


def is_scalar(array: ElementTree.Element) -> bool:
    """Whether a data array has one number a tuple."""
    return array.get("NumberOfComponents", "1") == "1" and array.get("type") in TYPES


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Part the XML from appended data, which need not be XML."""
    start = re.search(rb"<AppendedData[^>]*>\s*_", content)
    end = content.rfind(b"</AppendedData>")
    if start is None or end < 0:
        return content, b""
    return content[: start.end() - 1] + content[end:], content[start.end() : end]


def _decode(root: ElementTree.Element, text: bytes, encoded: bool, size: int) -> bytes:
    """Bytes of an array: a header of block sizes, then blocks, maybe compressed."""
    word = np.dtype("u8" if root.get("header_type") == "UInt64" else "u4")
    if root.get("byte_order") == "BigEndian":
        word = word.newbyteorder(">")
    packing = root.get("compressor")
    if packing is None:
        _, data = _take(text, word.itemsize, encoded, size)
        return data
    unpack = _unpacker(packing)
    first, _ = _take(text, 3 * word.itemsize, encoded, 0)
    blocks, block_size, _last = (int(n) for n in np.frombuffer(first, word))
    if blocks * word.itemsize > len(text):
        raise ValueError("block header")
    header, _ = _take(text, (3 + blocks) * word.itemsize, encoded, 0)
    sizes = [int(n) for n in np.frombuffer(header, word)[3:]]
    _, data = _take(text, len(header), encoded, sum(sizes))
    starts = np.cumsum([0, *sizes])
    most = min(block_size, size)
    unpacked = []
    for a, b in zip(starts[:-1], starts[1:], strict=True):
        unpacked.append(unpack(data[a:b], most))
        size -= len(unpacked[-1])
        if size < 0:
            raise ValueError("more data than voxels")
    return b"".join(unpacked)


def _unpacker(packing: str) -> Callable[[bytes, int], bytes]:
    """A function of a block and the most bytes that it may become."""
    if packing == "vtkZLibDataCompressor":
        return lambda block, most: zlib.decompressobj().decompress(block, most)
    if packing == "vtkLZMADataCompressor":
        return lambda block, most: lzma.LZMADecompressor().decompress(block, most)
    if packing != "vtkLZ4DataCompressor":
        raise InputError(f"compressor {packing}", mend="save it with zlib")
    try:
        from vtkmodules.vtkIOCore import vtkLZ4DataCompressor
    except ImportError as error:
        raise InputError(
            "LZ4 data are unpacked by VTK", mend='pip install "fftmech[viz]"'
        ) from error

    def unpack(block: bytes, most: int) -> bytes:
        whole = bytearray(most)
        compressor = vtkLZ4DataCompressor()
        compressor.GlobalWarningDisplayOff()
        return bytes(whole[: compressor.Uncompress(block, len(block), whole, most)])

    return unpack


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
