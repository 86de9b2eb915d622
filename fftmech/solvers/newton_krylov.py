"""Newton's method, each step solved by preconditioned conjugate gradients.

An inexact Newton method (Dembo, Eisenstat & Steihaug 1982, doi:10.1137/0719025) with
forcing terms that follow the residual (Eisenstat & Walker 1996, choice 2,
doi:10.1137/0917003). The line search ends where the dual norm of the residual has
decreased or, near a minimum of the energy along the step, the slope of the energy. The
tangent is applied, never assembled; the preconditioner is that of linear elasticity.
Where the tangent is not positive along a search direction, the sum of the steps before
it is taken. Power laws learn what stress the last tangent foresaw, for a tangent
between the secant and their own (`fftmech.materials.tangent.held`).
"""

from typing import Any

from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.tangent import TangentProblem
from fftmech.solvers.base import Solver, State
from fftmech.solvers.conjugate_gradient import ConjugateGradient

FORCING = 0.1
"""Largest relative residual to which a linear problem is solved.

Linear iterations and evaluations of the laws with 0.1 and 0.3: 1827 and 14, 2003 and 23
for a sphere of a power law of exponent 10 (16^3 voxels, contrast 10 in stress); 989 and
24, 881 and 37 for a viscoplastic polycrystal of exponent 20 (16^3).
"""

ORDER = (1 + 5**0.5) / 2
"""Power of the last step's ratio of residuals to which the next linear problem is
solved: then convergence is of this order."""

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
        Largest relative residual to which the linear problem is solved. With a small
        one convergence is Newton's own, quadratic.
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
        return State(v, square, (evaluation, 1.0))

    def step(self, problem: TimeStep, state: State) -> State:
        """Solve for a direction, then search along it."""
        v, square, (evaluation, ratio) = state
        # no finer than the tolerance of the whole solve needs
        needed = 0.5 * problem.target / square**0.5
        relative = min(max(ratio ** (ORDER / 2), needed), self.forcing)
        linear = TangentProblem(problem, evaluation)
        direction = self._solve(problem, linear, relative)
        slope = problem.dot(evaluation.residual, direction)
        foreseen = None
        if problem.material.foresight:
            u, E = problem.displacement(direction), direction[-problem.means :]
            foreseen = evaluation.tangent.apply(problem.derive(u, E))
            foreseen += evaluation.stress
        length = 1.0
        for _ in range(HALVINGS):
            trial = v + length * direction
            evaluation = problem.evaluate(trial, tangent=True, foreseen=foreseen)
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
        return State(trial, new, (evaluation, new / square))

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
