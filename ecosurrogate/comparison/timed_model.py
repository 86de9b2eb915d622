"""Errors and times of a model that is stopped after each of its corrections."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.comparison.measure import Measure
from ecosurrogate.data.bodies import Bodies
from ecosurrogate.evaluation.learned_load import encode
from ecosurrogate.evaluation.predict import displacement_of
from ecosurrogate.evaluation.predicted_result import certificates
from ecosurrogate.mechanics.cost import counted_green
from ecosurrogate.models.eco import IteratedPECO
from ecosurrogate.training.checkpoint import RunCard
from ecosurrogate.training.config import ADMISSIBLE
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure


class TimedModel:
    """A model on one body, or on several copies of it at once.

    `counts` are the numbers of corrections to stop after; [None] if it makes none.
    """

    def __init__(
        self,
        model: nn.Module,
        card: RunCard,
        body: Microstructure,
        load: Load,
        device: str,
    ) -> None:
        self.model, self.card, self.device = model, card, device
        self.body, self.load = body, load
        self.counts: list[int | None] = [None]
        if isinstance(model, IteratedPECO):
            self.counts = [*range(1, model.corrections + 1)]
        self._made = cache(self._make)

    def errors(self, measure: Measure) -> dict[int | None, dict[str, Any]]:
        """Errors after each correction, with the names of `TimedSolver.points`."""
        made = self._made(1)
        with torch.inference_mode():
            prediction = self.model(made)
        pairs = [
            (_array(strain, made.strain_unit), _array(stress, made.stress_unit))
            for strain, stress in prediction.corrected
        ]
        certified: list[float | None] = [None] * len(pairs)
        if self.card.config.model in ADMISSIBLE and bool(made.solid.all()):
            scheme = self.card.encoder.scheme
            found = certificates(self.body, self.load, scheme, pairs)
            certified = [c.relative for c in found]
        return {
            j: {
                "strain": measure("strain", strain),
                "stress": measure("stress", stress),
                "equilibrated": None,
                "certificate": relative,
            }
            for j, (strain, stress), relative in zip(
                self.counts, pairs, certified, strict=True
            )
        }

    def green(self, j: int | None) -> int:
        """Applications of the Green operator in j corrections."""
        with counted_green() as count:
            self.seconds(j, 1)
        return count.green

    def prepare(self) -> float:
        """Seconds to prepare a body."""
        started = time.perf_counter()
        self._make(1)
        self._wait()
        return time.perf_counter() - started

    def seconds(self, j: int | None, batch: int, displacement: bool = False) -> float:
        """Seconds a body from a batch that is prepared to the fields."""
        # a copy, as the fields that a model derives from the tables are to be timed
        made = replace(self._made(batch))
        self._wait()
        started = time.perf_counter()
        with torch.inference_mode(), self._corrections(j):
            prediction = self.model(made)
            if displacement:
                displacement_of(prediction.strain, made)
        self._wait()
        return (time.perf_counter() - started) / batch

    def _make(self, batch: int) -> Bodies:
        made = encode(self.card, [self.body] * batch, [self.load] * batch)
        return made.to(self.device)

    @contextmanager
    def _corrections(self, j: int | None) -> Iterator[None]:
        model = self.model
        if j is None or not isinstance(model, IteratedPECO):
            yield
            return
        before, model.corrections = model.corrections, j
        try:
            yield
        finally:
            model.corrections = before

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def _array(field: Tensor, unit: Tensor) -> np.ndarray:
    """First of a batch, in the units of the solver."""
    return (field[0].double() * unit[0].double()).cpu().numpy()
