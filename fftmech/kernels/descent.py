"""Fields of `fftmech.solvers.dual` in one pass over memory, on the host.

They shadow functions of `fftmech.problems.complementary`. Fields are (q, 6, x, y, z);
threads share blocks of voxels that stay in the cache.
"""

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels.compiled import U, compiled

BLOCK = 1024
"""Voxels that are computed together."""

SIX, THREE = U(6), U(3)


def remainder(
    strain: np.ndarray,
    compatible: np.ndarray,
    shift: np.ndarray,
    C0: np.ndarray,
    old: np.ndarray,
    threads: int = 1,
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, float, float]:
    """See `fftmech.problems.complementary.remainder`; `out` may be `strain`."""
    # a strain of linear elasticity has its points first in memory
    out = np.empty_like(strain, order="C") if out is None else out
    fields = [_flat(field) for field in (strain, compatible, out, old)]
    constants = shift.astype(strain.dtype), *_moduli(C0)
    sums = np.zeros((_blocks(fields[0]), 2))

    def part(first: int, last: int) -> None:
        for q in range(len(strain)):
            _remainder(*(field[q] for field in fields), *constants, sums, first, last)

    parallel(part, len(sums), threads)
    square, product = 6 * sums.sum(axis=0) / strain.size
    return out, float(square), float(product)


def direction(
    r: np.ndarray,
    old: np.ndarray,
    before: np.ndarray,
    parts: tuple[float, float, float],
    C0: np.ndarray,
    threads: int = 1,
) -> np.ndarray:
    """See `fftmech.problems.complementary.direction`."""
    out = np.empty_like(r, order="C")
    fields = [_flat(field) for field in (r, old, before, out)]
    constants = *parts, *_moduli(C0)

    def part(first: int, last: int) -> None:
        for q in range(len(r)):
            _direction(*(field[q] for field in fields), *constants, first, last)

    parallel(part, _blocks(fields[0]), threads)
    return out


def largest_deviator(stress: np.ndarray, threads: int = 1) -> float:
    """See `fftmech.problems.complementary.largest_deviator`."""
    field = _flat(stress)
    squares = np.zeros((len(field), _blocks(field)))

    def part(first: int, last: int) -> None:
        for own, largest in zip(field, squares, strict=True):
            _largest_deviator(own, largest, first, last)

    parallel(part, squares.shape[1], threads)
    return float(squares.max()) ** 0.5


def _moduli(C0: np.ndarray) -> tuple[float, float]:
    """Lame's constant and twice the shear modulus of an isotropic stiffness."""
    return float(C0[0, 1]), float(C0[3, 3])


def _flat(field: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(field).reshape(*field.shape[:2], -1)


def _blocks(field: np.ndarray) -> int:
    return -(-field.shape[-1] // BLOCK)


@compiled
def _remainder(strain, compatible, out, old, shift, lame, shear, sums, first, last):
    count = U(strain.shape[1])
    traces = np.empty((2, BLOCK))
    for block in range(first, last):
        begin = U(block) * U(BLOCK)
        n = min(U(BLOCK), count - begin)
        square = product = 0.0
        traces[:] = 0.0
        for k in range(SIX):
            e, u = strain[k, begin : begin + n], compatible[k, begin : begin + n]
            r, b, m = out[k, begin : begin + n], old[k, begin : begin + n], shift[k]
            for i in range(n):
                r[i] = e[i] - u[i] + m
            for i in range(n):
                square += r[i] * r[i]
                product += r[i] * b[i]
            if k < THREE:
                for i in range(n):
                    traces[0, i] += r[i]
                    traces[1, i] += b[i]
        volume = mixed = 0.0
        for i in range(n):
            volume += traces[0, i] * traces[0, i]
            mixed += traces[0, i] * traces[1, i]
        sums[block, 0] += shear * square + lame * volume
        sums[block, 1] += shear * product + lame * mixed


@compiled
def _direction(r, old, before, out, a, b, c, lame, shear, first, last):
    count = U(r.shape[1])
    traces = np.empty(BLOCK)
    a, b, ratio = shear * a, shear * b, lame / shear
    for block in range(first, last):
        begin = U(block) * U(BLOCK)
        n = min(U(BLOCK), count - begin)
        traces[:] = 0.0
        for k in range(SIX):
            new, past = r[k, begin : begin + n], old[k, begin : begin + n]
            d, p = out[k, begin : begin + n], before[k, begin : begin + n]
            if k < THREE:
                for i in range(n):
                    traces[i] += a * new[i] + b * past[i]
            for i in range(n):
                d[i] = a * new[i] + b * past[i] + c * p[i]
        for k in range(THREE):
            d = out[k, begin : begin + n]
            for i in range(n):
                d[i] += ratio * traces[i]


@compiled
def _largest_deviator(stress, squares, first, last):
    count = U(stress.shape[1])
    rows = np.empty((2, BLOCK))
    for block in range(first, last):
        begin = U(block) * U(BLOCK)
        n = min(U(BLOCK), count - begin)
        rows[:] = 0.0
        for k in range(SIX):
            s = stress[k, begin : begin + n]
            for i in range(n):
                rows[0, i] += s[i] * s[i]
            if k < THREE:
                for i in range(n):
                    rows[1, i] += s[i]
        largest = 0.0
        for i in range(n):
            largest = max(largest, rows[0, i] - rows[1, i] * rows[1, i] / 3)
        squares[block] = largest
