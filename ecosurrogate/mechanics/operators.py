"""The solver's derivative and Green operator, on torch tensors.

The derivative is `fftmech.discretization`'s, the inverse of the reference problem is
`fftmech.operators.green.Green`'s. Everything is linear, differentiable and batched, and
runs on the device of its argument.

Fields are (B, C, X, Y, Z) and Mandel: xx, yy, zz, yz, xz, xy, shear times sqrt(2).
Equations are those of Oommen et al. 2025.
There are no matrix products, so that neither autocast nor TF32 lowers the precision.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fftmech.arrays.backend import torch_backend
from fftmech.discretization import Discretization, discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.operators.green import apply_symbols, torch_symbols


@dataclass(frozen=True)
class Operators:
    """D, D*, stress functions, Green operator and projections of one discretization.

    Parameters
    ----------
    scheme
        Name of a discretization with one integration point.
    grid
        The periodic grid. Its spacing scales displacements and stress functions alone:
        with voxels of edge 1 those of order one give strains and stresses of order one
        at every resolution.
    bulk, shear
        Moduli of the reference medium C0 (stress units), both positive. The projections
        depend on their ratio only.

    Raises
    ------
    InputError
        No such scheme, one with several integration points (hex8, bbar), moduli that
        are not positive.

    Notes
    -----
    `rotated` and `central` have null modes on even grids, where every D_a vanishes: the
    Green operator is zero there, a compatible fluctuation too, and every stress is
    equilibrated.

    `fourier` on even grids obeys Moulinec and Suquet's rule at the Nyquist frequencies:
    the strain there is free, and an equilibrated stress vanishes. The solver carries
    that free strain as six more unknowns (`Discretization.unknowns`). A displacement of
    three components has none: its strain is compatible, with zero at these frequencies.
    So a network that predicts a displacement cannot follow the solver there, while
    `project_compatible` keeps the Nyquist part of its guess, as the solver's does.
    """

    scheme: str
    grid: Grid
    bulk: float
    shear: float

    def __post_init__(self) -> None:
        points = discretization(self.scheme).points
        if points != 1:
            raise InputError(
                f"scheme {self.scheme} ({points} integration points) in a network",
                "a scheme with one, for instance rotated",
            )
        if not (self.bulk > 0 and self.shear > 0):
            raise InputError(
                f"reference medium of bulk {self.bulk} and shear {self.shear}",
                "two positive moduli",
            )

    @property
    def discretization(self) -> Discretization:
        """The scheme itself."""
        return discretization(self.scheme)

    def gradient(self, u: Tensor) -> Tensor:
        """D u, [c, a] = D_a u_c: nodes (B, 3, X, Y, Z) -> voxels (B, 3, 3, X, Y, Z)."""
        self._check("displacement", u, 3)
        return self.discretization.gradient(u, self.grid).squeeze(-6)

    def strain(self, u: Tensor) -> Tensor:
        """sym(D u), eq. 9: nodes (B, 3, X, Y, Z) -> voxels (B, 6, X, Y, Z).

        With `fourier` on an even grid nine components are taken too, see `Notes`.
        """
        self._check("displacement", u, 3, self.discretization.unknowns(self.grid))
        return self.discretization.strain(u, self.grid).squeeze(-5)

    def strain_adjoint(self, stress: Tensor) -> Tensor:
        """D* s, <D u, s> = <u, D* s>: (B, 6, X, Y, Z) -> (B, 3, X, Y, Z).

        With `fourier` on an even grid it has nine components.
        """
        self._check("stress", stress, 6)
        return self.discretization.strain_adjoint(stress.unsqueeze(-5), self.grid)

    def divergence(self, stress: Tensor) -> Tensor:
        """div s = -D* s, eq. 3: voxels (B, 6, X, Y, Z) -> nodes (B, 3, X, Y, Z)."""
        return -self.strain_adjoint(stress)[..., :3, :, :, :]

    def incompatibility(self, strain: Tensor) -> Tensor:
        """inc(e) = curl e curl, eq. 4: (B, 6, X, Y, Z) -> (B, 6, X, Y, Z)."""
        self._check("strain", strain, 6)
        return self.discretization.incompatibility(strain.unsqueeze(-5), self.grid)

    def stress_function(self, potential: Tensor) -> Tensor:
        """inc(Phi) built from D*, whose divergence vanishes, (B, 6, X, Y, Z).

        Parameters
        ----------
        potential
            Six stress functions of Beltrami, Mandel, (B, 6, X, Y, Z), or the three of
            Maxwell, Phi_xx, Phi_yy, Phi_zz, (B, 3, X, Y, Z); stress x length^2.
        """
        self._check("stress functions", potential, 3, 6)
        return _StressFunction.apply(potential, self.discretization, self.grid)

    def green(self, force: Tensor) -> Tensor:
        """M f with M = (D* C0 D)^+: zero mean, zero on the scheme's null modes.

        `force` is what `strain_adjoint` returns, and so is the result.
        """
        self._check("force", force, 3, self.discretization.unknowns(self.grid))
        fft = torch_backend()
        spectrum = fft.rfftn(force[..., :3, :, :, :])
        medium = (self.bulk, self.shear)
        M = torch_symbols(self.scheme, self.grid, *medium, force.dtype, force.device)
        u = fft.irfftn(apply_symbols(M, spectrum), self.grid.shape)
        if force.shape[-4] == 3:
            return u
        return torch.cat([u, self.compliance(force[..., 3:, :, :, :])], dim=-4)

    def project_compatible(self, strain: Tensor) -> Tensor:
        """Nearest compatible field in the C0 norm, mean kept: <e> + D M D* C0 e."""
        mean = _mean(strain)
        force = self.strain_adjoint(self.stiffness(strain - mean))
        return mean + self.strain(self.green(force))

    def project_equilibrated(self, stress: Tensor) -> Tensor:
        """Nearest equilibrated field in the C0^-1 norm, mean kept: s - C0 D M D* s."""
        projected = self.without_force(stress)
        # once more, which takes off what rounding left; nothing to differentiate
        with torch.no_grad():
            rest = self.without_force(projected) - projected
        return projected + rest

    def without_force(self, stress: Tensor) -> Tensor:
        """`project_equilibrated` with half the Green operations and more rounding."""
        # a mean has no divergence, but would take digits of it in a transform
        u = self.green(self.strain_adjoint(stress - _mean(stress)))
        return stress - self.stiffness(self.strain(u))

    def stiffness(self, strain: Tensor) -> Tensor:
        """C0 e: (B, 6, X, Y, Z) -> (B, 6, X, Y, Z)."""
        return _isotropic(strain, self.bulk, self.shear)

    def compliance(self, stress: Tensor) -> Tensor:
        """C0^-1 s: (B, 6, X, Y, Z) -> (B, 6, X, Y, Z)."""
        return _isotropic(stress, 1 / (9 * self.bulk), 1 / (4 * self.shear))

    def _check(self, name: str, field: Tensor, *channels: int) -> None:
        shape = self.grid.shape
        if field.ndim == 5 and field.shape[1] in channels and field.shape[2:] == shape:
            return
        expected = " or ".join(str(("batch", c, *shape)) for c in sorted({*channels}))
        raise InputError(
            f"{name} of shape {tuple(field.shape)} on a grid of {shape}", expected
        )


class _StressFunction(torch.autograd.Function):
    """inc of D*, whose adjoint is inc of D: no derivatives of its many terms."""

    @staticmethod
    def forward(
        ctx: Any, potential: Tensor, scheme: Discretization, grid: Grid
    ) -> Tensor:
        ctx.parts = potential.shape[1], scheme, grid
        return scheme.stress_function(potential, grid).squeeze(-5)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        count, scheme, grid = ctx.parts
        slope = scheme.incompatibility(grads[0].unsqueeze(-5), grid)
        return slope[:, :count], None, None


def _mean(field: Tensor) -> Tensor:
    return field.mean(dim=(-3, -2, -1), keepdim=True)


def _isotropic(field: Tensor, bulk: float, shear: float) -> Tensor:
    """3 K J + 2 G K of moduli K and G, applied to Mandel fields."""
    normal, off = field[..., :3, :, :, :], field[..., 3:, :, :, :]
    pressure = (bulk - 2 * shear / 3) * normal.sum(dim=-4, keepdim=True)
    return torch.cat([2 * shear * normal + pressure, 2 * shear * off], dim=-4)
