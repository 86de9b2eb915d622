"""TIFF stacks: pages are z, rows y, columns x (axes "zyx" unless given)."""

from collections.abc import Sequence
from os import PathLike, fspath

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
    """Read the first series of a TIFF stack: phase ids, or grey with a threshold.

    Raises
    ------
    InputError
        tifffile is missing, not a TIFF, a single page, or colour.
    """
    name = fspath(path)
    try:
        import tifffile
    except ImportError as error:
        raise InputError(
            f'{name}: reading TIFF needs tifffile; pip install "fftmech[formats]"'
        ) from error
    try:
        with tifffile.TiffFile(name) as file:
            series = file.series[0]
            if "S" in series.axes:
                raise InputError(
                    f"{name} is a colour image (shape {series.shape}): expected grey "
                    "values or ids, one number a voxel; convert it to grey first"
                )
            if len(series.shape) != 3:
                raise InputError(
                    f"{name} has {len(series.shape)} axes (shape {series.shape}): "
                    "expected a stack of at least two pages; save all slices as one "
                    "multi-page TIFF"
                )
            image.check_size(series.shape, series.dtype.itemsize, name)
            values = series.asarray()
    except (tifffile.TiffFileError, IndexError, OSError) as error:
        raise InputError(f"{name}: not a complete TIFF file ({error})") from error
    except InputError:
        raise
    except ValueError as error:
        # tifffile's own word for a compression whose decoder is not installed
        raise InputError(f"{name}: {error}; save it uncompressed") from error
    return image.microstructure_from_image(
        values, name, axes=axes or "zyx", spacing=spacing, threshold=threshold
    )
