"""The points of a body that obey one law, with the law's kernels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import Backend, namespace
from fftmech.errors import InputError
from fftmech.kernels.laws import conjugate, potential, responder
from fftmech.materials.base import Law, Material
from fftmech.materials.hooke import Hooke
from fftmech.materials.st_venant_kirchhoff import StVenantKirchhoff
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import matrix_from_quaternion


@dataclass(frozen=True)
class Group:
    """The points with one law.

    Attributes
    ----------
    phases
        Of each row, (R,).
    rows, points
        Row in the law's tables and number in the grid of each of them; all points if
        `points` is None.
    respond, conjugate_strain, conjugate_energy, state_after, energy
        Those of `Material`, or kernels that shadow them.
    """

    material: Material
    phases: list[int]
    rows: Any
    points: Any
    respond: Any
    conjugate_strain: Any
    conjugate_energy: Any
    state_after: Any
    energy: Any

    def take(self, field: Any) -> Any:
        """Values at these points, (c, n) -> (c, m)."""
        if self.points is None:
            return field
        return namespace(field).take(field, self.points, axis=1)

    def put(self, field: Any, values: Any) -> None:
        """Write values at these points, (c, m), into a field (c, n)."""
        if self.points is None:
            field[...] = values
            return
        # by component: half the time of both at once
        for row, own in zip(field, values, strict=True):
            row[self.points] = own


def law_groups(
    microstructure: Microstructure, finite: bool, backend: Backend
) -> list[Group]:
    """The points of each law in use.

    A phase without a law is linear elastic: Hooke, or at finite strain St.
    Venant-Kirchhoff. InputError for a law of the other kind of strain.
    """
    return [
        _group(*parts, backend) for parts in _split(microstructure, finite, backend.xp)
    ]


def _group(
    material: Material, phases: list[int], rows: Any, points: Any, backend: Backend
) -> Group:
    """Points of a law with its kernels, where there are some."""
    strain, energy, after = conjugate(material, rows, backend)
    return Group(
        material,
        phases,
        rows,
        points,
        responder(material, backend),
        strain,
        energy,
        after,
        potential(material, energy, backend),
    )


def _split(
    microstructure: Microstructure, finite: bool, xp: Any
) -> Iterator[tuple[Material, list[int], Any, Any]]:
    """Material, phase of each row, row of each point, points of each law in use."""
    assert microstructure.stiffness is not None
    default = StVenantKirchhoff() if finite else Hooke()
    laws = {p: microstructure.law.get(p, default) for p in microstructure.phases}
    ids = microstructure.phase.ravel()
    kind_of = {p: (type(law), law.structure) for p, law in laws.items()}
    kinds = list(dict.fromkeys(kind_of.values()))
    for kind, structure in kinds:
        own = [p for p, its in kind_of.items() if its == (kind, structure)]
        _check_kind(kind, own[0], finite)
        row = np.full(len(microstructure.counts), -1, np.int32)
        row[own] = np.arange(len(own))
        rows, points = row[ids], None
        if len(kinds) > 1:
            points = np.flatnonzero(rows >= 0)
            rows, points = rows[points], xp.asarray(points)
        material = kind.material(
            [laws[p] for p in own],
            microstructure.stiffness[own],
            rotations(microstructure, own),
        )
        yield material, own, xp.asarray(rows), points


def _check_kind(kind: type[Law], phase: int, finite: bool) -> None:
    if kind.material.finite == finite:
        return
    this, other = ("finite", "small") if finite else ("small", "finite")
    raise InputError(
        f"phase {phase} obeys {kind.name}, a law of {other} strain: expected one of "
        f"{this} strain; " + ("leave out --finite" if finite else "add --finite")
    )


def rotations(microstructure: Microstructure, phases: list[int]) -> np.ndarray:
    """R with v_sample = R v_crystal by phase, the identity where none is known."""
    R = np.tile(np.eye(3), (len(phases), 1, 1))
    if microstructure.orientation is not None:
        known = np.isin(phases, microstructure.oriented)
        q = microstructure.orientation[np.array(phases)[known]]
        R[known] = matrix_from_quaternion(q)
    return R
