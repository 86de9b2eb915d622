"""State of a training: all that is needed to resume it."""

from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.models.admissible_blocks import Compatibility, Equilibrium
from ecosurrogate.training.config import Config
from ecosurrogate.training.files import damaged
from ecosurrogate.training.tensor_file import read_tensors, write_tensors

_COUNTERS = ("step", "skipped", "in_row")


class TrainState:
    """Model, averaged weights, optimizer and counters.

    Random numbers are not: `seed_step` seeds those of each step.

    Attributes
    ----------
    average
        Weights averaged over the steps, by name: those to use.
    step
        Steps done, skipped ones included.
    skipped, in_row
        Batches skipped as loss or gradient was not finite: in all, and since the last
        that was not.
    """

    def __init__(self, config: Config, model: nn.Module) -> None:
        self.model = model
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        groups = parameter_groups(model, config.weight_decay)
        self.optimizer = torch.optim.AdamW(
            groups, lr=0.0, betas=config.betas, fused=True
        )
        self.parameters = dict(model.named_parameters())
        for parameter in self.parameters.values():
            # as the optimizer's first step would, so that there is always a state
            self.optimizer.state[parameter] = {
                "step": torch.tensor(0.0),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        device = next(iter(self.parameters.values())).device
        self.scaler = torch.amp.GradScaler(  # type: ignore[reportPrivateImportUsage]
            device.type, enabled=config.precision == "fp16"
        )
        self.step = self.skipped = self.in_row = 0

    def update_average(self, decay: float) -> None:
        """Move the averaged weights towards the model's.

        Early steps count less than `decay` says, (1 + k) / (10 + k) after k: the first
        weights are random.
        """
        decay = min(decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:
                    self.average[name].copy_(value)

    def write(self, path: str | PathLike) -> None:
        """Write everything; the file appears whole or not at all."""
        note: dict[str, Any] = {name: getattr(self, name) for name in _COUNTERS}
        note["scaler"] = self.scaler.state_dict()
        write_tensors(path, self._tensors(), note)

    def read(self, path: str | PathLike) -> None:
        """Read what `write` wrote for the same configuration."""
        tensors = self._tensors()
        found, note = read_tensors(path, tensors)
        counters = [n for n in map(note.get, _COUNTERS) if type(n) is int and n >= 0]
        try:
            if len(counters) < len(_COUNTERS):
                raise ValueError(f"counters {note}")
            if self.scaler.is_enabled():
                self.scaler.load_state_dict(note["scaler"])
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise damaged(path, error, "restore it") from error
        with torch.no_grad():
            for name, value in found.items():
                tensors[name].copy_(value)
        self.step, self.skipped, self.in_row = counters

    def _tensors(self) -> dict[str, Tensor]:
        """All of it by name, no copies."""
        moments = {
            f"optimizer/{name}/{kind}": value
            for name, parameter in self.parameters.items()
            for kind, value in self.optimizer.state[parameter].items()
        }
        return {
            **{f"model/{name}": v for name, v in self.model.state_dict().items()},
            **{f"average/{name}": v for name, v in self.average.items()},
            **moments,
        }


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed the random numbers of a step, on every device of this process.

    A resumed run so has the same dropout as one that was not interrupted.
    """
    numbers = np.random.SeedSequence([seed, step, rank])
    torch.manual_seed(int(numbers.generate_state(1, np.uint64)[0]))


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Groups for AdamW: weights with decay; biases, norms and blocks' gains without."""
    in_blocks = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, Compatibility | Equilibrium)
        for parameter in module.parameters()
    }
    decayed, others = [], []
    for parameter in model.parameters():
        # a bias may have axes of length 1, that it is added to a field
        plain = parameter.squeeze().ndim > 1 and id(parameter) not in in_blocks
        (decayed if plain else others).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
