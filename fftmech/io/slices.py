"""Stacks of slices: a folder, a list or a pattern of .tif or .png files, one a slice.

Slices are in the natural order of their names, slice_2 before slice_10, and go upwards
along z.
"""

import glob
import re
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from fftmech import io
from fftmech.errors import InputError
from fftmech.io import image, png, tif
from fftmech.io.image import Image
from fftmech.microstructure.base import Microstructure

LOADERS = {".tif": tif.load, ".tiff": tif.load, ".png": png.load}

NUISANCES = ("thumbs.db", "desktop.ini")

OPTIONS = ("spacing", "threshold", "crop")
USED = (
    "slices of one size and type, in the natural order of their names",
    "pixel size from ImageJ's and OME's metadata",
)
IGNORED = ("other files in the folder, with a note",)

Source = str | PathLike | Sequence[str | PathLike]


def is_stack(source: Source) -> bool:
    """Whether a source is a folder, a list, or a pattern with *, ? or [ ]."""
    if not isinstance(source, str | PathLike):
        return True
    path = Path(source)
    return path.is_dir() or (
        not path.exists() and bool(re.search(r"[*?\[]", str(path)))
    )


def files(source: Source) -> tuple[list[Path], list[str]]:
    """The slices of a stack, in order, and notes on what else there is."""
    if not isinstance(source, str | PathLike):
        paths, name = [Path(path) for path in source], "list of slices"
    elif Path(source).is_dir():
        paths, name = [p for p in Path(source).iterdir() if p.is_file()], str(source)
        paths = [p for p in paths if p.name[0] != "."]
        paths = [p for p in paths if p.name.lower() not in NUISANCES]
    else:
        paths, name = [Path(found) for found in glob.glob(fspath(source))], str(source)
        if not paths:
            raise InputError(f"{name}: no such files", mend="check the pattern")
    slices = sorted((p for p in paths if p.suffix.lower() in LOADERS), key=_natural)
    others = sorted(p.name for p in paths if p.suffix.lower() not in LOADERS)
    # a folder of bodies, one of which is a picture, is no stack
    known = io.FORMATS.keys() - set(io.SHARED)
    bodies = [name for name in others if Path(name).suffix.lower() in known]
    if not slices or (bodies and Path(name).is_dir()):
        what = "is a folder" if Path(name).is_dir() else "has no slices"
        raise InputError(
            f"{name} {what}: give the name of a file",
            "a file, or a folder of .tif or .png slices",
        )
    if len(kinds := {p.suffix.lower()[:4] for p in slices}) > 1:
        raise InputError(
            f"{name} holds slices of several kinds ({', '.join(sorted(kinds))})",
            "one kind",
            'name those that are meant: "folder/*.tif"',
        )
    notes = []
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        notes.append(f"files that are no slices: {', '.join(others[:3])}{more}")
    return slices, [*notes, *_gaps(slices)]


def read(source: Source, **options: Any) -> Microstructure:
    """Read a stack: phase ids, or grey values with a threshold."""
    paths, notes = files(source)
    first = _slice(paths[0])
    shape = (len(paths), *first.values.shape)
    image.check_size(shape, first.values.itemsize, str(paths[0].parent))
    values = np.empty(shape, first.values.dtype)
    values[0] = first.values
    for k, path in enumerate(paths[1:], start=1):
        another = _slice(path)
        if (another.values.shape, another.values.dtype) != (shape[1:], values.dtype):
            raise InputError(
                f"{path} has {another.values.shape} pixels of {another.values.dtype}, "
                f"{paths[0].name} {shape[1:]} of {values.dtype}",
                "slices of one size and type",
            )
        values[k] = another.values
    notes += first.notes
    if first.spacing and len(paths) > 1 and "spacing" not in options:
        notes.append("distance of slices assumed to be a pixel's edge (--spacing)")
    where = f"{paths[0].parent} ({len(paths)} slices)"
    stack = Image(values, first.spacing, first.unit, notes)
    return stack.microstructure(where, "zyx", **options)


def _slice(path: Path) -> Image:
    if not path.is_file():
        raise InputError(f"{path}: no such file", mend="check the names of the slices")
    image.check_fetched(path)
    found = LOADERS[path.suffix.lower()](str(path))
    if found.values.ndim != 2:
        raise InputError(
            f"{path} has {len(found.values)} pages",
            "one page a slice",
            "give a stack by itself",
        )
    if found.spacing:
        h = found.spacing
        return Image(found.values, [h[0], h[1], h[0]], found.unit, found.notes)
    return found


def _natural(path: Path) -> list[Any]:
    """Key that puts slice_2 before slice_10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts]


def _gaps(paths: list[Path]) -> list[str]:
    """A note where the last numbers of the names do not go up in equal steps."""
    found = [re.findall(r"\d+", path.stem) for path in paths]
    if len(paths) < 3 or not all(found):
        return []
    numbers = [int(digits[-1]) for digits in found]
    steps = [b - a for a, b in zip(numbers[:-1], numbers[1:], strict=True)]
    usual = max(set(steps), key=steps.count)
    jumps = [k for k, step in enumerate(steps) if step != usual]
    if not jumps:
        return []
    k = jumps[0]
    return [
        f"numbers of slices jump from {paths[k].name} to {paths[k + 1].name}: they are "
        "taken as neighbours"
    ]
