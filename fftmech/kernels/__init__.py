"""Compiled operators that shadow the reference code of `fftmech.problems`.

A body has kernels where there are some for its scheme and its arrays; everything that
they compute, `Problem` computes without them too, and tests compare the two.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from fftmech.arrays.backend import Backend
from fftmech.arrays.ranks import ALONE, Processes, Ranks
from fftmech.arrays.threads import threads_for
from fftmech.discretization.base import Discretization
from fftmech.discretization.fourier import Fourier
from fftmech.discretization.grid import Grid
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.kernels.tables import Frame, supports


class Coordinates(Protocol):
    """An orthonormal basis of the unknowns in which kernels have vectors."""

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        ...

    def to_nodes(self, c: np.ndarray, components: int = 9) -> np.ndarray:
        """Nodal values (n, x, y, z) of a vector; of the first components alone."""
        ...

    def release(self) -> None:
        """Free the memory of scratch, which is made anew when it is needed."""
        ...

    def from_nodes(self, f: np.ndarray) -> np.ndarray:
        """Vector of nodal values (n, x, y, z) or, if that is all, (3, x, y, z)."""
        ...


class Kernels(Protocol):
    """Operators of one body in one scheme.

    Vectors are flat, three components at the nodes (3 nx ny nz) or coordinates, in
    float32 or float64; the precision of the work is that of its first vector. Mean
    strains and stresses are Mandel (6,), float64, on the host. D* and dot products are
    volume averages.
    """

    @property
    def coordinates(self) -> Coordinates | None:
        """What vectors are in, None if they are nodal values."""
        ...

    def twin(self, threads: int | None = None) -> "Kernels":
        """Return kernels of the same body with scratch of their own."""
        ...

    def prepare(self, precision: Any, search: Any) -> float:
        """Compile, or load compiled code, for a solution and a search precision.

        Returns the seconds that it took, nearly none after the first call in a process.
        """
        ...

    def apply(
        self, u: Any, E: np.ndarray, out: Any, total: bool = False
    ) -> tuple[np.ndarray, float]:
        """out <- D* s, with s = C (E + sym D u), minus C e0 if `total`.

        `out` may have less precision than u. Returns <s> and <u, out>.
        """
        ...

    def quadratic(self, u: Any, E: np.ndarray, matrices: np.ndarray) -> float:
        """<e : G : e> of e = E + sym(D u), with G by phase, Mandel (P, 6, 6)."""
        ...

    def field_planes(
        self, u: Any, E: np.ndarray
    ) -> Callable[[slice], tuple[Any, Any, Any]]:
        """Return voxel averages as a function of planes across z, a slice.

        Strain and stress, Mandel (6, x, y, m), and energy density, (x, y, m). In
        between the kernels must not be used.
        """
        ...

    def transient(self, size: int, dtype: Any) -> Any:
        """Return memory for a vector and its means, until the next `update_residual`.

        There it may be q; what it held is then lost.
        """
        ...

    def update_residual(
        self, r: Any, alpha: float = 0.0, q: Any = None, weights: Any = None
    ) -> float:
        """r <- r - alpha q; returns <W r, M W r>, and begins z = W M W r.

        W are weights of the nodal values (n nx ny nz), 1 if None. `update_direction` or
        `finish`, with the same weights, must follow: it completes z.
        """
        ...

    def update_direction(
        self, v: Any, alpha: float, p: Any, beta: float, weights: Any = None
    ) -> None:
        """v <- v + alpha p, then p <- z + beta p."""
        ...

    def dot(self, a: Any, b: Any) -> float:
        """<a, b>."""
        ...

    def add(self, v: Any, alpha: float, p: Any) -> None:
        """v <- v + alpha p."""
        ...

    def finish(self, z: Any, weights: Any = None) -> None:
        """Write z of the last `update_residual`."""
        ...


def get_kernels(
    scheme: Discretization,
    grid: Grid,
    phase: np.ndarray,
    stiffness: np.ndarray,
    eigenstrain: np.ndarray | None,
    reference: tuple[float, float],
    backend: Backend,
    ranks: Ranks = ALONE,
) -> Kernels | None:
    """Return kernels for a body, or None where the reference code is all there is.

    Parameters
    ----------
    scheme, grid, backend
        Discretization and arrays.
    phase, stiffness, eigenstrain
        Phase ids (nx, ny, nz), and by phase, Mandel, (P, 6, 6) and (P, 6) or None.
    reference
        Bulk and shear modulus of the reference medium.
    ranks
        Processes that share the body: `phase` has the own planes.
    """
    if not has_kernels(scheme):
        return None
    body = phase, stiffness, eigenstrain, reference
    threads = threads_for(grid.voxels // ranks.size, backend.threads)
    if not isinstance(scheme, StencilDiscretization):
        if backend.blocks is None:
            return None
        from fftmech.kernels.fourier import FourierKernels

        return FourierKernels(grid, *body, backend, threads)
    frame = Frame.of(scheme, grid)
    if isinstance(ranks, Processes):
        from fftmech.kernels.processes import ProcessKernels

        assert backend.blocks is not None
        return ProcessKernels(frame, *body, backend.blocks, threads, ranks)
    if backend.blocks is not None:
        from fftmech.kernels.cpu import CpuKernels

        return CpuKernels(frame, *body, backend.blocks, threads)
    if frame.central:
        return None
    from fftmech.kernels.gpu import GpuKernels

    return GpuKernels(frame, *body, backend.xp)


def has_kernels(scheme: Discretization) -> bool:
    """Whether there are kernels for a scheme on the host."""
    return isinstance(scheme, Fourier) or has_point_kernels(scheme)


def has_point_kernels(scheme: Discretization) -> bool:
    """Whether there are those of `fftmech.kernels.points`, for nonlinear bodies."""
    return isinstance(scheme, StencilDiscretization) and supports(scheme)
