"""Points of crystals, and how a few of them become lanes.

`fftmech.kernels.crystal_lanes` says where each of the lanes' numbers is.
"""

from typing import NamedTuple

import numpy as np

from fftmech.kernels import crystal_lanes as row
from fftmech.kernels import crystal_newton as newton
from fftmech.kernels.compiled import U, inlined
from fftmech.kernels.crystal_lanes import L
from fftmech.kernels.crystal_newton import GOING
from fftmech.kernels.crystal_tangent import LOWER
from fftmech.materials.crystal_creep import CrystalCreepMaterial
from fftmech.materials.crystal_plasticity import CrystalPlasticityMaterial
from fftmech.materials.slip_flow import LAST


class Points(NamedTuple):
    """What `_relax` reads and writes; fields are flat, component by component."""

    rows: np.ndarray  # of each point in the table, (n,), int32
    target: np.ndarray  # strain, or strain rate, that elasticity and slip share, (6 n)
    table: np.ndarray  # matrices of each row, its families' constants, and its bound
    ends: np.ndarray  # where each family's systems end
    foreseen: np.ndarray  # stress, see `StrainStep`, (6 n); empty if there is none
    stress: np.ndarray  # (6 n)
    slip: np.ndarray  # (6 n)
    accumulated: np.ndarray  # slip, overwritten by that at the end of the step, (n,)
    kept: np.ndarray  # entries of the tangent, of the points of this call, or of none
    index: np.ndarray  # number of each entry of its matrix among them, (6, 6)
    held: np.ndarray  # resistance of each family, (F n); empty: that of `accumulated`
    slips: np.ndarray  # size of each system's, (N n); empty if it is not wanted
    begin: np.ndarray = np.zeros(0)  # stress to begin with, (6 n); empty: a guess
    least: float = LAST  # relative to the largest resolved stress, of the last step


class Lanes(NamedTuple):
    """Scratch of one thread: rows of `crystal_lanes`, and integers of each lane."""

    p: np.ndarray
    c: np.ndarray
    q: np.ndarray
    s: np.ndarray
    held: np.ndarray  # row of the table that is in p
    status: np.ndarray  # GOING, ENDING or DONE
    taken: np.ndarray  # Newton steps
    halved: np.ndarray  # halvings of the last one
    again: np.ndarray  # whether a part of the last step is tried again

    @classmethod
    def new(cls) -> "Lanes":
        """Lanes that hold no row yet."""
        p, c, q, s = row.scratch()
        held = np.full(row.LANES, -1)
        return cls(p, c, q, s, held, *np.zeros((4, row.LANES), int))


def make_table(
    material: CrystalPlasticityMaterial | CrystalCreepMaterial, dt: float
) -> np.ndarray:
    """What `Points.table` holds."""
    rate0, *others = material.constants
    if isinstance(material, CrystalPlasticityMaterial):
        predictor, linear_below = material.stiffness, np.zeros_like(rate0)
        rate0 = rate0 * dt
    else:
        predictor, linear_below = material.guess, material.linear_below
    count = len(rate0)
    matrices = material.compliance[:, *LOWER], predictor[:, *LOWER]
    columns = material.schmid.reshape(count, -1), rate0, *others, linear_below
    return np.column_stack([*matrices, *columns, material.farthest])


@inlined
def load(points, i, count, lanes):
    """Lanes <- points from i on; those past the end are copies of the last one."""
    rows, target, table = points.rows, points.target, points.table
    p, c, s, held = lanes.p, lanes.c, lanes.s, lanes.held
    n, families = U(len(rows)), U(len(points.ends))
    entries = U(row.MATRICES) + row.SIX * U(points.ends[-1])
    for j in range(L):
        point = i + min(j, count - U(1))
        own = rows[point]
        if own != held[j]:
            held[j] = own
            for k in range(entries):
                p[k * L + j] = table[own, k]
            for k in range(U(row.CONSTANTS)):
                for f in range(families):
                    c[k * row.KIND + f * L + j] = table[own, entries + k * families + f]
            s[row.FARTHEST + j] = table[own, U(table.shape[1]) - U(1)]
        square = 0.0
        for k in range(row.SIX):
            e = target[k * n + point]
            s[row.E + k * L + j], s[row.STEP + k * L + j] = e, 0.0
            square += e * e
        s[row.LENGTH + j] = np.sqrt(square)
        farthest, s[row.BOUND + j] = s[row.FARTHEST + j] * s[row.LENGTH + j], 0.0
        s[row.START + j] = s[row.SLIP + j] = points.accumulated[point]
        for f in range(families):
            k = f * L + j
            bound = (farthest / c[row.RATE + k]) ** (1 / c[row.EXPONENT + k])
            # NaN stays, so that its point fails at once
            s[row.BOUND + j] = (
                bound if not bound < s[row.BOUND + j] else s[row.BOUND + j]
            )
            if len(points.held) > 0:
                c[row.G + k] = points.held[f * n + point]
            else:
                c[row.G + k], _ = newton.of_family(c, k, points.accumulated[point])
            c[row.SOFTER + k] = 0.0
        s[row.PART + j], s[row.OLD + j] = 0.0, np.inf
        lanes.status[j], lanes.taken[j] = GOING, 0


@inlined
def whole(c, families):
    """Exponent - 1 if all lanes and families have one, and it is whole; else -1."""
    power = int(c[row.EXPONENT + 0]) - 1
    for j in range(families * L):
        if c[row.EXPONENT + j] != power + 1:
            return -1
    return power
