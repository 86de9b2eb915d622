"""Newton's method, each step solved by preconditioned conjugate gradients.

An inexact Newton method (Dembo, Eisenstat & Steihaug 1982, doi:10.1137/0719025) with a
constant forcing term. The line search ends where the dual norm of the residual has
decreased or, near a minimum of the energy along the step, the slope of the energy. The
tangent is applied, never assembled; the preconditioner is that of linear elasticity.
Where the tangent is not positive along a search direction, the sum of the steps before
it is taken.
"""

from typing import Any

from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.tangent import TangentProblem
from fftmech.solvers.base import Solver, State
from fftmech.solvers.conjugate_gradient import ConjugateGradient

FORCING = 0.01
"""Relative residual to which a linear problem is solved.

Newton steps and linear iterations to a residual of 1e-6 with 0.1, 0.03 and 0.01: 7 and
133, 6 and 163, 5 and 169 for a stiff cube in large simple shear (31^3 voxels, F_xy =
1); 5 and 14, 4 and 14, 3 and 12 for a polycrystal (64^3, F_xx = 1.001). A step costs as
much as two or three iterations, and more with laws that iterate.
"""

COARSEST = 0.1
"""Largest forcing term, where half of the tolerance of the whole solve is coarser."""

HALVINGS = 8
"""Most halvings of a step in the line search."""

SUFFICIENT = 1e-4
"""Armijo's constant of the line search."""

FLAT = 0.5
"""Ratio of the slopes of the energy at the end and at the beginning of a step that
ends the line search (curvature condition)."""

GROWTH = 10.0
"""Factor by which the residual may grow in a step that `FLAT` accepts."""

MOST_LINEAR = 500
"""Conjugate gradient iterations of one Newton step."""


class NewtonKrylov(Solver):
    """Few evaluations of the laws, each with few linear iterations.

    Parameters
    ----------
    forcing
        Relative residual to which the linear problem is solved. With a small one
        convergence is Newton's own, quadratic.
    """

    name = "newton"
    mixed = True

    def __init__(self, forcing: float = FORCING) -> None:
        self.forcing = forcing
        self._krylov = ConjugateGradient("cg")

    def init(self, problem: TimeStep, v: Any) -> State:
        """Evaluate v, with its tangent."""
        evaluation = problem.evaluate(v, tangent=True)
        square = _square(problem, evaluation.residual)
        return State(v, square, evaluation)

    def step(self, problem: TimeStep, state: State) -> State:
        """Solve for a direction, then search along it."""
        v, square, evaluation = state
        # no finer than the tolerance of the whole solve needs
        needed = 0.5 * problem.target / square**0.5
        relative = max(self.forcing, min(needed, COARSEST))
        linear = TangentProblem(problem, evaluation)
        direction = self._solve(problem, linear, relative)
        slope = problem.dot(evaluation.residual, direction)
        length = 1.0
        for _ in range(HALVINGS):
            trial = v + length * direction
            evaluation = problem.evaluate(trial, tangent=True)
            new = _square(problem, evaluation.residual)
            if new <= (1 - SUFFICIENT * length * (1 - relative)) ** 2 * square:
                break
            there = problem.dot(evaluation.residual, direction)
            if abs(there) <= FLAT * slope and new <= GROWTH**2 * square:
                break
            secant = slope / (slope - there) if there < 0 else 0.5
            length *= min(max(secant, 0.1), 0.5)
        else:
            return State(v, float("nan"), state.memory)
        return State(trial, new, evaluation)

    def _solve(self, problem: TimeStep, linear: TangentProblem, relative: float) -> Any:
        state = self._krylov.init(linear, linear.zeros())
        enough = relative**2 * state.square
        for _ in range(MOST_LINEAR):
            new = self._krylov.step(linear, state)
            problem.linear_iterations += 1
            if not new.square >= 0:
                # negative curvature: the sum so far, or the steepest descent
                return new.v if new.v.any() else state.memory[1]
            state = new
            if state.square <= enough:
                break
        return state.v


def _square(problem: TimeStep, r: Any) -> float:
    """<r, M r>; NaN stays NaN."""
    return problem.update_residual(r)[1]
