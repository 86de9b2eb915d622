"""J2 elastoplasticity in one pass over the points: `fftmech.materials.plasticity`."""

from typing import NamedTuple

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels.compiled import compiled, inlined
from fftmech.kernels.radial import FusedRadialTangent
from fftmech.materials.base import Response, StrainStep
from fftmech.materials.plasticity import ITERATIONS, PlasticityMaterial

ROOT = 1.5**0.5
ROUNDING = 4 * float(np.finfo(float).eps)


class Points(NamedTuple):
    """What `_return_map` reads and writes."""

    rows: np.ndarray  # of each point in the table of constants, (n,)
    strain: np.ndarray  # at the end of the step, (6, n)
    state: np.ndarray  # at its beginning, (7, n)
    stress: np.ndarray  # (6, n)
    after: np.ndarray  # state at the end, (7, n)
    kept: np.ndarray  # what the tangent needs, (8, n), or (8, 0) if there is none


def respond(
    material: PlasticityMaterial, step: StrainStep, threads: int = 1
) -> Response:
    """See `Material.respond`; `threads` share the points."""
    rows, strain, state = (
        np.ascontiguousarray(a) for a in (step.rows, step.strain, step.state)
    )
    stress, after = np.empty_like(strain), np.empty_like(state)
    count, wanted = strain.shape[1], step.precision is not None
    kept = np.empty((8, count if wanted else 0), step.precision or strain.dtype)
    points = Points(rows, strain, state, stress, after, kept)

    def part(first: int, last: int) -> None:
        _return_map(points, material.table, first, last)

    parallel(part, count, threads)
    tangent = FusedRadialTangent(kept, threads) if wanted else None
    return Response(stress, after, tangent)


@inlined
def _plastic_increment(q, stiff, p, yield_stress, H, Q, b):
    """dp, NaN where none is found, and the slope of the yield stress."""
    dp = 0.0
    for _ in range(ITERATIONS):
        left = Q * np.exp(-b * (p + dp)) if Q > 0 else 0.0
        slope = H + b * left
        excess = q - stiff * dp - (yield_stress + H * (p + dp) + Q - left)
        if not excess > ROUNDING * q:
            return dp, slope
        dp += excess / (stiff + slope)
    return np.nan, slope


@compiled
def _return_map(points, table, first, last):
    rows, strain, state, stress, after, kept = points
    for i in range(first, last):
        row = rows[i]
        K, G, yield_stress = table[row, 0], table[row, 1], table[row, 2]
        H, C, Q, b = table[row, 3], table[row, 4], table[row, 5], table[row, 6]
        trace = np.float64(strain[0, i]) + strain[1, i] + strain[2, i]
        backstress, third = 2 / 3 * C, trace / 3
        x0 = 2 * G * (strain[0, i] - third - state[0, i]) - backstress * state[0, i]
        x1 = 2 * G * (strain[1, i] - third - state[1, i]) - backstress * state[1, i]
        x2 = 2 * G * (strain[2, i] - third - state[2, i]) - backstress * state[2, i]
        x3 = 2 * G * (strain[3, i] - state[3, i]) - backstress * state[3, i]
        x4 = 2 * G * (strain[4, i] - state[4, i]) - backstress * state[4, i]
        x5 = 2 * G * (strain[5, i] - state[5, i]) - backstress * state[5, i]
        square = x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3 + x4 * x4 + x5 * x5
        q, p, stiff = ROOT * np.sqrt(square), np.float64(state[6, i]), 3 * G + C
        dp, slope = _plastic_increment(q, stiff, p, yield_stress, H, Q, b)
        ratio = dp / q if dp != 0 else 0.0
        after[6, i] = p + dp
        x = x0, x1, x2, x3, x4, x5
        for k in range(6):
            flow = 1.5 * ratio * x[k]
            after[k, i] = state[k, i] + flow
            # dev s = X + the part of the relative stress that is left
            stress[k, i] = x[k] + backstress * state[k, i] - 2 * G * flow
        stress[0, i] += K * trace
        stress[1, i] += K * trace
        stress[2, i] += K * trace
        if kept.shape[1] > 0:
            across = 2 * G * (1 - 3 * G * ratio)
            size = 0.0
            if dp != 0:
                along = 2 * G * (1 - 3 * G / (stiff + slope))
                size = ROOT / q * np.sqrt(max(across - along, 0.0))
            kept[0, i], kept[1, i] = K - across / 3, across
            for k in range(6):
                kept[2 + k, i] = size * x[k]
