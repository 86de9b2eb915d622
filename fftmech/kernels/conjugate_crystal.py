"""The strain rate of a viscoplastic crystal's stress, in one pass over the points.

It shadows `CrystalCreepMaterial.conjugate_strain`. The systems of a point are a SIMD
loop, and whole exponents are powers by multiplication.
"""

from typing import Any

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels.compiled import U, compiled
from fftmech.materials.crystal_creep import CrystalCreepMaterial


def conjugate_strain(
    material: CrystalCreepMaterial,
    rows: Any,
    stress: Any,
    state: Any = None,
    threads: int = 1,
) -> Any:
    """See `Material.conjugate_strain`; `threads` share the points."""
    rate0, exponent, g = material._resistance(rows, stress, state)
    power = exponent.flat[0] - 1
    same = power == int(power) and (exponent == exponent.flat[0]).all()
    whole = int(power) if same else -1
    systems = np.ascontiguousarray(material.schmid.transpose(0, 2, 1))
    strain = np.empty_like(stress, dtype=float)
    constants = systems, material.family, material.bulk, material.linear_below

    def part(first: int, last: int) -> None:
        fields = rows, np.ascontiguousarray(stress), g, rate0, exponent, strain
        _strain(*constants, *fields, whole, first, last)

    parallel(part, stress.shape[1], threads)
    return strain


@compiled
def _strain(
    systems,
    family,
    bulk,
    below,
    rows,
    stress,
    g,
    rate0,
    exponent,
    strain,
    whole,
    first,
    last,
):
    count = systems.shape[2]
    x, size, power = np.empty(count), np.empty(count), np.empty(count)
    for p in range(U(first), U(last)):
        row = rows[p]
        P = systems[row]
        x[:] = 0.0
        for k in range(6):
            for a in range(count):
                x[a] += P[k, a] * stress[k, p]
        for a in range(count):
            x[a] /= g[p, family[a]]
            size[a] = max(abs(x[a]), below[row, family[a]])
        if whole < 0:
            for a in range(count):
                power[a] = size[a] ** (exponent[p, family[a]] - 1)
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
            x[a] *= rate0[p, family[a]] * power[a]
        volume = (stress[0, p] + stress[1, p] + stress[2, p]) / (9 * bulk[row])
        for k in range(6):
            total = volume if k < 3 else 0.0
            for a in range(count):
                total += P[k, a] * x[a]
            strain[k, p] = total
