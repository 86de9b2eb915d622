"""A Newton step of a tree of laminates, compiled, over many points at once.

Leaf i is linear about the strain that was tried, s_i = D_i e_i + t_i. Laminates of such
layers are condensed from the leaves to the root, where the prescribed means give the
strain of the whole, and strains are spread from the root to the leaves: one Newton step
on the jumps of all interfaces (Gajek, Schneider and Boehlke 2020), without their
matrix. A step that went too far is shortened.
"""

from typing import NamedTuple

import numpy as np

from ecosurrogate.response import laminate_lanes as lanes
from ecosurrogate.response.laminate_lanes import (
    JUMP,
    LANES,
    MEDIUM,
    ONE,
    SIX,
    THREE,
    TWO,
    WORK,
    L,
)
from fftmech.kernels.compiled import U, compiled, inlined

OVERSHOOT, LEAST_SHARE = 0.5, 0.02
"""Stress power at the end of a Newton step, relative to that at its beginning, from
which it is shortened, and the least part of it that is shortened again."""


class Tree(NamedTuple):
    """Laminates, lower ones first, and leaves.

    Leaves are in this order: those whose tangent is a `RadialTangent`, those with any
    other, and linear ones.
    """

    layers: np.ndarray  # leaves, then laminates, by number, (M, 2)
    slots: np.ndarray  # where the medium of each laminate is kept, (M,), from 2 on
    fraction: np.ndarray  # of the first layer, (M,)
    normal: np.ndarray  # (M, 3)
    weight: np.ndarray  # of each leaf, (leaves,)
    stiffness: np.ndarray  # of linear leaves, Mandel (K, 6, 6)
    offset: np.ndarray  # their stress without strain, (K, 6)


class Response(NamedTuple):
    """What the laws of leaves that are not linear say of a trial."""

    stress: np.ndarray  # (6, leaves, n)
    radial: np.ndarray  # lambda, 2 G and m of `RadialTangent`, (8, leaves, n)
    full: np.ndarray  # other tangents, by rows, (36, leaves, n)


class Trial(NamedTuple):
    """Strains of the leaves at n points that are tried, over which the next are written.

    Foreseen stress is that of leaves that are not linear.
    """

    strain: np.ndarray  # (6, leaves, n)
    foreseen: np.ndarray  # stress there by Newton's method, (6, leaves, n)
    origin: np.ndarray  # strain that the step began with, (6, leaves, n)
    change: np.ndarray  # the whole step, (6, leaves, n)
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


class Scratch(NamedTuple):
    """Lanes of one block of points; tensors are six rows."""

    stress: np.ndarray  # of each leaf
    old: np.ndarray  # strain of each leaf that was tried
    new: np.ndarray  # strain of each leaf and laminate after the step
    media: np.ndarray
    jumps: np.ndarray
    work: np.ndarray  # of `lanes.laminate`
    spare: np.ndarray
    going: np.ndarray  # whether a point goes on
    far: np.ndarray  # whether its last step was too long


@compiled
def newton_step(tree, response, trial, taken, tolerance):
    """Judge a trial, and replace it where it is no solution.

    `taken` steps were taken before: while there are none, the error is infinite.
    Points without a stress have the error NaN. They and solutions are left as they are.
    """
    points, leaves, count = trial.strain.shape[2], len(tree.weight), len(tree.layers)
    slots = 3 + np.max(tree.slots) if count > 0 else 3
    s = Scratch(
        np.empty(leaves * 6 * LANES),
        np.empty(leaves * 6 * LANES),
        np.empty((leaves + count) * 6 * LANES),
        np.empty(slots * MEDIUM),
        np.empty(count * JUMP),
        np.empty(WORK),
        np.empty(42 * LANES),
        np.empty(LANES, np.bool_),
        np.empty(LANES, np.bool_),
    )
    wanted = trial.tangent.shape[2] > 0
    for i in range(U(0), U(points), L):
        block = i, min(L, U(points) - i)
        going = _judge(tree, response, trial, block, taken, tolerance, s)
        if going or wanted:
            root = _condense(tree, response, block, s)
            if wanted:
                _store_tangent(trial.tangent, block, s.media, root)
            if going:
                _prescribe(trial, block, s, root, U(leaves + count - 1) * SIX)
                _spread(tree, s)
                _advance(tree, trial, block, taken, s)
                _foresee(response, trial, block, s)


@inlined
def _fetch(field, i, leaf, block, out, at):
    """Lanes <- a row of a field; those past the end are copies of the last one."""
    first, width = block
    if width == L:
        for p in range(L):
            out[at + p] = field[i, leaf, first + p]
    else:
        for p in range(L):
            out[at + p] = field[i, leaf, first + min(p, width - U(1))]


@inlined
def _judge(tree, response, trial, block, taken, tolerance, s):
    """Fetch a trial; its size, error and mean stress; whether any point goes on."""
    first, width = block
    flows, spare = U(response.stress.shape[1]), s.spare
    row, square, error, mean = U(0), ONE, TWO, THREE
    for k in range(U(9) * L):
        spare[k] = 0.0
    for leaf in range(U(len(tree.weight))):
        own, w = leaf * SIX, tree.weight[leaf]
        for i in range(U(6)):
            _fetch(trial.strain, i, leaf, block, s.old, own + i * L)
        for i in range(U(6)):
            at = own + i * L
            if leaf < flows:
                _fetch(response.stress, i, leaf, block, s.stress, at)
                if taken > 0:
                    _fetch(trial.foreseen, i, leaf, block, spare, row)
                    for p in range(L):
                        difference = s.stress[at + p] - spare[row + p]
                        spare[error + p] += w * difference * difference
            else:
                C = tree.stiffness[leaf - flows, i]
                offset = tree.offset[leaf - flows, i]
                for p in range(L):
                    e = own + p
                    s.stress[at + p] = offset + (
                        C[0] * s.old[e]
                        + C[1] * s.old[e + ONE]
                        + C[2] * s.old[e + TWO]
                        + C[3] * s.old[e + THREE]
                        + C[4] * s.old[e + U(4) * L]
                        + C[5] * s.old[e + U(5) * L]
                    )
            for p in range(L):
                stress = s.stress[at + p]
                spare[square + p] += w * stress * stress
                spare[mean + i * L + p] += w * stress
    any_going = False
    for p in range(width):
        point, size = first + p, np.sqrt(spare[square + p])
        largest = max(trial.largest[point], size)
        found = np.inf
        if taken > 0 and trial.share[point] == 1:
            found = np.sqrt(spare[error + p]) / (largest if largest > 0 else 1.0)
        trial.largest[point], trial.size[point] = largest, size
        trial.error[point] = found if size < np.inf else np.nan
        s.going[p] = size < np.inf and not found <= tolerance
        any_going |= s.going[p]
        for i in range(U(6)):
            trial.stress[i, point] = spare[mean + i * L + p]
    for p in range(width, L):
        s.going[p] = False
    return any_going


@inlined
def _condense(tree, response, block, s):
    """Media and jumps of all laminates; where the medium of the whole is."""
    leaves, root = U(len(tree.weight)), U(0)
    if len(tree.layers) == 0:
        _load(tree, response, U(0), block, root, s)
    for m in range(U(len(tree.layers))):
        for side in range(U(2)):
            layer = U(tree.layers[m, side])
            if layer < leaves:
                _load(tree, response, layer, block, side * U(MEDIUM), s)
        one, two = U(tree.layers[m, 0]), U(tree.layers[m, 1])
        a = U(tree.slots[one - leaves]) * U(MEDIUM) if one >= leaves else U(0)
        b = U(tree.slots[two - leaves]) * U(MEDIUM) if two >= leaves else U(MEDIUM)
        root = U(tree.slots[m]) * U(MEDIUM)
        f, n = tree.fraction[m], (tree.normal[m, 0], tree.normal[m, 1], tree.normal[m, 2])
        places = a, b, root, m * U(JUMP)
        symmetric = response.full.shape[1] == 0
        lanes.laminate(s.media, s.jumps, places, f, n, s.work, symmetric)
    return root


@inlined
def _load(tree, response, leaf, block, at, s):
    """The medium of a leaf: its tangent, and t = s - D e."""
    media, spare, own = s.media, s.spare, leaf * SIX
    radial, flows = U(response.radial.shape[1]), U(response.stress.shape[1])
    t = at + U(36) * L
    if leaf < radial:
        for k in range(U(8)):
            _fetch(response.radial, k, leaf, block, spare, k * L)
        for j in range(U(6)):
            for i in range(U(6)):
                k, a, b = at + j * SIX + i * L, (U(2) + i) * L, (U(2) + j) * L
                for p in range(L):
                    media[k + p] = -spare[a + p] * spare[b + p]
                if i == j:
                    for p in range(L):
                        media[k + p] += spare[ONE + p]
                if i < U(3) and j < U(3):
                    for p in range(L):
                        media[k + p] += spare[p]
    else:
        for j in range(U(6)):
            for i in range(U(6)):
                k = at + j * SIX + i * L
                if leaf < flows:
                    _fetch(response.full, i * U(6) + j, leaf - radial, block, media, k)
                else:
                    for p in range(L):
                        media[k + p] = tree.stiffness[leaf - flows, i, j]
    for i in range(U(6)):
        for p in range(L):
            media[t + i * L + p] = s.stress[own + i * L + p]
    for j in range(U(6)):
        for i in range(U(6)):
            for p in range(L):
                media[t + i * L + p] -= (
                    media[at + j * SIX + i * L + p] * s.old[own + j * L + p]
                )


@inlined
def _store_tangent(tangent, block, media, root):
    first, width = block
    for i in range(U(6)):
        for j in range(U(6)):
            for p in range(width):
                tangent[i, j, first + p] = media[root + j * SIX + i * L + p]


@inlined
def _prescribe(trial, block, s, root, whole):
    """The strain of the whole, at `whole`, that has the prescribed means."""
    first, width = block
    free, spare = trial.free, s.spare
    count = U(len(free))
    pitch = (count + U(1)) * L
    for i in range(U(6)):
        for p in range(L):
            s.new[whole + i * L + p] = trial.mean_strain[
                i, first + min(p, width - U(1))
            ]
    for a in range(count):
        for p in range(L):
            s.new[whole + U(free[a]) * L + p] = 0.0
    # D_free e = s - t - D e, without exchange of rows: D is nearly symmetric
    for a in range(count):
        i, row = U(free[a]) * L, a * pitch
        for b in range(count):
            for p in range(L):
                spare[row + b * L + p] = s.media[root + U(free[b]) * SIX + i + p]
        right = row + count * L
        for p in range(L):
            stress = trial.mean_stress[U(free[a]), first + min(p, width - U(1))]
            spare[right + p] = stress - s.media[root + U(36) * L + i + p]
        for j in range(U(6)):
            for p in range(L):
                spare[right + p] -= (
                    s.media[root + j * SIX + i + p] * s.new[whole + j * L + p]
                )
    for a in range(count):
        for b in range(a + U(1), count):
            top, row = a * pitch, b * pitch
            for p in range(L):
                s.work[p] = spare[row + a * L + p] / spare[top + a * L + p]
            for c in range(a + U(1), count + U(1)):
                for p in range(L):
                    spare[row + c * L + p] -= s.work[p] * spare[top + c * L + p]
    for back in range(count):
        a = count - U(1) - back
        row, i = a * pitch, whole + U(free[a]) * L
        for p in range(L):
            s.new[i + p] = spare[row + count * L + p]
        for b in range(a + U(1), count):
            for p in range(L):
                s.new[i + p] -= (
                    spare[row + b * L + p] * s.new[whole + U(free[b]) * L + p]
                )
        for p in range(L):
            s.new[i + p] /= spare[row + a * L + p]


@inlined
def _spread(tree, s):
    """Strains of all layers, of that of the whole."""
    leaves, count = U(len(tree.weight)), U(len(tree.layers))
    for done in range(count):
        m = count - U(1) - done
        one, two = U(tree.layers[m, 0]) * SIX, U(tree.layers[m, 1]) * SIX
        n = tree.normal[m, 0], tree.normal[m, 1], tree.normal[m, 2]
        places = (leaves + m) * SIX, one, two, m * U(JUMP)
        lanes.spread(s.new, s.jumps, places, tree.fraction[m], n)


@inlined
def _advance(tree, trial, block, taken, s):
    """Go to Newton's strains, or to a part of the step before."""
    first, width = block
    spare, leaves = s.spare, U(len(tree.weight))
    row, slope, passed, outer = U(0), ONE, TWO, THREE
    for k in range(U(9) * L):
        spare[k] = 0.0
    for a in range(U(len(trial.free))):
        i = U(trial.free[a])
        for p in range(L):
            stress = trial.mean_stress[i, first + min(p, width - U(1))]
            spare[outer + i * L + p] = stress
    for leaf in range(leaves):
        for i in range(U(6)):
            k, w = leaf * SIX + i * L, tree.weight[leaf]
            if taken > 1:
                _fetch(trial.change, i, leaf, block, spare, row)
            for p in range(L):
                stress = w * (s.stress[k + p] - spare[outer + i * L + p])
                spare[slope + p] += stress * (s.new[k + p] - s.old[k + p])
                spare[passed + p] += stress * spare[row + p]
    any_far = False
    for p in range(L):
        s.far[p] = False
        if s.going[p] and taken > 0:
            point, begun, ended = first + p, trial.slope[first + p], spare[passed + p]
            if (
                taken > 1
                and ended > OVERSHOOT * abs(begun)
                and trial.share[point] > LEAST_SHARE
            ):
                part = -begun / (ended - begun)
                trial.share[point] *= min(max(part, 0.1), 0.9)
                s.far[p] = any_far = True
            else:
                trial.slope[point], trial.share[point] = spare[slope + p], 1.0
    for leaf in range(leaves):
        for i in range(U(6)):
            k = leaf * SIX + i * L
            for p in range(width):
                new, old, point = s.new[k + p], s.old[k + p], first + p
                if any_far and s.far[p]:
                    trial.strain[i, leaf, point] = (
                        trial.origin[i, leaf, point]
                        + trial.share[point] * trial.change[i, leaf, point]
                    )
                else:
                    trial.strain[i, leaf, point] = new if s.going[p] else old
                    trial.origin[i, leaf, point] = old
                    trial.change[i, leaf, point] = new - old


@inlined
def _foresee(response, trial, block, s):
    """Stress of leaves that are not linear at Newton's strains: s + D (new - old)."""
    first, width = block
    spare, radial = s.spare, U(response.radial.shape[1])
    step, out = U(8) * L, U(14) * L
    for leaf in range(U(response.stress.shape[1])):
        own = leaf * SIX
        for k in range(SIX):
            spare[step + k] = s.new[own + k] - s.old[own + k]
            spare[out + k] = s.stress[own + k]
        if leaf < radial:
            for k in range(U(8)):
                _fetch(response.radial, k, leaf, block, spare, k * L)
            for p in range(L):
                e, m = step + p, TWO + p
                e0, e1, e2 = spare[e], spare[e + ONE], spare[e + TWO]
                e3, e4 = spare[e + THREE], spare[e + U(4) * L]
                e5 = spare[e + U(5) * L]
                along = (
                    spare[m] * e0
                    + spare[m + ONE] * e1
                    + spare[m + TWO] * e2
                    + spare[m + THREE] * e3
                    + spare[m + U(4) * L] * e4
                    + spare[m + U(5) * L] * e5
                )
                pressure, shear, o = spare[p] * (e0 + e1 + e2), spare[ONE + p], out + p
                spare[o] += pressure + shear * e0 - along * spare[m]
                spare[o + ONE] += pressure + shear * e1 - along * spare[m + ONE]
                spare[o + TWO] += pressure + shear * e2 - along * spare[m + TWO]
                spare[o + THREE] += shear * e3 - along * spare[m + THREE]
                spare[o + U(4) * L] += shear * e4 - along * spare[m + U(4) * L]
                spare[o + U(5) * L] += shear * e5 - along * spare[m + U(5) * L]
        else:
            for i in range(U(6)):
                for j in range(U(6)):
                    _fetch(
                        response.full, i * U(6) + j, leaf - radial, block, spare, U(0)
                    )
                    for p in range(L):
                        spare[out + i * L + p] += spare[p] * spare[step + j * L + p]
        for i in range(U(6)):
            for p in range(width):
                trial.foreseen[i, leaf, first + p] = spare[out + i * L + p]
