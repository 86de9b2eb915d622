"""Laminates of layers whose stress is linear in their strain, over many points at once.

Layer i obeys s_i = D_i e_i + t_i. From the leaves to the root, a laminate of layers 1
and 2 with fraction f, as `ecosurrogate.response.laminate` has it, obeys

    a = -B e - b,   B = G N^T (D_1 - D_2),   b = G N^T (t_1 - t_2)
    G = (N^T ((1 - f) D_1 + f D_2) N)^-1
    D = f D_1 + (1 - f) D_2 - f (1 - f) (D_1 - D_2) N B
    t = f t_1 + (1 - f) t_2 - f (1 - f) (D_1 - D_2) N b

and from the root to the leaves its strain e gives theirs. That is one Newton step on
the jumps of all interfaces (Gajek, Schneider and Boehlke 2020), without their matrix.
Points are last in all arrays: a block of them is in a register.
"""

from typing import NamedTuple

import numpy as np

from ecosurrogate.response.laminate import jump_strain
from ecosurrogate.response.tree import Laminates
from fftmech.kernels.compiled import compiled, inlined

LANES = 8
"""Points of a block."""

_ROOT = 0.5**0.5


class Condensed(NamedTuple):
    """A tree whose leaves are linear, at n points.

    Attributes
    ----------
    tangent, offset
        Of the whole, s = D e + t: Mandel (6, 6, n) and (6, n).
    jumps
        B and b of each laminate, (M, 3, 7, n).
    """

    tangent: np.ndarray
    offset: np.ndarray
    jumps: np.ndarray


def condense_reference(
    laminates: Laminates, tangent: np.ndarray, offset: np.ndarray
) -> Condensed:
    """Condense leaves, D (6, 6, L, n) and t (6, L, n), to their whole."""
    D = [np.moveaxis(tangent[:, :, k], -1, 0) for k in range(tangent.shape[2])]
    t = [offset[:, k].T[..., None] for k in range(offset.shape[1])]
    jumps = []
    normals = jump_strain(laminates.normal)
    for (i, j), f, N in zip(laminates.layers, laminates.fraction, normals, strict=True):
        acoustic = N.T @ ((1 - f) * D[i] + f * D[j]) @ N
        across = N.T @ np.concatenate([D[i] - D[j], t[i] - t[j]], axis=-1)
        jump = np.linalg.solve(acoustic, across)
        traction = f * (1 - f) * (D[i] - D[j]) @ N
        D.append(f * D[i] + (1 - f) * D[j] - traction @ jump[..., :6])
        t.append(f * t[i] + (1 - f) * t[j] - traction @ jump[..., 6:])
        jumps.append(np.moveaxis(jump, 0, -1))
    shape = (len(jumps), 3, 7, tangent.shape[-1])
    return Condensed(
        np.moveaxis(D[-1], 0, -1), t[-1][..., 0].T, np.array(jumps).reshape(shape)
    )


def spread_reference(
    laminates: Laminates, condensed: Condensed, strain: np.ndarray
) -> np.ndarray:
    """Strains of the leaves, (6, L, n), of that of the whole, (6, n)."""
    leaves = len(laminates.layers) + 1
    e = {2 * leaves - 2: strain}
    normals = jump_strain(laminates.normal)
    for m in range(leaves - 2, -1, -1):
        whole, f, (i, j) = e[leaves + m], laminates.fraction[m], laminates.layers[m]
        B, b = condensed.jumps[m, :, :6], condensed.jumps[m, :, 6]
        jump = normals[m] @ -(np.einsum("ijn,jn->in", B, whole) + b)
        e[int(i)], e[int(j)] = whole + (1 - f) * jump, whole - f * jump
    return np.stack([e[k] for k in range(leaves)], axis=1)


def condense(
    laminates: Laminates, tangent: np.ndarray, offset: np.ndarray
) -> Condensed:
    """What `condense_reference` does, compiled."""
    count, points = len(laminates.layers), tangent.shape[-1]
    if not count:
        return condense_reference(laminates, tangent, offset)
    made = Condensed(
        np.empty((6, 6, points)), np.empty((6, points)), np.empty((count, 3, 7, points))
    )
    _condense(
        laminates.layers,
        laminates.fraction,
        laminates.normal,
        np.ascontiguousarray(tangent),
        np.ascontiguousarray(offset),
        *made,
    )
    return made


def spread(
    laminates: Laminates, condensed: Condensed, strain: np.ndarray
) -> np.ndarray:
    """What `spread_reference` does, compiled."""
    leaves = len(laminates.layers) + 1
    e = np.empty((6, leaves, strain.shape[-1]))
    if leaves == 1:
        e[:, 0] = strain
        return e
    _spread(
        laminates.layers,
        laminates.fraction,
        laminates.normal,
        condensed.jumps,
        np.ascontiguousarray(strain),
        e,
    )
    return e


@compiled
def _condense(layers, fraction, normal, D, t, tangent, offset, jumps):
    """Block by block; column 6 of a medium is its t."""
    count, points, leaves = len(layers), D.shape[3], D.shape[2]
    media = np.empty((count, 6, 7, LANES))
    C1, C2 = np.empty((6, 7, LANES)), np.empty((6, 7, LANES))
    X, Y = np.empty((7, 3, LANES)), np.empty((6, 3, LANES))
    A, G = np.empty((6, 3, LANES)), np.empty((3, 3, LANES))
    for first in range(0, points, LANES):
        width = min(LANES, points - first)
        for m in range(count):
            for side in range(2):
                layer, C = layers[m, side], C1 if side == 0 else C2
                if layer < leaves:
                    for i in range(6):
                        for j in range(6):
                            for p in range(width):
                                C[i, j, p] = D[i, j, layer, first + p]
                        for p in range(width):
                            C[i, 6, p] = t[i, layer, first + p]
                else:
                    C[:] = media[layer - leaves]
            f, n = fraction[m], normal[m]
            _means(C1, C2, f, media[m], width)
            _products(C1, C2, f, n, X, Y, A, width)
            _inverse(A, n, G, width)
            share = f * (1 - f)
            for j in range(7):
                for p in range(width):
                    x0, x1, x2 = X[j, 0, p], X[j, 1, p], X[j, 2, p]
                    g0 = G[0, 0, p] * x0 + G[0, 1, p] * x1 + G[0, 2, p] * x2
                    g1 = G[1, 0, p] * x0 + G[1, 1, p] * x1 + G[1, 2, p] * x2
                    g2 = G[2, 0, p] * x0 + G[2, 1, p] * x1 + G[2, 2, p] * x2
                    jumps[m, 0, j, first + p] = g0
                    jumps[m, 1, j, first + p] = g1
                    jumps[m, 2, j, first + p] = g2
                    for i in range(6):
                        media[m, i, j, p] -= share * (
                            Y[i, 0, p] * g0 + Y[i, 1, p] * g1 + Y[i, 2, p] * g2
                        )
        for i in range(6):
            for j in range(6):
                for p in range(width):
                    tangent[i, j, first + p] = media[count - 1, i, j, p]
            for p in range(width):
                offset[i, first + p] = media[count - 1, i, 6, p]


@inlined
def _means(C1, C2, f, whole, width):
    """f C1 + (1 - f) C2."""
    for i in range(6):
        for j in range(7):
            for p in range(width):
                whole[i, j, p] = f * C1[i, j, p] + (1 - f) * C2[i, j, p]


@inlined
def _products(C1, C2, f, n, X, Y, A, width):
    """X^T = N^T (C1 - C2), Y = (C1 - C2) N, A^T = N^T ((1 - f) C1 + f C2).

    Tangents need not be symmetric: those of crystals that harden are not.
    """
    rest = 1 - f
    n0, n1, n2 = n
    h0, h1, h2 = _ROOT * n0, _ROOT * n1, _ROOT * n2
    for j in range(7):
        for p in range(width):
            d3, d4, d5 = C1[3, j, p], C1[4, j, p], C1[5, j, p]
            c3, c4, c5 = C2[3, j, p], C2[4, j, p], C2[5, j, p]
            a0 = n0 * C1[0, j, p] + h2 * d4 + h1 * d5
            a1 = n1 * C1[1, j, p] + h2 * d3 + h0 * d5
            a2 = n2 * C1[2, j, p] + h1 * d3 + h0 * d4
            b0 = n0 * C2[0, j, p] + h2 * c4 + h1 * c5
            b1 = n1 * C2[1, j, p] + h2 * c3 + h0 * c5
            b2 = n2 * C2[2, j, p] + h1 * c3 + h0 * c4
            X[j, 0, p], X[j, 1, p], X[j, 2, p] = a0 - b0, a1 - b1, a2 - b2
            if j < 6:
                A[j, 0, p] = rest * a0 + f * b0
                A[j, 1, p] = rest * a1 + f * b1
                A[j, 2, p] = rest * a2 + f * b2
    for i in range(6):
        for p in range(width):
            d3 = C1[i, 3, p] - C2[i, 3, p]
            d4 = C1[i, 4, p] - C2[i, 4, p]
            d5 = C1[i, 5, p] - C2[i, 5, p]
            Y[i, 0, p] = n0 * (C1[i, 0, p] - C2[i, 0, p]) + h2 * d4 + h1 * d5
            Y[i, 1, p] = n1 * (C1[i, 1, p] - C2[i, 1, p]) + h2 * d3 + h0 * d5
            Y[i, 2, p] = n2 * (C1[i, 2, p] - C2[i, 2, p]) + h1 * d3 + h0 * d4


@inlined
def _inverse(A, n, G, width):
    """G = (A^T N)^-1, by cofactors."""
    n0, n1, n2 = n
    h0, h1, h2 = _ROOT * n0, _ROOT * n1, _ROOT * n2
    for p in range(width):
        q00 = n0 * A[0, 0, p] + h2 * A[4, 0, p] + h1 * A[5, 0, p]
        q01 = n1 * A[1, 0, p] + h2 * A[3, 0, p] + h0 * A[5, 0, p]
        q02 = n2 * A[2, 0, p] + h1 * A[3, 0, p] + h0 * A[4, 0, p]
        q10 = n0 * A[0, 1, p] + h2 * A[4, 1, p] + h1 * A[5, 1, p]
        q11 = n1 * A[1, 1, p] + h2 * A[3, 1, p] + h0 * A[5, 1, p]
        q12 = n2 * A[2, 1, p] + h1 * A[3, 1, p] + h0 * A[4, 1, p]
        q20 = n0 * A[0, 2, p] + h2 * A[4, 2, p] + h1 * A[5, 2, p]
        q21 = n1 * A[1, 2, p] + h2 * A[3, 2, p] + h0 * A[5, 2, p]
        q22 = n2 * A[2, 2, p] + h1 * A[3, 2, p] + h0 * A[4, 2, p]
        r00, r01, r02 = (
            q11 * q22 - q12 * q21,
            q02 * q21 - q01 * q22,
            q01 * q12 - q02 * q11,
        )
        scale = 1 / (q00 * r00 + q10 * r01 + q20 * r02)
        G[0, 0, p], G[0, 1, p], G[0, 2, p] = scale * r00, scale * r01, scale * r02
        G[1, 0, p] = scale * (q12 * q20 - q10 * q22)
        G[1, 1, p] = scale * (q00 * q22 - q02 * q20)
        G[1, 2, p] = scale * (q02 * q10 - q00 * q12)
        G[2, 0, p] = scale * (q10 * q21 - q11 * q20)
        G[2, 1, p] = scale * (q01 * q20 - q00 * q21)
        G[2, 2, p] = scale * (q00 * q11 - q01 * q10)


@compiled
def _spread(layers, fraction, normal, jumps, strain, leaf):
    count, leaves, points = len(layers), leaf.shape[1], strain.shape[1]
    e = np.empty((count, 6, LANES))
    a = np.empty((6, LANES))
    for first in range(0, points, LANES):
        width = min(LANES, points - first)
        for i in range(6):
            for p in range(width):
                e[count - 1, i, p] = strain[i, first + p]
        for m in range(count - 1, -1, -1):
            f, rest = fraction[m], 1 - fraction[m]
            n0, n1, n2 = normal[m]
            h0, h1, h2 = _ROOT * n0, _ROOT * n1, _ROOT * n2
            for p in range(width):
                a0, a1, a2 = (
                    -jumps[m, 0, 6, first + p],
                    -jumps[m, 1, 6, first + p],
                    -jumps[m, 2, 6, first + p],
                )
                for j in range(6):
                    a0 -= jumps[m, 0, j, first + p] * e[m, j, p]
                    a1 -= jumps[m, 1, j, first + p] * e[m, j, p]
                    a2 -= jumps[m, 2, j, first + p] * e[m, j, p]
                a[0, p], a[1, p], a[2, p] = n0 * a0, n1 * a1, n2 * a2
                a[3, p] = h2 * a1 + h1 * a2
                a[4, p] = h2 * a0 + h0 * a2
                a[5, p] = h1 * a0 + h0 * a1
            for side in range(2):
                layer, share = layers[m, side], rest if side == 0 else -f
                for i in range(6):
                    if layer < leaves:
                        for p in range(width):
                            leaf[i, layer, first + p] = e[m, i, p] + share * a[i, p]
                    else:
                        for p in range(width):
                            e[layer - leaves, i, p] = e[m, i, p] + share * a[i, p]
