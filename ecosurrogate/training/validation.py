"""Errors on samples that are not trained on."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.data.creep_bodies import CreepBodies
from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.examples import Batch, Example
from ecosurrogate.models.eco import Prediction
from ecosurrogate.training.devices import Devices
from ecosurrogate.training.losses import window_average
from ecosurrogate.training.objective import Objective, certificate
from fftmech.results.metrics import mean_nrmse
from fftmech.tensors.bounds import uniform_error

_NAMES = ("loss", "strain", "gradient", "stress", "certificate", "uniform")


def validate(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    examples: Sequence[Example],
    encoder: Encoder,
    objective: Objective,
    batch: int,
    devices: Devices | None = None,
) -> dict[str, float]:
    """Mean errors of a model with other weights than its own, in single precision.

    Parameters
    ----------
    batch
        Examples at a time, of at least one in all.
    devices
        Of this process, one of several that take turns; None of one that is alone. All
        return the result.

    Returns
    -------
    dict
        loss; strain and stress: nRMSE over the standard deviation, at the resolution of
        the labels and outside of pores, mean over the components that are not uniform
        (where there are labels; of viscoplastic crystals the stress alone); a uniform
        field has 1; gradient: the same of the
        displacement gradient, in boxes with faces;
        certificate: relative energy error (of admissible fields in bodies without
        pores); uniform: that of the best uniform fields.
    """
    device = next(iter(weights.values())).device
    devices = devices or Devices(device)
    training = model.training
    model.eval()
    # of each example, and whether it is known
    found = torch.zeros(2, len(_NAMES), len(examples), dtype=torch.float64)
    try:
        for start in range(devices.rank * batch, len(examples), devices.size * batch):
            part = encoder.batch(examples[start : start + batch]).to(device)
            with torch.no_grad():
                prediction = functional_call(model, dict(weights), (part.bodies,))
                for name, values in _errors(prediction, part, objective).items():
                    place = found[:, _NAMES.index(name), start : start + batch]
                    place[0], place[1] = torch.tensor(values, dtype=torch.float64), 1
    finally:
        model.train(training)
    errors, known = devices.sum(found).cpu().numpy()
    return {
        name: float(errors[k][known[k] > 0].mean())
        for k, name in enumerate(_NAMES)
        if known[k].any()
    }


def _errors(
    prediction: Prediction, batch: Batch, objective: Objective
) -> dict[str, list[float]]:
    """Errors of each example; the loss as often as there are examples."""
    loss, _ = objective(prediction, batch)
    errors = {"loss": [float(loss)] * len(batch.bodies)}
    # rates of viscoplastic crystals are chosen after the model, by the law
    creep = isinstance(batch.bodies, CreepBodies)
    for name in ("stress",) if creep else ("strain", "gradient", "stress"):
        label = getattr(batch, name)
        if label is not None:
            label = label.reshape(len(label), -1, *label.shape[-3:])
            x, y, z = label.shape[-3:]
            field = window_average(getattr(prediction, name), (x, y, z))
            field = field.reshape(label.shape)
            errors[name] = [
                mean_nrmse(p, r, mask=mask[0])
                for p, r, mask in zip(
                    field.cpu().numpy(),
                    label.cpu().numpy(),
                    batch.solid.cpu().numpy(),
                    strict=True,
                )
            ]
    if objective.certified and bool(batch.bodies.solid.all()):
        errors["certificate"] = certificate(prediction, batch.bodies).tolist()
        errors["uniform"] = _uniform(batch.bodies)
    return errors


def _uniform(bodies: Bodies) -> list[float]:
    """Certificates of the best uniform fields."""
    averages = (
        field.double().mean(dim=(3, 4, 5)).cpu().numpy()
        for field in (bodies.stiffness, bodies.compliance)
    )
    loads = (part.double().cpu().numpy() for part in bodies.load[:2])
    free = bodies.load.free.cpu().numpy()
    return [
        uniform_error(C, S, (strain, stress, where))
        for C, S, strain, stress, where in zip(*averages, *loads, free, strict=True)
    ]
