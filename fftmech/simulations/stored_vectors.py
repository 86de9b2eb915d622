"""Vectors on the disk, where they would be most of what a process holds."""

import shutil
import tempfile

import numpy as np

from fftmech.errors import InputError


class StoredVectors:
    """Vectors of one size in a file without a name, which vanishes with the process.

    It is in the folder for temporary files (TMPDIR). A vector is read each time that it
    is asked for.

    Parameters
    ----------
    needed
        Bytes that there will be.

    Raises
    ------
    InputError
        The disk has no space for them.
    """

    def __init__(self, needed: int) -> None:
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise InputError(
                f"solutions of a large grid need {needed / 2**30:.3g} GiB in {folder} "
                f"and {free / 2**30:.3g} GiB are free",
                mend="set TMPDIR to a folder on a disk that has them",
            )
        self._file = tempfile.TemporaryFile(prefix="fftmech-")  # noqa: SIM115
        self._count = 0

    def append(self, v: np.ndarray) -> None:
        """Write one more."""
        self._size, self._dtype = v.size, v.dtype
        self._file.seek(self._count * v.nbytes)
        self._file.write(v.view(np.uint8).data)
        self._file.flush()
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> np.ndarray:
        self._file.seek(index * self._size * self._dtype.itemsize)
        v = np.empty(self._size, self._dtype)
        self._file.readinto(v.view(np.uint8).data)
        return v
