"""VTK XML ImageData (`.vti`), as DAMASK writes grids: cell data `material`.

A DAMASK grid holds no orientations and no constants: they are in its `material.yaml`,
which `damask` reads. The format is described at https://docs.vtk.org, "VTK XML file
formats".
"""

from collections.abc import Sequence
from os import PathLike, fspath
from xml.etree import ElementTree

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image, vtk_xml
from fftmech.io.named_arrays import PLACES, choose
from fftmech.microstructure.base import Microstructure

OPTIONS = ("dataset", "threshold", "crop")
USED = (
    "cell data material, another by --dataset, or the only one",
    "point data, a voxel about each point, with a note",
    "extent, spacing and origin; compression by zlib, lzma, and (with VTK) LZ4",
)
IGNORED = ("other arrays, with a note", "field data")


def read(
    path: str | PathLike,
    dataset: str | None = None,
    threshold: float | None = None,
    crop: Sequence[int] | None = None,
) -> Microstructure:
    """Read the phase ids of ImageData: ascii, inline binary or appended data.

    `dataset` names the data that hold the ids, "material" unless given; of grey values,
    those above `threshold` are phase 1.
    """
    file = vtk_xml.read_xml(path)
    name = fspath(path)
    piece, cells, spacing, corner = box_of(name, file.root)
    return read_piece(file, piece, (cells, spacing, corner), dataset, threshold, crop)


def read_piece(
    file: vtk_xml.XmlFile,
    piece: ElementTree.Element,
    box: tuple[tuple[int, ...], list[float], list[float]],
    dataset: str | None,
    threshold: float | None,
    crop: Sequence[int] | None,
) -> Microstructure:
    """Read the phase ids of a piece; `box` is its cells, their edges and its corner."""
    found = {
        place: {str(a.get("Name")): a for a in piece.findall(f"{place}/DataArray")}
        for place in PLACES
    }
    scalar = {
        place: {n: vtk_xml.is_scalar(a) for n, a in arrays.items()}
        for place, arrays in found.items()
    }
    choice = choose(file.name, scalar, dataset, "material")
    cells, spacing, corner = box
    shape, origin = choice.box(cells, spacing, corner)
    where = f"{file.name}: {choice.label}"
    image.check_size(shape, 1, where)
    count = int(np.prod(shape, dtype=object))
    values = file.values(found[choice.place][choice.name], count, where)
    return image.microstructure_from_image(
        values.reshape(shape[::-1]),
        where,
        "zyx",
        spacing,
        origin,
        threshold,
        choice.notes,
        crop,
    )


def box_of(
    name: str, root: ElementTree.Element
) -> tuple[ElementTree.Element, tuple[int, ...], list[float], list[float]]:
    """The one piece of an image; its voxels, their edges, and the box's corner."""
    box = root.find("ImageData")
    pieces = [] if box is None else box.findall("Piece")
    if box is None or len(pieces) != 1:
        raise InputError(
            f"{name}: VTK XML of type {root.get('type')} in {len(pieces)} piece(s)",
            "ImageData in one piece",
        )
    try:
        extent = np.array(box.get("WholeExtent", "").split(), dtype=int)
        spacing = np.array(box.get("Spacing", "1 1 1").split(), dtype=float)
        origin = np.array(box.get("Origin", "0 0 0").split(), dtype=float)
        turn = np.array(box.get("Direction", "1 0 0 0 1 0 0 0 1").split(), dtype=float)
        shape = tuple(int(n) for n in (extent[1::2] - extent[::2]).reshape(3))
        corner = origin + extent[::2] * spacing
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{name}: WholeExtent, Spacing, Origin or Direction is not numbers x y z "
            f"({error})",
            mend="write it again",
        ) from error
    if pieces[0].get("Extent") != box.get("WholeExtent") or min(shape) < 0:
        raise InputError(
            f"{name}: piece {pieces[0].get('Extent')} of WholeExtent "
            f"{box.get('WholeExtent')}",
            "one piece that fills it",
        )
    if not np.array_equal(turn, np.eye(3).ravel()):
        raise InputError(f"{name}: Direction {turn}", "axes along x, y, z")
    return pieces[0], shape, spacing.tolist(), corner.tolist()
