"""Algebra of fields (B, *components, X, Y, Z): precision, averages, products."""

from typing import Any, get_args

import torch
from torch import Tensor

from fftmech.errors import InputError
from fftmech.tensors.fields import cauchy, full, symmetrize


def full_precision(field: Tensor) -> torch.autocast:
    """A context in which autocast does not lower the precision."""
    return torch.autocast(field.device.type, enabled=False)


def single(field: Tensor) -> Tensor:
    """At least single precision."""
    return field if field.dtype == torch.float64 else field.float()


def average(field: Tensor) -> Tensor:
    """Mean over the voxels, (B, *components, 1, 1, 1)."""
    return field.mean(dim=(-3, -2, -1), keepdim=True)


def centred(field: Tensor) -> Tensor:
    """Fluctuation of a field whose mean has no effect but rounding in a transform."""
    field = single(field)
    return field - average(field)


def uniform(mean: Tensor, field: Tensor) -> Tensor:
    """A mean (B, *components), or one for all samples, as a field."""
    components = field.shape[1:-3]
    if mean.shape not in (components, (1, *components), (len(field), *components)):
        raise InputError(
            f"mean of shape {tuple(mean.shape)}", f"{(len(field), *components)}"
        )
    return mean.to(field.dtype)[..., None, None, None]


def one_of(value: Any, choices: Any, what: str) -> Any:
    """Return a value of a `Literal`, refuse any other."""
    if value not in get_args(choices):
        raise InputError(f"{what} {value!r}", f"one of {', '.join(get_args(choices))}")
    return value


def inner_product(a: Tensor, b: Tensor) -> Tensor:
    """<a : b> of each body, (B,)."""
    return (a * b).sum(dim=1).mean(dim=(-3, -2, -1))


ROUNDING = 256
"""Projected fields smaller than this many roundings of their guess are rounding."""


def unless_rounding(field: Tensor, source: Tensor) -> Tensor:
    """A field, or zero where it is nothing but rounding of the field it was made of.

    Of each body of a batch. What rounding leaves of a source is not admissible, so that
    its energy may fall along it without end.
    """
    square, scale = (
        (f.detach() ** 2).mean(dim=(1, 2, 3, 4), keepdim=True) for f in (field, source)
    )
    least = ROUNDING * torch.finfo(field.dtype).eps
    return torch.where(square > least**2 * scale, field, 0)


def apply(stiffness: Tensor, field: Tensor) -> Tensor:
    """C e at each voxel: (B, 6, 6, X, Y, Z) times (B, 6, X, Y, Z)."""
    return _Product.apply(stiffness, field)


class _Product(torch.autograd.Function):
    """Matrices times vectors, voxel by voxel, without a field of all products.

    No matrix products, which TF32 would round.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, vector: Tensor) -> Tensor:
        ctx.save_for_backward(matrix, vector)
        out = matrix[:, :, 0] * vector[:, None, 0]
        for n in range(1, vector.shape[1]):
            out = out.addcmul_(matrix[:, :, n], vector[:, None, n])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        matrix, vector = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            grads[0][:, :, None] * vector[:, None] if wanted[0] else None,
            apply(matrix.transpose(1, 2), grads[0]) if wanted[1] else None,
        )


def cauchy_stress(stiffness: Tensor, H: Tensor, unit: Tensor) -> Tensor:
    """T(C, F) = |F|^-1 F (C E) F^T with E = (F^T F - 1) / 2: the text below eq. 17.

    F = 1 + H times the unit of each body, (B,); E comes from H, for in single precision
    F has lost the digits of small strains.

    Parameters
    ----------
    stiffness
        Mandel (B, 6, 6, X, Y, Z).
    H
        Displacement gradient over its unit, (B, 3, 3, X, Y, Z).

    Returns
    -------
    Tensor
        Cauchy stress over the same unit, Mandel (B, 6, X, Y, Z).
    """
    unit = unit.reshape(-1, 1, 1, 1, 1, 1).to(H)
    # sums of products instead of matrix products, which TF32 would round
    square = (H[:, :, :, None] * H[:, :, None]).sum(dim=1)
    S = full(apply(stiffness, symmetrize(H + unit / 2 * square)))
    identity = torch.eye(3, dtype=H.dtype, device=H.device)[..., None, None, None]
    F = identity + unit * H
    return cauchy(F, (F[:, :, :, None] * S[:, None]).sum(dim=2))
