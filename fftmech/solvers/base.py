"""Solvers: a state and a step; `fftmech.solvers.iteration` is the loop."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from fftmech.problems.certificate import certify_increment
from fftmech.problems.equilibrium import Equilibrium
from fftmech.problems.linear import Problem
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.stress_error import (
    Loaded,
    certified_error,
    field_norm,
    stress_error,
    stress_norm,
)

STRESS = 200
"""Error of the stress that is allowed, in units of the tolerance on the residual.

At this ratio it asks for nothing more up to a contrast of 1000: there a residual of
1e-6 leaves an error of 1.9e-4.
"""

Balance = tuple[np.ndarray, Any]
"""Mean stress of an unknown and its residual: see `Equilibrium.balance`."""


class State(NamedTuple):
    """State of a solver after an iteration.

    Attributes
    ----------
    v
        The unknown of `Equilibrium`, shape (n nx ny nz + m,).
    square
        Squared dual norm of the residual, <r, M r> with the problem's own M (stress
        units), or NaN after a breakdown.
    memory
        Vectors and numbers of the solver for its next step.
    """

    v: Any
    square: float
    memory: Any = None


class Solver(ABC):
    """An iterative method for K v = b.

    Attributes
    ----------
    mixed
        Whether its vectors, but for v, are of the precision `Problem.search`.
    patience
        Iterations without half the residual after which no lower one can be had.
    allowed
        Residual that is asked for, in units of the tolerance: more than 1 where it is
        one of strains, which change more than the stress.
    """

    name: str
    mixed: bool = False
    patience: int = 100
    allowed: float = 1.0

    @abstractmethod
    def init(self, problem: Equilibrium, v: Any) -> State:
        """Start from v, which may be overwritten."""

    def restart(self, problem: Loaded, state: State) -> State:
        """Start from the v of a state, whose vectors may be overwritten."""
        return self.init(problem, state.v)

    def again(self, problem: TimeStep, v: Any) -> State:
        """Start from the solution of the same step, where its laws have changed."""
        return self.init(problem, v)

    @abstractmethod
    def step(self, problem: Equilibrium, state: State) -> State:
        """One iteration."""

    def size(self, problem: TimeStep, state: State) -> float:
        """What a residual of this solver is compared with: the norm of the stress."""
        assert problem.last is not None
        stress = field_norm(problem, problem.last.stress)
        return float(np.hypot(stress, stress_norm(problem, problem.load.mean_stress)))

    def balance(self, problem: Loaded, state: State) -> Balance:
        """Balance of a state, which may take the memory of what it had of it."""
        return problem.balance(state.v, problem.search)

    def check(self, problem: Loaded, state: State) -> tuple[Balance, float]:
        """Balance of a state, and the dual norm of its true residual."""
        balance = self.balance(problem, state)
        return balance, dual_norm(problem, balance[1])

    def stress_error(
        self,
        problem: Loaded,
        state: State,
        balance: Balance,
        norm: float,
        enough: float,
    ) -> float:
        """Relative error of the stress of a state, after `check`."""
        return stress_error(problem, state.v, balance, norm, enough)

    def energy_error(self, problem: Loaded, state: State, balance: Balance) -> float:
        """`Certificate.relative` of a state, after `check`; inf if there is none."""
        if isinstance(problem, TimeStep):
            relative = certify_increment(problem).relative
        else:
            assert isinstance(problem, Problem)
            return certified_error(problem, state.v, balance)
        return float("inf") if relative is None else relative


def dual_norm(problem: Loaded, r: Any) -> float:
    """sqrt(<r, M r>) of a residual; NaN stays NaN."""
    return root(problem.update_residual(r)[1])


def root(square: float) -> float:
    """Square root of what is not negative but for rounding; NaN stays NaN."""
    return float(np.sqrt(np.maximum(square, 0.0)))
