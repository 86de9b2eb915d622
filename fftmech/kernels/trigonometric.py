"""Strain and divergence of trigonometric polynomials, on lines of frequencies.

A vector of `fourier` is made of coordinates c in an orthonormal basis of waves: with
the derivatives i k and the multiplicity w of a frequency, of which half are in memory,

    c = i sqrt(w / N) u^,    strain^ = sym(k c) / sqrt(w / N),
    g = i sqrt(w / N) f^ = k s^ sqrt(w / N),    so that <u, f> = c . g / N,

k is real, and so are all factors: real and imaginary parts are numbers like others. At
a frequency with a Nyquist component the coordinates are those of the strain itself,
sqrt(w / N) n^: the three of the diagonal in the place of those of u, and the shears in
lines behind all others.
"""

from typing import NamedTuple

import numpy as np

from fftmech.kernels import tile
from fftmech.kernels.compiled import U, compiled, inlined
from fftmech.kernels.tile import BLOCK, CHUNK, L

TWO, THREE, SIX = U(2), U(3), U(6)
ROOT_HALF = 0.5**0.5


class Waves(NamedTuple):
    """Half spectrum and its frequencies; tables along z say every number twice."""

    shape: tuple[int, int, int]
    order: tuple[int, int, int]  # which component belongs to each axis
    tensor_order: tuple[int, ...]  # Mandel component by xx yy zz yz xz xy of the axes
    x: np.ndarray  # k, (nx,)
    y: np.ndarray  # k, (ny,)
    z: np.ndarray  # k, (2 nz,)
    root: np.ndarray  # sqrt(w / N), (2 nz,)
    back: np.ndarray  # 1 / sqrt(w N), (2 nz,): transforms back are not normalised
    regular: np.ndarray  # frequencies of a line before the first of Nyquist, (nx ny,)
    before: np.ndarray  # Nyquist frequencies on the lines before, (nx ny + 1,)


@inlined
def _line(waves, line):
    """Line of the half spectrum: numbers in it and in a component, k along x and y."""
    ny, nz = U(waves.shape[1]), U(waves.shape[2])
    size = TWO * U(waves.shape[0]) * ny * nz
    return TWO * nz, size, waves.x[line // ny], waves.y[line % ny]


@inlined
def _vector(waves, line):
    """Where a line begins in the three components of a vector, and in the shears."""
    count, size, _, _ = _line(waves, line)
    i, order = line * count, waves.order
    shears = TWO * U(waves.before[-1])
    extra = THREE * size + TWO * U(waves.before[line])
    components = i + U(order[0]) * size, i + U(order[1]) * size, i + U(order[2]) * size
    return components, (extra, shears)


@inlined
def _tensor(waves, line):
    """Where a line begins in the six components of a strain or a stress."""
    count, size, _, _ = _line(waves, line)
    i, t = line * count, waves.tensor_order
    return (
        i + U(t[0]) * size,
        i + U(t[1]) * size,
        i + U(t[2]) * size,
        i + U(t[3]) * size,
        i + U(t[4]) * size,
        i + U(t[5]) * size,
    )


@compiled
def strain(c, waves, s, first, last):
    """s <- strain^ / N of coordinates, Mandel, on rows y."""
    ny = U(waves.shape[1])
    for x in range(U(waves.shape[0])):
        for y in range(U(first), U(last)):
            line = x * ny + y
            count, size, kx, ky = _line(waves, line)
            n, kz, back = TWO * U(waves.regular[line]), waves.z, waves.back
            (a, b, d), (extra, shears) = _vector(waves, line)
            xx, yy, zz, yz, xz, xy = _tensor(waves, line)
            half = c.dtype.type(ROOT_HALF)
            for j in range(n):
                s[xx + j] = kx * back[j] * c[a + j]
            for j in range(n):
                s[yy + j] = ky * back[j] * c[b + j]
            for j in range(n):
                s[zz + j] = kz[j] * back[j] * c[d + j]
            for j in range(n):
                s[yz + j] = half * back[j] * (kz[j] * c[b + j] + ky * c[d + j])
            for j in range(n):
                s[xz + j] = half * back[j] * (kz[j] * c[a + j] + kx * c[d + j])
            for j in range(n):
                s[xy + j] = half * back[j] * (ky * c[a + j] + kx * c[b + j])
            for m in range(SIX):
                row, i = m * size + line * count, m * size + line * count
                if m >= THREE:
                    i = extra + (m - THREE) * shears - n
                for j in range(n, count):
                    s[row + j] = back[j] * c[i + j]


@compiled
def force(s, waves, c, out, sums, first, last):
    """Adjoint of `strain`: out <- k s sqrt(w / N) on rows y; sums += c . out."""
    ny = U(waves.shape[1])
    for x in range(U(waves.shape[0])):
        for y in range(U(first), U(last)):
            line = x * ny + y
            count, size, kx, ky = _line(waves, line)
            n, kz, root = TWO * U(waves.regular[line]), waves.z, waves.root
            (a, b, d), (extra, shears) = _vector(waves, line)
            xx, yy, zz, yz, xz, xy = _tensor(waves, line)
            half = c.dtype.type(ROOT_HALF)
            hx, hy = half * kx, half * ky
            work = c.dtype.type(0)
            for j in range(n):
                f = kx * s[xx + j] + hy * s[xy + j] + half * kz[j] * s[xz + j]
                out[a + j] = root[j] * f
                work += c[a + j] * (root[j] * f)
            for j in range(n):
                f = hx * s[xy + j] + ky * s[yy + j] + half * kz[j] * s[yz + j]
                out[b + j] = root[j] * f
                work += c[b + j] * (root[j] * f)
            for j in range(n):
                f = hx * s[xz + j] + hy * s[yz + j] + kz[j] * s[zz + j]
                out[d + j] = root[j] * f
                work += c[d + j] * (root[j] * f)
            for m in range(SIX):
                row, i = m * size + line * count, m * size + line * count
                if m >= THREE:
                    i = extra + (m - THREE) * shears - n
                for j in range(n, count):
                    f = root[j] * s[row + j]
                    out[i + j] = f
                    work += c[i + j] * f
            sums[y] += work


@compiled
def inverse(r, waves, moduli, z, sums, first, last, t):
    """z <- A^-1 r on planes x, on Nyquist frequencies C0^-1 r; sums += r . z.

    A = mu k^2 I + (lambda + mu) k k^T. `t` is scratch, two rows of a line.
    """
    lame, mu = moduli
    share = (lame + mu) / (lame + 2 * mu)
    trace = 1 / (9 * lame + 6 * mu) - 1 / (6 * mu)
    ny, zero = U(waves.shape[1]), mu - mu
    for x in range(first, last):
        for line in range(U(x) * ny, U(x + 1) * ny):
            count, size, kx, ky = _line(waves, line)
            n, kz = TWO * U(waves.regular[line]), waves.z
            (a, b, d), (extra, shears) = _vector(waves, line)
            work = zero
            for j in range(n):
                square = kx * kx + ky * ky + kz[j] * kz[j]
                null = square == 0
                scale = zero if null else 1 / (1 if null else square)
                along = kx * r[a + j] + ky * r[b + j] + kz[j] * r[d + j]
                t[j] = scale / mu
                t[j + count] = share * scale * along
            for j in range(n):
                z[a + j] = t[j] * (r[a + j] - kx * t[j + count])
                work += z[a + j] * r[a + j]
            for j in range(n):
                z[b + j] = t[j] * (r[b + j] - ky * t[j + count])
                work += z[b + j] * r[b + j]
            for j in range(n):
                z[d + j] = t[j] * (r[d + j] - kz[j] * t[j + count])
                work += z[d + j] * r[d + j]
            for j in range(n, count):
                sphere = trace * (r[a + j] + r[b + j] + r[d + j])
                for i in (a + j, b + j, d + j):
                    z[i] = r[i] / (2 * mu) + sphere
                    work += z[i] * r[i]
                for m in range(THREE):
                    i = extra + m * shears + (j - n)
                    z[i] = r[i] / (2 * mu)
                    work += z[i] * r[i]
            sums[x] += work


@inlined
def _law(t, k, C):
    """Stress of BLOCK points of one phase, C e - s0, Mandel: rows 6 on from rows 0."""
    C00, C01, C02, C03, C04, C05 = C[0], C[1], C[2], C[3], C[4], C[5]
    C11, C12, C13, C14, C15 = C[6], C[7], C[8], C[9], C[10]
    C22, C23, C24, C25 = C[11], C[12], C[13], C[14]
    C33, C34, C35, C44, C45, C55 = C[15], C[16], C[17], C[18], C[19], C[20]
    s0, s1, s2, s3, s4, s5 = C[21], C[22], C[23], C[24], C[25], C[26]
    for i in range(BLOCK):
        j = k + U(i)
        e0, e1, e2 = t[j], t[j + L], t[j + U(2) * L]
        e3, e4, e5 = t[j + U(3) * L], t[j + U(4) * L], t[j + U(5) * L]
        j += SIX * L
        t[j] = C00 * e0 + C01 * e1 + C02 * e2 + C03 * e3 + C04 * e4 + C05 * e5 - s0
        j += L
        t[j] = C01 * e0 + C11 * e1 + C12 * e2 + C13 * e3 + C14 * e4 + C15 * e5 - s1
        j += L
        t[j] = C02 * e0 + C12 * e1 + C22 * e2 + C23 * e3 + C24 * e4 + C25 * e5 - s2
        j += L
        t[j] = C03 * e0 + C13 * e1 + C23 * e2 + C33 * e3 + C34 * e4 + C35 * e5 - s3
        j += L
        t[j] = C04 * e0 + C14 * e1 + C24 * e2 + C34 * e3 + C44 * e4 + C45 * e5 - s4
        j += L
        t[j] = C05 * e0 + C15 * e1 + C25 * e2 + C35 * e3 + C45 * e4 + C55 * e5 - s5


@compiled
def law(strain, stress, points, phase, table, t):
    """Stress of fields of strain, flat, phase after phase; they may be one.

    Parameters
    ----------
    points
        First and last point, and the points of a field.
    phase
        Row of the table of each point.
    table
        Upper triangle of the Mandel stiffness by rows, and s0, (P, 27).
    t
        Scratch, a tile of 12 rows.
    """
    first, last, pitch = points
    for start in range(U(first), U(last), U(CHUNK)):
        count = min(U(CHUNK), U(last) - start)
        tile.load(strain, U(pitch), start, count, t, U(0), SIX)
        begin = U(0)
        while begin < count:
            p = phase[start + begin]
            end = begin + U(1)
            while end < count and phase[start + end] == p:
                end += U(1)
            C = table[p]
            for k in range(begin, end, U(BLOCK)):
                _law(t, k, C)
            begin = end
        tile.store(t, SIX, SIX, count, stress, U(pitch), start)
