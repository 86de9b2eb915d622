"""Vectors on the disk, where they would be most of what a process holds."""

import tempfile

import numpy as np

from fftmech.errors import InputError


class StoredVectors:
    """Vectors of one size in a file without a name, which vanishes with the process.

    It is in the folder for temporary files (TMPDIR). A vector is read each time that it
    is asked for.

    Parameters
    ----------
    planned
        Number of vectors there will be.
    """

    def __init__(self, planned: int) -> None:
        self.planned = planned
        self._file = tempfile.TemporaryFile(prefix="fftmech-")  # noqa: SIM115
        self._count = 0

    def append(self, v: np.ndarray) -> None:
        """Write one more.

        Raises
        ------
        InputError
            The disk is full.
        """
        self._size, self._dtype = v.size, v.dtype
        try:
            self._file.seek(self._count * v.nbytes)
            self._file.write(v.view(np.uint8).data)
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"{tempfile.gettempdir()}: {error.strerror or error}",
                f"{self.planned * v.nbytes / 2**30:.3g} GiB for solutions",
                "set TMPDIR to a folder on a disk that has them",
            ) from error
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> np.ndarray:
        self._file.seek(index * self._size * self._dtype.itemsize)
        v = np.empty(self._size, self._dtype)
        self._file.readinto(v.view(np.uint8).data)
        return v
