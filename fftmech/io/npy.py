"""NumPy arrays (`.npy`): phase[x, y, z] unless axes="zyx" is given.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from os import PathLike, fspath
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.microstructure.base import Microstructure

OPTIONS = image.OPTIONS
USED = ("an array on three axes, or two: ids or grey values",)
IGNORED = ()


def read(
    path: str | PathLike, axes: str | None = None, **options: Any
) -> Microstructure:
    """Read an array of phase ids (or of grey values, with a threshold)."""
    name = fspath(path)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except PermissionError:
        raise
    except Exception as error:  # what NumPy raises depends on where the damage is
        raise InputError(
            f"{name}: not a complete .npy array of numbers",
            mend="write it again with numpy.save",
        ) from error
    notes = [] if axes or values.ndim < 2 else [image.axes_note("xyz", values.shape)]
    shape, dtype = values.shape, values.dtype
    del values  # and what was mapped with it
    mapped = image.Mapped(lambda: np.load(path, mmap_mode="r"), shape, dtype)
    return image.microstructure_from_image(
        mapped, name, axes or "xyz", notes=notes, **options
    )
