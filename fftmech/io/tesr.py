"""neper raster tessellations (`.tesr`, formats 2.0 to 2.2), ascii or binary.

Ids are neper's own (`*id`, else 1, 2, ...). Cell 0 is void, of which the file does not
say what it is: its voxels are unindexed. Orientations are those of the cells (`*ori`)
or else the means of those of their voxels (`**oridata`, where `**oridef` says that a
voxel has one), under the crystal's symmetry (`*crysym`). Groups of cells (`*group`)
are materials.

The format is described in neper's manual, https://neper.info/doc/fileformat.html,
"Raster Tessellation File".
"""

import re
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.io.crystals import grains_from_voxels
from fftmech.io.neper_orientation import PARAMETERS, descriptor_of, quaternions
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.phase_map import MOST_PHASES, compact

BINARY = {
    "data": {
        "binary8": "u1", "binary16": "<i2", "binary16_big": ">i2",
        "binary32": "<i4", "binary32_big": ">i4",
    },
    # whatever neper calls them (it writes binary16), they are doubles
    "oridata": dict.fromkeys(("binary", "binary8", "binary16", "binary32"), "<f8"),
    "oridef": {"binary": "u1", "binary8": "u1"},
}  # fmt: skip
"""NumPy's name of each of neper's binary voxel types, by section."""

ROTATION_GROUPS = {"triclinic": "C1", "cubic": "O", "hexagonal": "D6"}
"""Rotations of neper's crystal symmetries, Schoenflies."""

OPTIONS = ()
USED = (
    "voxels, their size and the origin",
    "cells and their ids; cell 0, void, is unindexed",
    "orientations of cells, or of voxels averaged over each cell",
    "crystal symmetry, in those averages",
    "groups of cells, as materials",
)
IGNORED = ("seeds and weights", "spread of orientations", "properties of cells")

SECTION = re.compile(rb"\*\*(data|oridata|oridef)[ \t]*\r?\n")


def read(path: str | PathLike) -> Microstructure:
    """Read the cells of a raster tessellation and, where given, their orientations."""
    name = fspath(path)
    content = Path(path).read_bytes()
    start = SECTION.search(content)
    if not content[:64].lstrip().startswith(b"***tesr") or start is None:
        raise InputError(f"{name}: no ***tesr head and **data: not a .tesr file")
    try:
        head = _sections(content[: start.start()].decode("ascii"))
        dimension = int(head["**general"][0])
        shape, spacing = _box(head["**general"][1:], dimension)
        origin = [float(v) for v in head.get("*origin", ())] or [0.0] * dimension
        image.check_size(shape, 8, name)
        parts = _parts(name, content, head["**format"], int(np.prod(shape)))
        ids, tables, notes = _grains(name, head, parts)
    except InputError:
        raise
    except (KeyError, ValueError, IndexError, OverflowError) as error:
        raise InputError(
            f"{name}: .tesr section missing, cut short or not numbers ({error})",
            mend="write it again with neper",
        ) from error
    body = image.microstructure_from_image(
        ids.reshape(shape[::-1]),
        name,
        axes="zyx",
        spacing=spacing,
        origin=[*origin, 0.0][:3],
        notes=notes,
    )
    return body.with_changes(**tables)


def _sections(text: str) -> dict[str, list[str]]:
    """Words of each section of the head, by its marker."""
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for word in text.split():
        if word.startswith("*"):
            words = sections.setdefault(word, [])
        else:
            words.append(word)
    return sections


def _box(words: list[str], dimension: int) -> tuple[tuple[int, ...], list[float]]:
    shape = [int(n) for n in words[:dimension]]
    spacing = [float(h) for h in words[dimension : 2 * dimension]]
    if dimension not in (2, 3) or len(spacing) != dimension:
        raise ValueError("**general")
    if dimension == 2:
        shape, spacing = [*shape, 1], [*spacing, spacing[0]]
    return tuple(shape), spacing


def _parts(name: str, content: bytes, version: list[str], count: int) -> dict[str, Any]:
    """Values of a voxel, x fastest, in each section; descriptor of orientations."""
    found: dict[str, Any] = {}
    at = 0
    while mark := SECTION.search(content, at):
        at, kind = mark.end(), mark.group(1).decode()
        each = 1
        if kind == "oridata":
            descriptor, at = _word(content, at)
            found["descriptor"] = descriptor_of(name, descriptor)
            each = PARAMETERS[found["descriptor"][0]]
        if len(version) > 1 and kind == "data":
            layout = version[1]  # format 2.0 says the data's type in its head
        else:
            layout, at = _word(content, at)
        found[kind], at = _values(name, content, at, (kind, layout), count * each)
    return found


def _word(content: bytes, at: int) -> tuple[str, int]:
    """The line at a place, and where the next one begins."""
    end = content.find(b"\n", at)
    end = len(content) if end < 0 else end
    return content[at:end].decode("ascii").strip(), end + 1


def _values(
    name: str, content: bytes, at: int, layout: tuple[str, str], count: int
) -> tuple[np.ndarray, int]:
    """Values of a section, from the file or the one that it names, and its end."""
    kind, form = layout
    other = re.compile(rb"\s*\*file\s+(\S+)").match(content, at)
    if other:
        file = image.beside(name, other.group(1).decode())
        inside = file.read_bytes() + b"\n"
        return _values(str(file), inside, 0, layout, count)[0], other.end()
    if form == "ascii":
        end = content.find(b"*", at)
        end = len(content) if end < 0 else end
        dtype = np.dtype(float if kind == "oridata" else np.int64)
        values = np.array(content[at:end].split(), dtype=dtype)
    elif form in BINARY[kind]:
        dtype = np.dtype(BINARY[kind][form])
        end = at + count * dtype.itemsize
        data = content[at:end]
        values = np.frombuffer(
            data[: len(data) // dtype.itemsize * dtype.itemsize], dtype
        )
    else:
        raise InputError(
            f"{name}: format {form!r} of **{kind}", f"ascii, {', '.join(BINARY[kind])}"
        )
    if values.size != count:
        raise InputError(
            f"{name}: {values.size} values under **{kind}, expected {count}",
            mend="write it again",
        )
    return values, end


def _grains(
    name: str, head: dict[str, list[str]], parts: dict[str, Any]
) -> tuple[np.ndarray, dict[str, Any], list[str]]:
    """Phase id of each voxel, tables of the phases by id, and notes."""
    notes = []
    if "data" in parts:
        cells = parts["data"]
    else:
        cells = np.arange(
            1, len(parts["oridata"]) // PARAMETERS[parts["descriptor"][0]] + 1
        )
        notes.append("no cells (**data): every voxel is a crystal of its own")
    if cells.min() < 0:
        raise InputError(f"{name}: cell {cells.min()} is negative", "0 (void) up")
    used, place = np.unique(cells, return_inverse=True)
    numbers = _numbers(head, used)
    orientation, more = _orientation(name, head, parts, (used, place, numbers))
    group = _groups(head, used)
    if "*orispread" in head:
        notes.append("spread of orientations in each cell (*orispread) is not used")
    ids, number = compact(numbers[place])
    # row of each used cell in tables by phase id
    rows = numbers if number is None else np.searchsorted(number, numbers)
    tables: dict[str, Any] = {"number": number}
    if used[0] == 0:
        tables["unindexed"] = 0
    for key, values, empty in (
        ("orientation", orientation, np.nan),
        ("material", group, -1),
    ):
        if values is not None:
            table = np.full((int(rows.max()) + 1, *values.shape[1:]), empty)
            table[rows] = values
            tables[key] = table
    return ids, tables, [*notes, *more]


def _numbers(head: dict[str, list[str]], used: np.ndarray) -> np.ndarray:
    """neper's number of each cell in use; cell 0 is void and keeps 0."""
    if "*id" not in head:
        number = head.get("**cell", [])
        last = max(int(used[-1]), int(number[0]) if number else 0)
        if last > MOST_PHASES:
            raise ValueError(f"{last} cells, at most {MOST_PHASES} are read")
        return used.astype(np.int64)
    ids = np.array([0, *map(int, head["*id"])], dtype=np.int64)
    if used[-1] >= len(ids):
        raise ValueError(f"cell {used[-1]} in **data, {len(ids) - 1} cells under *id")
    if len(np.unique(ids)) < len(ids) or ids.min() < 0:
        raise ValueError("cells under *id that are not different, from 1 upwards")
    return ids[used]


def _groups(head: dict[str, list[str]], used: np.ndarray) -> np.ndarray | None:
    """Group of each cell in use, None without groups."""
    if "*group" not in head:
        return None
    return np.array([-1, *map(int, head["*group"])], dtype=np.int64)[used]


def _orientation(
    name: str,
    head: dict[str, list[str]],
    parts: dict[str, Any],
    cells: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray | None, list[str]]:
    """Quaternion w x y z of each cell in use, NaN where unknown; None without any.

    `cells` are those in use, by voxel the place of its cell among them, and neper's
    numbers of them.
    """
    used, place, numbers = cells
    found = np.full((len(used), 4), np.nan)
    solid = used > 0
    if "*ori" in head:
        descriptor, *words = head["*ori"]
        form = descriptor_of(name, descriptor)
        values = np.array(words, dtype=float).reshape(-1, PARAMETERS[form[0]])
        number = int((head.get("**cell") or [len(values)])[0])
        if len(values) != number:
            raise ValueError(f"{len(values)} orientations under *ori, {number} cells")
        found[solid] = quaternions(*form, values[used[solid] - 1])
        unused = ["orientations of voxels (**oridata) are not used: cells have theirs"]
        return found, unused if "oridata" in parts else []
    if "oridata" not in parts:
        return None, []
    kind, convention = parts["descriptor"]
    voxels = quaternions(
        kind, convention, parts["oridata"].reshape(-1, PARAMETERS[kind])
    )
    known = np.isfinite(voxels).all(axis=1) & solid[place]
    if "oridef" in parts:
        known &= parts["oridef"] != 0
    symmetry = (head.get("*crysym") or [""])[0]
    group = ROTATION_GROUPS.get(symmetry, "C1")
    voxels[~known] = np.nan
    means = grains_from_voxels(place, voxels, None, {0: group}, numbers)
    assert means.orientation is not None
    found[:] = means.orientation
    closeness = np.abs(np.einsum("ij,ij->i", voxels, found[place]))[known]
    if closeness.min(initial=1.0) > 1 - 1e-9:
        return found, []
    notes = ["orientations of voxels (**oridata) are averaged over each cell"]
    if symmetry not in ROTATION_GROUPS:
        what = f"symmetry {symmetry} not known" if symmetry else "no symmetry (*crysym)"
        notes.append(f"{what}: averaged as triclinic crystals")
    return found, [*notes, *means.notes]
