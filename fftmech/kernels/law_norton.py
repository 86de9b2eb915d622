"""Power-law viscosity in one pass over the points: `fftmech.materials.norton`."""

from typing import NamedTuple

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels.compiled import compiled, inlined
from fftmech.kernels.radial import FusedRadialTangent
from fftmech.materials.base import Response, StrainStep
from fftmech.materials.norton import NortonMaterial


class Points(NamedTuple):
    """What `_flow` reads and writes."""

    rows: np.ndarray  # of each point in the table of constants, (n,)
    strain: np.ndarray  # at the end of the step, (6, n)
    before: np.ndarray  # at its beginning, (6, n)
    foreseen: np.ndarray  # stress, (6, n), or (6, 0) if there was none
    stress: np.ndarray  # (6, n)
    kept: np.ndarray  # what the tangent needs, (8, n), or (8, 0) if there is none


def respond(material: NortonMaterial, step: StrainStep, threads: int = 1) -> Response:
    """See `Material.respond`; `threads` share the points."""
    ahead = np.empty((6, 0)) if step.foreseen is None else step.foreseen
    rows, strain, before, ahead = (
        np.ascontiguousarray(a) for a in (step.rows, step.strain, step.before, ahead)
    )
    count, wanted = strain.shape[1], step.precision is not None
    stress = np.empty_like(strain)
    kept = np.empty((8, count if wanted else 0), step.precision or strain.dtype)
    points = Points(rows, strain, before, ahead, stress, kept)

    def part(first: int, last: int) -> None:
        _flow(points, material.table, step.dt, first, last)

    parallel(part, count, threads)
    tangent = FusedRadialTangent(kept, threads) if wanted else None
    return Response(stress, step.state, tangent)


@inlined
def _softened(exponent, foreseen, found):
    """1 to the exponent of `fftmech.materials.tangent.held`."""
    share = foreseen / found if found != 0 else foreseen
    share = min(max(share, 0.0), 1.0)
    return (1 + (exponent - 1) * (1 - share)) / exponent


@compiled
def _flow(points, table, dt, first, last):
    rows, strain, before, foreseen, stress, kept = points
    for i in range(first, last):
        row = rows[i]
        K, rate0, stress0 = table[row, 0], table[row, 1], table[row, 2]
        exponent, least = table[row, 3], table[row, 4]
        x0, x1 = (strain[0, i] - before[0, i]) / dt, (strain[1, i] - before[1, i]) / dt
        x2, x3 = (strain[2, i] - before[2, i]) / dt, (strain[3, i] - before[3, i]) / dt
        x4, x5 = (strain[4, i] - before[4, i]) / dt, (strain[5, i] - before[5, i]) / dt
        trace = x0 + x1 + x2
        third = trace / 3
        x = x0 - third, x1 - third, x2 - third, x3, x4, x5
        square = x[0] * x[0] + x[1] * x[1] + x[2] * x[2]
        square += x[3] * x[3] + x[4] * x[4] + x[5] * x[5]
        r, m = np.sqrt(2 / 3 * square) / rate0, 1 / exponent
        power = r > least
        # 2 eta, with s = 2 eta dev(e)
        viscosity = 2 / 3 * stress0 / rate0 * (r if power else least) ** (m - 1)
        for k in range(6):
            stress[k, i] = viscosity * x[k]
        for k in range(3):
            stress[k, i] += K * trace
        if kept.shape[1] > 0:
            if foreseen.shape[1] > 0:
                work = 0.0
                for k in range(6):
                    work += foreseen[k, i] * x[k]
                m = _softened(exponent, work, viscosity * square)
            size = 0.0
            if power and square > 0:
                size = np.sqrt(max(viscosity * (1 - m), 0.0) / (dt * square))
            kept[0, i], kept[1, i] = (K - viscosity / 3) / dt, viscosity / dt
            for k in range(6):
                kept[2 + k, i] = size * x[k]
