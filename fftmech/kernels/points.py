"""Strain at the integration points and forces at the nodes, on the host.

The reference is `Kinematics.strain` and `Kinematics.adjoint`; schemes are stencils.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.discretization.grid import Grid
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.kernels import derivatives
from fftmech.kernels.compiled import timed
from fftmech.kernels.tables import Frame
from fftmech.tensors import FACTORS, PAIRS

BLOCK_BYTES = 2**19
"""Bytes of strain that `apply` computes together: part of the second-level cache.

Voxels 64^3, one core, milliseconds in single (double) precision: `rotated` 4.1 (7.1)
fused and 5.6 (11) in three passes; `hex8` 23 (38) and 66 (114).
"""


class PartialTangent(Protocol):
    """A `fftmech.materials.base.Tangent` that can be applied to some of its points."""

    def apply(self, strain: np.ndarray) -> np.ndarray:
        """ds of de, (c, n) -> (c, n)."""
        ...

    def apply_part(self, strain: np.ndarray, start: int, out: np.ndarray) -> None:
        """out <- ds of de of the points from `start` on, (c, m), on this thread.

        `out` may be `strain`.
        """
        ...


class PointKernels:
    """Compatible strains of a displacement, and their adjoint, in float32 or float64.

    Parameters
    ----------
    scheme
        One that `fftmech.kernels.has_kernels`.
    grid
        Voxels.
    finite
        True: the strain is F, by rows, c = 9; False: e, Mandel, c = 6.
    threads
        Threads that share the planes.
    """

    def __init__(
        self, scheme: StencilDiscretization, grid: Grid, finite: bool, threads: int = 1
    ) -> None:
        self._scheme, self._grid, self._finite = scheme, grid, finite
        self._threads = threads
        self._mean_trace = scheme.dilatation is not None
        frame = Frame.of(scheme, grid)
        self._shape, self._order = frame.grid.shape, frame.order
        self._central = frame.central
        self._means, self._scale = _stencils(scheme, frame)
        order = np.array(frame.order)
        # derivatives D_j u_i of the frame by i, j of the grid, or the other way round:
        # two axes trade places at most
        place = 3 * order[:, None] + order
        if finite:
            pairs = [(ij, ij) for ij in place.ravel()]
            self._rows, self._weights = place.ravel(), np.ones(9)
            self._factors = np.full(9, 0.5)
        else:
            pairs = [(place[i, j], place[j, i]) for i, j in PAIRS]
            component = np.empty((3, 3), int)
            for m, (i, j) in enumerate(PAIRS):
                component[i, j] = component[j, i] = m
            self._rows = component[order[:, None], order].ravel()
            self._weights = 1 / FACTORS[self._rows]
            self._factors = FACTORS / 2
        self._pairs = np.array(pairs)
        self._weights /= len(self._means)

    def prepare(self, precision: Any, search: Any) -> float:
        """Compile, or load compiled code, for two precisions; returns the seconds."""
        types = np.dtype(precision), np.dtype(search)
        return timed(_compile, self._scheme, self._finite, *types)

    def gradient(self, u: np.ndarray, mean: np.ndarray, out: Any = None) -> np.ndarray:
        """F = mean + D u, or e = mean + sym(D u).

        Parameters
        ----------
        u
            At the nodes, (3, x, y, z), length.
        mean
            (c,).
        out
            Written to if given: (q, c, x, y, z), contiguous, in the precision of u.

        Returns
        -------
        np.ndarray
            (q, c, x, y, z).
        """
        if out is None:
            shape = (len(self._means), len(self._pairs), *self._grid.shape)
            out = np.empty(shape, u.dtype)
        fields = np.ascontiguousarray(u).reshape(-1), mean.astype(u.dtype)
        strain, scheme = out.reshape(-1), self._to_points(u.dtype)

        def slab(first: int, last: int) -> None:
            s = derivatives.scratch(u.dtype)
            derivatives.gradient(*fields, strain, 0, scheme, first, last, s)

        parallel(slab, self._shape[0], self._threads)
        if self._mean_trace:
            derivatives.mean_trace(strain, len(self._means))
        return out

    def adjoint(self, stress: np.ndarray, out: Any = None) -> np.ndarray:
        """D* of P, or of s: <stress : gradient(v, 0)> = <adjoint(stress) . v>.

        Parameters
        ----------
        stress
            (q, c, x, y, z), stress units.
        out
            Written to if given: (3, x, y, z), contiguous, in the precision of stress.

        Returns
        -------
        np.ndarray
            At the nodes, (3, x, y, z), stress units per length.
        """
        if out is None:
            out = np.empty((3, *self._grid.shape), stress.dtype)
        stress, forces = np.ascontiguousarray(stress).reshape(-1), out.reshape(-1)
        if self._mean_trace:
            stress = stress.copy()
            derivatives.mean_trace(stress, len(self._means))
        sums, scheme = np.zeros((self._shape[0], 9)), self._to_nodes(stress.dtype)

        def slab(first: int, last: int) -> None:
            s = derivatives.scratch(stress.dtype)
            if self._central:
                derivatives.central_adjoint(stress, forces, scheme, first, last, s)
                return
            keep = derivatives.kept(self._shape, stress.dtype)
            planes = 0, first - 1, first, last
            derivatives.adjoint(stress, forces, sums, scheme, planes, keep, s)

        parallel(slab, self._shape[0], self._threads)
        return out

    def apply(
        self,
        tangents: Sequence[PartialTangent],
        u: np.ndarray,
        mean: np.ndarray,
        out: np.ndarray,
    ) -> np.ndarray:
        """out <- D* ds, with ds the tangent times de = mean + D u (or mean + sym D u).

        A few planes at a time go all the way from nodes to nodes, and no field of
        strain or stress is in memory (but with central differences).

        Parameters
        ----------
        tangents
            That of each integration point, on all voxels.
        u, out
            (3, x, y, z), contiguous, of one precision.
        mean
            (c,).

        Returns
        -------
        np.ndarray
            <ds>, (c,), float64.
        """
        if self._central:
            strain = self.gradient(u, mean)
            flat = strain[0].reshape(len(mean), -1)
            stress = tangents[0].apply(flat)
            self.adjoint(stress.reshape(strain.shape), out)
            return stress.mean(axis=1, dtype=float)
        sums = np.zeros((self._shape[0], 9))

        def slab(first: int, last: int) -> None:
            self._apply(tangents, u, mean, out, sums, first, last)

        parallel(slab, self._shape[0], self._threads)
        stress = np.empty(len(mean))
        voxels = self._grid.voxels * len(self._means)
        stress[self._rows] = sums.sum(axis=0) / voxels
        return stress

    def _apply(
        self,
        tangents: Sequence[PartialTangent],
        u: np.ndarray,
        mean: np.ndarray,
        out: np.ndarray,
        sums: np.ndarray,
        first: int,
        last: int,
    ) -> None:
        """`apply` on a slab of planes; `sums` are those of `derivatives.adjoint`."""
        dtype, points = u.dtype, len(self._means)
        nodal, forces = (u.reshape(-1), mean.astype(dtype)), out.reshape(-1)
        to_points, to_nodes = self._to_points(dtype), self._to_nodes(dtype)
        nx, ny, nz = self._shape
        size = points * len(mean) * ny * nz
        step = max(1, BLOCK_BYTES // (dtype.itemsize * size))
        s, keep = derivatives.scratch(dtype), derivatives.kept(self._shape, dtype)
        work = np.empty(size * min(step, last - first), dtype)
        # the plane below the slab alone: it may be on the other side of the grid
        for begin, end in pairwise([first - 1, *range(first, last, step), last]):
            field = work[: size * (end - begin)]
            derivatives.gradient(*nodal, field, begin, to_points, begin, end, s)
            if self._mean_trace:
                derivatives.mean_trace(field, points)
            parts = field.reshape(points, len(mean), -1)
            for tangent, part in zip(tangents, parts, strict=True):
                tangent.apply_part(part, begin % nx * ny * nz, part)
            if self._mean_trace:
                derivatives.mean_trace(field, points)
            planes = begin, begin, first, end
            derivatives.adjoint(field, forces, sums, to_nodes, planes, keep, s)

    def _to_points(self, dtype: np.dtype) -> derivatives.ToPoints:
        """Scheme and grid as `derivatives.gradient` reads them."""
        means, g, factors = (
            a.astype(dtype) for a in (self._means, self._scale, self._factors)
        )
        geometry = self._shape, self._order, self._central
        return derivatives.ToPoints(*geometry, means, g, self._pairs, factors)

    def _to_nodes(self, dtype: np.dtype) -> derivatives.ToNodes:
        """Scheme and grid as `derivatives.adjoint` reads them."""
        means, g, weights = (
            a.astype(dtype) for a in (self._means, self._scale, self._weights)
        )
        geometry = self._shape, self._order
        return derivatives.ToNodes(*geometry, means, g, self._rows, weights)


def _stencils(
    scheme: StencilDiscretization, frame: Frame
) -> tuple[np.ndarray, np.ndarray]:
    """By point and axis of the frame: the mean (q, 3, 2), and the difference (q, 3)."""
    means, scale = np.zeros((scheme.points, 3, 2)), np.zeros((scheme.points, 3))
    for q, stencils in enumerate(scheme.table):
        for a, axis in enumerate(frame.order):
            name = "xyz"[axis]
            own, other = stencils[axis], stencils[axis - 1]
            across = dict(getattr(other, name))
            means[q, a] = across.get(0, 0.0), across.get(1, 0.0)
            difference = max(weight for _, weight in getattr(own, name))
            scale[q, a] = own.scale * difference / frame.grid.h[a]
    return means, scale


@cache
def _compile(
    scheme: StencilDiscretization, finite: bool, precision: np.dtype, search: np.dtype
) -> None:
    grid = Grid((2, 2, 2))
    kernels = PointKernels(scheme, grid, finite)
    for dtype in {precision, search}:
        u = np.zeros((3, *grid.shape), dtype)
        kernels.adjoint(kernels.gradient(u, np.zeros(9 if finite else 6)))
