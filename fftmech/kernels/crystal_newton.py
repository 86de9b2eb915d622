"""Newton's method of `fftmech.materials.slip_flow`, for all lanes at once.

See there for what is solved, and `fftmech.kernels.crystal_lanes` for rows.
"""

import numpy as np

from fftmech.kernels.compiled import U, inlined
from fftmech.kernels.crystal_lanes import (
    BELOW,
    BOUND,
    CHANGE,
    EXPONENT,
    FASTEST,
    FIRST,
    FIVE,
    FLOW,
    FOUR,
    GUESS,
    INVERSE,
    LARGEST,
    NEXT,
    PART,
    POWER,
    RATE,
    RATIO,
    ROOM,
    SIX,
    SIZE,
    SLIP,
    SLOPE,
    SOFTER,
    SOFTNESS,
    START,
    STEP,
    TAU,
    TAU0,
    TAU1,
    THETA0,
    THETA1,
    THREE,
    TOP,
    TOTAL,
    TRIAL,
    TWO,
    WEIGHT,
    B,
    C,
    D,
    E,
    G,
    H,
    L,
    M,
    P,
    R,
    X,
    Y,
    dot,
    factor,
    powers,
    resolve,
    substitute,
    symmetric,
)
from fftmech.materials.slip_flow import OUTWARDS, REGULAR, SLIP_ITERATIONS, SLIP_LAST

GOING, ENDING, DONE = 0, 1, 2
"""Status of a lane: iterating, in its last step, converged or failed."""


@inlined
def resistance(slip, tau0, tau1, theta0, theta1):
    """g and dg/dG: see `fftmech.materials.slip.resistance`."""
    if tau1 > 0:
        steepness = theta0 / tau1
        left = np.exp(-slip * steepness)
        height = tau1 + theta1 * slip
        slope = theta1 * (1 - left) + height * steepness * left
        return tau0 + height * (1 - left), slope
    return tau0 + theta1 * slip, theta1


@inlined
def of_family(c, i, slip):
    """g and dg/dG, entry i of a family's row."""
    return resistance(slip, c[TAU0 + i], c[TAU1 + i], c[THETA0 + i], c[THETA1 + i])


@inlined
def first(p, c, q, s, ends, whole, foreseen):
    """TRIAL <- the guess times the lesser of its elastic and plastic multiples.

    Or NEXT, the stress that was foreseen, times their lesser and not more than one,
    where its power is positive.
    """
    symmetric(p, GUESS, s, E, TRIAL)
    for j in range(L):
        s[PART + j] = np.inf
        if foreseen and dot(s, NEXT, E, j) > 0:
            s[PART + j] = 1.0
            for k in range(SIX):
                s[TRIAL + k * L + j] = s[NEXT + k * L + j]
    symmetric(p, D, s, TRIAL, R)
    resolve(p, q, s, U(ends[-1]), TRIAL, TAU)
    for j in range(L):
        s[SIZE + j] = 0.0
    begin = U(0)
    for f in range(U(len(ends))):
        for a in range(begin, U(ends[f])):
            for j in range(L):
                x = abs(q[TAU + a * L + j]) / c[G + f * L + j]
                q[X + a * L + j] = x
                s[SIZE + j] = max(s[SIZE + j], x)
        begin = U(ends[f])
    for j in range(L):
        s[SIZE + j] = s[SIZE + j] if s[SIZE + j] > 0 else 1.0
    for a in range(U(ends[-1])):
        for j in range(L):
            q[X + a * L + j] /= s[SIZE + j]
    powers(c, q, ends, whole)
    for j in range(L):
        work, stored = dot(s, TRIAL, E, j), dot(s, TRIAL, R, j)
        part = min(work / stored if stored > 0 else np.inf, s[PART + j])
        top, begin = s[SIZE + j], U(0)
        for f in range(U(len(ends))):
            total, i = 0.0, f * L + j
            for a in range(begin, U(ends[f])):
                total += q[POWER + a * L + j] * q[X + a * L + j] ** 2
            begin = U(ends[f])
            dissipation = c[RATE + i] * c[G + i] * top * total
            if dissipation > 0:
                ratio = (work / dissipation) ** (1 / c[EXPONENT + i])
                part = min(part, ratio / top)
        part = part if part < np.inf else work
        for k in range(SIX):
            s[TRIAL + k * L + j] *= part
        s[PART + j] = 0.0


@inlined
def evaluate(p, c, q, s, ends, status, whole, hardens):
    """f, r and dr/ds of TRIAL, and the new G of lanes that are not done."""
    slip(p, c, q, s, ends, status, whole, hardens)
    _add_systems(p, c, q, s, ends)


@inlined
def slip(p, c, q, s, ends, status, whole, hardens):
    """TAU and POWER of TRIAL, and the new G of lanes that are not done."""
    resolve(p, q, s, U(ends[-1]), TRIAL, TAU)
    begin = U(0)
    for f in range(U(len(ends))):
        for a in range(begin, U(ends[f])):
            for j in range(L):
                x = abs(q[TAU + a * L + j]) / c[G + f * L + j]
                least = c[BELOW + f * L + j]
                q[X + a * L + j] = x if x > least else least
        begin = U(ends[f])
    powers(c, q, ends, whole)
    if hardens:
        _harden(c, q, s, ends, status)


@inlined
def hold(p, c, q, s, ends, hardens):
    """dr/ds of `fftmech.materials.tangent.held`; NEXT is the stress that was foreseen.

    A system's f and df are scaled alike.
    """
    resolve(p, q, s, U(ends[-1]), NEXT, CHANGE)
    for j in range(L):
        begin, falls = U(0), 0.0
        for f in range(U(len(ends))):
            i, own = f * L + j, 0.0
            for a in range(begin, U(ends[f])):
                t, part = a * L + j, 1.0
                tau = q[TAU + t]
                if q[X + t] > c[BELOW + i] and tau != 0:
                    share = min(max(q[CHANGE + t] / tau, 0.0), 1.0)
                    part = 1 / (1 + (c[EXPONENT + i] - 1) * (1 - share))
                q[POWER + t] *= part
                own += q[POWER + t] * abs(tau)
            begin = U(ends[f])
            falls += c[RATE + i] / c[G + i] * own * c[SOFTER + i]
        if hardens:
            s[WEIGHT + j] = 1 / (1 + falls)
    _add_systems(p, c, q, s, ends)


@inlined
def _add_systems(p, c, q, s, ends):
    """r, dr/ds and their sums, from powers."""
    for j in range(L):
        s[TOTAL + j] = s[SOFTNESS + j] = 0.0
    for i in range(SIX * L):
        s[B + i] = s[C + i] = s[H + i] = 0.0
    for i in range(U(21) * L):
        s[M + i] = p[D + i]
    begin = U(0)
    for f in range(U(len(ends))):
        for i in range(SIX * L):
            s[FLOW + i] = 0.0
        for a in range(begin, U(ends[f])):
            _add_system(p, c, q, s, a, f)
        begin = U(ends[f])
        for k in range(SIX):
            for j in range(L):
                flow = s[FLOW + k * L + j]
                s[B + k * L + j] += flow
                s[H + k * L + j] += c[SOFTER + f * L + j] * flow
    symmetric(p, D, s, TRIAL, R)
    for i in range(SIX * L):
        s[R + i] += s[B + i] - s[E + i]
    for j in range(L):
        least, i = REGULAR * s[SOFTNESS + j], M + j
        s[i] += 2 / 3 * least
        s[i + L] -= least / 3
        s[i + TWO * L] += 2 / 3 * least
        s[i + U(3) * L] -= least / 3
        s[i + U(4) * L] -= least / 3
        s[i + U(5) * L] += 2 / 3 * least
        s[i + U(9) * L] += least
        s[i + U(14) * L] += least
        s[i + U(20) * L] += least
        s[SIZE + j] = np.sqrt(dot(s, R, R, j))


@inlined
def _add_system(p, c, q, s, a, family):
    """What one system adds to r, dr/ds and their sums."""
    t, k, i = a * L, P + a * SIX * L, family * L
    for j in range(L):
        tau, below = q[TAU + t + j], c[BELOW + i + j]
        slope = c[RATE + i + j] * q[POWER + t + j] / c[G + i + j]
        f = slope * tau
        df = slope * (c[EXPONENT + i + j] if q[X + t + j] > below else 1.0)
        sign = df if tau > 0 else -df if tau < 0 else 0.0
        p0, p1, p2 = p[k + j], p[k + L + j], p[k + TWO * L + j]
        p3, p4, p5 = p[k + THREE * L + j], p[k + FOUR * L + j], p[k + FIVE * L + j]
        s[TOTAL + j] += abs(f)
        s[SOFTNESS + j] += df
        b, v, m = FLOW + j, C + j, M + j
        s[b] += f * p0
        s[b + L] += f * p1
        s[b + TWO * L] += f * p2
        s[b + THREE * L] += f * p3
        s[b + FOUR * L] += f * p4
        s[b + FIVE * L] += f * p5
        s[v] += sign * p0
        s[v + L] += sign * p1
        s[v + TWO * L] += sign * p2
        s[v + THREE * L] += sign * p3
        s[v + FOUR * L] += sign * p4
        s[v + FIVE * L] += sign * p5
        w1, w2, w3, w4, w5 = df * p1, df * p2, df * p3, df * p4, df * p5
        s[m] += df * p0 * p0
        s[m + L] += w1 * p0
        s[m + U(2) * L] += w1 * p1
        s[m + U(3) * L] += w2 * p0
        s[m + U(4) * L] += w2 * p1
        s[m + U(5) * L] += w2 * p2
        s[m + U(6) * L] += w3 * p0
        s[m + U(7) * L] += w3 * p1
        s[m + U(8) * L] += w3 * p2
        s[m + U(9) * L] += w3 * p3
        s[m + U(10) * L] += w4 * p0
        s[m + U(11) * L] += w4 * p1
        s[m + U(12) * L] += w4 * p2
        s[m + U(13) * L] += w4 * p3
        s[m + U(14) * L] += w4 * p4
        s[m + U(15) * L] += w5 * p0
        s[m + U(16) * L] += w5 * p1
        s[m + U(17) * L] += w5 * p2
        s[m + U(18) * L] += w5 * p3
        s[m + U(19) * L] += w5 * p4
        s[m + U(20) * L] += w5 * p5


@inlined
def _harden(c, q, s, ends, status):
    """G and g at the end of the step, and powers of the new g."""
    families = U(len(ends))
    for j in range(L):
        begin = U(0)
        for f in range(families):
            i, top = f * L + j, 0.0
            for a in range(begin, U(ends[f])):
                top += q[POWER + a * L + j] * q[X + a * L + j]
            begin = U(ends[f])
            c[TOP + i], c[FIRST + i], c[RATIO + i] = top * c[RATE + i], c[G + i], 1.0
        if status[j] == DONE:
            continue
        _end(c, s, families, j)
        falls = 0.0
        for f in range(families):
            i = f * L + j
            n, ratio = c[EXPONENT + i], c[FIRST + i] / c[G + i]
            c[SOFTER + i] = n * c[SLOPE + i] / c[G + i]
            c[RATIO + i] = ratio ** (n - 1)
            falls += c[TOP + i] * c[RATIO + i] * ratio * c[SOFTER + i]
        s[WEIGHT + j] = 1 / (1 + falls)
    begin = U(0)
    for f in range(families):
        for a in range(begin, U(ends[f])):
            for j in range(L):
                q[POWER + a * L + j] *= c[RATIO + f * L + j]
        begin = U(ends[f])


@inlined
def _end(c, s, families, j):
    """G, g and dg/dG at the end of the step of lane j."""
    slip = s[SLIP + j]
    for f in range(families):
        c[G + f * L + j], c[SLOPE + f * L + j] = of_family(c, f * L + j, slip)
    for _ in range(SLIP_ITERATIONS):
        total = falls = 0.0
        for f in range(families):
            i = f * L + j
            n, g = c[EXPONENT + i], c[G + i]
            own = c[TOP + i] * (c[FIRST + i] / g) ** n
            total += own
            falls += n * own * c[SLOPE + i] / g
        new = max(s[START + j], slip + (s[START + j] + total - slip) / (1 + falls))
        step, slip = abs(new - slip), new
        for f in range(families):
            c[G + f * L + j], c[SLOPE + f * L + j] = of_family(c, f * L + j, slip)
        if not step > SLIP_LAST * slip:
            break
    s[SLIP + j] = slip


@inlined
def room(p, c, q, s, ends):
    """ROOM <- part <= 1 of NEXT that keeps |tau_a| <= bound; FASTEST and LARGEST."""
    resolve(p, q, s, U(ends[-1]), NEXT, CHANGE)
    for j in range(L):
        s[ROOM + j] = 1.0
        s[FASTEST + j] = s[LARGEST + j] = 0.0
    begin = U(0)
    for f in range(U(len(ends))):
        for a in range(begin, U(ends[f])):
            t = a * L
            for j in range(L):
                tau, change = q[TAU + t + j], q[CHANGE + t + j]
                speed = abs(change)
                outwards = -tau if change < 0 else tau
                part = s[BOUND + j] * c[G + f * L + j] - outwards
                part = part / speed if part > 0 else OUTWARDS
                part = part if speed > 0 else 1.0
                s[ROOM + j] = min(s[ROOM + j], part)
                s[FASTEST + j] = max(s[FASTEST + j], speed)
                s[LARGEST + j] = max(s[LARGEST + j], abs(tau))
        begin = U(ends[f])


@inlined
def solve(s, hardens):
    """NEXT <- -(dr/ds)^-1 r; M is factored."""
    factor(s)
    for i in range(SIX * L):
        s[NEXT + i] = -s[R + i]
    substitute(s, NEXT, NEXT)
    if hardens:
        substitute(s, H, Y)
        for j in range(L):
            weight = s[WEIGHT + j]
            weight /= 1 - weight * dot(s, C, Y, j)
            weight *= dot(s, C, NEXT, j)
            for k in range(SIX):
                s[NEXT + k * L + j] += weight * s[Y + k * L + j]


@inlined
def invert(s, hardens):
    """INVERSE <- (dr/ds)^-1 by columns."""
    factor(s)
    for m in range(SIX):
        for i in range(SIX * L):
            s[NEXT + i] = 0.0
        for j in range(L):
            s[NEXT + m * L + j] = 1.0
        substitute(s, NEXT, STEP)
        for i in range(SIX * L):
            s[INVERSE + m * SIX * L + i] = s[STEP + i]
    if hardens:
        substitute(s, H, Y)
        substitute(s, C, NEXT)
        for j in range(L):
            weight = s[WEIGHT + j]
            weight /= 1 - weight * dot(s, C, Y, j)
            for m in range(SIX):
                for k in range(SIX):
                    i = INVERSE + (m * SIX + k) * L + j
                    s[i] += weight * s[Y + k * L + j] * s[NEXT + m * L + j]
