"""Training of creep models on bodies in memory, without labels."""

from collections.abc import Callable
from math import cos, pi

import torch
from torch import Tensor, nn

from ecosurrogate.data.creep_bodies import CreepBodies
from ecosurrogate.models.creep import CreepPrediction
from ecosurrogate.models.creep_energy import CreepEnergy


def energy_loss(prediction: CreepPrediction, bodies: CreepBodies) -> Tensor:
    """W* above Taylor's bound of its minimum, relative to that, over all corrections.

    It needs no label: -<w(E)>, which no W* is below, takes one local problem a grain.
    """
    energy = CreepEnergy(bodies)
    above = [energy(stress) - bodies.least for stress in prediction.path]
    return (torch.stack(above) / bodies.least.abs()).mean()


def fit_creep(
    model: nn.Module,
    bodies: CreepBodies,
    steps: int,
    batch: int = 8,
    lr: float = 2e-3,
    seed: int = 0,
    report: Callable[[int, float], None] | None = None,
) -> nn.Module:
    """Train a creep model by Adam, the rate of learning a cosine after a warm-up.

    Batches are drawn from the bodies, which are those of `creep_bodies`. `report` is
    called after each step, with its number and its loss.
    """
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    warm_up = max(1, steps // 20)
    order = torch.empty(0, dtype=torch.long)
    model.train()
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(len(bodies), generator=random)
        which, order = order[:batch], order[batch:]
        wave = (1 + cos(pi * step / steps)) / 2
        for group in optimizer.param_groups:
            group["lr"] = lr * min((step + 1) / warm_up, wave + 0.02)
        some = bodies[which]
        loss = energy_loss(model(some), some)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if report:
            report(step + 1, float(loss.detach()))
    return model.eval()
