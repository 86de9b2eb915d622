"""Solvers: an `init` and a `step` each, for the loop `fftmech.solvers.iteration`."""

from fftmech.errors import InputError
from fftmech.solvers.barzilai_borwein import BarzilaiBorwein
from fftmech.solvers.base import Solver, State
from fftmech.solvers.basic import BasicScheme
from fftmech.solvers.conjugate_gradient import ConjugateGradient
from fftmech.solvers.dual import DualDescent
from fftmech.solvers.minres import MinimumResidual
from fftmech.solvers.newton_krylov import NewtonKrylov
from fftmech.solvers.polarization import Polarization
from fftmech.solvers.stress_gradient import StressGradient

SOLVERS: dict[str, Solver] = {
    solver.name: solver
    for solver in (
        ConjugateGradient("cg"),
        ConjugateGradient("jacobi-cg", jacobi=True),
        MinimumResidual(),
        BarzilaiBorwein(),
        Polarization(),
        BasicScheme(),
        StressGradient(),
    )
}
"""Every solver of linear problems by name; the first is the default."""

NONLINEAR_SOLVERS: dict[str, Solver] = {
    solver.name: solver
    for solver in (NewtonKrylov(), DualDescent(), BarzilaiBorwein(), BasicScheme())
}
"""Every solver of nonlinear problems by name; the first is the default."""

__all__ = ["NONLINEAR_SOLVERS", "SOLVERS", "Solver", "State", "get_solver"]


def get_solver(name: str, nonlinear: bool = False) -> Solver:
    """Return the solver called `name`, of linear or of nonlinear problems.

    Raises
    ------
    InputError
        No such solver.
    """
    known, body = SOLVERS, ""
    if nonlinear:
        known, body = NONLINEAR_SOLVERS, " for a nonlinear body or a load path"
    elif name in NONLINEAR_SOLVERS:
        body = " for a linear body"
    if name not in known:
        raise InputError(f"solver {name!r}{body}", f"one of {', '.join(known)}")
    return known[name]
