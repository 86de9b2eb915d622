"""Slip of crystals in one pass over the points: `fftmech.materials.slip_flow`.

A few points go through Newton's method together, each operation a loop over them that
becomes SIMD, until the last of them is done: `fftmech.kernels.crystal_lanes` says how,
`fftmech.kernels.crystal_newton` what. Here are the two laws around it, and the tangent.
"""

from typing import Any

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels import crystal_lanes as row
from fftmech.kernels import crystal_newton as newton
from fftmech.kernels import tile
from fftmech.kernels.compiled import U, compiled, inlined
from fftmech.kernels.crystal_lanes import L
from fftmech.kernels.crystal_newton import DONE, ENDING, GOING
from fftmech.kernels.partwise import PartwiseTangent
from fftmech.kernels.tile import CHUNK
from fftmech.kernels.tile import L as T
from fftmech.materials.base import Response
from fftmech.materials.crystal_creep import CrystalCreepMaterial
from fftmech.materials.crystal_plasticity import CrystalPlasticityMaterial
from fftmech.materials.slip_flow import (
    FARTHEST,
    HALVINGS,
    ITERATIONS,
    LAST,
    PATIENCE,
    ROUNDING,
)

LOWER = np.tril_indices(6)
SYMMETRIC = np.zeros((6, 6), np.int64)
SYMMETRIC[LOWER] = range(21)
SYMMETRIC.T[LOWER] = range(21)
FULL = np.arange(36).reshape(6, 6)
"""Which row of a tangent each entry of its matrix is, of 21 or of 36."""


def respond(
    material: CrystalPlasticityMaterial | CrystalCreepMaterial,
    rows: np.ndarray,
    strain: np.ndarray,
    before: np.ndarray,
    state: np.ndarray,
    dt: float,
    precision: Any = None,
    threads: int = 1,
) -> Response:
    """See `Material.respond`; `threads` share the points."""
    elastic = isinstance(material, CrystalPlasticityMaterial)
    if elastic:
        target = np.subtract(strain, state[:6], dtype=float)
        predictor, linear_below = material.stiffness, np.zeros(len(material.laws))
    else:
        target = np.subtract(strain, before, dtype=float) / dt
        predictor, linear_below = material.guess, material.linear_below
    points = strain.shape[1]
    stress, slip = np.empty((6, points)), np.empty((6, points))
    accumulated = np.array(state[-1], dtype=float)
    index = FULL if elastic else SYMMETRIC
    wanted = precision is not None
    kept = np.empty(
        (index.max() + 1, points if wanted else 0), precision if wanted else float
    )
    rate0, *others = material.constants
    columns = [rate0 * (dt if elastic else 1.0), *others, linear_below]
    matrices = material.compliance[:, *LOWER], predictor[:, *LOWER]
    table = np.column_stack([material.schmid.reshape(-1, 72), *matrices, *columns])
    hardens = elastic and bool(material.constants[[3, 5]].any())
    arrays = np.ascontiguousarray(rows, np.int32), target.reshape(-1), table
    results = stress.reshape(-1), slip.reshape(-1), accumulated, kept.reshape(-1)
    flags = hardens, wanted, 1.0 if elastic else dt

    def part(first: int, last: int) -> None:
        lanes = np.full(row.LANES, -1), *np.zeros((4, row.LANES), int)
        work = *row.scratch(), *lanes
        _relax(*arrays, *results, index, *flags, first, last, *work)

    parallel(part, points, threads)
    after = accumulated[None]
    if elastic:
        after = np.concatenate([state[:6] + slip, after])
    tangent = CrystalTangent(kept, index, threads) if wanted else None
    return Response(stress.astype(strain.dtype, copy=False), after, tangent)


@inlined
def _load(rows, target, table, accumulated, i, count, p, s, held, status, taken):
    """Lanes <- points from i on; those past the end are copies of the last one."""
    n = U(len(rows))
    for j in range(L):
        point = i + min(j, count - U(1))
        own = rows[point]
        if own != held[j]:
            held[j] = own
            for k in range(U(row.ENTRIES)):
                p[k * L + j] = table[own, k]
        square = 0.0
        for k in range(row.SIX):
            e = target[k * n + point]
            s[row.E + k * L + j], s[row.STEP + k * L + j] = e, 0.0
            square += e * e
        s[row.LENGTH + j] = np.sqrt(square)
        rate = FARTHEST * s[row.LENGTH + j] / p[row.RATE + j]
        s[row.BOUND + j] = rate ** (1 / p[row.EXPONENT + j])
        s[row.START + j] = s[row.SLIP + j] = accumulated[point]
        s[row.G + j], _ = newton.resistance(p, j, accumulated[point])
        s[row.PART + j], s[row.OLD + j] = 0.0, np.inf
        status[j], taken[j] = GOING, 0


@inlined
def _whole(p):
    """Exponent - 1 if all lanes have one, and it is whole; else -1."""
    whole = int(p[row.EXPONENT]) - 1
    for j in range(L):
        if p[row.EXPONENT + j] != whole + 1:
            return -1
    return whole


@inlined
def _judge(s, status, taken, halved, again):
    """BASE <- TRIAL where it is accepted; whether a lane is not done."""
    going = False
    for j in range(L):
        if status[j] == DONE:
            continue
        size, again[j] = s[row.SIZE + j], 0
        worse = taken[j] > PATIENCE and not size < s[row.OLD + j]
        if worse and status[j] == GOING and halved[j] < HALVINGS and size == size:
            s[row.PART + j] /= 2
            halved[j] += 1
            again[j] = 1
        else:
            s[row.OLD + j], halved[j] = size, 0
            failed = size != size or (status[j] == GOING and taken[j] == ITERATIONS)
            if status[j] == ENDING or failed:
                status[j] = DONE
            for k in range(row.SIX):
                i = k * L + j
                s[row.BASE + i] = np.nan if failed else s[row.TRIAL + i]
                s[row.STEP + i] = 0.0
        going |= status[j] != DONE
    return going


@inlined
def _advance(s, status, taken, again):
    """TRIAL <- base and a part of the step, which is new unless it is tried again."""
    for j in range(L):
        if status[j] == GOING and not again[j]:
            taken[j] += 1
            square = 0.0
            for k in range(row.SIX):
                s[row.STEP + k * L + j] = s[row.NEXT + k * L + j]
                square += s[row.BASE + k * L + j] ** 2
            small = LAST * s[row.LARGEST + j] + ROUNDING * np.sqrt(square)
            s[row.PART + j] = s[row.ROOM + j]
            if (s[row.ROOM + j] == 1 and s[row.FASTEST + j] <= small) or (
                s[row.SIZE + j] <= ROUNDING * s[row.LENGTH + j]
            ):
                status[j] = ENDING
        for k in range(row.SIX):
            i = k * L + j
            s[row.TRIAL + i] = s[row.BASE + i] + s[row.PART + j] * s[row.STEP + i]


@compiled
def _relax(
    rows,
    target,
    table,
    stress,
    slip,
    accumulated,
    kept,
    index,
    hardens,
    wanted,
    time,
    first,
    last,
    p,
    q,
    s,
    held,
    status,
    taken,
    halved,
    again,
):
    """Stress, slip and tangent of points; `time` is the step's, for what is a rate."""
    n = U(len(rows))
    for i in range(U(first), U(last), L):
        count = min(L, U(last) - i)
        _load(rows, target, table, accumulated, i, count, p, s, held, status, taken)
        whole = _whole(p)
        newton.first(p, q, s, whole)
        while True:
            newton.evaluate(p, q, s, status, whole, hardens)
            if not _judge(s, status, taken, halved, again):
                break
            newton.solve(s, hardens)
            newton.room(p, q, s)
            _advance(s, status, taken, again)
        for j in range(count):
            point, failed = i + j, s[row.BASE + j] != s[row.BASE + j]
            nothing = np.nan if failed else 0.0
            for k in range(row.SIX):
                stress[k * n + point] = s[row.BASE + k * L + j]
                slip[k * n + point] = s[row.B + k * L + j] + nothing
            end = s[row.START + j] + time * s[row.TOTAL + j]
            accumulated[point] = (s[row.SLIP + j] if hardens else end) + nothing
        if wanted:
            newton.invert(s, hardens)
            for k in range(U(36)):
                m = U(index[k % row.SIX, k // row.SIX]) * n
                for j in range(count):
                    kept[m + i + j] = s[row.INVERSE + k * L + j] / time


class CrystalTangent(PartwiseTangent):
    """A matrix for each point, applied in one pass.

    Parameters
    ----------
    kept
        Its entries, (21, n) or (36, n).
    index
        Which of them each entry is, (6, 6).
    threads
        Threads that share the points.
    """

    def __init__(self, kept: np.ndarray, index: np.ndarray, threads: int) -> None:
        super().__init__(threads)
        self.kept, self.index = kept, index

    def _apply(
        self, strain: np.ndarray, start: int, out: np.ndarray, first: int, last: int
    ) -> None:
        _apply(
            self.kept.reshape(-1),
            self.kept.shape[1],
            self.index,
            strain.reshape(-1),
            strain.shape[1],
            start,
            out.reshape(-1),
            first - start,
            last - start,
            tile.new(12, strain.dtype),
        )


@compiled
def _apply(kept, pitch, index, strain, width, start, out, first, last, s):
    for i in range(U(first), U(last), U(CHUNK)):
        count = min(U(CHUNK), U(last) - i)
        tile.load(strain, U(width), i, count, s, U(0), U(6))
        for m in range(U(6)):
            d0, d1 = U(index[m, 0]) * U(pitch), U(index[m, 1]) * U(pitch)
            d2, d3 = U(index[m, 2]) * U(pitch), U(index[m, 3]) * U(pitch)
            d4, d5 = U(index[m, 4]) * U(pitch), U(index[m, 5]) * U(pitch)
            t, k = (U(6) + m) * T, U(start) + i
            for j in range(count):
                s[t + j] = (
                    kept[d0 + k + j] * s[j]
                    + kept[d1 + k + j] * s[T + j]
                    + kept[d2 + k + j] * s[U(2) * T + j]
                    + kept[d3 + k + j] * s[U(3) * T + j]
                    + kept[d4 + k + j] * s[U(4) * T + j]
                    + kept[d5 + k + j] * s[U(5) * T + j]
                )
        tile.store(s, U(6), U(6), count, out, U(width), i)
