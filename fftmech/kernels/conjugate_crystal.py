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
        # of the last state: lines are searched in one
        self._hardness: tuple[Any, Any] = None, None

    def strain(self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0) -> Any:
        """See `Material.conjugate_strain`."""
        return self._all(rows, stress, state)[0]

    def energy(self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0) -> Any:
        """See `Material.conjugate_energy`."""
        return self._all(rows, stress, state, energies=stress.shape[1])[1]

    def state_after(self, rows: Any, stress: Any, state: Any, dt: float) -> Any:
        """See `Material.state_after`."""
        if self._material.interactions is not None:
            return self._material.state_after(rows, stress, state, dt)
        slip = dt * self._all(rows, stress, state, slips=stress.shape[1])[2]
        return np.stack([state[0] + slip, slip])

    def _all(
        self, rows: Any, stress: Any, state: Any, energies: int = 0, slips: int = 0
    ) -> tuple[Any, Any, Any]:
        """dw*/ds, (6, n), w* and slip rates, of so many points: none or all."""
        material = self._material
        powers = np.unique(material.constants[1]) - 1
        whole = len(powers) == 1 and powers[0] == int(powers[0]) < BITS
        bits = [bool(int(powers[0]) >> bit & 1) for bit in range(6)] if whole else []
        # crystals may have turned since the last time
        law = np.ascontiguousarray(material.schmid), material.family, material.bulk
        constants = np.ascontiguousarray(material.constants)
        law = *law, material.linear_below, constants, np.array(bits, bool)
        order = self._order if rows is self._rows else _order(rows)
        stress, strain = np.ascontiguousarray(stress), np.empty(stress.shape)
        results = strain, np.empty(energies), np.empty(slips)
        fields = rows, order, stress, self._hard(rows, stress, state), *results

        def part(first: int, last: int) -> None:
            _conjugate(*law, *fields, first, last)

        parallel(part, stress.shape[1], self._threads)
        return results

    def _hard(self, rows: Any, stress: Any, state: Any) -> Any:
        """1 / g of each family, (F, n)."""
        material = self._material
        if state is None or self._hardness[0] is not state:
            if material.interactions is not None:
                own = material.start(rows) if state is None else state
                softness = np.ascontiguousarray(1 / material.resistances(rows, own).T)
                self._hardness = state, softness
                return softness
            slip = np.zeros(stress.shape[1]) if state is None else state.sum(axis=0)
            softness = np.empty((material.constants.shape[2], len(slip)))
            constants = np.ascontiguousarray(material.constants)
            _resistances(constants, rows, slip, softness)
            self._hardness = state, softness
        return self._hardness[1]


def _order(rows: Any) -> Any:
    return np.argsort(rows, kind="stable").astype(np.int32)


@compiled
def _resistances(law, rows, slip, softness):
    """1 / g of each family at each point."""
    for f in range(U(len(softness))):
        for i in range(len(slip)):
            row = U(rows[i])
            g, _ = resistance(
                slip[i],
                law[TWO, row, f],
                law[THREE, row, f],
                law[FOUR, row, f],
                law[FIVE, row, f],
            )
            softness[f, i] = 1 / g


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
    softness,
    strain,
    energy,
    slips,
    first,
    last,
):
    count, whole, energies = U(systems.shape[1]), len(bits) > 0, len(energy) > 0
    b0 = b1 = b2 = b3 = b4 = b5 = False
    if whole:
        b0, b1, b2 = bits[ZERO], bits[ONE], bits[TWO]
        b3, b4, b5 = bits[THREE], bits[FOUR], bits[FIVE]
    s, e = np.empty((6, LANES)), np.empty((6, LANES))
    h, x, size, w, total = np.empty((5, LANES))
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
            w[j], total[j] = 0.5 * pressure * e[ZERO, j], 0.0
        f = U(0)
        for a in range(count):
            if a == ZERO or U(family[a]) != f:
                f = U(family[a])
                for j in range(L):
                    h[j] = softness[f, U(point[j])]
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
                x[j] = tau * h[j]
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
                    w[j] += rate / h[j] * psi
            for j in range(L):
                x[j] *= rate * size[j]
                total[j] += abs(x[j])
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
        if len(slips) > 0:
            for j in range(lanes):
                slips[U(point[j])] = total[j]
        begin += lanes
