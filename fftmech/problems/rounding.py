"""Stresses that are no more than the rounding of strains."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from fftmech.microstructure.base import Microstructure
from fftmech.problems.equilibrium import Equilibrium

ROUNDING = 1000
"""Stresses of less than this many roundings of stiffness times strain are none."""


def is_rounding(
    problem: Equilibrium, body: Microstructure, fields: Iterable[tuple[slice, Any, Any]]
) -> bool:
    """Whether a stress is nowhere more than rounding makes of its strain.

    Parameters
    ----------
    body
        With stiffness.
    fields
        Planes across z, with their strain and stress (..., c, x, y, m).
    """
    assert body.stiffness is not None
    xp, size = problem.backend.xp, abs(body.stiffness).max(axis=(1, 2))
    strains, ratios = [0.0], [0.0]
    for planes, strain, stress in fields:
        if not stress.size:
            continue
        stiffness = xp.asarray(size[body.phase[..., planes]])
        largest = abs(stress).max(axis=-4)
        with np.errstate(divide="ignore", invalid="ignore"):
            # a pore carries no stress
            ratio = xp.where(largest == 0, 0.0, largest / stiffness)
        strains.append(float(abs(strain).max()))
        ratios.append(float(ratio.max()))
    eps, ranks = float(np.finfo(problem.precision).eps), body.ranks
    strain, ratio = (ranks.max(float(np.max(values))) for values in (strains, ratios))
    return bool(ratio <= ROUNDING * eps * strain)
