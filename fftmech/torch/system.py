"""The discrete problem of `fftmech.problems.linear`, on a batch of tensors.

The unknown v = (u, E) of a sample is flat: the displacement fluctuation u at the nodes,
then six mean strains E, of which those count whose mean stress is prescribed. A
polarization t, a stress at the voxels, and mean stresses S load it:

    K v = -(D* t, <t> - S),      K v = (D* C e, <C e>),      e = E + sym(D u),

with the mean stresses on the free components only. The derivative is
`fftmech.discretization`'s, the inverse of the reference medium
`fftmech.operators.green`'s.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from fftmech.arrays.backend import torch_backend
from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.operators.green import apply_symbols, torch_symbols
from fftmech.problems.rounding import ROUNDING
from fftmech.tensors import J, K, reference_stiffness
from fftmech.torch.conjugate_gradient import Solution, conjugate_gradient

# Conjugate gradients see of the reference medium the ratio K / G only, and little of
# it: rounded to a power of this step, symbols are kept while stiffness varies.
STEP = 2**0.25


class LinearSystem:
    """K and M of a batch of bodies in one discretization.

    Parameters
    ----------
    scheme
        Name of a discretization.
    grid
        The periodic grid.
    stiffness
        Mandel field, (1 or B, 6, 6, x, y, z), symmetric.
    free
        1 where the mean stress is prescribed, else 0, (B, 6), dtype of the stiffness.
    """

    def __init__(
        self, scheme: str, grid: Grid, stiffness: Tensor, free: Tensor
    ) -> None:
        self.scheme, self.grid = discretization(scheme), grid
        self.stiffness, self.free = stiffness, free
        self._parts = self.scheme.parts()
        self._nodes = (self.scheme.unknowns(grid), *grid.shape)
        ratios = _reference_ratios(stiffness.mean((-3, -2, -1)))
        self._symbols = {
            ratio: torch_symbols(scheme, grid, ratio, 1.0, free.dtype, free.device)
            for ratio in set(ratios)
        }
        self._samples = {
            ratio: [n for n, other in enumerate(ratios) if other == ratio]
            for ratio in set(ratios)
        }
        compliance = np.array([J / (3 * ratio) + K / 2 for ratio in ratios])
        self._compliance = free.new_tensor(compliance)
        reference = np.array([reference_stiffness(ratio, 1.0) for ratio in ratios])
        self._free_compliance = _on_free(reference, free)

    def solve(
        self, polarization: Tensor, stress: Tensor, tolerance: float, iterations: int
    ) -> Solution:
        """Equilibrate a polarization (B, 6, x, y, z) under mean stresses (B, 6)."""
        # of size one: squares of residuals must neither overflow nor vanish
        unit = torch.maximum(
            polarization.abs().amax((-4, -3, -2, -1)), stress.abs().amax(-1)
        )
        unit = torch.where(unit > 0, unit, 1.0)[:, None]
        polarization = polarization / unit[..., None, None, None]
        stress = stress / unit
        force = self.scheme.strain_adjoint(self._at_points(polarization), self.grid)
        missing = self.free * (stress - polarization.mean((-3, -2, -1)))
        b = torch.cat([-force.flatten(1), missing], 1)
        # the dual norm is at most of this size: rounding is judged against it
        size = (polarization.double() ** 2).sum(1).mean((-3, -2, -1))
        size = (size + (stress.double() ** 2).sum(1)).sqrt()
        floor = 10 * torch.finfo(b.dtype).eps * size
        v, *rest = conjugate_gradient(
            self,
            b,
            floor,
            tolerance,
            iterations,
            lambda v: self._stress_size(polarization, v),
        )
        return Solution(v * unit, *rest)

    def _stress_size(self, polarization: Tensor, v: Tensor) -> Tensor:
        """Root mean square of t + C e (C0^-1 norm), (B,); inf of what is rounding."""
        least = ROUNDING * torch.finfo(v.dtype).eps
        stiffness = self.stiffness.abs().amax((1, 2))
        compliance = self._compliance[..., None, None, None]
        square = torch.zeros(len(v), dtype=torch.float64, device=v.device)
        none = torch.ones(len(v), dtype=torch.bool, device=v.device)
        for strain in self.strains(v):
            stress = polarization + multiply(self.stiffness, strain)
            product = stress * multiply(compliance, stress)
            square = square + product.sum(1, dtype=torch.float64).mean((-3, -2, -1))
            top = strain.abs().amax((-4, -3, -2, -1))[:, None, None, None]
            rounding = least * (stiffness * top + polarization.abs().amax(1))
            none = none & (stress.abs().amax(1) <= rounding).flatten(1).all(1)
        return torch.where(none, torch.inf, (square / len(self._parts)).sqrt())

    def strains(self, v: Tensor) -> Iterator[Tensor]:
        """E + sym(D u) at one integration point after the other, (B, 6, x, y, z)."""
        u = v[:, :-6].unflatten(1, self._nodes)
        E = (self.free * v[:, -6:])[..., None, None, None]
        for part in self._parts:
            yield part.strain(u, self.grid).squeeze(-5) + E

    def mean_strains(self, v: Tensor) -> Tensor:
        """Voxel averages of `strains`, (B, 6, x, y, z)."""
        total, *others = self.strains(v)
        for strain in others:
            total += strain
        return total / len(self._parts) if others else total

    def apply(self, v: Tensor) -> Tensor:
        """K v, (B, unknowns) -> (B, unknowns)."""
        total = torch.zeros_like(v)
        for part, strain in zip(self._parts, self.strains(v), strict=True):
            stress = multiply(self.stiffness, strain)
            force = part.strain_adjoint(stress.unsqueeze(-5), self.grid)
            total[:, :-6] += force.flatten(1)
            total[:, -6:] += self.free * stress.mean((-3, -2, -1))
        return total.div_(len(self._parts))

    def precondition(self, r: Tensor) -> Tensor:
        """M r: the exact solution for the reference medium, shear modulus 1."""
        force = r[:, :-6].unflatten(1, self._nodes)
        u = self._green(force[:, :3])
        if force.shape[1] > 3:
            compliance = self._compliance[..., None, None, None]
            u = torch.cat([u, multiply(compliance, force[:, 3:])], 1)
        E = (self._free_compliance * r[:, None, -6:]).sum(-1)
        return torch.cat([u.flatten(1), E], 1)

    def dot(self, a: Tensor, b: Tensor) -> Tensor:
        """Volume average of a.b of each sample, double precision, (B,)."""
        product = a * b
        nodal = product[:, :-6].sum(1, dtype=torch.float64) / self.grid.voxels
        return nodal + product[:, -6:].sum(1, dtype=torch.float64)

    def _green(self, force: Tensor) -> Tensor:
        fft = torch_backend()
        f = fft.rfftn(force)
        if len(self._symbols) == 1:
            (M,) = self._symbols.values()
            return fft.irfftn(apply_symbols(M, f), self.grid.shape)
        u = torch.empty_like(f)
        for ratio, samples in self._samples.items():
            u[samples] = apply_symbols(self._symbols[ratio], f[samples])
        return fft.irfftn(u, self.grid.shape)

    def _at_points(self, field: Tensor) -> Tensor:
        """A field at the voxels, the same at all integration points of each."""
        return field.unsqueeze(-5).expand(-1, self.scheme.points, -1, -1, -1, -1)


def multiply(C: Tensor, field: Tensor) -> Tensor:
    """Matrix times vector at each voxel: (b, 6, 6, ...), (B, 6, ...) -> (B, 6, ...).

    No matrix product of torch, whose precision autocast and TF32 lower.
    """
    total = C[:, :, 0] * field[:, :1]
    for j in range(1, 6):
        total.addcmul_(C[:, :, j], field[:, j : j + 1])
    return total


def _reference_ratios(C: Tensor) -> list[float]:
    """K / G of the isotropic part of mean stiffnesses (b, 6, 6), rounded."""
    bulk = C[:, :3, :3].sum((-2, -1)) / 9
    shear = (C.diagonal(dim1=-2, dim2=-1).sum(-1) - 3 * bulk) / 10
    # without any stiffness the ratio is NaN, and the conjugate gradients fail
    ratio = (bulk / shear).nan_to_num(1.0).clamp(1e-3, 1e3).double()
    return [STEP**power for power in (ratio.log() / np.log(STEP)).round().tolist()]


def _on_free(reference: np.ndarray, free: Tensor) -> Tensor:
    """Answer of reference media (b, 6, 6) to mean stresses on the free components."""
    mask = free.cpu().numpy().astype(float)
    both = mask[:, :, None] * mask[:, None, :]
    inverse = np.linalg.inv(np.where(both > 0, reference, np.eye(6)))
    return free.new_tensor(inverse * both)
