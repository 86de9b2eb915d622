"""Discretizations given by a table of finite stencils."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fftmech.arrays.backend import is_tensor, namespace
from fftmech.discretization.base import Discretization, inc
from fftmech.discretization.grid import Grid

Factor = tuple[tuple[int, float], ...]
"""A one-dimensional stencil: pairs (offset in voxels, weight)."""

IDENTITY: Factor = ((0, 1.0),)
SUM: Factor = ((0, 1.0), (1, 1.0))
DIFFERENCE: Factor = ((0, -1.0), (1, 1.0))


@dataclass(frozen=True)
class Stencil:
    """One derivative at one point: a scaled product of one-dimensional stencils.

    `(D u)(x) = scale sum_o w_o u(x + o)` for unit spacing. Every scheme of the table is
    a product of its axes, which is cheaper to apply than its 3-D expansion.
    """

    x: Factor
    y: Factor
    z: Factor
    scale: float = 1.0

    @property
    def offsets(self) -> np.ndarray:
        """Offsets o in voxels, shape (n, 3)."""
        return np.array(
            [(i, j, k) for i, _ in self.x for j, _ in self.y for k, _ in self.z]
        )

    @property
    def weights(self) -> np.ndarray:
        """Weights w_o for unit spacing, shape (n,)."""
        return self.scale * np.array(
            [a * b * c for _, a in self.x for _, b in self.y for _, c in self.z]
        )


def product_stencils(derivative: Factor, mean: Factor, scale: float = 1.0):
    """Three stencils with `derivative` along their own axis and `mean` across."""
    return (
        Stencil(derivative, mean, mean, scale),
        Stencil(mean, derivative, mean, scale),
        Stencil(mean, mean, derivative, scale),
    )


class StencilDiscretization(Discretization):
    """A discretization given by a table of stencils.

    Parameters
    ----------
    name
        Name of the scheme.
    table
        For each integration point, the stencils of D_x, D_y and D_z.
    nodes
        Where the displacement lives: voxel "corners" (node i is the lower corner of
        voxel i) or "centers".
    """

    def __init__(
        self,
        name: str,
        table: tuple[tuple[Stencil, Stencil, Stencil], ...],
        nodes: Literal["corners", "centers"] = "corners",
    ) -> None:
        self.name = name
        self.table = table
        self.points = len(table)
        self.nodes = nodes

    def parts(self) -> tuple[Discretization, ...]:
        """One scheme for each integration point; their mean is this one."""
        if self.points == 1:
            return (self,)
        return tuple(
            StencilDiscretization(self.name, (stencils,), self.nodes)
            for stencils in self.table
        )

    def derivative(self, f: Any, axis: int, grid: Grid, point: int = 0) -> Any:
        """D_a f: nodes (..., x, y, z) -> voxels (..., x, y, z), at one point."""
        s = self.table[point][axis]
        if is_tensor(f):
            return _tensor_product(f, s) * (s.scale / grid.h[axis])
        f = _along(_along(_along(f, s.z, -1), s.y, -2), s.x, -3)
        return f * (s.scale / grid.h[axis])

    def adjoint(self, f: Any, axis: int, grid: Grid, point: int = 0) -> Any:
        """D_a* f: voxels (..., x, y, z) -> nodes (..., x, y, z), of one point."""
        s = self.table[point][axis]
        if is_tensor(f):
            return _tensor_product(f, s, sign=-1) * (s.scale / grid.h[axis])
        f = _back(_back(_back(f, s.x, -3), s.y, -2), s.z, -1)
        return f * (s.scale / grid.h[axis])

    def symbol(self, grid: Grid, xp: Any = np) -> Any:
        """k_a(xi) = sum_o w_o exp(i xi.o) / h_a, (points, 3, *grid.spectral_shape)."""
        angles = grid.angles(xp)
        k = xp.empty((self.points, 3, *grid.spectral_shape), complex)
        for q, stencils in enumerate(self.table):
            for a, s in enumerate(stencils):
                k[q, a] = s.scale / grid.h[a]
                for factor, xi in zip((s.x, s.y, s.z), angles, strict=True):
                    k[q, a] *= sum(w * xp.exp(1j * o * xi) for o, w in factor)
        return k

    def gradient(self, u: Any, grid: Grid) -> Any:
        """D u: (*batch, c, x, y, z) -> (*batch, q, c, 3, x, y, z), [c, a] = D_a u_c."""
        xp = namespace(u)
        if is_tensor(u):
            return xp.stack(
                [
                    xp.stack([self.derivative(u, a, grid, q) for a in range(3)], -4)
                    for q in range(self.points)
                ],
                -6,
            )
        shape = (*u.shape[:-4], self.points, u.shape[-4], 3, *u.shape[-3:])
        out = xp.empty(shape, u.dtype)
        for q, stencils in enumerate(self.table):
            lines: dict[Any, Any] = {}  # partial products that the axes share
            for a, s in enumerate(stencils):
                if s.z not in lines:
                    lines[s.z] = _along(u, s.z, -1)
                if (s.y, s.z) not in lines:
                    lines[s.y, s.z] = _along(lines[s.z], s.y, -2)
                result = out[..., q, :, a, :, :, :]
                _along(lines[s.y, s.z], s.x, -3, result)
                result *= s.scale / grid.h[a]
        return out

    def gradient_adjoint(self, t: Any, grid: Grid) -> Any:
        """D* t: (*batch, q, c, 3, x, y, z) -> (*batch, c, x, y, z), mean over q."""
        total = 0
        if is_tensor(t):
            for q, point in enumerate(t.unbind(-6)):
                for a, column in enumerate(point.unbind(-4)):
                    total = total + self.adjoint(column, a, grid, q)
            return total / self.points if self.points > 1 else total
        for q, stencils in enumerate(self.table):
            # the transposed tree of `gradient`: sums are formed where it shared
            planes: dict[Any, Any] = {}
            for a, s in enumerate(stencils):
                scale = s.scale / grid.h[a] / self.points
                part = _back(t[..., q, :, a, :, :, :] * scale, s.x, -3)
                key = (s.y, s.z)
                planes[key] = planes[key] + part if key in planes else part
            lines: dict[Any, Any] = {}
            for (y, z), part in planes.items():
                part = _back(part, y, -2)
                lines[z] = lines[z] + part if z in lines else part
            for z, part in lines.items():
                total = total + _back(part, z, -1)
        return total

    def _inc(self, field: Any, grid: Grid, adjoint: bool) -> Any:
        D = self.adjoint if adjoint else self.derivative

        def second(f: Any, k: int, m: int) -> Any:
            if not is_tensor(f):
                return D(D(f, m, grid), k, grid)
            s, t = self.table[0][k], self.table[0][m]
            scale = s.scale * t.scale / grid.h[k] / grid.h[m]
            return _tensor_product(f, s, t, sign=-1 if adjoint else 1) * scale

        return inc(second, field)


def nodal_mean(scheme: Discretization, f: Any) -> Any:
    """Mean over the voxels around each node, (..., x, y, z) -> (..., x, y, z)."""
    for axis in (-1, -2, -3):
        f = _back(f, SUM, axis) * 0.5
        if scheme.nodes == "centers":
            f = _along(f, SUM, axis) * 0.5
    return f


def _along(f: Any, factor: Factor, axis: int, out: Any = None) -> Any:
    """sum_o w_o f(x + o) along one periodic axis."""
    if factor == IDENTITY:
        if out is None:
            return f
        out[...] = f
        return out
    xp = namespace(f)
    n = f.shape[axis]
    out = xp.empty_like(f) if out is None else out
    for number, (offset, weight) in enumerate(factor):
        o = offset % n
        for target, source in (
            (slice(0, n - o), slice(o, n)),
            (slice(n - o, n), slice(0, o)),
        ):
            part = out[_index(target, axis)]
            values = f[_index(source, axis)]
            if number == 0:
                xp.multiply(values, weight, out=part)
            elif weight == 1:
                xp.add(part, values, out=part)
            elif weight == -1:
                xp.subtract(part, values, out=part)
            else:
                part += weight * values
    return out


def _tensor_product(f: Any, *stencils: Stencil, sign: int = 1) -> Any:
    """Apply products of one-dimensional stencils to a tensor; sign -1 transposes them.

    Differences come before means: neighbours of like size subtract without rounding,
    so that a field that is large beside its differences loses no digits of these.
    """
    factors = [
        (factor, axis)
        for s in stencils
        for factor, axis in ((s.x, -3), (s.y, -2), (s.z, -1))
        if factor != IDENTITY
    ]
    for factor, axis in sorted(factors, key=lambda f: _is_mean(f[0])):
        # the largest weight first: of a difference it is 1
        (offset, weight), *others = sorted(factor, key=lambda part: -part[1])
        total = _shifted(f, sign * offset, axis)
        total = total if weight == 1 else weight * total
        for offset, weight in others:
            total = total.add(_shifted(f, sign * offset, axis), alpha=weight)
        f = total
    return f


def _is_mean(factor: Factor) -> bool:
    return abs(sum(weight for _, weight in factor)) > 1e-12


def _shifted(f: Any, offset: int, axis: int) -> Any:
    """f(x + offset) of a tensor."""
    return f.roll(-offset, axis) if offset % f.shape[axis] else f


def _back(f: Any, factor: Factor, axis: int) -> Any:
    """Transpose of `_along`: offsets negated."""
    return _along(f, tuple((-offset, weight) for offset, weight in factor), axis)


def _index(along: slice, axis: int) -> tuple[Any, ...]:
    return (..., along, *(slice(None),) * (-1 - axis))
