"""The one loop that counts, stops and reports."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fftmech.problems.stress_error import Loaded
from fftmech.solvers import Solver, State
from fftmech.solvers.base import STRESS, dual_norm, root

# A residual that has grown by this factor: the iteration diverges.
DIVERGED = 1e6

# The residual that a solver updates may drift from the true one, which is checked at
# the end: where it has, the solver is restarted from its last v, this many times.
RESTARTS = 3

# A lower residual is aimed at where the stress is not right yet: a little lower than in
# proportion, and at most by this factor at once.
LOWER = 0.5
LOWEST = 1e-4

IterationReport = Callable[[int, float], None]
"""Called with the iterations done and the relative residual."""


class Goal(NamedTuple):
    """What ends an iteration: a residual, and an error below `error` there.

    Attributes
    ----------
    residual
        Relative to that of a homogeneous strain.
    error
        Of the stress, relative (`fftmech.problems.stress_error`), or of the certificate
        if `certified`; inf if the residual is enough.
    """

    residual: float
    error: float
    certified: bool = False

    @classmethod
    def of(cls, tolerance: float, energy: float | None = None) -> "Goal":
        """A tolerance on the residual, or one on the certificate."""
        if energy is None:
            return cls(tolerance, STRESS * tolerance)
        return cls(energy, energy, certified=True)


class Outcome(NamedTuple):
    """Where an iteration ended, and why.

    Attributes
    ----------
    v
        The last unknown.
    status
        As in `Result`.
    residuals
        Relative residual before each iteration and after the last.
    balance
        `Problem.balance` of v.
    """

    v: Any
    status: str
    residuals: list[float]
    balance: tuple[np.ndarray, Any]


def iterate(
    problem: Loaded,
    method: Solver,
    v: Any = None,
    tolerance: float = 1e-6,
    max_iterations: int = 1000,
    progress: IterationReport | None = None,
    norm: float | None = None,
    energy: float | None = None,
) -> Outcome:
    """Step from v, or from zero, until residual and stress are right; see `run`.

    `energy` is a tolerance on the certificate instead, and `norm` the dual norm of the
    residual of a homogeneous strain, computed here if it is not given.
    """
    if v is None and not problem.load.free.any():
        state = method.init(problem, problem.zeros())
        norm = root(state.square)
    else:
        if norm is None:
            at_rest = problem.balance(problem.zeros(), problem.search)
            norm = dual_norm(problem, at_rest[1])
            del at_rest  # before there are more vectors
        state = method.init(problem, problem.uniform_start() if v is None else v)
    finite = np.isfinite(norm)
    floor = 10 * np.finfo(problem.precision).eps * np.sqrt(problem.scale)
    if not finite or norm <= floor:
        # a homogeneous strain is the solution already, or there is none
        status, last = ("converged", 0.0) if finite else ("diverged", norm)
        del state
        v = problem.zeros()
        return Outcome(v, status, [last], problem.balance(v, problem.search))
    goal = Goal.of(tolerance, energy)
    return run(problem, method, state, norm, goal, max_iterations, progress)


def run(
    problem: Loaded,
    method: Solver,
    state: State,
    norm: float,
    goal: Goal,
    max_iterations: int,
    progress: IterationReport | None = None,
) -> Outcome:
    """Step from a solver's state until it has reached a goal, or cannot.

    The true residual, relative to `norm`, is to be below what the method allows of the
    goal's, and then the error below the goal's. Where only the residual is, the
    iteration goes on to a lower one. Else the status says why not.
    """

    def outcome(status: str) -> Outcome:
        balance = method.balance(problem, state)
        return Outcome(state.v, status, residuals, balance)

    residuals = [root(state.square) / norm]
    restarts, best = 0, np.inf
    lowest, waited = np.inf, 0
    enough = goal.error
    target = allowed = method.allowed * goal.residual
    while True:
        problem.target = target * norm
        residual = residuals[-1]
        if not residual <= DIVERGED * max(residuals[0], 1.0):
            # past the tolerance it is rounding that breaks the descent down
            return outcome("diverged" if target == allowed else "stagnated")
        stalled = target < allowed and waited == method.patience
        if residual <= target or stalled:
            balance, distance = method.check(problem, state)
            true = residuals[-1] = distance / norm
            error = np.inf
            if true <= 1.001 * allowed:
                error = 0.0
                if goal.certified:
                    error = method.energy_error(problem, state, balance)
                elif goal.error < np.inf:
                    error = method.stress_error(
                        problem, state, balance, distance, enough
                    )
            if error <= enough:
                return Outcome(state.v, "converged", residuals, balance)
            del balance  # its residual, before there is another
            if true <= 1.001 * target:
                target = true * max(LOWER * enough / error, LOWEST)
                restarts, best = 0, np.inf
                lowest, waited = true, 0
            elif not stalled and restarts < RESTARTS and true <= 0.5 * best:
                restarts, best = restarts + 1, true
                state = method.restart(problem, state)
            elif method.mixed and problem.search != problem.precision:
                # very stiff phases drown in the rounding of search directions
                problem.search = problem.precision
                restarts, best = 0, np.inf
                lowest, waited = true, 0
                state = method.restart(problem, state)
            else:
                return outcome("stagnated")
        if len(residuals) > max_iterations:
            return outcome("max_iterations")
        state = method.step(problem, state)
        residuals.append(root(state.square) / norm)
        waited += 1
        if residuals[-1] < 0.5 * lowest:
            lowest, waited = residuals[-1], 0
        if progress:
            progress(len(residuals) - 1, residuals[-1])
