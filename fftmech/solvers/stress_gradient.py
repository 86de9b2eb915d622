"""Conjugate gradients on the complementary energy W* of linear elasticity.

The method is `ConjugateGradient`, and the problem `StressProblem`: the unknown is the
stress, which is in equilibrium at every iteration. Stiff phases are soft in compliance,
and rigid ones its zeros, as pores are those of the stiffness.
"""

import numpy as np

from fftmech.problems.certificate import certify
from fftmech.problems.linear_dual import StressProblem
from fftmech.problems.rounding import ROUNDING
from fftmech.problems.stress_error import stress_norm
from fftmech.solvers.base import Balance, State
from fftmech.solvers.conjugate_gradient import ConjugateGradient


class StressGradient(ConjugateGradient):
    """Optimal in the energy norm of the stress, no parameter."""

    mixed = False

    def __init__(self) -> None:
        super().__init__("dual")

    def stress_error(
        self,
        problem: StressProblem,
        state: State,
        balance: Balance,
        norm: float,
        enough: float,
    ) -> float:
        """See `Solver.stress_error`: the distance of its strain to compatible ones.

        It is relative to the elastic strain, or to the mean stress where that is more.
        Where it may be wrong by the contrast of the phases, the certificate counts.
        """
        if norm == 0:
            return 0.0
        stress = problem.stress(state.v)
        elastic = problem.material.compliance.apply(stress)
        size = max(problem.strain_norm(elastic), stress_norm(problem, balance[0]))
        error = norm / size if size > 0 else float("inf")
        if not len(problem.microstructure.rigid):
            bound = error * (problem.in_strains.contrast / 2) ** 0.5
            if error <= enough < bound:
                bound = self.energy_error(problem, state, balance)
            error = max(error, bound)
        rounding = ROUNDING * float(np.finfo(problem.precision).eps)
        if error > enough and size <= 10 * rounding * problem.scale**0.5:
            return 0.0
        return error

    def energy_error(
        self,
        problem: StressProblem,
        state: State,
        balance: Balance,
    ) -> float:
        """See `Solver.energy_error`."""
        relative = certify(problem.in_strains, *problem.pair(state.v)).relative
        return float("inf") if relative is None else relative
