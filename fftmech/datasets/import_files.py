"""A file of another program, read as its mapping says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fftmech.arrays.memory import size_text
from fftmech.datasets.conventions import (
    MATRIX,
    mandel_stiffness,
    quaternions,
    spatial_last,
)
from fftmech.datasets.mapping import FieldMapping, TensorArray
from fftmech.errors import InputError
from fftmech.io.named_fields import VTI_AXES, Name, ReadArray, named_arrays

ALIKE = 1e-4
"""Relative difference of the edges of a box, stated and in a file, that is rounding."""


class MappedFile(NamedTuple):
    """An open file, what its mapping states, and whether it is VTI, of known axes."""

    read: ReadArray
    stated: FieldMapping
    vti: bool

    def phase(self) -> np.ndarray:
        """Phase ids of a cube, (N, N, N)."""
        name, size = self.stated.phase, self.stated.size
        values = self._array(name, self.stated.phase_axes)
        with np.errstate(invalid="ignore"):
            ids = values.astype(np.int64)
        if values.ndim != 3 or (values != ids).any():
            raise InputError(name, "whole numbers, one a voxel")
        if len({*ids.shape}) > 1 or not np.allclose(size, size[0], rtol=ALIKE):
            raise InputError(
                f"{size_text(ids.shape)} voxels in a box of {_edges(size)}",
                "as many voxels along each axis of a cube, which models take",
            )
        return ids

    def tensor(self, tensor: TensorArray) -> np.ndarray:
        """Stored components, (6, x, y, z) or (3, 3, x, y, z), in the file's unit."""
        values = self._array(tensor.array, tensor.axes).astype(float)
        order = tensor.convention.order
        if values.shape[:-3] != ((3, 3) if order == MATRIX else (6,)):
            raise InputError(
                f"{tensor.array} has {int(np.prod(values.shape[:-3]))} components",
                f"those of order {order}",
            )
        return values

    def stiffness(self, last: int) -> np.ndarray:
        """Mandel stiffness by phase, (P, 6, 6), of phases up to `last`."""
        assert self.stated.stiffness is not None
        name, order, form, _ = self.stated.stiffness
        table = np.asarray(self.read(name), dtype=float)
        if table.ndim != 3 or table.shape[1:] != (6, 6):
            raise InputError(f"{name} has shape {table.shape}", "(P, 6, 6)")
        if last >= len(table):
            raise InputError(
                f"phase {last} has no stiffness: {name} has rows 0 to {len(table) - 1}"
            )
        return mandel_stiffness(table, order, form)

    def orientation(self, last: int) -> np.ndarray:
        """Unit quaternions by phase, (P, 4), of phases up to `last`."""
        assert self.stated.orientation is not None
        name, form = self.stated.orientation
        table = quaternions(np.asarray(self.read(name), dtype=float), form, name)
        if last >= len(table):
            raise InputError(
                f"phase {last} has no orientation: {name} has rows 0 to "
                f"{len(table) - 1}"
            )
        return table

    def images(self) -> dict[str, np.ndarray]:
        """Scalar images by name, (x, y, z)."""
        return {
            name: self._array(image.array, image.axes).astype(float)
            for name, image in self.stated.images.items()
        }

    def _array(self, name: Name, axes: str | None) -> np.ndarray:
        """An array with its components, if any, first: (..., x, y, z)."""
        values = self.read(name)
        if self.vti:
            width = int(np.prod(values.shape[3:]))
            known = VTI_AXES.get(width)
            if known is None or axes not in (None, known):
                raise InputError(
                    f"{name}: {width} components, axes {axes}",
                    f"axes {known or 'of 1, 6 or 9 components'} in a .vti",
                )
            axes = known
        assert axes is not None
        return spatial_last(values, axes, self.stated.cells, str(name))


@contextmanager
def mapped_file(path: Path, stated: FieldMapping) -> Iterator[MappedFile]:
    """Open a sample; a box of another shape than stated is an InputError."""
    with named_arrays(path) as (read, size):
        own = stated.size
        if size is not None and not np.allclose(
            np.divide(own, own[0]), np.divide(size, size[0]), rtol=ALIKE
        ):
            raise InputError(
                f"[grid] size {_edges(own)}, the file says {_edges(size)}", "one shape"
            )
        yield MappedFile(read, stated, path.suffix.lower() == ".vti")


def _edges(size: tuple[float, ...]) -> str:
    return " x ".join(f"{edge:g}" for edge in size)
