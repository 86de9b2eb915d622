"""The discrete problem of `fftmech.problems.linear`, on a batch of tensors.

The unknown v = (u, E) of a sample is flat: the displacement fluctuation u at the nodes,
then six mean strains E, of which those count whose mean stress is prescribed; its
strain is eps(v) = E + sym(D u). With an imposed strain h, an imposed stress t and
forces f on the unknowns, v solves

    eps* (C (h + eps(v)) + t) = f,      eps* s = (D* s, <s> on the free components),

that is, K v = f - eps* (C h + t) with K = eps* C eps. The derivative is
`fftmech.discretization`'s, the inverse of the reference medium
`fftmech.operators.green`'s.
"""

from collections.abc import Iterable, Iterator

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


class Unknowns:
    """Strains of the unknown v and their adjoint, forces of stresses on it.

    Nothing here works in place: these operations are differentiated and mapped.

    Parameters
    ----------
    scheme
        Name of a discretization.
    grid
        The periodic grid.
    free
        1 where the mean stress is prescribed, else 0, (B, 6), dtype of the fields.
    """

    def __init__(self, scheme: str, grid: Grid, free: Tensor) -> None:
        self.scheme, self.grid, self.free = discretization(scheme), grid, free
        self.nodes = (self.scheme.unknowns(grid), *grid.shape)
        self._parts = self.scheme.parts()

    def strains(self, v: Tensor) -> Iterator[Tensor]:
        """eps(v) at one integration point after the other, (B, 6, x, y, z)."""
        u = v[:, :-6].unflatten(1, self.nodes)
        E = (self.free * v[:, -6:])[..., None, None, None]
        for part in self._parts:
            yield part.strain(u, self.grid).squeeze(-5) + E

    def forces(self, stresses: Iterable[Tensor]) -> Tensor:
        """eps* s, (B, unknowns), of stresses at one integration point after another."""
        total = None
        for part, stress in zip(self._parts, stresses, strict=True):
            nodal = part.strain_adjoint(stress.unsqueeze(-5), self.grid).flatten(1)
            mean = self.free * stress.mean((-3, -2, -1))
            force = torch.cat([nodal.expand(len(mean), -1), mean], 1)
            total = force if total is None else total + force
        assert total is not None
        return total / len(self._parts) if len(self._parts) > 1 else total

    def mean(self, fields: Iterable[Tensor]) -> Tensor:
        """Voxel averages of fields at one integration point after another."""
        total, *others = fields
        for field in others:
            total = total + field
        return total / len(self._parts) if others else total


class LinearSystem:
    """K and M of a batch of bodies in one discretization.

    Parameters
    ----------
    unknowns
        Of the bodies.
    stiffness
        Mandel field, (1 or B, 6, 6, x, y, z), symmetric.
    """

    def __init__(self, unknowns: Unknowns, stiffness: Tensor) -> None:
        self.unknowns, self.stiffness = unknowns, stiffness
        free = unknowns.free
        ratios = _reference_ratios(stiffness.mean((-3, -2, -1)))
        scheme, grid = unknowns.scheme.name, unknowns.grid
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
        self,
        strain: Tensor,
        stress: Tensor,
        force: Tensor | None,
        tolerance: float,
        iterations: int,
    ) -> Solution:
        """Solve for v under imposed strain and stress, (1 or B, 6, 1 or x, ...).

        Forces on the unknowns are (B, unknowns), or none.
        """
        scheme, free = self.unknowns.scheme, self.unknowns.free
        parts = multiply(self.stiffness, strain), stress
        # of size one: squares of residuals must neither overflow nor vanish
        sizes = [part.abs().flatten(1).amax(1) for part in parts]
        sizes += [] if force is None else [force.abs().amax(1)]
        unit = sizes[0]
        for size in sizes[1:]:
            unit = torch.maximum(unit, size)
        unit = torch.where(unit > 0, unit, 1.0).expand(len(free))[:, None]
        one, other = (part / unit[..., None, None, None] for part in parts)
        b = -self.unknowns.forces([one + other] * scheme.points)
        if force is not None:
            b = b + force / unit
        # the dual norm is at most of this size: rounding is judged against it
        first, second = (
            (part.double() ** 2).sum(1).mean((-3, -2, -1)) for part in (one, other)
        )
        floor = 10 * torch.finfo(b.dtype).eps * (first + second).sqrt()
        limits = floor, tolerance, iterations
        v, *rest = conjugate_gradient(
            self, b, *limits, lambda v: self._stress_size(one + other, v)
        )
        return Solution(v * unit, *rest)

    def _stress_size(self, polarization: Tensor, v: Tensor) -> Tensor:
        """Root mean square of t + C e (C0^-1 norm), (B,); inf of what is rounding."""
        least = ROUNDING * torch.finfo(v.dtype).eps
        stiffness = self.stiffness.abs().amax((1, 2))
        compliance = self._compliance[..., None, None, None]
        square = torch.zeros(len(v), dtype=torch.float64, device=v.device)
        none = torch.ones(len(v), dtype=torch.bool, device=v.device)
        for strain in self.unknowns.strains(v):
            stress = polarization + multiply(self.stiffness, strain)
            product = stress * multiply(compliance, stress)
            square = square + product.sum(1, dtype=torch.float64).mean((-3, -2, -1))
            top = strain.abs().amax((-4, -3, -2, -1))[:, None, None, None]
            rounding = least * (stiffness * top + polarization.abs().amax(1))
            none = none & (stress.abs().amax(1) <= rounding).flatten(1).all(1)
        size = (square / self.unknowns.scheme.points).sqrt()
        return torch.where(none, torch.inf, size)

    def apply(self, v: Tensor) -> Tensor:
        """K v, (B, unknowns) -> (B, unknowns)."""
        strains = self.unknowns.strains(v)
        return self.unknowns.forces(multiply(self.stiffness, e) for e in strains)

    def precondition(self, r: Tensor) -> Tensor:
        """M r: the exact solution for the reference medium, shear modulus 1."""
        force = r[:, :-6].unflatten(1, self.unknowns.nodes)
        u = self._green(force[:, :3])
        if force.shape[1] > 3:
            compliance = self._compliance[..., None, None, None]
            u = torch.cat([u, multiply(compliance, force[:, 3:])], 1)
        E = (self._free_compliance * r[:, None, -6:]).sum(-1)
        return torch.cat([u.flatten(1), E], 1)

    def dot(self, a: Tensor, b: Tensor) -> Tensor:
        """Volume average of a.b of each sample, double precision, (B,)."""
        product = a * b
        voxels = self.unknowns.grid.voxels
        nodal = product[:, :-6].sum(1, dtype=torch.float64) / voxels
        return nodal + product[:, -6:].sum(1, dtype=torch.float64)

    def _green(self, force: Tensor) -> Tensor:
        fft, shape = torch_backend(), self.unknowns.grid.shape
        f = fft.rfftn(force)
        if len(self._symbols) == 1:
            (M,) = self._symbols.values()
            return fft.irfftn(apply_symbols(M, f), shape)
        u = torch.empty_like(f)
        for ratio, samples in self._samples.items():
            u[samples] = apply_symbols(self._symbols[ratio], f[samples])
        return fft.irfftn(u, shape)


def multiply(C: Tensor, field: Tensor) -> Tensor:
    """Matrix times vector at each voxel: (b, 6, 6, ...), (B, 6, ...) -> (B, 6, ...).

    No matrix product of torch, whose precision autocast and TF32 lower.
    """
    total = C[:, :, 0] * field[:, :1]
    for j in range(1, 6):
        total = total.addcmul(C[:, :, j], field[:, j : j + 1])
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
