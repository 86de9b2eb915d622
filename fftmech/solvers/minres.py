"""Preconditioned MINRES: the residual's dual norm never grows.

Paige & Saunders 1975 (doi:10.1137/0712047), with the preconditioner as inner product.
"""

from typing import Any

import numpy as np

from fftmech.problems.linear import Problem
from fftmech.solvers.base import Solver, State


class MinimumResidual(Solver):
    """Least residual over the Krylov space that conjugate gradients use."""

    name = "minres"

    def init(self, problem: Problem, v: Any) -> State:
        """First Lanczos vector: the preconditioned residual."""
        r = problem.residual(v)
        z = problem.precondition(r)
        square = problem.dot(r, z)
        beta = np.sqrt(square)
        zero = problem.zeros()
        # (r_old, r, z), (w_old, w), beta_old, beta, rotation, phi
        memory = ((zero, r, z), (zero, zero), 0.0, beta, (0.0, 0.0, -1.0, 0.0), beta)
        return State(v, square, memory)

    def step(self, problem: Problem, state: State) -> State:
        """One Lanczos step, one Givens rotation, one update of v."""
        v, _, memory = state
        (r_old, r, z), (w_old, w), beta_old, beta, rotation, phi = memory
        dbar, epsilon_old, cosine, sine = rotation
        if not beta > 0:
            return State(v, float("nan"), memory)
        # Lanczos: K q = beta_old r_old/.. + alpha r/.. + r_next
        q = z / beta
        y = problem.apply(q)
        if beta_old > 0:
            y -= (beta / beta_old) * r_old
        alpha = problem.dot(q, y)
        y -= (alpha / beta) * r
        z = problem.precondition(y)
        beta_next = np.sqrt(max(problem.dot(y, z), 0.0))
        # the previous rotation on the new column, then the new rotation
        epsilon = epsilon_old
        delta = cosine * dbar + sine * alpha
        gamma_bar = sine * dbar - cosine * alpha
        epsilon_next = sine * beta_next
        dbar_next = -cosine * beta_next
        gamma = np.hypot(gamma_bar, beta_next)
        if not gamma > 0:
            return State(v, float("nan"), memory)
        cosine, sine = gamma_bar / gamma, beta_next / gamma
        w_next = (q - epsilon * w_old - delta * w) / gamma
        v += (cosine * phi) * w_next
        phi = sine * phi
        memory = (
            (r, y, z),
            (w, w_next),
            beta,
            beta_next,
            (dbar_next, epsilon_next, cosine, sine),
            phi,
        )
        return State(v, phi**2, memory)
