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
from fftmech.microstructure.phase_map import slabs


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
    except BaseException as error:
        # this process may be the only one that knows
        if name:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, ranks.mpi.Exception):
            raise OSError(0, error.Get_error_string(), str(path)) from error
        raise
    ranks.all(True)  # when the file is there


def read_planes(
    path: str | PathLike,
    offset: int,
    shape: tuple[int, int, int],
    dtype: np.dtype,
    ranks: Processes,
) -> np.ndarray:
    """Read own planes (own x, y, z) of an array [z, y, x] that lies at an offset."""
    own, (nz, ny, nx) = ranks.planes(shape[2]), shape
    count = own.stop - own.start
    file = _opened(ranks, str(path), (nz, ny, nx), (own.start, count), (offset, dtype))
    planes = np.empty((count, ny, nz), dtype)
    for part in slabs((nz, ny, nx)):
        block = np.empty((part.stop - part.start, ny, count), dtype)
        file.Read_all([block, block.nbytes, ranks.mpi.BYTE])
        planes[..., part] = block.T
    file.Close()
    return planes


def _opened(
    ranks: Processes,
    path: str,
    shape: tuple[int, ...],
    own: tuple[int, int],
    place: tuple[int, np.dtype],
    write: bool = False,
) -> Any:
    """A file of which a process sees its part of an array (z, y, x[, component]).

    `own` are the first of its planes and how many it has, `place` where the array is in
    the file and its type.
    """
    (first, count), (offset, dtype), (nz, ny, nx, *others) = own, place, shape
    size, mpi = dtype.itemsize * prod(others), ranks.mpi
    kind = mpi.BYTE
    if count:
        whole, part = (nz, ny, nx * size), (nz, ny, count * size)
        kind = mpi.BYTE.Create_subarray(whole, part, (0, 0, first * size)).Commit()
    mode = mpi.MODE_WRONLY if write else mpi.MODE_RDONLY
    file = mpi.File.Open(ranks.communicator, path, mode)
    file.Set_view(offset, mpi.BYTE, kind)
    return file


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
            _opened(
                self.ranks,
                self.path,
                layout.shape,
                (self.first, block.shape[2]),
                place,
                write=True,
            )
            for place, (layout, block) in zip(places, pairs, strict=True)
        ]
        dtypes = [dtype for _, dtype in places]
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

    def _room(self, layout: Layout, block: np.ndarray) -> tuple[int, np.dtype]:
        """Make room for an array: where it is in the file, and the type of numbers."""
        dtype = np.dtype(layout.dtype or block.dtype)
        item = self.root.create_dataset(
            layout.name, layout.shape, dtype, dcpl=set_aside()
        )
        if layout.components:
            item.attrs["components"] = layout.components
        return item.id.get_offset(), dtype
