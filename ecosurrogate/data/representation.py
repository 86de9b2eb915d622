"""Input channels (C, x, y, z) of a microstructure.

Representations, by name (Oommen et al. 2025, Methods and appendix A):

- "indicator", 1 channel: 1 in pores, 0 elsewhere; of a body without pores, 1 in phase
  1 and 0 in phase 0.
- "stiffness", 21: the upper triangle, row by row, of the Mandel stiffness in the sample
  frame. It is the one that works for polycrystals (fig. A.2), and the only one that
  tells materials apart. Mandel's is Voigt's but for factors, which whitening takes out.
- "phases:0,1,4", as many as there are ids: 1 in the channel of a voxel's phase id, 0 in
  the others. Ids mean the same in all bodies.
- "rotation", 9: the matrix R of the orientation, v_sample = R v_crystal, row by row. It
  is continuous, and takes no crystal symmetry for granted.
- "euler", 3: Bunge angles phi1, Phi, phi2 in radians, as stored. They jump where the
  orientation does not.
- "quaternion", 4: of the 24 equivalent by cubic symmetry the one with the largest
  scalar part, w >= 0. It jumps on the boundary of that fundamental zone only.
- "cubic-harmonics", 9: the symmetrised generalised spherical harmonics of cubic
  crystals of degree 4, the lowest that vary (the paper takes three coefficients of a
  reduced-order set). Continuous, and equal for equivalent orientations.
- "slip", 33: of viscoplastic crystals, and of no others, what
  `ecosurrogate.data.creep_bodies` says of them and their load.

With r_i the crystal axes in the sample frame, the latter are the components, in an
orthonormal basis, of the traceless part H of the symmetric tensor sum_i r_i^4. A cubic
stiffness is affine in it,

    C_abcd = C12 d_ab d_cd + C44 (d_ac d_bd + d_ad d_bc)
             + (C11 - C12 - 2 C44) sum_i r_ia r_ib r_ic r_id,

so that for one cubic material the 21 stiffness channels hold these 9 and no more.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np

from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import (
    bunge_from_quaternion,
    matrix_from_quaternion,
    quaternion_from_xyzw,
    rotate_stiffness,
)

TRIANGLE = np.triu_indices(6)
"""Rows and columns of the 21 coefficients of a symmetric 6x6 matrix."""

PHASES = "phases:"
"""How the representation by phase ids begins."""

MOST_PHASES = 32
"""Phase ids that a network may tell apart; of more, they are numbers of grains."""

SLIP = "slip"
"""The representation of viscoplastic crystals."""

ORIENTED = ("rotation", "euler", "quaternion", "cubic-harmonics", SLIP)
"""Representations by the orientation of each phase."""

SAME = 1e-4
"""Relative difference of stiffness below which two crystals are of one material."""


def inputs(
    body: Microstructure, representation: str = "stiffness", scale: float = 1.0
) -> np.ndarray:
    """Channels of a body, float32, shape (C, nx, ny, nz).

    `scale` is the unit of "stiffness" (stress units); the others have none. InputError
    if what a representation needs is missing or not enough to tell the phases apart.
    """
    table = phase_channels(body, representation, scale).astype(np.float32)
    return np.take(np.ascontiguousarray(table.T), body.phase, axis=1)


def phase_channels(
    body: Microstructure, representation: str = "stiffness", scale: float = 1.0
) -> np.ndarray:
    """Channels of each phase id, float64, shape (max id + 1, C); unused rows are zero.

    As `inputs`, before the phase map is applied.
    """
    if not 0 < scale < np.inf:
        raise InputError(f"stiffness scale {scale}", "a positive stress")
    channels, of_phases = _find(representation)
    table = np.zeros((len(body.counts), channels))
    rows = of_phases(body)
    table[body.phases] = rows / scale if representation == "stiffness" else rows
    return table


def channel_count(representation: str) -> int:
    """Number of channels of a representation."""
    return _find(representation)[0]


def of_phases(ids: Sequence[int]) -> str:
    """Name of the representation by these phase ids."""
    if len(ids) > MOST_PHASES:
        raise InputError(
            f"{len(ids)} phase ids as inputs of a network",
            f"at most {MOST_PHASES}, which mean the same in all bodies",
            "state orientations if phases are grains ([orientation] of the mapping)",
        )
    return PHASES + ",".join(map(str, ids))


def phase_ids(representation: str) -> list[int] | None:
    """Phase ids that a representation tells apart, None of one by something else."""
    if not representation.startswith(PHASES):
        return None
    words = representation.removeprefix(PHASES).split(",")
    ids = [int(w) for w in words if w.isdecimal() and len(w) < 10]
    if len(ids) != len(words) or sorted({*ids}) != ids or len(ids) > MOST_PHASES:
        raise InputError(
            f"representation {representation[:60]!r}",
            f"ascending phase ids, at most {MOST_PHASES}, phases:0,1 for instance",
        )
    return ids


def _find(representation: str) -> tuple[int, Callable[[Microstructure], np.ndarray]]:
    ids = phase_ids(representation)
    if ids is not None:
        return len(ids), partial(_one_hot, ids=ids)
    if representation == SLIP:
        return 21 + 12, _slip
    if representation not in REPRESENTATIONS:
        raise InputError(
            f"representation {representation!r}",
            f"one of {', '.join(REPRESENTATIONS)}, or phases:0,1 with all phase ids",
        )
    return REPRESENTATIONS[representation]


def _indicator(body: Microstructure) -> np.ndarray:
    phases = body.phases
    table = body.stiffness
    # a pore phase that fills no voxel of this body still says that 1 means pore
    if table is not None and (table == 0).all(axis=(1, 2)).any():
        is_one, rest = np.isin(phases, body.pores), "one solid phase and pores"
        confused = np.count_nonzero(~is_one) > 1
    else:
        is_one, rest = phases == 1, "phases 0 and 1"
        confused = bool((phases > 1).any())
    if confused:
        raise InputError(
            f"{len(phases)} phases as an indicator",
            rest,
            'take representation "stiffness"',
        )
    return is_one[:, None]


def _one_hot(body: Microstructure, ids: Sequence[int]) -> np.ndarray:
    unknown = np.setdiff1d(body.phases, ids)
    if len(unknown):
        raise InputError(
            f"phase {', '.join(map(str, unknown[:8]))}: the model knows phases "
            f"{', '.join(map(str, ids))} by their ids",
            mend="number the phases as in the training set",
        )
    return body.phases[:, None] == np.array(ids)


def _stiffness(body: Microstructure) -> np.ndarray:
    table = body.check().stiffness
    assert table is not None
    return table[body.phases][:, *TRIANGLE]


def _rotation(body: Microstructure) -> np.ndarray:
    _crystal(body)
    return matrix_from_quaternion(_orientation(body)).reshape(-1, 9)


def _euler(body: Microstructure) -> np.ndarray:
    _crystal(body)
    return bunge_from_quaternion(_orientation(body))


def _quaternion(body: Microstructure) -> np.ndarray:
    _check_cubic(body)
    w, x, y, z = np.moveaxis(_orientation(body)[:, None, :], -1, 0)
    p, i, j, k = np.moveaxis(_cubic_group(), -1, 0)
    equivalent = np.stack(
        [
            w * p - x * i - y * j - z * k,
            w * i + x * p + y * k - z * j,
            w * j - x * k + y * p + z * i,
            w * k + x * j - y * i + z * p,
        ],
        axis=-1,
    )
    nearest = np.abs(equivalent[..., 0]).argmax(axis=1)
    chosen = equivalent[np.arange(len(equivalent)), nearest]
    return np.where(chosen[:, :1] < 0, -chosen, chosen)


def _cubic_harmonics(body: Microstructure) -> np.ndarray:
    """Components of H; the sum of their squares is 6/5 for every orientation."""
    _check_cubic(body)
    r = matrix_from_quaternion(_orientation(body))
    x, y, z = r[:, 0], r[:, 1], r[:, 2]

    def moment(*factors: np.ndarray) -> np.ndarray:
        return np.prod(factors, axis=0).sum(axis=-1)

    # H_yyzz, H_xxzz, H_xxyy: the diagonal follows, H being traceless; their part of
    # |H|^2 is 7 |v|^2 + (sum v)^2, which this makes a sum of squares
    squares = ((y, y, z, z), (x, x, z, z), (x, x, y, y))
    pairs = np.stack([moment(*four) for four in squares], axis=-1) - 1 / 5
    average = pairs.mean(axis=-1, keepdims=True)
    even = np.sqrt(7) * (pairs - average) + np.sqrt(10) * average
    odd = []
    for a, b in ((y, z), (x, z), (x, y)):
        # H_aaab and H_abbb; H_abcc = -(H_aaab + H_abbb)
        first, second = moment(a, a, a, b), moment(a, b, b, b)
        odd += [np.sqrt(2) * (first - second), np.sqrt(14) * (first + second)]
    return np.concatenate([even, np.stack(odd, axis=-1)], axis=-1)


def _slip(body: Microstructure) -> np.ndarray:
    raise InputError(
        "representation slip of a body that does not obey crystal_creep",
        mend='take representation "stiffness"',
    )


REPRESENTATIONS: dict[str, tuple[int, Callable[[Microstructure], np.ndarray]]] = {
    "indicator": (1, _indicator),
    "stiffness": (21, _stiffness),
    "rotation": (9, _rotation),
    "euler": (3, _euler),
    "quaternion": (4, _quaternion),
    "cubic-harmonics": (9, _cubic_harmonics),
}
"""Number of channels, and their values for the phases in use, by name; beside these
there are that of phase ids, `of_phases`, and `SLIP`."""


def _orientation(body: Microstructure) -> np.ndarray:
    """Unit quaternions of the phases in use."""
    table, phases = body.orientation, body.phases
    if table is not None and len(table) > phases.max():
        lengths = np.linalg.norm(table[phases], axis=1, keepdims=True)
        if (np.isfinite(lengths) & (lengths > 0)).all():
            return table[phases] / lengths
    other = "" if body.stiffness is None else ', or take representation "stiffness"'
    raise InputError(f"phases without orientation: give one to each{other}")


def _crystal(body: Microstructure) -> np.ndarray | None:
    """Stiffness of the one material in its crystal frame, if the body has stiffness."""
    table = body.stiffness
    if table is None:
        return None
    R = matrix_from_quaternion(_orientation(body))
    crystals = rotate_stiffness(table[body.phases], np.swapaxes(R, -1, -2))
    if abs(crystals - crystals[0]).max() > SAME * abs(crystals[0]).max():
        raise InputError(
            "crystals of several materials: their orientations do not tell them apart",
            mend='take representation "stiffness"',
        )
    return crystals[0]


def _check_cubic(body: Microstructure) -> None:
    crystal = _crystal(body)
    if crystal is None:
        return
    cube = rotate_stiffness(crystal, matrix_from_quaternion(_cubic_group()))
    if abs(cube - crystal).max() > SAME * abs(crystal).max():
        raise InputError(
            "a crystal that is not cubic: cubic symmetry would merge orientations "
            "that differ",
            mend='take representation "stiffness" or "euler"',
        )


@cache
def _cubic_group() -> np.ndarray:
    """Unit quaternions w x y z of the cube's 24 rotations, (24, 4)."""
    from scipy.spatial.transform import Rotation

    return quaternion_from_xyzw(Rotation.create_group("O").as_quat())
