"""Materials at the leaves of a tree, at many points: laws of `fftmech.materials`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ecosurrogate.response.tree import LaminateTree, filled
from fftmech.arrays.backend import get_backend
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.materials.base import Material, StrainStep
from fftmech.materials.tangent import Tangent, matrices
from fftmech.microstructure.base import Microstructure, total_eigenstrain
from fftmech.problems.law_group import Group
from fftmech.problems.material_field import MaterialField
from fftmech.tensors import (
    matrix_from_quaternion,
    rotate_stiffness,
    rotate_vector,
)

State = list[np.ndarray]
"""Internal variables by law, each (k, leaves of the law, n)."""


class LeafResponse(NamedTuple):
    """Stress (6, L, n), internal variables and tangents at the end of a step."""

    stress: np.ndarray
    state: State
    tangents: list[Tangent]


class Leaves:
    """The leaves of a tree that have a volume, each with the law of its phase.

    Parameters
    ----------
    tree
        Which phase each leaf is.
    body
        A voxel or more of each phase, in the order of the tree's phases: stiffness,
        laws, eigenstrain. Pores become soft solids (`PORE_SHARE`).
    temperature
        Temperature change, for thermal expansion.

    Attributes
    ----------
    weight
        Volume fractions, (L,).
    rate
        Whether stresses follow from strain rates only.
    held
        Whether a law holds something constant in a step.

    Raises
    ------
    InputError
        Laws of finite strain, elastic phases beside others with rates only.
    """

    def __init__(
        self, tree: LaminateTree, body: Microstructure, temperature: float = 0.0
    ) -> None:
        self.weight = tree.weight[tree.leaves]
        own = _leaf_body(tree, body)
        eigenstrain = total_eigenstrain(own, temperature)
        field = MaterialField(own, False, eigenstrain, get_backend("cpu", 1))
        self.rate, self.foresight = field.rate, field.foresight
        self._groups = field.groups
        self._places = [_place(group) for group in field.groups]
        self._eigenstrain = field.eigenstrain
        state = self.start(1)
        self.held = self.time_error(state, state) is not None

    @property
    def count(self) -> int:
        """Number of leaves, L."""
        return len(self.weight)

    @property
    def materials(self) -> list[Material]:
        """The laws."""
        return [group.material for group in self._groups]

    def start(self, points: int) -> State:
        """Internal variables before any load."""
        made = [g.material.start(_rows(g, points)) for g in self._groups]
        return [
            own.reshape(len(own), len(group.rows), points)
            for group, own in zip(self._groups, made, strict=True)
        ]

    def respond(
        self,
        strain: np.ndarray,
        before: np.ndarray,
        state: State,
        dt: float,
        foreseen: np.ndarray | None = None,
        tangent: bool = True,
    ) -> LeafResponse:
        """Stress at the end of a step, of strains (6, L, n); see `StrainStep`."""
        points = strain.shape[-1]
        if self._eigenstrain is not None:
            strain = strain - self._eigenstrain[..., None]
            before = before - self._eigenstrain[..., None]
        stress = np.empty_like(strain)
        states: State = []
        tangents: list[Tangent] = []
        for group, at, old in zip(self._groups, self._places, state, strict=True):
            ahead = None
            if foreseen is not None and group.material.foresight:
                ahead = foreseen[:, at].reshape(6, -1)
            response = group.respond(
                StrainStep(
                    _rows(group, points),
                    strain[:, at].reshape(6, -1),
                    before[:, at].reshape(6, -1),
                    _flat(old),
                    dt,
                    np.float64 if tangent else None,
                    ahead,
                )
            )
            stress[:, at] = response.stress.reshape(6, -1, points)
            states.append(response.state.reshape(old.shape))
            tangents.append(response.tangent)
        return LeafResponse(stress, states, tangents)

    def matrices(self, tangents: Sequence[Tangent], points: int) -> np.ndarray:
        """Tangents as matrices, (6, 6, L, n)."""
        made = np.empty((6, 6, self.count, points))
        for group, at, own in zip(self._groups, self._places, tangents, strict=True):
            count = len(group.rows)
            matrix = matrices(own, count * points)
            made[:, :, at] = matrix.reshape(6, 6, count, points)
        return made

    def expect(self, state: State, ratio: float) -> State:
        """See `Material.expect`."""
        return [
            group.material.expect(_flat(own), ratio).reshape(own.shape)
            for group, own in zip(self._groups, state, strict=True)
        ]

    def correct(self, begun: State, ended: State, share: float = 1.0) -> State:
        """See `Material.correct`."""
        return [
            group.material.correct(_flat(a), _flat(b), share).reshape(a.shape)
            for group, a, b in zip(self._groups, begun, ended, strict=True)
        ]

    def time_error(self, begun: State, ended: State) -> float | None:
        """Relative error of what laws hold in a step, of the worst point; or None."""
        error = size = 0.0
        for group, a, b in zip(self._groups, begun, ended, strict=True):
            points = a.shape[-1]
            rows = _rows(group, points)
            parts = group.material.time_error(rows, _flat(a), _flat(b))
            if parts is not None:
                own, scale = (part.reshape(-1, points).sum(0) for part in parts)
                error, size = error + own, size + scale
        if isinstance(error, float):
            return None
        return float((error / np.where(size == 0, 1.0, size)).max())


def _flat(state: np.ndarray) -> np.ndarray:
    return state.reshape(len(state), state.shape[1] * state.shape[2])


def _rows(group: Group, points: int) -> np.ndarray:
    """Row of each leaf of a law in its tables, at many points."""
    return group.rows if points == 1 else np.repeat(group.rows, points)


def _place(group: Group) -> Any:
    """The leaves of a law: a slice, which copies nothing, where they are neighbours."""
    at = group.points
    if at is None:
        return slice(None)
    if at[-1] - at[0] == len(at) - 1:
        return slice(int(at[0]), int(at[-1]) + 1)
    return at


def _leaf_body(tree: LaminateTree, body: Microstructure) -> Microstructure:
    """A body with one voxel for each leaf, which is a phase of its own."""
    body.check()
    leaves, phases = tree.leaves, body.phases
    wanted = int(tree.phase.max()) + 1
    if len(phases) != wanted:
        raise InputError(f"materials of {len(phases)} phases", f"{wanted}, as trained")
    assert body.stiffness is not None
    own = phases[tree.phase[leaves]]
    stiffness = filled(body.stiffness[phases])[tree.phase[leaves]]
    strains: dict[str, Any] = {
        name: table[own]
        for name in ("eigenstrain", "thermal_expansion")
        if (table := getattr(body, name)) is not None
    }
    orientation = None if body.orientation is None else body.orientation[own]
    if tree.quaternion is not None:
        orientation = tree.quaternion[leaves]
        R = matrix_from_quaternion(orientation)
        stiffness = rotate_stiffness(stiffness, R)
        strains = {name: rotate_vector(e, R) for name, e in strains.items()}
    return Microstructure(
        Grid((len(leaves), 1, 1)),
        np.arange(len(leaves)).reshape(-1, 1, 1),
        stiffness,
        orientation,
        law={leaf: body.law[p] for leaf, p in enumerate(own.tolist()) if p in body.law},
        units=body.units,
        **strains,
    )
