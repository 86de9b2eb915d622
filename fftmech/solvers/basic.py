"""Moulinec and Suquet's basic scheme, e <- E - G0 : (C - C0) : e.

On the displacement it is v <- v + M r, with the reference medium at the middle of the
stiffnesses (Moulinec & Suquet 1998, doi:10.1016/S0045-7825(97)00218-1).
Its contraction an iteration is about (kappa - 1) / (kappa + 1), kappa being the
contrast: iterations grow in proportion to it. With pores nothing is guaranteed; a
spherical one takes 144 iterations with the scheme `rotated` at 32^3, where cg takes 35.
"""

from typing import Any

from fftmech.problem import Problem
from fftmech.reference import stiffness_bounds
from fftmech.solvers.base import Solver, State


class BasicScheme(Solver):
    """Fixed-point iteration with a constant step."""

    name = "basic"

    def init(self, problem: Problem, v: Any) -> State:
        """Reference medium C0 scaled by the mean of the bounds of C0^-1 C."""
        low, high = stiffness_bounds(problem.microstructure)
        return self._state(problem, v, 2 / (low + high))

    def step(self, problem: Problem, state: State) -> State:
        """v <- v + M r."""
        v, _, (z, relaxation) = state
        v += relaxation * z
        return self._state(problem, v, relaxation)

    @staticmethod
    def _state(problem: Problem, v: Any, relaxation: float) -> State:
        r = problem.residual(v)
        z = problem.precondition(r)
        return State(v, problem.dot(r, z), (z, relaxation))
