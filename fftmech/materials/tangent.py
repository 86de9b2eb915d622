"""Tangents: the derivative of the stress by the strain at the end of a step."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fftmech.arrays.backend import namespace


class Tangent(Protocol):
    """Derivative of the stress by the strain at the end of the step."""

    def apply(self, strain: Any) -> Any:
        """ds of de, (c, n) -> (c, n), in the precision of de."""
        ...


@dataclass(frozen=True)
class MatrixTangent:
    """A matrix for each point, (c, c, n)."""

    matrix: Any

    def apply(self, strain: Any) -> Any:
        """ds = D de, (c, n)."""
        stress = self.matrix[:, 0] * strain[0]
        for j in range(1, len(strain)):
            stress += self.matrix[:, j] * strain[j]
        return stress

    def matrices(self) -> Any:
        """See `matrices`."""
        return self.matrix


def matrices(tangent: Tangent, points: int, components: int = 6) -> Any:
    """A tangent as a matrix for each point, (c, c, n), in double precision."""
    if hasattr(tangent, "matrices"):
        return tangent.matrices()  # pyright: ignore[reportAttributeAccessIssue]
    made = np.empty((components, components, points))
    for j in range(components):
        unit = np.zeros((components, points))
        unit[j] = 1.0
        made[:, j] = tangent.apply(unit)
    return made


def held(exponent: Any, foreseen: Any, found: Any) -> Any:
    """Derivative of log rate by log stress of a power law, 1 to the exponent.

    A power law is the linearised |rate|^(1 - 1/n) s = rate with s a variable of its own
    (Rudi, Shih & Stadler 2020, doi:10.48550/arXiv.2003.11115): where the stress that
    Newton's method foresaw is the one that was found, this is the tangent; where it is
    far from it, or opposed, the secant. So Newton's steps hardly need to be shortened.

    Parameters
    ----------
    exponent
        n.
    foreseen, found
        Stresses of a point or of one of its slip systems, along the one that was found.
    """
    xp = namespace(found)
    share = xp.clip(foreseen / (found + (found == 0)), 0, 1)
    return exponent / (1 + (exponent - 1) * (1 - share))
