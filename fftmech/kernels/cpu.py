"""Kernels on the host: slabs of the grid on Python's threads, FFTs block by block.

The preconditioner goes through the grid three times: planes x are transformed along y
and z; rows y along x, multiplied by the symbol, and transformed back; planes again. A
block stays in the cache from one step to the next, and vectors are updated while their
planes are there.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from fftmech.arrays.backend import BlockTransform
from fftmech.arrays.ranks import ALONE, Ranks
from fftmech.arrays.threads import parallel
from fftmech.discretization.grid import Grid
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.kernels import (
    Coordinates,
    central,
    hexahedron,
    hexahedron_fields,
    spectral,
    vectors,
)
from fftmech.kernels.compiled import timed
from fftmech.kernels.host import FieldPlanes, HostKernels
from fftmech.kernels.tables import Frame


class CpuKernels(HostKernels):
    """Fused operators of one body: see `fftmech.kernels.Kernels`."""

    coordinates: Coordinates | None = None
    _ranks: Ranks = ALONE

    def __init__(
        self,
        frame: Frame,
        phase: np.ndarray,
        stiffness: np.ndarray,
        eigenstrain: np.ndarray | None,
        reference: tuple[float, float],
        transform: BlockTransform,
        threads: int,
    ) -> None:
        self._frame = frame
        self._reference = reference
        nx, ny, nz = frame.grid.shape
        # planes in memory, and those of them that are this process's own
        self._extent, self._own = (nx, ny, nz), slice(0, nx)
        body = phase, stiffness, eigenstrain
        super().__init__(frame.grid, *body, transform, threads)

    def prepare(self, precision: Any, search: Any) -> float:
        """Compile by working on eight voxels; see `fftmech.kernels.Kernels`."""
        types = np.dtype(precision), np.dtype(search)
        return timed(_compile, self._frame.scheme, *types)

    def field_planes(self, u: np.ndarray, E: np.ndarray) -> FieldPlanes:
        """See `fftmech.kernels.Kernels`."""
        self.release()
        self._refresh(u)
        frame = self._frame
        eigenstrain = self._eigenstrain
        if eigenstrain is None:
            eigenstrain = np.zeros((len(self._stiffness), 6))
        eigenstrain = eigenstrain.astype(u.dtype)
        body = self._body(self._table(True, u.dtype), E)
        fields = hexahedron_fields.fields[frame.full]
        if frame.central:
            fields = hexahedron_fields.central_fields

        def planes(part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            ends, shape = self._own_planes(part)
            strain, stress, energy = (np.empty((k, *shape), u.dtype) for k in (6, 6, 1))
            flat = (field.reshape(-1) for field in (strain, stress, energy))
            out = hexahedron_fields.Fields(eigenstrain, frame.tensor_order, ends, *flat)

            def slab(first: int, last: int) -> None:
                fields(u, body, out, first, last, self._scratch(first, u.dtype))

            self._each_slab(slab)
            return strain[:, self._own], stress[:, self._own], energy[0, self._own]

        return planes

    def transient(self, size: int, dtype: Any) -> np.ndarray:
        """See `fftmech.kernels.Kernels`: the memory of the spectrum."""
        spectrum = self._half_spectrum(np.dtype(dtype)).view(dtype).reshape(-1)
        # of a few voxels it has no room for the means
        return spectrum[:size] if size <= spectrum.size else np.empty(size, dtype)

    def update_residual(
        self,
        r: np.ndarray,
        alpha: float = 0.0,
        q: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> float:
        """r <- r - alpha q, and <W r, M W r>.

        W M W r is left for `update_direction` or `finish`.
        """
        if q is not None:
            # before the transform of any plane, which may be where q is
            self.add(r, -alpha, q)
        spectrum = self._half_spectrum(r.dtype)
        r4, (_, ny, nz) = self._nodal(r), self._extent
        w4 = None if weights is None else self._nodal(weights)

        def planes(parts: Iterator[slice]) -> None:
            for part in parts:
                block = r4[:, part]
                if w4 is not None:
                    block = block * w4[:, part]
                self._transform.planes(block, spectrum[:, part])

        self._each_block(r4.shape[1], r.itemsize * 3 * ny * nz, planes)
        return self._invert(spectrum, r.dtype.type)

    def _invert(self, planes: np.ndarray, dtype: type[np.floating]) -> float:
        """M in place on planes transformed along y and z: along x, and back."""
        frame = self._frame
        spectrum, own = self._to_rows(planes)
        nx, ny = spectrum.shape[1:3]
        multiplicity = frame.grid.spectral_weights().ravel().astype(dtype)
        sums = np.zeros(ny)
        factor = 1 / frame.grid.voxels
        bulk, shear = self._reference
        x, y, z = (table.astype(dtype) for table in frame.symbols)
        constants = dtype(bulk - 2 * shear / 3), dtype(shear), dtype(factor)
        axes = spectrum.shape[1:], frame.order, x, y[:, own].copy(), z
        medium = spectral.Medium(*axes, *constants, multiplicity)
        inverse = spectral.inverses[frame.real, frame.mean_dilatation]
        flat = spectrum.view(dtype).reshape(-1)

        def rows(parts: Iterator[slice]) -> None:
            scratch = np.empty(spectral.ROWS * int(spectral.P), dtype)
            for part in parts:
                block = spectrum[:, :, part]
                self._transform.rows(block, forward=True)
                inverse(flat, medium, sums, part.start, part.stop, scratch)
                self._transform.rows(block, forward=False)

        size = spectrum.itemsize * 3 * nx * spectrum.shape[-1]
        self._each_block(ny, size, rows)
        self._to_planes(planes)
        return self._ranks.sum(float(sums.sum())) * factor

    def update_direction(
        self,
        v: np.ndarray,
        alpha: float,
        p: np.ndarray,
        beta: float,
        weights: np.ndarray | None = None,
    ) -> None:
        """v <- v + alpha p, then p <- W M W r + beta p, after `update_residual`."""
        alpha, beta = v.dtype.type(alpha), p.dtype.type(beta)
        v4, p4 = self._nodal(v), self._nodal(p)

        def use(part: slice, z: np.ndarray) -> None:
            own = v4[:, part], p4[:, part], z
            for own_v, own_p, own_z in zip(*own, strict=True):
                vectors.update_direction(
                    own_v.reshape(-1), alpha, own_p.reshape(-1), beta, own_z.reshape(-1)
                )

        self._finish(p.dtype, weights, use)

    def finish(self, z: np.ndarray, weights: np.ndarray | None = None) -> None:
        """z <- W M W r, after `update_residual`."""
        z4 = self._nodal(z)

        def use(part: slice, block: np.ndarray) -> None:
            z4[:, part] = block

        self._finish(z.dtype, weights, use)

    def _finish(self, dtype: np.dtype, weights: np.ndarray | None, use: Any) -> None:
        spectrum, (_, ny, nz) = self._half_spectrum(dtype), self._extent
        w4 = None if weights is None else self._nodal(weights)

        def planes(parts: Iterator[slice]) -> None:
            work = None
            for part in parts:
                count = part.stop - part.start
                if work is None:
                    work = np.empty((3, count, ny, nz), dtype)
                block = work if work.shape[1] == count else work[:, :count].copy()
                self._transform.back(spectrum[:, part], block)
                if w4 is not None:
                    block *= w4[:, part]
                use(part, block)

        self._each_block(spectrum.shape[1], dtype.itemsize * 3 * ny * nz, planes)

    def _apply(
        self, u: np.ndarray, E: np.ndarray, out: np.ndarray, table: np.ndarray
    ) -> tuple[np.ndarray, float]:
        frame = self._frame
        sums = np.zeros((self._extent[0], 7))
        body = self._body(table, E)
        operator = hexahedron.operators[frame.full]
        if frame.central:
            operator = central.operator

        def slab(first: int, last: int) -> None:
            scratch = self._scratch(first, table.dtype)
            operator(u, body, out, sums, first, last, scratch)

        self._refresh(u)
        self._each_slab(slab)
        sums = self._ranks.sum(sums.sum(axis=0)) / frame.grid.voxels
        return frame.mandel_stress(sums[:6]), float(sums[6])

    def _constants(
        self, stiffness: np.ndarray, eigenstrain: np.ndarray | None = None
    ) -> np.ndarray:
        return self._frame.constants(stiffness, eigenstrain)

    def _body(self, table: np.ndarray, E: np.ndarray) -> hexahedron.Body:
        """The body with constants by phase, under a mean strain."""
        frame, dtype = self._frame, table.dtype
        return hexahedron.Body(
            self._phase,
            table,
            frame.scale.astype(dtype),
            dtype.type(frame.upper),
            frame.strain(E).astype(dtype),
            self._extent,
            frame.order,
        )

    def _scratch(self, slab: int, dtype: np.dtype) -> hexahedron.Scratch:
        """Scratch of the thread that works on a slab, kept for the next call."""
        key = slab, dtype
        if key not in self._work:
            new = central.scratch if self._frame.central else hexahedron.scratch
            self._work[key] = new(self._extent, dtype)
        return self._work[key]

    def _nodal(self, v: np.ndarray) -> np.ndarray:
        """A vector's own planes, (3, x, y, z): a view."""
        return v.reshape(3, *self._extent)[:, self._own]

    def _each_slab(self, slab: Callable[[int, int], None]) -> None:
        """Share out the own planes to the threads."""
        first, last = self._own.start, self._own.stop
        if first == last:
            return
        parallel(lambda i, j: slab(first + i, first + j), last - first, self._threads)

    def _refresh(self, u: np.ndarray) -> None:
        """Bring in the planes beside the own ones."""

    def _to_rows(self, planes: np.ndarray) -> tuple[np.ndarray, slice]:
        """Rows (3, x, own y, z) of a spectrum's own planes, and which y they are."""
        return planes, slice(0, planes.shape[2])

    def _to_planes(self, planes: np.ndarray) -> None:
        """Undo `_to_rows`."""


@cache
def _compile(
    scheme: StencilDiscretization, precision: np.dtype, search: np.dtype
) -> None:
    grid = Grid((2, 2, 2))
    phase, unit = np.zeros(grid.shape, np.int32), np.eye(6)[None]
    kernels = CpuKernels(
        Frame.of(scheme, grid), phase, unit, None, (1.0, 1.0), _NoTransform(), 1
    )
    v, p = np.zeros(24, precision), np.zeros(24, search)
    for vector in {precision: v, search: p}.values():
        kernels.apply(vector, np.zeros(6), p)
    kernels.update_residual(p, 0.0, p)
    kernels.update_direction(v, 0.0, p, 0.0)
    kernels.add(v, 0.0, p)
    kernels.add(v, 0.0, v)
    kernels.dot(p, v)
    kernels.field_planes(v, np.zeros(6))(slice(None))


class _NoTransform:
    """FFTs that do nothing: enough to compile with."""

    def planes(self, field: Any, out: Any) -> None: ...

    def rows(self, spectrum: Any, forward: bool) -> None: ...

    def back(self, spectrum: Any, out: Any) -> None: ...
