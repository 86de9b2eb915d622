"""The solve as one node of torch's graph, and the linear problem of its backward pass.

The discrete solution e = E + E' + sym(D u), s = C (e - e0) obeys, with the prescribed
mean strains in E, the free ones in E', and mean stresses S on the free components,

    D* s = 0,    <s> = S on the free components.                                   (1)

Let a and b be the cotangents of strain and stress as densities, dL = <a : de + b : ds>
with <.> the mean over voxels and integration points; ds = C (de - de0) + dC (e - e0).
The adjoint strain w = W' + sym(D lambda), with mean strains W' on the free components
only, solves

    D* (C (w + b) + a) = 0,    <C (w + b) + a> = 0 on the free components:         (2)

the same symmetric operator, under the polarization a + C b. Testing (2) with the
admissible part of de, (1) differentiated with w, and adding up,

    dL = <(w + b) : dC : (e - e0)> - <C (w + b) : de0>
         + <C (w + b) + a> : dE - W' : dS.                                         (3)

No iteration enters: what the graph keeps is its arguments and one unknown, u and E'.
With b constant and a = 0, (2) is the body under the mean strain b: the derivative of an
effective stiffness is <e_i : dC : e_j> (Hellmann-Feynman), and that of the energy
1/2 <e : C : e> under a prescribed mean strain is <1/2 e : dC : e>.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fftmech.discretization.grid import Grid
from fftmech.errors import NotConverged
from fftmech.torch.system import LinearSystem, multiply


@dataclass(frozen=True)
class Settings:
    """How to solve; the options of `fftmech.torch.solve`, checked."""

    scheme: str
    grid: Grid
    tolerance: float
    max_iterations: int


class Solve(torch.autograd.Function):
    """Strain and stress, (B, 6, x, y, z), of tensors that `solve` has checked.

    Arguments: settings; index, rows of the table by voxel, (1 or B, x, y, z), or None;
    stiffness, a table of rows (R, 6, 6), or a field (1 or B, 6, 6, x, y, z) if there is
    no index; mean strain and mean stress, (B, 6); free, (B, 6), 1 or 0; eigenstrain,
    (1 or B, 6, x, y, z) or None.
    """

    @staticmethod
    def forward(
        ctx: Any,
        settings: Settings,
        index: Tensor | None,
        stiffness: Tensor,
        mean_strain: Tensor,
        mean_stress: Tensor,
        free: Tensor,
        eigenstrain: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Solve (1)."""
        system = _system(settings, index, stiffness, free)
        elastic = _prescribed(mean_strain, free, eigenstrain)
        v, iterations, residual = system.solve(
            multiply(system.stiffness, elastic),
            free * mean_stress,
            settings.tolerance,
            settings.max_iterations,
        )
        elastic = elastic + system.mean_strains(v)
        stress = multiply(system.stiffness, elastic)
        strain = elastic if eigenstrain is None else elastic + eigenstrain
        ctx.settings = settings
        ctx.save_for_backward(index, stiffness, mean_strain, free, eigenstrain, v)
        ctx.mark_non_differentiable(iterations, residual)
        return strain, stress, iterations, residual

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, a: Tensor, b: Tensor, *_: Any) -> Any:
        """Solve (2) and return the parts of (3)."""
        index, stiffness, mean_strain, free, eigenstrain, v = ctx.saved_tensors
        settings = ctx.settings
        system = _system(settings, index, stiffness, free)
        C, N = system.stiffness, settings.grid.voxels
        a, b = N * a, N * b
        w = _adjoint(system, a + multiply(C, b), settings)
        _, _, need_C, need_E, need_S, _, need_e0 = ctx.needs_input_grad
        d_C = d_E = d_S = d_e0 = None
        if need_C:
            prescribed = _prescribed(mean_strain, free, eigenstrain)
            pairs = zip(system.strains(w), system.strains(v), strict=True)
            pairs = ((one + b, prescribed + other) for one, other in pairs)
            d_C = _products(pairs, stiffness, index) / (N * system.scheme.points)
        if need_E or need_e0:
            adjoint = multiply(C, system.mean_strains(w) + b)
            d_E = (1 - free) * (adjoint + a).mean((-3, -2, -1))
            if need_e0:
                d_e0 = -adjoint / N
                d_e0 = d_e0.sum(0, keepdim=True) if len(eigenstrain) == 1 else d_e0
        if need_S:
            d_S = -free * w[:, -6:]
        return None, None, d_C, d_E, d_S, None, d_e0


def _system(
    settings: Settings, index: Tensor | None, stiffness: Tensor, free: Tensor
) -> LinearSystem:
    if index is not None:
        symmetric = (stiffness + stiffness.mT) / 2
        # the voxels last and next to each other: (b, 6, 6, x, y, z)
        field = symmetric.permute(1, 2, 0).contiguous()[..., index].movedim(2, 0)
    else:
        field = (stiffness + stiffness.transpose(1, 2)) / 2
    return LinearSystem(settings.scheme, settings.grid, field, free)


def _adjoint(system: LinearSystem, polarization: Tensor, settings: Settings) -> Tensor:
    """Unknown of (2)."""
    still = torch.zeros_like(system.free)
    try:
        return system.solve(
            polarization, still, settings.tolerance, settings.max_iterations
        ).v
    except NotConverged as error:
        advice = ""
        if bool((system.stiffness.abs().amax((1, 2)) == 0).any()):
            # D* a has to come from where there is stiffness
            advice = "; strains in pores are not determined: keep them out of the loss"
        raise NotConverged(f"backward pass: {error}{advice}") from None


def _prescribed(
    mean_strain: Tensor, free: Tensor, eigenstrain: Tensor | None
) -> Tensor:
    """Prescribed mean strain less eigenstrain, (B, 6, 1 or x, 1 or y, 1 or z)."""
    E = ((1 - free) * mean_strain)[..., None, None, None]
    return E if eigenstrain is None else E - eigenstrain


def _products(
    pairs: Iterable[tuple[Tensor, Tensor]], stiffness: Tensor, index: Tensor | None
) -> Tensor:
    """Sum of sym(p x q) over pairs of fields (B, 6, x, y, z), shaped as the stiffness.

    By voxel, or over the voxels of each row of a table; over samples that share it.
    """
    if index is None:
        total = torch.zeros_like(stiffness)
        for p, q in pairs:
            for n in range(len(p)):
                total[n % len(total)].addcmul_(p[n, :, None], q[n])
        return (total + total.transpose(1, 2)) / 2
    # sums of many voxels, in double precision whatever the fields are in
    total = torch.zeros_like(stiffness, dtype=torch.float64)
    for p, q in pairs:
        for i in range(6):
            row = (p[:, i : i + 1] * q).double()
            row = row.sum(0, keepdim=True) if len(index) == 1 else row
            rows = row.movedim(1, -1).flatten(0, -2)
            total[:, i].index_add_(0, index.flatten(), rows)
    return ((total + total.mT) / 2).to(stiffness.dtype)
