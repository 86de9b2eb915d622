"""What can be seen of a body and of a result that its user should know."""

from typing import Any

import numpy as np

from fftmech.microstructure.base import Microstructure
from fftmech.tensors import COMPONENTS

SLACK = 1e-3
"""Part of a bound by which a result may pass it, for the tolerance of the solves."""

ROUNDING = 1e-9
"""Part of the largest stiffness below which a modulus is zero to rounding."""


def thin_walls(body: Microstructure, scheme: str) -> list[str]:
    """Note solid between pores that is one voxel thick: the grid cannot bend it."""
    if not len(body.pores):
        return []
    solid = ~np.isin(body.phase, body.pores)
    thin = np.zeros_like(solid)
    for axis, n in enumerate(solid.shape):
        if n > 2:
            beside = np.roll(solid, 1, axis) | np.roll(solid, -1, axis)
            thin |= solid & ~beside
    count = int(thin.sum())
    if not count:
        return []
    note = f"{count} of {int(solid.sum())} solid voxels are walls of one voxel"
    if scheme == "rotated":
        return [f"{note}, which carry no shear in scheme rotated; use --scheme hex8"]
    return [f"{note}; refine with --res"]


def beyond_bounds(C: np.ndarray, bounds: dict[str, Any]) -> list[str]:
    """Note an effective stiffness (6, 6) outside of the bounds of its phases."""
    upper = np.linalg.eigvalsh(bounds["voigt"] - C)[0]
    lower = np.linalg.eigvalsh(C - bounds["reuss"])[0]
    size = np.linalg.norm(C)
    return [
        f"the effective stiffness is {where} by {-gap / size:.1%} of its norm"
        for where, gap in (("above Voigt's bound", upper), ("below Reuss'", lower))
        if gap < -SLACK * size
    ]


def no_stiffness(C: np.ndarray) -> list[str]:
    """Note moduli on the diagonal of (6, 6) that are zero to rounding."""
    diagonal = np.diag(C)
    zero = [
        name
        for name, value in zip(COMPONENTS, diagonal, strict=True)
        if abs(value) <= ROUNDING * diagonal.max()
    ]
    if not zero:
        return []
    return [f"the body has no stiffness in {' '.join(zero)} (zero to rounding)"]
