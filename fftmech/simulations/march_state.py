"""State of a load path after an accepted increment, and the increments so far."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.problems.nonlinear import StepStart


@dataclass(frozen=True)
class IncrementLog:
    """One increment of a path, solved or not.

    Attributes
    ----------
    step, increment
        Numbers, from 1, within the path and within the step.
    time
        At its end.
    mean_strain, mean_stress
        Mandel (6,); at finite strain F and P by rows (9,).
    status
        As in `fftmech.Result`.
    iterations, linear_iterations
        Of the solver, and of conjugate gradients within Newton's.
    cuts
        Times that the increment was halved.
    residual
        Relative equilibrium residual.
    time_error
        Estimate of what the size of the increment changes in the stress, relative; NaN
        of laws that have none.
    """

    step: int
    increment: int
    time: float
    mean_strain: np.ndarray
    mean_stress: np.ndarray
    status: str
    iterations: int
    linear_iterations: int
    cuts: int
    residual: float
    time_error: float = float("nan")


@dataclass(frozen=True)
class MarchState:
    """State after an accepted increment: all that the next one needs.

    Attributes
    ----------
    step, increment
        Steps that are done, and increments of the current one that are.
    v
        The unknown.
    change, part
        Change of v (solver dual: of the stress) in the last part of an increment, and
        that part as a fraction of the step: the next change is extrapolated from it.
        None at the beginning of a step.
    duration
        Of that part, 0 before the first.
    start, stress
        Strain, internal variables and stress at integration points.
    work
        Stress work density by the trapezoidal rule (stress units), (q, x, y, z).
    mean_strain, mean_stress
        Mandel (6,); at finite strain F and P by rows (9,).
    begun
        The two at the beginning of the step.
    norm, ratio
        The norm that residuals are relative to, and its ratio to that of the stress.
    points
        The increments so far.
    residuals
        Relative residual before the first iteration and after each.
    orientation
        Of each phase, quaternions (P, 4), where crystals turn; else None.
    spin
        Largest turn of a crystal in a part of an increment so far, degrees.
    """

    step: int
    increment: int
    v: Any
    change: Any
    part: float
    start: StepStart
    stress: Any
    work: Any
    mean_strain: np.ndarray
    mean_stress: np.ndarray
    begun: tuple[np.ndarray, np.ndarray]
    duration: float = 0.0
    norm: float = 0.0
    ratio: float = 0.0
    points: tuple[IncrementLog, ...] = ()
    residuals: tuple[float, ...] = (1.0,)
    orientation: np.ndarray | None = None
    spin: float = 0.0
