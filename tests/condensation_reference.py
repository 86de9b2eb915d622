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


def condense(
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


def spread(
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
