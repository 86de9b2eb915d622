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

from fftmech.io.atomic import whole_file

NAME = "manifest.jsonl"

Record = dict[str, Any]
"""index, split, status ("done" or "failed"); done: sha256, bytes, iterations and
residual (largest over loads, by resolution), statistics; failed: reason."""

STATUSES = ("done", "failed")


class Manifest(NamedTuple):
    """What a manifest says.

    Attributes
    ----------
    records
        By index, ascending.
    unreadable
        Lines that are no record.
    """

    records: dict[int, Record]
    unreadable: int

    def of(self, status: str) -> list[Record]:
        """Records with this status, by index."""
        return [r for r in self.records.values() if r["status"] == status]


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
                record = json.loads(line)
                index, split = int(record["index"]), str(record["split"])
                done = record["status"] == "done"
                if not done and record["status"] != "failed":
                    raise ValueError(record["status"])
                (record["sha256"], record["bytes"]) if done else record["reason"]
            except (ValueError, KeyError, TypeError):
                unreadable += 1
            else:
                records[index] = {**record, "index": index, "split": split}
    return Manifest({i: records[i] for i in sorted(records)}, unreadable)


def write_manifest(directory: str | PathLike, records: Iterable[Record]) -> None:
    """Write the manifest anew, sorted; it appears whole or not at all."""
    lines = [_line(r) for r in sorted(records, key=lambda record: record["index"])]
    with whole_file(Path(directory) / NAME) as path:
        path.write_bytes(b"".join(lines))


def append_record(directory: str | PathLike, record: Record) -> None:
    """Add one line at the end.

    Raises
    ------
    OSError
        The disk is full, for instance; the next start mends what was written of it.
    """
    with open(Path(directory) / NAME, "ab") as file:
        file.write(_line(record))


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
