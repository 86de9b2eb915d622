"""One laminate of two linear layers, of LANES points at once.

Layer i obeys s_i = D_i e_i + t_i. With N of `ecosurrogate.response.laminate`, the
laminate of layers 1 and 2, whose fractions are f and 1 - f, has a jump of strain

    a = -B e - b,   B = G N^T (D_1 - D_2),   b = G N^T (t_1 - t_2)
    G = (N^T ((1 - f) D_1 + f D_2) N)^-1

between them, and obeys s = D e + t with

    D = f D_1 + (1 - f) D_2 - f (1 - f) (D_1 - D_2) N B
    t = f t_1 + (1 - f) t_2 - f (1 - f) (D_1 - D_2) N b

Scratch is flat, and made of rows: a number of each point, which are one register. A
medium is 42 rows, the columns of D and t; a jump is 21, those of B and b, three each.
"""

from ecosurrogate.response.laminate import ROOT
from fftmech.kernels.compiled import U, inlined
from fftmech.kernels.simd import LANES, load, store

L = U(LANES)
THREE, SIX = U(3 * LANES), U(6 * LANES)
"""So many rows."""

MEDIUM, JUMP = 42 * LANES, 21 * LANES
"""Sizes of one in scratch."""

X, A, Y, G = (U(i * LANES) for i in (0, 21, 42, 60))
WORK = 69 * LANES
"""Scratch of `laminate`, its size; N^T (D_1 - D_2), N^T ((1 - f) D_1 + f D_2),
(D_1 - D_2) N and G are in it."""


@inlined
def three(array, at):
    """Three rows."""
    return load(array, at), load(array, at + L), load(array, at + L + L)


@inlined
def put_three(array, at, rows):
    """Write three rows."""
    store(array, at, rows[0])
    store(array, at + L, rows[1])
    store(array, at + L + L, rows[2])


@inlined
def traction(n, a, b):
    """N^T of a tensor, whose rows are a and b."""
    h0, h1, h2 = ROOT * n[0], ROOT * n[1], ROOT * n[2]
    return (
        n[0] * a[0] + h2 * b[1] + h1 * b[2],
        n[1] * a[1] + h2 * b[0] + h0 * b[2],
        n[2] * a[2] + h1 * b[0] + h0 * b[1],
    )


@inlined
def mix(f, a, g, b):
    """f a + g b, of three rows."""
    return f * a[0] + g * b[0], f * a[1] + g * b[1], f * a[2] + g * b[2]


@inlined
def laminate(media, jumps, places, f, n, work, symmetric):
    """The medium and the jump of a laminate, of the media of its layers.

    `places` are those of the layers' media, of the laminate's, and of its jump.
    Tangents that are not symmetric are those of crystals that harden.
    """
    rest = 1 - f
    first, second, whole, jump = places
    for j in range(U(7)):
        own, k = j * SIX, j * THREE
        c, d = three(media, first + own), three(media, second + own)
        own += THREE
        c_, d_ = three(media, first + own), three(media, second + own)
        a, b = traction(n, c, c_), traction(n, d, d_)
        put_three(work, X + k, mix(1.0, a, -1.0, b))
        put_three(work, A + k, mix(rest, a, f, b))
        put_three(media, whole + own - THREE, mix(f, c, rest, d))
        put_three(media, whole + own, mix(f, c_, rest, d_))
    across = X
    if not symmetric:
        across = Y
        for i in range(U(6)):
            c, d = first + i * L, second + i * L
            put_three(work, Y + i * THREE, _difference(media, c, d, n))
    _inverse(work, n)
    share = f * rest
    for j in range(U(7)):
        x, w = three(work, X + j * THREE), whole + j * SIX
        g = (
            _dot(three(work, G), x),
            _dot(three(work, G + THREE), x),
            _dot(three(work, G + SIX), x),
        )
        put_three(jumps, jump + j * THREE, g)
        g = share * g[0], share * g[1], share * g[2]
        for i in range(U(6)):
            y = three(work, across + i * THREE)
            store(media, w + i * L, load(media, w + i * L) - _dot(y, g))


@inlined
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inlined
def _difference(media, c, d, n):
    """A row of (D_1 - D_2) N."""
    e0 = load(media, c) - load(media, d)
    e1 = load(media, c + SIX) - load(media, d + SIX)
    e2 = load(media, c + U(2) * SIX) - load(media, d + U(2) * SIX)
    e3 = load(media, c + U(3) * SIX) - load(media, d + U(3) * SIX)
    e4 = load(media, c + U(4) * SIX) - load(media, d + U(4) * SIX)
    e5 = load(media, c + U(5) * SIX) - load(media, d + U(5) * SIX)
    return traction(n, (e0, e1, e2), (e3, e4, e5))


@inlined
def _inverse(work, n):
    """G <- (A N)^-1, by cofactors."""
    a, b, c = three(work, A), three(work, A + THREE), three(work, A + SIX)
    d = three(work, A + U(3) * THREE)
    e = three(work, A + U(4) * THREE)
    f = three(work, A + U(5) * THREE)
    q0 = traction(n, (a[0], b[0], c[0]), (d[0], e[0], f[0]))
    q1 = traction(n, (a[1], b[1], c[1]), (d[1], e[1], f[1]))
    q2 = traction(n, (a[2], b[2], c[2]), (d[2], e[2], f[2]))
    c0 = q1[1] * q2[2] - q1[2] * q2[1]
    c1 = q0[2] * q2[1] - q0[1] * q2[2]
    c2 = q0[1] * q1[2] - q0[2] * q1[1]
    r = 1.0 / (q0[0] * c0 + q1[0] * c1 + q2[0] * c2)
    put_three(work, G, (r * c0, r * c1, r * c2))
    c0 = q1[2] * q2[0] - q1[0] * q2[2]
    c1 = q0[0] * q2[2] - q0[2] * q2[0]
    c2 = q0[2] * q1[0] - q0[0] * q1[2]
    put_three(work, G + THREE, (r * c0, r * c1, r * c2))
    c0 = q1[0] * q2[1] - q1[1] * q2[0]
    c1 = q0[1] * q2[0] - q0[0] * q2[1]
    c2 = q0[0] * q1[1] - q0[1] * q1[0]
    put_three(work, G + SIX, (r * c0, r * c1, r * c2))


@inlined
def spread(strain, jumps, places, f, n):
    """Strains of two layers, of that of their laminate.

    `places` are those of the laminate's strain, of the layers', and of its jump.
    """
    whole, first, second, jump = places
    a = three(jumps, jump + U(6) * THREE)
    for j in range(U(6)):
        a = mix(1.0, a, load(strain, whole + j * L), three(jumps, jump + j * THREE))
    h0, h1, h2 = ROOT * n[0], ROOT * n[1], ROOT * n[2]
    # the jump is -N a
    e, d = three(strain, whole), (n[0] * a[0], n[1] * a[1], n[2] * a[2])
    put_three(strain, first, mix(1.0, e, f - 1, d))
    put_three(strain, second, mix(1.0, e, f, d))
    e = three(strain, whole + THREE)
    d = h2 * a[1] + h1 * a[2], h2 * a[0] + h0 * a[2], h1 * a[0] + h0 * a[1]
    put_three(strain, first + THREE, mix(1.0, e, f - 1, d))
    put_three(strain, second + THREE, mix(1.0, e, f, d))
