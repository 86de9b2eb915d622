"""The neo-Hookean law and its tangent in one pass: `fftmech.materials.neo_hooke`.

A point keeps F^-T, lambda, mu and mu - lambda ln J, 12 numbers.
"""

import numpy as np

from fftmech.kernels import partwise, tile
from fftmech.kernels.compiled import U, compiled, inlined
from fftmech.kernels.partwise import Part, PartwiseTangent
from fftmech.kernels.tile import CHUNK, L
from fftmech.materials.base import Response, StrainStep
from fftmech.materials.neo_hooke import NeoHookeMaterial

KEPT = 12

# Rows of the tile: F^-T, the three constants, F or dF, and P or dP.
ROWS = 30
R = [U(row) * L for row in range(ROWS)]
G0, G1, G2, G3, G4, G5, G6, G7, G8 = R[:9]
LAME, MU, COUPLING = R[9:12]
F0, F1, F2, F3, F4, F5, F6, F7, F8 = R[12:21]
P0, P1, P2, P3, P4, P5, P6, P7, P8 = R[21:]
KEPT_ROW, STRAIN, RESULT = U(0), U(12), U(21)
NINE, TWELVE = U(9), U(KEPT)


@inlined
def _stress(s, count):
    """P, F^-T and mu - lambda ln J of a tile with F, lambda and mu."""
    one, nan = s.dtype.type(1), s.dtype.type(np.nan)
    for j in range(U(count)):
        a, b, c = s[F0 + j], s[F1 + j], s[F2 + j]
        d, e, f = s[F3 + j], s[F4 + j], s[F5 + j]
        g, h, o = s[F6 + j], s[F7 + j], s[F8 + j]
        m0, m1, m2 = e * o - f * h, f * g - d * o, d * h - e * g
        J = a * m0 + b * m1 + c * m2
        J = J if J > 0 else nan
        mu = s[MU + j]
        coupling = mu - s[LAME + j] * np.log(J)
        r = one / J
        g0, g1, g2 = r * m0, r * m1, r * m2
        g3, g4, g5 = r * (h * c - o * b), r * (o * a - g * c), r * (g * b - h * a)
        g6, g7, g8 = r * (b * f - c * e), r * (c * d - a * f), r * (a * e - b * d)
        s[G0 + j], s[G1 + j], s[G2 + j] = g0, g1, g2
        s[G3 + j], s[G4 + j], s[G5 + j] = g3, g4, g5
        s[G6 + j], s[G7 + j], s[G8 + j] = g6, g7, g8
        s[COUPLING + j] = coupling
        s[P0 + j] = mu * a - coupling * g0
        s[P1 + j] = mu * b - coupling * g1
        s[P2 + j] = mu * c - coupling * g2
        s[P3 + j] = mu * d - coupling * g3
        s[P4 + j] = mu * e - coupling * g4
        s[P5 + j] = mu * f - coupling * g5
        s[P6 + j] = mu * g - coupling * g6
        s[P7 + j] = mu * h - coupling * g7
        s[P8 + j] = mu * o - coupling * g8


@inlined
def _tangent(s, count):
    """dP = mu dF + lambda (F^-T : dF) F^-T + (mu - lambda ln J) F^-T dF^T F^-T."""
    for j in range(U(count)):
        a, b, c = s[F0 + j], s[F1 + j], s[F2 + j]
        d, e, f = s[F3 + j], s[F4 + j], s[F5 + j]
        g, h, o = s[F6 + j], s[F7 + j], s[F8 + j]
        g0, g1, g2 = s[G0 + j], s[G1 + j], s[G2 + j]
        g3, g4, g5 = s[G3 + j], s[G4 + j], s[G5 + j]
        g6, g7, g8 = s[G6 + j], s[G7 + j], s[G8 + j]
        mu, coupling = s[MU + j], s[COUPLING + j]
        trace = g0 * a + g1 * b + g2 * c + g3 * d + g4 * e + g5 * f
        trace = s[LAME + j] * (trace + g6 * g + g7 * h + g8 * o)
        h0 = coupling * (g0 * a + g1 * b + g2 * c) + trace
        h1 = coupling * (g0 * d + g1 * e + g2 * f)
        h2 = coupling * (g0 * g + g1 * h + g2 * o)
        h3 = coupling * (g3 * a + g4 * b + g5 * c)
        h4 = coupling * (g3 * d + g4 * e + g5 * f) + trace
        h5 = coupling * (g3 * g + g4 * h + g5 * o)
        h6 = coupling * (g6 * a + g7 * b + g8 * c)
        h7 = coupling * (g6 * d + g7 * e + g8 * f)
        h8 = coupling * (g6 * g + g7 * h + g8 * o) + trace
        s[P0 + j] = mu * a + h0 * g0 + h1 * g3 + h2 * g6
        s[P1 + j] = mu * b + h0 * g1 + h1 * g4 + h2 * g7
        s[P2 + j] = mu * c + h0 * g2 + h1 * g5 + h2 * g8
        s[P3 + j] = mu * d + h3 * g0 + h4 * g3 + h5 * g6
        s[P4 + j] = mu * e + h3 * g1 + h4 * g4 + h5 * g7
        s[P5 + j] = mu * f + h3 * g2 + h4 * g5 + h5 * g8
        s[P6 + j] = mu * g + h6 * g0 + h7 * g3 + h8 * g6
        s[P7 + j] = mu * h + h6 * g1 + h7 * g4 + h8 * g7
        s[P8 + j] = mu * o + h6 * g2 + h7 * g5 + h8 * g8


@compiled
def _respond(points, table, first, last, s):
    n = U(len(points.rows))
    for i in range(U(first), U(last), U(CHUNK)):
        count = min(U(CHUNK), U(last) - i)
        tile.load(points.strain, n, i, count, s, STRAIN, NINE)
        for j in range(count):
            row = points.rows[i + j]
            s[LAME + j], s[MU + j] = table[row, 0], table[row, 1]
        _stress(s, count)
        tile.store(s, RESULT, NINE, count, points.stress, n, i)
        if len(points.kept) > 0:
            tile.store(s, KEPT_ROW, TWELVE, count, points.kept, n, i)


@compiled
def _apply(part, kept, first, last, s):
    n, pitch, start = U(len(kept)) // TWELVE, U(part.pitch), U(part.start)
    for i in range(U(first), U(last), U(CHUNK)):
        count = min(U(CHUNK), U(last) - i)
        tile.load(kept, n, i, count, s, KEPT_ROW, TWELVE)
        tile.load(part.strain, pitch, i - start, count, s, STRAIN, NINE)
        _tangent(s, count)
        tile.store(s, RESULT, NINE, count, part.out, pitch, i - start)


class NeoHookeTangent(PartwiseTangent):
    """See `_tangent`.

    Parameters
    ----------
    kept
        F^-T by rows, lambda, mu and mu - lambda ln J, (12, n).
    threads
        Threads that share the points.
    """

    def __init__(self, kept: np.ndarray, threads: int) -> None:
        super().__init__(threads)
        self._kept = kept.reshape(-1)

    def _apply(self, part: Part, first: int, last: int) -> None:
        _apply(part, self._kept, first, last, tile.new(ROWS, part.strain.dtype))


def respond(material: NeoHookeMaterial, step: StrainStep, threads: int = 1) -> Response:
    """See `Material.respond`; `threads` share the points."""
    table = material.lame.T.astype(step.strain.dtype)

    def tangent(_: np.ndarray, kept: np.ndarray) -> NeoHookeTangent:
        return NeoHookeTangent(kept, threads)

    return partwise.respond(_respond, step, table, (KEPT, ROWS), tangent, threads)
