"""NumPy arrays (`.npy`): phase[x, y, z] unless axes="zyx" is given."""

from collections.abc import Sequence
from os import PathLike, fspath

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.microstructure.base import Microstructure


def read(
    path: str | PathLike,
    *,
    axes: str | None = None,
    spacing: Sequence[float] | None = None,
    threshold: float | None = None,
) -> Microstructure:
    """Read a 3-D array of phase ids (or of grey values, with a threshold).

    Raises
    ------
    InputError
        Not a `.npy` array, cut short, or not three axes of whole numbers.
    """
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
    return image.microstructure_from_image(
        np.array(values), name, axes=axes or "xyz", spacing=spacing, threshold=threshold
    )
