"""Fields of `fftmech.problems.linear_dual` on the host.

They shadow the compliance, the displacement and the vector updates of `StressProblem`
in double or single precision, for schemes that have `fftmech.kernels.points`.
"""

from copy import copy
from typing import Any, Self

import numpy as np

from fftmech.arrays.threads import parallel, threads_for
from fftmech.discretization.grid import Grid
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.kernels import Kernels, descent, vectors
from fftmech.kernels.compiled import timed
from fftmech.kernels.law_hooke import HookeTangent
from fftmech.kernels.points import PointKernels


class StressKernels:
    """Operators of one body.

    Parameters
    ----------
    grid, phase
        Voxels, and their phase ids (x, y, z).
    compliance
        By phase, Mandel (P, 6, 6).
    scheme
        One that `fftmech.kernels.has_point_kernels`.
    kernels
        The reference medium's inverse.
    C0
        Stiffness of the reference medium, isotropic, Mandel (6, 6).
    threads
        They share the work.
    """

    def __init__(
        self,
        grid: Grid,
        phase: np.ndarray,
        compliance: np.ndarray,
        scheme: StencilDiscretization,
        kernels: Kernels,
        C0: np.ndarray,
        threads: int,
    ) -> None:
        self._kernels, self._C0 = kernels, C0
        self._of = scheme, grid
        self._rows = np.ascontiguousarray(phase.ravel(), np.int32)
        self._table = compliance
        self._share(threads_for(grid.voxels, threads))

    def _share(self, threads: int) -> None:
        self._threads = threads
        self._points = PointKernels(*self._of, False, threads)
        self._tangent = HookeTangent(self._table, self._rows, threads)

    def twin(self, threads: int | None = None) -> Self:
        """The same with scratch of its own: see `fftmech.kernels.Kernels`."""
        other = copy(self)
        other._kernels = self._kernels.twin(threads)
        if threads is not None:
            other._share(min(threads, self._threads))
        return other

    def prepare(self, precision: Any) -> float:
        """Compile; seconds spent."""
        seconds = self._kernels.prepare(precision, precision)
        seconds += self._points.prepare(precision, precision)
        return seconds + timed(self._compile, precision)

    def _compile(self, precision: Any) -> None:
        one = np.zeros((1, 6, 1, 1, 1), precision)
        self._tangent.apply(one[0, :, :, 0, 0])
        self.update_direction(one.copy(), 0.0, one.copy(), 0.0, one)
        descent.remainder(one, one, np.zeros(6), self._C0, one)

    def strain(self, stress: np.ndarray) -> np.ndarray:
        """S s, of (q, 6, x, y, z)."""
        out = np.empty_like(stress)
        for own, result in zip(stress, out, strict=True):
            flat = own.reshape(6, -1)
            result[...] = self._tangent.apply(flat).reshape(own.shape)
        return out

    def displacement(self, stress: np.ndarray) -> np.ndarray:
        """M D* s, (3, x, y, z), of (q, 6, x, y, z)."""
        force = self._points.adjoint(stress)
        self._kernels.update_residual(force.reshape(-1))
        u = np.empty_like(force)
        self._kernels.finish(u.reshape(-1))
        return u

    def take_compatible(self, r: np.ndarray, u: np.ndarray, shift: np.ndarray) -> float:
        """r <- r - sym D u + shift; <r : C0 : r>."""
        compatible = self._points.gradient(u, -shift)
        none, threads = np.zeros(6), self._threads
        return descent.remainder(r, compatible, none, self._C0, r, threads, out=r)[1]

    def subtract(self, r: np.ndarray, alpha: float, q: np.ndarray) -> None:
        """r <- r - alpha q."""
        alpha, flat = r.dtype.type(alpha), (r.reshape(-1), q.reshape(-1))

        def part(first: int, last: int) -> None:
            vectors.subtract(flat[0][first:last], alpha, flat[1][first:last])

        parallel(part, r.size, self._threads)

    def update_direction(
        self, v: np.ndarray, alpha: float, p: np.ndarray, beta: float, z: np.ndarray
    ) -> None:
        """v <- v + alpha p, then p <- z + beta p."""
        a, b = v.dtype.type(alpha), p.dtype.type(beta)
        flat = v.reshape(-1), p.reshape(-1), z.reshape(-1)

        def part(first: int, last: int) -> None:
            own_v, own_p, own_z = (field[first:last] for field in flat)
            vectors.update_direction(own_v, a, own_p, b, own_z)

        parallel(part, v.size, self._threads)
