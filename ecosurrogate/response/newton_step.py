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
from ecosurrogate.response.laminate_lanes import JUMP, MEDIUM, SIX, THREE, WORK, L
from fftmech.kernels.compiled import U, compiled, inlined
from fftmech.kernels.simd import LANES, load, splat, store

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
    back: np.ndarray  # then, how much of it is taken back


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
        np.zeros(LANES, np.bool_),
        np.zeros(LANES, np.bool_),
        np.empty(LANES),
    )
    wanted = trial.tangent.shape[2] > 0
    for i in range(U(0), U(points), L):
        block = U(points), i, min(L, U(points) - i)
        going = _judge(tree, response, trial, block, taken, tolerance, s)
        if going or wanted:
            root = _condense(tree, response, block, s)
            if wanted:
                for k in range(U(36)):
                    entry = load(s.media, root + (k % U(6) * U(6) + k // U(6)) * L)
                    _put(trial.tangent, k, block, s.spare, entry)
            if going:
                _prescribe(trial, block, s, root, U(leaves + count - 1) * SIX)
                _spread(tree, s)
                _advance(tree, trial, block, taken, s)
                _foresee(response, trial, block, s)


@inlined
def _fetch(field, row, block, spare):
    """A row of a field, (rows, n); points past the end are copies of the last one."""
    points, first, width = block
    at = row * points + first
    if width == L:
        return load(field, at)
    flat = field.reshape(-1)
    if width == U(1):
        return splat(flat[at])
    for p in range(L):
        spare[p] = flat[at + min(p, width - U(1))]
    return load(spare, U(0))


@inlined
def _put(field, row, block, spare, value):
    """Write a row of a field."""
    points, first, width = block
    at = row * points + first
    if width == L:
        store(field, at, value)
    else:
        flat = field.reshape(-1)
        store(spare, U(0), value)
        for p in range(width):
            flat[at + p] = spare[p]


@inlined
def _judge(tree, response, trial, block, taken, tolerance, s):
    """Fetch a trial; its size, error and mean stress; whether any point goes on."""
    spare, leaves = s.spare, U(len(tree.weight))
    flows, mean = U(response.stress.shape[1]), THREE
    square = error = splat(0.0)
    for k in range(mean, mean + SIX, L):
        store(spare, k, splat(0.0))
    for leaf in range(leaves):
        own, w = leaf * SIX, tree.weight[leaf]
        for i in range(U(6)):
            e = _fetch(trial.strain, i * leaves + leaf, block, spare)
            store(s.old, own + i * L, e)
        for i in range(U(6)):
            if leaf < flows:
                stress = _fetch(response.stress, i * flows + leaf, block, spare)
                if taken > 0:
                    foreseen = _fetch(trial.foreseen, i * flows + leaf, block, spare)
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
        _put(trial.stress, i, block, spare, load(spare, mean + i * L))
    store(spare, U(0), square)
    store(spare, L, error)
    return _errors(trial, block, taken, tolerance, s)


@inlined
def _errors(trial, block, taken, tolerance, s):
    """Errors by point, of sums in the first rows of `spare`; whether any goes on."""
    _, first, width = block
    any_going = False
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
        any_going |= s.going[p]
    return any_going


@inlined
def _condense(tree, response, block, s):
    """Media and jumps of all laminates; where the medium of the whole is."""
    leaves, root = U(len(tree.weight)), U(0)
    symmetric = response.full.shape[1] == 0
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
        f, n = tree.fraction[m], _normal(tree, m)
        places = a, b, root, m * U(JUMP)
        lanes.laminate(s.media, s.jumps, places, f, n, s.work, symmetric)
    return root


@inlined
def _normal(tree, m):
    return tree.normal[m, 0], tree.normal[m, 1], tree.normal[m, 2]


@inlined
def _load(tree, response, leaf, block, at, s):
    """The medium of a leaf: its tangent, and t = s - D e."""
    media, spare, own = s.media, s.spare, leaf * SIX
    radial, flows = U(response.radial.shape[1]), U(response.stress.shape[1])
    if leaf < radial:
        for k in range(U(8)):
            row = _fetch(response.radial, k * radial + leaf, block, spare)
            store(spare, (k + U(1)) * L, row)
    for i in range(U(6)):
        t = load(s.stress, own + i * L)
        for j in range(U(6)):
            if leaf < radial:
                m = load(spare, (U(3) + i) * L)
                D = splat(0.0) - m * load(spare, (U(3) + j) * L)
                if i == j:
                    D += load(spare, U(2) * L)
                if i < U(3) and j < U(3):
                    D += load(spare, L)
            elif leaf < flows:
                row = (i * U(6) + j) * (flows - radial) + leaf - radial
                D = _fetch(response.full, row, block, spare)
            else:
                D = splat(tree.stiffness[leaf - flows, i, j])
            store(media, at + j * SIX + i * L, D)
            t -= D * load(s.old, own + j * L)
        store(media, at + (U(36) + i) * L, t)


@inlined
def _prescribe(trial, block, s, root, whole):
    """The strain of the whole, at `whole`, that has the prescribed means."""
    free, spare, media = trial.free, s.spare, s.media
    count = U(len(free))
    pitch = (count + U(1)) * L
    for i in range(U(6)):
        store(s.new, whole + i * L, _fetch(trial.mean_strain, i, block, spare))
    for a in range(count):
        store(s.new, whole + U(free[a]) * L, splat(0.0))
    # D_free e = s - t - D e, without exchange of rows: D is nearly symmetric
    for a in range(count):
        i = U(free[a])
        right = _fetch(trial.mean_stress, i, block, s.work)
        right -= load(media, root + (U(36) + i) * L)
        for j in range(U(6)):
            D, e = load(media, root + j * SIX + i * L), load(s.new, whole + j * L)
            right -= D * e
        store(spare, a * pitch + count * L, right)
        for b in range(count):
            D = load(media, root + U(free[b]) * SIX + i * L)
            store(spare, a * pitch + b * L, D)
    for a in range(count):
        for b in range(a + U(1), count):
            top, row = a * pitch, b * pitch
            part = load(spare, row + a * L) / load(spare, top + a * L)
            for c in range(a + U(1), count + U(1)):
                value = load(spare, row + c * L) - part * load(spare, top + c * L)
                store(spare, row + c * L, value)
    for back in range(count):
        a = count - U(1) - back
        row = a * pitch
        e = load(spare, row + count * L)
        for b in range(a + U(1), count):
            e -= load(spare, row + b * L) * load(s.new, whole + U(free[b]) * L)
        store(s.new, whole + U(free[a]) * L, e / load(spare, row + a * L))


@inlined
def _spread(tree, s):
    """Strains of all layers, of that of the whole."""
    leaves, count = U(len(tree.weight)), U(len(tree.layers))
    for done in range(count):
        m = count - U(1) - done
        one, two = U(tree.layers[m, 0]) * SIX, U(tree.layers[m, 1]) * SIX
        places = (leaves + m) * SIX, one, two, m * U(JUMP)
        lanes.spread(s.new, s.jumps, places, tree.fraction[m], _normal(tree, m))


@inlined
def _advance(tree, trial, block, taken, s):
    """Go to Newton's strains, or to a part of the step before."""
    _, first, width = block
    spare, leaves, outer = s.spare, U(len(tree.weight)), THREE
    slope = passed = splat(0.0)
    for i in range(U(6)):
        store(spare, outer + i * L, splat(0.0))
    for a in range(U(len(trial.free))):
        i = U(trial.free[a])
        store(spare, outer + i * L, _fetch(trial.mean_stress, i, block, spare))
    for leaf in range(leaves):
        for i in range(U(6)):
            k, w = leaf * SIX + i * L, tree.weight[leaf]
            stress = w * (load(s.stress, k) - load(spare, outer + i * L))
            slope += stress * (load(s.new, k) - load(s.old, k))
            if taken > 1:
                change = _fetch(trial.change, i * leaves + leaf, block, spare)
                passed += stress * change
    store(spare, U(0), slope)
    store(spare, L, passed)
    whole = width == L
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
                _put(trial.strain, row, block, spare, new)
                _put(trial.change, row, block, spare, new - load(s.old, k))
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
def _foresee(response, trial, block, s):
    """Stress of leaves that are not linear at Newton's strains: s + D (new - old)."""
    spare, radial = s.spare, U(response.radial.shape[1])
    flows, (points, first, width) = U(response.stress.shape[1]), block
    whole = width == L
    for p in range(width):
        whole = whole and s.going[p]
    for leaf in range(flows):
        own = leaf * SIX
        along = trace = splat(0.0)
        if leaf < radial:
            for k in range(U(8)):
                row = _fetch(response.radial, k * radial + leaf, block, spare)
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
                    stress += _fetch(response.full, row, block, spare) * step
            if whole:
                store(trial.foreseen, (i * flows + leaf) * points + first, stress)
            else:
                store(spare, U(0), stress)
                for p in range(width):
                    if s.going[p]:
                        trial.foreseen[i, leaf, first + p] = spare[p]
