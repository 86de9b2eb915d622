"""Admissible fields: compatible strains and equilibrated stresses."""

from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.problems.linear import Problem
from fftmech.problems.nonlinear import TimeStep
from fftmech.tensors.fields import mean


def admissible_stress(problem: Problem | TimeStep, stress: Any) -> Any:
    """Nearest equilibrated stress that carries the prescribed mean stresses."""
    stress = problem.green.project_equilibrated(stress)
    load, xp = problem.load, problem.backend.xp
    missing = problem.asarray(load.mean_stress) - mean(stress)
    missing = xp.where(xp.asarray(load.free), missing, 0)
    return stress + missing[:, None, None, None]


def check_admissible(problem: Problem | TimeStep, strain: Any, stress: Any) -> None:
    """Refuse a strain or a stress that is not admissible.

    Raises
    ------
    InputError
        Naming the condition that fails and its relative size.
    """
    load, scheme = problem.load, problem.scheme
    tolerance = 1e-6 if problem.precision == np.float64 else 1e-4
    green = problem.green
    compatible = green.project_compatible(strain) - strain
    equilibrated = green.project_equilibrated(stress) - stress
    e, s = _size(strain), _size(stress)
    free = problem.backend.xp.asarray(load.free)
    prescribed = problem.mean_strain(problem.zeros())
    if isinstance(problem, TimeStep) and problem.material.rate:
        prescribed = (prescribed - mean(problem.start.strain)) / problem.dt
    strain_mean = abs(prescribed - mean(strain))
    stress_mean = abs(problem.asarray(load.mean_stress) - mean(stress))
    for what, error, size in (
        ("strain is not compatible", _size(compatible), e),
        ("stress is not equilibrated", _size(equilibrated), s),
        ("strain misses the prescribed mean", float((strain_mean * ~free).max()), e),
        ("stress misses the prescribed mean", float((stress_mean * free).max()), s),
    ):
        if error > tolerance * size:
            raise InputError(
                f"{what} in scheme {scheme.name} (relative {error / size:.1e}): "
                "certify needs admissible fields",
                mend="project them first",
            )


def _size(field: Any) -> float:
    return float((field**2).mean()) ** 0.5
