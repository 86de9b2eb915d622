"""Checks of the arguments of `fftmech.torch.solve`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fftmech.errors import InputError
from fftmech.loads.load import Load

PRECISIONS = {torch.float64: "double", torch.float32: "single"}

# Only the symmetric part of a stiffness counts; more skew than this is a mistake.
SKEW = 1e-4

Given = Tensor | np.ndarray | Sequence[float] | Sequence[bool]


@dataclass(frozen=True)
class Arguments:
    """Tensors of one precision on one device, with a batch axis of 1 or B.

    Attributes
    ----------
    shape
        Voxels along x, y, z.
    batch
        B, or None where no argument has a batch axis.
    index
        Rows of the stiffness by voxel, (1 or B, x, y, z), or None with a field.
    stiffness
        Rows (R, 6, 6), or a field (1 or B, 6, 6, x, y, z).
    mean_strain, mean_stress, free
        (B, 6); free is 1 where the mean stress is prescribed, else 0.
    eigenstrain
        (1 or B, 6, x, y, z), or None.
    """

    shape: tuple[int, ...]
    batch: int | None
    index: Tensor | None
    stiffness: Tensor
    mean_strain: Tensor
    mean_stress: Tensor
    free: Tensor
    eigenstrain: Tensor | None


def check_arguments(
    phase: Tensor | None,
    stiffness: Tensor,
    load: Load | Given,
    free: Given | None,
    mean_stress: Given | None,
    eigenstrain: Given | None,
) -> Arguments:
    """Refuse what `solve` cannot use, and bring the rest to one form.

    Raises
    ------
    InputError
        Naming the argument.
    """
    if not isinstance(stiffness, Tensor) or stiffness.dtype not in PRECISIONS:
        kind = stiffness.dtype if isinstance(stiffness, Tensor) else type(stiffness)
        raise InputError(f"stiffness of {kind}", "a tensor, float32 or float64")
    shape, by_phase = _shape(phase, stiffness), phase is not None
    batches: dict[str, int] = {}

    def tensor(name: str, given: Any, per: tuple[int | None, ...]) -> Tensor:
        value, batches[name] = _tensor(name, given, per, stiffness)
        return value

    C = tensor("stiffness", stiffness, (None, 6, 6) if by_phase else (6, 6, *shape))
    _Look.apply(partial(check_stiffness, by_phase=by_phase), C.detach())
    load, free, mean_stress = _loads(load, free, mean_stress)
    E = tensor("mean strain", load, (6,))
    S = tensor("mean_stress", mean_stress, (6,))
    mask = tensor("free", free, (6,))
    ids = index = e0 = None
    if by_phase:
        ids = tensor("phase", phase, shape)
        _Look.apply(partial(check_phase, count=C.shape[1]), ids)
    if eigenstrain is not None:
        table = by_phase and np.ndim(eigenstrain) < 4
        per = (C.shape[1], 6) if table else (6, *shape)
        e0 = tensor("eigenstrain", eigenstrain, per)
    batch = _common_batch(batches)
    if ids is not None:
        if e0 is not None and e0.ndim == 3:
            e0 = e0.flatten(0, 1)[_rows(ids, e0)].movedim(-1, 1)
        index, C = _rows(ids, C), C.flatten(0, 1)
    E, S, mask = (value.expand(max(batch, 1), 6) for value in (E, S, mask))
    return Arguments(shape, batch or None, index, C, E, S, mask, e0)


class _Look(torch.autograd.Function):
    """Call check(value), beneath the transforms of torch.func, which hide values.

    There `value` has more axes in front, one for each `vmap`. Checks may look at values
    here only.
    """

    @staticmethod
    def forward(check: Callable[[Tensor], None], value: Tensor) -> None:
        check(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, check: Any, value: Tensor) -> tuple[None, None]:
        _Look.apply(check, value.movedim(in_dims[1], 0))
        return None, None


def _tensor(
    name: str, given: Any, per: tuple[int | None, ...], stiffness: Tensor
) -> tuple[Tensor, int]:
    """A tensor with a batch axis, and the size of the one it was given with, or 0.

    It is on the device of the stiffness and, but for phases, has its precision; `per`
    is the expected shape without the batch axis, None where any size will do.
    """
    value = given
    if not isinstance(given, Tensor):
        try:
            value = torch.as_tensor(np.asarray(given), device=stiffness.device)
        except (TypeError, ValueError, RuntimeError):
            raise InputError(
                f"{name} of {type(given).__name__}", "a tensor, or numbers"
            ) from None
    if value.is_complex():
        raise InputError(f"{name} of {value.dtype}", "real numbers")
    if value.device != stiffness.device:
        raise InputError(
            f"{name} on {value.device}, stiffness on {stiffness.device}", "one device"
        )
    if not (name == "phase" or value.dtype in PRECISIONS):
        value = value.to(stiffness.dtype)
    batch = value.shape[0] if value.ndim == len(per) + 1 else 0
    value = value if batch else value[None]
    if value.ndim != len(per) + 1 or any(
        n not in (None, m) for n, m in zip(per, value.shape[1:], strict=True)
    ):
        expected = ", ".join("P" if n is None else str(n) for n in per)
        raise InputError(
            f"{name} of shape {tuple(np.shape(given))}",
            f"({expected}) or (B, {expected})",
        )
    if name == "phase":
        return value, batch
    _Look.apply(partial(_check_values, name), value.detach())
    return value.to(stiffness.dtype), batch


def _check_values(name: str, value: Tensor) -> None:
    if not bool(torch.isfinite(value).all()):
        raise InputError(f"{name} has values that are not finite")
    if name == "free" and bool(((value != 0) & (value != 1)).any()):
        raise InputError("free has values other than 0 and 1", "True or False")


def _common_batch(batches: dict[str, int]) -> int:
    """The batch that all arguments have that have one, 0 if none has."""
    batch = max(batches.values())
    for name, size in batches.items():
        if size not in (0, 1, batch):
            raise InputError(
                f"{name} has a batch of {size}, another argument of {batch}",
                "batches of one size",
            )
    return batch


def check_stiffness(C: Tensor, by_phase: bool) -> None:
    """Refuse a stiffness that is not symmetric, or by phase not positive definite.

    Raises
    ------
    InputError
        With the offending number.
    """
    one, other = (-2, -1) if by_phase else (-5, -4)
    size, skew = float(C.abs().max()), float((C - C.transpose(one, other)).abs().max())
    if skew > SKEW * size:
        raise InputError(
            f"stiffness is not symmetric: entries differ by {skew:.3g}",
            mend="give symmetric Mandel 6x6 matrices",
        )
    if not by_phase:
        return
    C = C.flatten(0, -4)
    values = torch.linalg.eigvalsh(((C + C.mT) / 2).double())
    bad = (values[..., 0] <= 1e-12 * values[..., -1]) & (C.abs().amax((-2, -1)) > 0)
    if bool(bad.any()):
        sample, p = bad.nonzero()[0].tolist()
        raise InputError(
            f"stiffness of phase {p} in sample {sample} is not positive definite "
            f"(least eigenvalue {float(values[sample, p, 0]):.3g})",
            mend="check the constants, or give a zero matrix for a pore",
        )


def check_phase(phase: Tensor, count: int) -> None:
    """Refuse phase ids that the stiffness has no row for.

    Raises
    ------
    InputError
        With the ids.
    """
    if phase.is_floating_point() or phase.is_complex():
        raise InputError(f"phase of {phase.dtype}", "integers")
    low, high = (int(value) for value in torch.aminmax(phase.long()))
    if low < 0 or high >= count:
        raise InputError(
            f"phase ids from {low} to {high}",
            f"0 to {count - 1}, the rows of the stiffness",
        )


def _shape(phase: Any, stiffness: Tensor) -> tuple[int, ...]:
    if phase is None:
        if stiffness.ndim not in (5, 6):
            raise InputError(
                f"stiffness of shape {tuple(stiffness.shape)} without phases",
                "a field (6, 6, x, y, z) or (B, 6, 6, x, y, z)",
            )
        return tuple(stiffness.shape[-3:])
    if not isinstance(phase, Tensor) or phase.ndim not in (3, 4):
        given = tuple(phase.shape) if hasattr(phase, "shape") else type(phase)
        raise InputError(f"phase {given}", "a tensor (x, y, z) or (B, x, y, z)")
    return tuple(phase.shape[-3:])


def _loads(
    load: Load | Given, free: Given | None, mean_stress: Given | None
) -> tuple[Given, Given, Given]:
    """Mean strain, free, and mean stress."""
    if isinstance(load, Load):
        if free is not None or mean_stress is not None:
            raise InputError("free or mean_stress beside a Load: the Load holds both")
        return load.mean_strain, load.free, load.mean_stress
    if free is None and mean_stress is not None:
        raise InputError(
            "mean_stress without free: say which components it prescribes, for "
            "instance free=[True] * 6"
        )
    return (
        load,
        np.zeros(6, bool) if free is None else free,
        np.zeros(6) if mean_stress is None else mean_stress,
    )


def _rows(phase: Tensor, table: Tensor) -> Tensor:
    """Rows of table.flatten(0, 1) by voxel, table (1 or B, P, ...)."""
    count, rows = table.shape[:2]
    if count == 1:
        return phase.long()
    first = rows * torch.arange(count, device=phase.device)
    return phase.long() + first[:, None, None, None]
