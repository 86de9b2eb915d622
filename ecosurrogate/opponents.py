"""The two sides of a comparison, each stopped early, measured and timed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.bodies import Bodies
from ecosurrogate.checkpoint import RunCard
from ecosurrogate.config import ADMISSIBLE
from ecosurrogate.models import IteratedPECO
from ecosurrogate.predict import certify, displacement_of
from ecosurrogate.work import counted_green
from fftmech.admissible import admissible_stress
from fftmech.backend import cpu_backend
from fftmech.discretization import discretization
from fftmech.errors import InputError
from fftmech.load import Load
from fftmech.metrics import nrmse
from fftmech.microstructure.base import Microstructure
from fftmech.problem import Problem
from fftmech.result import Result
from fftmech.solve import solve

MOST = 10_000
"""Iterations of a solve."""

VARIES = 1e-6
"""Deviation of a component, relative to the largest one's size, that is no rounding."""

DENSE, SPARSE = 10, 5
"""Every iteration is measured up to the first number, and so many beyond it."""


class Measure:
    """Errors against a reference.

    Raises
    ------
    InputError
        A reference whose strain and stress are uniform.
    """

    def __init__(self, reference: Result) -> None:
        self.reference = reference
        body = reference.microstructure
        self._solid = ~np.isin(body.phase, body.pores)
        self._varies = {
            name: self._varying(getattr(reference, name))
            for name in ("strain", "stress")
        }
        if not any(varies.any() for varies in self._varies.values()):
            raise InputError(
                "strain and stress are uniform under this load: nothing to compare; "
                "take a body of several phases"
            )
        assert isinstance(reference.load, Load)
        self._problem = Problem(
            body,
            reference.load,
            discretization(reference.scheme),
            cpu_backend(),
            kernels=False,
        )

    def __call__(self, name: str, field: np.ndarray) -> float:
        """nRMSE over the standard deviation, outside of pores, of "strain" or "stress".

        Mean over the components that vary; 0 if none does.
        """
        varies = self._varies[name]
        if not varies.any():
            return 0.0
        exact = getattr(self.reference, name)
        return float(nrmse(field, exact, "std", self._solid)[varies].mean())

    def equilibrated(self, stress: np.ndarray) -> float:
        """That of a stress projected on equilibrated fields."""
        return self("stress", admissible_stress(self._problem, stress[None])[0])

    def _varying(self, field: np.ndarray) -> np.ndarray:
        values = field[:, self._solid]
        return values.std(axis=1) > VARIES * abs(values).max()


class TimedSolver:
    """CG from zero, or from a prediction, stopped after some iterations.

    Parameters
    ----------
    measure
        Of its errors; knows the body and the load.
    method
        Scheme, device and tolerance, as `fftmech.solve` takes them.
    initial
        Where it starts.

    Attributes
    ----------
    points
        Errors (strain, stress, equilibrated, certificate) by iterations: `DENSE` and
        `SPARSE` of them, the last with the tolerance; empty where that is not reached.
    """

    def __init__(
        self, measure: Measure, method: dict[str, Any], initial: Result | None = None
    ) -> None:
        self.measure, self.method, self.initial = measure, method, initial
        self.points: dict[int, dict[str, Any]] = {}
        self._setups: list[float] = []
        full = self._solve(MOST)
        if full.converged:
            for k in _counts(full.iterations):
                self._add(k)

    def first(self, name: str, error: float) -> int | None:
        """First iteration that is as good, which becomes a point too.

        Between two points errors are taken to fall from one iteration to the next.
        """
        worse, good = 0, None
        for k, errors in self.points.items():
            if errors[name] <= error:
                good = k
                break
            worse = k
        while good is not None and good - worse > 1:
            middle = (good + worse) // 2
            if self._add(middle)[name] <= error:
                good = middle
            else:
                worse = middle
        return good

    def seconds(self, k: int) -> float:
        """Seconds from a body that is prepared to the fields after k iterations."""
        times = self._solve(k).times
        self._setups.append(times["setup"] - times["compile"])
        return times["solve"]

    @property
    def prepare(self) -> float:
        """Seconds to prepare a body, median of all runs that were timed."""
        return median(self._setups)

    def _add(self, k: int) -> dict[str, Any]:
        if k not in self.points:
            found, measure = self._solve(k, certificate=True), self.measure
            self.points[k] = {
                "strain": measure("strain", found.strain),
                "stress": measure("stress", found.stress),
                "equilibrated": measure.equilibrated(found.stress),
                "certificate": found.certificate["relative"],
            }
            self.points = dict(sorted(self.points.items()))
        return self.points[k]

    def _solve(self, k: int, certificate: bool = False) -> Result:
        exact = self.measure.reference
        return solve(
            exact.microstructure,
            exact.load,
            **self.method,
            max_iterations=max(k, 1),
            initial=self.initial,
            certificate=certificate,
        )


class TimedModel:
    """A model on one body, or on several copies of it at once.

    Parameters
    ----------
    model, card
        Of a run, on the device.
    body, load, device
        What it predicts, and where.

    Attributes
    ----------
    counts
        Numbers of corrections to stop after; None of a model that makes none.
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
        pairs = [*prediction.path[1:], (prediction.strain, prediction.stress)]
        certified = self.card.config.model in ADMISSIBLE and bool(made.solid.all())
        return {
            j: {
                "strain": measure("strain", _array(strain, made.strain_unit)),
                "stress": measure("stress", _array(stress, made.stress_unit)),
                "equilibrated": None,
                "certificate": certify(made, strain, stress).relative
                if certified
                else None,
            }
            for j, (strain, stress) in zip(self.counts, pairs, strict=True)
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
        # a copy: what a model derives from the stiffness is part of its work
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
        bodies = self.card.encoder.bodies([self.body] * batch, [self.load] * batch)
        return bodies.to(self.device)

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


def _counts(last: int) -> list[int]:
    """Iterations to stop at: every one at first, then further and further apart."""
    few = range(min(1, last), min(last, DENSE) + 1)
    many = np.geomspace(DENSE, max(last, DENSE), SPARSE + 1)[1:].round().astype(int)
    return sorted({*few, *map(int, many[many <= last]), last})
