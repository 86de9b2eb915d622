"""Algebra on the tensors of LANES points at once.

Each point is a lane. A quantity of all lanes is a row of scratch, entry j that of lane
j. Loops over lanes become SIMD: there are enough of them for a compiler to check that
rows do not overlap. Tensors are written out in scalars, which stay in registers.
Rows are of four arrays,

    p   tensors that are constant: D, the guess's matrix and P_a, from the row's table
    c   what each family of systems has, by kind: constants, from the table, and more
    q   what each system has, by kind
    s   tensors and numbers

Systems go family by family; `ends` says where each ends.
"""

from itertools import accumulate

import numpy as np

from fftmech.kernels.compiled import U, inlined

LANES = 16
L = U(LANES)
ONE, TWO, THREE, FOUR, FIVE, SIX = (U(i) for i in range(1, 7))


def _offsets(*sizes: int) -> list:
    """Where rows of so many of each kind begin, and where they end."""
    return [U(LANES * end) for end in accumulate(sizes, initial=0)]


D, GUESS, P = _offsets(21, 21)
MATRICES = 42
"""Entries of D and of the guess's matrix, lower triangles by rows."""

SYSTEMS = FAMILIES = 24
"""The most that a crystal has. Rows of all kinds are at constant places, so that a
compiler sees that they do not overlap."""

CONSTANTS = 7
"""Of a family: rate, exponent, tau0, tau1, theta0, theta1, and |tau| / g below which
slip is linear."""

(
    RATE,
    EXPONENT,
    TAU0,
    TAU1,
    THETA0,
    THETA1,
    BELOW,
    G,  # resistance
    SLOPE,  # dg/dG
    TOP,  # slip of the family with the resistance of the last trial
    RATIO,  # g of the last trial over the new one, to the power n - 1
    FIRST,  # g of the last trial
    SOFTER,  # n dg/dG / g
    C_END,
) = _offsets(*[FAMILIES] * 13)
KIND = U(FAMILIES * LANES)

TAU, CHANGE, X, POWER, SQUARE, Q_END = _offsets(*[SYSTEMS] * 5)
(
    E,  # the target
    BASE,  # stress that the step begins at
    STEP,
    TRIAL,  # stress that is evaluated: base and a part of the step
    NEXT,
    R,
    B,  # sum f_a P_a
    C,  # sum sign(tau_a) df_a P_a
    H,  # sum n dg/dG / g f_a P_a
    FLOW,  # that of one family without n dg/dG / g
    Y,  # M^-1 H
    M,  # lower triangle of D + sum df_a P_a P_a, then L and 1 / d of L d L^T
    INVERSE,
    START,  # accumulated slip at the beginning of the step, and at its end
    SLIP,
    TOTAL,  # sum |f_a|, sum df_a
    SOFTNESS,
    WEIGHT,  # of the part -H C of dr/ds that hardening adds
    FARTHEST,  # largest |f_a| / |e|
    BOUND,  # |tau_a| / g that no step exceeds
    ROOM,  # part of NEXT that does not
    PART,  # that of STEP in TRIAL
    FASTEST,  # largest |tau_a| of NEXT, and of the base
    LARGEST,
    SIZE,  # |r| of the trial, and of the base
    OLD,
    LENGTH,  # |e|
    S_END,
) = _offsets(*[6] * 11, 21, 36, *[1] * 14)


def scratch() -> list[np.ndarray]:
    """p, c, q and s of one thread."""
    ends = MATRICES * LANES + 6 * SYSTEMS * LANES, C_END, Q_END, S_END
    return [np.zeros(int(end)) for end in ends]


@inlined
def resolve(p, q, s, systems, vector, kind):
    """q[kind] <- P_a : vector."""
    for a in range(systems):
        i, k = kind + a * L, P + a * SIX * L
        for j in range(L):
            q[i + j] = (
                p[k + j] * s[vector + j]
                + p[k + L + j] * s[vector + L + j]
                + p[k + TWO * L + j] * s[vector + TWO * L + j]
                + p[k + THREE * L + j] * s[vector + THREE * L + j]
                + p[k + FOUR * L + j] * s[vector + FOUR * L + j]
                + p[k + FIVE * L + j] * s[vector + FIVE * L + j]
            )


@inlined
def symmetric(m, matrix, s, vector, out):
    """s[out] <- the symmetric matrix of m times a vector."""
    for j in range(L):
        i, v, o = matrix + j, vector + j, out + j
        v0, v1, v2 = s[v], s[v + L], s[v + TWO * L]
        v3, v4, v5 = s[v + THREE * L], s[v + FOUR * L], s[v + FIVE * L]
        m10, m20, m21 = m[i + L], m[i + U(3) * L], m[i + U(4) * L]
        m30, m31, m32 = m[i + U(6) * L], m[i + U(7) * L], m[i + U(8) * L]
        m40, m41, m42 = m[i + U(10) * L], m[i + U(11) * L], m[i + U(12) * L]
        m43, m50, m51 = m[i + U(13) * L], m[i + U(15) * L], m[i + U(16) * L]
        m52, m53, m54 = m[i + U(17) * L], m[i + U(18) * L], m[i + U(19) * L]
        m11, m22, m33 = m[i + U(2) * L], m[i + U(5) * L], m[i + U(9) * L]
        m00, m44, m55 = m[i], m[i + U(14) * L], m[i + U(20) * L]
        s[o] = m00 * v0 + m10 * v1 + m20 * v2 + m30 * v3 + m40 * v4 + m50 * v5
        s[o + L] = m10 * v0 + m11 * v1 + m21 * v2 + m31 * v3 + m41 * v4 + m51 * v5
        s[o + TWO * L] = m20 * v0 + m21 * v1 + m22 * v2 + m32 * v3 + m42 * v4 + m52 * v5
        s[o + THREE * L] = (
            m30 * v0 + m31 * v1 + m32 * v2 + m33 * v3 + m43 * v4 + m53 * v5
        )
        s[o + FOUR * L] = (
            m40 * v0 + m41 * v1 + m42 * v2 + m43 * v3 + m44 * v4 + m54 * v5
        )
        s[o + FIVE * L] = (
            m50 * v0 + m51 * v1 + m52 * v2 + m53 * v3 + m54 * v4 + m55 * v5
        )


@inlined
def factor(s):
    """M <- the unit lower triangular L, and 1 / d on the diagonal: M = L d L^T."""
    for j in range(L):
        i = M + j
        d0 = 1 / s[i]
        m10, m20, m30 = s[i + L], s[i + U(3) * L], s[i + U(6) * L]
        m40, m50 = s[i + U(10) * L], s[i + U(15) * L]
        l1, l2, l3, l4, l5 = m10 * d0, m20 * d0, m30 * d0, m40 * d0, m50 * d0
        d1 = 1 / (s[i + U(2) * L] - l1 * m10)
        m21 = s[i + U(4) * L] - l2 * m10
        m31 = s[i + U(7) * L] - l3 * m10
        m41 = s[i + U(11) * L] - l4 * m10
        m51 = s[i + U(16) * L] - l5 * m10
        k2, k3, k4, k5 = m21 * d1, m31 * d1, m41 * d1, m51 * d1
        d2 = 1 / (s[i + U(5) * L] - l2 * m20 - k2 * m21)
        m32 = s[i + U(8) * L] - l3 * m20 - k3 * m21
        m42 = s[i + U(12) * L] - l4 * m20 - k4 * m21
        m52 = s[i + U(17) * L] - l5 * m20 - k5 * m21
        h3, h4, h5 = m32 * d2, m42 * d2, m52 * d2
        d3 = 1 / (s[i + U(9) * L] - l3 * m30 - k3 * m31 - h3 * m32)
        m43 = s[i + U(13) * L] - l4 * m30 - k4 * m31 - h4 * m32
        m53 = s[i + U(18) * L] - l5 * m30 - k5 * m31 - h5 * m32
        g4, g5 = m43 * d3, m53 * d3
        d4 = 1 / (s[i + U(14) * L] - l4 * m40 - k4 * m41 - h4 * m42 - g4 * m43)
        m54 = s[i + U(19) * L] - l5 * m40 - k5 * m41 - h5 * m42 - g5 * m43
        f5 = m54 * d4
        last = s[i + U(20) * L] - l5 * m50 - k5 * m51 - h5 * m52 - g5 * m53 - f5 * m54
        s[i], s[i + L], s[i + U(3) * L] = d0, l1, l2
        s[i + U(6) * L], s[i + U(10) * L], s[i + U(15) * L] = l3, l4, l5
        s[i + U(2) * L], s[i + U(4) * L], s[i + U(7) * L] = d1, k2, k3
        s[i + U(11) * L], s[i + U(16) * L], s[i + U(5) * L] = k4, k5, d2
        s[i + U(8) * L], s[i + U(12) * L], s[i + U(17) * L] = h3, h4, h5
        s[i + U(9) * L], s[i + U(13) * L], s[i + U(18) * L] = d3, g4, g5
        s[i + U(14) * L], s[i + U(19) * L], s[i + U(20) * L] = d4, f5, 1 / last


@inlined
def substitute(s, vector, out):
    """s[out] <- M^-1 vector, of M as `factor` leaves it."""
    for j in range(L):
        i, v, o = M + j, vector + j, out + j
        l1, l2, l3 = s[i + L], s[i + U(3) * L], s[i + U(6) * L]
        l4, l5, k2 = s[i + U(10) * L], s[i + U(15) * L], s[i + U(4) * L]
        k3, k4, k5 = s[i + U(7) * L], s[i + U(11) * L], s[i + U(16) * L]
        h3, h4, h5 = s[i + U(8) * L], s[i + U(12) * L], s[i + U(17) * L]
        g4, g5, f5 = s[i + U(13) * L], s[i + U(18) * L], s[i + U(19) * L]
        y0 = s[v]
        y1 = s[v + L] - l1 * y0
        y2 = s[v + TWO * L] - l2 * y0 - k2 * y1
        y3 = s[v + THREE * L] - l3 * y0 - k3 * y1 - h3 * y2
        y4 = s[v + FOUR * L] - l4 * y0 - k4 * y1 - h4 * y2 - g4 * y3
        y5 = s[v + FIVE * L] - l5 * y0 - k5 * y1 - h5 * y2 - g5 * y3 - f5 * y4
        y5 *= s[i + U(20) * L]
        y4 = y4 * s[i + U(14) * L] - f5 * y5
        y3 = y3 * s[i + U(9) * L] - g4 * y4 - g5 * y5
        y2 = y2 * s[i + U(5) * L] - h3 * y3 - h4 * y4 - h5 * y5
        y1 = y1 * s[i + U(2) * L] - k2 * y2 - k3 * y3 - k4 * y4 - k5 * y5
        y0 = y0 * s[i] - l1 * y1 - l2 * y2 - l3 * y3 - l4 * y4 - l5 * y5
        s[o], s[o + L], s[o + TWO * L] = y0, y1, y2
        s[o + THREE * L], s[o + FOUR * L], s[o + FIVE * L] = y3, y4, y5


@inlined
def dot(s, a, b, j):
    """a . b of lane j."""
    a, b = a + j, b + j
    total = s[a] * s[b] + s[a + L] * s[b + L]
    total += s[a + TWO * L] * s[b + TWO * L] + s[a + THREE * L] * s[b + THREE * L]
    return total + s[a + FOUR * L] * s[b + FOUR * L] + s[a + FIVE * L] * s[b + FIVE * L]


@inlined
def powers(c, q, ends, whole):
    """POWER <- X^(exponent - 1); `whole` if that is one whole number, else negative."""
    if whole < 0:
        first = U(0)
        for f in range(U(len(ends))):
            for a in range(first, U(ends[f])):
                for j in range(L):
                    n = c[EXPONENT + f * L + j]
                    q[POWER + a * L + j] = q[X + a * L + j] ** (n - 1)
            first = U(ends[f])
        return
    width = U(ends[-1]) * L
    for i in range(width):
        q[POWER + i] = 1.0
        q[SQUARE + i] = q[X + i]
    while whole > 0:
        if whole & 1:
            for i in range(width):
                q[POWER + i] *= q[SQUARE + i]
        whole >>= 1
        if whole > 0:
            for i in range(width):
                q[SQUARE + i] *= q[SQUARE + i]
