"""The reference medium's inverse on symbols, from three 1-D tables.

A scheme whose stencils are products, D_a = d_a x means across, has an acoustic tensor
that is made of products too. With, for each axis, averages over the integration points

    S = |d|^2,      B = <|m|^2>,      G = <conj(d) m>,

    A_xx = (lambda + 2 mu) S_x B_y B_z + mu (B_x S_y B_z + B_x B_y S_z)
    A_xy = (lambda G_x conj(G_y) + mu conj(G_x) G_y) B_z

and so on. A mean dilatation (`bbar`) has the mean m itself in its volumetric part: with
M = |<m>|^2 and the bulk modulus K,

    A_xx = mu / 3 S_x B_y B_z + mu (...) + K S_x M_y M_z
    A_xy = (-2 mu / 3 G_x conj(G_y) + mu conj(G_x) G_y) B_z + K G_x conj(G_y) M_z.

Where d and m of each axis differ by a phase of 90 degrees (all schemes but
`forward`), A is real.
"""

from typing import Any, NamedTuple

import numpy as np

from fftmech.kernels.compiled import U, compiled, inlined

ONE, TWO = U(1), U(2)

CHUNK = 64
"""Frequencies of a line that are computed together."""

# Pitch of the rows of scratch, constant so that they are known not to overlap.
P = U(2 * CHUNK + 16)
ROWS = 7


class Medium(NamedTuple):
    """The reference medium on a half spectrum."""

    shape: tuple[int, int, int]  # of the half spectrum
    order: tuple[int, int, int]  # which component belongs to each axis
    x: np.ndarray  # S, B, Re G, Im G and M along x, (5, nx); y and z likewise
    y: np.ndarray
    z: np.ndarray
    lame: Any
    mu: Any
    factor: Any  # of the result
    weights: np.ndarray  # multiplicity of each frequency along z


@inlined
def _real_line(f, components, medium, x, y, s, mean_dilatation):
    """One line of frequencies along z, A real: f <- factor A^-1 f; <f, A^-1 f>.

    A^-1 is written to scratch, twice for the real and the imaginary part, so that both
    loops run over neighbours in memory.
    """
    i0, i1, i2 = components
    _, _, tx, ty, tz, lame, mu, factor, weights = medium
    count = U(medium.shape[2])
    Sx, Bx, Gx = tx[0, x], tx[1, x], tx[3, x]
    Sy, By, Gy = ty[0, y], ty[1, y], ty[3, y]
    SB, BS, BB = Sx * By, Bx * Sy, Bx * By
    GG, GB, BG = Gx * Gy, Gx * By, Bx * Gy
    zero = mu - mu
    q = lame + mu
    bulk = zero
    MM, SM, MS, GM, MG = BB, SB, BS, GB, BG
    if mean_dilatation:
        q, bulk = mu / 3, lame + 2 * mu / 3
        MM, SM, MS = tx[4, x] * ty[4, y], Sx * ty[4, y], tx[4, x] * Sy
        GM, MG = Gx * ty[4, y], tx[4, x] * Gy
    total = zero
    for z0 in range(U(0), count, U(CHUNK)):
        n = min(U(CHUNK), count - z0)
        for k in range(n):
            z = z0 + k
            Sz, Bz, Gz = tz[0, z], tz[1, z], tz[3, z]
            X, Y, Z = SB * Bz, BS * Bz, BB * Sz
            square = X + Y + Z
            null = square == 0
            # scaled to about one, so that single precision holds the determinant
            scale = 1 / (1 if null else square)
            c, d = mu * square * scale, q * scale
            a00, a11, a22 = c + d * X, c + d * Y, c + d * Z
            a01, a02, a12 = d * GG * Bz, d * GB * Gz, d * BG * Gz
            if mean_dilatation:
                v, Mz = bulk * scale, tz[4, z]
                a00 += v * SM * Mz
                a11 += v * MS * Mz
                a22 += v * MM * Sz
                a01 += v * GG * Mz
                a02 += v * GM * Gz
                a12 += v * MG * Gz
            m00, m11, m22 = (
                a11 * a22 - a12 * a12,
                a00 * a22 - a02 * a02,
                a00 * a11 - a01 * a01,
            )
            m01, m02, m12 = (
                a02 * a12 - a01 * a22,
                a01 * a12 - a02 * a11,
                a01 * a02 - a00 * a12,
            )
            det = a00 * m00 + a01 * m01 + a02 * m02
            scale = zero if null else factor * scale / (1 if null else det)
            for j in range(TWO * k, TWO * k + TWO):
                s[j] = scale * m00
                s[j + P] = scale * m01
                s[j + TWO * P] = scale * m02
                s[j + U(3) * P] = scale * m11
                s[j + U(4) * P] = scale * m12
                s[j + U(5) * P] = scale * m22
                s[j + U(6) * P] = weights[z]
        j0, j1, j2 = i0 + TWO * z0, i1 + TWO * z0, i2 + TWO * z0
        for j in range(TWO * n):
            f0, f1, f2 = f[j0 + j], f[j1 + j], f[j2 + j]
            u0 = s[j] * f0 + s[j + P] * f1 + s[j + TWO * P] * f2
            u1 = s[j + P] * f0 + s[j + U(3) * P] * f1 + s[j + U(4) * P] * f2
            u2 = s[j + TWO * P] * f0 + s[j + U(4) * P] * f1 + s[j + U(5) * P] * f2
            total += s[j + U(6) * P] * (f0 * u0 + f1 * u1 + f2 * u2)
            f[j0 + j] = u0
            f[j1 + j] = u1
            f[j2 + j] = u2
    return total


@inlined
def _hermitian_line(f, components, medium, x, y):
    """One line of frequencies along z, A Hermitian."""
    i0, i1, i2 = components
    _, _, tx, ty, tz, lame, mu, factor, weights = medium
    count = U(medium.shape[2])
    zero = mu - mu
    Sx, Bx, Gx = tx[0, x], tx[1, x], complex(tx[2, x], tx[3, x])
    Sy, By, Gy = ty[0, y], ty[1, y], complex(ty[2, y], ty[3, y])
    total = zero
    for z in range(count):
        Sz, Bz, Gz = tz[0, z], tz[1, z], complex(tz[2, z], tz[3, z])
        X, Y, Z = Sx * By * Bz, Bx * Sy * Bz, Bx * By * Sz
        k = mu * (X + Y + Z)
        trace = 3 * k + (lame + mu) * (X + Y + Z)
        scale = 1 / trace if trace > 0 else zero
        a, d, g = k + (lame + mu) * X, k + (lame + mu) * Y, k + (lame + mu) * Z
        a, d, g = a * scale, d * scale, g * scale
        xy, xz, yz = Gx * Gy.conjugate(), Gx * Gz.conjugate(), Gy * Gz.conjugate()
        b = scale * Bz * (lame * xy + mu * xy.conjugate())
        e = scale * By * (lame * xz + mu * xz.conjugate())
        h = scale * Bx * (lame * yz + mu * yz.conjugate())
        m00 = d * g - (h * h.conjugate()).real
        m01 = e * h.conjugate() - b * g
        m02 = b * h - e * d
        m11 = a * g - (e * e.conjugate()).real
        m12 = e * b.conjugate() - a * h
        m22 = a * d - (b * b.conjugate()).real
        det = a * m00 + (b * m01.conjugate() + e * m02.conjugate()).real
        scale = factor * scale / det if trace > 0 else zero
        j0, j1, j2 = i0 + U(2) * z, i1 + U(2) * z, i2 + U(2) * z
        f0 = complex(f[j0], f[j0 + ONE])
        f1 = complex(f[j1], f[j1 + ONE])
        f2 = complex(f[j2], f[j2 + ONE])
        u0 = scale * (m00 * f0 + m01 * f1 + m02 * f2)
        u1 = scale * (m01.conjugate() * f0 + m11 * f1 + m12 * f2)
        u2 = scale * (m02.conjugate() * f0 + m12.conjugate() * f1 + m22 * f2)
        work = f0.conjugate() * u0 + f1.conjugate() * u1 + f2.conjugate() * u2
        total += weights[z] * work.real
        f[j0], f[j0 + ONE] = u0.real, u0.imag
        f[j1], f[j1 + ONE] = u1.real, u1.imag
        f[j2], f[j2 + ONE] = u2.real, u2.imag
    return total


def _inverse(real: bool, mean_dilatation: bool):
    @compiled
    def inverse(f, medium, sums, first, last, s):
        shape, order = medium.shape, medium.order
        nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
        size = TWO * nx * ny * nz
        c0, c1, c2 = size * U(order[0]), size * U(order[1]), size * U(order[2])
        for x in range(nx):
            for y in range(U(first), U(last)):
                i = TWO * (x * ny + y) * nz
                components = c0 + i, c1 + i, c2 + i
                if real:
                    sums[y] += _real_line(
                        f, components, medium, x, y, s, mean_dilatation
                    )
                else:
                    sums[y] += _hermitian_line(f, components, medium, x, y)

    return inverse


inverses = {
    (real, mean): _inverse(real, mean)
    for real, mean in ((True, False), (True, True), (False, False))
}
"""The compiled inverse by whether A is real, and whether the dilatation is a mean.

inverse(f, medium, sums, first, last, s)

Parameters
----------
f
    Half spectrum of three components, as real numbers, flat (3 nx ny nz 2).
sums
    (ny,), sum of f . result added to by row.
first, last
    Rows y.
s
    Scratch of the thread, ROWS P numbers.
"""
