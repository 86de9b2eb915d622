"""D* C D u fused over voxels, for central differences: nodes and voxels coincide.

The law is that of `fftmech.kernels.hexahedron`, on rows that hold central differences.
A thread keeps the stress of three planes x, from which it gathers the forces of the one
in the middle; two planes beside its slab are computed twice.
"""

import numpy as np

from fftmech.kernels.compiled import U, compiled, inlined
from fftmech.kernels.hexahedron import (
    CHUNK,
    ROWS,
    S0,
    L,
    Scratch,
    _no_hourglass,
    _stresses,
    _sum,
)

ONE, TWO, THREE, SIX = U(1), U(2), U(3), U(6)


@inlined
def _line(u, nodes, s, row, count):
    """A part of a line that does not cross the boundary, `below` one node before it."""
    here, left, right, front, back, below = nodes
    for j in range(count):
        s[row + TWO * L + j] = u[right + j] - u[left + j]
        s[row + THREE * L + j] = u[back + j] - u[front + j]
        s[row + U(4) * L + j] = u[below + j] + u[here + j]


@inlined
def _nodes(u, body, x, y, z0, n, s):
    """Differences across x and y, and sums along z of which `_law` takes differences.

    Entry j of a row is voxel z0 - 1 + j, as everywhere in the kernels.
    """
    nx, ny, nz = U(body.shape[0]), U(body.shape[1]), U(body.shape[2])
    for c in range(THREE):
        row = SIX * L * c
        i = U(body.order[c]) * nx * ny * nz
        here = i + (x * ny + y) * nz
        left = i + ((x + nx - ONE) % nx * ny + y) * nz
        right = i + ((x + ONE) % nx * ny + y) * nz
        front = i + (x * ny + (y + ny - ONE) % ny) * nz
        back = i + (x * ny + (y + ONE) % ny) * nz
        for part in range(4):
            # voxel z0 - 1, voxel z0, those that follow, voxel z0 + n
            z = (z0 + nz - ONE) % nz
            count, j = ONE, U(0)
            if part == 1:
                z, j = z0, ONE
            elif part == 2:
                z, j, count = z0 + ONE, TWO, n - ONE
            elif part == 3:
                z, j = (z0 + n) % nz, n + ONE
            below = here + (z + nz - ONE) % nz
            nodes = here + z, left + z, right + z, front + z, back + z, below
            _line(u, nodes, s, row + j, count)


@inlined
def _forces(out, u, i, keep, voxels, count, g):
    """Forces on a part of a line of nodes; returns <u, f>."""
    left, right, front, back, below, above = voxels
    work = keep.dtype.type(0)
    for k in range(count):
        f = g[0] * (keep[left + k] - keep[right + k])
        f += g[1] * (keep[front + k] - keep[back + k])
        f += g[2] * (keep[below + k] - keep[above + k])
        out[i + k] = f
        work += f * u[i + k]
    return work


@compiled
def operator(u, body, out, sums, first, last, scratch):
    """See `fftmech.kernels.hexahedron.operators`; `keep` has 18 ny nz numbers."""
    shape, order, g = body.shape, body.order, body.g
    keep, s, ids = scratch
    nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
    plane = ny * nz
    for x in range(first - 1, last + 1):
        xa = U(x + shape[0]) % nx
        slot = U((x + 3) % 3) * SIX * plane
        for y in range(ny):
            line = (xa * ny + y) * nz
            for z0 in range(U(0), nz, U(CHUNK)):
                n = min(U(CHUNK), nz - z0)
                _nodes(u, body, xa, y, z0, n, s)
                part = z0, (z0 + nz - ONE) % nz, (z0 + n) % nz, n
                _stresses(body, line, part, s, ids, _no_hourglass)
                for m in range(SIX):
                    for j in range(n):
                        keep[slot + m * plane + y * nz + z0 + j] = s[
                            S0 + m * L + j + ONE
                        ]
                    if first <= x and x < last:
                        sums[x, m] += _sum(s, S0 + m * L, n)
        if x <= first:
            continue
        before = U((x + 1) % 3) * SIX * plane
        here = U((x + 2) % 3) * SIX * plane
        for y in range(ny):
            line = (U(x - 1) * ny + y) * nz
            for c in range(3):
                # stress components c x, c y and c z
                cx = U(0) if c == 0 else U(5) if c == 1 else U(4)
                cy = U(5) if c == 0 else U(1) if c == 1 else U(3)
                cz = U(4) if c == 0 else U(3) if c == 1 else U(2)
                i = U(order[c]) * nx * plane + line
                left = before + cx * plane + y * nz
                right = slot + cx * plane + y * nz
                front = here + cy * plane + ((y + ny - ONE) % ny) * nz
                back = here + cy * plane + ((y + ONE) % ny) * nz
                mine = here + cz * plane + y * nz
                for part in range(3):
                    # the first node, those between, and the last where it is another
                    k, count = U(0), ONE
                    if part == 1:
                        k, count = ONE, max(nz, TWO) - TWO
                    elif part == 2:
                        k, count = nz - ONE, min(nz - ONE, ONE)
                    voxels = (
                        left + k,
                        right + k,
                        front + k,
                        back + k,
                        mine + (k + nz - ONE) % nz,
                        mine + (k + ONE) % nz,
                    )
                    at = i + k
                    sums[x - 1, 6] += _forces(out, u, at, keep, voxels, count, g)


def scratch(shape: tuple[int, int, int], dtype: np.dtype) -> Scratch:
    """Scratch of one thread: keep, s and ids of the operator."""
    return Scratch(
        np.empty(18 * shape[1] * shape[2], dtype),
        np.zeros(ROWS * int(L), dtype),
        np.empty(int(L), np.int32),
    )
