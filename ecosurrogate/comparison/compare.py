"""The honest question: a surrogate, or the solver stopped early?

Both are measured on one body under one load: their errors against a solve to a much
tighter tolerance in the same scheme, the applications of the Green operator, and the
seconds from a body that is ready on the device to its fields there. What comes before
is timed apart. The solver is preconditioned conjugate gradients (CG), in double
precision, with the stress C e of its strain.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch

from ecosurrogate.comparison.measure import Measure
from ecosurrogate.comparison.timed_model import TimedModel
from ecosurrogate.comparison.timed_solver import MOST, TimedSolver
from ecosurrogate.evaluation.predict import BYTES, choose_load, predict
from ecosurrogate.mechanics.work import medians
from ecosurrogate.training.checkpoint import load_model
from ecosurrogate.training.devices import choose
from fftmech.arrays.backend import get_backend
from fftmech.arrays.memory import check_bytes, size_text
from fftmech.arrays.threads import threads_for
from fftmech.errors import InputError, NotConverged
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.simulations.solve import solve

REFERENCE = 1e-10
"""Tolerance of the reference."""

TOLERANCES = 1e-8, 0.1
"""Tolerances to compare at: the reference has to be a hundred times better."""

Report = Callable[[str], None]


class ReferenceNotConverged(NotConverged):
    """The reference could not be solved; `result` says how far it came."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.status)
        self.result = result


@dataclass(frozen=True)
class Point:
    """Fields that one could stop at.

    Attributes
    ----------
    steps
        Corrections of a model, None of one that makes none; iterations of the solver.
    strain, stress
        nRMSE over the standard deviation, outside of pores, mean over the components
        that vary.
    equilibrated
        That of the stress after projection on equilibrated fields (solver only).
    certificate
        Relative energy error, where it exists.
    green
        Applications of the Green operator, those of the prediction included.
    seconds
        For one body, those of the prediction included.
    batches
        Seconds a body, by bodies at once (model only).
    """

    steps: int | None
    strain: float
    stress: float
    equilibrated: float | None
    certificate: float | None
    green: int
    seconds: float
    batches: Mapping[int, float]


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns.

    Attributes
    ----------
    model, scheme, device, shape, tolerance, threads
        What was compared.
    rounds
        How often each time was taken; times are medians.
    reference
        Its iterations and residual.
    surrogate
        One point, of an iterated model one for each correction.
    solver
        CG stopped after more and more iterations; the last has the tolerance.
    warm
        The same from the prediction; empty if that does not converge.
    first
        Iterations after which CG is first as good as the prediction, by field: strain,
        stress, and "equilibrated", its stress projected; None if it never is.
    prediction
        Seconds of prediction and displacement, from which `warm` starts.
    apart
        Seconds before: "read" (the run), "first" (what the first prediction took more
        than the next) and "prepare" (one body) of the model; "compile" and "prepare" of
        the solver.
    reason
        Why the prediction has no certificate, else "".
    """

    model: str
    scheme: str
    device: str
    shape: tuple[int, int, int]
    tolerance: float
    threads: dict[str, int]
    rounds: int
    reference: dict[str, float]
    surrogate: tuple[Point, ...]
    solver: tuple[Point, ...]
    warm: tuple[Point, ...]
    first: dict[str, int | None]
    prediction: float
    apart: dict[str, dict[str, float]]
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def compare(
    run: str | PathLike,
    body: Microstructure,
    load: Load | None = None,
    *,
    device: str = "cpu",
    tolerance: float = 1e-6,
    batches: Sequence[int] = (1, 8),
    report: Report = lambda text: None,
) -> Comparison:
    """Compare the model of a run with the solver on one body.

    Parameters
    ----------
    run
        Folder of the run.
    body, load
        As in `ecosurrogate.evaluation.predict.predict`; the load of the training set if
        None.
    device
        "cpu" or "cuda", of both.
    tolerance
        Of the solver, cold and from the prediction (`TOLERANCES`).
    batches
        Bodies at once that the model is timed with, beside one.
    report
        Called with what is being done.

    Raises
    ------
    InputError
        What the model or the solver cannot take, a body without anything to predict.
    ReferenceNotConverged
        Of the reference.
    """
    _check(device, tolerance)
    report("prediction")
    started = time.perf_counter()
    model, card = load_model(run)
    read = time.perf_counter() - started
    load = choose_load(card, load)
    batches = sorted({1, *batches})
    voxels, shape = body.grid.voxels, body.grid.shape
    check_bytes(
        batches[-1] * voxels * BYTES,
        f"a batch of {batches[-1]} predictions on {size_text(shape)} voxels",
        "lower --batch or --res",
    )
    guess = predict(model, card, body, load, device)
    if not all(map(_finite, (guess.strain, guess.stress, guess.displacement))):
        raise InputError(
            f"{run}: its prediction is not finite", mend="train another one"
        )

    method: dict[str, Any] = {"scheme": card.encoder.scheme, "device": device}
    reference = solve(
        body,
        load,
        **method,
        tolerance=REFERENCE,
        max_iterations=MOST,
        certificate=False,
        progress=lambda k, r: report(f"reference, iteration {k}, residual {r:.0e}"),
    )
    if not reference.residual <= tolerance / 100:
        raise ReferenceNotConverged(reference)
    measure, method = Measure(reference), {**method, "tolerance": tolerance}
    report("errors")
    timed = TimedModel(model, card, body, load, device)
    errors, last = timed.errors(measure), timed.counts[-1]
    cold = TimedSolver(measure, method)
    warm = TimedSolver(measure, method, guess)
    first = {
        "strain": cold.first("strain", errors[last]["strain"]),
        "stress": cold.first("stress", errors[last]["stress"]),
        "equilibrated": cold.first("equilibrated", errors[last]["stress"]),
    }
    report("timing")
    green = {j: timed.green(j) for j in timed.counts}
    for b in batches:
        timed.seconds(last, b)
    spent, rounds = medians(
        {
            ("prepare", 1): timed.prepare,
            ("predict", 1): lambda: timed.seconds(last, 1, displacement=True),
            **{
                (b, j): lambda j=j, b=b: timed.seconds(j, b)
                for b in batches
                for j in timed.counts
            },
            **{("cold", k): lambda k=k: cold.seconds(k) for k in cold.points},
            **{("warm", k): lambda k=k: warm.seconds(k) for k in warm.points},
        },
        lambda n: report(f"timing, round {n}"),
    )
    prediction = spent["predict", 1]
    return Comparison(
        model=card.config.model,
        scheme=card.encoder.scheme,
        device=device,
        shape=body.grid.shape,
        tolerance=tolerance,
        threads={"model": torch.get_num_threads(), "solver": threads_for(voxels)},
        rounds=rounds,
        reference={
            "iterations": reference.iterations,
            "residual": reference.residual,
        },
        surrogate=tuple(
            Point(
                steps=j,
                green=green[j],
                seconds=spent[1, j],
                batches={b: spent[b, j] for b in batches},
                **errors[j],
            )
            for j in timed.counts
        ),
        solver=_points(cold, {k: spent["cold", k] for k in cold.points}),
        # the displacement takes one application more
        warm=_points(
            warm,
            {k: prediction + spent["warm", k] for k in warm.points},
            green[last] + 1,
        ),
        first=first,
        prediction=prediction,
        apart={
            "model": {
                "read": read,
                "first": max(guess.times["solve"] - prediction, 0.0),
                "prepare": spent["prepare", 1],
            },
            "solver": {
                "compile": reference.times["compile"],
                "prepare": cold.prepare,
            },
        },
        reason=guess.certificate["reason"],
    )


def _points(
    solver: TimedSolver, seconds: Mapping[int, float], green: int = 0
) -> tuple[Point, ...]:
    """One Green application begins a descent, and one is in each iteration."""
    return tuple(
        Point(steps=k, green=green + k + 1, seconds=seconds[k], batches={}, **errors)
        for k, errors in solver.points.items()
    )


def _check(device: str, tolerance: float) -> None:
    low, high = TOLERANCES
    if not low <= tolerance <= high:
        raise InputError(f"tolerance {tolerance:g}", f"{low:g} to {high:g}")
    choose(device)
    get_backend(device)


def _finite(field: np.ndarray) -> bool:
    return bool(np.isfinite(field).all())
