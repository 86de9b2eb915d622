"""Solve a time step whose laws hold their hardening constant.

It is held at what is expected at the step's end. A rough solution says what it will be
there; where that is something else, the step is solved again with that. The last
solution reaches the goal.
"""

from typing import NamedTuple

from fftmech.problems.material_field import State as MaterialState
from fftmech.problems.nonlinear import StepStart, TimeStep
from fftmech.solvers import Solver, State
from fftmech.solvers.iteration import Goal, IterationReport, Outcome, run

ROUGH = Goal(1e-3, float("inf"))
"""Of solutions that only say how the body hardens: a residual is enough."""

CORRECTIONS = 8
"""Times that a step is solved again with what its end says of hardening, at most."""

SLOW = 0.3
"""Error that is left by a correction, relative, from which the next takes a share."""

LAG = 1e-4
"""Relative error of hardening in a step from which it is solved again."""


class Solved(NamedTuple):
    """Where a step ended.

    Attributes
    ----------
    outcome
        Of the last solution.
    residuals, linear_iterations
        Of all of them.
    time_error
        Estimate of what the duration of the step changes in the stress, relative; None
        of laws that hold nothing constant.
    """

    outcome: Outcome
    residuals: list[float]
    linear_iterations: int
    time_error: float | None


def solve_step(
    problem: TimeStep,
    solver: Solver,
    first: State,
    norm: float,
    goal: Goal,
    most: int,
    progress: IterationReport | None,
    *,
    virgin: bool,
) -> Solved:
    """Solve the step that `problem` is at, from a state of the solver.

    Parameters
    ----------
    norm, goal, most, progress
        As in `fftmech.solvers.iteration.run`.
    virgin
        Whether no step came before, whose rate could be the expected one.
    """
    material, begin, largest = problem.material, problem.start, problem.largest
    held = material.time_error(begin.state, begin.state) is not None
    aim = (
        ROUGH if held and (goal.certified or goal.residual <= ROUGH.residual) else goal
    )
    residuals: list[float] = []
    linear = corrections = 0
    share, before = 1.0, float("inf")
    at_first: MaterialState | None = None
    while True:
        outcome = run(problem, solver, first, norm, aim, most, progress)
        residuals += outcome.residuals[1 if residuals else 0 :]
        linear += problem.linear_iterations
        last = problem.last
        if last is None or not held:
            return Solved(outcome, residuals, linear, None)
        lag = material.time_error(begin.state, last.state) or 0.0
        if at_first is None:
            at_first = begin.state
            if virgin:
                at_first = material.correct(begin.state, last.state)
        again = lag > LAG and corrections < CORRECTIONS
        if outcome.status != "converged" or not (again or aim != goal):
            # backward Euler's, by the trapezoidal rule
            lag += 0.5 * (material.time_error(at_first, last.state) or 0.0)
            return Solved(outcome, residuals, linear, lag)
        if again:
            corrections += 1
            # where softer systems slip more and then harden more, errors alternate
            if lag > SLOW * before:
                share = 1 / (1 + min(lag / before, 1.0))
            before = lag
            state = material.correct(begin.state, last.state, share)
            begin = StepStart(begin.strain, state)
        else:
            aim = goal
        problem.begin(begin, problem.dt, last.stress)
        problem.largest = largest
        first = solver.again(problem, outcome.v)
