"""Compare a surrogate with the solver stopped early, on one body under one load.

Measured are the errors against a solve to a much tighter tolerance in the same scheme,
the applications of the Green operator, and the seconds from a body that is ready on the
device to its fields there; what comes before is timed apart. The solver is
preconditioned conjugate gradients (CG), in double precision, with the stress C e of its
strain.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
import torch

from ecosurrogate.comparison.comparison import Comparison, Point
from ecosurrogate.comparison.measure import Measure
from ecosurrogate.comparison.timed_model import TimedModel
from ecosurrogate.comparison.timed_solver import MOST, TimedSolver
from ecosurrogate.data.lawless import NO_LAW
from ecosurrogate.evaluation.learned_load import choose_load
from ecosurrogate.evaluation.memory import prediction_bytes
from ecosurrogate.evaluation.predict import predict
from ecosurrogate.mechanics.cost import Time, Times, measure
from ecosurrogate.training.checkpoint import load_model
from ecosurrogate.training.devices import choose
from fftmech.arrays.backend import get_backend
from fftmech.arrays.memory import check_bytes, size_text
from fftmech.arrays.progress import ProgressReport
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


class ReferenceNotConverged(NotConverged):
    """The reference did not converge; `result` has its residual."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.status)
        self.result = result


def compare(
    run: str | PathLike,
    body: Microstructure,
    load: Load | None = None,
    *,
    device: str = "cpu",
    tolerance: float = 1e-6,
    batches: Sequence[int] = (1, 8),
    report: ProgressReport | None = None,
) -> Comparison:
    """Compare the model of a run with the solver on one body, both on one device.

    Parameters
    ----------
    load
        That of the training set if None.
    tolerance
        Of the solver, from zero and from the prediction (`TOLERANCES`).
    batches
        Sizes of batches that the model is timed with, beside 1.

    Raises
    ------
    InputError
        What the model or the solver cannot take, a body whose fields are uniform.
    ReferenceNotConverged
        The reference did not reach a hundredth of the tolerance.
    """
    report = report or (lambda done, total, text: None)
    _check(device, tolerance)
    report(0, None, "prediction")
    started = time.perf_counter()
    model, card = load_model(run)
    if card.encoder.creep:
        raise InputError(
            f"{run}: a model of viscoplastic crystals",
            "one of elastic bodies",
            "compare with ecosr evaluate --baseline dual:6, or fftmech compare",
        )
    if card.encoder.boundary is not None:
        raise InputError(
            f"{run}: a model of boxes with faces, where the solver takes no initial "
            "guess",
            "a model of periodic boxes",
            "compare with ecosr evaluate --baseline cg:10, or fftmech compare",
        )
    read = time.perf_counter() - started
    if not card.law:
        raise InputError(
            f"{run}: {NO_LAW}, which a solver needs: there is nothing to compare it "
            "with",
            mend="ecosr evaluate measures it on imported fields",
        )
    load = choose_load(card, load)
    batches = sorted({1, *batches})
    shape = size_text(body.grid.shape)
    check_bytes(
        prediction_bytes(model, card, body.grid.shape, batches[-1]),
        f"a batch of {batches[-1]} predictions on {shape} voxels",
        "lower --batch or --res",
    )
    guess = predict(model, card, body, load, device)
    fields = (guess.strain, guess.stress, guess.displacement)
    if not all(np.isfinite(field).all() for field in fields):
        raise InputError(
            f"{run}: its prediction is not finite", mend="train another one"
        )
    exact = _reference(guess, device, tolerance, report)
    timed = TimedModel(model, card, body, load, device)
    return _compared(timed, guess, exact, tolerance, batches, read, report)


def _check(device: str, tolerance: float) -> None:
    low, high = TOLERANCES
    if not low <= tolerance <= high:
        raise InputError(f"tolerance {tolerance:g}", f"{low:g} to {high:g}")
    choose(device)
    get_backend(device)


def _reference(
    guess: Result, device: str, tolerance: float, report: ProgressReport
) -> Result:
    """Solve what was predicted, to a hundredth of the tolerance at least."""
    exact = solve(
        guess.microstructure,
        guess.load,
        scheme=guess.scheme,
        device=device,
        tolerance=REFERENCE,
        max_iterations=MOST,
        certificate=False,
        progress=lambda k, r: report(k, None, f"reference, residual {r:.0e}"),
    )
    if not exact.residual <= tolerance / 100:
        raise ReferenceNotConverged(exact)
    return exact


def _compared(
    timed: TimedModel,
    guess: Result,
    exact: Result,
    tolerance: float,
    batches: Sequence[int],
    read: float,
    report: ProgressReport,
) -> Comparison:
    report(0, None, "errors")
    errors_of = Measure(exact)
    method = {"scheme": exact.scheme, "device": timed.device, "tolerance": tolerance}
    cold = TimedSolver(errors_of, method)
    warm = TimedSolver(errors_of, method, guess)
    errors, last = timed.errors(errors_of), timed.counts[-1]
    # the prediction's stress is compared with the solver's as it is, and projected
    fields = {"strain": "strain", "stress": "stress", "equilibrated": "stress"}
    first = {name: cold.first(name, errors[last][f]) for name, f in fields.items()}
    report(0, None, "timing")
    green = {j: timed.green(j) for j in timed.counts}
    grid = exact.microstructure.grid
    threads = {"model": torch.get_num_threads(), "solver": threads_for(grid.voxels)}
    found = _times(timed, cold, warm, batches, max(threads.values()), report)
    times = found.tasks
    prediction = times["prediction", 1]
    return Comparison(
        model=timed.card.config.model,
        scheme=exact.scheme,
        device=timed.device,
        shape=grid.shape,
        tolerance=tolerance,
        threads=threads,
        rounds=found.rounds,
        crowding=found.crowding,
        reference={"iterations": exact.iterations, "residual": exact.residual},
        uniform=errors_of.uniform(),
        surrogate=tuple(
            Point(
                **errors[j],
                **{"steps": j, "green": green[j], **_cost(times[1, j])},
                batches={b: times[b, j].wall for b in batches},
            )
            for j in timed.counts
        ),
        solver=_points(cold, {k: times["cold", k] for k in cold.points}),
        # the displacement that CG starts from takes one application more
        warm=_points(
            warm,
            {k: _sum(prediction, times["warm", k]) for k in warm.points},
            green[last] + 1,
        ),
        first=first,
        prediction=prediction.wall,
        apart={
            "model": {
                "read": read,
                "first": max(guess.times["solve"] - prediction.wall, 0.0),
                "prepare": times["prepare", 1].wall,
            },
            "solver": {"compile": exact.times["compile"], "prepare": cold.prepare},
        },
        reason=guess.certificate["reason"],
        notes=tuple(guess.notes),
    )


def _points(
    solver: TimedSolver, times: Mapping[int, Time], green: int = 0
) -> tuple[Point, ...]:
    """CG applies the Green operator once to start and once in each iteration."""
    return tuple(
        Point(steps=k, green=green + k + 1, batches={}, **_cost(times[k]), **errors)
        for k, errors in solver.points.items()
    )


def _cost(spent: Time) -> dict[str, Any]:
    """Attributes of a point."""
    return {
        "seconds": spent.wall,
        "processor": spent.processor,
        "spread": (spent.low, spent.high),
    }


def _sum(first: Time, second: Time) -> Time:
    """Time of two tasks, one after the other; of the spread a bound."""
    return Time(*map(sum, zip(first, second, strict=True)))


def _times(
    timed: TimedModel,
    cold: TimedSolver,
    warm: TimedSolver,
    batches: Sequence[int],
    threads: int,
    report: ProgressReport,
) -> Times:
    """Times of the model by batch and corrections, of CG by start ("cold" or "warm")
    and iterations."""
    last = timed.counts[-1]
    # not for the first time below
    for b in batches:
        timed.seconds(last, b)
    tasks: dict[tuple[int | str, int | None], Callable[[], float]] = {
        ("prepare", 1): timed.prepare,
        ("prediction", 1): partial(timed.seconds, last, 1, displacement=True),
    }
    for b in batches:
        tasks |= {(b, j): partial(timed.seconds, j, b) for j in timed.counts}
    for name, solver in (("cold", cold), ("warm", warm)):
        tasks |= {(name, k): partial(solver.seconds, k) for k in solver.points}
    return measure(tasks, threads, lambda n: report(n, None, "timing, rounds"))
