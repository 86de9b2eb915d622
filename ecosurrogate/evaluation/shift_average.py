"""Average of a model's predictions over periodic shifts of a body.

A periodic body has no origin, but a U-Net that halves the grid has: shifted by less
than its stride, a body is predicted a little differently. Predictions that are shifted
back are all admissible, if any is, and so is their average: both sets are affine.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.models.eco import Prediction
from ecosurrogate.networks.base import Network
from fftmech.errors import InputError

Shift = tuple[int, int, int]


def shifts_of(model: nn.Module, count: int | None) -> list[Shift]:
    """Shifts that a model may predict differently, the first `count`, all if None.

    The first is none at all, the others are in a random order, always the same.
    InputError if there are fewer.
    """
    networks = [part for part in model.modules() if isinstance(part, Network)]
    stride = max((network.stride for network in networks), default=1)
    every = [(x, y, z) for x, y, z in product(range(stride), repeat=3)]
    if count is not None and not 1 <= count <= len(every):
        raise InputError(
            f"average over {count} shifts",
            f"1 to {len(every)}, the shifts within this network's stride of {stride}",
        )
    order = 1 + np.random.default_rng(0).permutation(len(every) - 1)
    return [every[i] for i in (0, *order)][:count]


def averaged(model: nn.Module, made: Bodies, shifts: list[Shift]) -> Prediction:
    """Predict bodies after each shift, and return the average of what is shifted back.

    Of an iterated model each step of its path is averaged.
    """
    if len(shifts) == 1:
        return model(made)
    total: list[Tensor] = []
    descended = None
    for shift in shifts:
        moved = replace(
            made, phase=_rolled(made.phase, shift), inputs=_rolled(made.inputs, shift)
        )
        found = model(moved)
        descended = found.descended
        back = (-shift[0], -shift[1], -shift[2])
        # strain and stress of each pair, one after the other
        pairs = [*found.path, (found.strain, found.stress)]
        parts = [_rolled(field, back) / len(shifts) for pair in pairs for field in pair]
        total = [a + b for a, b in zip(total, parts, strict=True)] if total else parts
    *path, last = zip(total[::2], total[1::2], strict=True)
    return Prediction(*last, tuple(path), descended)


def _rolled(field: Tensor, shift: Shift) -> Tensor:
    return torch.roll(field, shift, (-3, -2, -1))
