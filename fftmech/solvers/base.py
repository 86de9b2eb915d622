"""Solvers: a state and a step; `fftmech.solvers.iteration` is the loop."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from fftmech.problems.equilibrium import Equilibrium


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

    `mixed` says whether its vectors, but for v, are of the precision `Problem.search`.
    """

    name: str
    mixed: bool = False

    @abstractmethod
    def init(self, problem: Equilibrium, v: Any) -> State:
        """Start from v, which may be overwritten."""

    @abstractmethod
    def step(self, problem: Equilibrium, state: State) -> State:
        """One iteration."""
