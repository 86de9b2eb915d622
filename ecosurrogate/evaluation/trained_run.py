"""The trained model of a run, as it is evaluated."""

import time
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.data.creep_bodies import CreepBodies
from ecosurrogate.evaluation.creep import with_best_rates
from ecosurrogate.evaluation.learned_load import choose_load, encode
from ecosurrogate.evaluation.memory import prediction_bytes
from ecosurrogate.evaluation.predicted_result import certificates
from ecosurrogate.evaluation.solved_cases import (
    PredictedFields,
    Predictor,
    SolvedCase,
    SolvedCases,
)
from ecosurrogate.mechanics.cost import counted_green
from ecosurrogate.training.checkpoint import RunCard, digest_of_weights, load_model
from ecosurrogate.training.devices import choose
from fftmech.arrays.memory import check_bytes, size_text
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary


class TrainedRun(Predictor):
    """The trained model of a run, `folder`.

    InputError if it is damaged, or cannot predict these cases: another scheme, a load
    that it has not learned and does not see.
    """

    def __init__(
        self, folder: str | PathLike, name: str, cases: SolvedCases, device: str = "cpu"
    ) -> None:
        self.device = choose(device)
        self.folder, self.name = folder, name
        self.model, self.card = load_model(folder)
        self.training_sets, self.law = self.card.training_sets, self.card.law
        model, backbone = self.card.config.model, self.card.config.backbone
        self.what = model if model == backbone else f"{model}, {backbone}"
        _check(folder, self.card, cases)
        self.model = self.model.to(self.device)
        self.batch = _affordable(self.model, self.card, cases.res)
        self._applications: int | None = None

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.model.parameters())

    def describe(self) -> dict[str, Any]:
        """What the run is."""
        config = self.card.config
        return {
            "kind": "run",
            "run": str(self.folder),
            "weights": digest_of_weights(self.folder),
            "model": config.model,
            "backbone": config.backbone,
            "preset": config.preset,
            "parameters": self.parameters,
            "device": self.device.type,
            "batch": self.batch,
            "admissible": self.card.certified,
            "law": self.law,
            "trained_on": dict(self.card.dataset),
            "ancestors": [each.summary() for each in self.card.ancestors],
        }

    def predict(self, cases: Sequence[SolvedCase]) -> list[PredictedFields]:
        """Predict, `batch` cases at once."""
        predictions = []
        for start in range(0, len(cases), self.batch):
            predictions += self._predict(cases[start : start + self.batch])
        return predictions

    def _predict(self, cases: Sequence[SolvedCase]) -> list[PredictedFields]:
        started = time.perf_counter()
        bodies, loads = [case.body for case in cases], [case.load for case in cases]
        made = encode(self.card, bodies, loads).to(self.device)
        preparation = (time.perf_counter() - started) / len(cases)
        with torch.inference_mode():
            if self._applications is None:
                # also a warm-up; on a copy, so that fields that the model derives from
                # the tables are made again, and timed, below
                with counted_green() as count:
                    self.model(replace(made))
                self._applications = count.green
            self._wait()
            started = time.perf_counter()
            prediction = self.model(made)
            if isinstance(made, CreepBodies):
                prediction = with_best_rates(prediction, made, bodies, loads)
            self._wait()
            seconds = (time.perf_counter() - started) / len(cases)
        predicted = []
        for i, case in enumerate(cases):
            strain = _field(prediction.strain[i], made.strain_unit[i])
            stress = _field(prediction.stress[i], made.stress_unit[i])
            certificate = None
            if self.card.certified:
                scheme = self.card.encoder.scheme
                pairs = [(strain, stress)]
                (found,) = certificates(case.body, case.load, scheme, pairs)
                certificate = found.relative
            predicted.append(
                PredictedFields(
                    strain,
                    stress,
                    seconds,
                    preparation,
                    self._applications,
                    certificate,
                    None
                    if prediction.gradient is None
                    else _field(prediction.gradient[i], made.strain_unit[i]),
                )
            )
        return predicted

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _check(folder: str | PathLike, card: RunCard, cases: SolvedCases) -> None:
    """Refuse a run that cannot predict these cases."""
    if card.encoder.scheme != cases.scheme:
        raise InputError(
            f"{folder} was trained with scheme {card.encoder.scheme}, "
            f"{cases.directory} was solved with {cases.scheme}",
            mend=f"take a dataset made with --scheme {card.encoder.scheme}",
        )
    if (card.encoder.creep is not None) != cases.creep:
        kinds = ["elastic bodies", "viscoplastic crystals"]
        raise InputError(
            f"{folder} was trained on {kinds[not cases.creep]}, {cases.directory} is "
            f"of {kinds[cases.creep]}",
            mend="take a run that was trained on such bodies",
        )
    if card.law and not cases.law:
        raise InputError(
            f"no constitutive law is known of {cases.directory}, and {folder} was "
            "trained on bodies with a stiffness",
            mend="take a run that was trained on such fields",
        )
    units = [card.units.get("stress"), cases.card.units.get("stress")]
    if not card.law and units[0] != units[1]:
        raise InputError(
            f"{folder} was trained on stresses in {units[0]}, {cases.directory} has "
            f"{units[1]}",
            mend="import or make it in that unit",
        )
    if card.encoder.boundary != cases.boundary:
        raise InputError(
            f"{folder} was trained with boundary "
            f"{card.encoder.boundary or Boundary()}, {cases.directory} was solved with "
            f"{cases.boundary or Boundary()}",
            mend="take a dataset made with the same --boundary",
        )
    if card.config.sees_load:
        return
    # those of the first sample: all others have loads of the same kind
    for load in cases.card.loading.cases(cases.card.seed, 0).values():
        try:
            choose_load(card, load)
        except InputError as error:
            raise InputError(
                f"{folder} cannot predict {cases.directory}: {error.what}",
                error.expected,
                "take a dataset with that load",
            ) from error


def _affordable(model: nn.Module, card: RunCard, res: int) -> int:
    """Halve the batch of the run until it fits the memory."""
    batch, shape = card.config.batch, (res,) * 3
    while True:
        try:
            check_bytes(
                prediction_bytes(model, card, shape, batch),
                f"predictions on {size_text(shape)} voxels",
            )
        except InputError:
            if batch == 1:
                raise
            batch //= 2
        else:
            return batch


def _field(values: Tensor, unit: Tensor) -> np.ndarray:
    # in double precision, or the unit's rounding would break equilibrium a little
    return values.double().cpu().numpy() * float(unit)
