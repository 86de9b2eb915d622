"""Strain and conjugate energy of stresses of elasto-viscoplastic crystals, in one pass.

It shadows `CrystalPlasticityMaterial.conjugate_strain` and `conjugate_energy`: slip and
the hardening that it brings are those of `fftmech.kernels.law_crystal`, without any
derivative.
"""

from typing import Any

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels import crystal_lanes as row
from fftmech.kernels import crystal_newton as newton
from fftmech.kernels.compiled import U, compiled
from fftmech.kernels.crystal_lanes import FIVE, FOUR, SIX, THREE, TWO, L
from fftmech.kernels.crystal_points import Lanes, Points, load, make_table, whole
from fftmech.kernels.crystal_tangent import FULL
from fftmech.materials.crystal_plasticity import CrystalPlasticityMaterial


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
        self,
        material: CrystalPlasticityMaterial,
        rows: Any,
        threads: int = 1,
    ) -> None:
        self._material, self._threads = material, threads

    def strain(self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0) -> Any:
        """See `Material.conjugate_strain`."""
        return self._both(rows, stress, state, dt, energies=0)[0]

    def energy(self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0) -> Any:
        """See `Material.conjugate_energy`."""
        return self._both(rows, stress, state, dt, energies=stress.shape[1])[1]

    def _both(
        self, rows: Any, stress: Any, state: Any, dt: float, energies: int
    ) -> tuple[Any, Any]:
        """Strain, (6, n), or that with g held and w* of so many points, all of them."""
        material, count = self._material, stress.shape[1]
        hardens, energy = material.hardens and not energies, np.empty(energies)
        strain, none = np.empty((6, count)), np.zeros(0)
        state = material.start(rows) if state is None else state
        held = none
        if material.interactions is not None:
            held = material.resistances(rows, state).T.reshape(-1)
        points = Points(
            np.ascontiguousarray(rows, np.int32),
            np.asarray(stress, dtype=float).reshape(-1),
            make_table(material, dt),
            np.cumsum(np.bincount(material.family)),
            none,
            strain.reshape(-1),
            none,
            np.array(state[6], dtype=float),
            none,
            FULL,
            held,
            none,
        )

        def part(first: int, last: int) -> None:
            _conjugate(points, energy, hardens, first, last, Lanes.new())

        parallel(part, count, self._threads)
        return strain, energy


@compiled
def _conjugate(points, energy, hardens, first, last, lanes):
    """Strain of points, where `target` is their stress and `stress` is written."""
    p, c, q, s, ends = lanes.p, lanes.c, lanes.q, lanes.s, points.ends
    n = U(len(points.rows))
    for i in range(U(first), U(last), L):
        count = min(L, U(last) - i)
        load(points, i, count, lanes)
        for k in range(SIX * L):
            s[row.TRIAL + k], s[row.B + k] = s[row.E + k], 0.0
        for j in range(L):
            s[row.TOTAL + j] = 0.0
        newton.slip(p, c, q, s, ends, lanes.status, whole(c, U(len(ends))), hardens)
        begin = U(0)
        for f in range(U(len(ends))):
            for a in range(begin, U(ends[f])):
                t, k, v = a * L, row.P + a * SIX * L, f * L
                for j in range(L):
                    slip = c[row.RATE + v + j] * q[row.POWER + t + j]
                    slip *= q[row.TAU + t + j] / c[row.G + v + j]
                    work = slip * q[row.TAU + t + j]
                    s[row.TOTAL + j] += work / (c[row.EXPONENT + v + j] + 1)
                    b = row.B + j
                    s[b] += slip * p[k + j]
                    s[b + L] += slip * p[k + L + j]
                    s[b + TWO * L] += slip * p[k + TWO * L + j]
                    s[b + THREE * L] += slip * p[k + THREE * L + j]
                    s[b + FOUR * L] += slip * p[k + FOUR * L + j]
                    s[b + FIVE * L] += slip * p[k + FIVE * L + j]
            begin = U(ends[f])
        row.symmetric(p, row.D, s, row.TRIAL, row.R)
        for k in range(SIX):
            for j in range(count):
                value = s[row.R + k * L + j] + s[row.B + k * L + j]
                points.stress[k * n + i + j] = value
        if len(energy) > 0:
            for j in range(count):
                stored = row.dot(s, row.TRIAL, row.R, j) / 2
                energy[i + j] = stored + s[row.TOTAL + j]
