"""Tensors at n points, component first: Mandel (6, n), or 3x3 by rows (9, n)."""

from typing import Any

from fftmech.arrays.backend import namespace
from fftmech.tensors import fields


def trace(a: Any) -> Any:
    """tr a, Mandel (6, n) -> (n,)."""
    return a[0] + a[1] + a[2]


def split(a: Any) -> tuple[Any, Any]:
    """Trace, (n,), and deviator, Mandel (6, n), of Mandel vectors (6, n)."""
    mean = trace(a)
    return mean, join(-mean / 3, a)


def join(mean: Any, a: Any) -> Any:
    """mean 1 + a, for means (n,) and Mandel vectors a (6, n)."""
    return namespace(a).concatenate([a[:3] + mean, a[3:]])


def norm(a: Any) -> Any:
    """|a| = sqrt(a : a), Mandel (6, n) -> (n,)."""
    return (a * a).sum(0) ** 0.5


def contract(C: Any, rows: Any, e: Any) -> Any:
    """C : e, with one C for each row: (R, 6, 6), (n,), Mandel (6, n) -> (6, n)."""
    parts = [sum(C[rows, i, j] * e[j] for j in range(6)) for i in range(6)]
    return namespace(e).stack(parts)


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
    return xp.concatenate([_cross(y, z), _cross(z, x), _cross(x, y)])


def symmetric(a: Any) -> Any:
    """(a + a^T) / 2, (9, n) -> Mandel (6, n)."""
    return fields.symmetrize(_as_field(a)).reshape(6, -1)


def full(a: Any) -> Any:
    """Symmetric matrices of Mandel vectors, (6, n) -> (9, n)."""
    return fields.full(a[..., None, None]).reshape(9, -1)


def green_lagrange(F: Any) -> Any:
    """1/2 (F^T F - 1), (9, n) -> Mandel (6, n)."""
    return fields.green_lagrange(_as_field(F)).reshape(6, -1)


def _as_field(a: Any) -> Any:
    """(3, 3, n, 1, 1), what `fftmech.tensors.fields` works on, of (9, n)."""
    return a.reshape(3, 3, -1, 1, 1)


def _cross(a: Any, b: Any) -> Any:
    """a x b, (3, n)."""
    pairs = ((1, 2), (2, 0), (0, 1))
    return namespace(a).stack([a[i] * b[j] - a[j] * b[i] for i, j in pairs])
