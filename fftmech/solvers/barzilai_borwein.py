"""Barzilai-Borwein: the basic scheme with a step from the last two iterates.

Schneider 2019 (Int. J. Numer. Meth. Eng. 118, 482-494): with s = dv and y = -dr, the
step is <s, M^-1 s> / <s, y>. The residual is not monotone.
"""

from typing import Any

from fftmech.operators.reference_medium import stiffness_bounds
from fftmech.problems.linear import Problem
from fftmech.solvers.base import Solver, State


class BarzilaiBorwein(Solver):
    """Parameter-free gradient iteration; as little memory as the basic scheme."""

    name = "barzilai-borwein"

    def init(self, problem: Problem, v: Any) -> State:
        """First step: that of the basic scheme."""
        low, high = stiffness_bounds(problem.microstructure)
        r = problem.residual(v)
        z = problem.precondition(r)
        return State(v, problem.dot(r, z), (z, 2 / (low + high)))

    def step(self, problem: Problem, state: State) -> State:
        """v <- v + alpha z, and the next alpha."""
        v, square, (z, alpha) = state
        v += alpha * z
        r = problem.residual(v)
        # s = alpha z and M^-1 s = alpha r_old: only r_new enters through <z, r_new>
        curvature = square - problem.dot(z, r)
        if not curvature > 0:
            return State(v, float("nan"), (z, alpha))
        z = problem.precondition(r)
        return State(v, problem.dot(r, z), (z, alpha * square / curvature))
