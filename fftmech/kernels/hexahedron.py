"""D* C D u fused over voxels, for schemes whose nodes are the corners of a voxel.

Nodal values at the eight corners of a voxel are sums (s) and differences (d) along each
axis: eight modes a component. The modes with one difference, dss, sds and ssd, are the
derivatives of `rotated`, constant in the voxel. Two-point Gauss integration of a
trilinear hexahedron (`hex8`) adds the modes with two and three differences; its strain

    e = e_1 + x e_x + y e_y + z e_z + yz e_yz + xz e_xz + xy e_xy,    x, y, z = +-3^-1/2

has terms that are orthogonal, so that they carry energy with weights 1, 1/3 and 1/9 and
seven small products with C replace eight large ones. `bbar` leaves the trace out of all
but e_1: its C between the other terms is that of deviators. `forward` is `rotated` with
a sum that takes the lower node alone, a + w b with w = 0.

A thread takes a slab of x planes, in each the lines along z, and in these chunks that
fit the first-level cache: from sums and differences of four lines of nodes to stresses
of a line of voxels and back to nodes, of which the half that belongs to the next plane
waits in `keep`. No strain, no stress and no shared sum is in memory; the first plane
below the slab is computed twice.
"""

from typing import Any, NamedTuple

import numpy as np

from fftmech.kernels.compiled import U, compiled, inlined

CHUNK = 256
"""Voxels of a line that are computed together."""

BLOCK = 16
"""Voxels that one loop of a law takes: past the end of a phase if need be."""

# Rows of scratch have a constant pitch, so that the compiler knows that they do not
# overlap; 19 lines of 64 bytes keep single-precision rows in different sets of the
# cache.
L = U(CHUNK + 3 * BLOCK)

# Row numbers: per component S T (node line), then DX DY SS DXY (voxel line); stresses;
# forces of the modes dds dsd sdd ddd by component; by component two sums that wait for
# the next line, and the two results.
STRESS, HOURGLASS, NODES, ROWS = 18, 24, 36, 48
R = [U(row) * L for row in range(ROWS)]
(
    (DXx, DYx, SSx, Qx),
    (DXy, DYy, SSy, Qy),
    (DXz, DYz, SSz, Qz),
) = ((R[6 * c + 2], R[6 * c + 3], R[6 * c + 4], R[6 * c + 5]) for c in range(3))
S0, S1, S2, S3, S4, S5 = R[STRESS:HOURGLASS]
(
    (HXYx, HXZx, HYZx, Hx),
    (HXYy, HXZy, HYZy, Hy),
    (HXYz, HXZz, HYZz, Hz),
) = (R[HOURGLASS + 4 * c : HOURGLASS + 4 * c + 4] for c in range(3))
NODEx, NODEy, NODEz = (R[NODES + 4 * c] for c in range(3))
ONE, TWO, THREE, FOUR, FIVE = (U(i) for i in range(1, 6))

# Rows that the forces along x, y and z come from, and where they go.
FORCES_X = S0, S5, S4, HXYx, HXZx, HYZx, Hx, NODEx
FORCES_Y = S5, S1, S3, HXYy, HXZy, HYZy, Hy, NODEy
FORCES_Z = S4, S3, S2, HXYz, HXZz, HYZz, Hz, NODEz


class Body(NamedTuple):
    """A body under a mean strain, as compiled operators read it.

    Rows of `table`, (P, 27) or (P, 48), are the upper triangle of the Voigt stiffness
    by rows, the stress that is subtracted, and, where modes with several differences
    count, the stiffness for these.
    """

    phase: np.ndarray  # row of the table of each voxel, flat
    table: np.ndarray
    g: np.ndarray  # scale of the difference along each axis
    w: Any  # weight of the upper node in a sum
    E: np.ndarray  # mean strain, xx yy zz and engineering shears yz xz xy
    shape: tuple[int, int, int]  # voxels along the three axes
    order: tuple[int, int, int]  # which component of a vector belongs to each axis


class Scratch(NamedTuple):
    """Scratch of one thread."""

    keep: np.ndarray  # forces on the next plane
    s: np.ndarray  # rows of numbers
    ids: np.ndarray  # rows of the table


@inlined
def _to_voxels(u, ia, ib, s, row, count, w, full):
    """Lines of nodes at x and x + 1: sums, differences; the same with the last line."""
    for j in range(count):
        a = u[ia + j]
        b = u[ib + j]
        k = row + j
        S = s[k]
        T = s[k + L]
        total = a + w * b
        difference = b - a
        s[k] = total
        s[k + L] = difference
        s[k + TWO * L] = T + w * difference
        s[k + THREE * L] = total - S
        s[k + FOUR * L] = S + w * total
        if full:
            s[k + FIVE * L] = difference - T


@inlined
def _law(s, k, C, g, w, E):
    """Stress of BLOCK voxels of one phase, C (E + sym D u) - s0, in Voigt's sense."""
    C00, C01, C02, C03, C04, C05 = C[0], C[1], C[2], C[3], C[4], C[5]
    C11, C12, C13, C14, C15 = C[6], C[7], C[8], C[9], C[10]
    C22, C23, C24, C25 = C[11], C[12], C[13], C[14]
    C33, C34, C35, C44, C45, C55 = C[15], C[16], C[17], C[18], C[19], C[20]
    s0, s1, s2, s3, s4, s5 = C[21], C[22], C[23], C[24], C[25], C[26]
    E0, E1, E2, E3, E4, E5 = E[0], E[1], E[2], E[3], E[4], E[5]
    gx, gy, gz = g[0], g[1], g[2]
    t = s[k:]
    for i in range(BLOCK):
        j = U(i)
        n = j + ONE
        e0 = E0 + gx * (t[DXx + j] + w * t[DXx + n])
        e1 = E1 + gy * (t[DYy + j] + w * t[DYy + n])
        e2 = E2 + gz * (t[SSz + n] - t[SSz + j])
        yz = gz * (t[SSy + n] - t[SSy + j])
        e3 = E3 + yz + gy * (t[DYz + j] + w * t[DYz + n])
        xz = gz * (t[SSx + n] - t[SSx + j])
        e4 = E4 + xz + gx * (t[DXz + j] + w * t[DXz + n])
        xy = gy * (t[DYx + j] + w * t[DYx + n])
        e5 = E5 + xy + gx * (t[DXy + j] + w * t[DXy + n])
        t[S0 + j] = C00 * e0 + C01 * e1 + C02 * e2 + C03 * e3 + C04 * e4 + C05 * e5 - s0
        t[S1 + j] = C01 * e0 + C11 * e1 + C12 * e2 + C13 * e3 + C14 * e4 + C15 * e5 - s1
        t[S2 + j] = C02 * e0 + C12 * e1 + C22 * e2 + C23 * e3 + C24 * e4 + C25 * e5 - s2
        t[S3 + j] = C03 * e0 + C13 * e1 + C23 * e2 + C33 * e3 + C34 * e4 + C35 * e5 - s3
        t[S4 + j] = C04 * e0 + C14 * e1 + C24 * e2 + C34 * e3 + C44 * e4 + C45 * e5 - s4
        t[S5 + j] = C05 * e0 + C15 * e1 + C25 * e2 + C35 * e3 + C45 * e4 + C55 * e5 - s5


@inlined
def _hourglass(s, k, C, g):
    """Forces of the modes with two and three differences, for BLOCK voxels.

    One loop, written out: products with the zeros of e_x, e_y and e_z are left out, and
    what the seven modes share is read once.
    """
    C = C[27:]
    C00, C01, C02, C03, C04, C05 = C[0], C[1], C[2], C[3], C[4], C[5]
    C11, C12, C13, C14, C15 = C[6], C[7], C[8], C[9], C[10]
    C22, C23, C24, C25 = C[11], C[12], C[13], C[14]
    C33, C34, C35, C44, C45, C55 = C[15], C[16], C[17], C[18], C[19], C[20]
    gx, gy, gz = g[0], g[1], g[2]
    third = (gx - gx + 1) / 3
    t = s[k:]
    for i in range(BLOCK):
        j = U(i)
        n = j + ONE
        xyx, xyy, xyz = (
            t[Qx + j] + t[Qx + n],
            t[Qy + j] + t[Qy + n],
            t[Qz + j] + t[Qz + n],
        )
        xzx, xzy, xzz = (
            t[DXx + n] - t[DXx + j],
            t[DXy + n] - t[DXy + j],
            t[DXz + n] - t[DXz + j],
        )
        yzx, yzy, yzz = (
            t[DYx + n] - t[DYx + j],
            t[DYy + n] - t[DYy + j],
            t[DYz + n] - t[DYz + j],
        )
        # e_x: D_y from dds, D_z from dsd
        e1, e2, e3 = gy * xyy, gz * xzz, gy * xyz + gz * xzy
        e4, e5 = gz * xzx, gy * xyx
        s1 = C11 * e1 + C12 * e2 + C13 * e3 + C14 * e4 + C15 * e5
        s2 = C12 * e1 + C22 * e2 + C23 * e3 + C24 * e4 + C25 * e5
        s3 = C13 * e1 + C23 * e2 + C33 * e3 + C34 * e4 + C35 * e5
        s4 = C14 * e1 + C24 * e2 + C34 * e3 + C44 * e4 + C45 * e5
        s5 = C15 * e1 + C25 * e2 + C35 * e3 + C45 * e4 + C55 * e5
        fxyx, fxyy, fxyz = gy * s5, gy * s1, gy * s3
        fxzx, fxzy, fxzz = gz * s4, gz * s3, gz * s2
        # e_y: D_x from dds, D_z from sdd
        e0, e2, e3 = gx * xyx, gz * yzz, gz * yzy
        e4, e5 = gx * xyz + gz * yzx, gx * xyy
        s0 = C00 * e0 + C02 * e2 + C03 * e3 + C04 * e4 + C05 * e5
        s2 = C02 * e0 + C22 * e2 + C23 * e3 + C24 * e4 + C25 * e5
        s3 = C03 * e0 + C23 * e2 + C33 * e3 + C34 * e4 + C35 * e5
        s4 = C04 * e0 + C24 * e2 + C34 * e3 + C44 * e4 + C45 * e5
        s5 = C05 * e0 + C25 * e2 + C35 * e3 + C45 * e4 + C55 * e5
        t[HXYx + j] = third * (fxyx + gx * s0)
        t[HXYy + j] = third * (fxyy + gx * s5)
        t[HXYz + j] = third * (fxyz + gx * s4)
        fyzx, fyzy, fyzz = gz * s4, gz * s3, gz * s2
        # e_z: D_x from dsd, D_y from sdd
        e0, e1, e3 = gx * xzx, gy * yzy, gy * yzz
        e4, e5 = gx * xzz, gx * xzy + gy * yzx
        s0 = C00 * e0 + C01 * e1 + C03 * e3 + C04 * e4 + C05 * e5
        s1 = C01 * e0 + C11 * e1 + C13 * e3 + C14 * e4 + C15 * e5
        s3 = C03 * e0 + C13 * e1 + C33 * e3 + C34 * e4 + C35 * e5
        s4 = C04 * e0 + C14 * e1 + C34 * e3 + C44 * e4 + C45 * e5
        s5 = C05 * e0 + C15 * e1 + C35 * e3 + C45 * e4 + C55 * e5
        t[HXZx + j] = third * (fxzx + gx * s0)
        t[HXZy + j] = third * (fxzy + gx * s5)
        t[HXZz + j] = third * (fxzz + gx * s4)
        t[HYZx + j] = third * (fyzx + gy * s5)
        t[HYZy + j] = third * (fyzy + gy * s1)
        t[HYZz + j] = third * (fyzz + gy * s3)
        # e_yz, e_xz, e_xy: one derivative each, from ddd
        x, y, z = t[Qx + n] - t[Qx + j], t[Qy + n] - t[Qy + j], t[Qz + n] - t[Qz + j]
        fx = gx * gx * (C00 * x + C05 * y + C04 * z)
        fy = gx * gx * (C05 * x + C55 * y + C45 * z)
        fz = gx * gx * (C04 * x + C45 * y + C44 * z)
        fx += gy * gy * (C55 * x + C15 * y + C35 * z)
        fy += gy * gy * (C15 * x + C11 * y + C13 * z)
        fz += gy * gy * (C35 * x + C13 * y + C33 * z)
        fx += gz * gz * (C44 * x + C34 * y + C24 * z)
        fy += gz * gz * (C34 * x + C33 * y + C23 * z)
        fz += gz * gz * (C24 * x + C23 * y + C22 * z)
        t[Hx + j] = third * third * fx
        t[Hy + j] = third * third * fy
        t[Hz + j] = third * third * fz


@inlined
def _to_nodes(s, rows, count, g, w, full):
    """Transpose of `_to_voxels`: along z, then with the last line along y."""
    sx, sy, sz, xy, xz, yz, xyz, t = rows
    gx, gy, gz = g[0], g[1], g[2]
    for j in range(count):
        n = j + ONE
        ds = gx * (w * s[sx + j] + s[sx + n])
        sd = gy * (w * s[sy + j] + s[sy + n])
        ss = gz * (s[sz + j] - s[sz + n])
        dd = w - w
        if full:
            ds += s[xz + j] - s[xz + n]
            sd += s[yz + j] - s[yz + n]
            dd = (s[xy + j] + s[xy + n]) + (s[xyz + j] - s[xyz + n])
        along = s[t + j] + (ss - sd)
        across = s[t + L + j] + (ds - dd)
        s[t + j] = w * ss + sd
        s[t + L + j] = w * ds + dd
        s[t + TWO * L + j] = along - across
        s[t + THREE * L + j] = w * along + across


@inlined
def _nodes(u, body, xa, y, part, s, full):
    """Lines of nodes at x, x + 1 and y + 1, with one neighbour at each end."""
    shape, order, w = body.shape, body.order, body.w
    z0, before, after, count = part
    nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
    xb = (xa + ONE) % nx
    yb = U(y + 1 + shape[1]) % ny
    for c in range(U(3)):
        row = U(6) * L * c
        a = (U(order[c]) * nx + xa) * ny * nz + yb * nz
        b = (U(order[c]) * nx + xb) * ny * nz + yb * nz
        _to_voxels(u, a + before, b + before, s, row, ONE, w, full)
        _to_voxels(u, a + z0, b + z0, s, row + ONE, count, w, full)
        _to_voxels(u, a + after, b + after, s, row + ONE + count, ONE, w, full)


@inlined
def _no_hourglass(s, k, C, g):
    """Takes the place of `_hourglass`, which then is not compiled at all."""


@inlined
def _stresses(body, line, part, s, ids, hourglass):
    """Stress of a line of voxels, and of the one before it: phase after phase."""
    phase, table, g, w, E = body.phase, body.table, body.g, body.w, body.E
    z0, before, _, count = part
    ids[0] = phase[line + before]
    for j in range(count):
        ids[ONE + j] = phase[line + z0 + j]
    start = U(0)
    while start <= count:
        p = ids[start]
        end = start + ONE
        while end <= count and ids[end] == p:
            end += ONE
        C = table[p]
        for k in range(start, end, U(BLOCK)):
            _law(s, k, C, g, w, E)
            hourglass(s, k, C, g)
        start = end


@inlined
def _write(out, u, i, keep, k, s, t, count):
    """Forces of a line of nodes: both half-planes together; returns <u, f>."""
    work = s.dtype.type(0)
    for j in range(count):
        f = keep[k + j] + s[t + j]
        keep[k + j] = s[t + L + j]
        out[i + j] = f
        work += f * u[i + j]
    return work


@inlined
def _sum(s, row, count):
    total = s.dtype.type(0)
    for j in range(ONE, count + ONE):
        total += s[row + j]
    return total


def _operator(full: bool):
    @compiled
    def operator(u, body, out, sums, first, last, scratch):
        shape, order, g, w = body.shape, body.order, body.g, body.w
        keep, s, ids = scratch
        nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
        for z0 in range(U(0), nz, U(CHUNK)):
            n = min(U(CHUNK), nz - z0)
            part = z0, (z0 + nz - ONE) % nz, (z0 + n) % nz, n
            for x in range(first - 1, last):
                xa = U(x + shape[0]) % nx
                for y in range(-2, shape[1]):
                    _nodes(u, body, xa, y, part, s, full)
                    if y == -2:
                        continue
                    ya = U(y + shape[1]) % ny
                    line = (xa * ny + ya) * nz
                    if full:
                        _stresses(body, line, part, s, ids, _hourglass)
                    else:
                        _stresses(body, line, part, s, ids, _no_hourglass)
                    _to_nodes(s, FORCES_X, n, g, w, full)
                    _to_nodes(s, FORCES_Y, n, g, w, full)
                    _to_nodes(s, FORCES_Z, n, g, w, full)
                    if y == -1:
                        continue
                    for c in range(U(3)):
                        t = NODEx + (FOUR * c + TWO) * L
                        k = (c * ny + ya) * n
                        if x >= first:
                            i = U(order[c]) * nx * ny * nz + line + z0
                            sums[x, 6] += _write(out, u, i, keep, k, s, t, n)
                        else:
                            for j in range(n):
                                keep[k + j] = s[t + L + j]
                    if x >= first:
                        for m in range(U(6)):
                            sums[x, m] += _sum(s, S0 + m * L, n)

    return operator


operators = {False: _operator(False), True: _operator(True)}
"""The compiled operator by whether the scheme has modes with several differences.

operator(u, body, out, sums, first, last, scratch)

Parameters
----------
u, out
    Nodal values and forces, flat (3 nx ny nz).
sums
    (nx, 7), added to: by plane the sums of the six stresses and of u . out.
first, last
    Slab of x planes.
"""


def scratch(shape: tuple[int, int, int], dtype: np.dtype) -> Scratch:
    """Scratch of one thread: 3 ny CHUNK numbers, ROWS L numbers, L integers."""
    return Scratch(
        np.empty(3 * shape[1] * min(CHUNK, shape[2]), dtype),
        np.zeros(ROWS * int(L), dtype),
        np.empty(int(L), np.int32),
    )
