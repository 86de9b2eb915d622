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
stiffness = [[...], ...]                 Voigt; or hexagonal, orthotropic, pore = true
euler = [312.72, 87.788, 346.942]        Bunge, degrees
[random_orientations]                    for anisotropic phases without any
seed = 0
[grey]                                   grey value g: g/full solid, the rest empty
solid = { K = 70.2, G = 29.0 }           or { cubic = { ... } }, ...
full = 255
rule = "voigt"                           or "hashin-shtrikman" (upper bound)

Constants, eigenstrain and thermal expansion are in the crystal frame. A phase without
`euler` has the orientation that the microstructure's file gives it, if any.
"""

from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

import numpy as np

from fftmech.arrays.memory import check_bytes
from fftmech.errors import InputError
from fftmech.io import materials_table as table
from fftmech.io.materials_table import Grey, Phase
from fftmech.io.toml_file import check_keys, read_toml
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
    """What phases are made of, by id; see the module's docstring.

    Phases that are not listed are `default`, or grey values of the rule `grey`. `seed`
    is that of random orientations; `name` is the file, for messages.
    """

    name: str
    phases: dict[int, Phase] = field(default_factory=dict)
    default: Phase | None = None
    grey: Grey | None = None
    seed: int | None = None
    units: dict[str, str] = field(default_factory=dict)

    def apply(self, microstructure: Microstructure) -> Microstructure:
        """Give every phase in use its properties, rotated into the sample frame.

        A phase that is not listed, where there is neither default nor grey rule, keeps
        the properties that it has; without a stiffness it is an InputError.
        """
        used = microstructure.phases
        count = int(used[-1]) + 1
        check_bytes(
            count * (36 + 16) * 8,
            f"{self.name}: a table of phase ids up to {count - 1}",
            "renumber the ids",
        )
        known = _rows(microstructure.stiffness, count, (6, 6))
        chosen = {int(p): self._phase(int(p), known[p]) for p in used}
        listed = np.array([p for p, phase in chosen.items() if phase], dtype=int)
        made = [phase for phase in chosen.values() if phase]
        units = {**microstructure.units, **self.units}
        if not made:
            return microstructure.with_changes(units=units)
        crystal = np.stack([phase.stiffness for phase in made])
        given = _rows(microstructure.orientation, count, (4,))
        orientation = self._orientation(listed, made, crystal, given)
        aligned = np.isnan(orientation[:, 0])
        R = matrix_from_quaternion(
            np.where(aligned[:, None], [1.0, 0.0, 0.0, 0.0], orientation)
        )
        known[listed] = rotate_stiffness(crystal, R)
        # turning isotropic tensors only adds rounding
        plain = np.flatnonzero(_isotropic(crystal) | aligned)
        known[listed[plain]] = crystal[plain]
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
        return microstructure.with_changes(units=units, law=law, **changes)

    def _phase(self, p: int, known: np.ndarray) -> Phase | None:
        """Properties of phase p; None where it keeps those that it has."""
        if p in self.phases:
            return self.phases[p]
        if self.grey is not None:
            return self.grey.phase(p, self.name)
        if self.default is not None:
            return self.default
        if np.isnan(known).all():
            raise InputError(
                f"{self.name}: phase {p} of the microstructure is not listed; add "
                f"[[phase]] id = {p}, or [default]",
                mend="of a grey image, [grey] or --threshold",
            )
        return None

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
            directed = ~_isotropic(crystal) | [_has_axes(phase) for phase in phases]
            open_ = np.isnan(orientation[:, 0]) & directed
            # row p depends on the seed and p alone, whichever phases are in use
            drawn = orientations(int(ids[-1]) + 1, np.random.default_rng(self.seed))
            orientation[open_] = drawn[ids[open_]]
        return orientation


def read_materials(path: str | PathLike) -> Materials:
    """Read a materials file.

    Raises
    ------
    InputError
        No such file, malformed TOML (with line and column), an unknown key, constants
        that are missing, not numbers or no stable stiffness, an id given twice.
    """
    return parse_materials(read_toml(path, "check --materials"), fspath(path))


def parse_materials(document: dict[str, Any], name: str) -> Materials:
    """Make `Materials` from a parsed document; `name` is for messages."""
    check_keys(
        document, ("units", "default", "phase", "random_orientations", "grey"), name
    )
    entries = document.get("phase", [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise InputError(f"{name}: phase: write each phase as a table [[phase]]")
    phases: dict[int, Phase] = {}
    for number, entry in enumerate(entries, start=1):
        where = f"{name}: [[phase]] number {number}"
        p = table.integer(entry, "id", where)
        if p in phases:
            raise InputError(f"{name}: phase id {p} is given twice", mend="remove one")
        phases[p] = table.parse_phase(
            {key: value for key, value in entry.items() if key != "id"},
            f"{name}: phase {p}",
        )
    default = grey = seed = None
    if "default" in document:
        default = table.parse_phase(document["default"], f"{name}: [default]")
    if "grey" in document:
        if default is not None:
            raise InputError(f"{name}: [grey] and [default] exclude each other")
        grey = table.parse_grey(document["grey"], f"{name}: [grey]")
    if "random_orientations" in document:
        where = f"{name}: [random_orientations]"
        entry = check_keys(document["random_orientations"], ("seed",), where)
        seed = table.integer(entry, "seed", where)
    if not phases and default is None and grey is None:
        raise InputError(f"{name}: no phase", mend="add [[phase]], [default] or [grey]")
    return Materials(
        name, phases, default, grey, seed, table.parse_units(document, name)
    )


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


def _has_axes(phase: Phase) -> bool:
    """Whether a law, eigenstrain or expansion of the phase distinguishes directions."""
    tensors = (phase.eigenstrain, phase.thermal_expansion)
    if phase.law is not None and phase.law.directed:
        return True
    return any(t is not None and bool((K @ t).any()) for t in tensors)


def _isotropic(C: np.ndarray) -> np.ndarray:
    """Whether each Mandel stiffness (n, 6, 6) is its own isotropic part."""
    bulk = np.einsum("nij,ij->n", C, J)[:, None, None]
    shear = np.einsum("nij,ij->n", C, K)[:, None, None] / 5
    scale = np.abs(C).max(axis=(1, 2))
    return np.abs(C - bulk * J - shear * K).max(axis=(1, 2)) <= 1e-9 * scale
