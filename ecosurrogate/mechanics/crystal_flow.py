"""The potential of viscoplastic crystals, explicit in the stress, on torch tensors.

It is that of `fftmech.materials.crystal_creep.CrystalCreepMaterial` with resistances
that slip does not change: of a stress s, with x_a = P_a : s / g_a,

    w*(s) = tr(s)^2 / (18 K) + sum_a r_a g_a psi(x_a),   e = dw*/ds a strain rate.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CrystalFlow:
    """w* of B bodies of crystals, by voxel.

    Attributes
    ----------
    schmid
        P_a over g_a, Mandel (B, N, 6, X, Y, Z).
    power
        r_a g_a, a stress times a rate, (B, N, 1, 1, 1).
    exponent, linear_below
        n_a, and x below which a system is linear, (B, N, 1, 1, 1).
    bulk
        K, stress over rate, (B, 1, 1, 1).
    """

    schmid: Tensor
    power: Tensor
    exponent: Tensor
    linear_below: Tensor
    bulk: Tensor

    def resolve(self, stress: Tensor) -> tuple[Tensor, Tensor]:
        """x_a, (B, N, X, Y, Z), and tr(s), (B, X, Y, Z): linear in the stress."""
        x = self.schmid[:, :, 0] * stress[:, None, 0]
        for i in range(1, 6):
            x = torch.addcmul(x, self.schmid[:, :, i], stress[:, None, i])
        return x, stress[:, :3].sum(dim=1)

    def energy(self, x: Tensor, trace: Tensor) -> Tensor:
        """w* of what `resolve` returned, (B, X, Y, Z)."""
        n, x0 = self.exponent, self.linear_below
        psi = x.abs().clamp_min(x0) ** (n - 1) * x**2
        above = psi / (n + 1) + x0 ** (n + 1) * (0.5 - 1 / (n + 1))
        psi = torch.where(x.abs() < x0, psi / 2, above)
        return trace**2 / (18 * self.bulk) + (self.power * psi).sum(dim=1)

    def slopes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """First and second derivative of r_a g_a psi by x_a, (B, N, X, Y, Z)."""
        n, x0 = self.exponent, self.linear_below
        secant = self.power * x.abs().clamp_min(x0) ** (n - 1)
        return secant * x, torch.where(x.abs() < x0, secant, n * secant)

    def strain(self, stress: Tensor) -> Tensor:
        """e = dw*/ds, Mandel (B, 6, X, Y, Z)."""
        x, trace = self.resolve(stress)
        slip, _ = self.slopes(x)
        e = [(slip * self.schmid[:, :, i]).sum(dim=1) for i in range(6)]
        volume = trace / (9 * self.bulk)
        return torch.stack([*(part + volume for part in e[:3]), *e[3:]], dim=1)

    def fluidity(self, stress: Tensor) -> Tensor:
        """de/ds, Mandel (B, 6, 6, X, Y, Z)."""
        x, _ = self.resolve(stress)
        _, slope = self.slopes(x)
        P = self.schmid
        J = torch.zeros(6, 6, dtype=P.dtype, device=P.device)
        J[:3, :3] = 1
        slip = torch.stack(
            [(slope * P[:, :, i])[:, :, None].mul(P).sum(dim=1) for i in range(6)], 1
        )
        return slip + J[..., None, None, None] / (9 * self.bulk[:, None, None])
