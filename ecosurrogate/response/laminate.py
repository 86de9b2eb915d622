"""The effective stiffness of a laminate of two layers, in closed form.

Of arrays and tensors alike. Layers 1 and 2 of fractions f and 1 - f are stacked along
n. Their strains are e_1 = e + (1 - f) N a and e_2 = e - f N a, with a jump a and N a =
sym(n a), so that they are compatible and have the mean e; equal tractions,
N^T (s_1 - s_2) = 0, determine a.
"""

from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.tensors import PAIRS

ROOT = 0.5**0.5


def _basis() -> np.ndarray:
    """T with N = n T: (3, 6, 3), Mandel."""
    basis = np.zeros((3, 6, 3))
    for component, (i, j) in enumerate(PAIRS):
        if i == j:
            basis[i, component, i] = 1.0
        else:
            basis[i, component, j] = basis[j, component, i] = ROOT
    return basis


BASIS = _basis()


def jump_strain(normal: Any) -> Any:
    """N of unit normals, (..., 3) -> (..., 6, 3), Mandel: N a = sym(n a)."""
    basis = namespace(normal).asarray(BASIS)
    return (normal[..., :, None, None] * basis).sum(-3)


def laminate(first: Any, second: Any, fraction: Any, N: Any) -> Any:
    """Effective stiffness of layers, Mandel (..., 6, 6).

    Parameters
    ----------
    first, second
        Stiffness of the layers, (..., 6, 6), stress units.
    fraction
        Of the first, (..., 1, 1).
    N
        `jump_strain` of the normals, (..., 6, 3).
    """
    xp, rest = namespace(first), 1 - fraction
    difference = first - second
    traction = difference @ N
    acoustic = N.swapaxes(-1, -2) @ (rest * first + fraction * second) @ N
    jump = xp.linalg.solve(acoustic, traction.swapaxes(-1, -2))
    return fraction * first + rest * second - fraction * rest * (traction @ jump)
