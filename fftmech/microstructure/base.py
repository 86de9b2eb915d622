"""A microstructure: the phase of each voxel, and the properties of each phase."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from fftmech.arrays.ranks import ALONE, Ranks
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.materials.base import Law
from fftmech.materials.elastic import is_rigid
from fftmech.microstructure import phase_map, soundness

TAKEN = (
    *("phase", "strain", "stress", "energy_density", "von_mises", "displacement"),
    *("displacement_gradient", "F", "P", "material"),
)
"""Names of arrays in files that are no images."""


@dataclass(frozen=True)
class Microstructure:
    """A phase map on a grid and, by phase id, the properties of the phases.

    Tables are indexed by phase id: row p belongs to phase p. Rows of ids that no voxel
    uses are ignored; a row of NaN says that nothing is known of that phase.

    Parameters
    ----------
    grid
        The periodic voxel grid.
    phase
        Phase id of each voxel, integers >= 0, shape (nx, ny, nz). It is kept in the
        smallest of uint8, uint16 and int32 that holds the ids: convert it before
        arithmetic whose results may be negative or larger.
    stiffness
        Mandel stiffness in the sample frame (stress units), shape (P, 6, 6), as the
        functions of `fftmech.materials` return it (of a Voigt matrix:
        `fftmech.mandel_from_voigt`); a zero matrix is a pore, and one of infinite
        entries, `fftmech.materials.RIGID`, does not deform. None where only the
        geometry is known.
    orientation
        Unit quaternions w x y z with v_sample = R v_crystal, shape (P, 4), or None.
    eigenstrain
        Stress-free strain of each phase in the sample frame, Mandel, shape (P, 6).
    thermal_expansion
        Thermal expansion in the sample frame (strain a degree), Mandel, shape (P, 6).
    law
        Laws of phases that are not linear elastic, by phase id
        (`fftmech.materials.LAWS`). Where the constants of one imply a stiffness, that
        is the phase's, whatever `stiffness` says; with rates only, where none is given.
    units
        Units by quantity, as text, for instance {"stress": "GPa", "length": "um"}.
    material
        What each phase is made of, where a phase is a grain: whole numbers >= 0, or -1
        where nothing is said, shape (P,). Grains of one material share its constants.
    material_name
        Names of materials by number.
    number
        Number that each phase has in the file that it came from, shape (P,), where it
        is not the phase id.
    unindexed
        Id of the phase whose voxels a measurement could not index: nobody knows what
        they are until a stiffness says it (`fftmech.microstructure.fill_unindexed`).
    images
        Scalar images by name, a number a voxel, (nx, ny, nz): grey values, densities,
        temperatures. No solver sees them; networks do. Their units are in `units`.
    notes
        One line on each thing that was assumed or ignored when the body was read.
    ranks
        Processes that share the body, each with its own planes x of the phase map,
        `ranks.planes(nx)`, and all tables.

    Raises
    ------
    InputError
        Shapes that do not match, phase ids that are not integers >= 0.
    """

    grid: Grid
    phase: np.ndarray
    stiffness: np.ndarray | None = None
    orientation: np.ndarray | None = None
    eigenstrain: np.ndarray | None = None
    thermal_expansion: np.ndarray | None = None
    law: Mapping[int, Law] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    material: np.ndarray | None = None
    material_name: Mapping[int, str] = field(default_factory=dict)
    number: np.ndarray | None = None
    unindexed: int | None = None
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ranks: Ranks = ALONE

    def __post_init__(self) -> None:
        if np.size(self.phase) or self.ranks.size == 1:
            object.__setattr__(self, "phase", phase_map.check_phase(self.phase))
        own = self.ranks.planes(self.grid.shape[0])
        if self.phase.shape != (own.stop - own.start, *self.grid.shape[1:]):
            raise InputError(
                f"phase map of shape {self.phase.shape} on a grid of {self.grid.shape}",
                "equal shapes",
            )
        for name, tail in (
            ("stiffness", (6, 6)),
            ("orientation", (4,)),
            ("eigenstrain", (6,)),
            ("thermal_expansion", (6,)),
        ):
            table = getattr(self, name)
            if table is None:
                continue
            table = soundness.numbers(name, table)
            object.__setattr__(self, name, table)
            if table.shape[1:] != tail or table.ndim != len(tail) + 1:
                expected = ", ".join(["P", *map(str, tail)])
                raise InputError(
                    f"{name} of shape {table.shape}",
                    f"({expected}), one row a phase id",
                )

        for name in ("material", "number"):
            table = getattr(self, name)
            if table is None:
                continue
            table = np.asarray(table)
            if table.ndim != 1 or table.dtype.kind not in "iu":
                raise InputError(
                    f"{name} of shape {table.shape}", "one whole number a phase id"
                )
            object.__setattr__(self, name, table.astype(np.int64))
        soundness.check_laws(self.law)
        if self.law:
            object.__setattr__(self, "stiffness", self._with_laws())
        for name, image in self.images.items():
            if not name.isidentifier() or name in TAKEN:
                raise InputError(
                    f"image {name!r}", f"a name, none of {', '.join(TAKEN)}"
                )
            real = image.dtype.kind in "biuf" and np.isfinite(image).all()
            if image.shape != self.grid.shape or not real:
                raise InputError(
                    f"image {name} of shape {image.shape}",
                    f"a number in each of {self.grid.shape} voxels",
                )

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.grid.shape))
        return f"<Microstructure: {shape} voxels, {len(self.phases)} phases>"

    @property
    def phases(self) -> np.ndarray:
        """Sorted ids of the phases that fill at least one voxel."""
        return np.flatnonzero(self.counts)

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of voxels of each phase id, shape (max id + 1,)."""
        counts = phase_map.counts(self.phase)
        if self.ranks.size > 1:
            missing = self.ranks.max(len(counts)) - len(counts)
            counts = self.ranks.sum(np.pad(counts, (0, missing)))
        return counts

    @property
    def fractions(self) -> np.ndarray:
        """Volume fraction of each phase id, shape (max id + 1,)."""
        return self.counts / self.grid.voxels

    def label(self, p: int) -> str:
        """How messages call a phase: its number, its material, and the name of that."""
        m = self.material_of(p)
        if m < 0:
            return f"phase {self.number_of(p)}"
        name = self.material_name.get(m)
        made_of = f"material {m}{f', {name}' if name else ''}"
        return f"phase {self.number_of(p)} ({made_of})"

    def number_of(self, p: int) -> int:
        """Number of a phase in the file that it came from, its id by default."""
        known = self.number is not None and p < len(self.number)
        return int(self.number[p] if known else p)  # type: ignore[index]

    def material_of(self, p: int) -> int:
        """Material of a phase, or -1."""
        known = self.material is not None and p < len(self.material)
        return int(self.material[p]) if known else -1  # type: ignore[index]

    @property
    def materials(self) -> np.ndarray:
        """Sorted numbers of the materials that fill at least one voxel."""
        if self.material is None:
            return np.array([], dtype=int)
        used = self.phases
        numbers = np.unique(self.material[used[used < len(self.material)]])
        return numbers[numbers >= 0]

    def noted(self, *notes: str) -> "Microstructure":
        """Return a copy with more notes, what cannot be printed in them as spaces."""
        # words of damaged files: a NUL could not be written, an escape would be obeyed
        shown = ("".join(c if c.isprintable() else " " for c in n) for n in notes)
        return self.with_changes(notes=(*self.notes, *shown))

    @property
    def pores(self) -> np.ndarray:
        """Ids of the phases in use whose stiffness is zero."""
        return self._of(self.stiffness, lambda C: ~C.any(axis=(1, 2)))

    @property
    def rigid(self) -> np.ndarray:
        """Ids of the phases in use that do not deform."""
        return self._of(self.stiffness, is_rigid)

    @property
    def oriented(self) -> np.ndarray:
        """Ids of the phases in use whose orientation is known."""
        return self._of(
            self.orientation, lambda q: np.isfinite(q).all(axis=1) & q.any(axis=1)
        )

    def _of(self, table: np.ndarray | None, chosen: Callable[[Any], Any]) -> np.ndarray:
        """Ids of the phases in use whose rows of a table are chosen; none without."""
        if table is None:
            return np.array([], dtype=int)
        used = self.phases
        used = used[used < len(table)]
        return used[chosen(table[used])]

    @property
    def unindexed_voxels(self) -> int:
        """Number of voxels that a measurement could not index."""
        hole = self.unindexed
        return int(self.counts[hole]) if hole in self.phases else 0

    @property
    def nonlinear(self) -> bool:
        """Whether a phase in use obeys a law that is not linear elastic."""
        return any(self.counts[p : p + 1].any() for p in self.law)

    def check(self, rigid: bool = False) -> "Microstructure":
        """Return self if every phase in use has a sound stiffness.

        Stiffness must be finite, symmetric, and positive definite or zero (a pore), or
        `fftmech.materials.RIGID` where that is asked for; eigenstrain and thermal
        expansion must be finite. The InputError names the first phase at fault.
        """
        soundness.check(self, rigid)
        return self

    def has_stiffness(self, p: int | None) -> bool:
        """Whether the stiffness of a phase is known."""
        table = self.stiffness
        if table is None or p is None or p >= len(table):
            return False
        return not np.isnan(table[p]).all()

    def _with_laws(self) -> np.ndarray | None:
        """The stiffness table, with that of laws whose constants imply one."""
        # of laws with rates only it is no more than a reference medium
        implied = {
            p: law.stiffness
            for p, law in self.law.items()
            if not (law.material.rate and self.has_stiffness(p))
        }
        own = {p: C for p, C in implied.items() if C is not None}
        known = 0 if self.stiffness is None else len(self.stiffness)
        if not own:
            return self.stiffness
        table = np.full((max(known, *(p + 1 for p in own)), 6, 6), np.nan)
        if self.stiffness is not None:
            table[:known] = self.stiffness
        for p, C in own.items():
            table[p] = C
        return table

    def check_linear(self, what: str) -> "Microstructure":
        """Return self if all phases in use are linear elastic; `what` needs that."""
        for p in self.phases:
            if p in self.law:
                raise InputError(
                    f"{self.label(p)} obeys {self.law[p].name}",
                    f"linear elasticity for {what}",
                    "leave the law out",
                )
        return self

    def shared(self, ranks: Ranks) -> "Microstructure":
        """Return the part of a process, of a body that all of them have whole."""
        planes = ranks.planes(self.grid.shape[0])
        return self.with_changes(phase=self.phase[planes], ranks=ranks, images={})

    def with_changes(self, **changes) -> "Microstructure":
        """Return a copy with some fields replaced."""
        made = replace(self, **changes)
        if made.phase is self.phase and "counts" in self.__dict__:
            made.__dict__["counts"] = self.counts
        return made


def share(load: Callable[[], Microstructure], ranks: Ranks) -> Microstructure:
    """Return the part of a process, of a body that the first of them loads."""
    if ranks.size == 1:
        return load()
    loaded: list[Microstructure] = []

    def tables() -> dict[str, Any]:
        loaded.append(load())
        left = {"phase", "ranks", "images"}
        names = {part.name for part in fields(Microstructure)} - left
        return {name: getattr(loaded[0], name) for name in names}

    given = ranks.first(tables)
    whole = loaded[0].phase if loaded else None
    phase = ranks.scatter(whole, given["grid"].shape[0])
    return Microstructure(phase=phase, ranks=ranks, **given)


def check_temperature(microstructure: Microstructure, temperature: float) -> None:
    """Refuse a temperature change that is no number, or where no phase expands."""
    if not isinstance(temperature, Real) or not np.isfinite(temperature):
        raise InputError(f"temperature {temperature!r}", "a finite change")
    if temperature and microstructure.thermal_expansion is None:
        raise InputError(
            f"temperature {temperature:g}: no phase expands",
            mend="add thermal_expansion to the materials file",
        )


def total_eigenstrain(
    microstructure: Microstructure, temperature: float = 0.0
) -> np.ndarray | None:
    """Eigenstrain by phase, thermal expansion included, Mandel (P, 6), or None."""
    total = microstructure.eigenstrain
    if temperature and microstructure.thermal_expansion is not None:
        thermal = temperature * microstructure.thermal_expansion
        total = thermal if total is None else total + thermal
    if total is None or not total[microstructure.phases].any():
        return None
    return total
