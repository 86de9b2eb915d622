"""Size and shape of one body of voxels: a pore, an inclusion, a grain.

The surface area is Crofton's integral over the 13 lines that join a voxel to its
neighbours: 4 times the mean, over directions, of the area of the body's shadow, every
entrance of a line counting. Ohser and Muecklich, Statistical Analysis of
Microstructures in Materials Science, Wiley 2000; Legland, Kieu and Devaux 2007, doi
10.5566/ias.v26.p83-92. Counting voxel faces would make a ball's area 1.5 times too
large, at every resolution.
"""

from dataclasses import dataclass
from itertools import product
from math import pi, sqrt

import numpy as np

from fftmech.errors import InputError

STEPS = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]
"""One of each pair of opposite steps from a voxel to a neighbour, 13 in all."""

SHARES = {1: 0.0915557824095, 2: 0.0739612557522, 3: 0.0703912795646}
"""Share of the sphere nearer to a step of length 1, sqrt(2), sqrt(3), and its opposite,
than to any other of the 13 pairs."""


@dataclass(frozen=True)
class BodyShape:
    """Volume, surface area and equivalent ellipsoid of a body of cubic voxels.

    Parameters
    ----------
    volume
        Number of voxels.
    area
        Surface area (voxel faces). Of ellipsoids 5 voxels thick it is right to 5 %, 10
        voxels thick to 2 %. Of a plane it is 7 % too small along the grid's planes, and
        up to 2 % too large where it is inclined.
    semi_axes
        Semi-axes of the ellipsoid with the body's second moments (voxel edges), the
        longest first.
    """

    volume: int
    area: float
    semi_axes: tuple[float, float, float]

    @classmethod
    def measure(cls, body: np.ndarray, periodic: bool = True) -> "BodyShape":
        """Measure the filled voxels of a box, boolean (nx, ny, nz), as one body.

        In a periodic box a body that crosses a face goes on at the opposite one. One
        that leaves no plane of voxels free across some axis is an InputError.
        """
        whole = centred(body) if periodic else np.asarray(body, dtype=bool)
        used = np.argwhere(whole)
        if len(used) == 0:
            raise InputError(
                "a body without voxels has no shape", mend="fill at least one"
            )
        return cls(len(used), float(_area(whole)), _semi_axes(used))

    @property
    def diameter(self) -> float:
        """Diameter of the ball of equal volume (voxel edges)."""
        return (6 * self.volume / pi) ** (1 / 3)

    @property
    def sphericity(self) -> float:
        """Area of the ball of equal volume over the body's, pi^(1/3) (6 V)^(2/3) / A.

        No body has more than 1; an estimate that has, of a few voxels, is 1.
        """
        return min(1.0, pi * self.diameter**2 / self.area)

    @property
    def aspect_ratio(self) -> float:
        """Longest over shortest semi-axis: elongation times flatness."""
        return self.semi_axes[0] / self.semi_axes[2]

    @property
    def elongation(self) -> float:
        """Longest over middle semi-axis: large for a needle, 1 for a disc."""
        return self.semi_axes[0] / self.semi_axes[1]

    @property
    def flatness(self) -> float:
        """Middle over shortest semi-axis: large for a disc, 1 for a needle."""
        return self.semi_axes[1] / self.semi_axes[2]


def centred(body: np.ndarray) -> np.ndarray:
    """Shift a body in its periodic box, boolean (nx, ny, nz), to the box's centre.

    The box that bounds it is centred, to a voxel: it crosses no face. A body that
    leaves no plane of voxels free across some axis is an InputError.
    """
    body = np.asarray(body, dtype=bool)
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        taken = np.flatnonzero(body.any(axis=others))
        n = body.shape[axis]
        if len(taken) == n:
            raise InputError(
                f"the body takes up every plane of voxels across {'xyz'[axis]}",
                "one with ends",
                "lower its size",
            )
        if len(taken) == 0:
            continue
        # the body begins after the longest run of free planes, across the face or not
        runs = (taken - np.roll(taken, 1) - 1) % n
        longest = int(runs.argmax())
        body = np.roll(body, int(runs[longest]) // 2 - int(taken[longest]), axis)
    return body


def _area(body: np.ndarray) -> float:
    box = np.pad(body, 1)
    area = 0.0
    for step in STEPS:
        ahead = tuple(slice(max(0, s), n + min(0, s)) for s, n in _pairs(step, box))
        behind = tuple(slice(max(0, -s), n + min(0, -s)) for s, n in _pairs(step, box))
        entrances = np.count_nonzero(box[ahead] & ~box[behind])
        neighbours = sum(map(abs, step))
        # lines along a step of length |s| pierce 1/|s| of a voxel face each
        area += 4 * SHARES[neighbours] * entrances / sqrt(neighbours)
    return area


def _pairs(step: tuple[int, ...], box: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(step, box.shape, strict=True))


def _semi_axes(used: np.ndarray) -> tuple[float, float, float]:
    """Semi-axes a of the ellipsoid with the moments a^2 / 5 about its centre."""
    offsets = used - used.mean(axis=0)
    # a voxel is a cube and not a point: 1/12 along each axis
    moments = offsets.T @ offsets / len(used) + np.eye(3) / 12
    short, middle, long = np.sqrt(5 * np.linalg.eigvalsh(moments))
    return float(long), float(middle), float(short)
