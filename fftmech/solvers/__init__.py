"""Solvers: each an `init` and a `step` for the one loop in `fftmech.solve`."""

from fftmech.errors import InputError
from fftmech.solvers.barzilai_borwein import BarzilaiBorwein
from fftmech.solvers.base import Solver, State
from fftmech.solvers.basic import BasicScheme
from fftmech.solvers.conjugate_gradient import ConjugateGradient
from fftmech.solvers.minres import MinimumResidual
from fftmech.solvers.polarization import Polarization

SOLVERS: dict[str, Solver] = {
    solver.name: solver
    for solver in (
        ConjugateGradient("cg"),
        ConjugateGradient("jacobi-cg", jacobi=True),
        MinimumResidual(),
        BarzilaiBorwein(),
        Polarization(),
        BasicScheme(),
    )
}
"""Every solver by name; the first is the default."""

__all__ = ["SOLVERS", "Solver", "State", "get_solver"]


def get_solver(name: str) -> Solver:
    """Return the solver called `name`.

    Raises
    ------
    InputError
        No such solver.
    """
    if name not in SOLVERS:
        raise InputError(f"solver {name!r}: expected one of {', '.join(SOLVERS)}")
    return SOLVERS[name]
