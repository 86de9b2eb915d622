"""Poles: where the plane normals of a body's crystals point in the sample frame."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fftmech.errors import InputError
from fftmech.materials.slip import SlipLaw
from fftmech.materials.slip_systems import plane_normals
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness
from fftmech.tensors.stiffness import symmetry_distances

INDICES = {"cubic": 3, "hexagonal": 4}
"""Number of Miller indices by crystal symmetry."""

UNKNOWN = "of unknown symmetry"

FOUND = 1e-3
"""Relative distance of a stiffness to a symmetry that it is taken to have."""


@dataclass(frozen=True)
class Poles:
    """The poles of one kind of plane, of all crystals of a body that have it.

    Attributes
    ----------
    indices
        Miller indices, three of cubic and four of hexagonal crystals.
    directions
        Unit vectors in the sample frame, (g, N, 3): N poles of each of g crystals, one
        of each opposite pair.
    weights
        Volume of each crystal, a part of that of all of them, (g,).
    notes
        One line on each thing that is left out, or taken together.
    """

    indices: tuple[int, ...]
    directions: np.ndarray
    weights: np.ndarray
    notes: tuple[str, ...] = ()


def parse_pole(text: str) -> tuple[int, ...]:
    """Miller indices of a plane: "111", "1-10", or four of a hexagonal one, "10-10".

    Raises
    ------
    InputError
        No three or four digits, only zeros, or h + k + i other than 0.
    """
    if not re.fullmatch(r"(-?\d){3,4}", text):
        raise InputError(
            f"pole {text!r}", "Miller indices: 111 (cubic), 10-10 (hexagonal, four)"
        )
    indices = tuple(int(i) for i in re.findall(r"-?\d", text))
    if not any(indices):
        raise InputError(f"pole {text!r}", "indices that are not all 0")
    if len(indices) == 4 and sum(indices[:3]):
        h, k = indices[:2]
        raise InputError(
            f"pole {text!r}: h + k + i = {sum(indices[:3])}",
            f"0, so i = {-h - k} for h = {h} and k = {k}",
        )
    return indices


def poles(
    body: Microstructure,
    indices: Sequence[int],
    symmetry: str | None = None,
    c_over_a: float | None = None,
) -> Poles:
    """Poles of the crystals of a body; each phase that has an orientation is one.

    A crystal is cubic or hexagonal by the lattice of its slip law, or else by its
    stiffness, turned back into the crystal frame.

    Parameters
    ----------
    body
        With orientations.
    indices
        Miller indices of the plane.
    symmetry
        "cubic" or "hexagonal", where phases do not say it themselves.
    c_over_a
        Ratio of a hexagonal crystal's axes, where slip laws do not give it.

    Raises
    ------
    InputError
        No orientations, no crystal of the symmetry that has such indices, a symmetry
        or a ratio of axes that is not that of the crystals, or one that is needed and
        not known.
    """
    if c_over_a is not None and not c_over_a > 0:
        raise InputError(f"c_over_a {c_over_a:g}", "a positive number")
    name = "".join(map(str, indices))
    if body.orientation is None:
        raise InputError(
            "the body has no orientations",
            mend="give them with euler, or [random_orientations], in --materials of "
            "fftmech convert",
        )
    used = np.setdiff1d(body.oriented, body.pores)
    if not len(used):
        raise InputError("no phase of the body has an orientation")
    known = _symmetries(body, used)
    found = np.array([known[p] or symmetry or UNKNOWN for p in used])
    if symmetry is not None and symmetry not in found:
        raise InputError(
            f"symmetry {symmetry} of crystals that are {found[0]} by their slip law or "
            "stiffness",
            found[0],
            "leave it out",
        )
    wanted = next(s for s, count in INDICES.items() if count == len(indices))
    own = used[found == wanted]
    if not len(own):
        raise _no_crystal(name, wanted, set(found.tolist()))
    ratios = [_ratio(body, p, indices, c_over_a, name) for p in own]
    normals = {ratio: plane_normals(indices, ratio) for ratio in set(ratios)}
    R = matrix_from_quaternion(body.orientation[own])
    directions = np.stack([normals[r] for r in ratios]) @ np.swapaxes(R, 1, 2)
    weights = body.counts[own] / body.counts[own].sum()
    others = {kind: used[found == kind] for kind in (*INDICES, UNKNOWN)}
    del others[wanted]
    notes = tuple(_notes(body, own, others, name))
    return Poles(tuple(indices), directions, weights, notes)


def _no_crystal(name: str, wanted: str, found: set[str]) -> InputError:
    """What to say where no crystal has the symmetry of a pole's indices."""
    known = [kind for kind in INDICES if kind in found]
    if not known:
        return InputError(
            "neither a slip law nor the stiffness says what symmetry the crystals have",
            mend=f"add --symmetry {wanted} if that is what they are",
        )
    return InputError(
        f"pole {name} has {INDICES[wanted]} indices, and the crystals are {known[0]}",
        f"{INDICES[known[0]]} indices",
    )


def _notes(
    body: Microstructure, own: np.ndarray, others: dict[str, np.ndarray], name: str
) -> Iterator[str]:
    """Say which part of the solid has none of the poles, and what has them together."""
    solid = np.setdiff1d(body.phases, body.pores)
    rest = {"without orientation": np.setdiff1d(solid, body.oriented), **others}
    for kind, phases in rest.items():
        if len(phases):
            share = body.counts[phases].sum() / body.phase.size
            yield f"pole {name}: {share:.2g} of the volume is {kind}, and is left out"
    if len(np.unique([body.material_of(p) for p in own])) > 1:
        yield f"pole {name}: crystals of several materials are taken together"


def density(poles: Poles, directions: np.ndarray, spread: float) -> np.ndarray:
    """Density of poles around directions (n, 3), in multiples of a random texture's.

    A pole is smeared over the sphere, with its opposite, as exp(k |cos w|), where w is
    the angle to it and k = 1 / spread^2 (spread in radians); the mean over the sphere
    is 1. Poles of one cell, far smaller than the spread, are taken together.

    Parameters
    ----------
    directions
        Unit vectors in the sample frame.
    spread
        Degrees, the standard deviation along any direction.
    """
    k = 1 / np.radians(spread) ** 2
    count = poles.directions.shape[1]
    points = upper(poles.directions.reshape(-1, 3))
    weights = np.repeat(poles.weights / count, count)
    # a cell is an eighth of the spread wide
    cells = np.floor(project(points) * 8 / np.radians(spread))
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    sums = np.stack([np.bincount(cell, weights * c) for c in points.T], axis=1)
    weights = np.bincount(cell, weights)
    points = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    values = np.zeros(len(directions))
    for start in range(0, len(points), 256):
        part = slice(start, start + 256)
        closeness = np.abs(directions @ points[part].T)
        values += np.exp(k * (closeness - 1)) @ weights[part]
    return values * k / (1 - np.exp(-k))


def chance(poles: Poles, spread: float) -> float:
    """Standard deviation of the density of as many random crystals, about 1.

    That of independent poles: those of one crystal make it a little less.
    """
    k = 1 / np.radians(spread) ** 2
    # the mean square of the kernel over the sphere, less its mean's
    variance = k / 2 * (1 - np.exp(-2 * k)) / (1 - np.exp(-k)) ** 2 - 1
    crystals = 1 / (poles.weights**2).sum()
    return float((variance / (crystals * poles.directions.shape[1])) ** 0.5)


def upper(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, 3), or their opposites, that point into the upper hemisphere."""
    return np.where(vectors[:, 2:] < 0, -vectors, vectors)


def project(vectors: np.ndarray) -> np.ndarray:
    """Equal-area projection of unit vectors, (n, 2): z >= 0 is the unit disc."""
    return vectors[:, :2] / np.sqrt(1 + vectors[:, 2:])


def lift(points: np.ndarray) -> np.ndarray:
    """Unit vectors (n, 3) of points of the projection, |x| <= sqrt(2)."""
    square = (points**2).sum(axis=1, keepdims=True)
    return np.hstack([points * np.sqrt(2 - square), 1 - square])


def _symmetries(body: Microstructure, phases: np.ndarray) -> dict[int, str | None]:
    """ "cubic", "hexagonal" or None by phase."""
    found: dict[int, str | None] = dict.fromkeys(phases.tolist())
    elastic, rigid = [], set(body.rigid.tolist())
    stiffness = [] if body.stiffness is None else body.stiffness
    for p in phases:
        law = body.law.get(p)
        if isinstance(law, SlipLaw):
            found[p] = "hexagonal" if law.lattice == "hcp" else "cubic"
        elif p not in rigid and p < len(stiffness):
            elastic.append(p)
    if not elastic:
        return found
    assert body.stiffness is not None
    assert body.orientation is not None
    R = matrix_from_quaternion(body.orientation[elastic])
    crystal = rotate_stiffness(body.stiffness[elastic], np.swapaxes(R, 1, 2))
    # one stiffness for all grains of a material, which differ by rounding
    scale = abs(crystal).max(axis=(1, 2), keepdims=True)
    rounded = np.round(crystal / np.where(scale > 0, scale, 1.0), 6) + 0.0
    values, place = np.unique(
        rounded.reshape(-1, 36), axis=0, return_inverse=True, equal_nan=True
    )
    kinds = [_symmetry(C.reshape(6, 6)) for C in values]
    found.update((p, kinds[i]) for p, i in zip(elastic, place.ravel(), strict=True))
    return found


def _symmetry(C: np.ndarray) -> str | None:
    """Symmetry of a stiffness in the crystal frame, None if it has another or all."""
    if not np.isfinite(C).all():
        return None
    distance = symmetry_distances(C)
    if distance["isotropic"] < FOUND:
        return None
    if distance["cubic"] < FOUND:
        return "cubic"
    return "hexagonal" if distance["hexagonal_z"] < FOUND else None


def _ratio(
    body: Microstructure,
    p: int,
    indices: Sequence[int],
    c_over_a: float | None,
    name: str,
) -> float:
    """c / a of a hexagonal crystal; 1 where it does not matter."""
    # normals of the basal plane and of prisms are those of any ratio
    if len(indices) == 3 or not any(indices[:3]) or not indices[3]:
        return 1.0
    law = body.law.get(p)
    own = law.c_over_a if isinstance(law, SlipLaw) else None
    if own and c_over_a and own != c_over_a:
        raise InputError(
            f"c_over_a {c_over_a:g} of {body.label(p)}, whose slip law has {own:g}",
            "the same",
            "leave it out",
        )
    ratio = own or c_over_a
    if ratio is None:
        raise InputError(
            f"pole {name} needs the ratio of the axes, which {body.label(p)} does not "
            "give",
            mend="add --c-over-a, or give the phase a law with c_over_a",
        )
    return ratio
