"""The strain rate of a viscoplastic crystal's stress, in one pass over the points.

It shadows `CrystalCreepMaterial.conjugate_strain`. The systems of a point are a SIMD
loop, and whole exponents are powers by multiplication.
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
    exponent = material.constants[1]
    power = exponent.flat[0] - 1
    same = power == int(power) and (exponent == exponent.flat[0]).all()
    whole = int(power) if same else -1
    systems = np.ascontiguousarray(material.schmid.transpose(0, 2, 1))
    constants = systems, material.family, material.bulk, material.linear_below
    slip = np.zeros(stress.shape[1]) if state is None else state.sum(axis=0)
    stress, strain = np.ascontiguousarray(stress), np.empty(stress.shape)

    def part(first: int, last: int) -> None:
        fields = rows, stress, slip, strain
        _strain(*constants, material.constants, *fields, whole, first, last)

    parallel(part, stress.shape[1], threads)
    return strain


@compiled
def _strain(
    systems,
    family,
    bulk,
    below,
    law,
    rows,
    stress,
    slip,
    strain,
    whole,
    first,
    last,
):
    count, families = systems.shape[2], law.shape[2]
    x, size, power = np.empty(count), np.empty(count), np.empty(count)
    softer, rate, exponent = np.empty(count), np.empty(count), np.empty(count)
    for p in range(U(first), U(last)):
        row = rows[p]
        P = systems[row]
        for f in range(families):
            hardening = law[2, row, f], law[3, row, f], law[4, row, f], law[5, row, f]
            g, _ = resistance(slip[p], *hardening)
            for a in range(count):
                if family[a] == f:
                    softer[a], rate[a] = 1 / g, law[0, row, f]
                    exponent[a] = law[1, row, f]
        x[:] = 0.0
        for k in range(6):
            for a in range(count):
                x[a] += P[k, a] * stress[k, p]
        for a in range(count):
            x[a] *= softer[a]
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
        for a in range(count):
            x[a] *= rate[a] * power[a]
        volume = (stress[0, p] + stress[1, p] + stress[2, p]) / (9 * bulk[row])
        for k in range(6):
            total = volume if k < 3 else 0.0
            for a in range(count):
                total += P[k, a] * x[a]
            strain[k, p] = total
