"""Materials files (TOML): the stiffness, and more, of each phase.

units = "GPa"                            stress; or { stress = "GPa", length = "um" }
[default]                                every phase that is not listed
cubic = { C11 = 204.6, C12 = 137.7, C44 = 126.2 }
[[phase]]
id = 0
isotropic = { E = 113.8, nu = 0.34 }     or { K, G } or { lambda, mu }
eigenstrain = { xx = 1e-3, xy = 2e-4 }   tensor components; a number is isotropic
thermal_expansion = 8.6e-6               likewise, per degree
plasticity = { yield_stress = 0.3 }      or another law of `fftmech.materials.laws`
[[phase]]
id = 7
stiffness = [[...], ...]                 Voigt; or hexagonal, orthotropic, pore = true,
                                         rigid = true
euler = [312.72, 87.788, 346.942]        Bunge, degrees
[random_orientations]                    for anisotropic phases without any
seed = 0
[[material]]                             every phase made of it, where a file says so:
name = "copper"                          by the file's name, or its number: id = 2
cubic = { C11 = 168.4, C12 = 121.4, C44 = 75.4 }
[grey]                                   grey value g: g/full solid, the rest empty
solid = { K = 70.2, G = 29.0 }           or { cubic = { ... } }, ...
full = 255
rule = "voigt"                           or "hashin-shtrikman" (upper bound)

Constants, eigenstrain and thermal expansion are in the crystal frame. A phase without
`euler` has the orientation that the microstructure's file gives it, if any. A phase
that is listed itself is what is listed, else its material, else the grey rule or
[default].
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from fftmech.arrays.memory import check_bytes
from fftmech.errors import InputError
from fftmech.io import materials_table as table
from fftmech.io.materials_table import Grey, Phase
from fftmech.io.toml_file import check_keys, read_toml
from fftmech.materials.elastic import RIGID, is_rigid
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.texture import orientations
from fftmech.tensors import (
    J,
    K,
    matrix_from_quaternion,
    rotate_stiffness,
    rotate_vector,
)


@dataclass(frozen=True)
class Materials:
    """What phases are made of; see the module's docstring.

    `phases` are by the numbers that the phases have in their file, `materials` by the
    number or the name of a material. Phases of neither are `default`, or grey values of
    the rule `grey`. `seed` is that of random orientations; `name` is the file, for
    messages.
    """

    name: str
    phases: dict[int, Phase] = field(default_factory=dict)
    materials: dict[int | str, Phase] = field(default_factory=dict)
    default: Phase | None = None
    grey: Grey | None = None
    seed: int | None = None
    units: dict[str, str] = field(default_factory=dict)
    made_of: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def apply(self, microstructure: Microstructure) -> Microstructure:
        """Give every phase in use its properties, rotated into the sample frame.

        A phase that is not listed, where there is neither default nor grey rule, keeps
        the properties that it has; without a stiffness it is an InputError. Notes say
        what was assumed, and what is listed in vain.
        """
        used = microstructure.phases
        microstructure = self._noted(microstructure)
        count = int(used[-1]) + 1
        check_bytes(
            count * (36 + 16) * 8,
            f"{self.name}: a table of phase ids up to {count - 1}",
            "renumber the ids",
        )
        known = self._in_units(microstructure, count)
        chosen = {int(p): self._phase(microstructure, int(p), known[p]) for p in used}
        listed = np.array([p for p, phase in chosen.items() if phase], dtype=int)
        made = [phase for phase in chosen.values() if phase]
        units = {**microstructure.units, **self.units}
        if not made:
            return microstructure.with_changes(units=units)
        crystal = np.stack([phase.stiffness for phase in made])
        rigid = is_rigid(crystal)
        crystal[rigid] = 0.0  # as it has no axes either
        given = _rows(microstructure.orientation, count, (4,))
        orientation = self._orientation(listed, made, crystal, given)
        aligned = np.isnan(orientation[:, 0])
        turned = aligned & _directed(made, crystal)
        if turned.any():
            microstructure = microstructure.noted(
                f"{turned.sum()} anisotropic phase(s) without orientation: crystal "
                "axes along x y z"
            )
        R = matrix_from_quaternion(
            np.where(aligned[:, None], [1.0, 0.0, 0.0, 0.0], orientation)
        )
        known[listed] = rotate_stiffness(crystal, R)
        # turning isotropic tensors only adds rounding
        plain = np.flatnonzero(_isotropic(crystal) | aligned)
        known[listed[plain]] = crystal[plain]
        known[listed[rigid]] = RIGID
        given[listed] = orientation
        changes: dict[str, Any] = {"stiffness": known}
        if not np.isnan(given).all():
            changes["orientation"] = given
        for name in ("eigenstrain", "thermal_expansion"):
            old = getattr(microstructure, name)
            values = [getattr(phase, name) for phase in made]
            if old is not None or any(value is not None for value in values):
                changes[name] = _strains(_rows(old, count, (6,)), listed, values, R)
        law = {p: law for p, law in microstructure.law.items() if not chosen.get(p)}
        law |= {p: phase.law for p, phase in chosen.items() if phase and phase.law}
        if self.made_of:
            changes |= self._materials(microstructure, count)
        return microstructure.with_changes(units=units, law=law, **changes)

    def _materials(self, body: Microstructure, count: int) -> dict[str, Any]:
        """Material of each phase, numbered in the order of their names' first use."""
        names = list(dict.fromkeys(self.made_of.values()))
        number = {p: names.index(name) for p, name in self.made_of.items()}
        material = [number.get(body.number_of(p), -1) for p in range(count)]
        return {"material": material, "material_name": dict(enumerate(names))}

    def _in_units(self, body: Microstructure, count: int) -> np.ndarray:
        """The stiffness that a body has, (count, 6, 6), in this file's unit."""
        known = _rows(body.stiffness, count, (6, 6))
        old, new = body.units.get("stress"), self.units.get("stress")
        if old is None or new is None or np.isnan(known).all():
            return known
        factor = table.conversion(old, new)
        if factor is None or (factor != 1 and body.law):
            raise InputError(
                f"{self.name}: units {new!r}, where the microstructure's are {old!r}",
                mend="write its constants in that unit",
            )
        return factor * known

    def _listed(self, body: Microstructure, p: int) -> Phase | None:
        """What the file says of a phase itself, or of its material."""
        number = body.number_of(p)
        m = body.material_of(p)
        names = (m, body.material_name.get(m, m)) if m >= 0 else ()
        found = [n for n in dict.fromkeys(names) if n in self.materials]
        if len(found) > 1:
            raise InputError(
                f"{self.name}: material {m} is listed by its number, and by its name "
                f"{found[1]!r}",
                "one of the two",
            )
        return self.phases.get(number) or (self.materials[found[0]] if found else None)

    def _phase(self, body: Microstructure, p: int, known: np.ndarray) -> Phase | None:
        """Properties of phase p; None where it keeps those that it has."""
        listed = self._listed(body, p)
        if listed is not None:
            return listed
        if p == body.unindexed and body.material_of(p) < 0:
            return None
        number = body.number_of(p)
        if self.grey is not None:
            return self.grey.phase(number, self.name)
        if self.default is not None:
            return self.default
        if np.isnan(known).all():
            m = body.material_of(p)
            if self.made_of:  # each phase is an entry
                raise InputError(
                    f"{self.name}: no entry of material for {body.label(p)} of the "
                    "microstructure",
                    f"more entries than 0 to {max(self.made_of)}",
                )
            way = f"[[material]] id = {m}" if m >= 0 else f"[[phase]] id = {number}"
            raise InputError(
                f"{self.name}: {body.label(p)} of the microstructure is not listed; "
                f"add {way}, or [default]",
                mend="of a grey image, [grey] or --threshold",
            )
        return None

    def _noted(self, body: Microstructure) -> Microstructure:
        """Note what is listed in vain, and how much falls to [default]."""
        numbers = {body.number_of(p) for p in body.phases}
        made_of = {body.material_of(p) for p in body.phases} - {-1}
        made_of |= {body.material_name[m] for m in made_of if m in body.material_name}
        notes = [
            f"{self.name} lists {what} {_few(absent)}: no voxel has it"
            for what, absent in (
                ("phase", sorted(self.phases.keys() - numbers)),
                ("material", sorted(map(str, self.materials.keys() - made_of))),
            )
            if absent
        ]
        rest = [
            p
            for p in body.phases
            if (p != body.unindexed or body.material_of(p) >= 0)
            and self._listed(body, p) is None
        ]
        several = self.phases or self.materials or len(body.materials) > 1
        if self.default is not None and rest and several:
            which = _few([body.label(p) for p in rest])
            notes.append(f"[default] of {self.name} is what {which} is made of")
        return body.noted(*self.notes, *notes)

    def _orientation(
        self,
        ids: np.ndarray,
        phases: list[Phase],
        crystal: np.ndarray,
        given: np.ndarray,
    ) -> np.ndarray:
        """Quaternion of each phase: its euler, else the file's, else random or NaN."""
        orientation = given[ids]
        for row, phase in enumerate(phases):
            if phase.orientation is not None:
                orientation[row] = phase.orientation
        if self.seed is not None:
            open_ = np.isnan(orientation[:, 0]) & _directed(phases, crystal)
            # row p depends on the seed and p alone, whichever phases are in use
            drawn = orientations(int(ids[-1]) + 1, np.random.default_rng(self.seed))
            orientation[open_] = drawn[ids[open_]]
        return orientation


def read_materials(path: str | PathLike) -> Materials:
    """Read a materials file, or DAMASK's `material.yaml`.

    Raises
    ------
    InputError
        No such file, malformed TOML (with line and column), an unknown key, constants
        that are missing, not numbers or no stable stiffness, an id given twice.
    """
    if Path(path).suffix.lower() in (".yaml", ".yml"):
        from fftmech.io import damask  # which makes `Materials`

        return Materials(fspath(path), **damask.read(path))
    return parse_materials(read_toml(path, "check --materials"), fspath(path))


def parse_materials(document: dict[str, Any], name: str) -> Materials:
    """Make `Materials` from a parsed document; `name` is for messages."""
    keys = ("units", "default", "phase", "material", "random_orientations", "grey")
    check_keys(document, keys, name)
    units = table.parse_units(document, name)
    stress = units.get("stress")
    phases = {
        int(p): table.parse_phase(entry, f"{name}: phase {p}", stress)
        for p, entry in _entries(document, "phase", name)
    }
    materials = {
        m: table.parse_phase(entry, f"{name}: material {m}", stress)
        for m, entry in _entries(document, "material", name)
    }
    default = grey = seed = None
    if "default" in document:
        default = table.parse_phase(document["default"], f"{name}: [default]", stress)
    if "grey" in document:
        if default is not None:
            raise InputError(f"{name}: [grey] and [default] exclude each other")
        grey = table.parse_grey(document["grey"], f"{name}: [grey]")
    if "random_orientations" in document:
        where = f"{name}: [random_orientations]"
        entry = check_keys(document["random_orientations"], ("seed",), where)
        seed = table.integer(entry, "seed", where)
    if not phases and not materials and default is None and grey is None:
        raise InputError(
            f"{name}: no phase",
            mend="add [[phase]], [[material]], [default] or [grey]",
        )
    return Materials(name, phases, materials, default, grey, seed, units)


def _entries(
    document: dict[str, Any], kind: str, name: str
) -> Iterator[tuple[int | str, dict[str, Any]]]:
    """Tables [[phase]] or [[material]], with the id or the name of each."""
    entries = document.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise InputError(f"{name}: {kind}: write each {kind} as a table [[{kind}]]")
    seen = set()
    for row, entry in enumerate(entries, start=1):
        where = f"{name}: [[{kind}]] number {row}"
        given = [key for key in ("id", "name") if key in entry]
        key: int | str
        if kind == "material" and given == ["name"]:
            key = entry["name"]
            if not isinstance(key, str) or not key:
                raise InputError(f"{where}: name = {key!r}", "text")
        elif kind == "material" and len(given) == 2:
            raise InputError(f"{where}: id and name are both given", "one of them")
        else:
            key = table.integer(entry, "id", where)
        if key in seen:
            what = f"{kind} {given[0]} {key}"
            raise InputError(f"{name}: {what} is given twice", mend="remove one")
        seen.add(key)
        yield key, {k: v for k, v in entry.items() if k not in given}


def _few(items: list[Any]) -> str:
    """The first items of a list, and how many more there are."""
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return ", ".join(map(str, items[:3])) + more


def _rows(old: np.ndarray | None, count: int, tail: tuple[int, ...]) -> np.ndarray:
    """A table of `count` rows: those of `old`, then NaN."""
    rows = np.full((count, *tail), np.nan)
    if old is not None:
        kept = min(count, len(old))
        rows[:kept] = old[:kept]
    return rows


def _strains(
    rows: np.ndarray, ids: np.ndarray, values: list[np.ndarray | None], R: np.ndarray
) -> np.ndarray:
    """Strains by phase id, with those of some phases, turned; None is no strain."""
    rows = np.nan_to_num(rows)
    vectors = [np.zeros(6) if value is None else value for value in values]
    rows[ids] = rotate_vector(np.stack(vectors), R)
    return rows


def _directed(phases: list[Phase], crystal: np.ndarray) -> np.ndarray:
    """Whether the orientation of each phase changes anything."""
    return ~_isotropic(crystal) | [_has_axes(phase) for phase in phases]


def _has_axes(phase: Phase) -> bool:
    """Whether a law, eigenstrain or expansion of the phase distinguishes directions."""
    tensors = (phase.eigenstrain, phase.thermal_expansion)
    if phase.law is not None and phase.law.directed:
        return True
    return any(
        t is not None and abs(K @ t).max() > 1e-12 * abs(t).max() for t in tensors
    )


def _isotropic(C: np.ndarray) -> np.ndarray:
    """Whether each Mandel stiffness (n, 6, 6) is its own isotropic part."""
    bulk = np.einsum("nij,ij->n", C, J)[:, None, None]
    shear = np.einsum("nij,ij->n", C, K)[:, None, None] / 5
    scale = np.abs(C).max(axis=(1, 2))
    return np.abs(C - bulk * J - shear * K).max(axis=(1, 2)) <= 1e-9 * scale
