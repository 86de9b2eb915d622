"""What an HDF5 file holds, looked at before any of it is decoded.

Only what a microstructure or a result needs passes: groups, hard links, soft links
inside the file, arrays of numbers and short texts, contiguous, compact or in chunks
that are plain, shuffled or deflated. What could open another file (external links,
external storage, virtual datasets), run other code (filters) or take much more memory
than the body's bytes (sizes, types, chunks that inflate) is refused by name.

The library that looks is the one that might be attacked: call this in a process that
may be lost, with limits of its own (`workers`).
"""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from math import prod
from os import PathLike
from typing import Any

from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t, h5z  # pyright: ignore

from ecosurrogate.server.refusal import too_large
from fftmech.errors import InputError
from fftmech.io import container

SIGNATURE = b"\x89HDF\r\n\x1a\n"

# at most so many; a file of DREAM.3D has some hundreds of groups and datasets
OBJECTS, LINKS, DEPTH, ATTRIBUTES, CHUNKS = 4096, 2**14, 16, 128, 2**17
SMALL = 2**20  # bytes of an attribute or a text, and of tables beside the voxels
TEXTS = 1024  # texts of free length in one array: each may name the same long one
WORDS = 16  # numbers a voxel in one array; a matrix has 9
ARRAYS = 8  # arrays of that size, counted by their bytes

# what chunks may have passed; or both, in this order
FILTERS = ([], [h5z.FILTER_SHUFFLE], [h5z.FILTER_DEFLATE])


def check_hdf5(path: str | PathLike, voxels: int) -> None:
    """Refuse what is no HDF5, is damaged, or is more than arrays of `voxels` voxels."""
    with open(path, "rb") as start:
        if start.read(len(SIGNATURE)) != SIGNATURE:
            raise _bad("the body is no HDF5 file", "HDF5 from its first byte on")
    with container.opened(path) as file:
        total = 0
        for name, item in _objects(file.id):
            _check_attributes(name, item)
            if isinstance(item, h5d.DatasetID):
                total += _check_dataset(name, item, voxels)
        _check_size(f"all arrays with {total} bytes", total, ARRAYS * _most(voxels))


def _objects(root: Any) -> Iterator[tuple[str, Any]]:
    """Every group and dataset once, by a path to it."""
    waiting, seen, links = [("", root)], set(), 0
    while waiting:
        name, item = waiting.pop()
        address = h5o.get_info(item).addr
        if address in seen:
            continue
        seen.add(address)
        _check_count("objects", len(seen), OBJECTS)
        yield name or "/", item
        if not isinstance(item, h5g.GroupID):
            continue
        _check_count("levels of groups", name.count("/"), DEPTH - 1)
        links += item.get_num_objs()
        _check_count("links", links, LINKS)
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
        return h5o.get_info(group, link).fileno == h5o.get_info(group).fileno
    except (KeyError, RuntimeError, OSError):
        return False


def _check_attributes(name: str, item: Any) -> None:
    count = h5a.get_num_attrs(item)
    _check_count(f"attributes of {name}", count, ATTRIBUTES)
    for index in range(count):
        attribute = h5a.open(item, index=index)
        label = f"attribute {attribute.name.decode('utf-8', 'replace')[:80]} of {name}"
        _check_size(label, _size(attribute, label), SMALL)


def _check_dataset(name: str, item: Any, voxels: int) -> int:
    """Check a dataset; return its bytes."""
    size, most = _size(item, name), _most(voxels)
    _check_size(name, size, most)
    # one node more along each axis than voxels
    first = prod(max(n - 1, 1) for n in item.shape[:3]) if item.rank >= 3 else 0
    if first > voxels:
        given = f"{name} of {' x '.join(map(str, item.shape))}"
        raise too_large(given, f"{voxels} voxels")
    plan = item.get_create_plist()
    if plan.get_layout() == h5d.VIRTUAL or plan.get_external_count():
        raise _bad(f"{name} is in other files", "values in the file itself")
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    if filters not in (*FILTERS, FILTERS[1] + FILTERS[2]):
        raise _bad(f"{name} has filters {filters}", "gzip and shuffle, or none")
    if plan.get_layout() == h5d.CHUNKED:
        chunk = prod(plan.get_chunk()) * item.get_type().get_size()
        _check_size(f"a chunk of {name}", chunk, most)
        if filters:
            _check_chunks(name, item, chunk, FILTERS[2][0] in filters)
    return size


def _check_chunks(name: str, item: Any, chunk: int, deflated: bool) -> None:
    """Refuse chunks that inflate to more than a chunk has."""
    _check_count(f"chunks of {name}", item.get_num_chunks(), CHUNKS)
    stored: list[Any] = []
    item.chunk_iter(stored.append)
    for info in stored:
        # what cannot be made smaller grows by some bytes
        bomb = info.size > chunk + chunk // 100 + 1024
        if deflated and not bomb:
            _, data = item.read_direct_chunk(info.chunk_offset)
            # if not kept as it was (which its mask says) or damaged (found by reading)
            with suppress(zlib.error):
                bomb = len(zlib.decompressobj().decompress(data, chunk + 1)) > chunk
        if bomb:
            given = f"a chunk of {name} that holds more than its {chunk} bytes"
            raise _bad(given, "chunks as HDF5 writes them")


def _size(item: Any, name: str) -> int:
    """Bytes of a dataset or an attribute, if it has a type that is known."""
    space, kind = item.get_space(), item.get_type()
    empty = space.get_simple_extent_type() == h5s.NULL
    shape = (0,) if empty else space.get_simple_extent_dims()
    _check_count(f"axes of {name}", len(shape), 5)
    count, width, what = prod(shape), kind.get_size(), kind.get_class()
    if what == h5t.STRING:
        most = TEXTS if kind.is_variable_str() else SMALL // width
        _check_count(f"texts in {name}", count, most)
    elif what not in (h5t.INTEGER, h5t.FLOAT, h5t.ENUM) or width > 8:
        raise _bad(f"{name} has another type", "numbers of at most 8 bytes, or texts")
    return count * width


def _most(voxels: int) -> int:
    return 8 * WORDS * voxels + SMALL


def _check_count(what: str, given: int, most: int) -> None:
    if given > most:
        raise _bad(f"{given} {what}", f"at most {most}")


def _check_size(what: str, given: int, most: int) -> None:
    if given > most:
        raise too_large(f"{what} of {given} bytes", f"{most} bytes")


def _bad(what: str, expected: str) -> InputError:
    return InputError(what, expected, "write the body again with fftmech convert")
