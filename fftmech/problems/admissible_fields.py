"""Admissible fields: compatible strains and equilibrated stresses."""

from copy import copy
from typing import Any

import numpy as np

from fftmech.microstructure.base import Microstructure
from fftmech.problems.linear import Problem
from fftmech.problems.nonlinear import TimeStep
from fftmech.tensors.fields import dot, mean

Pair = tuple[Any, Any]
"""Strain and stress, Mandel (q, 6, x, y, z)."""


def in_double(problem: Any) -> Any:
    """The same problem in double precision."""
    if problem.precision == np.float64:
        return problem
    problem = copy(problem)
    problem.precision = np.dtype(np.float64)
    for made in ("green", "material"):
        problem.__dict__.pop(made, None)
    return problem


def admissible_strain(problem: Problem | TimeStep, strain: Any) -> Any:
    """Nearest compatible strain that carries the prescribed mean strains.

    Of a body with rates only, the strain rate.
    """
    strain = problem.green.project_compatible(strain)
    load, xp = problem.load, problem.backend.xp
    prescribed = problem.asarray(load.mean_strain)
    if isinstance(problem, TimeStep) and problem.material.rate:
        prescribed = (prescribed - mean(problem.start.strain)) / problem.dt
    missing = xp.where(xp.asarray(load.free), 0, prescribed - mean(strain))
    return strain + missing[:, None, None, None]


def admissible_stress(problem: Problem | TimeStep, stress: Any) -> Any:
    """Nearest equilibrated stress that carries the prescribed mean stresses."""
    stress = problem.green.project_equilibrated(stress)
    load, xp = problem.load, problem.backend.xp
    missing = problem.asarray(load.mean_stress) - mean(stress)
    missing = xp.where(xp.asarray(load.free), missing, 0)
    return stress + missing[:, None, None, None]


def projection_rounding(problem: Problem | TimeStep) -> float:
    """Relative rounding error of a projected field, a bound: 4 n^2 eps.

    A projection multiplies rounding by the condition number of D: that of `rotated`
    comes to n^2 / 2 on n^3 voxels, those of other schemes to n.
    """
    h = problem.grid.h
    n = max(m * edge for m, edge in zip(problem.grid.shape, h, strict=True)) / min(h)
    return 4 * n**2 * float(np.finfo(problem.precision).eps)


def root_mean_square(field: Any) -> float:
    """sqrt of <f : f>, of a field (q, 6, x, y, z)."""
    return float(6 * (field**2).mean()) ** 0.5


def changed(problem: Problem, given: Pair, admissible: Pair) -> float:
    """Half the squares of the energy norms of two pairs' differences, added."""
    e, s = (a - b for a, b in zip(given, admissible, strict=True))
    material = problem.material
    square = dot(e, material.tangent(e)) + dot(s, material.compliance.apply(s))
    return float(square.mean()) / 2


def rounded(problem: Problem, admissible: Pair) -> float:
    """What rounding may have left in projected fields, like `changed`.

    The strain's part counts C e too, whose rounding C^-1 may multiply.
    """
    body = problem.microstructure
    least, most = eigenvalues(body)
    fractions = body.fractions[body.phases]
    e, s = (root_mean_square(field) for field in admissible)
    square = fractions @ (most**2 / least) * e**2 + fractions @ (1 / least) * s**2
    return projection_rounding(problem) ** 2 * float(square) / 2


def eigenvalues(body: Microstructure) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest stiffness of each phase in use; both 1 of a pore."""
    assert body.stiffness is not None
    values = np.linalg.eigvalsh(body.stiffness[body.phases])
    values[~values.any(axis=1)] = 1.0
    return values[:, 0], values[:, -1]


def not_admissible(given: Pair, admissible: Pair) -> str:
    """Which field is not, and by how much."""
    parts = [
        root_mean_square(a - b) / max(root_mean_square(a), np.finfo(float).tiny)
        for a, b in zip(given, admissible, strict=True)
    ]
    if parts[0] > parts[1]:
        what = "strain is not compatible with the prescribed means"
    else:
        what = "stress is not in equilibrium with the prescribed means"
    return f"the {what} (relative {max(parts):.1e})"
