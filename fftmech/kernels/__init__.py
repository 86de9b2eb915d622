"""Compiled operators that shadow the reference code of `fftmech.problems`.

A body has kernels where there are some for its scheme and its arrays; everything that
they compute, `Problem` computes without them too, and tests compare the two.
"""

from typing import Any, Protocol

import numpy as np

from fftmech.arrays.backend import Backend
from fftmech.arrays.threads import threads_for
from fftmech.discretization.base import Discretization
from fftmech.discretization.grid import Grid
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.kernels.tables import Frame, supports


class Kernels(Protocol):
    """Operators of one body in one scheme.

    Vectors are flat, three components at the nodes (3 nx ny nz), in float32 or float64;
    the precision of the work is that of its first vector. Mean strains and stresses are
    Mandel (6,), float64, on the host. D* and dot products are volume averages.
    """

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

    def fields(self, u: Any, E: np.ndarray) -> tuple[Any, Any, Any]:
        """Voxel averages of strain and stress, Mandel (6, x, y, z), energy density."""
        ...

    def update_residual(
        self, r: Any, alpha: float = 0.0, q: Any = None, weights: Any = None
    ) -> float:
        """r <- r - alpha q; returns <W r, M W r>, and begins z = W M W r.

        W are weights of the nodal values, 1 if None. `update_direction` or `finish`,
        with the same weights, must follow: it completes z.
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
    """
    if not isinstance(scheme, StencilDiscretization) or not supports(scheme):
        return None
    frame = Frame.of(scheme, grid)
    body = frame, phase, stiffness, eigenstrain, reference
    if backend.blocks is not None:
        from fftmech.kernels.cpu import CpuKernels

        return CpuKernels(
            *body, backend.blocks, threads_for(grid.voxels, backend.threads)
        )
    if frame.central:
        return None
    from fftmech.kernels.gpu import GpuKernels

    return GpuKernels(*body, backend.xp)


def has_kernels(scheme: Discretization) -> bool:
    """Whether there are kernels for a scheme on the host."""
    return isinstance(scheme, StencilDiscretization) and supports(scheme)
