"""Solve one load on a nonlinear body: a load path of one increment."""

from typing import Any

from fftmech.errors import InputError
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.loads.path import Path, Step
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.simulations.march import March


def solve_nonlinear(
    microstructure: Microstructure,
    load: Load | FiniteLoad,
    *,
    initial: Any = None,
    certificate: bool = True,
    progress: Any = None,
    **options: Any,
) -> Result:
    """March to a load in one increment, cut if need be; see `fftmech.solve`.

    Raises
    ------
    InputError
        What `March` refuses, and an initial guess.
    """
    if initial is not None:
        raise InputError(
            "an initial guess for a nonlinear body",
            "none",
            "a load path starts each increment from the one before",
        )
    march = March(microstructure, Path((Step(load),)), **options)
    for _ in march.points(progress):
        pass
    return march.result(certificate)
