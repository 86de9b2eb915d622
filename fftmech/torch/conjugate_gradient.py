"""Preconditioned conjugate gradients on a batch, each sample for itself."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from fftmech.errors import NotConverged
from fftmech.solvers.base import STRESS
from fftmech.solvers.iteration import LOWER, LOWEST

# A recursive residual may drift from the true one, which is checked at the end: the
# samples where it has are restarted from their last v this many times.
RESTARTS = 3

# A residual that has grown by this factor will not come back.
DIVERGED = 1e6


class System(Protocol):
    """K and M of a batch: vectors are (B, unknowns)."""

    def apply(self, v: Tensor) -> Tensor:
        """K v."""
        ...

    def precondition(self, r: Tensor) -> Tensor:
        """M r."""
        ...

    def dot(self, a: Tensor, b: Tensor) -> Tensor:
        """Scalar product of each sample, double precision, (B,)."""
        ...


class Solution(NamedTuple):
    """What `conjugate_gradient` returns.

    Attributes
    ----------
    v
        The unknown, (B, unknowns).
    iterations
        Of each sample, (B,), integer.
    residual
        True relative residual sqrt(<r, M r> / <b, M b>) of each sample, (B,).
    """

    v: Tensor
    iterations: Tensor
    residual: Tensor


def conjugate_gradient(
    system: System,
    b: Tensor,
    floor: Tensor,
    tolerance: float,
    max_iterations: int,
    size: Callable[[Tensor], Tensor],
) -> Solution:
    """Solve K v = b for each sample of a batch (Hestenes & Stiefel 1952).

    A sample that has converged is held where it is: step lengths are its own, so that
    it takes the iterations it would take alone.

    Parameters
    ----------
    b
        (B, unknowns).
    floor
        Dual norm sqrt(<b, M b>) below which b is rounding and v is zero, (B,).
    tolerance
        On sqrt(<r, M r> / <b, M b>); `STRESS` times it is allowed of sqrt(<r, M r>)
        relative to `size`.
    size
        Norm of the stress of v, (B,), as in `fftmech.problems.stress_error`.

    Raises
    ------
    NotConverged
        A sample has reached max_iterations, cannot come closer, or has broken down.
    """
    v, r = torch.zeros_like(b), b.clone()
    z = system.precondition(r)
    p, square = z.clone(), system.dot(r, z)
    norm = _root(square)
    done = norm <= floor
    iterations = torch.zeros_like(norm, dtype=torch.long)
    best, restarts = torch.full_like(norm, torch.inf), torch.zeros_like(norm)
    count, aim = 0, torch.full_like(norm, tolerance)
    while True:
        residual = _root(square) / norm
        # neither what diverges nor what is not a number goes on
        active = ~done & (residual > aim) & (residual <= DIVERGED)
        if not bool(active.any()):
            r = b - system.apply(v)
            z = system.precondition(r)
            square = system.dot(r, z)
            distance = torch.where(norm <= floor, 0.0, _root(square))
            true = torch.where(norm <= floor, 0.0, distance / norm)
            error = torch.where(distance > 0, distance / size(v), 0.0)
            done = (true <= 1.001 * tolerance) & (error <= STRESS * tolerance)
            if bool(done.all()):
                return Solution(v, iterations, true)
            _check(~(true <= DIVERGED), true, _BROKEN)
            reached = true <= 1.001 * aim
            stuck = ~reached & ((restarts == RESTARTS) | (true > 0.5 * best))
            _check(~done & stuck, true, _STAGNATED)
            # where the stress is not right yet, a lower residual is aimed at
            lower = (LOWER * STRESS * tolerance / error).clamp(LOWEST, 1.0)
            aim = torch.where(reached & ~done, true * lower, aim)
            best = torch.where(reached, torch.inf, true)
            restarts = torch.where(reached, 0.0, restarts + 1)
            active, p = ~done, z.clone()
        if count == max_iterations:
            _check(active, residual, f"max_iterations = {count} reached; {_SLOW}")
        Kp = system.apply(p)
        curvature = system.dot(p, Kp)
        alpha = torch.where(curvature > 0, square / curvature, torch.nan)
        alpha = torch.where(active, alpha, 0.0).to(b.dtype)[:, None]
        v.addcmul_(alpha, p)
        r.addcmul_(alpha, Kp, value=-1)
        z = system.precondition(r)
        new = system.dot(r, z)
        beta = torch.where(active, new / square, 0.0).to(b.dtype)[:, None]
        p.mul_(beta).add_(z)
        square = torch.where(active, new, square)
        iterations += active
        count += 1


_BROKEN = (
    "the descent broke down: the stiffness is not positive definite, a number is not "
    "finite, or the solid cannot carry the prescribed stress; check the stiffness, or "
    "prescribe strains"
)
_SLOW = (
    "raise it or the tolerance (pores need scheme rotated, hex8 or bbar, and "
    "prescribed strains where the solid cannot carry the prescribed stress)"
)
_STAGNATED = "rounding ends the descent; use float64 or a larger tolerance"


def _check(failed: Tensor, residual: Tensor, reason: str) -> None:
    """Raise if a sample has failed."""
    samples = failed.nonzero().flatten().tolist()
    if samples:
        raise NotConverged(
            f"sample {samples[0]} of {len(failed)} is not converged (relative residual "
            f"{float(residual[samples[0]]):.1e}): {reason}"
        )


def _root(square: Tensor) -> Tensor:
    """Square root of what is not negative but for rounding; NaN stays NaN."""
    return square.clamp(min=0).sqrt()
