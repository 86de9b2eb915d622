"""Headerless binary images (`.raw`, `.raw.gz`): nothing but voxels.

The number of voxels along x, y, z and the type of a voxel must be given. Voxels run
with x fastest (axes "zyx"), as ImageJ and most scanners write them, unless axes="xyz".
"""

import gzip
import zlib
from collections.abc import Sequence
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.microstructure.base import Microstructure

OPTIONS = ("shape", "dtype", *image.OPTIONS)
USED = ("voxels of the shape and the type that are given, x fastest",)
IGNORED = ()


def read(
    path: str | PathLike,
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    axes: str | None = None,
    **options: Any,
) -> Microstructure:
    """Read a headerless image of phase ids (or of grey values, with a threshold).

    `shape` is the voxels along x, y, z; `dtype` is NumPy's name of a voxel's type,
    "uint8" or ">u2" (big-endian) for instance.
    """
    name = fspath(path)
    if shape is None or dtype is None:
        raise InputError(
            f"{name} has no header: give its voxels and their type, for instance "
            "--shape 128,128,128 --dtype uint8 (fftmech convert takes them)"
        )
    voxel = _voxel_type(name, dtype)
    if len(shape) != 3 or any(int(n) != n or n < 1 for n in shape):
        raise InputError(
            f"{name}: shape {tuple(shape)}", "three numbers of voxels >= 1"
        )
    nx, ny, nz = (int(n) for n in shape)
    expected = nx * ny * nz * voxel.itemsize
    packed = name.lower().endswith(".gz")
    if packed:
        image.check_size((nx, ny, nz), voxel.itemsize, name)
        data = _unpacked(name, expected)
        size = len(data)
    else:
        data, size = b"", Path(name).stat().st_size
    if size != expected:
        held = f"more than {expected}" if size > expected else size
        raise InputError(
            f"{name} holds {held} bytes and {nx} x {ny} x {nz} voxels of {voxel.name} "
            f"take {expected}: check --shape and --dtype"
        )
    notes = []
    if axes is None:
        axes = "zyx"
        notes.append("x assumed to run fastest in the file (--axes xyz: z does)")
    if voxel.itemsize > 1 and dtype[0] not in "<>=|":
        notes.append(
            f"bytes of {dtype} assumed to be in this machine's order (--dtype "
            f"'{voxel.newbyteorder().str}' is the other)"
        )
    image.check_axes(axes, name)
    order = (nx, ny, nz) if axes == "xyz" else (nz, ny, nx)
    values: Any = image.Mapped(
        partial(np.memmap, name, voxel, "r", 0, order), order, voxel
    )
    if packed:
        values = np.frombuffer(data, voxel).reshape(order)
    return image.microstructure_from_image(values, name, axes, notes=notes, **options)


def _voxel_type(name: str, dtype: str) -> np.dtype:
    try:
        voxel = np.dtype(dtype)
    except TypeError:
        voxel = None
    if voxel is None or voxel.kind not in "iuf":
        raise InputError(
            f"{name}: dtype {dtype!r}",
            "the type of a voxel, one of uint8, uint16, int32, float32, ... (>u2 is "
            "big-endian)",
        )
    return voxel


def _unpacked(name: str, expected: int) -> bytes:
    """At most one byte more than expected, so that a huge file is not read."""
    try:
        with gzip.open(name, "rb") as file:
            return file.read(expected + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{name}: gzip data cut short or damaged", mend="copy it again"
        ) from error
