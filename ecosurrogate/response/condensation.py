"""Laminates of linear leaves, from the leaves to the whole and back, in lanes.

Leaf i is linear about the strain that was tried, s_i = D_i e_i + t_i. Laminates of such
layers are condensed from the leaves to the root, where the prescribed means give the
strain of the whole, and strains are spread from the root to the leaves.
"""

from typing import NamedTuple

import numpy as np

from ecosurrogate.response import laminate_lanes as lanes
from ecosurrogate.response.laminate_lanes import JUMP, MEDIUM, SIX, L
from ecosurrogate.response.point_lanes import fetch
from fftmech.kernels.compiled import U, inlined
from fftmech.kernels.simd import load, splat, store


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


@inlined
def condense(tree, response, block, s):
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
            row = fetch(response.radial, k * radial + leaf, block)
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
                D = fetch(response.full, row, block)
            else:
                D = splat(tree.stiffness[leaf - flows, i, j])
            store(media, at + j * SIX + i * L, D)
            t -= D * load(s.old, own + j * L)
        store(media, at + (U(36) + i) * L, t)


@inlined
def prescribe(trial, block, s, root, whole):
    """The strain of the whole, at `whole`, that has the prescribed means."""
    free, spare, media = trial.free, s.spare, s.media
    count = U(len(free))
    pitch = (count + U(1)) * L
    for i in range(U(6)):
        store(s.new, whole + i * L, fetch(trial.mean_strain, i, block))
    for a in range(count):
        store(s.new, whole + U(free[a]) * L, splat(0.0))
    # D_free e = s - t - D e, without exchange of rows: D is nearly symmetric
    for a in range(count):
        i = U(free[a])
        right = fetch(trial.mean_stress, i, block)
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
def spread(tree, s):
    """Strains of all layers, of that of the whole."""
    leaves, count = U(len(tree.weight)), U(len(tree.layers))
    for done in range(count):
        m = count - U(1) - done
        one, two = U(tree.layers[m, 0]) * SIX, U(tree.layers[m, 1]) * SIX
        places = (leaves + m) * SIX, one, two, m * U(JUMP)
        lanes.spread(s.new, s.jumps, places, tree.fraction[m], _normal(tree, m))
