"""The St. Venant-Kirchhoff law and its tangent in one pass over the points.

See `fftmech.materials.st_venant_kirchhoff`. A point keeps F and S, 15 numbers, instead
of the 81 of dP/dF; the 21 constants of a row are read once for a run of points that
have it.
"""

import numpy as np

from fftmech.kernels import partwise, tile
from fftmech.kernels.compiled import U, compiled, inlined
from fftmech.kernels.partwise import Part, PartwiseTangent
from fftmech.kernels.tables import UPPER
from fftmech.kernels.tile import BLOCK, CHUNK, L
from fftmech.materials.base import Response, StrainStep
from fftmech.materials.st_venant_kirchhoff import StVenantKirchhoffMaterial
from fftmech.tensors import voigt_from_mandel

KEPT = 15

# Rows of the tile: F, S (xx yy zz yz xz xy), dF, and P or dP.
ROWS = 33
R = [U(row) * L for row in range(ROWS)]
F0, F1, F2, F3, F4, F5, F6, F7, F8 = R[:9]
S0, S1, S2, S3, S4, S5 = R[9:15]
D0, D1, D2, D3, D4, D5, D6, D7, D8 = R[15:24]
P0, P1, P2, P3, P4, P5, P6, P7, P8 = R[24:]
KEPT_ROW, DIRECTION, RESULT = U(0), U(15), U(24)
NINE, FIFTEEN = U(9), U(KEPT)


@inlined
def _second(C, e0, e1, e2, e3, e4, e5):
    """C : e of engineering shears: xx yy zz yz xz xy."""
    s0 = C[0] * e0 + C[1] * e1 + C[2] * e2 + C[3] * e3 + C[4] * e4 + C[5] * e5
    s1 = C[1] * e0 + C[6] * e1 + C[7] * e2 + C[8] * e3 + C[9] * e4 + C[10] * e5
    s2 = C[2] * e0 + C[7] * e1 + C[11] * e2 + C[12] * e3 + C[13] * e4 + C[14] * e5
    s3 = C[3] * e0 + C[8] * e1 + C[12] * e2 + C[15] * e3 + C[16] * e4 + C[17] * e5
    s4 = C[4] * e0 + C[9] * e1 + C[13] * e2 + C[16] * e3 + C[18] * e4 + C[19] * e5
    s5 = C[5] * e0 + C[10] * e1 + C[14] * e2 + C[17] * e3 + C[19] * e4 + C[20] * e5
    return s0, s1, s2, s3, s4, s5


@inlined
def _stress(s, k, C):
    """S and P of BLOCK points of one row."""
    t, half = s[k:], s.dtype.type(0.5)
    for i in range(BLOCK):
        j = U(i)
        a, b, c = t[F0 + j], t[F1 + j], t[F2 + j]
        d, e, f = t[F3 + j], t[F4 + j], t[F5 + j]
        g, h, o = t[F6 + j], t[F7 + j], t[F8 + j]
        s0, s1, s2, s3, s4, s5 = _second(
            C,
            half * (a * a + d * d + g * g) - half,
            half * (b * b + e * e + h * h) - half,
            half * (c * c + f * f + o * o) - half,
            b * c + e * f + h * o,
            a * c + d * f + g * o,
            a * b + d * e + g * h,
        )
        t[S0 + j], t[S1 + j], t[S2 + j] = s0, s1, s2
        t[S3 + j], t[S4 + j], t[S5 + j] = s3, s4, s5
        t[P0 + j] = a * s0 + b * s5 + c * s4
        t[P1 + j] = a * s5 + b * s1 + c * s3
        t[P2 + j] = a * s4 + b * s3 + c * s2
        t[P3 + j] = d * s0 + e * s5 + f * s4
        t[P4 + j] = d * s5 + e * s1 + f * s3
        t[P5 + j] = d * s4 + e * s3 + f * s2
        t[P6 + j] = g * s0 + h * s5 + o * s4
        t[P7 + j] = g * s5 + h * s1 + o * s3
        t[P8 + j] = g * s4 + h * s3 + o * s2


@inlined
def _tangent(s, k, C):
    """dP = dF S + F (C : sym(F^T dF)) of BLOCK points of one row."""
    t = s[k:]
    for i in range(BLOCK):
        j = U(i)
        a, b, c = t[F0 + j], t[F1 + j], t[F2 + j]
        d, e, f = t[F3 + j], t[F4 + j], t[F5 + j]
        g, h, o = t[F6 + j], t[F7 + j], t[F8 + j]
        p, q, r = t[D0 + j], t[D1 + j], t[D2 + j]
        u, v, w = t[D3 + j], t[D4 + j], t[D5 + j]
        x, y, z = t[D6 + j], t[D7 + j], t[D8 + j]
        d0, d1, d2, d3, d4, d5 = _second(
            C,
            a * p + d * u + g * x,
            b * q + e * v + h * y,
            c * r + f * w + o * z,
            b * r + c * q + e * w + f * v + h * z + o * y,
            a * r + c * p + d * w + f * u + g * z + o * x,
            a * q + b * p + d * v + e * u + g * y + h * x,
        )
        s0, s1, s2 = t[S0 + j], t[S1 + j], t[S2 + j]
        s3, s4, s5 = t[S3 + j], t[S4 + j], t[S5 + j]
        t[P0 + j] = a * d0 + b * d5 + c * d4 + (p * s0 + q * s5 + r * s4)
        t[P1 + j] = a * d5 + b * d1 + c * d3 + (p * s5 + q * s1 + r * s3)
        t[P2 + j] = a * d4 + b * d3 + c * d2 + (p * s4 + q * s3 + r * s2)
        t[P3 + j] = d * d0 + e * d5 + f * d4 + (u * s0 + v * s5 + w * s4)
        t[P4 + j] = d * d5 + e * d1 + f * d3 + (u * s5 + v * s1 + w * s3)
        t[P5 + j] = d * d4 + e * d3 + f * d2 + (u * s4 + v * s3 + w * s2)
        t[P6 + j] = g * d0 + h * d5 + o * d4 + (x * s0 + y * s5 + z * s4)
        t[P7 + j] = g * d5 + h * d1 + o * d3 + (x * s5 + y * s1 + z * s3)
        t[P8 + j] = g * d4 + h * d3 + o * d2 + (x * s4 + y * s3 + z * s2)


@inlined
def _runs(law, rows, first, count, table, s):
    """Apply a law to the points of a tile, run after run of points of one row."""
    start = U(0)
    while start < count:
        row = rows[first + start]
        end = start + U(1)
        while end < count and rows[first + end] == row:
            end += U(1)
        for k in range(start, end, U(BLOCK)):
            law(s, k, table[row])
        start = end


@compiled
def _respond(points, table, first, last, s):
    n = U(len(points.rows))
    for i in range(U(first), U(last), U(CHUNK)):
        count = min(U(CHUNK), U(last) - i)
        tile.load(points.strain, n, i, count, s, KEPT_ROW, NINE)
        _runs(_stress, points.rows, i, count, table, s)
        tile.store(s, RESULT, NINE, count, points.stress, n, i)
        if len(points.kept) > 0:
            tile.store(s, KEPT_ROW, FIFTEEN, count, points.kept, n, i)


@compiled
def _apply(part, rows, table, kept, first, last, s):
    n, pitch, start = U(len(rows)), U(part.pitch), U(part.start)
    for i in range(U(first), U(last), U(CHUNK)):
        count = min(U(CHUNK), U(last) - i)
        tile.load(kept, n, i, count, s, KEPT_ROW, FIFTEEN)
        tile.load(part.strain, pitch, i - start, count, s, DIRECTION, NINE)
        _runs(_tangent, rows, i, count, table, s)
        tile.store(s, RESULT, NINE, count, part.out, pitch, i - start)


class StVenantKirchhoffTangent(PartwiseTangent):
    """dP = dF S + F (C : sym(F^T dF)).

    Parameters
    ----------
    table
        21 constants of each row, Voigt, (R, 21), stress units.
    rows
        (n,), int32.
    kept
        F by rows and S, xx yy zz yz xz xy, (15, n).
    threads
        Threads that share the points.
    """

    def __init__(
        self, table: np.ndarray, rows: np.ndarray, kept: np.ndarray, threads: int
    ) -> None:
        super().__init__(threads)
        self._tables = {np.dtype(t): table.astype(t) for t in (np.float32, np.float64)}
        self._rows, self._kept = rows, kept.reshape(-1)

    def _apply(self, part: Part, first: int, last: int) -> None:
        dtype = part.strain.dtype
        work = first, last, tile.new(ROWS, dtype)
        _apply(part, self._rows, self._tables[dtype], self._kept, *work)


def respond(
    material: StVenantKirchhoffMaterial, step: StrainStep, threads: int = 1
) -> Response:
    """See `Material.respond`; `threads` share the points."""
    upper = np.ascontiguousarray(voigt_from_mandel(material.stiffness)[:, *UPPER])

    def tangent(rows: np.ndarray, kept: np.ndarray) -> StVenantKirchhoffTangent:
        return StVenantKirchhoffTangent(upper, rows, kept, threads)

    table = upper.astype(step.strain.dtype)
    return partwise.respond(_respond, step, table, (KEPT, ROWS), tangent, threads)
