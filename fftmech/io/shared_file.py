"""A new VTKHDF file, of one process or of several that write it together.

Of several the first makes the file, with room for each array, and says where that is;
then all write into it by MPI-IO, each its own planes across x.
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
from fftmech.io.atomic import whole_disk, whole_hdf5
from fftmech.io.vtkhdf_fields import Arrays, Layout, set_aside
from fftmech.microstructure.base import Microstructure


@contextmanager
def new_arrays(
    path: str | PathLike, body: Microstructure
) -> Iterator[tuple[h5py.File, Arrays]]:
    """Give a new file for a body, and the arrays below its /VTKHDF.

    It becomes `path` if the block succeeds, in all processes if there are several. All
    but the first have a file in memory that nobody reads.
    """
    ranks = body.ranks
    if not isinstance(ranks, Processes):
        with whole_hdf5(path) as file:
            yield file, Arrays(file.create_group("VTKHDF"))
        return
    name, first = "", ranks.planes(body.grid.shape[0]).start
    try:
        if ranks.rank == 0:
            with whole_disk(path) as disk, h5py.File(disk, "w") as file:
                name = ranks.communicator.bcast(str(disk.name))
                root = file.create_group("VTKHDF")
                yield file, SharedArrays(root, ranks=ranks, path=name, first=first)
        else:
            name = ranks.communicator.bcast(None)
            with h5py.File("none", "w", driver="core", backing_store=False) as file:
                root = file.create_group("VTKHDF")
                yield file, SharedArrays(root, ranks=ranks, path=name, first=first)
    except ranks.mpi.Exception as error:
        # this process may be the only one that knows
        Path(name).unlink(missing_ok=True)
        raise OSError(0, error.Get_error_string(), str(path)) from error
    ranks.all(True)  # when the file is there


@dataclass(frozen=True)
class SharedArrays(Arrays):
    """Arrays of a body that processes share.

    `path` is the file that is being written, `first` the first plane of this process.
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
        """Write own planes across x of all planes across z, which come in order.

        Layouts are those of whole arrays; `values` are the part of this process.
        """
        parts = iter(parts)
        blocks = values(next(parts))
        pairs = [*zip(layouts, blocks, strict=True)]
        places = self.ranks.first(lambda: [self._room(*pair) for pair in pairs])
        files = [
            self._opened(place, layout, block)
            for place, (layout, block) in zip(places, pairs, strict=True)
        ]
        dtypes = [np.dtype(dtype) for _, dtype in places]
        while True:
            for file, dtype, block in zip(files, dtypes, blocks, strict=True):
                data = np.ascontiguousarray(block, dtype)
                file.Write_all([data, data.nbytes, self.ranks.mpi.BYTE])
            part = next(parts, None)
            if part is None:
                break
            blocks = values(part)
        for file in files:
            file.Close()

    def _room(self, layout: Layout, block: np.ndarray) -> tuple[int, str]:
        """Make room for an array: where it is in the file, and the type of numbers."""
        dtype = np.dtype(layout.dtype or block.dtype)
        item = self.root.create_dataset(
            layout.name, layout.shape, dtype, dcpl=set_aside()
        )
        if layout.components:
            item.attrs["components"] = layout.components
        return item.id.get_offset(), dtype.str

    def _opened(self, place: tuple[int, str], layout: Layout, block: np.ndarray) -> Any:
        """The file, of which this process sees its part of an array."""
        mpi, (offset, dtype), (nz, ny, nx, *others) = (
            self.ranks.mpi,
            place,
            layout.shape,
        )
        size, count = np.dtype(dtype).itemsize * prod(others), block.shape[2]
        kind = mpi.BYTE
        if count:
            whole, own = (nz, ny, nx * size), (nz, ny, count * size)
            start = 0, 0, self.first * size
            kind = mpi.BYTE.Create_subarray(whole, own, start).Commit()
        file = mpi.File.Open(self.ranks.communicator, self.path, mpi.MODE_WRONLY)
        file.Set_view(offset, mpi.BYTE, kind)
        return file
