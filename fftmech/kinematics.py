"""Which strain a body is described with: the small one, or the deformation gradient."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.discretization.base import Discretization
from fftmech.errors import InputError
from fftmech.grid import Grid
from fftmech.reference import reference_stiffness
from fftmech.tensors import PAIRS


@dataclass(frozen=True)
class Kinematics:
    """A strain, its adjoint, and what a reference medium answers to its mean.

    Attributes
    ----------
    finite
        False: e = E + sym(D u), Mandel, 6 components. True: F = F_mean + D u, by rows
        F_xx F_xy F_xz F_yx ..., 9 components.
    """

    finite: bool

    @property
    def components(self) -> int:
        """6 or 9."""
        return 9 if self.finite else 6

    @property
    def rest(self) -> np.ndarray:
        """The strain of the undeformed body, (c,): 0, or the identity."""
        return np.eye(3).ravel() if self.finite else np.zeros(6)

    def check(self, scheme: Discretization, grid: Grid) -> None:
        """Refuse a scheme that cannot do it.

        Raises
        ------
        InputError
            Finite strain on an even grid with `fourier`, whose Nyquist strains are no
            gradient.
        """
        if self.finite and scheme.unknowns(grid) != 3:
            raise InputError(
                f"scheme {scheme.name} at finite strain on an even grid "
                f"({'x'.join(map(str, grid.shape))}): expected odd numbers of voxels; "
                "use --scheme rotated"
            )

    def strain(self, scheme: Discretization, u: Any, mean: Any, grid: Grid) -> Any:
        """Strain at integration points: (n, x, y, z), (c,) -> (q, c, x, y, z)."""
        if self.finite:
            strain = scheme.gradient(u, grid)
            strain = strain.reshape(len(strain), 9, *grid.shape)
        else:
            strain = scheme.strain(u, grid)
        strain += mean.astype(strain.dtype)[:, None, None, None]
        return strain

    def adjoint(self, scheme: Discretization, stress: Any, grid: Grid) -> Any:
        """D* s: (q, c, x, y, z) -> (n, x, y, z), mean over q."""
        if self.finite:
            tensor = stress.reshape(len(stress), 3, 3, *grid.shape)
            return scheme.gradient_adjoint(tensor, grid)
        return scheme.strain_adjoint(stress, grid)

    def reference(self, bulk: float, shear: float) -> np.ndarray:
        """Answer of an isotropic medium to a mean strain, (c, c), stress units.

        Of F, rotations are given the stiffness of shear: the mean needs an inverse.
        """
        if not self.finite:
            return reference_stiffness(bulk, shear)
        J = np.outer(self.rest, self.rest) / 3
        return 3 * bulk * J + 2 * shear * (np.eye(9) - J)


def green_lagrange(F: Any, xp: Any = np) -> Any:
    """1/2 (F^T F - 1), (..., 3, 3, x, y, z) -> Mandel (..., 6, x, y, z)."""
    parts = []
    for i, j in PAIRS:
        product = (F[..., :, i, :, :, :] * F[..., :, j, :, :, :]).sum(axis=-4)
        parts.append(0.5 * (product - 1) if i == j else 0.5**0.5 * product)
    return xp.stack(parts, -4)


def cauchy(F: Any, P: Any, xp: Any = np) -> Any:
    """P F^T / det F, (..., 3, 3, x, y, z) -> Mandel (..., 6, x, y, z)."""
    J = determinant(F)
    parts = []
    for i, j in PAIRS:
        one = (P[..., i, :, :, :, :] * F[..., j, :, :, :, :]).sum(axis=-4)
        other = (P[..., j, :, :, :, :] * F[..., i, :, :, :, :]).sum(axis=-4)
        # symmetric but for rounding
        parts.append((one + other) * ((0.5 if i == j else 0.5**0.5) / J))
    return xp.stack(parts, -4)


def determinant(F: Any) -> Any:
    """det F, (..., 3, 3, x, y, z) -> (..., x, y, z)."""

    def f(i: int, j: int) -> Any:
        return F[..., i, j, :, :, :]

    return (
        f(0, 0) * (f(1, 1) * f(2, 2) - f(1, 2) * f(2, 1))
        - f(0, 1) * (f(1, 0) * f(2, 2) - f(1, 2) * f(2, 0))
        + f(0, 2) * (f(1, 0) * f(2, 1) - f(1, 1) * f(2, 0))
    )


SMALL = Kinematics(finite=False)
FINITE = Kinematics(finite=True)
