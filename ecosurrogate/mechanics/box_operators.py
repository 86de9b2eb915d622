"""The solver's derivative in a box with faces, on torch tensors.

A field that the network sees or makes has one voxel of void before and one behind the
box along each axis with faces, so that of n voxels it has n + 2: "around". Numbered
from there, the displacement of node i, the lower corner of voxel i, is the value at
voxel i, as in a periodic box, and a stress function is the value at the voxel in the
middle of those whose stress it makes. Stencils are those of
`fftmech.problems.nonperiodic`, and none reaches from one face to the other.

Fields are (B, C, X, Y, Z) and Mandel.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.tensors import COMPONENTS, PAIRS

Way = tuple[int, int]


@dataclass(frozen=True)
class BoxOperators:
    """D, D* and stress functions of one discretization in a box with faces.

    Parameters
    ----------
    scheme
        Name of a discretization with one integration point and nodes at corners.
    grid
        The box.
    boundary
        Conditions on its faces.

    Raises
    ------
    InputError
        Another scheme, an axis too thin for two faces.
    """

    scheme: str
    grid: Grid
    boundary: Boundary

    def __post_init__(self) -> None:
        scheme = discretization(self.scheme)
        if scheme.points != 1 or scheme.nodes != "corners":
            raise InputError(
                f"scheme {self.scheme} in a network of boxes with faces",
                "one with one integration point and nodes at corners: rotated",
            )
        self.boundary.check(self.grid)

    @property
    def faces(self) -> tuple[int, ...]:
        """Axes with faces."""
        return tuple(a for a in range(3) if not self.boundary.periodic[a])

    @property
    def around(self) -> tuple[int, ...]:
        """Shape of the box with a voxel of void beyond each face."""
        return tuple(n + 2 * (a in self.faces) for a, n in enumerate(self.grid.shape))

    def nodes(self, field: Tensor) -> Tensor:
        """Values at the nodes of a field around the box, (..., *around)."""
        return self._cut(field, 1, 0)

    def voxels(self, field: Tensor) -> Tensor:
        """Values in the voxels of a field around the box, (..., *around)."""
        return self._cut(field, 1, 1)

    def gradient(self, u: Tensor) -> Tensor:
        """D u, [c, a] = D_a u_c: nodes (B, 3, ...) -> voxels (B, 3, 3, X, Y, Z)."""
        D = discretization(self.scheme).gradient(u, self._node_grid).squeeze(-6)
        return self._cut(D, 0, 1)

    def forces(self, stress: Tensor) -> Tensor:
        """div s at all nodes, beyond the faces void: voxels -> nodes (B, 3, ...).

        On faces they are minus the tractions, over a voxel's edge.
        """
        void = [int(a in self.faces) * behind for a in (2, 1, 0) for behind in (0, 1)]
        padded = functional.pad(stress, void).unsqueeze(-5)
        return discretization(self.scheme).divergence(padded, self._node_grid)

    def divergence(self, stress: Tensor) -> Tensor:
        """div s at the nodes inside the box, not those on faces, (B, 3, ...)."""
        return self._cut(self.forces(stress), 1, 1)

    def stress_function(self, potential: Tensor) -> Tensor:
        """inc(Phi) built from D*: (B, 6 or 3, *around) -> (B, 6, X, Y, Z).

        Its divergence vanishes at all nodes inside the box.

        Of six functions, Beltrami's, and with `rotated`, it vanishes at nodes on faces
        too, in components in which these prescribe no displacement: there are no
        tractions but reactions. On free faces Phi is zero in the first voxels beside
        them, so that no stress reaches into the void; on faces of kind "uniaxial" the
        void has its mirror image.

        Three, Maxwell's, that obey this would leave out a large part of the stresses;
        so they are free, and their tractions arbitrary.
        """
        if potential.shape[1] == 6:
            for axis in self.faces:
                potential = self._closed(potential, axis)
        around = Grid(self.around, self.grid.spacing)  # pyright: ignore
        stress = discretization(self.scheme).stress_function(potential, around)
        return self._cut(stress.squeeze(-5), 2, 0)

    def held(self, u: Tensor) -> Tensor:
        """A displacement, zero where the faces prescribe it, (B, 3, *nodes)."""
        for axis in self.faces:
            mask = u.new_ones(3, u.shape[axis - 3])
            for c in range(3):
                if self.boundary.fixed(c, axis):
                    mask[c, [0, -1]] = 0
            u = u * _along(mask, axis)
        return u

    def without_turn(self, u: Tensor) -> Tensor:
        """A displacement (B, 3, *nodes) without turns that the faces leave free.

        Their mean over the nodes is that of `NonperiodicProblem.fluctuation`: zero.
        """
        parts = list(u.unbind(1))
        arms = [_along(_arm(u.shape[a - 3], u), a) for a in range(3)]
        for a in range(3):
            for b in range(a):
                if not self.boundary.turns(a, b):
                    continue
                turn = _mean(arms[a] * parts[b] - arms[b] * parts[a])
                turn = turn / (_mean(arms[a] ** 2) + _mean(arms[b] ** 2))
                parts[b] = parts[b] - turn * arms[a]
                parts[a] = parts[a] + turn * arms[b]
        return torch.stack(parts, 1)

    @cached_property
    def affine_parts(self) -> tuple[tuple[Way, ...], ...]:
        """Of each mean strain ab that the faces release, pairs (c, d) with u_c = x_d.

        Faces may release a mean strain and hold every affine displacement that has it:
        it has no pair then, and follows from the displacement alone.
        """
        ways = []
        for name, (a, b) in zip(COMPONENTS, PAIRS, strict=True):
            released = self.boundary.role(name) == "released"
            pairs = dict.fromkeys([(a, b), (b, a)])
            ways.append(
                tuple(
                    (c, d)
                    for c, d in pairs
                    if released and d in self.faces and self.boundary.moves(c)
                )
            )
        return tuple(ways)

    def affine(self, mean: Tensor) -> Tensor:
        """Gradient of an affine displacement, (B, 6) -> (B, 3, 3).

        The mean strains are Mandel; those that the faces release are displacements of
        `affine_parts`.
        """
        H = mean.new_zeros(len(mean), 3, 3)
        for n, (a, b) in enumerate(PAIRS):
            ways = self.affine_parts[n] or tuple(dict.fromkeys([(a, b), (b, a)]))
            whole = mean[:, n] if a == b else 2**0.5 * mean[:, n]
            for c, d in ways:
                H[:, c, d] = whole / len(ways)
        return H

    def turn(self, mean: Tensor) -> Tensor:
        """Turn in the displacement of mean strains, (B, 6) -> gradient (B, 3, 3).

        That which `without_turn` takes from it. There is none in a cube.
        """
        H = mean.new_zeros(len(mean), 3, 3)
        for n, (a, b) in enumerate(PAIRS):
            if a != b and self.boundary.turns(a, b):
                arms = [_arm(self._node_grid.shape[c], mean) for c in (a, b)]
                p, q = ((arm**2).mean() for arm in arms)
                H[:, b, a] = mean[:, n] / 2**0.5 * (p - q) / (p + q)
                H[:, a, b] = -H[:, b, a]
        return H

    @property
    def lacks_shear(self) -> bool:
        """Whether faces bear shear forces and torques of a bar, which functions lack.

        Six stress functions do, and `stress_modes`, between free sides.
        """
        return {"displacement", "free"} <= {*self.boundary.kinds}

    def stress_modes(self, like: Tensor) -> list[tuple[int, bool, Tensor]]:
        """Stresses in equilibrium, with tractions only where faces bear them.

        Each is one component that is uniform or, for bending and twisting, linear
        across free faces: its index, whether it is uniform, and its values, which
        broadcast to (X, Y, Z). No stress function that vanishes beside free faces has
        such resultants, nor others that are missing here, see `lacks_shear`.
        """
        modes = []
        for n, (a, b) in enumerate(PAIRS):
            if not (self._bears(b, a) and self._bears(a, b)):
                continue
            modes.append((n, True, like.new_ones(1, 1, 1)))
            for c in self.faces:
                if self.boundary.kinds[c] == "free" and c not in (a, b):
                    arm = _arm(self.grid.shape[c], like)
                    modes.append((n, False, _along(arm / arm.abs().max(), c)))
        return modes

    def _bears(self, component: int, axis: int) -> bool:
        """Whether faces across an axis bear a uniform traction."""
        return axis not in self.faces or self.boundary.fixed(component, axis)

    @property
    def _node_grid(self) -> Grid:
        return Grid(self.boundary.nodes(self.grid), self.grid.spacing)

    def _cut(self, field: Any, before: int, behind: int) -> Any:
        """Leave out layers beside the faces."""
        for a in self.faces:
            n = field.shape[a - 3]
            field = field.narrow(a - 3, before, n - before - behind)
        return field

    def _closed(self, potential: Tensor, axis: int) -> Tensor:
        """Stress functions that make no traction that the faces do not bear."""
        kind, n = self.boundary.kinds[axis], potential.shape[axis - 3]
        if kind == "free":
            mask = potential.new_ones(n)
            mask[[0, 1, -2, -1]] = 0
            return potential * _along(mask, axis)
        if kind == "uniaxial":
            odd = [(a == axis) != (b == axis) for a, b in PAIRS]
            sign = torch.where(torch.tensor(odd), -1, 1)[: potential.shape[1]]
            sign = sign.to(potential)[:, None, None, None]
            first, inner, last = potential.split([1, n - 2, 1], axis - 3)
            first = sign * inner.narrow(axis - 3, 0, 1)
            last = sign * inner.narrow(axis - 3, n - 3, 1)
            return torch.cat([first, inner, last], axis - 3)
        return potential


def _along(values: Tensor, axis: int) -> Tensor:
    """Values (..., n) along one of three axes."""
    return values.reshape(
        *values.shape[:-1], *(-1 if a == axis else 1 for a in range(3))
    )


def _arm(count: int, like: Tensor) -> Tensor:
    """Positions from the middle, in steps."""
    x = torch.arange(count, dtype=like.dtype, device=like.device)
    return x - (count - 1) / 2


def _mean(field: Tensor) -> Tensor:
    return field.mean(dim=(-3, -2, -1), keepdim=True)
