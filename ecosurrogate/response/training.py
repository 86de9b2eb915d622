"""Fit the weights, normals and orientations of a tree of laminates to stiffness."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.response.tree import LaminateTree
from ecosurrogate.response.tree_module import TreeModule
from fftmech.errors import InputError

MOST_DEPTH = 10

TRIAL = 20
"""Part of the steps that first weights are tried for."""

LAST_RATE = 1e-2
"""Of the learning rate, relative to its peak: it falls along half a cosine."""


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    depth
        Of the tree: 2^depth leaves.
    steps, batch
        Optimizer steps (Adam), and pairs in each.
    lr
        Learning rate at the beginning.
    validation
        Share of the pairs that are kept for validation.
    every
        Steps between two validations.
    starts
        Trees of other first weights that are trained for a twentieth of the steps each;
        the best of them is trained on.
    seed
        Of the first weights and of the order of pairs.
    """

    depth: int = 6
    steps: int = 3000
    batch: int = 32
    lr: float = 1e-2
    validation: float = 0.2
    every: int = 100
    starts: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= MOST_DEPTH:
            raise InputError(f"depth {self.depth}", f"1 to {MOST_DEPTH}")
        if min(self.steps, self.batch, self.every, self.starts) < 1 or not self.lr > 0:
            raise InputError(
                f"steps {self.steps}, batch {self.batch}, lr {self.lr}",
                "positive numbers",
            )


class Fitted(NamedTuple):
    """What training led to.

    Attributes
    ----------
    tree
        That of the least error of validation.
    errors
        By pair, "train" and "validation": relative errors of the energy (`_Data`), and
        of the stiffness, Frobenius norm of Mandel matrices, (n, 2).
    curve
        [step, mean error of the last batches, mean error of validation], ... of the
        energy.
    seconds
        Of the training.
    """

    tree: LaminateTree
    errors: dict[str, np.ndarray]
    curve: list[tuple[int, float, float]]
    seconds: float


@dataclass
class _Best:
    """The state of least error of validation so far."""

    error: float = float("inf")
    state: dict[str, Any] = field(default_factory=dict)

    def keep(self, error: float, module: nn.Module) -> None:
        if error < self.error:
            self.error = error
            self.state = {k: v.clone() for k, v in module.state_dict().items()}


def fit_tree(
    stiffness: np.ndarray,
    effective: np.ndarray,
    fractions: np.ndarray,
    training: Training,
    *,
    oriented: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Fitted:
    """Fit a tree to pairs of stiffnesses.

    Parameters
    ----------
    stiffness, effective
        Of phases and of the body, Mandel (n, P, 6, 6) and (n, 6, 6).
    fractions
        Volume fraction of each phase, (P,), which the tree has exactly.
    training
        Depth, steps and so on.
    oriented
        Whether the phases are one crystal, with an orientation of each leaf.
    progress
        Called with steps done, steps in all and what is to be shown.

    Raises
    ------
    InputError
        Too few pairs for a validation set.
    """
    started = time.perf_counter()
    torch.manual_seed(training.seed)
    data = _Data.of(stiffness, effective, training)
    curve: list[tuple[int, float, float]] = []
    trial = max(1, training.steps // TRIAL)
    shown = training.starts * trial + training.steps

    def told(step: int, error: float) -> None:
        if progress:
            progress(step, shown, f"error {100 * error:.2f} %, ")

    best = _Best()
    for number in range(training.starts):
        module = TreeModule(training.depth, fractions, oriented)
        _descend(module, data, training, trial)
        best.keep(data.validate(module), module)
        told((number + 1) * trial, best.error)
    module.load_state_dict(best.state)
    best = _Best()

    def validated(step: int, loss: float) -> None:
        error = data.validate(module)
        curve.append((step, loss, error))
        best.keep(error, module)
        told(training.starts * trial + step, error)

    _descend(module, data, training, training.steps, validated)
    module.load_state_dict(best.state)
    with torch.no_grad():
        errors = {
            name: np.column_stack(
                [
                    data.errors(module, part).numpy(),
                    (module(data.inputs[part]) - data.wanted[part])
                    .flatten(1)
                    .norm(dim=1)
                    .numpy(),
                ]
            )
            for name, part in (("train", data.train), ("validation", data.held))
        }
    return Fitted(module.tree(), errors, curve, time.perf_counter() - started)


def _descend(
    module: nn.Module,
    data: "_Data",
    training: Training,
    steps: int,
    validated: Callable[[int, float], None] | None = None,
) -> None:
    """Train for some steps; `validated` is called now and then with the mean loss."""
    optimizer = torch.optim.Adam(module.parameters(), lr=training.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, steps, LAST_RATE * training.lr
    )
    losses = []
    for step in range(1, steps + 1):
        loss = data.errors(module, data.batch(training.batch)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if validated and (step % training.every == 0 or step == steps):
            validated(step, float(np.mean(losses)))
            losses = []


class _Data:
    """Pairs of norm 1, those for training in random order.

    Errors are of the energy: |C^-1/2 (X - C) C^-1/2| / sqrt(6) of a stiffness X that
    should be C, with the Frobenius norm. All modes of strain count alike, also those in
    which a solid that flows is soft and which the norm of C - X does not see.
    """

    def __init__(self, inputs: Tensor, wanted: Tensor, held: int, seed: int) -> None:
        self.inputs, self.wanted = inputs, wanted
        # L with C = L L^T is a root as good as any
        self.root = torch.linalg.cholesky(wanted)
        self._random = np.random.default_rng(seed)
        order = self._random.permutation(len(wanted))
        self.held, self.train = order[:held], order[held:]
        self._queue: list[int] = []

    @classmethod
    def of(
        cls, stiffness: np.ndarray, effective: np.ndarray, training: Training
    ) -> "_Data":
        held = round(training.validation * len(effective))
        if not 1 <= held < len(effective):
            raise InputError(
                f"{len(effective)} pairs",
                "enough for training and validation",
                "make more",
            )
        # their size is no matter: each pair counts alike
        size = np.linalg.norm(effective, axis=(1, 2))
        inputs = torch.from_numpy(stiffness / size[:, None, None, None])
        wanted = torch.from_numpy(effective / size[:, None, None])
        return cls(inputs, wanted, held, training.seed)

    def batch(self, size: int) -> list[int]:
        """Numbers of the next pairs."""
        while len(self._queue) < size:
            self._queue += self._random.permutation(self.train).tolist()
        batch, self._queue = self._queue[:size], self._queue[size:]
        return batch

    def errors(self, module: nn.Module, pairs: Any) -> Tensor:
        """Relative errors of the energy of some pairs, (B,)."""
        error, root = module(self.inputs[pairs]) - self.wanted[pairs], self.root[pairs]
        for _ in range(2):
            error = torch.linalg.solve_triangular(root, error.mT, upper=False)
        return error.flatten(1).norm(dim=1) / 6**0.5

    def validate(self, module: nn.Module) -> float:
        """Mean error of the pairs for validation.

        Raises
        ------
        InputError
            It is no number.
        """
        with torch.no_grad():
            error = self.errors(module, self.held).mean().item()
        if not np.isfinite(error):
            raise InputError("training diverged", mend="lower --lr")
        return error
