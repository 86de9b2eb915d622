"""Kernels on a GPU: the CUDA sources of this folder, compiled by CuPy, and cuFFT.

Everything stays on the device; the host waits for the sums that a method returns.
The operator is one kernel: a block of threads takes a tile of y and z and goes along x
with one plane of voxels in registers (`operator.cu`). The preconditioner is a forward
transform, one kernel on the half spectrum (`spectral.cu`) and a transform back.

Estimates, not measurements: bytes of device memory a voxel, if the 50 MB cache of a
large GPU holds what neighbouring tiles share, for a float32 search in a float64
solution and for float64 alone.

    operator                u, phase -> out                  28      52
    residual                r, q -> r                        36      72
    inverse                 spectrum -> spectrum             24      48
    solution, direction     v, p, z -> v, p                  84     120
    transforms              three passes, there and back    144     288

Together 5.3 GB and 9.7 GB an iteration at 256^3: 1.6 ms and 2.9 ms at 3.35 TB/s, about
half of which are FFTs. The operator takes some 150 floating-point instructions a voxel
with `rotated`, 400 with `hex8`, and a sixth more where tiles overlap: 0.012 ns and
0.033 ns a voxel in float64 on 132 multiprocessors that do 64 a cycle at 1.7 GHz, where
memory takes 0.016 ns. Eight voxels anew for each node would take eight times as long.
Device memory in bytes a voxel, the FFTs' work areas included: 112 and 196.
"""

import importlib
import time
from collections.abc import Callable
from copy import copy
from functools import cache
from math import ceil
from typing import Any

import numpy as np

from fftmech.arrays.backend import to_numpy
from fftmech.discretization.grid import Grid
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.kernels import cuda
from fftmech.kernels.tables import Frame

AXES = (1, 2, 3)


class GpuKernels:
    """Fused operators of one body: see `fftmech.kernels.Kernels`.

    Parameters
    ----------
    frame
        The grid as kernels see it, with nodes at the corners of voxels.
    phase, stiffness, eigenstrain
        On the host: phase ids (nx, ny, nz), and by phase, Mandel, (P, 6, 6) and (P, 6)
        or None.
    reference
        Bulk and shear modulus of the reference medium.
    xp
        cupy.
    """

    coordinates = None

    def __init__(
        self,
        frame: Frame,
        phase: np.ndarray,
        stiffness: np.ndarray,
        eigenstrain: np.ndarray | None,
        reference: tuple[float, float],
        xp: Any,
    ) -> None:
        assert not frame.central
        self._frame, self._xp = frame, xp
        self._shape, self._voxels = phase.shape, phase.size
        self._phase = xp.asarray(phase.reshape(-1), dtype=np.int32)
        self._stiffness, self._eigenstrain = stiffness, eigenstrain
        self._reference = reference
        self._fft = importlib.import_module("cupyx.scipy.fft")
        self._plans: dict[Any, Any] = {}
        self._kept: dict[Any, Any] = {}
        self._spectrum: Any = None

    def twin(self, threads: int | None = None) -> "GpuKernels":
        """See `fftmech.kernels.Kernels`; a device has no use for `threads`."""
        other = copy(self)
        other._spectrum = None
        return other

    def prepare(self, precision: Any, search: Any) -> float:
        """Compile by working on eight voxels; see `fftmech.kernels.Kernels`."""
        started = time.perf_counter()
        types = np.dtype(precision), np.dtype(search)
        _compile(self._xp, self._frame.scheme, *types)
        return time.perf_counter() - started

    def apply(
        self, u: Any, E: np.ndarray, out: Any, total: bool = False
    ) -> tuple[np.ndarray, float]:
        """out <- D* s; the mean stress, and <u, out>."""
        return self._apply(u, E, out, self._table(u.dtype), total)

    def quadratic(self, u: Any, E: np.ndarray, matrices: np.ndarray) -> float:
        """<e : G : e> for G by phase, Mandel (P, 6, 6), and e = E + sym(D u)."""
        table = self._xp.asarray(self._frame.constants(matrices), dtype=u.dtype)
        mean, work = self._apply(u, E, self._xp.empty_like(u), table, False)
        return float(mean @ E) + work

    def transient(self, size: int, dtype: Any) -> Any:
        """See `fftmech.kernels.Kernels`."""
        return self._xp.empty(size, dtype)

    def field_planes(
        self, u: Any, E: np.ndarray
    ) -> Callable[[slice], tuple[Any, Any, Any]]:
        """See `fftmech.kernels.Kernels`; fields are whole on the device."""
        strain, stress, energy = self._fields(u, E)
        return lambda part: (strain[..., part], stress[..., part], energy[..., part])

    def _fields(self, u: Any, E: np.ndarray) -> tuple[Any, Any, Any]:
        """Voxel averages: strain and stress, Mandel (6, x, y, z), energy density."""
        xp, frame, dtype = self._xp, self._frame, u.dtype
        strain = xp.empty((6, *self._shape), dtype)
        stress, energy = xp.empty_like(strain), xp.empty(self._shape, dtype)
        if ("eigenstrain", dtype) not in self._kept:
            eigenstrain = self._eigenstrain
            if eigenstrain is None:
                eigenstrain = np.zeros((len(self._stiffness), 6))
            self._kept["eigenstrain", dtype] = xp.asarray(eigenstrain, dtype=dtype)
        kernel = cuda.fields(xp, frame.full, dtype)
        kernel(
            (ceil(self._voxels / cuda.THREADS),),
            (cuda.THREADS,),
            (
                u,
                self._phase,
                self._table(dtype),
                self._kept["eigenstrain", dtype],
                strain,
                stress,
                energy,
                *_int32(frame.grid.shape),
                *_int32(frame.order),
                *self._scheme(dtype, E),
            ),
        )
        return strain, stress, energy

    def update_residual(
        self, r: Any, alpha: float = 0.0, q: Any = None, weights: Any = None
    ) -> float:
        """r <- r - alpha q, and <W r, M W r>.

        W M W r is left for `update_direction` or `finish`.
        """
        xp, frame, dtype = self._xp, self._frame, r.dtype
        if q is not None:
            self.add(r, -alpha, q)
        field = r if weights is None else r * weights.astype(dtype, copy=False)
        field = field.reshape(3, *frame.grid.shape)
        plan = self._plan(field, "R2C")
        spectrum = self._fft.rfftn(field, axes=AXES, plan=plan)
        bulk, shear = self._reference
        # the transform back is not normalised
        factor = 1 / self._voxels
        blocks = min(ceil(spectrum.size / 3 / cuda.THREADS), cuda.BLOCKS)
        sums = xp.empty(blocks, np.float64)
        kernel = cuda.inverse(xp, frame.mean_dilatation, dtype)
        kernel(
            (blocks,),
            (cuda.THREADS,),
            (
                spectrum,
                *_int32(frame.grid.spectral_shape),
                *_int32(frame.order),
                *self._symbols(dtype),
                *(dtype.type(c) for c in (bulk - 2 * shear / 3, shear, factor)),
                sums,
            ),
        )
        self._spectrum = spectrum
        return float(sums.sum()) * factor

    def update_direction(
        self, v: Any, alpha: float, p: Any, beta: float, weights: Any = None
    ) -> None:
        """v <- v + alpha p, then p <- W M W r + beta p, after `update_residual`."""
        z = self._transform_back().astype(p.dtype, copy=False)
        if weights is None:
            self._each("update_direction", v, alpha, p, p.dtype.type(beta), z)
        else:
            weights = weights.astype(p.dtype, copy=False)
            self._each(
                "update_direction_weighted", v, alpha, p, p.dtype.type(beta), z, weights
            )

    def dot(self, a: Any, b: Any) -> float:
        """<a, b>."""
        blocks = min(ceil(a.size / cuda.THREADS), cuda.BLOCKS)
        sums = self._xp.empty(blocks, np.float64)
        kernel = cuda.vectors(self._xp, "dot", a.dtype, b.dtype)
        kernel((blocks,), (cuda.THREADS,), (a, b, sums, np.uint64(a.size)))
        return float(sums.sum()) / self._voxels

    def add(self, v: Any, alpha: float, p: Any) -> None:
        """v <- v + alpha p."""
        self._each("add", v, alpha, p)

    def finish(self, z: Any, weights: Any = None) -> None:
        """z <- W M W r, after `update_residual`."""
        z[...] = self._transform_back()
        if weights is not None:
            z *= weights

    def _apply(
        self, u: Any, E: np.ndarray, out: Any, table: Any, total: bool
    ) -> tuple[np.ndarray, float]:
        frame = self._frame
        grid, planes = cuda.tiles(frame.grid.shape)
        sums = self._xp.empty((7, grid[0] * grid[1] * grid[2]), np.float64)
        kernel = cuda.operator(self._xp, frame.full, u.dtype, out.dtype)
        kernel(
            grid,
            (cuda.TILE_Z, cuda.TILE_Y),
            (
                u,
                self._phase,
                table,
                np.int32(total),
                out,
                sums,
                *_int32(frame.grid.shape),
                np.int32(planes),
                *_int32(frame.order),
                *self._scheme(u.dtype, E),
            ),
        )
        means = to_numpy(sums.sum(axis=1)) / self._voxels
        return frame.mandel_stress(means[:6]), float(means[6])

    def _transform_back(self) -> Any:
        """M W r, of the spectrum that `update_residual` left."""
        spectrum, self._spectrum = self._spectrum, None
        return self._fft.irfftn(
            spectrum,
            s=self._frame.grid.shape,
            axes=AXES,
            norm="forward",
            overwrite_x=True,
            plan=self._plan(spectrum, "C2R"),
        ).reshape(-1)

    def _each(self, name: str, v: Any, alpha: float, p: Any, *others: Any) -> None:
        kernel = cuda.vectors(self._xp, name, v.dtype, p.dtype)
        arguments = (v, v.dtype.type(alpha), p, *others, np.uint64(v.size))
        kernel((ceil(v.size / cuda.THREADS),), (cuda.THREADS,), arguments)

    def _scheme(self, dtype: np.dtype, E: np.ndarray) -> list[Any]:
        """The arguments g, w and E."""
        frame = self._frame
        return [dtype.type(c) for c in (*frame.scale, frame.upper, *frame.strain(E))]

    def _table(self, dtype: np.dtype) -> Any:
        """Constants by phase, with C e0."""
        if ("table", dtype) not in self._kept:
            table = self._frame.constants(self._stiffness, self._eigenstrain)
            self._kept["table", dtype] = self._xp.asarray(table, dtype=dtype)
        return self._kept["table", dtype]

    def _symbols(self, dtype: np.dtype) -> list[Any]:
        """Tables of the three axes, and the multiplicity of frequencies."""
        if ("symbols", dtype) not in self._kept:
            frame = self._frame
            tables = (*frame.symbols, frame.grid.spectral_weights().ravel())
            self._kept["symbols", dtype] = [
                self._xp.asarray(table, dtype=dtype) for table in tables
            ]
        return self._kept["symbols", dtype]

    def _plan(self, array: Any, kind: str) -> Any:
        """Plan of cuFFT for the last three axes, kept."""
        if self._voxels == 1:
            return None
        key = kind, array.dtype
        if key not in self._plans:
            self._plans[key] = self._fft.get_fft_plan(
                array, shape=self._frame.grid.shape, axes=AXES, value_type=kind
            )
        return self._plans[key]


def _int32(values: Any) -> list[np.int32]:
    return [np.int32(value) for value in values]


@cache
def _compile(
    xp: Any, scheme: StencilDiscretization, precision: np.dtype, search: np.dtype
) -> None:
    grid = Grid((2, 2, 2))
    frame = Frame.of(scheme, grid)
    phase, unit = np.zeros(grid.shape, np.int32), np.eye(6)[None]
    kernels = GpuKernels(frame, phase, unit, None, (1.0, 1.0), xp)
    v, p, q = (xp.zeros(24, dtype) for dtype in (precision, search, search))
    for vector in {precision: v, search: p}.values():
        kernels.apply(vector, np.zeros(6), q)
    kernels.update_residual(p, 0.0, q)
    kernels.update_direction(v, 0.0, p, 0.0)
    kernels.add(v, 0.0, p)
    kernels.dot(p, v)
    kernels.field_planes(v, np.zeros(6))(slice(None))
