"""Files appear whole: written beside their name, flushed, then renamed."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` if the block succeeds.

    On any exception, KeyboardInterrupt included, the temporary file is removed and
    what was at `path` before is untouched.
    """
    target = Path(path)
    temporary = temporary_name(target)
    try:
        # made by open(), not mkstemp(), so that it has the mode of the user's umask
        temporary.touch(exist_ok=False)
        try:
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        # name the user's file, not the temporary one
        raise OSError(error.errno, error.strerror or error, str(target)) from error


def temporary_name(target: Path) -> Path:
    """A hidden name beside `target`, of eight random characters, its suffix kept."""
    return target.with_name(f".{target.stem}-{token_hex(4)}{target.suffix}")


@contextmanager
def whole_hdf5(path: str | os.PathLike) -> Iterator[h5py.File]:
    """Give a new HDF5 file that becomes `path` if the block succeeds."""
    import h5py

    with whole_disk(path) as disk, h5py.File(disk, "w") as file:
        yield file


@contextmanager
def whole_disk(path: str | os.PathLike) -> Iterator[io.FileIO]:
    """Give a file to write HDF5 into, that becomes `path` if the block succeeds."""
    with whole_file(path) as name, _Disk(name, "w+") as disk:
        yield disk
        disk.finish()


@contextmanager
def changed_hdf5(path: str | os.PathLike, at_once: bool = False) -> Iterator[h5py.File]:
    """Give an HDF5 file whose numbers are changed in their place.

    The changes are on the disk when the block is left. `at_once` writes all of them,
    which should be few and close to each other, or none if the process is killed.
    """
    import h5py

    try:
        with (_Patch if at_once else _Disk)(path, "r+") as disk:
            with h5py.File(disk, "r+") as file:
                yield file
            disk.finish()
            os.fsync(disk.fileno())
    except OSError as error:
        # HDF5 knows no name of this file
        raise OSError(error.errno, error.strerror or error, os.fspath(path)) from error


class _Disk(io.FileIO):
    """A file that reports its first failure to write in `finish`, not to HDF5.

    After a failed write, HDF5 fails again when it closes the file and may crash when
    the process ends.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = self.error or error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def finish(self) -> None:
        """Raise the first failure."""
        if self.error:
            raise self.error


class _Patch(io.FileIO):
    """A file that is changed in one write, by `finish`; its length stays."""

    def __init__(self, path: str | os.PathLike, mode: str) -> None:
        super().__init__(path, mode)
        self._changes: list[tuple[int, bytes]] = []

    def write(self, data: Any) -> int:
        """Keep data in memory."""
        self._changes.append((self.tell(), bytes(data)))
        self.seek(len(data), os.SEEK_CUR)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Keep the length."""
        return size or 0

    def readinto(self, buffer: Any) -> int:
        """Read the file as it will be changed."""
        first = self.tell()
        count = super().readinto(buffer)
        self._apply(memoryview(buffer)[:count], first)
        return count

    def finish(self) -> None:
        """Write all that lies between the first and the last change, in one piece."""
        new = [(n, n + len(d)) for n, d in self._changes if self._read(n, len(d)) != d]
        if not new:
            return
        first, last = min(n for n, _ in new), max(n for _, n in new)
        block = bytearray(self._read(first, last - first))
        self._apply(memoryview(block), first)
        self.seek(first)
        super().write(block)

    def _read(self, first: int, count: int) -> bytes:
        self.seek(first)
        return super().read(count)

    def _apply(self, block: memoryview, first: int) -> None:
        """Change a block that was read at a place of the file."""
        for start, data in self._changes:
            here, there = max(start, first), min(start + len(data), first + len(block))
            if here < there:
                block[here - first : there - first] = data[here - start : there - start]
