"""Preconditioned conjugate gradients (Hestenes & Stiefel 1952).

Applied to the displacement: the preconditioner is the exact inverse of the reference
medium, and the iterates cannot leave the compatible subspace.

`jacobi-cg` scales the preconditioner with the local stiffness, z = W M W r with
W = J^-1/2, as Ladecky et al. 2025 do (doi:10.48550/arXiv.2508.02613, Green-Jacobi).
They take the diagonal of K for J; here J is the nodal mean of tr C / tr C0. It pays
where a high contrast varies smoothly, as in grey images. Iterations of cg and jacobi-cg
at 32^3 and tolerance 1e-6: CT image of porous rock with composite voxels, 1052 and 306
with `rotated`, 1151 and 34 with `hex8`; sphere as sharp pore, 35 and 108 with
`rotated`, 24 and 19 with `hex8`. With vectors in double precision jacobi-cg took 247
and 33, 84 and 17.
"""

from typing import Any

from fftmech.discretization.stencil import nodal_mean
from fftmech.problems.equilibrium import Equilibrium
from fftmech.problems.linear import Problem
from fftmech.problems.stress_error import Loaded
from fftmech.solvers.base import Balance, Solver, State

# Nodes inside pores bear no load: they need a finite scale, and any will do.
LEAST_SCALE = 1e-6

# In single precision, the residual that the recurrence carries strays from that of the
# double-precision solution by about 1e-7 of what it was when the two were last equal.
# It is computed anew each time that it has fallen by this factor (van der Vorst & Ye
# 2000, doi:10.1137/S1064827599353865), and the search goes on in the same direction,
# unless it has fallen so far at once that what was carried is rounding.
RENEW = 1e-3
LOST = 1e-5


class ConjugateGradient(Solver):
    """Optimal in the energy norm, no parameter.

    Parameters
    ----------
    name
        Name of the solver.
    jacobi
        Whether the preconditioner is scaled with the local stiffness.
    """

    mixed = True

    def __init__(self, name: str, jacobi: bool = False) -> None:
        self.name = name
        self.jacobi = jacobi

    def init(self, problem: Equilibrium, v: Any, r: Any = None, p: Any = None) -> State:
        """r = b - K v, z = M r, p = z, in the memory of r and p if they are given."""
        weights = None
        if self.jacobi:
            assert isinstance(problem, Problem)
            weights = _weights(problem)
        r = problem.residual(v, problem.search, out=r)
        p = problem.backend.xp.empty_like(r) if p is None else p
        p[...] = 0
        z, product, square = _descend(problem, r, weights=weights)
        problem.update_direction(v, 0.0, p, 0.0, z, weights)
        return State(v, square, (r, p, product, square, weights))

    def restart(self, problem: Loaded, state: State) -> State:
        """Start from the v of a state, in the memory of its vectors if they fit."""
        r, p, *_ = state.memory
        if r.dtype != problem.search:
            return self.init(problem, state.v)
        return self.init(problem, state.v, r, p)

    def balance(self, problem: Loaded, state: State) -> Balance:
        """Balance of a state, whose true residual is the state's from now on."""
        return problem.balance(state.v, problem.search, out=state.memory[0])

    def step(self, problem: Equilibrium, state: State) -> State:
        """Minimise the energy along p, then make the next p conjugate to it."""
        v, square, (r, p, product, renewed, weights) = state
        Kp, curvature = problem.curvature(p, problem.transient(p))
        if not curvature > 0:
            return State(v, float("nan"), state.memory)
        alpha = product / curvature
        if problem.search != problem.precision and square < RENEW**2 * renewed:
            problem.add(v, alpha, p)
            alpha = 0.0
            lost = square < LOST**2 * renewed
            r = problem.residual(v, problem.search, out=r)
            z, new_product, square = _descend(problem, r, weights=weights)
            beta, renewed = 0.0 if lost else new_product / product, square
        else:
            z, new_product, square = _descend(problem, r, alpha, Kp, weights)
            beta = new_product / product
        problem.update_direction(v, alpha, p, beta, z, weights)
        return State(v, square, (r, p, new_product, renewed, weights))


def _descend(
    problem: Equilibrium, r: Any, alpha: float = 0.0, q: Any = None, weights: Any = None
) -> tuple[Any, float, float]:
    """r <- r - alpha q; z, <r, z>, and the squared residual norm <r, M r>."""
    z, square = problem.update_residual(r, alpha, q)
    if weights is None:
        return z, square, square
    z, product = problem.update_residual(r, weights=weights)
    return z, product, square


def _weights(problem: Problem) -> Any:
    """W = J^-1/2 at the nodes, n values each, and 1 on mean strains."""
    xp, stiffness = problem.backend.xp, problem.microstructure.stiffness
    assert stiffness is not None
    relative = stiffness.trace(axis1=1, axis2=2) / problem.reference_stiffness.trace()
    local = xp.asarray(relative[problem.microstructure.phase], problem.search)
    if problem.ranks.size > 1:
        # as vectors are: `fftmech.kernels.processes`
        local = problem.ranks.padded(local, problem.grid.shape[0])
    J = xp.maximum(nodal_mean(problem.scheme, local), LEAST_SCALE)
    nodal = xp.broadcast_to(J**-0.5, (problem.nodes[0], *J.shape))
    return xp.concatenate([nodal.ravel(), xp.ones(6, problem.search)])
