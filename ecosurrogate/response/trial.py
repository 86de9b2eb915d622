"""Strains of leaves that are tried: their error, and the next ones, in lanes."""

from typing import NamedTuple

import numpy as np

from ecosurrogate.response.laminate_lanes import SIX, THREE, L
from ecosurrogate.response.point_lanes import fetch, put
from fftmech.kernels.compiled import U, inlined
from fftmech.kernels.simd import load, splat, store

OVERSHOOT, LEAST_SHARE = 0.5, 0.02
"""Stress power at the end of a Newton step, relative to that at its beginning, from
which it is shortened, and the least part of it that is shortened again."""


class Trial(NamedTuple):
    """Strains of the leaves at n points that are tried; the next are written there.

    Foreseen stress is that of leaves that are not linear.
    """

    strain: np.ndarray  # (6, leaves, n)
    foreseen: np.ndarray  # stress there by Newton's method, (6, leaves, n)
    change: np.ndarray  # the whole step to this strain, (6, leaves, n)
    slope: np.ndarray  # stress power along it at its beginning, (n,)
    share: np.ndarray  # part of the step that is tried, (n,)
    largest: np.ndarray  # norm of the stress so far, (n,)
    size: np.ndarray  # that of this trial, found, (n,)
    error: np.ndarray  # of the stress that was foreseen, relative, found, (n,)
    mean_strain: np.ndarray  # prescribed, (6, n)
    mean_stress: np.ndarray  # prescribed, (6, n)
    stress: np.ndarray  # mean, found, (6, n)
    tangent: np.ndarray  # of the mean, found, (6, 6, n), or (6, 6, 0): not wanted
    free: np.ndarray  # components whose stress is prescribed


@inlined
def judge(tree, response, trial, block, taken, tolerance, s):
    """Fetch a trial; its size, error and mean stress; how many points go on."""
    spare, leaves = s.spare, U(len(tree.weight))
    flows, mean = U(response.stress.shape[1]), THREE
    square = error = splat(0.0)
    for k in range(mean, mean + SIX, L):
        store(spare, k, splat(0.0))
    for leaf in range(leaves):
        own, w = leaf * SIX, tree.weight[leaf]
        for i in range(U(6)):
            e = fetch(trial.strain, i * leaves + leaf, block)
            store(s.old, own + i * L, e)
        for i in range(U(6)):
            if leaf < flows:
                stress = fetch(response.stress, i * flows + leaf, block)
                if taken > 0:
                    foreseen = fetch(trial.foreseen, i * flows + leaf, block)
                    error += w * (stress - foreseen) * (stress - foreseen)
            else:
                stress = splat(tree.offset[leaf - flows, i])
                for j in range(U(6)):
                    e = load(s.old, own + j * L)
                    stress += tree.stiffness[leaf - flows, i, j] * e
            store(s.stress, own + i * L, stress)
            square += w * stress * stress
            at = mean + i * L
            store(spare, at, load(spare, at) + w * stress)
    for i in range(U(6)):
        put(trial.stress, i, block, load(spare, mean + i * L))
    store(spare, U(0), square)
    store(spare, L, error)
    return errors(trial, block, taken, tolerance, s)


@inlined
def errors(trial, block, taken, tolerance, s):
    """Errors by point, of sums in the first rows of `spare`; how many go on."""
    _, first, width = block
    left = 0
    for p in range(L):
        s.going[p] = False
    for p in range(width):
        point, size = first + p, np.sqrt(s.spare[p])
        largest = max(trial.largest[point], size)
        found = np.inf
        if taken > 0 and trial.share[point] == 1:
            found = np.sqrt(s.spare[L + p]) / (largest if largest > 0 else 1.0)
        trial.largest[point], trial.size[point] = largest, size
        trial.error[point] = found if size < np.inf else np.nan
        s.going[p] = size < np.inf and not found <= tolerance
        left += s.going[p]
    return left


@inlined
def advance(tree, trial, block, taken, s):
    """Go to Newton's strains, or to a part of the step before."""
    _, first, width = block
    spare, leaves, outer = s.spare, U(len(tree.weight)), THREE
    slope = passed = splat(0.0)
    for i in range(U(6)):
        store(spare, outer + i * L, splat(0.0))
    for a in range(U(len(trial.free))):
        i = U(trial.free[a])
        store(spare, outer + i * L, fetch(trial.mean_stress, i, block))
    for leaf in range(leaves):
        for i in range(U(6)):
            k, w = leaf * SIX + i * L, tree.weight[leaf]
            stress = w * (load(s.stress, k) - load(spare, outer + i * L))
            slope += stress * (load(s.new, k) - load(s.old, k))
            if taken > 1:
                change = fetch(trial.change, i * leaves + leaf, block)
                passed += stress * change
    store(spare, U(0), slope)
    store(spare, L, passed)
    whole = True
    for p in range(width):
        s.far[p], whole = False, whole and s.going[p]
        if s.going[p] and taken > 0:
            point, begun, ended = first + p, trial.slope[first + p], spare[L + p]
            if (
                taken > 1
                and ended > OVERSHOOT * abs(begun)
                and trial.share[point] > LEAST_SHARE
            ):
                part = min(max(-begun / (ended - begun), 0.1), 0.9)
                s.back[p] = (1 - part) * trial.share[point]
                trial.share[point] *= part
                s.far[p], whole = True, False
            else:
                trial.slope[point], trial.share[point] = spare[p], 1.0
    for leaf in range(leaves):
        for i in range(U(6)):
            k, row = leaf * SIX + i * L, i * leaves + leaf
            if whole:
                new = load(s.new, k)
                put(trial.strain, row, block, new)
                put(trial.change, row, block, new - load(s.old, k))
            else:
                _mix(trial, i, leaf, k, block, s)


@inlined
def _mix(trial, i, leaf, k, block, s):
    """Strains of one leaf where points do not all take a whole step."""
    _, first, width = block
    for p in range(width):
        point, old, new = first + p, s.old[k + p], s.new[k + p]
        if s.far[p]:
            back = s.back[p] * trial.change[i, leaf, point]
            trial.strain[i, leaf, point] = old - back
        elif s.going[p]:
            trial.strain[i, leaf, point] = new
            trial.change[i, leaf, point] = new - old


@inlined
def foresee(response, trial, block, s):
    """Stress of leaves that are not linear at Newton's strains: s + D (new - old)."""
    spare, radial = s.spare, U(response.radial.shape[1])
    flows, (_, first, width) = U(response.stress.shape[1]), block
    whole = True
    for p in range(width):
        whole = whole and s.going[p]
    for leaf in range(flows):
        own = leaf * SIX
        along = trace = splat(0.0)
        if leaf < radial:
            for k in range(U(8)):
                row = fetch(response.radial, k * radial + leaf, block)
                store(spare, (k + U(1)) * L, row)
            for j in range(U(6)):
                step = load(s.new, own + j * L) - load(s.old, own + j * L)
                along += load(spare, (U(3) + j) * L) * step
                if j < U(3):
                    trace += step
        for i in range(U(6)):
            stress = load(s.stress, own + i * L)
            if leaf < radial:
                step = load(s.new, own + i * L) - load(s.old, own + i * L)
                stress += load(spare, U(2) * L) * step
                stress -= load(spare, (U(3) + i) * L) * along
                if i < U(3):
                    stress += load(spare, L) * trace
            else:
                for j in range(U(6)):
                    step = load(s.new, own + j * L) - load(s.old, own + j * L)
                    row = (i * U(6) + j) * (flows - radial) + leaf - radial
                    stress += fetch(response.full, row, block) * step
            if whole:
                put(trial.foreseen, i * flows + leaf, block, stress)
            else:
                store(spare, U(0), stress)
                for p in range(width):
                    if s.going[p]:
                        trial.foreseen[i, leaf, first + p] = spare[p]
