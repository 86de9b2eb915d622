"""Abaqus input decks (`.inp`) of voxels: C3D8 elements that are equal bricks.

A phase is a section (`*SOLID SECTION`), numbered from 1 in the order of the file; its
material has its name and, where `*ELASTIC` gives constants, its stiffness. Without any
section a phase is an element set. What no element fills is empty: a pore, phase 0.
"""

from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io import abaqus_axes, image
from fftmech.io.abaqus_axes import Field
from fftmech.io.abaqus_deck import Block, blocks, stiffness
from fftmech.io.abaqus_sets import Sets
from fftmech.materials.elastic import PORE
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import quaternion_from_xyzw, rotate_stiffness

ELEMENTS = ("C3D8", "C3D8R", "C3D8I", "C3D8H", "C3D8RH", "C3D8IH")

OFF = 1e-3
"""Part of a voxel by which nodes may be off the grid."""

SILENT = (
    "HEADING", "PREPRINT", "NSET", "SURFACE", "DENSITY", "PART", "END PART", "ASSEMBLY",
    "END ASSEMBLY", "END INSTANCE", "PARAMETER", "RESTART", "END STEP",
    "HOURGLASS STIFFNESS", "SECTION CONTROLS", "DISTRIBUTION TABLE",
)  # fmt: skip
"""Keywords that say nothing of an elastic body."""

MOST_EMPTY = 1000
"""Voxels of the box for an element in it, at most."""

OPTIONS = ()
USED = (
    "C3D8 elements on a regular grid",
    "*SOLID SECTION: phases and names of materials; without any, element sets",
    "*ELASTIC: isotropic, engineering constants, orthotropic, anisotropic",
    "*ORIENTATION by coordinates, of a section or of each element (*DISTRIBUTION)",
    "*INCLUDE and INPUT= of files in the same folder",
)
IGNORED = (
    "other keywords (*PLASTIC, *STEP, *BOUNDARY, ...), with a note",
    "dependence on temperature, with a note",
)


@dataclass
class _Deck:
    """What a deck says, gathered block by block."""

    name: str
    nodes: list[np.ndarray] = field(default_factory=list)
    elements: list[np.ndarray] = field(default_factory=list)
    sets: dict[str, list[Block]] = field(default_factory=dict)
    own_sets: dict[str, list[np.ndarray]] = field(default_factory=dict)
    sections: list[dict[str, str]] = field(default_factory=list)
    elastic: dict[str, np.ndarray] = field(default_factory=dict)
    materials: dict[str, str] = field(default_factory=dict)
    orientations: dict[str, np.ndarray] = field(default_factory=dict)
    points: dict[str, np.ndarray] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)
    shift: np.ndarray = field(default_factory=lambda: np.zeros(3))
    instances: int = 0
    unused: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    material: str = ""
    stepping: bool = False

    def take(self, block: Block) -> None:
        """Take in a block."""
        keyword, options = block.keyword, block.options
        if keyword in ("STEP", "END STEP"):
            self.stepping = keyword == "STEP"
        if self.stepping or keyword in SILENT:
            if keyword == "STEP":
                self.unused["*STEP"] = None
        elif keyword == "NODE":
            if options.get("SYSTEM", "R").upper() != "R":
                raise InputError(f"{self.name}: nodes in polar coordinates", "x, y, z")
            self.nodes.append(block.numbers().reshape(-1, 4))
        elif keyword == "ELEMENT":
            self._elements(block)
        elif keyword == "ELSET":
            self.sets.setdefault(options["ELSET"].upper(), []).append(block)
        elif keyword == "SOLID SECTION":
            self.sections.append(options)
        elif keyword == "MATERIAL":
            self.material = options["NAME"].upper()
            self.materials[self.material] = options["NAME"]
        elif keyword == "ELASTIC" and self.material:
            where = f"material {self.materials[self.material]}"
            found, notes = stiffness(block, where)
            self.notes += notes
            if found is not None:
                self.elastic[self.material] = found
        elif keyword == "DISTRIBUTION":
            found = abaqus_axes.distribution(block)
            if found is None:
                self.unused["*DISTRIBUTION"] = None
            else:
                self.points[options["NAME"].upper()] = found
        elif keyword == "ORIENTATION":
            self._orientation(block)
        elif keyword == "INSTANCE":
            self._instance(block)
        else:
            self.unused[f"*{keyword}"] = None

    def _orientation(self, block: Block) -> None:
        name = block.options["NAME"]
        points = self.points.get(
            block.lines[0].strip(" ,").upper() if block.lines else ""
        )
        found = abaqus_axes.orientation(block, points)
        if found is None:
            self.notes.append(f"*ORIENTATION {name} is not used")
        elif isinstance(found, Field):
            self.fields[name.upper()] = found
        else:
            self.orientations[name.upper()] = found

    def _elements(self, block: Block) -> None:
        kind = block.options.get("TYPE", "").upper()
        if kind not in ELEMENTS:
            raise InputError(f"{self.name}: elements {kind}", "C3D8, voxels alone")
        made = block.numbers().reshape(-1, 9)
        self.elements.append(made)
        if "ELSET" in block.options:
            name = block.options["ELSET"].upper()
            self.own_sets.setdefault(name, []).append(made[:, 0])

    def _instance(self, block: Block) -> None:
        self.instances += 1
        if self.instances > 1 or len(block.lines) > 1:
            what = "several instances" if self.instances > 1 else "a turned instance"
            raise InputError(f"{self.name}: {what} of parts", "one, along the axes")
        if block.lines:
            self.shift = block.numbers().reshape(3)


def recognises(start: bytes) -> bool:
    """Whether a file that starts so is a deck: a keyword or a comment."""
    return start.lstrip().startswith(b"*")


def read(path: str | PathLike) -> Microstructure:
    """Read a mesh of voxels and its materials."""
    name = fspath(path)
    deck = _Deck(name)
    try:
        for block in blocks(name):
            deck.take(block)
        if not deck.nodes or not deck.elements:
            raise InputError(f"{name}: no *NODE and *ELEMENT: no mesh of voxels")
        number, place, box = _voxels(deck)
        shape, h, corner = box
        phases, names = _phases(deck, number)
        phases, names, turned = abaqus_axes.split(deck.fields, phases, names, number)
        deck.orientations |= turned
        tables, notes = _tables(deck, phases)
    except InputError as error:
        raise error if name in str(error) else error.within(name) from error
    except KeyError as error:
        raise InputError(f"{name}: a keyword without its {error}") from error
    except (ValueError, OverflowError, IndexError) as error:
        raise InputError(
            f"{name}: not an Abaqus deck, or cut short ({error})",
            mend="write it again",
        ) from error
    phase = np.zeros(shape, dtype=np.int32)
    phase[tuple(place.T)] = names
    holes = int((phase == 0).sum())
    if holes:
        notes.append(f"{holes} voxel(s) without an element are pores")
    if deck.unused:
        notes.append(f"keywords that are not used: {', '.join(deck.unused)}")
    return image.microstructure_from_image(
        phase, name, "xyz", h.tolist(), corner.tolist(), notes=notes, **tables
    )


def _voxels(
    deck: _Deck,
) -> tuple[np.ndarray, np.ndarray, tuple[tuple[int, ...], np.ndarray, np.ndarray]]:
    """Numbers and places (n, 3) of elements; shape, edges and corner of the grid."""
    nodes, elements = np.concatenate(deck.nodes), np.concatenate(deck.elements)
    order = np.argsort(nodes[:, 0])
    nodes = nodes[order]
    found = np.searchsorted(nodes[:, 0], elements[:, 1:])
    found = np.minimum(found, len(nodes) - 1)
    if (nodes[found, 0] != elements[:, 1:]).any() or not np.isfinite(nodes).all():
        raise InputError(f"{deck.name}: elements of nodes that are not there")
    corners = nodes[found, 1:]
    low, high = corners.min(axis=1), corners.max(axis=1)
    first = low.min(axis=0)
    with np.errstate(all="ignore"):
        found = _bricks(corners, low, high)
    if found is None:
        raise InputError(
            f"{deck.name}: elements that are not equal bricks along x, y, z",
            "a mesh of voxels",
            "resample it to an image",
        )
    place, h = found
    count = place.max(axis=0) + 1
    if count.prod() > MOST_EMPTY * len(place):
        raise InputError(
            f"{deck.name}: {len(place)} element(s) in {count.prod():.3g} voxels",
            "a mesh that fills its box",
        )
    shape = tuple(int(n) for n in count)
    image.check_size(shape, 4, deck.name)
    place = place.astype(np.int64)
    if len(np.unique(np.ravel_multi_index(tuple(place.T), shape))) < len(place):
        raise InputError(f"{deck.name}: two elements in one place")
    return elements[:, 0], place, (shape, h, first + deck.shift)


def _bricks(
    corners: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Places of elements in the grid and edges of a voxel, None where there is none."""
    h = (high - low)[0]
    # of a brick each corner is low or high along each axis, and all eight differ
    upper = corners > (low + high)[:, None] / 2
    off = np.where(upper, high[:, None] - corners, corners - low[:, None])
    which = np.sort(upper @ np.array([1, 2, 4]), axis=1)
    equal = (np.abs(high - low - h) <= OFF * h).all() and (off <= OFF * h).all()
    if not ((h > 0).all() and equal and (which == np.arange(8)).all()):
        return None
    first = low.min(axis=0)
    # rounding of coordinates adds up along a row: the mean edge is that of the box
    count = np.round((low - first).max(axis=0) / h) + 1
    h = (high.max(axis=0) - first) / count
    place = (low - first) / h
    whole = np.round(place)
    return (whole, h) if (np.abs(place - whole) < 10 * OFF).all() else None


def _phases(deck: _Deck, number: np.ndarray) -> tuple[list[dict[str, str]], np.ndarray]:
    """The section of each phase from 1 on, and the phase of each element."""
    sets = Sets(deck.name, deck.sets, deck.own_sets, number)
    sections = deck.sections
    if not sections:
        names = list(deck.own_sets) or [
            name for name in deck.sets if len(sets.members(name)) < len(number)
        ]
        sections = [{"ELSET": name, "MATERIAL": name} for name in names]
        deck.materials = {name: name for name in names}
        deck.notes.append("no *SOLID SECTION: element sets are the phases")
    phase = np.zeros(len(number), dtype=np.int32)
    for p, section in enumerate(sections, start=1):
        inside = sets.members(section["ELSET"].upper())
        twice = inside[phase[inside] > 0]
        if len(twice):
            raise InputError(
                f"{deck.name}: element {number[twice[0]]:.0f} is in the sets "
                f"{sections[phase[twice[0]] - 1]['ELSET']} and {section['ELSET']}",
                "one *SOLID SECTION an element",
            )
        phase[inside] = p
    if not phase.all():
        raise InputError(
            f"{deck.name}: {(phase == 0).sum()} element(s) without a material",
            mend="give them a *SOLID SECTION",
        )
    return sections, phase


def _tables(
    deck: _Deck, sections: list[dict[str, str]]
) -> tuple[dict[str, Any], list[str]]:
    """Tables by phase id, of which 0 is a pore; notes."""
    from scipy.spatial.transform import Rotation

    names = list(deck.materials)
    C = np.full((len(sections) + 1, 6, 6), np.nan)
    quaternion = np.full((len(sections) + 1, 4), np.nan)
    material = np.full(len(sections) + 1, -1)
    C[0] = PORE
    unknown: dict[str, None] = {}
    for p, section in enumerate(sections, start=1):
        made_of = section["MATERIAL"].upper()
        if made_of in names:
            material[p] = names.index(made_of)
        R = deck.orientations.get(section.get("ORIENTATION", "").upper())
        if made_of in deck.elastic:
            known = deck.elastic[made_of]
            C[p] = known if R is None else rotate_stiffness(known, R)
        if R is not None:
            quaternion[p] = quaternion_from_xyzw(Rotation.from_matrix(R).as_quat())
        elif section.get("ORIENTATION"):
            unknown[section["ORIENTATION"]] = None
    notes = list(deck.notes)
    if unknown:
        which = ", ".join([*unknown][:3]) + ", ..." * (len(unknown) > 3)
        notes.append(f"orientations not known, crystal axes along x y z: {which}")
    tables: dict[str, Any] = {"stiffness": C, "material": material}
    tables["material_name"] = {i: deck.materials[name] for i, name in enumerate(names)}
    if np.isfinite(quaternion).any():
        tables["orientation"] = quaternion
    return tables, notes
