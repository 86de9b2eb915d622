"""Descent of the energies: the solver's direction, and exact steps in a subspace.

Fields are (B, 6, X, Y, Z), Mandel, in the units of `Bodies`.
"""

import torch
from torch import Tensor

from ecosurrogate.bodies import Bodies
from ecosurrogate.fields import average
from ecosurrogate.losses import apply, energy


def descent(stress: Tensor, bodies: Bodies) -> Tensor:
    """g = -Gamma s, Gamma = D M D*: (B, 6, X, Y, Z) -> (B, 6, X, Y, Z)."""
    operators = bodies.operators
    return -operators.strain(operators.green(operators.strain_adjoint(stress)))


def size(field: Tensor) -> Tensor:
    """Root mean square of a field, never zero, (B, 1, 1, 1, 1)."""
    square = (field**2).mean(dim=(1, 2, 3, 4), keepdim=True)
    return (square + torch.finfo(field.dtype).tiny).sqrt()


def line_search(d: Tensor, C_d: Tensor, C_e: Tensor) -> Tensor:
    """Step along d that minimises the energy, (B, 1, 1, 1, 1)."""
    return subspace([(d, C_d)], C_e)[0]


def subspace(pairs: list[tuple[Tensor, Tensor]], C_e: Tensor) -> list[Tensor]:
    """Steps along several fluctuations d that minimise the energy together.

    `pairs` are (d, C d); of each the step, (B, 1, 1, 1, 1).
    """
    A = torch.stack(
        [torch.stack([energy(d, C_b) for _, C_b in pairs], -1) for d, _ in pairs], -2
    ).double()
    b = -torch.stack([energy(d, C_e) for d, _ in pairs], -1).double()
    # in units of each direction's energy; one that is zero, or that another one
    # repeats, takes no step
    scale = A.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).rsqrt()
    A = A * scale[:, :, None] * scale[:, None, :]
    A = A + 1e-9 * torch.eye(len(pairs), dtype=A.dtype, device=A.device)
    steps = (torch.linalg.solve(A, b * scale) * scale).to(C_e.dtype)
    return [step[:, None, None, None, None] for step in steps.unbind(-1)]


def better_stress(old: Tensor, new: Tensor, bodies: Bodies) -> Tensor:
    """The stress between and beyond two with the least complementary energy.

    W*(s) = <1/2 s : C^-1 : s> - <s> : E, E the prescribed mean strains. In bodies with
    pores there is none: the new one.
    """
    if not bool(bodies.solid.all()):
        return new
    d = new - old
    S_d = apply(bodies.compliance, d)
    square = energy(d, S_d).clamp_min(torch.finfo(d.dtype).tiny)
    slope = energy(old, S_d) - energy(average(d), bodies.mean)
    return old + (-slope / square)[:, None, None, None, None] * d
