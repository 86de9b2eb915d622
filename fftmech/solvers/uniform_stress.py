"""The best uniform stress of a body: six numbers, from which the field starts."""

from typing import Any

import numpy as np

from fftmech.problems.complementary import ComplementaryEnergy
from fftmech.solvers.line_search import minimum_along

STEPS = 40
"""Newton steps at most."""

ENOUGH = 1e-12
"""Mismatch of strains, relative to those prescribed, that ends them."""

DIFFERENCE = 1e-6
"""Relative change of stress for the derivative of the strain."""


def uniform_stress(
    energy: ComplementaryEnergy, load: Any, C0: np.ndarray
) -> np.ndarray:
    """The uniform stress of least W* with the prescribed mean stresses, Mandel (6,).

    Newton's method, with differences of e(s) for its derivative. It begins with the
    stress of the reference medium, scaled.
    """
    held = ~load.free
    s = np.array(load.mean_stress, dtype=float)
    if not held.any():
        return s

    def excess(stresses: np.ndarray) -> np.ndarray:
        """<e> - E on the components that are held."""
        return energy.uniform_strain(stresses)[held] - energy.E[held, None]

    miss = excess(s[:, None])[:, 0]
    least = ENOUGH * np.linalg.norm(miss)
    compliance = np.linalg.inv(C0)[np.ix_(held, held)]
    for _ in range(STEPS):
        if not np.linalg.norm(miss) > least:
            break
        direction = np.zeros(6)
        direction[held] = -np.linalg.solve(compliance, miss)

        def slope(a: float, s: np.ndarray = s, d: np.ndarray = direction) -> float:
            return float(d[held] @ excess((s + a * d)[:, None])[:, 0])

        step = minimum_along(slope, float(direction[held] @ miss), 1.0, 0.1)
        if step is None:
            break
        s = s + step * direction
        miss = excess(s[:, None])[:, 0]
        h = DIFFERENCE * abs(s).max()
        around = (
            s[:, None] + h * np.hstack([np.eye(6), -np.eye(6)])[:, np.tile(held, 2)]
        )
        ahead, behind = np.split(excess(around), 2, axis=1)
        compliance = (ahead - behind) / (2 * h)
        compliance = (compliance + compliance.T) / 2
    return s
