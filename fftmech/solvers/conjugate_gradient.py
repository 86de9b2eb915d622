"""Preconditioned conjugate gradients (Hestenes & Stiefel 1952).

Applied to the displacement, as in Leute et al. 2022 (doi:10.1016/j.jcp.2021.110931):
the preconditioner is the exact inverse of the reference medium, and the iterates cannot
leave the compatible subspace.
"""

from typing import Any

from fftmech.problem import Problem
from fftmech.solvers.base import Solver, State


class ConjugateGradient(Solver):
    """The default: optimal in the energy norm, no parameter."""

    name = "cg"

    def init(self, problem: Problem, v: Any) -> State:
        """r = b - K v, z = M r, p = z."""
        r = problem.residual(v)
        z = problem.precondition(r)
        return State(v, problem.dot(r, z), (r, z))

    def step(self, problem: Problem, state: State) -> State:
        """Minimise the energy along p, then make the next p conjugate to it."""
        v, square, (r, p) = state
        Kp = problem.apply(p)
        curvature = problem.dot(p, Kp)
        if not curvature > 0:
            return State(v, float("nan"), (r, p))
        alpha = square / curvature
        v += alpha * p
        r -= alpha * Kp
        z = problem.precondition(r)
        new_square = problem.dot(r, z)
        p *= new_square / square
        p += z
        return State(v, new_square, (r, p))
