"""VTK XML RectilinearGrid (`.vtr`), where its planes are evenly spaced.

The format is described at https://docs.vtk.org, "VTK XML file formats".
"""

from collections.abc import Sequence
from os import PathLike, fspath

import numpy as np

from fftmech.errors import InputError
from fftmech.io import vtk_xml
from fftmech.io.named_arrays import even
from fftmech.io.vti import read_piece
from fftmech.microstructure.base import Microstructure

OPTIONS = ("dataset", "threshold", "crop")
USED = (
    "cell data material, another by --dataset, or the only one",
    "coordinates, where evenly spaced",
)
IGNORED = ("other arrays, with a note", "field data")


def read(
    path: str | PathLike,
    dataset: str | None = None,
    threshold: float | None = None,
    crop: Sequence[int] | None = None,
) -> Microstructure:
    """Read the phase ids of a rectilinear grid; options are those of `.vti`."""
    name = fspath(path)
    file = vtk_xml.read_xml(path)
    grid = file.root.find("RectilinearGrid")
    pieces = [] if grid is None else grid.findall("Piece")
    if grid is None or len(pieces) != 1:
        raise InputError(
            f"{name}: VTK XML of type {file.root.get('type')} in {len(pieces)} "
            "piece(s)",
            "RectilinearGrid in one piece",
        )
    try:
        extent = np.array(pieces[0].get("Extent", "").split(), dtype=int)
        cells = tuple(int(n) for n in (extent[1::2] - extent[::2]).reshape(3))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name}: Extent", "six whole numbers") from error
    axes = pieces[0].findall("Coordinates/DataArray")
    if len(axes) != 3 or min(cells) < 0:
        raise InputError(f"{name}: {len(axes)} arrays of coordinates", "three")
    spacing, corner = even(
        name,
        [
            file.values(array, n + 1, f"{name}: coordinates {axis}").astype(float)
            for axis, n, array in zip("xyz", cells, axes, strict=True)
        ],
    )
    return read_piece(
        file, pieces[0], (cells, spacing, corner), dataset, threshold, crop
    )
