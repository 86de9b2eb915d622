"""The manifest of a dataset: one line of JSON a sample, with its status and SHA-256.

A line is appended when its sample is whole and on the disk. A line that was cut off
when the program was killed or the disk was full is not counted, and gone after the
next start; its sample is made again. A finished run leaves the lines sorted.
"""

import json
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from fftmech.io.atomic import whole_file

NAME = "manifest.jsonl"
CHECK = "crc32"

Record = dict[str, Any]
"""index, split, status ("done" or "failed"); done: sha256, bytes, iterations and
residual (largest over loads, by resolution), statistics, fingerprint (of the body at
the lowest resolution), for validation and test overlap (`fftmech.datasets.overlap`),
where it is known; failed: reason. In the file each line ends with the CRC-32 of the
rest of it, hexadecimal."""


class Manifest(NamedTuple):
    """Records by index, ascending, and the number of lines that are damaged."""

    records: dict[int, Record]
    unreadable: int


def read_manifest(directory: str | PathLike) -> Manifest:
    """Read the manifest; of two lines with the same index the later one counts."""
    path = Path(directory) / NAME
    records: dict[int, Record] = {}
    unreadable = 0
    if path.exists():
        for line in path.read_bytes().split(b"\n"):
            if not line:
                continue
            try:
                record = _record(line)
                records[record["index"]] = record
            except (ValueError, KeyError, TypeError):
                unreadable += 1
    return Manifest({i: records[i] for i in sorted(records)}, unreadable)


def write_manifest(directory: str | PathLike, records: Iterable[Record]) -> None:
    """Write the manifest anew, sorted; it appears whole or not at all."""
    lines = [_line(r) for r in sorted(records, key=lambda record: record["index"])]
    with whole_file(Path(directory) / NAME) as path:
        path.write_bytes(b"".join(lines))


def append_record(directory: str | PathLike, record: Record) -> None:
    """Add one line at the end; the next start mends what a full disk left of it."""
    path = Path(directory) / NAME
    try:
        with open(path, "ab") as file:
            file.write(_line(record))
    except OSError as error:
        # a failed write does not name its file
        raise OSError(error.errno, error.strerror or error, str(path)) from error


def _line(record: Record) -> bytes:
    check = f"{crc32(_text(record)):08x}"
    return _text({**record, CHECK: check}) + b"\n"


def _record(line: bytes) -> Record:
    """Record of a line; any change of the line is a ValueError, KeyError, TypeError."""
    record = json.loads(line)
    del record[CHECK]
    if _line(record) != line + b"\n":
        raise ValueError(line)
    return record


def _text(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode()
