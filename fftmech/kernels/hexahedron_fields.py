"""Strain, stress and energy density of a displacement, planes across z at a time."""

from typing import NamedTuple

import numpy as np

from fftmech.kernels import hexahedron as h
from fftmech.kernels.central import _nodes as _central_nodes
from fftmech.kernels.compiled import U, compiled, inlined
from fftmech.kernels.hexahedron import ONE, L

ROOT_HALF, ROOT_TWO = 0.5**0.5, 2**0.5


class Fields(NamedTuple):
    """Eigenstrain, and flat voxel averages to be written, of m planes across z."""

    eigenstrain: np.ndarray  # by row of the body's table, Mandel, (P, 6)
    order: tuple[int, ...]  # place of each of the kernel's components in a tensor
    planes: tuple[int, int]  # the first, and the one after the last
    strain: np.ndarray  # Mandel, (6 nx ny m)
    stress: np.ndarray  # Mandel, (6 nx ny m)
    energy: np.ndarray  # 1/2 (strain - eigenstrain) : stress, (nx ny m)


@inlined
def _strains(s, strain, i, size, order, count, body):
    """Mandel strain of a line, written component by component."""
    g, w, E = body.g, body.w, body.E
    gx, gy, gz = g[0], g[1], g[2]
    i0, i1, i2 = i + size * order[0], i + size * order[1], i + size * order[2]
    i3, i4, i5 = i + size * order[3], i + size * order[4], i + size * order[5]
    for k in range(count):
        j = k + ONE
        n = j + ONE
        strain[i0 + k] = E[0] + gx * (s[h.DXx + j] + w * s[h.DXx + n])
        strain[i1 + k] = E[1] + gy * (s[h.DYy + j] + w * s[h.DYy + n])
        strain[i2 + k] = E[2] + gz * (s[h.SSz + n] - s[h.SSz + j])
        yz = gz * (s[h.SSy + n] - s[h.SSy + j])
        yz += E[3] + gy * (s[h.DYz + j] + w * s[h.DYz + n])
        strain[i3 + k] = ROOT_HALF * yz
        xz = gz * (s[h.SSx + n] - s[h.SSx + j])
        xz += E[4] + gx * (s[h.DXz + j] + w * s[h.DXz + n])
        strain[i4 + k] = ROOT_HALF * xz
        xy = gy * (s[h.DYx + j] + w * s[h.DYx + n])
        xy += E[5] + gx * (s[h.DXy + j] + w * s[h.DXy + n])
        strain[i5 + k] = ROOT_HALF * xy


@inlined
def _hourglass_energy(s, j):
    """Twice the energy density of the modes with two and three differences."""
    n = j + ONE
    total = s[j] - s[j]
    for c in range(U(3)):
        q, dx = s[(U(6) * c + U(5)) * L + j], s[(U(6) * c + U(2)) * L + j]
        dy = s[(U(6) * c + U(3)) * L + j]
        qn, dxn = s[(U(6) * c + U(5)) * L + n], s[(U(6) * c + U(2)) * L + n]
        dyn = s[(U(6) * c + U(3)) * L + n]
        f = (U(h.HOURGLASS) + U(4) * c) * L + j
        total += (q + qn) * s[f] + (dxn - dx) * s[f + L]
        total += (dyn - dy) * s[f + U(2) * L] + (qn - q) * s[f + U(3) * L]
    return total


def _fields(full: bool, central: bool = False):
    @compiled
    def fields(u, body, out, first, last, scratch):
        shape, order, w = body.shape, out.order, body.w
        strain, stress = out.strain, out.stress
        _, s, ids = scratch
        nx, ny, nz = U(shape[0]), U(shape[1]), U(shape[2])
        low, high = U(out.planes[0]), U(out.planes[1])
        size = nx * ny * (high - low)
        for z0 in range(low, high, U(h.CHUNK)):
            n = min(U(h.CHUNK), high - z0)
            part = z0, (z0 + nz - ONE) % nz, (z0 + n) % nz, n
            for x in range(first, last):
                xa = U(x)
                for y in range(-1, shape[1]):
                    if not central:
                        h._nodes(u, body, xa, y, part, s, full)
                    if y == -1:
                        continue
                    if central:
                        _central_nodes(u, body, xa, U(y), z0, n, s)
                    line = (xa * ny + U(y)) * nz
                    if full:
                        h._stresses(body, line, part, s, ids, h._hourglass)
                    else:
                        h._stresses(body, line, part, s, ids, h._no_hourglass)
                    i = (xa * ny + U(y)) * (high - low) + z0 - low
                    _strains(s, strain, i, size, order, n, body)
                    for k in range(n):
                        j = k + ONE
                        e0 = out.eigenstrain[ids[j]]
                        total = _hourglass_energy(s, j) if full else w - w
                        for m in range(U(6)):
                            at = i + k + size * order[m]
                            sig = s[h.S0 + m * L + j]
                            if m >= U(3):
                                sig *= ROOT_TWO
                            stress[at] = sig
                            total += sig * (strain[at] - e0[order[m]])
                        out.energy[i + k] = total / 2

    return fields


fields = {False: _fields(False), True: _fields(True)}
central_fields = _fields(False, central=True)
"""The compiled fields(u, body, out, first, last, scratch) by whether the scheme has
modes with several differences: see `hexahedron.operators`, and `Fields` for `out`.
"""
