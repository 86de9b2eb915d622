"""Orientations as files write them, and what voxels say of the grains that they fill.

A file's convention is said where it differs from ours (unit quaternions w x y z,
v_sample = R v_crystal, the map's axes, a hexagonal or trigonal crystal's a along x):

`frame`      The specimen's axes to which Euler angles refer may not be those of the
             map. "map" says that they are; "x", "y", "z", "xy" or "x-y" that half a
             turn about x, y, z, x + y or x - y takes the one to the other.
`hexagonal`  "x=a" or "y=b" (that is x along a*): the crystal's own axes.

Where the maker's frame and the map's differ, and how, is in the documentation of MTEX
(doi 10.1107/S1600576710027809), "Data from your instrument"; axes of hexagonal crystals
are compared by Britton et al. 2016 (doi 10.1016/j.matchar.2016.04.008).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fftmech.errors import InputError
from fftmech.microstructure.grains import mean_orientations, misorientation, product
from fftmech.tensors import quaternion_from_bunge

OPTIONS = ("frame", "hexagonal")

FRAMES = {
    "map": (0, 0, 0), "x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1),
    "xy": (1, 1, 0), "x-y": (1, -1, 0),
}  # fmt: skip
"""Axis of the half turn from the frame of the Euler angles to that of the map."""

HEXAGONAL = ("x=a", "y=b")

THREEFOLD = ("C3", "D3", "C6", "D6")
"""Rotation groups of trigonal and hexagonal crystals."""

LAUE = {
    1: "C1", 2: "C2", 3: "D2", 4: "C4", 5: "D4", 6: "C3", 7: "D3", 8: "C6", 9: "D6",
    10: "T", 11: "O",
}  # fmt: skip
"""Rotation group of each Laue group, as Oxford Instruments number them."""

WIDE = np.deg2rad(15)
"""Angle between a voxel and its grain's mean above which it is hardly one grain."""

SAME = 1e-3
"""Angle (radians) up to which voxels say the same orientation."""

LISTED = 3


@dataclass(frozen=True)
class Convention:
    """How a file's orientations are to be read; see the module's docstring."""

    frame: str = "map"
    hexagonal: str = "x=a"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("frame", self.frame, FRAMES),
            ("hexagonal", self.hexagonal, HEXAGONAL),
        ):
            if value not in known:
                raise InputError(f"{name} {value!r}", f"one of {', '.join(known)}")

    def ours(
        self, quaternion: np.ndarray, phase: np.ndarray, group: Mapping[int, str]
    ) -> np.ndarray:
        """Orientations (n, 4) of crystals in our convention.

        `phase` is the crystal phase of each, (n,), and `group` the rotation group of
        each phase.
        """
        if self.frame != "map":
            axis = np.array([0.0, *FRAMES[self.frame]])
            turn = axis / np.linalg.norm(axis)
            quaternion = product(turn, quaternion)
        threefold = [p for p, name in group.items() if name in THREEFOLD]
        if self.hexagonal == "y=b" and threefold:
            # a is 30 degrees from x = a*, towards -y
            half = np.pi / 12
            turn = np.array([np.cos(half), 0.0, 0.0, -np.sin(half)])
            turned = product(quaternion, turn)
            inside = np.isin(phase, threefold)[:, None]
            quaternion = np.where(inside, turned, quaternion)
        return quaternion


def orientations_from_bunge(
    euler: np.ndarray, degrees: bool, where: str
) -> tuple[np.ndarray, list[str]]:
    """Unit quaternions (n, 4) of Bunge angles (n, 3), NaN where these are, and notes.

    Angles that cannot be in the unit are refused; those that are likelier in the other
    one get a note.
    """
    euler = np.asarray(euler, dtype=float)
    known = np.isfinite(euler).all(axis=1)
    angles = euler[known]
    largest = np.abs(angles).max(initial=0.0)
    limit = 720.0 if degrees else 4 * np.pi + 1e-3
    if largest > limit:
        expected = "degrees" if degrees else "radians"
        raise InputError(f"{where}: angle {largest:g}", expected)
    notes = []
    if degrees and 0 < largest <= 2 * np.pi and (angles % 1).any():
        notes.append(f"{where}: no angle above {largest:.4g}, read as degrees")
    if not degrees and largest > 0 and not (angles % 1).any():
        notes.append(f"{where}: angles are whole numbers, read as radians")
    quaternion = np.full((len(euler), 4), np.nan)
    quaternion[known] = quaternion_from_bunge(angles, degrees)
    return quaternion, notes


@dataclass(frozen=True)
class Grains:
    """What a file says of its grains, by phase id of the microstructure.

    `orientation` is (P, 4), NaN where not known; `material` (P,), -1 where not known.
    """

    orientation: np.ndarray | None
    material: np.ndarray | None
    notes: list[str]


def grains_from_voxels(
    ids: np.ndarray,
    quaternion: np.ndarray | None,
    phase: np.ndarray | None,
    group: Mapping[int, str],
    number: np.ndarray | None = None,
) -> Grains:
    """What voxels say of the grains that they fill.

    Parameters
    ----------
    ids
        Grain of each voxel, (n,), from 0.
    quaternion
        Orientation of each voxel, (n, 4), NaN where not known.
    phase
        Crystal phase of each voxel, (n,); 0 and below are not indexed.
    group
        Rotation group by crystal phase; others are taken to be cubic.
    number
        Number of each grain in the file, where it is not the id.
    """
    count = int(ids.max()) + 1
    notes: list[str] = []
    material = None
    own = np.ones(len(ids), bool)
    if phase is not None:
        material, mixed = _phase_of_grains(ids, phase, count)
        own = (phase == material[ids]) & (phase > 0)
        if len(mixed):
            notes.append(
                f"{_listed(mixed, number)}: voxels of two phases; the grain is what "
                "most of them are"
            )
    if quaternion is None:
        return Grains(None, material, notes)
    known = own & np.isfinite(quaternion).all(axis=1)
    values = np.zeros(len(ids), int) if phase is None else phase
    table = np.full((count, 4), np.nan)
    wide: list[np.ndarray] = []
    assumed = []
    for value in np.unique(values[known]):
        voxels = np.flatnonzero(known & (values == value))
        name = group.get(int(value), "O")
        some = quaternion[voxels]
        grains, means = mean_orientations(ids[voxels], some, name)
        table[grains] = means
        mean = table[ids[voxels]]
        off = misorientation(some, mean, name)
        wide.append(np.unique(ids[voxels[off > WIDE]]))
        if int(value) not in group and (misorientation(some, mean, "C1") > SAME).any():
            assumed.append(str(value))
    if assumed:
        notes.append(
            f"crystal structure of phase {', '.join(assumed)} is not in the file: "
            "taken as cubic where orientations of a grain are averaged"
        )
    scattered = np.concatenate([np.zeros(0, int), *wide])
    if len(scattered):
        notes.append(
            f"{_listed(scattered, number)}: orientations more than "
            f"{np.rad2deg(WIDE):.0f} degrees from their mean, which is used"
        )
    return Grains(table, material, notes)


def _phase_of_grains(
    ids: np.ndarray, phase: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Phase of most voxels of each grain, -1 of none, and grains that have several."""
    indexed = phase > 0
    base = int(phase.max(initial=0)) + 1
    keys = ids[indexed].astype(np.int64) * base + phase[indexed]
    pairs, voxels = np.unique(keys, return_counts=True)
    grain, value = pairs // base, pairs % base
    order = np.argsort(voxels, kind="stable")
    table = np.full(count, -1)
    table[grain[order]] = value[order]
    return table, np.flatnonzero(np.bincount(grain, minlength=count) > 1)


def _listed(grains: np.ndarray, number: np.ndarray | None) -> str:
    """How a note calls some grains."""
    named = grains if number is None else number[grains]
    some = ", ".join(str(n) for n in named[:LISTED])
    if len(named) > LISTED:
        return f"{len(named)} grains (the first: {some})"
    return f"grain{'s' * (len(named) > 1)} {some}"
