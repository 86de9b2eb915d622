"""Derivatives of nodal values at the integration points, and their adjoint.

Schemes whose nodes are corners have, at each point of a voxel, a mean m (lower, upper)
along each axis, which the differences along the others take. With the four lines of
nodes u_ij at x + i, y + j,

    D_x u = m_z (sum_j m_yj (u_1j - u_0j))
    D_y u = m_z (sum_i m_xi (u_i1 - u_i0))
    D_z u = d_z (sum_ij m_xi m_yj u_ij)

there are three lines between a line of voxels and its nodes. The adjoint goes the same
way back: forces of a line of voxels on the nodes at y + 1 are kept for the next line,
and those on the nodes at x + 1 for the next plane.

A thread takes a slab of x planes; the adjoint computes the one below it twice.
"""

from typing import Any, NamedTuple

import numpy as np

from fftmech.kernels.compiled import U, compiled, inlined

CHUNK = 256
"""Voxels of a line that are computed together."""

# Rows of scratch have a constant pitch: see `fftmech.kernels.tile`.
L = U(CHUNK + 48)

# Rows of a component: three lines of nodes or of voxels, and the derivatives; in the
# adjoint, what goes to the nodes at (x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1).
A0, A1, A2, D0, D1, D2 = (U(row) * L for row in range(6))
TO00, TO10, TO01, TO11 = (U(row) * L for row in range(3, 7))
COMPONENT = U(7) * L
ROWS = 21
ONE, TWO, THREE = U(1), U(2), U(3)


class ToPoints(NamedTuple):
    """How `gradient` goes from nodes to integration points.

    Component c of the strain is `factors[c]` times the sum of two derivatives, of which
    `pairs[c]` are the numbers 3 i + j.
    """

    shape: tuple[int, int, int]  # voxels along the three axes
    order: tuple[int, int, int]  # which component of u belongs to each axis
    central: bool  # whether differences are central ones: then there are no means
    means: np.ndarray  # weights of the lower and the upper node by axis, (q, 3, 2)
    g: np.ndarray  # scale of the difference by axis, (q, 3)
    pairs: np.ndarray
    factors: np.ndarray


class ToNodes(NamedTuple):
    """How the adjoints go back, with `shape`, `order`, `means`, `g` of `ToPoints`."""

    shape: tuple[int, int, int]
    order: tuple[int, int, int]
    means: np.ndarray
    g: np.ndarray
    rows: np.ndarray  # component of the stress by 3 i + j, (9,)
    factors: np.ndarray  # and its factor over the number of points, (9,)


VOXELS = 512
"""Voxels of which `mean_trace` works on one component after the other."""


@inlined
def _corner_lines(u, lines, count, s, row, m):
    a, b, c, d = lines
    mx0, mx1, my0, my1 = m[0, 0], m[0, 1], m[1, 0], m[1, 1]
    for j in range(count):
        u00, u10, u01, u11 = u[a + j], u[b + j], u[c + j], u[d + j]
        k = row + j
        s[k + A0] = my0 * (u10 - u00) + my1 * (u11 - u01)
        s[k + A1] = mx0 * (u01 - u00) + mx1 * (u11 - u10)
        s[k + A2] = mx0 * (my0 * u00 + my1 * u01) + mx1 * (my0 * u10 + my1 * u11)


@inlined
def _corner_derivatives(u, i, shape, part, s, row, m, g):
    """Derivatives of one component on a part of a line of voxels."""
    x, y, z0, n = part
    nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
    xb, yb, after = (x + ONE) % nx, (y + ONE) % ny, (z0 + n) % nz
    mz0, mz1 = m[2, 0], m[2, 1]
    gx, gy, gz = g[0], g[1], g[2]
    a, b = i + (x * ny + y) * nz, i + (xb * ny + y) * nz
    c, d = i + (x * ny + yb) * nz, i + (xb * ny + yb) * nz
    _corner_lines(u, (a + z0, b + z0, c + z0, d + z0), n, s, row, m)
    last = a + after, b + after, c + after, d + after
    _corner_lines(u, last, ONE, s, row + n, m)
    for j in range(n):
        k = row + j
        s[k + D0] = gx * (mz0 * s[k + A0] + mz1 * s[k + A0 + ONE])
        s[k + D1] = gy * (mz0 * s[k + A1] + mz1 * s[k + A1 + ONE])
        s[k + D2] = gz * (s[k + A2 + ONE] - s[k + A2])


@inlined
def _central_derivatives(u, i, shape, part, s, row, g):
    """The same for central differences, whose nodes are the voxels."""
    x, y, z0, n = part
    nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
    gx, gy, gz = g[0], g[1], g[2]
    left = i + ((x + nx - ONE) % nx * ny + y) * nz + z0
    right = i + ((x + ONE) % nx * ny + y) * nz + z0
    front = i + (x * ny + (y + ny - ONE) % ny) * nz + z0
    back = i + (x * ny + (y + ONE) % ny) * nz + z0
    here = i + (x * ny + y) * nz
    s[row + A2] = u[here + (z0 + nz - ONE) % nz]
    s[row + A2 + n + ONE] = u[here + (z0 + n) % nz]
    for j in range(n):
        s[row + A2 + ONE + j] = u[here + z0 + j]
    for j in range(n):
        k = row + j
        s[k + D0] = gx * (u[right + j] - u[left + j])
        s[k + D1] = gy * (u[back + j] - u[front + j])
        s[k + D2] = gz * (s[k + A2 + TWO] - s[k + A2])


@compiled
def gradient(u, mean, out, start, scheme, first, last, s):
    """Strain at the integration points of the planes from `first` to `last`.

    A plane -1 is the last one.

    Parameters
    ----------
    u, out, start
        Nodal values, flat (3 nx ny nz); strain, flat (q c planes ny nz), whose planes
        are those from `start` on.
    mean
        Mean strain, (c,).
    scheme
        `ToPoints`.
    s
        Scratch of the thread, ROWS L numbers.
    """
    shape, order, central, means, g, pairs, factors = scheme
    nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
    size = nx * ny * nz
    components = U(len(mean))
    pitch = U(len(out)) // (U(len(means)) * components)
    for i in range(first, last):
        x, plane = U(i + shape[0]) % nx, U(i - start + shape[0]) % nx
        for y in range(ny):
            for z0 in range(U(0), nz, U(CHUNK)):
                n = min(U(CHUNK), nz - z0)
                to, part = (plane * ny + y) * nz + z0, (x, y, z0, n)
                for q in range(U(len(means))):
                    for c in range(THREE):
                        i, row = U(order[c]) * size, c * COMPONENT
                        if central:
                            _central_derivatives(u, i, shape, part, s, row, g[q])
                        else:
                            m = means[q]
                            _corner_derivatives(u, i, shape, part, s, row, m, g[q])
                    for c in range(components):
                        a, b = U(pairs[c, 0]), U(pairs[c, 1])
                        a = a // THREE * COMPONENT + D0 + a % THREE * L
                        b = b // THREE * COMPONENT + D0 + b % THREE * L
                        i = (q * components + c) * pitch + to
                        f, E = factors[c], mean[c]
                        for j in range(n):
                            out[i + j] = E + f * (s[a + j] + s[b + j])


@inlined
def _row(field, i, before, z0, n, f, s, row):
    """A part of a line of voxels, and the voxel before it, times f; their sum."""
    s[row] = f * field[i + before]
    total = f - f
    for j in range(n):
        value = field[i + z0 + j]
        total += value
        s[row + ONE + j] = f * value
    return total


@inlined
def _to_nodes(s, row, n, m):
    """Transpose of `_corner_derivatives`: along z, then to four lines of nodes."""
    mx0, mx1, my0, my1, mz0, mz1 = m[0, 0], m[0, 1], m[1, 0], m[1, 1], m[2, 0], m[2, 1]
    for j in range(n):
        k = row + j
        x = mz0 * s[k + A0 + ONE] + mz1 * s[k + A0]
        y = mz0 * s[k + A1 + ONE] + mz1 * s[k + A1]
        z = s[k + A2] - s[k + A2 + ONE]
        s[k + TO00] += my0 * (mx0 * z - x) - mx0 * y
        s[k + TO10] += my0 * (mx1 * z + x) - mx1 * y
        s[k + TO01] += my1 * (mx0 * z - x) + mx0 * y
        s[k + TO11] += my1 * (mx1 * z + x) + mx1 * y


@compiled
def adjoint(stress, out, sums, scheme, planes, keep, s):
    """Forces on the nodes of the planes from `first` to `last`, at corners.

    Parameters
    ----------
    stress, out
        Stress, flat (q c planes ny nz); forces, flat (3 nx ny nz).
    sums
        By plane and 3 i + j: added to, the sum of the stress, (nx, 9).
    scheme
        `ToNodes`.
    planes
        First plane of `stress`, then begin, first and last: planes to go through. Those
        before `first` only add to `keep`, which otherwise has their forces already.
    keep, s
        Scratch of the thread, 3 ny nz and ROWS L numbers.
    """
    shape, order, means, g, rows, factors = scheme
    start, begin, first, last = planes
    nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
    size = nx * ny * nz
    points = U(len(means))
    components = U(9) if rows[1] != rows[3] else U(6)
    pitch = U(len(stress)) // (points * components)
    zero = g[0, 0] - g[0, 0]
    for x in range(begin, last):
        plane = U(x - start + shape[0]) % nx
        for z0 in range(U(0), nz, U(CHUNK)):
            n = min(U(CHUNK), nz - z0)
            before = (z0 + nz - ONE) % nz
            for y in range(-1, shape[1]):
                ya = U(y + shape[1]) % ny
                for c in range(THREE):
                    row = c * COMPONENT
                    for j in range(row, row + n):
                        s[j + TO00], s[j + TO10] = s[j + TO01], s[j + TO11]
                        s[j + TO01], s[j + TO11] = zero, zero
                    for q in range(points):
                        for a in range(THREE):
                            ij = THREE * c + a
                            i = (q * components + U(rows[ij])) * pitch
                            i += (plane * ny + ya) * nz
                            f = g[q, a] * factors[ij]
                            total = _row(stress, i, before, z0, n, f, s, row + a * L)
                            if x >= first and y >= 0:
                                sums[x, ij] += total
                        _to_nodes(s, row, n, means[q])
                    if y == -1:
                        continue
                    k = (c * ny + ya) * nz + z0
                    if x >= first:
                        i = U(order[c]) * size + (U(x) * ny + ya) * nz + z0
                        for j in range(n):
                            out[i + j] = keep[k + j] + s[row + TO00 + j]
                    for j in range(n):
                        keep[k + j] = s[row + TO10 + j]


@compiled
def central_adjoint(stress, out, scheme, first, last, s):
    """Forces on nodes at voxel centres; there is one point, and no mean."""
    shape, order, _, g, rows, factors = scheme
    nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
    size = nx * ny * nz
    for x in range(U(first), U(last)):
        xa, xb = (x + nx - ONE) % nx, (x + ONE) % nx
        for y in range(ny):
            ya, yb = (y + ny - ONE) % ny, (y + ONE) % ny
            line = (x * ny + y) * nz
            for z0 in range(U(0), nz, U(CHUNK)):
                n = min(U(CHUNK), nz - z0)
                before, after = (z0 + nz - ONE) % nz, (z0 + n) % nz
                for c in range(THREE):
                    a, b = THREE * c, THREE * c + ONE
                    d = b + ONE
                    fx, fy = g[0, 0] * factors[a], g[0, 1] * factors[b]
                    fz = g[0, 2] * factors[d]
                    i = U(rows[a]) * size + y * nz + z0
                    left, right = i + xa * ny * nz, i + xb * ny * nz
                    i = U(rows[b]) * size + x * ny * nz + z0
                    front, back = i + ya * nz, i + yb * nz
                    i = U(rows[d]) * size + line
                    _row(stress, i, before, z0, n, fz, s, A0)
                    s[A0 + n + ONE] = fz * stress[i + after]
                    i = U(order[c]) * size + line + z0
                    for j in range(n):
                        f = fx * (stress[left + j] - stress[right + j])
                        f += fy * (stress[front + j] - stress[back + j])
                        out[i + j] = f + (s[A0 + j] - s[A0 + j + TWO])


@compiled
def mean_trace(field, points):
    """Give a symmetric tensor the mean of its trace over the points of each voxel.

    `field` is flat, (q 6 n), and changed in place.
    """
    n = U(len(field)) // (U(6) * U(points))
    mean = np.empty(VOXELS, field.dtype)
    # component by component: those of one voxel share a set of the cache
    for begin in range(U(0), n, U(VOXELS)):
        count = min(U(VOXELS), n - begin)
        mean[:] = 0
        for q in range(U(points)):
            i = q * U(6) * n + begin
            for j in range(count):
                mean[j] += field[i + j] + field[i + n + j] + field[i + TWO * n + j]
        mean /= points
        for q in range(U(points)):
            i = q * U(6) * n + begin
            for j in range(count):
                own = field[i + j] + field[i + n + j] + field[i + TWO * n + j]
                shift = (mean[j] - own) / 3
                field[i + j] += shift
                field[i + n + j] += shift
                field[i + TWO * n + j] += shift


def scratch(dtype: Any) -> np.ndarray:
    """Scratch of one thread: s."""
    return np.zeros(ROWS * int(L), dtype)


def kept(shape: tuple[int, int, int], dtype: Any) -> np.ndarray:
    """Scratch of one thread: keep."""
    return np.empty(3 * shape[1] * shape[2], dtype)
