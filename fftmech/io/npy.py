"""NumPy arrays (`.npy`): phase[x, y, z] unless axes="zyx" is given."""

from os import PathLike, fspath
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.microstructure.base import Microstructure

OPTIONS = image.OPTIONS


def read(path: str | PathLike, axes: str = "xyz", **options: Any) -> Microstructure:
    """Read a 3-D array of phase ids (or of grey values, with a threshold)."""
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
    image.check_size(values.shape, values.dtype.itemsize, name)
    return image.microstructure_from_image(np.array(values), name, axes, **options)
