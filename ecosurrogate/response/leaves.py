"""Materials at the leaves of a tree, at many points: laws of `fftmech.materials`."""

from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from ecosurrogate.response.condensation import Response, Tree
from ecosurrogate.response.tree import Laminates, LaminateTree, filled
from fftmech.arrays.backend import get_backend
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.kernels.radial import FusedRadialTangent
from fftmech.materials.base import Material, StrainStep
from fftmech.materials.hooke import HookeMaterial
from fftmech.materials.isotropy import RadialTangent
from fftmech.materials.tangent import matrices
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
    """What laws say at the end of a step, and internal variables there."""

    response: Response
    state: State


class Leaves:
    """The leaves of a tree, each with the law of its phase.

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
    phase, weight
        Number of each leaf's phase among the tree's, and its volume fraction, (L,).
        Leaves of one law are neighbours; those that are linear come last.
    tree
        Laminates of these leaves, as `newton_step` reads them.
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
        own = _leaf_body(tree, body)
        eigenstrain = total_eigenstrain(own, temperature)
        field = MaterialField(own, False, eigenstrain, get_backend("cpu", 1))
        self.rate, self.foresight = field.rate, field.foresight
        kinds = sorted(
            ((_kind(group.material, group.rows), group) for group in field.groups),
            key=lambda pair: pair[0],
        )
        self._kinds = [kind for kind, _ in kinds]
        self._groups = [group for _, group in kinds]
        places = [
            np.arange(own.grid.voxels) if group.points is None else group.points
            for group in self._groups
        ]
        ends = accumulate(map(len, places), initial=0)
        self._places = [slice(*pair) for pair in pairwise(ends)]
        order = np.concatenate(places)
        self._eigenstrain = None
        if field.eigenstrain is not None:
            self._eigenstrain = field.eigenstrain[:, order, None]
        laminates = tree.laminates.ordered(order)
        self.phase, self.weight = tree.phase[laminates.leaf], laminates.weight
        self.tree = self._tree(laminates)
        state = self.start(1)
        self.held = self.time_error(state, state) is not None

    @property
    def count(self) -> int:
        """Number of leaves, L."""
        return len(self.weight)

    @property
    def flowing(self) -> int:
        """Number of those that are not linear: the first."""
        return self.count - len(self.tree.stiffness)

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

    def stress_free(self, strain: np.ndarray) -> np.ndarray:
        """Strains (6, L, n) of no stress, and the eigenstrain."""
        return strain if self._eigenstrain is None else strain + self._eigenstrain

    def respond(
        self,
        strain: np.ndarray,
        before: np.ndarray,
        state: State,
        dt: float,
        foreseen: np.ndarray | None = None,
    ) -> LeafResponse:
        """Stress at the end of a step, of strains (6, L, n); see `StrainStep`."""
        points = strain.shape[-1]
        if self._eigenstrain is not None:
            strain = strain - self._eigenstrain
            before = before - self._eigenstrain
        parts: tuple[list[np.ndarray], ...] = [], [], []
        after = list(state)
        for n, (group, kind, at) in enumerate(
            zip(self._groups, self._kinds, self._places, strict=True)
        ):
            if kind == LINEAR:
                break
            ahead = None
            if foreseen is not None and group.material.foresight:
                ahead = foreseen[:, at].reshape(6, -1)
            response = group.respond(
                StrainStep(
                    _rows(group, points),
                    strain[:, at].reshape(6, -1),
                    before[:, at].reshape(6, -1),
                    _flat(state[n]),
                    dt,
                    np.float64,
                    ahead,
                )
            )
            parts[0].append(response.stress.reshape(6, -1, points))
            after[n] = response.state.reshape(state[n].shape)
            if kind == RADIAL:
                parts[1].append(_radial(response.tangent).reshape(8, -1, points))
            else:
                full = matrices(response.tangent, len(group.rows) * points)
                parts[2].append(full.reshape(36, -1, points))
        stress, radial, full = parts
        joined = Response(
            _joined(6, stress, points),
            _joined(8, radial, points),
            _joined(36, full, points),
        )
        return LeafResponse(joined, after)

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

    def _tree(self, laminates: Laminates) -> Tree:
        """Laminates and constants of linear leaves, as `newton_step` reads them."""
        C = np.empty((0, 6, 6))
        if self._kinds[-1] == LINEAR:
            C = self._groups[-1].material.stiffness[self._groups[-1].rows]
        offset = np.zeros((len(C), 6))
        if self._eigenstrain is not None:
            own = self._eigenstrain[:, self.count - len(C) :, 0]
            offset = -np.einsum("kij,jk->ki", C, own)
        return Tree(
            laminates.layers,
            slots(laminates.layers),
            laminates.fraction,
            laminates.normal,
            laminates.weight,
            C,
            offset,
        )


RADIAL, FULL, LINEAR = range(3)
"""Kinds of leaves: the tangent is a `RadialTangent`, another one, or constant."""


def _kind(material: Material, rows: np.ndarray) -> int:
    """Which kind of leaves those of a law are."""
    if type(material) is HookeMaterial:
        return LINEAR
    nothing, one = np.zeros((6, 1)), rows[:1]
    step = StrainStep(one, nothing, nothing, material.start(one), 1.0, np.float64)
    radial = isinstance(material.respond(step).tangent, RadialTangent)
    return RADIAL if radial else FULL


def _radial(tangent: Any) -> np.ndarray:
    """lambda, 2 G and m of radial tangents, (8, n)."""
    if isinstance(tangent, FusedRadialTangent):
        return tangent.kept
    m = np.zeros((6, len(tangent.shear))) if tangent.normal is None else tangent.normal
    return np.concatenate([tangent.lame[None], tangent.shear[None], m])


def _joined(rows: int, parts: list[np.ndarray], points: int) -> np.ndarray:
    """Fields of several laws, (rows, leaves, n), as one that is contiguous."""
    if not parts:
        return np.empty((rows, 0, points))
    if len(parts) == 1:
        return np.ascontiguousarray(parts[0])
    return np.concatenate(parts, axis=1)


def slots(layers: np.ndarray) -> np.ndarray:
    """Where media of laminates are kept until they are used, (M,): few places.

    The first two are those of leaves. A laminate's is not that of its layers.
    """
    leaves, busy = len(layers) + 1, {0, 1}
    slots: list[int] = []
    for pair in layers:
        slots.append(min(set(range(len(busy) + 1)) - busy))
        busy.add(slots[-1])
        busy -= {slots[layer - leaves] for layer in pair if layer >= leaves}
    return np.array(slots, dtype=np.int64)


def _flat(state: np.ndarray) -> np.ndarray:
    return state.reshape(len(state), state.shape[1] * state.shape[2])


def _rows(group: Group, points: int) -> np.ndarray:
    """Row of each leaf of a law in its tables, at many points."""
    return group.rows if points == 1 else np.repeat(group.rows, points)


def _leaf_body(tree: LaminateTree, body: Microstructure) -> Microstructure:
    """A body with one voxel for each leaf, which is a phase of its own."""
    body.check()
    leaves, phases = tree.laminates.leaf, body.phases
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
