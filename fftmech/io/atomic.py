"""Files appear whole: written beside their name, flushed, then renamed."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` if the block succeeds.

    On any exception, KeyboardInterrupt included, the temporary file is removed and
    what was at `path` before is untouched.
    """
    target, temporary = Path(path), None
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        # mkstemp makes files private; give the mode that open() would have given
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    except OSError as error:
        # name the user's file, not the temporary one
        raise OSError(error.errno, error.strerror or error, str(target)) from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_hdf5(path: str | os.PathLike) -> Iterator[h5py.File]:
    """Give a new HDF5 file that becomes `path` if the block succeeds.

    Raises
    ------
    OSError
        The disk is full, for instance.
    """
    import h5py

    with whole_file(path) as name, _Disk(name, "w+") as disk:
        with h5py.File(disk, "w") as file:
            yield file
        if disk.error:
            raise disk.error


class _Disk(io.FileIO):
    """A file whose failures to write are kept for later.

    After a failed write, HDF5 fails again when it closes the file and may crash when
    the process ends; so it is not told.
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
