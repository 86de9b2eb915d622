"""Errors on samples that are not trained on."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from ecosurrogate.data import Batch, Example
from ecosurrogate.encoder import Encoder
from ecosurrogate.losses import window_average
from ecosurrogate.models import Prediction
from ecosurrogate.objective import Objective, certificate
from fftmech.metrics import nrmse


def validate(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    examples: Sequence[Example],
    encoder: Encoder,
    objective: Objective,
    batch: int,
) -> dict[str, float]:
    """Mean errors of a model with other weights than its own, in single precision.

    Parameters
    ----------
    model, weights
        The model, and its weights by name, on the device to use.
    examples
        At least one.
    encoder, objective
        Of the run.
    batch
        Examples at a time.

    Returns
    -------
    dict
        loss; strain and stress: nRMSE over the standard deviation, at the resolution of
        the labels and outside of pores, mean over components (where there are labels);
        certificate: relative energy error (of admissible fields in bodies without
        pores).
    """
    device = next(iter(weights.values())).device
    training = model.training
    model.eval()
    found: dict[str, list[float]] = {}
    try:
        for start in range(0, len(examples), batch):
            part = encoder.batch(examples[start : start + batch]).to(device)
            with torch.no_grad():
                prediction = functional_call(model, dict(weights), (part.bodies,))
                for name, values in _errors(prediction, part, objective).items():
                    found.setdefault(name, []).extend(values)
    finally:
        model.train(training)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _errors(
    prediction: Prediction, batch: Batch, objective: Objective
) -> dict[str, list[float]]:
    """Errors of each example; the loss as often as there are examples."""
    loss, _ = objective(prediction, batch)
    errors = {"loss": [float(loss)] * len(batch.bodies)}
    for name in ("strain", "stress"):
        label = getattr(batch, name)
        if label is not None:
            x, y, z = label.shape[-3:]
            field = window_average(getattr(prediction, name), (x, y, z))
            errors[name] = [
                float(nrmse(p, r, "std", mask[0]).mean())
                for p, r, mask in zip(
                    field.cpu().numpy(),
                    label.cpu().numpy(),
                    batch.solid.cpu().numpy(),
                    strict=True,
                )
            ]
    if objective.admissible and bool(batch.bodies.solid.all()):
        errors["certificate"] = certificate(prediction, batch).tolist()
    return errors
