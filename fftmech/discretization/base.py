"""Operators that every discretization derives from its one derivative.

A discretization maps nodal values to derivatives at the integration points of each
voxel, `D_a : nodes -> voxels`. The divergence is minus its exact adjoint, so that
`<D u, s> = <u, D* s>` with volume averages on both sides. Fields at integration points
carry an axis q before the component: `(*batch, q, component, x, y, z)`; every scheme
but `hex8` and `bbar` has q = 1.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fftmech.arrays.backend import Backend, is_tensor, namespace
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.tensors import PAIRS
from fftmech.tensors.fields import full, symmetrize

LEVI_CIVITA = (
    (0, 1, 2, 1.0),
    (1, 2, 0, 1.0),
    (2, 0, 1, 1.0),
    (0, 2, 1, -1.0),
    (2, 1, 0, -1.0),
    (1, 0, 2, -1.0),
)
"""Non-zero entries (i, j, k, value) of the permutation symbol."""

_COMPONENT = {pair: m for m, (i, j) in enumerate(PAIRS) for pair in ((i, j), (j, i))}


class Discretization(ABC):
    """A gradient on a periodic grid and the operators that follow from it.

    Subclasses say `name`, `points` (integration points a voxel), `nodes` (where the
    displacement lives, relative to the voxels), `dilatation` (the scheme of one point
    that has the trace of the strain, if not this one) and the abstract methods.
    """

    name: str
    points: int = 1
    nodes: Literal["corners", "centers"] = "corners"
    dilatation: "Discretization | None" = None

    @abstractmethod
    def derivative(self, f: Any, axis: int, grid: Grid, point: int = 0) -> Any:
        """D_a f: nodes (..., x, y, z) -> voxels (..., x, y, z), at one point."""

    @abstractmethod
    def adjoint(self, f: Any, axis: int, grid: Grid, point: int = 0) -> Any:
        """D_a* f: voxels (..., x, y, z) -> nodes (..., x, y, z), of one point."""

    @abstractmethod
    def symbol(self, grid: Grid, xp: Any = np) -> Any:
        """k_a(xi), the transform of D_a: complex, (points, 3, *grid.spectral_shape)."""

    @abstractmethod
    def gradient(self, u: Any, grid: Grid) -> Any:
        """D u: (*batch, c, x, y, z) -> (*batch, q, c, 3, x, y, z), [c, a] = D_a u_c."""

    @abstractmethod
    def gradient_adjoint(self, t: Any, grid: Grid) -> Any:
        """D* t: (*batch, q, c, 3, x, y, z) -> (*batch, c, x, y, z), mean over q."""

    def on(self, backend: Backend) -> "Discretization":
        """The scheme with the FFTs of a backend, for arrays of its library, if any."""
        return self

    def parts(self) -> tuple["Discretization", ...]:
        """One scheme for each integration point; their mean is this one."""
        return (self,)

    def unknowns(self, grid: Grid) -> int:
        """Components of the solver's unknown: 3, the displacement fluctuation."""
        return 3

    def strain(self, u: Any, grid: Grid) -> Any:
        """sym(D u), Mandel: (*batch, unknowns, x, y, z) -> (*batch, q, 6, x, y, z)."""
        return symmetrize(self.gradient(u, grid))

    def strain_adjoint(self, stress: Any, grid: Grid) -> Any:
        """D* s: (*batch, q, 6, x, y, z) Mandel -> (*batch, unknowns, x, y, z)."""
        return self.gradient_adjoint(full(stress), grid)

    def divergence(self, stress: Any, grid: Grid) -> Any:
        """div s = -D* s at the nodes.

        Parameters
        ----------
        stress
            Mandel, (*batch, q, 6, x, y, z), stress units.

        Returns
        -------
        Any
            (*batch, 3, x, y, z), stress units per length.
        """
        return -self.strain_adjoint(stress, grid)[..., :3, :, :, :]

    def null_modes(self, grid: Grid, xp: Any = np) -> Any:
        """Frequencies at which every D_a vanishes: boolean, grid.spectral_shape."""
        k = xp.abs(self.symbol(grid, xp)).max(axis=(0, 1))
        return k <= 1e-12 * k.max()

    def incompatibility(self, strain: Any, grid: Grid) -> Any:
        """inc(e) = eps_ikl eps_jmn D_k D_m e_ln: zero if e is compatible.

        Parameters
        ----------
        strain
            Mandel, (*batch, 1, 6, x, y, z).

        Returns
        -------
        Any
            Mandel, (*batch, 6, x, y, z), per length squared.

        Raises
        ------
        InputError
            A scheme with several integration points (hex8).
        """
        self._one_point("incompatibility")
        return self._inc(strain[..., 0, :, :, :, :], grid, adjoint=False)

    def stress_function(self, potential: Any, grid: Grid) -> Any:
        """inc(Phi) built from D*, so that div inc(Phi) = 0 to rounding.

        Parameters
        ----------
        potential
            Stress functions, stress x length^2: six of Beltrami, Mandel,
            (*batch, 6, x, y, z), or three of Maxwell, Phi_xx, Phi_yy and Phi_zz,
            (*batch, 3, x, y, z).

        Returns
        -------
        Any
            Mandel, (*batch, 1, 6, x, y, z), stress units.

        Raises
        ------
        InputError
            A scheme with several integration points (hex8).
        """
        self._one_point("stress functions")
        return self._inc(potential, grid, adjoint=True)[..., None, :, :, :, :]

    @abstractmethod
    def _inc(self, field: Any, grid: Grid, adjoint: bool) -> Any:
        """`inc` of Mandel fields (*batch, 6 or 3, x, y, z), with D or with D*."""

    def _one_point(self, what: str) -> None:
        if self.points != 1:
            raise InputError(
                f"{what} with scheme {self.name} ({self.points} integration points)",
                "a scheme with one, for instance rotated",
            )


def inc(second: Callable[[Any, int, int], Any], field: Any) -> Any:
    """eps_ikl eps_jmn d_k d_m f_ln of Mandel fields, (..., 6, x, y, z).

    Parameters
    ----------
    second
        `second(f, k, m)` is d_k d_m f.
    field
        Mandel, (..., 6, x, y, z), or the diagonal alone, (..., 3, x, y, z).
    """
    if is_tensor(field):
        f = field.unbind(-4)
    else:
        f = [field[..., c, :, :, :] for c in range(field.shape[-4])]
    # by target, source and the two derivatives, which commute
    factors: dict[tuple[int, int, int, int], float] = {}
    for i, k, p, sign_1 in LEVI_CIVITA:
        for j, m, n, sign_2 in LEVI_CIVITA:
            source, target = _COMPONENT[p, n], _COMPONENT[i, j]
            if j < i or source >= len(f):
                continue
            # Mandel factors off the diagonal: sqrt(2) into the result, 1/sqrt(2) out
            factor = (1.0 if i == j else 2**0.5) * (1.0 if p == n else 0.5**0.5)
            term = target, source, min(k, m), max(k, m)
            factors[term] = factors.get(term, 0) + sign_1 * sign_2 * factor
    sums: list[Any] = [0] * 6
    for (target, source, k, m), factor in factors.items():
        sums[target] = sums[target] + factor * second(f[source], k, m)
    return namespace(field).stack(sums, -4)
