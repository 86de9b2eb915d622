"""Discretizations: one table of stencils each, everything else derived."""

from fftmech.discretization.base import Discretization
from fftmech.discretization.finite_difference import CENTRAL, FORWARD
from fftmech.discretization.fourier import FOURIER
from fftmech.discretization.hexahedral import HEX8
from fftmech.discretization.mean_dilatation import BBAR
from fftmech.discretization.rotated import ROTATED
from fftmech.discretization.stencil import Stencil, StencilDiscretization
from fftmech.errors import InputError

SCHEMES: dict[str, Discretization] = {
    scheme.name: scheme for scheme in (ROTATED, HEX8, BBAR, FOURIER, CENTRAL, FORWARD)
}
"""Every scheme by name; the first is the default."""

__all__ = [
    "SCHEMES",
    "Discretization",
    "Stencil",
    "StencilDiscretization",
    "discretization",
]


def discretization(name: str) -> Discretization:
    """Return the scheme called `name`.

    Raises
    ------
    InputError
        No such scheme.
    """
    if name not in SCHEMES:
        raise InputError(f"scheme {name!r}", f"one of {', '.join(SCHEMES)}")
    return SCHEMES[name]
