"""The conjugate potential of viscoplastic crystals and its derivative, point by point.

It shadows `CrystalCreepMaterial.conjugate_strain` and `conjugate_energy`. Points are
taken in the order of their rows: some points of one row, the lanes, share the constants
of each system, and loops over them become SIMD.
"""

from typing import Any

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels.compiled import U, compiled
from fftmech.kernels.crystal_newton import resistance
from fftmech.materials.crystal_creep import CrystalCreepMaterial

LANES = 16
L, SIX = U(LANES), U(6)
ZERO, ONE, TWO, THREE, FOUR, FIVE = (U(i) for i in range(6))

BITS = 64
"""Whole powers below this one are products of squares."""


class Conjugate:
    """The kernel on the points of a body.

    Parameters
    ----------
    material
        Its law.
    rows
        Of each point, (n,).
    threads
        They share the points.
    """

    def __init__(
        self, material: CrystalCreepMaterial, rows: Any, threads: int = 1
    ) -> None:
        self._material, self._rows, self._threads = material, rows, threads
        self._order = _order(rows)

    def strain(self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0) -> Any:
        """See `Material.conjugate_strain`."""
        return self._both(rows, stress, state, energies=0)[0]

    def energy(self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0) -> Any:
        """See `Material.conjugate_energy`."""
        return self._both(rows, stress, state, energies=stress.shape[1])[1]

    def _both(
        self, rows: Any, stress: Any, state: Any, energies: int
    ) -> tuple[Any, Any]:
        """dw*/ds, (6, n), and w* of so many of the points, none or all."""
        material = self._material
        powers = np.unique(material.constants[1]) - 1
        whole = len(powers) == 1 and powers[0] == int(powers[0]) < BITS
        bits = [bool(int(powers[0]) >> bit & 1) for bit in range(6)] if whole else []
        # crystals may have turned since the last time
        law = np.ascontiguousarray(material.schmid), material.family, material.bulk
        law = *law, material.linear_below, material.constants, np.array(bits, bool)
        order = self._order if rows is self._rows else _order(rows)
        held = np.empty((0, 0))
        slip = np.zeros(stress.shape[1]) if state is None else state.sum(axis=0)
        if material.interactions is not None:
            state = material.start(rows) if state is None else state
            held = material.resistances(rows, state)
        stress, strain = np.ascontiguousarray(stress), np.empty(stress.shape)
        fields = rows, order, stress, slip, held, strain, np.empty(energies)

        def part(first: int, last: int) -> None:
            _conjugate(*law, *fields, first, last)

        parallel(part, stress.shape[1], self._threads)
        return strain, fields[-1]


def _order(rows: Any) -> Any:
    return np.argsort(rows, kind="stable").astype(np.int32)


@compiled
def _conjugate(
    systems,
    family,
    bulk,
    below,
    law,
    bits,
    rows,
    order,
    stress,
    slip,
    held,
    strain,
    energy,
    first,
    last,
):
    count, whole, energies = U(systems.shape[1]), len(bits) > 0, len(energy) > 0
    b0 = b1 = b2 = b3 = b4 = b5 = False
    if whole:
        b0, b1, b2 = bits[ZERO], bits[ONE], bits[TWO]
        b3, b4, b5 = bits[THREE], bits[FOUR], bits[FIVE]
    s, e = np.empty((6, LANES)), np.empty((6, LANES))
    g, x, size, w = np.empty((4, LANES))
    point = np.empty(LANES, np.int64)
    begin, end = U(first), U(last)
    while begin < end:
        row, lanes = U(rows[U(order[begin])]), U(0)
        while (
            lanes < L
            and begin + lanes < end
            and U(rows[U(order[begin + lanes])]) == row
        ):
            point[lanes] = order[begin + lanes]
            lanes += ONE
        for j in range(lanes, L):
            point[j] = point[ZERO]
        for k in range(SIX):
            for j in range(L):
                s[k, j], e[k, j] = stress[k, U(point[j])], 0.0
        for j in range(L):
            pressure = s[ZERO, j] + s[ONE, j] + s[TWO, j]
            e[ZERO, j] = e[ONE, j] = e[TWO, j] = pressure / (9 * bulk[row])
            w[j] = 0.5 * pressure * e[ZERO, j]
        f = U(0)
        for a in range(count):
            if a == ZERO or U(family[a]) != f:
                f = U(family[a])
                for j in range(L):
                    if len(held) > 0:
                        g[j] = held[U(point[j]), f]
                        continue
                    g[j], _ = resistance(
                        slip[U(point[j])],
                        law[TWO, row, f],
                        law[THREE, row, f],
                        law[FOUR, row, f],
                        law[FIVE, row, f],
                    )
            rate, n, x0 = law[ZERO, row, f], law[ONE, row, f], below[row, f]
            P0, P1, P2 = (
                systems[row, a, ZERO],
                systems[row, a, ONE],
                systems[row, a, TWO],
            )
            P3, P4 = systems[row, a, THREE], systems[row, a, FOUR]
            P5 = systems[row, a, FIVE]
            for j in range(L):
                tau = P0 * s[ZERO, j] + P1 * s[ONE, j] + P2 * s[TWO, j]
                tau += P3 * s[THREE, j] + P4 * s[FOUR, j] + P5 * s[FIVE, j]
                x[j] = tau / g[j]
                size[j] = max(abs(x[j]), x0)
            if whole:
                for j in range(L):
                    z, power = size[j], 1.0
                    power = power * z if b0 else power
                    z *= z
                    power = power * z if b1 else power
                    z *= z
                    power = power * z if b2 else power
                    z *= z
                    power = power * z if b3 else power
                    z *= z
                    power = power * z if b4 else power
                    z *= z
                    size[j] = power * z if b5 else power
            else:
                for j in range(L):
                    size[j] = size[j] ** (n - 1)
            if energies:
                offset = x0 ** (n + 1) * (0.5 - 1 / (n + 1))
                for j in range(L):
                    psi = size[j] * x[j] ** 2
                    psi = psi / (n + 1) + offset if abs(x[j]) > x0 else psi / 2
                    w[j] += rate * g[j] * psi
            for j in range(L):
                x[j] *= rate * size[j]
                e[ZERO, j] += P0 * x[j]
                e[ONE, j] += P1 * x[j]
                e[TWO, j] += P2 * x[j]
                e[THREE, j] += P3 * x[j]
                e[FOUR, j] += P4 * x[j]
                e[FIVE, j] += P5 * x[j]
        for k in range(SIX):
            for j in range(lanes):
                strain[k, U(point[j])] = e[k, j]
        if energies:
            for j in range(lanes):
                energy[U(point[j])] = w[j]
        begin += lanes
