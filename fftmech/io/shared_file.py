"""One VTKHDF file that processes write together, each its own planes across x.

The first process makes the file, with room for every array, and says where it begins;
then all write into it at once by MPI-IO. The file appears whole or not at all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fftmech.arrays.ranks import Processes
from fftmech.io.atomic import whole_disk
from fftmech.io.vtkhdf_fields import Arrays, Layout


@dataclass(frozen=True)
class SharedArrays(Arrays):
    """Arrays of a body that processes share.

    `path` is the file as it is called while it is written, and `first` the number of
    the first plane that this process has.
    """

    ranks: Any = None
    path: str = ""
    first: int = 0

    def write_planes(
        self,
        layouts: Sequence[Layout],
        parts: Iterable[slice],
        values: Callable[[slice], Sequence[np.ndarray]],
    ) -> None:
        """Write own planes across x of some planes across z, in all processes.

        Layouts are those of the whole arrays; `values` are this process's part.
        """
        mpi, files = self.ranks.mpi, []
        for part in parts:
            blocks = values(part)
            if not files:
                pairs = [*zip(layouts, blocks, strict=True)]
                places = self.ranks.first(lambda: [self._room(*pair) for pair in pairs])
                files = [
                    self._opened(place, layout.shape, np.dtype(dtype), block.shape[2])
                    for (place, dtype), (layout, block) in zip(
                        places, pairs, strict=True
                    )
                ]
                dtypes = [dtype for _, dtype in places]
            for file, dtype, block in zip(files, dtypes, blocks, strict=True):
                data = np.ascontiguousarray(block, dtype)
                file.Write_all([data, data.nbytes, mpi.BYTE])
        for file in files:
            file.Close()

    def _room(self, layout: Layout, block: np.ndarray) -> tuple[int, str]:
        """Make room for an array: where it begins in the file, and of what type it is.

        The first process does this.
        """
        item = self._made(layout, block.dtype, early=True)
        return item.id.get_offset(), item.dtype.str

    def _opened(
        self, place: int, shape: tuple[int, ...], dtype: np.dtype, count: int
    ) -> Any:
        """The file, of which this process sees its part of an array."""
        mpi = self.ranks.mpi
        file = mpi.File.Open(self.ranks.communicator, self.path, mpi.MODE_WRONLY)
        size = dtype.itemsize * prod(shape[3:])
        whole = *shape[:2], shape[2] * size
        kind = mpi.BYTE
        if count:
            own, start = (*shape[:2], count * size), (0, 0, self.first * size)
            kind = mpi.BYTE.Create_subarray(whole, own, start).Commit()
        file.Set_view(place, mpi.BYTE, kind)
        return file


@contextmanager
def shared_hdf5(
    path: str | PathLike, ranks: Processes
) -> Iterator[tuple[h5py.File, str]]:
    """Give a new file to the first process, and one that is forgotten to the others.

    With the name of the first one while it is written; it becomes `path` if the block
    succeeds in every process.
    """
    name = ""
    try:
        if ranks.rank == 0:
            with whole_disk(path) as disk:
                name = ranks.communicator.bcast(str(disk.name))
                with h5py.File(disk, "w") as file:
                    yield file, name
                ranks.all(True)
        else:
            name = ranks.communicator.bcast(None)
            with h5py.File("other", "w", driver="core", backing_store=False) as file:
                yield file, name
            ranks.all(True)
    except ranks.mpi.Exception as error:
        Path(name).unlink(missing_ok=True)
        raise OSError(error.Get_error_code(), str(error), str(path)) from error
    ranks.all(True)
