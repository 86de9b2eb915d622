"""How wrong the stress of an unknown may be, relative to the stress itself.

The residual r of an unknown is relative to that of a homogeneous strain, which is no
measure of the stress: a homogeneous strain of stiff inclusions costs far more energy
than they ever have, and a body that is almost a mechanism carries almost none. The dual
norm of r itself is a distance, sqrt(<r, M r>) = |s - s'| in the norm of C0^-1, where s'
is the nearest stress in equilibrium with the prescribed means. It is compared with s.
"""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from fftmech.arrays.backend import to_numpy
from fftmech.problems.certificate import certify_solution
from fftmech.problems.linear import Problem
from fftmech.problems.linear_dual import StressProblem
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.nonperiodic import NonperiodicProblem
from fftmech.problems.rounding import ROUNDING, is_rounding

Loaded = Problem | StressProblem | NonperiodicProblem | TimeStep

REMEMBERED = 0.01
"""Part of the largest mean stress of a load path with which stresses are compared."""


def stress_error(
    problem: Loaded,
    v: Any,
    balance: tuple[np.ndarray, Any],
    distance: float,
    enough: float,
) -> float:
    """Relative error of the stress of v; 0 of a body whose stress is rounding.

    It is the distance to stresses in equilibrium relative to the size of the stress
    (`stress_size`) or, where that is larger, the certificate, where there is one.

    Parameters
    ----------
    balance
        `Equilibrium.balance` of v.
    distance
        Dual norm of its residual.
    enough
        An error that need not be known better.
    """
    if distance == 0:
        return 0.0
    distance = np.hypot(distance, _missing(problem, balance[0]))
    size = stress_size(problem, v, balance[0])
    error = distance / size if size > 0 else np.inf
    if isinstance(problem, Problem) and not len(problem.microstructure.pores):
        # |s|^2 in the norms of C^-1 and C0^-1 differ by factors within the contrast
        bound = error * (problem.contrast / 2) ** 0.5
        if error <= enough < bound:
            bound = certified_error(problem, v, balance)
        error = max(error, bound)
    if error > enough and _is_rounding(problem, v, balance[0]):
        return 0.0
    return error


def certified_error(problem: Problem, v: Any, balance: tuple[np.ndarray, Any]) -> float:
    """`Certificate.relative` of v; inf if there is none. `balance` stays that of v."""
    relative = certify_solution(problem, v, balance).relative
    if problem.kernels is not None:
        problem.balance(v, problem.search, out=balance[1])
    return np.inf if relative is None else relative


def _missing(problem: Loaded, mean_stress: np.ndarray) -> float:
    """What prescribed mean stresses miss, in the softest norm of the reference medium.

    A pressure has next to no norm of C0^-1 where the body keeps its volume.
    """
    load = problem.load
    missing = np.where(load.free, load.mean_stress - mean_stress, 0)
    softest = np.linalg.eigvalsh(problem.reference_stiffness)[0]
    return float(missing @ missing / softest) ** 0.5


def stress_size(problem: Loaded, v: Any, mean_stress: np.ndarray) -> float:
    """Norm (C0^-1) of the stress of v, that its error is compared with.

    Of a linear body that is loaded by its means alone it is that of the mean stress,
    for they are what such a solve is about; elsewhere the root mean square.
    """
    if isinstance(problem, Problem) and problem.eigenstrain is None:
        return stress_norm(problem, mean_stress)
    norms, parts = [], []
    for _, _, stress in _fields(problem, v):
        norms.append(field_norm(problem, stress))
        parts.append(stress[..., 0, :, :, :].size)
    # of size one, so that squares neither overflow nor vanish
    largest = problem.ranks.max(max(norms)) or 1.0
    squares = (np.array(norms) / largest) ** 2 @ np.array(parts, float)
    squares, count = problem.ranks.sum(np.array([squares, sum(parts)]))
    size = largest * float(squares / count) ** 0.5
    if isinstance(problem, TimeStep):
        size = max(size, REMEMBERED * problem.largest)
    return size


def field_norm(problem: Loaded, stress: Any) -> float:
    """Norm sqrt(<s : C0^-1 : s>) of a stress (..., c, x, y, z)."""
    xp = problem.backend.xp
    largest = float(abs(stress).max()) if stress.size else 0.0
    if not 0 < largest < np.inf:
        return largest
    # of size one, so that squares neither overflow nor vanish
    flat = stress.reshape(-1, problem.means, prod(stress.shape[-3:])) / largest
    second = to_numpy((flat @ xp.swapaxes(flat, 1, 2)).sum(0)).astype(float)
    square = (second * np.linalg.inv(problem.reference_stiffness)).sum()
    return largest * float(square / (len(flat) * flat.shape[-1])) ** 0.5


def stress_norm(problem: Loaded, mean_stress: np.ndarray) -> float:
    """Norm (C0^-1) of a mean stress (c,)."""
    compliant = np.linalg.solve(problem.reference_stiffness, mean_stress)
    return float(mean_stress @ compliant) ** 0.5


def _is_rounding(problem: Loaded, v: Any, mean_stress: np.ndarray) -> bool:
    """Whether the stress of v is nowhere more than rounding makes of its strain."""
    if isinstance(problem, TimeStep) and problem.material.rate:
        return False
    least = 10 * ROUNDING * np.finfo(problem.precision).eps * problem.scale**0.5
    if stress_norm(problem, mean_stress) > least:
        return False  # as of nearly every body: fields take memory
    return is_rounding(problem, problem.microstructure, _fields(problem, v))


def _fields(problem: Loaded, v: Any) -> Iterator[tuple[slice, Any, Any]]:
    """Strain and stress of v, (..., c, x, y, m), by planes across z."""
    if isinstance(problem, TimeStep):
        yield slice(None), *problem.strain_and_stress(v)
        return
    planes = problem.field_planes(v)
    for part in problem.grid.slabs(13 * problem.precision.itemsize):
        yield part, *planes(part)[:2]
