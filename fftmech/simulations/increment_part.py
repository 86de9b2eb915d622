"""A part of an increment of a load path, solved from the state before it."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from fftmech.arrays.backend import to_numpy
from fftmech.loads.path import Step, Target
from fftmech.problems.nonlinear import Evaluation, StepStart, TimeStep
from fftmech.problems.stress_error import stress_norm
from fftmech.simulations.held_hardening import solve_step
from fftmech.simulations.march_state import MarchState
from fftmech.solvers import Solver
from fftmech.solvers.iteration import Goal, IterationReport

LEAST_STRAIN = 1e-12
"""Mean strain that counts as none."""

LEAST_RATIO = 1e-3
"""Least ratio of the norm of residuals to the stress, of nearly homogeneous bodies."""


class TriedPart(NamedTuple):
    """A part of an increment that was tried, and the state that it leads to.

    `time_error` is None of laws without an estimate, and `inverted` the fraction of the
    solid with det F <= 0, where that is the status.
    """

    status: str
    residuals: list[float]
    linear_iterations: int
    state: MarchState
    inverted: float = 0.0
    time_error: float | None = None

    @property
    def iterations(self) -> int:
        """Of the solver, on this part."""
        return len(self.residuals) - 1


@dataclass(frozen=True)
class PartSolver:
    """How parts of increments are solved.

    Parameters
    ----------
    problem, solver, goal
        The problem of a step, how it is solved, and where that ends.
    most
        Iterations of a part.
    """

    problem: TimeStep
    solver: Solver
    goal: Goal
    most: int

    def solve(
        self,
        state: MarchState,
        step: Step,
        done: float,
        part: float,
        progress: IterationReport | None,
    ) -> TriedPart:
        """Try the part of a step from `done` on, both fractions of the step."""
        problem = self.problem
        rest = problem.kinematics.rest
        problem.set_load(Target.between(step, done + part, *state.begun, rest))
        duration = part * step.time
        ratio = duration / state.duration if state.duration else 1.0
        expected = problem.material.expect(state.start.state, ratio)
        before = state.start.strain
        if not state.duration:
            # the eigenstrain comes with the first part, on a body without stress
            before = problem.material.stress_free(before)
        begin = StepStart(before, expected)
        stress = state.stress if state.duration else None
        start = state.v.copy()
        start[-problem.means :] = problem.asarray(
            np.where(problem.load.free, state.mean_strain - rest, 0.0)
        )
        v, dual = start.copy(), self.solver.name == "dual"
        if state.change is not None:
            change = (part / state.part) * state.change
            if not dual:
                v += change
            elif stress is not None:
                stress = stress + change
        problem.begin(begin, duration, stress)
        first = self.solver.init(problem, v)
        size = self.solver.size(problem, first)
        norm, ratio = self._norm(state, max(first.square, 0.0) ** 0.5, size)
        problem.largest = max(
            (stress_norm(problem, point.mean_stress) for point in state.points),
            default=0.0,
        )
        solved = solve_step(
            problem,
            self.solver,
            first,
            norm,
            self.goal,
            self.most,
            progress,
            virgin=not state.duration,
        )
        outcome = solved.outcome
        status = outcome.status
        inverted = problem.inverted() if status == "converged" else 0.0
        tried = TriedPart(
            "inverted" if inverted else status,
            solved.residuals,
            solved.linear_iterations,
            state,
            inverted,
            solved.time_error,
        )
        if tried.status != "converged":
            return tried
        last = problem.last
        assert last is not None
        change = outcome.v - start
        if dual:
            # of rates only, the first stress is no change
            change = last.stress - state.stress if state.duration else None
        after = replace(
            state,
            v=outcome.v,
            change=change,
            part=part,
            duration=duration,
            start=StepStart(last.strain, last.state),
            stress=last.stress,
            work=state.work + _work(state.stress, begin.strain, last),
            mean_strain=to_numpy(problem.mean_strain(outcome.v)).astype(float),
            mean_stress=last.mean_stress,
            norm=norm,
            ratio=ratio,
        )
        return tried._replace(state=after)

    def _norm(
        self, state: MarchState, residual: float, size: float
    ) -> tuple[float, float]:
        """The norm that residuals of this part are relative to, and norm / stress.

        In the first increment it is the residual of a homogeneous strain; later it
        grows with the norm of the stress (`Solver.size`), and never shrinks.
        """
        least = LEAST_STRAIN * float(np.trace(self.problem.reference_stiffness)) ** 0.5
        if not state.norm:
            ratio = max(residual / max(size, least), LEAST_RATIO)
            return max(residual, LEAST_RATIO * size, least), ratio
        return max(state.norm, state.ratio * size), state.ratio


def _work(stress: Any, strain: Any, last: Evaluation) -> Any:
    """Stress work density of a part by the trapezoidal rule, (q, x, y, z)."""
    return 0.5 * ((last.stress + stress) * (last.strain - strain)).sum(1)
