"""Newton's method, each step solved by preconditioned conjugate gradients.

Inexact Newton with forcing terms after Eisenstat & Walker 1996 (choice 2,
doi:10.1137/0917003), and a line search that asks the dual norm of the residual to fall.
The tangent is applied, never assembled; the preconditioner is that of linear
elasticity. Where the tangent is not positive along a direction, the steps up to it are
taken.
"""

from typing import Any, NamedTuple

from fftmech.increment import Evaluation, Increment, Linearized
from fftmech.solvers.base import Solver, State
from fftmech.solvers.conjugate_gradient import ConjugateGradient

FIRST = 0.1
LEAST = 0.03
"""Greatest and least forcing term. Linear iterations and seconds to a residual of 1e-6,
31^3 voxels with a stiff cube in large simple shear (F_xy = 1): 195 and 1.6 with a least
term of 1e-5, 147 and 1.2 with 0.03, 137 and 1.2 with 0.3."""

HALVINGS = 8
"""Of a step, before the line search gives up."""

SUFFICIENT = 1e-4
"""Part of the decrease that the linearisation foretells which is asked for."""

MOST_LINEAR = 500
"""Conjugate gradient iterations of one Newton step."""


class _Memory(NamedTuple):
    evaluation: Evaluation
    forcing: float


class NewtonKrylov(Solver):
    """Few evaluations of the laws, each with as few linear iterations as pay.

    Parameters
    ----------
    least, first
        Least and greatest forcing term: relative residuals to which the linear problem
        is solved. With small ones convergence is Newton's own, quadratic.
    """

    name = "newton"
    mixed = True

    def __init__(self, least: float = LEAST, first: float = FIRST) -> None:
        self.least, self.first = least, first
        self._krylov = ConjugateGradient("cg")

    def init(self, problem: Increment, v: Any) -> State:
        """Evaluate v, with its tangent."""
        evaluation = problem.evaluate(v, tangent=True)
        square = _square(problem, evaluation.residual)
        return State(v, square, _Memory(evaluation, self.first))

    def step(self, problem: Increment, state: State) -> State:
        """Solve for a direction, and go along it as far as the residual falls."""
        v, square, (evaluation, forcing) = state
        # no more than the whole solve asks for
        needed = 0.5 * problem.target / square**0.5
        relative = max(forcing, min(needed, self.first))
        linear = problem.linearized(evaluation)
        direction = self._solve(problem, linear, relative)
        length = 1.0
        for _ in range(HALVINGS):
            trial = v + length * direction
            evaluation = problem.evaluate(trial, tangent=True)
            new = _square(problem, evaluation.residual)
            if new <= (1 - SUFFICIENT * length * (1 - relative)) ** 2 * square:
                break
            length /= 2
        else:
            return State(v, float("nan"), state.memory)
        forcing = max(self.least, min(0.9 * new / square, self.first))
        return State(trial, new, _Memory(evaluation, forcing))

    def _solve(self, problem: Increment, linear: Linearized, relative: float) -> Any:
        state = self._krylov.init(linear, linear.zeros())
        enough = relative**2 * state.square
        for _ in range(MOST_LINEAR):
            new = self._krylov.step(linear, state)
            problem.linear_iterations += 1
            if not new.square >= 0:
                # negative curvature: what is there, or the steepest descent
                return new.v if new.v.any() else state.memory[1]
            state = new
            if state.square <= enough:
                break
        return state.v


def _square(problem: Increment, r: Any) -> float:
    """<r, M r>; NaN stays NaN."""
    return problem.descend(r)[1]
