"""How wrong a prediction is, and when the solver is as good: needs no network."""

from math import isfinite, nan
from pathlib import Path
from statistics import median
from typing import Any

from ecosurrogate.comparison.measure import Measure
from ecosurrogate.comparison.timed_solver import TimedSolver
from ecosurrogate.server.refusal import Refusal
from ecosurrogate.server.worker_tasks import solved, summary_of
from ecosurrogate.server.workers import Report
from fftmech.errors import InputError
from fftmech.io import read_result, write_result
from fftmech.loads.load import Load
from fftmech.problems.certificate import energy_error
from fftmech.results.result import Result

TIMED = 3  # solves that a time is the median of
FIELDS = ("strain", "stress")


def solve_prediction(
    report: Report, name: str, path: Path, method: dict[str, Any], output: Path
) -> dict[str, Any]:
    """Solve what was predicted, in its scheme, and measure the prediction against that.

    Parameters
    ----------
    report
        Called with the iterations, then with {"phase": "errors"}.
    name, path
        Id of the prediction, and our file of it.
    method
        Options of `fftmech.solve` beside the scheme.
    output
        Where the result is written.

    Returns
    -------
    dict
        As `solve_body`, and "prediction": its "id", nRMSE of "strain" and "stress"
        (`ecosurrogate.comparison.measure.Measure`), "energy", the relative energy error
        or None, and for strain and stress the "iterations" after which the solver is
        first as good and the "seconds" it takes when it is stopped there; None where
        the field is uniform.
    """
    try:
        prediction = read_result(path)
    except (InputError, OSError) as error:
        if path.exists():
            raise
        raise Refusal(404, "the prediction was removed", "one that is there") from error
    body, load = prediction.microstructure, prediction.load
    assert isinstance(load, Load)
    method = {**method, "scheme": prediction.scheme}
    result = solved(report, body, load, method)
    report({"phase": "errors"})
    errors = _errors(prediction, Measure(result), method)
    write_result(output, result)
    return {**summary_of(result), "prediction": {"id": name, **errors}}


def _errors(
    prediction: Result, measure: Measure, method: dict[str, Any]
) -> dict[str, Any]:
    stopped = {n: x for n, x in method.items() if n != "max_iterations"}
    solver = TimedSolver(measure, stopped, drawn=False)
    found = {name: measure(name, getattr(prediction, name)) for name in FIELDS}
    first: dict[str, int | None] = {
        name: solver.first(name, found[name]) if measure.varies(name) else None
        for name in FIELDS
    }
    seconds: dict[int | None, float] = {
        k: median(solver.seconds(k) for _ in range(TIMED))
        for k in {*first.values()}
        if k is not None
    }
    exact, found["energy"] = measure.reference, nan
    if not len(exact.microstructure.pores):
        pairs = [(fields.strain, fields.stress) for fields in (prediction, exact)]
        found["energy"] = energy_error(exact.microstructure, *pairs)
    return {
        **{name: x if isfinite(x) else None for name, x in found.items()},
        "iterations": first,
        "seconds": {name: seconds.get(k) for name, k in first.items()},
    }
