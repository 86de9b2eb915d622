"""The loss of a run: a weighted sum of terms.

`strain` and `stress` are the labels of eqs. 17 and 18 of Oommen et al. 2025,
`masked-labels` those of eqs. 15 and 16; `constitutive` is the last term of eq. 17,
`constitutive-squared` that of eq. 15, `divergence` that of eqs. 16 and 18;
`hypercircle`, `energy` and, of viscoplastic crystals, `complementary` need no labels.
All fields are in the units of `Bodies`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.data.creep_bodies import CreepBodies
from ecosurrogate.data.examples import Batch
from ecosurrogate.mechanics.fields import apply, cauchy_stress, inner_product
from ecosurrogate.models.creep_energy import CreepEnergy
from ecosurrogate.models.descent import Descent
from ecosurrogate.models.eco import Prediction
from ecosurrogate.models.energies import ENERGIES
from ecosurrogate.training import losses
from ecosurrogate.training.config import (
    ADMISSIBLE,
    BACKBONES_IN_BOXES,
    IN_BOXES,
    Config,
)
from fftmech.errors import InputError

Term = Callable[[Prediction, Batch, float], Tensor]
"""A loss of a prediction; the number is gamma of eqs. 17 and 18."""

ITERATED = "p-eco-iterated"

CONTINUED = 8
"""Conjugate gradient iterations from a prediction to the minimum of the energy."""

NEED_LABELS = ("strain", "stress", "masked-labels")


class Objective:
    """Weighted sum of the terms of a configuration.

    Data may have bodies with `pores`, `labels` for all, a constitutive `law`, and boxes
    with `faces`; InputError for a term that does not exist, or that this model or these
    data cannot have. Predictions are `certified` if they are admissible in a periodic
    box and there is a law.
    """

    def __init__(
        self,
        config: Config,
        pores: bool,
        labels: bool,
        law: bool = True,
        faces: bool = False,
    ) -> None:
        self.terms, self.gamma = config.terms, config.gamma
        self.pores, self.labels, self.law = pores, labels, law
        self.certified = (
            law and not faces and not config.creep and config.model in ADMISSIBLE
        )
        if not law:
            config.check_without_law()
        if faces:
            _check_in_box(config, pores)
        for name in self.terms:
            if name not in TERMS:
                raise InputError(f"loss.{name}", f"one of {', '.join(TERMS)}")
            if name in NEED_LABELS and not labels:
                raise InputError(
                    f"loss.{name} needs labels, and the dataset has samples without "
                    "strain and stress",
                    mend="solve them, or take a p-eco model with loss.hypercircle",
                )
        if "complementary" in self.terms and not config.creep:
            raise InputError(
                "loss.complementary is that of viscoplastic crystals",
                mend="take loss.energy, or loss.hypercircle",
            )
        if pores and config.options.get("energy") == "stress":
            raise InputError(
                "options.energy=stress: bodies with pores have no complementary energy",
                mend="take options.energy=strain",
            )
        if "energy" in self.terms and config.model != ITERATED:
            raise InputError(
                f"loss.energy is that of a descent, which {config.model} is not",
                mend=f"take {ITERATED}",
            )
        if "hypercircle" not in self.terms:
            return
        if config.model not in ADMISSIBLE:
            raise InputError(
                f"loss.hypercircle says nothing of {config.model}, whose fields are "
                "not admissible",
                mend=f"take {', '.join(ADMISSIBLE)}",
            )
        if pores:
            raise InputError(
                "loss.hypercircle needs a compliance, which pores do not have: take "
                f"model {ITERATED} with loss.energy, or with labels --set "
                "loss.hypercircle=0 --set loss.masked-labels=1 "
                "--set loss.constitutive-squared=1"
            )

    def __call__(
        self, prediction: Prediction, batch: Batch
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its terms, before weighting."""
        values = {
            name: TERMS[name](prediction, batch, self.gamma) for name in self.terms
        }
        return sum(self.terms[n] * v for n, v in values.items()), values  # type: ignore


def certificate(prediction: Prediction, bodies: Bodies) -> Tensor:
    """Energy error of each pair, relative to their energies, (B,).

    sqrt of `losses.hypercircle`; for admissible pairs in bodies without pores.
    """
    return _gap(prediction.strain, prediction.stress, bodies).sqrt()


def _check_in_box(config: Config, pores: bool) -> None:
    """Refuse what models of boxes with faces do not have."""
    if config.model not in IN_BOXES:
        raise InputError(
            f"model {config.model}: its projections are those of periodic boxes, and "
            "the dataset has boxes with faces",
            mend=f"take {', '.join(IN_BOXES)}",
        )
    if config.backbone not in BACKBONES_IN_BOXES:
        raise InputError(
            f"backbone {config.backbone}: it is periodic, and the dataset has boxes "
            "with faces",
            mend=f"take {', '.join(BACKBONES_IN_BOXES)}",
        )
    if pores:
        raise InputError(
            "bodies with pores in boxes with faces, which no model takes",
            "periodic boxes, or bodies without pores",
        )
    for name in ("hypercircle", "constitutive-squared"):
        if name in config.terms:
            raise InputError(
                f"loss.{name} in boxes with faces",
                "strain, stress, masked-labels, constitutive, divergence",
            )


def _strain(prediction: Prediction, batch: Batch, gamma: float) -> Tensor:
    if prediction.gradient is not None:
        return _component_error(prediction.gradient, batch.gradient, gamma)
    return _component_error(prediction.strain, batch.strain, gamma)


def _stress(prediction: Prediction, batch: Batch, gamma: float) -> Tensor:
    return _component_error(prediction.stress, batch.stress, gamma)


def _component_error(field: Tensor, label: Tensor | None, gamma: float) -> Tensor:
    assert label is not None
    x, y, z = label.shape[-3:]
    return losses.component_error(losses.window_average(field, (x, y, z)), label, gamma)


def _masked_labels(prediction: Prediction, batch: Batch, gamma: float) -> Tensor:
    assert batch.strain is not None and batch.stress is not None
    if prediction.gradient is not None:
        assert batch.gradient is not None
        pair = prediction.gradient.flatten(1, 2), batch.gradient.flatten(1, 2)
        gradient = losses.masked_error(*pair, batch.solid)
        return gradient + losses.masked_error(
            prediction.stress, batch.stress, batch.solid
        )
    strain = losses.masked_error(prediction.strain, batch.strain, batch.solid)
    return strain + losses.masked_error(prediction.stress, batch.stress, batch.solid)


def _constitutive(prediction: Prediction, batch: Batch, gamma: float) -> Tensor:
    C = batch.bodies.stiffness
    if prediction.gradient is None:
        stress = apply(C, prediction.strain)
    else:
        unit = batch.bodies.strain_unit
        stress = cauchy_stress(C, prediction.gradient, unit)
    return losses.component_error(stress, prediction.stress, gamma)


def _constitutive_squared(prediction: Prediction, batch: Batch, gamma: float) -> Tensor:
    C = batch.bodies.stiffness
    return losses.constitutive_error(C, prediction.strain, prediction.stress)


def _divergence(prediction: Prediction, batch: Batch, gamma: float) -> Tensor:
    bodies = batch.bodies
    return losses.divergence_error(
        (bodies.box or bodies.operators).divergence(prediction.stress)
    )


def _hypercircle(prediction: Prediction, batch: Batch, gamma: float) -> Tensor:
    """Mean of the relative gap; of an iterated model, of half its logarithm.

    The logarithm gives every correction the same weight, however small the gap. The
    first guess does not depend on the network.
    """
    if not prediction.path:
        return _gap(prediction.strain, prediction.stress, batch.bodies).mean()
    # smaller gaps are rounding
    least = torch.finfo(prediction.strain.dtype).eps ** 2
    logs = [
        torch.log(_gap(e, s, batch.bodies) + least).mean() / 2
        for e, s in prediction.corrected
    ]
    return torch.stack(logs).mean()


def _energy(prediction: Prediction, batch: Batch, gamma: float) -> Tensor:
    """Mean of half the logarithm of the energy above its minimum, over corrections.

    The minimum is estimated by `CONTINUED` more iterations of the same descent, after
    which the energy is much nearer to it than the prediction's.
    """
    kind = prediction.descended
    assert kind is not None
    energy = ENERGIES[kind](batch.bodies)
    pairs = prediction.corrected
    if kind == "stress":
        pairs = tuple((stress, strain) for strain, stress in pairs)
    with torch.no_grad():
        end = Descent(energy, *pairs[-1])
        for _ in range(CONTINUED):
            end.advance()
        scale = inner_product(end.field, end.response)
    logs = []
    for field, _ in pairs:
        # projected again: rounding of the fields would contribute to the slope
        d = energy.direction(field - end.field)
        above = inner_product(d, apply(energy.hessian, d)) + 2 * energy.slope(
            d, end.gradient.direction
        )
        least = torch.finfo(field.dtype).eps ** 2
        logs.append(torch.log((above / scale).clamp_min(0) + least).mean() / 2)
    return torch.stack(logs).mean()


def _complementary(prediction: Prediction, batch: Batch, gamma: float) -> Tensor:
    """W* above Taylor's bound of its minimum, relative to that, over all corrections.

    The bound, -<w(E)>, which no W* is below, takes one local problem a grain.
    """
    bodies = batch.bodies
    assert isinstance(bodies, CreepBodies)
    energy = CreepEnergy(bodies)
    stresses = (*(stress for _, stress in prediction.path), prediction.stress)
    above = [energy(stress) - bodies.least for stress in stresses]
    return (torch.stack(above) / bodies.least.abs()).mean()


def _gap(strain: Tensor, stress: Tensor, bodies: Bodies) -> Tensor:
    return losses.hypercircle(bodies.stiffness, bodies.compliance, strain, stress)


TERMS: dict[str, Term] = {
    "strain": _strain,
    "stress": _stress,
    "masked-labels": _masked_labels,
    "constitutive": _constitutive,
    "constitutive-squared": _constitutive_squared,
    "divergence": _divergence,
    "hypercircle": _hypercircle,
    "energy": _energy,
    "complementary": _complementary,
}
"""Terms by the name in a configuration."""
