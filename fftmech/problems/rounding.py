"""Stresses that are no more than the rounding of strains."""

from typing import Any

import numpy as np

from fftmech.microstructure.base import Microstructure
from fftmech.problems.equilibrium import Equilibrium

ROUNDING = 1000
"""Stresses of less than this many roundings of stiffness times strain are none."""


def is_rounding(
    problem: Equilibrium, body: Microstructure, strain: Any, stress: Any
) -> bool:
    """Whether a stress is nowhere more than rounding makes of its strain.

    Parameters
    ----------
    body
        With stiffness.
    strain, stress
        (..., c, x, y, z).
    """
    eps = float(np.finfo(problem.precision).eps)
    ranks = body.ranks
    top = ROUNDING * eps * ranks.max(float(abs(strain).max()) if strain.size else 0.0)
    assert body.stiffness is not None
    stiffness = abs(body.stiffness).max(axis=(1, 2))[body.phase]
    none = top * problem.backend.xp.asarray(stiffness)
    return ranks.all(bool((abs(stress).max(axis=-4) <= none).all()))
