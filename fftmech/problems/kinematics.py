"""Strain measures: the small strain, or the deformation gradient."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.discretization.base import Discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.tensors.stiffness import reference_stiffness


@dataclass(frozen=True)
class Kinematics:
    """A strain measure, its adjoint, and the stiffness of a reference medium for it.

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
            gradient, or with a mean dilatation, which is defined for small strain.
        """
        if self.finite and scheme.dilatation is not None:
            raise InputError(
                f"scheme {scheme.name} at finite strain",
                "a scheme whose strain is a gradient",
                "use --scheme rotated",
            )
        if self.finite and scheme.unknowns(grid) != 3:
            raise InputError(
                f"scheme {scheme.name} at finite strain on an even grid "
                f"({'x'.join(map(str, grid.shape))})",
                "odd numbers of voxels",
                "use --scheme rotated",
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
        """Stiffness of an isotropic medium for a mean strain, (c, c), stress units.

        For F, the antisymmetric part has the stiffness of shear, so that there is an
        inverse.
        """
        if not self.finite:
            return reference_stiffness(bulk, shear)
        J = np.outer(self.rest, self.rest) / 3
        return 3 * bulk * J + 2 * shear * (np.eye(9) - J)


SMALL = Kinematics(finite=False)
FINITE = Kinematics(finite=True)
