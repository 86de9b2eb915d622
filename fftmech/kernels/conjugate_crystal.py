"""The conjugate potential of viscoplastic crystals and its derivative, point by point.

It shadows `CrystalCreepMaterial.conjugate_strain` and `conjugate_energy`. The systems
of a point are a SIMD loop, and whole exponents are powers by multiplication.
"""

from typing import Any

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels.compiled import U, compiled
from fftmech.kernels.crystal_newton import resistance
from fftmech.materials.crystal_creep import CrystalCreepMaterial


def conjugate_strain(
    material: CrystalCreepMaterial,
    rows: Any,
    stress: Any,
    state: Any = None,
    threads: int = 1,
) -> Any:
    """See `Material.conjugate_strain`; `threads` share the points."""
    return _both(material, rows, stress, state, threads, energies=0)[0]


def conjugate_energy(
    material: CrystalCreepMaterial,
    rows: Any,
    stress: Any,
    state: Any = None,
    threads: int = 1,
) -> Any:
    """See `Material.conjugate_energy`; `threads` share the points."""
    return _both(material, rows, stress, state, threads, energies=stress.shape[1])[1]


def _both(
    material: CrystalCreepMaterial,
    rows: Any,
    stress: Any,
    state: Any,
    threads: int,
    energies: int,
) -> tuple[Any, Any]:
    """dw*/ds, (6, n), and w* of so many of the points, none or all."""
    exponent = material.constants[1]
    power = exponent.flat[0] - 1
    same = power == int(power) and (exponent == exponent.flat[0]).all()
    whole = int(power) if same else -1
    systems = np.ascontiguousarray(material.schmid.transpose(0, 2, 1))
    laws = systems, material.family, material.bulk, material.linear_below
    slip = np.zeros(stress.shape[1]) if state is None else state.sum(axis=0)
    stress, strain = np.ascontiguousarray(stress), np.empty(stress.shape)
    energy = np.empty(energies)

    def part(first: int, last: int) -> None:
        fields = rows, stress, slip, strain, energy
        _conjugate(*laws, material.constants, *fields, whole, first, last)

    parallel(part, stress.shape[1], threads)
    return strain, energy


@compiled
def _conjugate(
    systems,
    family,
    bulk,
    below,
    law,
    rows,
    stress,
    slip,
    strain,
    energy,
    whole,
    first,
    last,
):
    count, families = systems.shape[2], law.shape[2]
    x, size, power = np.empty(count), np.empty(count), np.empty(count)
    g, rate, exponent = np.empty(count), np.empty(count), np.empty(count)
    for p in range(U(first), U(last)):
        row = rows[p]
        P = systems[row]
        for f in range(families):
            hardening = law[2, row, f], law[3, row, f], law[4, row, f], law[5, row, f]
            own, _ = resistance(slip[p], *hardening)
            for a in range(count):
                if family[a] == f:
                    g[a], rate[a], exponent[a] = own, law[0, row, f], law[1, row, f]
        x[:] = 0.0
        for k in range(6):
            for a in range(count):
                x[a] += P[k, a] * stress[k, p]
        for a in range(count):
            x[a] /= g[a]
            size[a] = max(abs(x[a]), below[row, family[a]])
        if whole < 0:
            for a in range(count):
                power[a] = size[a] ** (exponent[a] - 1)
        else:
            power[:] = 1.0
            left = whole
            while left > 0:
                if left & 1:
                    for a in range(count):
                        power[a] *= size[a]
                left >>= 1
                for a in range(count):
                    size[a] *= size[a]
        pressure = stress[0, p] + stress[1, p] + stress[2, p]
        volume = pressure / (9 * bulk[row])
        if len(energy) > 0:
            total = 0.5 * pressure * volume
            for a in range(count):
                n, x0 = exponent[a], below[row, family[a]]
                psi = power[a] * x[a] ** 2 / 2
                if abs(x[a]) > x0:
                    psi *= 2 / (n + 1)
                    psi += x0 ** (n + 1) * (0.5 - 1 / (n + 1))
                total += rate[a] * g[a] * psi
            energy[p] = total
        for a in range(count):
            x[a] *= rate[a] * power[a]
        for k in range(6):
            total = volume if k < 3 else 0.0
            for a in range(count):
                total += P[k, a] * x[a]
            strain[k, p] = total
