"""Crystal plasticity and creep in one pass over the points.

The equations and their solution are those of `fftmech.materials.slip_flow`. A few
points, the lanes, take Newton steps together until the last of them is done, so that
each operation is a loop over lanes that becomes SIMD: `fftmech.kernels.crystal_lanes`
has their tensors, `fftmech.kernels.crystal_newton` the steps, and
`fftmech.kernels.crystal_points` makes lanes of points.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels import crystal_lanes as row
from fftmech.kernels import crystal_newton as newton
from fftmech.kernels.compiled import U, compiled, inlined
from fftmech.kernels.crystal_lanes import L
from fftmech.kernels.crystal_newton import DONE, ENDING, GOING
from fftmech.kernels.crystal_points import Lanes, Points, load, make_table, whole
from fftmech.kernels.crystal_tangent import FULL, SYMMETRIC, CrystalTangent
from fftmech.materials.base import Response, StrainStep
from fftmech.materials.crystal_creep import CrystalCreepMaterial
from fftmech.materials.crystal_plasticity import CrystalPlasticityMaterial
from fftmech.materials.slip_flow import HALVINGS, ITERATIONS, PATIENCE, ROUNDING

NEAR = 1e-5
"""`LAST` of stresses whose energy is wanted: the error that is left in it is of the
order of n^3 times the fourth power."""

BLOCK = 2**12
"""Points whose tangents are computed together: part of the second-level cache."""


def respond(
    material: CrystalPlasticityMaterial | CrystalCreepMaterial,
    step: StrainStep,
    threads: int = 1,
) -> Response:
    """See `Material.respond`; `threads` share the points."""
    strain, state = step.strain, step.state
    elastic = isinstance(material, CrystalPlasticityMaterial)
    if elastic:
        target = np.subtract(strain, state[:6], dtype=float)
    else:
        target = np.subtract(strain, step.before, dtype=float) / step.dt
    begun, held = np.zeros(strain.shape[1]), None
    if material.interactions is not None:
        held = material.resistances(step.rows, state)
    elif elastic:
        begun += state[6]
    else:
        # the resistance is that of the slip that is expected
        begun += state.sum(axis=0)
    solved = _solve(
        material, step, target, begun.copy(), threads, held, hardens=elastic
    )
    stress, slip, slips, accumulated, tangent = solved
    brought = accumulated - begun
    if held is not None:
        old, _ = material.slips(state)
        parts = [
            state[len(state) - 2 * len(old) - 1][None] + brought,
            old + slips,
            slips,
        ]
    elif elastic:
        parts = [accumulated[None]]
    else:
        parts = [(state[0] + brought)[None], brought[None]]
    after = np.concatenate([state[:6] + slip, *parts] if elastic else parts)
    return Response(stress.astype(strain.dtype, copy=False), after, tangent)


def _solve(
    material: CrystalPlasticityMaterial | CrystalCreepMaterial,
    step: StrainStep,
    target: np.ndarray,
    accumulated: np.ndarray,
    threads: int,
    held: np.ndarray | None,
    near: Any = None,
    *,
    hardens: bool,
) -> tuple:
    """Stress and more of strains or rates, `target`, (6, n).

    `accumulated` is overwritten, and `held` is the resistance of each system, (n, N).
    `near` is a stress to begin with, (6, n), of one whose energy alone is wanted.

    Returns
    -------
    tuple
        Stress, slip, (6, n), its size by systems, (N, n), that of all accumulated,
        (n,), and the tangent or None.
    """
    precision, count = step.precision, target.shape[1]
    elastic = isinstance(material, CrystalPlasticityMaterial)
    stress, slip = np.empty((6, count)), np.empty((6, count))
    slips = np.empty((0 if held is None else len(material.family), count))
    hardens = hardens and material.hardens
    foreseen = np.zeros(0) if step.foreseen is None else step.foreseen
    index = FULL if elastic else SYMMETRIC
    wanted = precision is not None
    kept = np.empty((index.max() + 1, count if wanted else 0), precision or float)
    points = Points(
        np.ascontiguousarray(step.rows, np.int32),
        np.ascontiguousarray(target, dtype=float).reshape(-1),
        make_table(material, step.dt),
        np.cumsum(np.bincount(material.family)),
        np.asarray(foreseen, dtype=float).reshape(-1),
        stress.reshape(-1),
        slip.reshape(-1),
        accumulated,
        np.empty((0, 0)),
        index,
        np.zeros(0) if held is None else held.T.reshape(-1),
        slips.reshape(-1),
    )
    if near is not None:
        begin = np.ascontiguousarray(near, dtype=float).reshape(-1)
        points = points._replace(begin=begin, least=NEAR)
    time = 1.0 if elastic else step.dt

    def part(first: int, last: int) -> None:
        lanes = Lanes.new()
        if not wanted:
            _relax(points, hardens, time, first, last, lanes)
            return
        # in double precision, whatever they are kept in: the kernel is compiled once
        for begin in range(first, last, BLOCK):
            end = min(begin + BLOCK, last)
            own = np.empty((len(kept), end - begin))
            block = points._replace(kept=own)
            _relax(block, hardens, time, begin, end, lanes)
            kept[:, begin:end] = own

    parallel(part, count, threads)
    tangent = CrystalTangent(kept, index, threads) if wanted else None
    return stress, slip, slips, accumulated, tangent


def energy(
    material: CrystalPlasticityMaterial | CrystalCreepMaterial,
    conjugate_energy: Callable[..., Any],
    rows: Any,
    strain: Any,
    state: Any = None,
    dt: float = 1.0,
    threads: int = 1,
    near: Any = None,
) -> Any:
    """See `Material.energy`, with the resistances of the state.

    `conjugate_energy` is `Material.conjugate_energy`, or its kernel; the stress of the
    strain is sought from `near`, (6, n), if that is given.
    """
    elastic = isinstance(material, CrystalPlasticityMaterial)
    begun, held = np.zeros(strain.shape[1]), None
    state = material.start(rows) if state is None else state
    if material.interactions is not None:
        held = material.resistances(rows, state)
    else:
        begun += state[6] if elastic else state.sum(axis=0)
    step = StrainStep(rows, strain, None, None, dt if elastic else 1.0)
    for begin in (near, None):
        given = material, step, strain, begun.copy(), threads, held, begin
        stress = _solve(*given, hardens=False)[0]
        if begin is None or np.isfinite(stress).all():
            break  # else it was too far away
    work = np.einsum("in,in->n", stress, strain)
    return work - conjugate_energy(rows, stress, state, dt)


@inlined
def _judge(lanes):
    """BASE <- TRIAL where it is accepted; whether a lane is not done."""
    s, status, taken, halved = lanes.s, lanes.status, lanes.taken, lanes.halved
    again = lanes.again
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
def _advance(lanes, least):
    """TRIAL <- base and a part of the step, which is new unless it is tried again."""
    s, status, taken, again = lanes.s, lanes.status, lanes.taken, lanes.again
    for j in range(L):
        if status[j] == GOING and not again[j]:
            taken[j] += 1
            square = 0.0
            for k in range(row.SIX):
                s[row.STEP + k * L + j] = s[row.NEXT + k * L + j]
                square += s[row.BASE + k * L + j] ** 2
            small = least * s[row.LARGEST + j] + ROUNDING * np.sqrt(square)
            s[row.PART + j] = s[row.ROOM + j]
            if (s[row.ROOM + j] == 1 and s[row.FASTEST + j] <= small) or (
                s[row.SIZE + j] <= ROUNDING * s[row.LENGTH + j]
            ):
                status[j] = ENDING
        for k in range(row.SIX):
            i = k * L + j
            s[row.TRIAL + i] = s[row.BASE + i] + s[row.PART + j] * s[row.STEP + i]


@compiled
def _relax(points, hardens, time, first, last, lanes):
    """Stress, slip and tangent of points; `time` is the step's, for what is a rate."""
    p, c, q, s, status = lanes.p, lanes.c, lanes.q, lanes.s, lanes.status
    ends = points.ends
    for i in range(U(first), U(last), L):
        count = min(L, U(last) - i)
        load(points, i, count, lanes)
        power = whole(c, U(len(ends)))
        if len(points.begin) > 0:
            _copy(points.begin, i, count, s, row.TRIAL)
        else:
            foreseen = len(points.foreseen) > 0
            if foreseen:
                _copy(points.foreseen, i, count, s, row.NEXT)
            newton.first(p, c, q, s, ends, power, foreseen)
        while True:
            newton.evaluate(p, c, q, s, ends, status, power, hardens)
            if not _judge(lanes):
                break
            newton.solve(s, hardens)
            newton.room(p, c, q, s, ends)
            _advance(lanes, points.least)
        _store(points, i, count, c, q, s, hardens, time)
        if points.kept.shape[1] > 0:
            if len(points.foreseen) > 0:
                _copy(points.foreseen, i, count, s, row.NEXT)
                newton.hold(p, c, q, s, ends, hardens)
            newton.invert(s, hardens)
            for k in range(U(36)):
                m = U(points.index[k % row.SIX, k // row.SIX])
                for j in range(count):
                    entry = s[row.INVERSE + k * L + j] / time
                    points.kept[m, i - U(first) + j] = entry


@inlined
def _copy(stress, i, count, s, out):
    """s[out] <- the stress, (6 n), of points from i on."""
    n = U(len(stress)) // row.SIX
    for k in range(row.SIX):
        for j in range(L):
            s[out + k * L + j] = stress[k * n + i + min(j, count - U(1))]


@inlined
def _store(points, i, count, c, q, s, hardens, time):
    """Results of points from i on <- lanes."""
    n = U(len(points.rows))
    for j in range(count):
        point, failed = i + j, s[row.BASE + j] != s[row.BASE + j]
        nothing = np.nan if failed else 0.0
        for k in range(row.SIX):
            points.stress[k * n + point] = s[row.BASE + k * L + j]
            points.slip[k * n + point] = s[row.B + k * L + j] + nothing
        end = s[row.START + j] + time * s[row.TOTAL + j]
        points.accumulated[point] = (s[row.SLIP + j] if hardens else end) + nothing
        if len(points.slips) > 0:
            # each system is a family
            for a in range(U(points.ends[-1])):
                k = a * L + j
                x = q[row.POWER + k] * q[row.TAU + k] / c[row.G + k]
                points.slips[a * n + point] = abs(time * c[row.RATE + k] * x) + nothing
