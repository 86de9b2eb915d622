"""Moulinec and Suquet's basic scheme, e <- E - G0 : (C - C0) : e.

On the displacement it is v <- v + M r, with the reference medium at the middle of the
stiffnesses (Moulinec & Suquet 1998, doi:10.1016/S0045-7825(97)00218-1).
Its contraction an iteration is about (kappa - 1) / (kappa + 1), kappa being the
contrast: iterations grow in proportion to it. With pores nothing is guaranteed; a
spherical one takes 144 iterations with the scheme `rotated` at 32^3, where cg takes 35.

At finite strain it is the scheme of Lahellec et al. 2003 (IUTAM Symposium on
Computational Mechanics of Solid Materials at Large Strains, 247-258): the same fixed
point on the first Piola-Kirchhoff stress. A step after which the residual has grown was
too long for the tangent there, and the next ones are half as long.
"""

from typing import Any

from fftmech.operators.reference_medium import stiffness_bounds
from fftmech.problems.linear import Problem
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
        v, square, (z, relaxation) = state
        problem.add(v, relaxation, z)
        new = self._state(problem, v, relaxation)
        if new.square > square:
            # of linear elasticity never: the tangent is stiffer than the stiffness
            new = State(v, new.square, (new.memory[0], relaxation / 2))
        return new

    @staticmethod
    def _state(problem: Problem, v: Any, relaxation: float) -> State:
        r = problem.residual(v)
        z = problem.precondition(r)
        return State(v, problem.dot(r, z), (z, relaxation))
