"""The solve as one node of torch's graph, and its derivatives: each is one more solve.

With an imposed strain h, an imposed stress t and forces f, a solution is

    eps* (C e + t) = f,      e = h + eps(v),      s = C e,                         (1)

eps(v) being the strain of the unknown v, fluctuations of the displacement and free mean
strains, and eps* its adjoint (`fftmech.torch.system`). The solve of prescribed mean
strains E, mean stresses S and eigenstrain e0 has h = E - e0 and t = -S.

Forward. (1) differentiated is (1) again, of the same body: dv solves it under the
strain dh, the stress dt + dC e and the forces df, and

    de = dh + eps(dv),      ds = C de + dC e.                                      (2)

Backward. Let a, b and g be the cotangents of e, s and v as densities: with <.> the mean
over voxels and integration points, dL = <a : de + b : ds> + <g . dv>. The adjoint
solution w solves (1) under the strain b, the stress a and the forces -g. With its
strain p = b + eps(w) and its stress q = C p, testing it with dv and (2) with w gives

    dL = <p : dC : e> + <(q + a) : dh> + <(p - b) : dt> - <w . df>.                (3)

Both need nothing but solves and products, so that they have derivatives themselves,
and no iteration enters: what the graph keeps is the arguments and v.

With b constant and a = 0, p is the strain of the body under the mean strain b: the
derivative of an effective stiffness is <e_i : dC : e_j> (Hellmann-Feynman), and that of
the energy 1/2 <e : C : e> under a prescribed mean strain is <1/2 e : dC : e>.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from fftmech.discretization.grid import Grid
from fftmech.errors import NotConverged
from fftmech.torch.system import LinearSystem, Unknowns, multiply


@dataclass(frozen=True)
class Settings:
    """How to solve; the options of `fftmech.torch.solve`, checked.

    `derivative` names what is solved if not the body itself, for messages.
    """

    scheme: str
    grid: Grid
    tolerance: float
    max_iterations: int
    derivative: str = ""


class Solve(torch.autograd.Function):
    """Strain e, stress s, (B, 6, x, y, z), and unknown v, (B, unknowns), of (1).

    Arguments: settings; index, rows of the table by voxel, (1 or B, x, y, z), or None;
    stiffness, a table of rows (R, 6, 6), or a field (1 or B, 6, 6, x, y, z) if there is
    no index; free, (B, 6), 1 or 0; strain h and stress t, (1 or B, 6, 1 or x, 1 or y,
    1 or z); force f, (B, unknowns), or None. Iterations and residuals follow v.
    """

    @staticmethod
    def forward(
        settings: Settings,
        index: Tensor | None,
        stiffness: Tensor,
        free: Tensor,
        strain: Tensor,
        stress: Tensor,
        force: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Solve (1)."""
        unknowns = Unknowns(settings.scheme, settings.grid, free)
        system = LinearSystem(unknowns, _field(index, stiffness))
        try:
            v, iterations, residual = system.solve(
                strain, stress, force, settings.tolerance, settings.max_iterations
            )
        except NotConverged as error:
            raise _explained(error, settings, system) from None
        e = strain + unknowns.mean(unknowns.strains(v))
        return e, multiply(system.stiffness, e), v, iterations, residual

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep the arguments and v."""
        settings, index, stiffness, free, strain, stress, _ = inputs
        _, _, v, iterations, residual = output
        ctx.settings, ctx.stress_shape = settings, stress.shape
        kept = index, stiffness, free, strain, v
        ctx.save_for_backward(*kept)
        ctx.save_for_forward(*kept)
        ctx.mark_non_differentiable(iterations, residual)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, a: Any, b: Any, g: Tensor | None, *_: Any) -> Any:
        """The parts of (3)."""
        index, stiffness, free, strain, v = ctx.saved_tensors
        settings, N = ctx.settings, ctx.settings.grid.voxels
        none = free.new_zeros(1, 6, 1, 1, 1)
        a = none if a is None else N * a
        b = none if b is None else N * b
        settings = replace(settings, derivative="backward pass")
        force = None if g is None else -_densities(g, N)
        p, q, w = Solve.apply(settings, index, stiffness, free, b, a, force)[:3]
        need = ctx.needs_input_grad
        d_C = d_h = d_t = d_f = None
        if need[2]:
            unknowns = Unknowns(settings.scheme, settings.grid, free)
            pairs = zip(unknowns.strains(w), unknowns.strains(v), strict=True)
            pairs = ((b + one, strain + other) for one, other in pairs)
            d_C = _products(pairs, stiffness, index) / (N * unknowns.scheme.points)
        if need[4]:
            d_h = ((q + a) / N).sum_to_size(strain.shape)
        if need[5]:
            d_t = ((p - b) / N).sum_to_size(ctx.stress_shape)
        if need[6]:
            d_f = -_densities(w, 1 / N)
        return None, None, d_C, None, d_h, d_t, d_f

    @staticmethod
    def jvp(
        ctx: Any, _settings: Any, _index: Any, d_C: Any, _free: Any, *others: Any
    ) -> Any:
        """The parts of (2)."""
        # torch computes no tangents of tangents here unless told to, and nested forward
        # derivatives would be zero (pytorch issue 197867); those of this one are left
        # out of its arguments instead
        with forward_ad._set_fwd_grad_enabled(True):
            index, *kept = ctx.saved_tensors
            stiffness, free, strain, v = (
                forward_ad.unpack_dual(tensor).primal for tensor in kept
            )
            none = free.new_zeros(1, 6, 1, 1, 1)
            d_h, d_t = (none if field is None else field for field in others[:2])
            d_f, d_s = others[2], none
            if d_C is not None:
                unknowns = Unknowns(ctx.settings.scheme, ctx.settings.grid, free)
                dC = _field(index, d_C)
                parts = [multiply(dC, strain + e) for e in unknowns.strains(v)]
                d_s = unknowns.mean(parts)
                if len(parts) > 1:
                    force = unknowns.forces(part - d_s for part in parts)
                    d_f = -force if d_f is None else d_f - force
            settings = replace(ctx.settings, derivative="forward derivative")
            d_e, Cd_e, dv, *_ = Solve.apply(
                settings, index, stiffness, free, d_h, d_t + d_s, d_f
            )
            return d_e, Cd_e + d_s, dv, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, settings: Any, *arguments: Any) -> Any:
        """All samples of all solves are one batch."""
        V, dims = info.batch_size, in_dims[1:]
        index, stiffness, free, *others = (
            value if dim is None else value.movedim(dim, 0)
            for value, dim in zip(arguments, dims, strict=True)
        )
        B = free.shape[-2]

        def batch(value: Tensor | None, dim: int | None) -> Tensor | None:
            if value is None or (dim is None and len(value) == 1):
                return value  # none, or shared by all
            value = value if dim is not None else value.expand(V, *value.shape)
            return value.expand(V, B, *value.shape[2:]).flatten(0, 1)

        if index is None:
            stiffness = batch(stiffness, dims[1])
        elif dims[1] is None:
            index = batch(index, dims[0])
        else:
            # a table for each solve, one below the other
            first = stiffness.shape[1] * torch.arange(V, device=index.device)
            index = index + first[:, None, None, None, None]
            index, stiffness = batch(index, 0), stiffness.flatten(0, 1)
        free = free.expand(V, B, 6).flatten(0, 1)
        others = map(batch, others, dims[3:])
        found = Solve.apply(settings, index, stiffness, free, *others)
        return tuple(value.unflatten(0, (V, B)) for value in found), (0,) * len(found)


def _field(index: Tensor | None, stiffness: Tensor) -> Tensor:
    """Stiffness by voxel, (1 or B, 6, 6, x, y, z), symmetric."""
    if index is None:
        return (stiffness + stiffness.transpose(1, 2)) / 2
    symmetric = (stiffness + stiffness.mT) / 2
    # the voxels last and next to each other
    return symmetric.permute(1, 2, 0).contiguous()[..., index].movedim(2, 0)


def _densities(v: Tensor, factor: float) -> Tensor:
    """Unknowns with the nodal ones multiplied: a sum over nodes to a mean, or back."""
    return torch.cat([factor * v[:, :-6], v[:, -6:]], 1)


def _explained(
    error: NotConverged, settings: Settings, system: LinearSystem
) -> NotConverged:
    """The error, with the derivative that is not there, and what pores do to it."""
    if not settings.derivative:
        return error
    advice = ""
    if bool((system.stiffness.abs().amax((1, 2)) == 0).any()):
        # forces have to act where there is stiffness
        advice = (
            "; strains in pores are not determined, nor is the derivative with respect "
            "to the stiffness of a pore: keep both out of the loss"
        )
    return NotConverged(f"{settings.derivative}: {error}{advice}")


def _products(
    pairs: Iterable[tuple[Tensor, Tensor]], stiffness: Tensor, index: Tensor | None
) -> Tensor:
    """Sum of sym(p x q) over pairs of fields (B, 6, x, y, z), shaped as the stiffness.

    By voxel, or over the voxels of each row of a table; over samples that share it.
    """
    shared = len(stiffness if index is None else index) == 1
    rows: list[Any] = [0] * 6
    for p, q in pairs:
        for i in range(6):
            row = p[:, i : i + 1] * q
            if index is not None:
                # sums of many voxels, in double precision whatever the fields are in
                row = row.double()
            row = row.sum(0, keepdim=True) if shared else row
            if index is not None:
                row = row.movedim(1, -1).flatten(0, -2)
                total = row.new_zeros(len(stiffness), 6)
                row = total.index_add(0, index.flatten(), row)
            rows[i] = rows[i] + row
    total = torch.stack(rows, 1)
    return ((total + total.transpose(1, 2)) / 2).to(stiffness.dtype)
