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
    FIVE,
    FOUR,
    GUESS,
    INVERSE,
    LARGEST,
    NEXT,
    POWER,
    RATE,
    RATIO,
    ROOM,
    SIX,
    SIZE,
    SLIP,
    SOFTNESS,
    START,
    STEP,
    SYSTEMS,
    TAU,
    TAU0,
    TAU1,
    THETA0,
    THETA1,
    THREE,
    TOTAL,
    TRIAL,
    TWO,
    WEIGHT,
    B,
    C,
    D,
    E,
    G,
    L,
    M,
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
def resistance(p, j, slip):
    """g and dg/dG of lane j."""
    tau0, tau1, theta1 = p[TAU0 + j], p[TAU1 + j], p[THETA1 + j]
    if tau1 > 0:
        steepness = p[THETA0 + j] / tau1
        left = np.exp(-slip * steepness)
        height = tau1 + theta1 * slip
        slope = theta1 * (1 - left) + height * steepness * left
        return tau0 + height * (1 - left), slope
    return tau0 + theta1 * slip, theta1


@inlined
def first(p, q, s, whole):
    """TRIAL <- the guess times the lesser of its elastic and plastic multiple."""
    symmetric(p, GUESS, s, E, TRIAL)
    symmetric(p, D, s, TRIAL, R)
    resolve(p, q, s, TRIAL, TAU)
    for j in range(L):
        top = 0.0
        for a in range(SYSTEMS):
            top = max(top, abs(q[TAU + a * L + j]))
        s[SIZE + j] = top if top > 0 else 1.0
    for a in range(SYSTEMS):
        for j in range(L):
            q[X + a * L + j] = abs(q[TAU + a * L + j]) / s[SIZE + j]
    powers(p, q, whole)
    for j in range(L):
        total = 0.0
        for a in range(SYSTEMS):
            total += q[POWER + a * L + j] * q[X + a * L + j] ** 2
        top, n = s[SIZE + j], p[EXPONENT + j]
        dissipation = p[RATE + j] * top * total
        work, stored = dot(s, TRIAL, E, j), dot(s, TRIAL, R, j)
        part = work / stored if stored > 0 else np.inf
        if dissipation > 0:
            part = min(part, s[G + j] / top * (work / dissipation) ** (1 / n))
        part = part if part < np.inf else work
        for k in range(SIX):
            s[TRIAL + k * L + j] *= part


@inlined
def _end(p, j, start, slip, g, top):
    """G and g at the end of the step; `top` is the slip if g is the resistance."""
    n, g0 = p[EXPONENT + j], g
    g, slope = resistance(p, j, slip)
    for _ in range(SLIP_ITERATIONS):
        total = top * (g0 / g) ** n
        new = max(start, slip + (start + total - slip) / (1 + n * total * slope / g))
        step, slip = abs(new - slip), new
        g, slope = resistance(p, j, slip)
        if not step > SLIP_LAST * slip:
            break
    return slip, g, slope


@inlined
def evaluate(p, q, s, status, whole, hardens):
    """f, r and dr/ds of TRIAL, and the new G of lanes that are not done."""
    resolve(p, q, s, TRIAL, TAU)
    for a in range(SYSTEMS):
        for j in range(L):
            x = abs(q[TAU + a * L + j]) / s[G + j]
            q[X + a * L + j] = x if x > p[BELOW + j] else p[BELOW + j]
    powers(p, q, whole)
    if hardens:
        _harden(p, q, s, status)
    for j in range(L):
        s[TOTAL + j] = s[SOFTNESS + j] = 0.0
    for i in range(SIX * L):
        s[B + i] = s[C + i] = 0.0
    for i in range(U(21) * L):
        s[M + i] = p[D + i]
    for a in range(SYSTEMS):
        _add_system(p, q, s, a)
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
def _add_system(p, q, s, a):
    """What one system adds to r, dr/ds and their sums."""
    t, k = a * L, a * SIX * L
    for j in range(L):
        tau, below = q[TAU + t + j], p[BELOW + j]
        slope = p[RATE + j] * q[POWER + t + j] / s[G + j]
        f = slope * tau
        df = slope * (p[EXPONENT + j] if q[X + t + j] > below else 1.0)
        sign = df if tau > 0 else -df if tau < 0 else 0.0
        p0, p1, p2 = p[k + j], p[k + L + j], p[k + TWO * L + j]
        p3, p4, p5 = p[k + THREE * L + j], p[k + FOUR * L + j], p[k + FIVE * L + j]
        s[TOTAL + j] += abs(f)
        s[SOFTNESS + j] += df
        b, c, m = B + j, C + j, M + j
        s[b] += f * p0
        s[b + L] += f * p1
        s[b + TWO * L] += f * p2
        s[b + THREE * L] += f * p3
        s[b + FOUR * L] += f * p4
        s[b + FIVE * L] += f * p5
        s[c] += sign * p0
        s[c + L] += sign * p1
        s[c + TWO * L] += sign * p2
        s[c + THREE * L] += sign * p3
        s[c + FOUR * L] += sign * p4
        s[c + FIVE * L] += sign * p5
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
def _harden(p, q, s, status):
    """G and g at the end of the step, and powers of the new g."""
    for j in range(L):
        s[RATIO + j] = 1.0
        if status[j] == DONE:
            continue
        top = 0.0
        for a in range(SYSTEMS):
            top += q[POWER + a * L + j] * q[X + a * L + j]
        top, g = top * p[RATE + j], s[G + j]
        s[SLIP + j], s[G + j], slope = _end(p, j, s[START + j], s[SLIP + j], g, top)
        n, ratio = p[EXPONENT + j], g / s[G + j]
        total = top * ratio**n
        s[WEIGHT + j] = n * slope / (s[G + j] + n * total * slope)
        s[RATIO + j] = ratio ** (n - 1)
    for a in range(SYSTEMS):
        for j in range(L):
            q[POWER + a * L + j] *= s[RATIO + j]


@inlined
def room(p, q, s):
    """ROOM <- part <= 1 of NEXT that keeps |tau_a| <= bound; FASTEST and LARGEST."""
    resolve(p, q, s, NEXT, CHANGE)
    for j in range(L):
        s[ROOM + j] = 1.0
        s[FASTEST + j] = s[LARGEST + j] = 0.0
    for a in range(SYSTEMS):
        t = a * L
        for j in range(L):
            tau, change = q[TAU + t + j], q[CHANGE + t + j]
            speed = abs(change)
            outwards = -tau if change < 0 else tau
            part = s[BOUND + j] * s[G + j] - outwards
            part = part / speed if part > 0 else OUTWARDS
            part = part if speed > 0 else 1.0
            s[ROOM + j] = min(s[ROOM + j], part)
            s[FASTEST + j] = max(s[FASTEST + j], speed)
            s[LARGEST + j] = max(s[LARGEST + j], abs(tau))


@inlined
def solve(s, hardens):
    """NEXT <- -(dr/ds)^-1 r; M is factored."""
    factor(s)
    for i in range(SIX * L):
        s[NEXT + i] = -s[R + i]
    substitute(s, NEXT, NEXT)
    if hardens:
        substitute(s, B, Y)
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
        substitute(s, B, Y)
        substitute(s, C, NEXT)
        for j in range(L):
            weight = s[WEIGHT + j]
            weight /= 1 - weight * dot(s, C, Y, j)
            for m in range(SIX):
                for k in range(SIX):
                    i = INVERSE + (m * SIX + k) * L + j
                    s[i] += weight * s[Y + k * L + j] * s[NEXT + m * L + j]
