"""A binary tree of laminates: the materials at its leaves, one medium at its root."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ecosurrogate.response.laminate import jump_strain, laminate
from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness

PORE_SHARE = 1e-6
"""Stiffness of a pore's leaves, relative to the mean of the others.

Two empty layers of one normal carry no traction, and their jump is undetermined.
"""


@dataclass(frozen=True)
class LaminateTree:
    """Laminates of two layers each, which are laminates again, or leaves.

    Node 0 is the root and nodes 2 k + 1 and 2 k + 2 are the layers of k; there are
    L - 1 laminates, then L leaves, L a power of two.

    Parameters
    ----------
    phase
        Which of the phases each leaf is, (L,), numbers from 0.
    weight
        Volume fraction of each leaf, (L,), sum 1; zero says that it is not there.
    normal
        Of each laminate, unit vectors (L - 1, 3).
    quaternion
        Orientation of each leaf's crystal, (L, 4), v_sample = R v_crystal, or None
        where phases are given in the sample frame.

    Raises
    ------
    InputError
        Shapes that make no tree.
    """

    phase: np.ndarray
    weight: np.ndarray
    normal: np.ndarray
    quaternion: np.ndarray | None = None

    def __post_init__(self) -> None:
        leaves = len(self.weight)
        shapes = {
            "phase": (leaves,),
            "weight": (leaves,),
            "normal": (leaves - 1, 3),
            "quaternion": (leaves, 4),
        }
        if leaves < 2 or leaves & (leaves - 1):
            raise InputError(f"{leaves} leaves of a tree", "a power of two")
        for name, shape in shapes.items():
            given = getattr(self, name)
            if given is None and name == "quaternion":
                continue
            given = np.asarray(given, dtype=int if name == "phase" else float)
            if given.shape != shape or not np.isfinite(given).all():
                raise InputError(f"{name} of shape {given.shape}", f"finite, {shape}")
            object.__setattr__(self, name, given)
        lengths = np.linalg.norm(self.normal, axis=1)
        if (
            abs(self.weight.sum() - 1) > 1e-9
            or self.weight.min() < 0
            or abs(lengths - 1).max() > 1e-9
            or self.phase.min() < 0
        ):
            raise InputError(
                "a tree whose weights or normals are wrong",
                "weights >= 0 with sum 1, normals of length 1, phases >= 0",
            )

    @property
    def depth(self) -> int:
        """Laminates between the root and a leaf, both counted, less one."""
        return len(self.weight).bit_length() - 1

    @property
    def leaves(self) -> np.ndarray:
        """Leaves that are there."""
        return np.flatnonzero(self.weight)

    @property
    def fractions(self) -> np.ndarray:
        """Volume fraction of each phase, (P,)."""
        return np.bincount(self.phase, self.weight)

    @cached_property
    def laminates(self) -> "Laminates":
        """The laminates and leaves that make a difference."""
        return Laminates.of(self)

    def stiffness(self, phases: Any) -> np.ndarray:
        """Effective stiffness of phases, Mandel (..., P, 6, 6) -> (..., 6, 6)."""
        leaf = filled(np.asarray(phases, dtype=float))[..., self.phase, :, :]
        if self.quaternion is not None:
            leaf = rotate_stiffness(leaf, matrix_from_quaternion(self.quaternion))
        return condense(leaf, self.weight, jump_strain(self.normal))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON for `from_dict`."""
        q = self.quaternion
        return {
            "phase": self.phase.tolist(),
            "weight": self.weight.tolist(),
            "normal": self.normal.tolist(),
            "quaternion": None if q is None else q.tolist(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "LaminateTree":
        """Make it from what `as_dict` returned."""
        names = ("phase", "weight", "normal", "quaternion")
        return cls(*(document[name] for name in names))


@dataclass(frozen=True)
class Laminates:
    """The laminates of a tree that have two layers that differ, lower ones first.

    A laminate all of whose leaves are one phase is one leaf: its layers strain alike,
    under any law. Layers are numbers: of leaves, 0 to L - 1, then of laminates, from L
    on. The last laminate is the whole.

    Attributes
    ----------
    leaf
        Which of the tree's leaves each leaf is, or the first of those that it is, (L,).
    weight
        Volume fraction of each leaf, (L,).
    layers
        (M, 2).
    fraction
        Of the first layer in the laminate, (M,).
    normal
        Unit vectors (M, 3).
    """

    leaf: np.ndarray
    weight: np.ndarray
    layers: np.ndarray
    fraction: np.ndarray
    normal: np.ndarray

    @classmethod
    def of(cls, tree: LaminateTree) -> "Laminates":
        """Leave out the parts of a tree that have no volume, or make no difference."""
        first = len(tree.weight) - 1
        weight = [*np.zeros(first), *tree.weight.tolist()]
        for node in range(first - 1, -1, -1):
            weight[node] = weight[2 * node + 1] + weight[2 * node + 2]
        leaf: list[int] = []
        volume: list[float] = []
        made: list[tuple[int, int, int]] = []

        def layer(node: int) -> int:
            """The number of a leaf, or ~m of laminate m; its own layers come first."""
            own = _leaves_under(node, first)
            alive = own[tree.weight[own] > 0]
            alike = tree.quaternion is None and np.ptp(tree.phase[alive]) == 0
            if len(alive) == 1 or alike:
                leaf.append(int(alive[0]))
                volume.append(weight[node])
                return len(leaf) - 1
            parts = [p for p in (2 * node + 1, 2 * node + 2) if weight[p] > 0]
            if len(parts) == 1:
                return layer(parts[0])
            made.append((layer(parts[0]), layer(parts[1]), node))
            return ~(len(made) - 1)

        layer(0)
        table = np.array(made, dtype=np.int64).reshape(-1, 3)
        layers, nodes = table[:, :2], table[:, 2]
        return cls(
            np.array(leaf),
            np.array(volume),
            np.where(layers < 0, len(leaf) + ~layers, layers),
            np.array([weight[2 * n + 1] / weight[n] for n in nodes]),
            tree.normal[nodes],
        )

    def ordered(self, order: np.ndarray) -> "Laminates":
        """The same with leaf `order[i]` in place of leaf i."""
        number = np.arange(len(self.leaf) + len(self.layers))
        number[order] = np.arange(len(order))
        return replace(
            self,
            leaf=self.leaf[order],
            weight=self.weight[order],
            layers=number[self.layers],
        )


def _leaves_under(node: int, first: int) -> np.ndarray:
    """Leaves of a node of a tree with so many laminates."""
    low = high = node
    while low < first:
        low, high = 2 * low + 1, 2 * high + 2
    return np.arange(low, high + 1) - first


def condense(leaf: Any, weight: Any, N: Any) -> Any:
    """Stiffness at the root of a tree, (..., L, 6, 6) -> (..., 6, 6), Mandel.

    Parameters
    ----------
    leaf
        Of each leaf; positive definite, those without volume too.
    weight
        (L,).
    N
        `jump_strain` of the normals, (L - 1, 6, 3).
    """
    while leaf.shape[-3] > 1:
        laminates = leaf.shape[-3] // 2
        whole = weight[0::2] + weight[1::2]
        # of no volume: anything will do
        fraction = (weight[0::2] + 0.5 * (whole == 0)) / (whole + (whole == 0))
        leaf = laminate(
            leaf[..., 0::2, :, :],
            leaf[..., 1::2, :, :],
            fraction[:, None, None],
            N[laminates - 1 : 2 * laminates - 1],
        )
        weight = whole
    return leaf[..., 0, :, :]


def filled(phases: Any) -> Any:
    """Stiffness of phases with pores as soft solids, (..., P, 6, 6), Mandel."""
    xp = namespace(phases)
    size = abs(phases).amax((-1, -2)) if xp is not np else abs(phases).max((-1, -2))
    trace = phases.diagonal(0, -2, -1).sum(-1) / 6
    solids = (size > 0).sum(-1, keepdims=True)
    soft = PORE_SHARE * trace.sum(-1, keepdims=True) / solids
    return phases + ((size == 0) * soft)[..., None, None] * xp.eye(
        6, dtype=phases.dtype
    )
