"""TIFF images: pages are z, rows y, columns x (axes "zyx" unless given).

Voxel sizes are taken where the file says them as lengths in all directions: in
ImageJ's description ("unit", "spacing" and the resolution in pixels a unit; a distance
of slices that is not written is 1, https://imagej.net/ij/docs/guide/146-28.html and
ij/io/FileSaver.java) and in OME's (PhysicalSizeX, Y and Z with their units, in um
unless said, https://docs.openmicroscopy.org/ome-model). Dots per inch of a plain TIFF
are a printer's business.
"""

import logging
from os import PathLike, fspath
from typing import Any
from xml.etree import ElementTree

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.io.image import Image
from fftmech.microstructure.base import Microstructure

# the error says it in one line; what tifffile logs on the way is noise
logging.getLogger("tifffile").addHandler(logging.NullHandler())

LENGTHS = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0, "inch": 0.0254}
"""Units of length that are converted into each other, in m."""

UM = ("µm", "μm", "\\u00B5m", "micron", "microns", "micrometer", "micrometre")
"""How files write um."""

NO_UNIT = ("", "pixel", "pixels")

DOTS = ("inch", "cm")
"""Units of the resolution that plain TIFF files have: a printer's business."""

UNUSED = "its dots per inch or cm are not used (--spacing)"

OPTIONS = image.OPTIONS
USED = (
    "one 2-D or 3-D image: ids or grey values",
    "voxel sizes and their unit from ImageJ's and OME's metadata",
)
IGNORED = (
    "further images in the file, with a note",
    "dots per inch, colour tables, other metadata",
)


def read(
    path: str | PathLike, axes: str | None = None, **options: Any
) -> Microstructure:
    """Read the first series of a TIFF stack: phase ids, or grey with a threshold."""
    return load(fspath(path)).microstructure(fspath(path), axes or "zyx", **options)


def load(name: str) -> Image:
    """Read the first image of a file and what it says of voxel sizes."""
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
            # pages that differ in their compression or colours are one stack still
            page = series.keyframe.shape
            stack = len(file.series) > 1 and all(
                (s.kind, s.dtype, s.keyframe.shape) == ("generic", series.dtype, page)
                for s in file.series
            )
            shape = (len(file.pages), *page) if stack else series.shape
            if len(shape) not in (2, 3):
                raise InputError(
                    f"{name} has {len(shape)} axes (shape {shape})",
                    "a stack of pages, or one",
                    "save one channel and one time",
                )
            image.check_size(shape, series.dtype.itemsize, name)
            if stack:
                values = np.empty(shape, series.dtype)
                for k, page in enumerate(file.pages):
                    values[k] = page.asarray()
            else:
                values = series.asarray()
            slices = len(values) if values.ndim == 3 else 1
            spacing, unit, notes = _sizes(file, slices)
            several = 1 if stack else len(file.series)
            return Image(values, spacing, unit, [*_notes(several, series), *notes])
    except (InputError, PermissionError, MemoryError):
        raise
    except Exception as error:  # what tifffile raises depends on where the damage is
        raise InputError(
            f"{name}: not a TIFF file that can be read ({error})",
            mend="save it again, uncompressed",
        ) from error


def _notes(count: int, series: Any) -> list[str]:
    """What the file says of its numbers and pages that is not heeded."""
    notes = []
    if count > 1:
        notes.append(f"the first of {count} images in the file is read")
    first = series.axes[0]
    if len(series.shape) == 3 and first in "TC":
        what = {"T": "times", "C": "channels"}[first]
        notes.append(f"{series.shape[0]} {what} are taken as slices along z")
    photometric = getattr(series.keyframe.photometric, "name", "")
    if photometric == "PALETTE":
        notes.append("colours are not used: the numbers behind them are")
    if photometric == "MINISWHITE":
        notes.append("the image shows low numbers bright: numbers are as stored")
    return notes


def _sizes(file: Any, slices: int) -> tuple[list[float] | None, str | None, list[str]]:
    """Edges of a voxel, their unit, and notes; None where the file does not say."""
    page = file.pages[0]
    across = [_pixel(page, name) for name in ("XResolution", "YResolution")]
    given: list[tuple[float | None, str]]
    notes: list[str] = []
    if file.ome_metadata:
        given = _ome(file.ome_metadata)
    elif file.is_imagej:
        said = file.imagej_metadata or {}
        unit = _unit(said.get("unit", ""))
        if "spacing" not in said and unit in (*NO_UNIT, *DOTS):
            return None, None, [UNUSED] if unit in DOTS else []
        given = [(across[0] or 1.0, unit), (across[1] or 1.0, unit)]
        given.append((abs(float(said.get("spacing", 1.0))), unit))
        if "spacing" not in said and slices > 1 and given[0][0] != 1.0:
            notes.append(
                f"distance of slices not given: 1 {unit}, as ImageJ takes it "
                "(--spacing)"
            )
    else:
        dots = getattr(page.tags.get("ResolutionUnit"), "value", 1)
        said_so = dots != 1 and None not in across
        return None, None, [UNUSED] if said_so else []
    edges, unit, said = _lengths(given, slices)
    return edges, unit, [*notes, *said]


def _lengths(
    given: list[tuple[float | None, str]], slices: int
) -> tuple[list[float] | None, str | None, list[str]]:
    """Edges in the unit of the first, where all are known and can be converted."""
    notes = []
    if given[0][0] is None or given[1][0] is None:
        return None, None, []
    if given[2][0] is None:
        given = [*given[:2], given[0]]
        if slices > 1:
            notes.append("distance of slices not given: as wide as a pixel (--spacing)")
    unit = given[0][1]
    edges = []
    for h, named in given:
        assert h is not None
        if named != unit:
            if named not in LENGTHS or unit not in LENGTHS:
                note = f"voxel sizes in {named} and {unit} are not used (--spacing)"
                return None, None, [note]
            h *= LENGTHS[named] / LENGTHS[unit]
        edges.append(float(f"{h:.12g}"))
    return edges, None if unit in NO_UNIT else unit, notes


def _pixel(page: Any, name: str) -> float | None:
    """Edge of a pixel in the unit of resolution."""
    tag = page.tags.get(name)
    if tag is None:
        return None
    pixels, units = tag.value
    return units / pixels if pixels else None


def _ome(text: str) -> list[tuple[float | None, str]]:
    """Physical size along x, y, z and its unit, of the first image."""
    root = ElementTree.fromstring(text)
    pixels = next((e for e in root.iter() if e.tag.endswith("}Pixels")), None)
    found: list[tuple[float | None, str]] = []
    for axis in "XYZ":
        said = {} if pixels is None else pixels.attrib
        size = said.get(f"PhysicalSize{axis}")
        unit = _unit(said.get(f"PhysicalSize{axis}Unit", "um"))
        known = size is not None and unit not in ("pixel", "reference frame")
        found.append((float(size) if known and size else None, unit))
    return found


def _unit(text: Any) -> str:
    text = str(text).strip()
    return "um" if text in UM else text
