"""PNG images (`.png`): one slice, rows y, columns x.

The format: https://www.w3.org/TR/png. A stack is a folder of them (`slices`).
"""

import warnings
from os import PathLike, fspath
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.io.image import Image
from fftmech.microstructure.base import Microstructure

MODES = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "F")
"""Pillow's names of pixels that are one number."""

OPTIONS = ("spacing", "threshold", "crop")
USED = ("one flat image: ids or grey values, of a palette its indices",)
IGNORED = ("colour tables, with a note", "pixels per metre, other metadata")


def read(path: str | PathLike, **options: Any) -> Microstructure:
    """Read a flat image: phase ids, or grey with a threshold."""
    return load(fspath(path)).microstructure(fspath(path), "zyx", **options)


def load(name: str) -> Image:
    """Read the pixels of a file."""
    try:
        from PIL import Image as Pillow
    except ImportError as error:
        raise InputError(
            f"{name}: reading PNG needs Pillow", mend='pip install "fftmech[formats]"'
        ) from error
    try:
        with warnings.catch_warnings():
            # that an image is large is no news
            warnings.simplefilter("ignore")
            with Pillow.open(name, formats=["PNG"]) as file:
                if file.mode not in MODES:
                    raise InputError(
                        f"{name} is a colour image ({file.mode})",
                        "grey values or ids, one number a voxel",
                        "convert it to grey first",
                    )
                image.check_size(file.size, 4, name)
                palette = file.mode == "P"
                values = np.array(file)
    except (InputError, PermissionError, MemoryError):
        raise
    except Exception as error:  # what Pillow raises depends on where the damage is
        raise InputError(
            f"{name}: not a PNG file that can be read ({error})", mend="save it again"
        ) from error
    notes = ["colours are not used: the numbers behind them are"] if palette else []
    return Image(values, notes=notes)
