"""How wrong a prediction is, and when the solver is as good: needs no network."""

from math import isfinite, nan
from pathlib import Path
from statistics import median
from typing import Any

from ecosurrogate.comparison.measure import Measure
from ecosurrogate.comparison.timed_solver import TimedSolver
from ecosurrogate.data.lawless import NO_LAW
from ecosurrogate.server.refusal import Refusal
from ecosurrogate.server.worker_tasks import solved, summary_of
from ecosurrogate.server.workers import Report
from fftmech.arrays.crowding import busy, crowding
from fftmech.errors import InputError
from fftmech.io import read_result, write_result
from fftmech.loads.load import Load
from fftmech.problems.certificate import energy_error
from fftmech.results.metrics import DEFAULT

TIMED = 3  # solves that a time is the median of
FIELDS = ("strain", "stress")


def solve_prediction(
    report: Report, name: str, path: Path, method: dict[str, Any], output: Path
) -> dict[str, Any]:
    """Solve what was predicted, in its scheme and box, and measure the prediction.

    Returns what `solve_body` does, and "prediction": its "id", nRMSE of "strain" and
    "stress" over the standard deviation (`Measure`), "energy", the relative energy
    error or None, "uniform", these errors of a uniform field, and for both fields the
    "iterations" after which the solver is first as good and the "seconds" it takes when
    it is stopped there; None where the field is uniform. "busy" says why these seconds
    do not count, if other work has the processors, else it is "".
    """
    try:
        prediction = read_result(path)
    except (InputError, OSError) as error:
        if path.exists():
            raise
        raise Refusal(404, "the prediction was removed", "one that is there") from error
    body, load = prediction.microstructure, prediction.load
    assert isinstance(load, Load)
    if body.stiffness is None:
        raise InputError(f"{NO_LAW}, which a solver needs", "a body with stiffness")
    box = {"scheme": prediction.scheme, "boundary": prediction.boundary}
    method = {**method, **box}
    result = solved(report, body, load, method)
    report({"phase": "errors"})
    measure = Measure(result)
    # the solver that is stopped has no other limit
    method.pop("max_iterations", None)
    solver = TimedSolver(measure, method, drawn=False)
    found = {name: measure(name, getattr(prediction, name)) for name in FIELDS}
    first = {n: solver.first(n, found[n]) for n in FIELDS if measure.varies(n)}
    seconds: dict[int | None, float] = {
        k: median(solver.seconds(k) for _ in range(TIMED))
        for k in {*first.values()}
        if k is not None
    }
    pairs = [(fields.strain, fields.stress) for fields in (prediction, result)]
    found["energy"] = nan if len(body.pores) else energy_error(body, *pairs)
    uniform = measure.uniform()
    uniform["energy"] = uniform.pop("certificate")
    errors = {
        "id": name,
        "normalisation": DEFAULT,
        **{name: x if isfinite(x) else None for name, x in found.items()},
        "uniform": uniform,
        "iterations": {name: first.get(name) for name in FIELDS},
        "seconds": {name: seconds.get(first.get(name)) for name in FIELDS},
        "busy": busy(crowding()),
    }
    write_result(output, result)
    return {**summary_of(result), "prediction": errors}
