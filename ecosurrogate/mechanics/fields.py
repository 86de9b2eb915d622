"""Algebra of fields (B, *components, X, Y, Z): precision, averages, products."""

from typing import Any, get_args

import torch
from torch import Tensor

from fftmech.errors import InputError


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


def apply(stiffness: Tensor, field: Tensor) -> Tensor:
    """C e at each voxel: (B, 6, 6, X, Y, Z) times (B, 6, X, Y, Z)."""
    return (stiffness * field[:, None]).sum(dim=2)
