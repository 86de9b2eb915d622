"""3x3 matrices by rows, one for each point: (9, n), index 3 i + j."""

from typing import Any

from fftmech.arrays.backend import namespace
from fftmech.tensors import PAIRS


def product(a: Any, b: Any) -> Any:
    """a b, (9, n)."""
    rows = [a[i : i + 1] * b[:3] for i in (0, 3, 6)]
    for row, i in zip(rows, (0, 3, 6), strict=True):
        row += a[i + 1 : i + 2] * b[3:6]
        row += a[i + 2 : i + 3] * b[6:]
    return namespace(a).concatenate(rows)


def transpose(a: Any) -> Any:
    """a^T, (9, n)."""
    return a.reshape(3, 3, -1).swapaxes(0, 1).reshape(9, -1)


def cofactor(a: Any) -> Any:
    """det(a) a^-T, (9, n): its rows are cross products of the rows of a."""
    xp = namespace(a)
    x, y, z = a[:3], a[3:6], a[6:]
    return xp.concatenate([cross(y, z), cross(z, x), cross(x, y)])


def cross(a: Any, b: Any) -> Any:
    """a x b, (3, n)."""
    pairs = ((1, 2), (2, 0), (0, 1))
    return namespace(a).stack([a[i] * b[j] - a[j] * b[i] for i, j in pairs])


def symmetric(a: Any) -> Any:
    """(a + a^T) / 2 as Mandel vectors, (9, n) -> (6, n)."""
    parts = [
        a[4 * i] if i == j else (a[3 * i + j] + a[3 * j + i]) * 0.5**0.5
        for i, j in PAIRS
    ]
    return namespace(a).stack(parts)


def full(a: Any) -> Any:
    """Symmetric matrices of Mandel vectors, (6, n) -> (9, n)."""
    b = [*a[:3], *(a[3:] * 0.5**0.5)]
    return namespace(a).stack([b[m] for m in (0, 5, 4, 5, 1, 3, 4, 3, 2)])
