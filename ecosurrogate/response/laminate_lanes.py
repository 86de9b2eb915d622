"""One laminate of two linear layers, of LANES points at once.

Layer i obeys s_i = D_i e_i + t_i. With N of `ecosurrogate.response.laminate`, the
laminate of layers 1 and 2, whose fractions are f and 1 - f, has a jump of strain

    a = -B e - b,   B = G N^T (D_1 - D_2),   b = G N^T (t_1 - t_2)
    G = (N^T ((1 - f) D_1 + f D_2) N)^-1

between them, and obeys s = D e + t with

    D = f D_1 + (1 - f) D_2 - f (1 - f) (D_1 - D_2) N B
    t = f t_1 + (1 - f) t_2 - f (1 - f) (D_1 - D_2) N b

Scratch is flat. Rows of it are numbers of all lanes, one beside the other; loops over
lanes have a constant length and become SIMD. A medium is 42 rows: the columns of D,
then t. A jump is 21 rows: those of B, three each, then b.
"""

from ecosurrogate.response.laminate import ROOT
from fftmech.kernels.compiled import U, inlined

LANES = 8
"""Points of a block."""

L = U(LANES)
ONE, TWO, THREE, FOUR, FIVE, SIX = (U(i * LANES) for i in range(1, 7))
"""So many rows."""

MEDIUM, JUMP = 42 * LANES, 21 * LANES
"""Sizes of one in scratch."""

X, A, Y, G = (U(i * LANES) for i in (0, 21, 42, 60))
WORK = 69 * LANES
"""Scratch of `laminate`: where N^T (D_1 - D_2), N^T ((1 - f) D_1 + f D_2), (D_1 - D_2) N
and G are in it, and its size."""


@inlined
def laminate(media, jumps, places, f, n, work, symmetric):
    """The medium and the jump of a laminate, of the media of its layers.

    `places` are those of the layers' media, of the laminate's, and of its jump.
    Tangents that are not symmetric are those of crystals that harden.
    """
    rest = 1 - f
    first, second, whole, jump = places
    n0, n1, n2 = n[0], n[1], n[2]
    h0, h1, h2 = ROOT * n0, ROOT * n1, ROOT * n2
    for j in range(U(7)):
        c, d, w = first + j * SIX, second + j * SIX, whole + j * SIX
        x, a = X + j * THREE, A + j * THREE
        for p in range(L):
            c0, c1, c2 = media[c + p], media[c + ONE + p], media[c + TWO + p]
            c3, c4 = media[c + THREE + p], media[c + FOUR + p]
            c5 = media[c + FIVE + p]
            d0, d1, d2 = media[d + p], media[d + ONE + p], media[d + TWO + p]
            d3, d4 = media[d + THREE + p], media[d + FOUR + p]
            d5 = media[d + FIVE + p]
            a0, b0 = n0 * c0 + h2 * c4 + h1 * c5, n0 * d0 + h2 * d4 + h1 * d5
            a1, b1 = n1 * c1 + h2 * c3 + h0 * c5, n1 * d1 + h2 * d3 + h0 * d5
            a2, b2 = n2 * c2 + h1 * c3 + h0 * c4, n2 * d2 + h1 * d3 + h0 * d4
            work[x + p], work[x + ONE + p], work[x + TWO + p] = a0 - b0, a1 - b1, a2 - b2
            work[a + p] = rest * a0 + f * b0
            work[a + ONE + p] = rest * a1 + f * b1
            work[a + TWO + p] = rest * a2 + f * b2
            media[w + p] = f * c0 + rest * d0
            media[w + ONE + p] = f * c1 + rest * d1
            media[w + TWO + p] = f * c2 + rest * d2
            media[w + THREE + p] = f * c3 + rest * d3
            media[w + FOUR + p] = f * c4 + rest * d4
            media[w + FIVE + p] = f * c5 + rest * d5
    across = X
    if not symmetric:
        across = Y
        _across(media, first, second, n, work)
    _inverse(work, n)
    share = f * rest
    for j in range(U(7)):
        x, w, o = X + j * THREE, whole + j * SIX, jump + j * THREE
        for p in range(L):
            x0, x1, x2 = work[x + p], work[x + ONE + p], work[x + TWO + p]
            q = G + p
            g0 = work[q] * x0 + work[q + ONE] * x1 + work[q + TWO] * x2
            q += THREE
            g1 = work[q] * x0 + work[q + ONE] * x1 + work[q + TWO] * x2
            q += THREE
            g2 = work[q] * x0 + work[q + ONE] * x1 + work[q + TWO] * x2
            jumps[o + p], jumps[o + ONE + p], jumps[o + TWO + p] = g0, g1, g2
            g0, g1, g2, y = share * g0, share * g1, share * g2, across + p
            for i in range(U(6)):
                k = y + i * THREE
                media[w + i * L + p] -= (
                    work[k] * g0 + work[k + ONE] * g1 + work[k + TWO] * g2
                )


@inlined
def _across(media, first, second, n, work):
    """Y <- (D_1 - D_2) N."""
    n0, n1, n2 = n[0], n[1], n[2]
    h0, h1, h2 = ROOT * n0, ROOT * n1, ROOT * n2
    for i in range(U(6)):
        c, d, y = first + i * L, second + i * L, Y + i * THREE
        for p in range(L):
            e0 = media[c + p] - media[d + p]
            e1 = media[c + SIX + p] - media[d + SIX + p]
            e2 = media[c + U(12) * L + p] - media[d + U(12) * L + p]
            e3 = media[c + U(18) * L + p] - media[d + U(18) * L + p]
            e4 = media[c + U(24) * L + p] - media[d + U(24) * L + p]
            e5 = media[c + U(30) * L + p] - media[d + U(30) * L + p]
            work[y + p] = n0 * e0 + h2 * e4 + h1 * e5
            work[y + ONE + p] = n1 * e1 + h2 * e3 + h0 * e5
            work[y + TWO + p] = n2 * e2 + h1 * e3 + h0 * e4


@inlined
def _inverse(work, n):
    """G <- (A N)^-1, by cofactors."""
    n0, n1, n2 = n[0], n[1], n[2]
    h0, h1, h2 = ROOT * n0, ROOT * n1, ROOT * n2
    for p in range(L):
        a0, a1, a2 = A + p, A + ONE + p, A + TWO + p
        r0, r1, r2 = work[a0 + U(9) * L], work[a1 + U(9) * L], work[a2 + U(9) * L]
        s0, s1, s2 = work[a0 + U(12) * L], work[a1 + U(12) * L], work[a2 + U(12) * L]
        t0, t1, t2 = work[a0 + U(15) * L], work[a1 + U(15) * L], work[a2 + U(15) * L]
        q00 = n0 * work[a0] + h2 * s0 + h1 * t0
        q10 = n0 * work[a1] + h2 * s1 + h1 * t1
        q20 = n0 * work[a2] + h2 * s2 + h1 * t2
        q01 = n1 * work[a0 + THREE] + h2 * r0 + h0 * t0
        q11 = n1 * work[a1 + THREE] + h2 * r1 + h0 * t1
        q21 = n1 * work[a2 + THREE] + h2 * r2 + h0 * t2
        q02 = n2 * work[a0 + SIX] + h1 * r0 + h0 * s0
        q12 = n2 * work[a1 + SIX] + h1 * r1 + h0 * s1
        q22 = n2 * work[a2 + SIX] + h1 * r2 + h0 * s2
        c0, c1, c2 = q11 * q22 - q12 * q21, q02 * q21 - q01 * q22, q01 * q12 - q02 * q11
        scale, g = 1 / (q00 * c0 + q10 * c1 + q20 * c2), G + p
        work[g], work[g + ONE], work[g + TWO] = scale * c0, scale * c1, scale * c2
        g += THREE
        work[g] = scale * (q12 * q20 - q10 * q22)
        work[g + ONE] = scale * (q00 * q22 - q02 * q20)
        work[g + TWO] = scale * (q02 * q10 - q00 * q12)
        g += THREE
        work[g] = scale * (q10 * q21 - q11 * q20)
        work[g + ONE] = scale * (q01 * q20 - q00 * q21)
        work[g + TWO] = scale * (q00 * q11 - q01 * q10)


@inlined
def spread(strain, jumps, places, f, n):
    """Strains of two layers, of that of their laminate.

    `places` are those of the laminate's strain, of the layers', and of its jump.
    """
    rest = 1 - f
    whole, first, second, jump = places
    n0, n1, n2 = n[0], n[1], n[2]
    h0, h1, h2 = ROOT * n0, ROOT * n1, ROOT * n2
    for p in range(L):
        e, b = whole + p, jump + p
        e0, e1, e2 = strain[e], strain[e + ONE], strain[e + TWO]
        e3, e4, e5 = strain[e + THREE], strain[e + FOUR], strain[e + FIVE]
        a0 = jumps[b + U(18) * L]
        a1 = jumps[b + U(19) * L]
        a2 = jumps[b + U(20) * L]
        for j in range(U(6)):
            k, own = b + j * THREE, strain[e + j * L]
            a0 += jumps[k] * own
            a1 += jumps[k + ONE] * own
            a2 += jumps[k + TWO] * own
        e0, e1, e2 = n0 * a0, n1 * a1, n2 * a2
        e3, e4, e5 = h2 * a1 + h1 * a2, h2 * a0 + h0 * a2, h1 * a0 + h0 * a1
        # the jump is -a N
        c, d = first + p, second + p
        strain[c], strain[d] = strain[e] - rest * e0, strain[e] + f * e0
        c, d, e = c + L, d + L, e + L
        strain[c], strain[d] = strain[e] - rest * e1, strain[e] + f * e1
        c, d, e = c + L, d + L, e + L
        strain[c], strain[d] = strain[e] - rest * e2, strain[e] + f * e2
        c, d, e = c + L, d + L, e + L
        strain[c], strain[d] = strain[e] - rest * e3, strain[e] + f * e3
        c, d, e = c + L, d + L, e + L
        strain[c], strain[d] = strain[e] - rest * e4, strain[e] + f * e4
        c, d, e = c + L, d + L, e + L
        strain[c], strain[d] = strain[e] - rest * e5, strain[e] + f * e5
