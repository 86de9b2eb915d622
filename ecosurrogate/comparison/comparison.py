"""What a comparison of a surrogate with the solver found."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """Error and cost of the model after a correction, or of CG after an iteration.

    The times of CG from the prediction include those of the prediction.

    Attributes
    ----------
    steps
        Corrections of the model, None if it makes none; iterations of the solver.
    strain, stress
        nRMSE over the standard deviation, outside of pores, mean over the components
        that are not uniform; where all are, 0 for no error, else infinity.
    equilibrated
        That of the stress after projection on equilibrated fields (solver only).
    certificate
        Relative energy error, where it exists.
    green
        Applications of the Green operator, with those of the prediction it starts from.
    seconds, processor
        Wall time, and that of all threads together, for one body.
    spread
        Wall times between which nine of ten repeats are.
    batches
        Seconds a body, by size of the batch (model only).
    """

    steps: int | None
    strain: float
    stress: float
    equilibrated: float | None
    certificate: float | None
    green: int
    seconds: float
    processor: float
    spread: tuple[float, float]
    batches: Mapping[int, float]


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns.

    Attributes
    ----------
    model, scheme, device, shape, tolerance, threads
        What was compared, and how.
    rounds
        How often each time was measured; times are medians.
    crowding
        Wall time over processor time of threads that only compute, as many as the model
        or the solver have (`fftmech.arrays.crowding`).
    reference
        Its iterations and residual.
    uniform
        Errors of the uniform field, the mean of the solution: strain, stress, and
        certificate (None in bodies with pores).
    surrogate
        One point, of an iterated model one for each correction.
    solver
        CG stopped after more and more iterations; the last has the tolerance.
    warm
        The same started from the prediction; empty if that does not converge.
    first
        Iterations after which CG is first as accurate as the prediction, by field:
        strain, stress, and "equilibrated", its stress projected; None if it never is.
    prediction
        Seconds of prediction and displacement, from which `warm` starts.
    apart
        Seconds not in the times above: "read" (the run), "first" (what the first
        prediction took more than the next) and "prepare" (one body) of the model;
        "compile" and "prepare" of the solver.
    reason
        Why the prediction has no certificate, else "".
    notes
        Those of the prediction: how the body differs from what the model knows.
    """

    model: str
    scheme: str
    device: str
    shape: tuple[int, int, int]
    tolerance: float
    threads: dict[str, int]
    rounds: int
    crowding: float
    reference: dict[str, float]
    uniform: dict[str, float | None]
    surrogate: tuple[Point, ...]
    solver: tuple[Point, ...]
    warm: tuple[Point, ...]
    first: dict[str, int | None]
    prediction: float
    apart: dict[str, dict[str, float]]
    reason: str
    notes: tuple[str, ...] = ()
