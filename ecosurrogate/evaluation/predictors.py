"""Trained runs and baselines: the upsampled low-resolution solution, stopped CG."""

import time
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ecosurrogate.data.creep_bodies import creep_problem
from ecosurrogate.evaluation.creep import best_rate, stopped_dual
from ecosurrogate.evaluation.solved_cases import (
    PredictedFields,
    Predictor,
    SolvedCase,
    SolvedCases,
)
from ecosurrogate.evaluation.trained_run import TrainedRun
from fftmech.errors import InputError
from fftmech.problems.certificate import certify
from fftmech.simulations.solve import solve


class LowResolution(Predictor):
    """The solution at the lowest resolution, each voxel cut into equal ones."""

    def __init__(self, cases: SolvedCases) -> None:
        if cases.low is None:
            raise InputError(
                f"baseline low-res: {cases.directory} has no resolution below "
                f"{cases.res}",
                mend="make a dataset with a lower --low-res, or leave it out",
            )
        self.res = cases.low
        self.name, self.what = f"DNS {self.res}^3", "upsampled"

    def describe(self) -> dict[str, Any]:
        """Its resolution."""
        return {"kind": "low-res", "resolution": self.res}

    def predict(self, cases: Sequence[SolvedCase]) -> list[PredictedFields]:
        """Upsample what was solved."""
        predictions = []
        for case in cases:
            assert case.low is not None
            shape, H = case.body.grid.shape, case.low_gradient
            strain, stress = (_upsample(f, shape) for f in case.low)
            gradient = None if H is None else _upsample(H, shape)
            predictions.append(PredictedFields(strain, stress, gradient=gradient))
        return predictions


class StoppedSolver(Predictor):
    """A solver, as the dataset was solved, stopped after some iterations.

    It is "cg", conjugate gradients, and "dual" of viscoplastic crystals. Both apply the
    Green operator to the first residual and in each iteration.
    """

    def __init__(
        self, iterations: int, cases: SolvedCases, device: str = "cpu", kind: str = "cg"
    ) -> None:
        if iterations < 1:
            raise InputError(f"baseline {kind}:{iterations}", "at least 1 iteration")
        fitting = "dual" if cases.creep else "cg"
        if kind != fitting:
            raise InputError(
                f"baseline {kind}:{iterations} of {cases.directory}",
                f"{fitting}:{iterations}, which its bodies are solved by",
            )
        if not cases.law:
            raise InputError(
                f"baseline cg:{iterations}: no constitutive law is known of "
                f"{cases.directory}, which a solver needs",
                mend="leave it out",
            )
        self.iterations, self.device, self.kind = iterations, device, kind
        self.name = kind.upper() if kind == "cg" else kind
        self.what = f"{iterations} iteration{'s' * (iterations > 1)}"
        self.method, self.boundary = cases.card.method, cases.boundary

    def describe(self) -> dict[str, Any]:
        """Its iterations, device and precision."""
        return {
            "kind": self.kind,
            "iterations": self.iterations,
            "device": self.device,
            "precision": self.method["precision"],
        }

    def predict(self, cases: Sequence[SolvedCase]) -> list[PredictedFields]:
        """Solve one after the other."""
        own = self._predict if self.kind == "cg" else self._predict_creep
        return [own(case) for case in cases]

    def _predict_creep(self, case: SolvedCase) -> PredictedFields:
        """Solve one after the other, with the rate and certificate that models have."""
        begun = time.perf_counter()
        problem = creep_problem(case.body, case.load, self.method["scheme"])
        ready = time.perf_counter()
        rate, stress = stopped_dual(problem, self.iterations)
        rate = best_rate(problem, rate)
        solved = time.perf_counter()
        return PredictedFields(
            rate[0],
            stress[0],
            solved - ready,
            ready - begun,
            self.iterations + 1,
            certify(problem, rate, stress).relative,
        )

    def _predict(self, case: SolvedCase) -> PredictedFields:
        result = solve(
            case.body,
            case.load,
            scheme=self.method["scheme"],
            tolerance=self.method["tolerance"],
            precision=self.method["precision"],
            max_iterations=self.iterations,
            device=self.device,
            boundary=self.boundary,
            certificate=False,
        )
        times = result.times
        return PredictedFields(
            result.strain.astype(float),
            result.stress.astype(float),
            times["solve"],
            times["setup"] - times["compile"],
            result.iterations + 1,
            gradient=result.displacement_gradient if self.boundary else None,
        )


def make_predictors(
    runs: Sequence[str | PathLike],
    baselines: Sequence[str] | None,
    cases: SolvedCases,
    device: str = "cpu",
) -> list[Predictor]:
    """Return all predictors, those of the folders of runs first.

    Baselines are "low-res", "cg:K" or "dual:K"; None is "low-res" where there is a
    lower resolution. InputError for any that is not there, cannot predict these cases,
    or is named twice.
    """
    if baselines is None:
        baselines = ["low-res"] if cases.low else []
    found: list[Predictor] = []
    for folder, name in zip(runs, _names(runs), strict=True):
        found.append(TrainedRun(folder, name, cases, device))
    for text in baselines:
        found.append(_baseline(text, cases, device))
    known = [predictor.label for predictor in found]
    for i, label in enumerate(known):
        if label in known[:i]:
            raise InputError(f"{label} is named twice", mend="leave one out")
    return found


def _names(runs: Sequence[str | PathLike]) -> list[str]:
    """Names of the folders; whole paths of those whose names are not different."""
    places = [Path(folder).resolve() for folder in runs]
    for i, place in enumerate(places):
        if place in places[:i]:
            raise InputError(f"run {runs[i]} is named twice", mend="leave one out")
    short = [place.name for place in places]
    return [
        name if short.count(name) == 1 else str(folder)
        for name, folder in zip(short, runs, strict=True)
    ]


def _baseline(text: str, cases: SolvedCases, device: str) -> Predictor:
    if text == "low-res":
        return LowResolution(cases)
    kind, _, number = text.partition(":")
    try:
        iterations = int(number)
    except ValueError:
        kind, iterations = "", 0
    if kind not in ("cg", "dual"):
        raise InputError(
            f"baseline {text!r}",
            "low-res, or cg:K for K iterations of conjugate gradients, dual:K of "
            "viscoplastic crystals",
        )
    return StoppedSolver(iterations, cases, device, kind)


def _upsample(values: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    for axis, n in zip((-3, -2, -1), shape, strict=True):
        values = values.repeat(n // values.shape[axis], axis)
    return values.astype(float)
