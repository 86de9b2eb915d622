"""TIFF stacks: pages are z, rows y, columns x (axes "zyx" unless given)."""

import logging
from os import PathLike, fspath
from typing import Any

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.microstructure.base import Microstructure

# the error says it in one line; what tifffile logs on the way is noise
logging.getLogger("tifffile").addHandler(logging.NullHandler())


OPTIONS = image.OPTIONS


def read(path: str | PathLike, axes: str = "zyx", **options: Any) -> Microstructure:
    """Read the first series of a TIFF stack: phase ids, or grey with a threshold."""
    name = fspath(path)
    try:
        import tifffile
    except ImportError as error:
        raise InputError(
            f"{name}: reading TIFF needs tifffile",
            mend='pip install "fftmech[formats]"',
        ) from error
    try:
        with tifffile.TiffFile(name) as file:
            series = file.series[0]
            if "S" in series.axes:
                raise InputError(
                    f"{name} is a colour image (shape {series.shape})",
                    "grey values or ids, one number a voxel",
                    "convert it to grey first",
                )
            if len(series.shape) != 3:
                raise InputError(
                    f"{name} has {len(series.shape)} axes (shape {series.shape})",
                    "a stack of at least two pages",
                    "save all slices as one multi-page TIFF",
                )
            image.check_size(series.shape, series.dtype.itemsize, name)
            values = series.asarray()
    except (InputError, PermissionError, MemoryError):
        raise
    except Exception as error:  # what tifffile raises depends on where the damage is
        raise InputError(
            f"{name}: not a TIFF file that can be read ({error})",
            mend="save it again, uncompressed",
        ) from error
    return image.microstructure_from_image(values, name, axes, **options)
