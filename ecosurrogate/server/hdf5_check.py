"""What an HDF5 file holds, looked at before any of it is decoded.

Only what a microstructure or a result needs passes: groups, hard links, soft links
inside the file, arrays of numbers and short texts, contiguous, compact or in chunks
that are plain, shuffled or deflated. What could open another file (external links,
external storage, virtual datasets), run other code (filters) or take much more memory
than the body's bytes (sizes, types, chunks that inflate) is refused by name.

The library that looks is the one that might be attacked: call this in a process that
may be lost, with limits of its own (`workers.py`).
"""

import zlib
from collections.abc import Iterator
from math import prod
from os import PathLike
from typing import Any

from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t, h5z  # pyright: ignore

from ecosurrogate.server.refusal import too_large
from fftmech.errors import InputError
from fftmech.io import container

SIGNATURE = b"\x89HDF\r\n\x1a\n"

OBJECTS = 4096
"""Groups and datasets; a file of DREAM.3D has some hundreds."""

LINKS = 4 * OBJECTS
DEPTH = 16
ATTRIBUTES = 128
CHUNKS = 2**17

SMALL = 2**20
"""Bytes of an attribute or a text, and of tables beside what voxels need."""

TEXTS = 1024
"""Texts of free length in one array: each may name the same long one."""

WORDS = 16
"""Numbers a voxel in one array at most; a matrix has 9."""

ARRAYS = 8
"""Arrays of that size at most, counted by their bytes."""

FILTERS = ((), ("shuffle",), ("deflate",), ("shuffle", "deflate"))
"""What chunks may have passed, in this order."""


def check_hdf5(path: str | PathLike, voxels: int) -> None:
    """Refuse a file that is more than arrays of at most `voxels` voxels.

    Raises
    ------
    Refusal
        Naming what is in it that should not be.
    InputError
        No HDF5, or a damaged one.
    """
    with open(path, "rb") as start:
        if start.read(len(SIGNATURE)) != SIGNATURE:
            raise _bad("the body is no HDF5 file", "HDF5 from its first byte on")
    with container.opened(path) as file:
        total = 0
        for name, item in _objects(file.id):
            _check_attributes(name, item)
            total += _check_dataset(name, item, voxels)
        most = 8 * ARRAYS * WORDS * voxels + SMALL
        if total > most:
            raise too_large(f"arrays of {total} bytes", f"{most} in all")


def _objects(root: Any) -> Iterator[tuple[str, Any]]:
    """Every group and dataset once, by a path to it."""
    waiting, seen, links = [("", root)], set(), 0
    while waiting:
        name, item = waiting.pop()
        address = h5o.get_info(item).addr
        if address in seen:
            continue
        seen.add(address)
        if len(seen) > OBJECTS:
            raise _bad(f"more than {OBJECTS} objects", f"at most {OBJECTS}")
        yield name or "/", item
        if not isinstance(item, h5g.GroupID):
            continue
        if name.count("/") >= DEPTH:
            raise _bad(f"groups {DEPTH} deep", "fewer levels")
        links += item.get_num_objs()
        if links > LINKS:
            raise _bad(f"more than {LINKS} links", f"at most {LINKS}")
        for link in item:
            path = f"{name}/{link.decode('utf-8', 'replace')[:80]}"
            kind = item.links.get_info(link).type
            if kind == h5l.TYPE_HARD:
                waiting.append((path, h5o.open(item, link)))
            elif kind != h5l.TYPE_SOFT or not _inside(item, link):
                raise _bad(f"{path} is a link out of the file", "a body that is whole")


def _inside(group: Any, link: bytes) -> bool:
    """Whether a soft link ends at an object of this file."""
    try:
        found = h5o.get_info(group, link)
        return found.fileno == h5o.get_info(group).fileno
    except (KeyError, RuntimeError, OSError):
        return False


def _check_attributes(name: str, item: Any) -> None:
    count = h5a.get_num_attrs(item)
    if count > ATTRIBUTES:
        raise _bad(f"{count} attributes of {name}", f"at most {ATTRIBUTES}")
    for index in range(count):
        attribute = h5a.open(item, index=index)
        label = f"attribute {attribute.name.decode('utf-8', 'replace')[:80]} of {name}"
        kind = attribute.get_type()
        size = _size(attribute.get_space(), label)
        _check_type(kind, size, label)
        if size * kind.get_size() > SMALL:
            raise too_large(
                f"{label} of {size * kind.get_size()} bytes", f"{SMALL} bytes"
            )


def _check_dataset(name: str, item: Any, voxels: int) -> int:
    """Check a dataset; return its bytes, 0 of what is none."""
    if not isinstance(item, h5d.DatasetID):
        return 0
    kind, space = item.get_type(), item.get_space()
    size = _size(space, name)
    _check_type(kind, size, name)
    bytes_ = size * kind.get_size()
    most = WORDS * voxels * 8 + SMALL
    # one node more along each axis than voxels
    first = prod(max(n - 1, 1) for n in item.shape[:3]) if item.rank >= 3 else 0
    if bytes_ > most or first > voxels:
        shape = " x ".join(map(str, item.shape[:8]))
        raise too_large(f"{name} of {shape} values", f"{voxels} voxels")
    plan = item.get_create_plist()
    if plan.get_layout() == h5d.VIRTUAL:
        raise _bad(f"{name} is a virtual dataset", "values in the file itself")
    if plan.get_external_count():
        raise _bad(f"{name} has external storage", "values in the file itself")
    known = {h5z.FILTER_SHUFFLE: "shuffle", h5z.FILTER_DEFLATE: "deflate"}
    numbers = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    filters = tuple(known.get(number, str(number)) for number in numbers)
    if filters not in FILTERS:
        raise _bad(
            f"{name} has filters {', '.join(filters)}",
            "no compression, or gzip with or without shuffle",
        )
    if plan.get_layout() == h5d.CHUNKED:
        chunk = prod(plan.get_chunk()) * kind.get_size()
        if chunk > most:
            raise too_large(f"chunks of {chunk} bytes in {name}", f"{most} bytes")
        if filters:
            _check_chunks(name, item, chunk, filters[-1] == "deflate")
    return bytes_


def _check_chunks(name: str, item: Any, chunk: int, deflated: bool) -> None:
    """Refuse chunks that inflate to more than a chunk has."""
    if item.get_num_chunks() > CHUNKS:
        raise _bad(f"more than {CHUNKS} chunks in {name}", "larger chunks")
    stored: list[Any] = []
    item.chunk_iter(lambda info: stored.append(info))
    for info in stored:
        # what cannot be made smaller grows by some bytes
        bomb = info.size > chunk + chunk // 100 + 1024
        if deflated and not bomb:
            _, data = item.read_direct_chunk(info.chunk_offset)
            bomb = len(_inflated(data, chunk)) > chunk
        if bomb:
            raise _bad(
                f"a chunk of {name} that holds more than its {chunk} bytes",
                "chunks as HDF5 writes them",
            )


def _inflated(data: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, most + 1)
    except zlib.error:
        # kept as it was (which its mask says), or damaged (which reading it finds)
        return b""


def _size(space: Any, name: str) -> int:
    if space.get_simple_extent_type() == h5s.NULL:
        return 0
    shape = space.get_simple_extent_dims()
    if len(shape) > 5:
        raise _bad(f"{name} has {len(shape)} axes", "at most 5")
    return prod(shape)


def _check_type(kind: Any, size: int, name: str) -> None:
    what, width = kind.get_class(), kind.get_size()
    if what in (h5t.INTEGER, h5t.FLOAT, h5t.ENUM) and width <= 8:
        return
    if what == h5t.STRING:
        if kind.is_variable_str():
            if size <= TEXTS:
                return
        elif size * width <= SMALL:
            return
        raise too_large(f"{name} of {size} texts", f"{TEXTS}, or short ones")
    raise _bad(
        f"{name} has a type that is neither a number of at most 8 bytes nor a text",
        "integers, floats or texts",
    )


def _bad(what: str, expected: str) -> InputError:
    return InputError(what, expected, "write the body again with fftmech convert")
