"""Preconditioned conjugate gradients (Hestenes & Stiefel 1952).

Applied to the displacement: the preconditioner is the exact inverse of the reference
medium, and the iterates cannot leave the compatible subspace.

`jacobi-cg` scales the preconditioner with the local stiffness, z = W M W r with
W = J^-1/2, as Ladecky et al. 2025 do (doi:10.48550/arXiv.2508.02613, Green-Jacobi).
They take the diagonal of K for J; here J is the nodal mean of tr C / tr C0. It pays
where a high contrast varies smoothly, as in grey images. Iterations of cg and jacobi-cg
at 32^3 and tolerance 1e-6: CT image of porous rock with composite voxels, 1052 and 247
with `rotated`, 1151 and 33 with `hex8`; sphere as sharp pore, 34 and 84 with `rotated`,
24 and 17 with `hex8`.
"""

from typing import Any

from fftmech.discretization.stencil import nodal_mean
from fftmech.problem import Problem
from fftmech.solvers.base import Solver, State

# Nodes inside pores bear no load: they need a finite scale, and any will do.
LEAST_SCALE = 1e-6


class ConjugateGradient(Solver):
    """Optimal in the energy norm, no parameter.

    Parameters
    ----------
    name
        Name of the solver.
    jacobi
        Whether the preconditioner is scaled with the local stiffness.
    """

    def __init__(self, name: str, jacobi: bool = False) -> None:
        self.name = name
        self.jacobi = jacobi

    def init(self, problem: Problem, v: Any) -> State:
        """r = b - K v, z = M r, p = z."""
        scaling = _scaling(problem) if self.jacobi else None
        r = problem.residual(v)
        z, product, square = _precondition(problem, r, scaling)
        return State(v, square, (r, z, product, scaling))

    def step(self, problem: Problem, state: State) -> State:
        """Minimise the energy along p, then make the next p conjugate to it."""
        v, _, (r, p, product, scaling) = state
        Kp = problem.apply(p)
        curvature = problem.dot(p, Kp)
        if not curvature > 0:
            return State(v, float("nan"), (r, p, product, scaling))
        alpha = product / curvature
        v += alpha * p
        r -= alpha * Kp
        z, new_product, square = _precondition(problem, r, scaling)
        p *= new_product / product
        p += z
        return State(v, square, (r, p, new_product, scaling))


def _precondition(problem: Problem, r: Any, scaling: Any) -> tuple[Any, float, float]:
    """z, <r, z>, and the squared residual norm <r, M r>."""
    z = problem.precondition(r)
    square = problem.dot(r, z)
    if scaling is None:
        return z, square, square
    z = scaling * problem.precondition(scaling * r)
    return z, problem.dot(r, z), square


def _scaling(problem: Problem) -> Any:
    """W = J^-1/2 as a vector of the problem's unknowns; 1 on mean strains."""
    xp, stiffness = problem.backend.xp, problem.microstructure.stiffness
    assert stiffness is not None
    relative = stiffness.trace(axis1=1, axis2=2) / problem.green.stiffness.trace()
    local = xp.asarray(relative[problem.microstructure.phase], problem.precision)
    J = xp.maximum(nodal_mean(problem.scheme, local), LEAST_SCALE)
    scaling = xp.ones_like(problem.zeros())
    problem.displacement(scaling)[...] = J**-0.5
    return scaling
