"""Surfaces of pores of irregular shape.

A pore is a body around a centre, rho(x) <= exp(f(x/|x|)): the body rho <= 1 (an
ellipsoid, or a drop) roughened by a random smooth function f of the direction. Seen
from its centre it is star-shaped, hence in one piece.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

WAVES = 40
"""Plane waves in a random surface function."""

DIRECTIONS = 4000
"""Directions in which the extent of a pore is measured."""

BLOCK = 2**13
"""Points that are computed at a time: they fit a core's cache."""


@dataclass(frozen=True)
class PoreShape:
    """Average shape of a kind of pore; the build direction is z.

    The smooth body has semi-axes along x, y, z up to a common factor, a low end wider
    than the middle (`bulb`, from 0, an ellipsoid, to below 1), and a tilt from the
    build direction of this standard deviation (degrees). `roughness` is that of f, the
    logarithm of the relative distance, and `frequency` the waves of f per radian: small
    is wavy, large is jagged.
    """

    axes: tuple[float, float, float]
    bulb: float
    roughness: float
    frequency: float
    tilt: float


KINDS = {
    "gas": PoreShape((1.0, 1.0, 1.0), 0.0, 0.04, 1.5, 90.0),
    "keyhole": PoreShape((1.0, 1.0, 2.4), 0.55, 0.12, 2.0, 12.0),
    "lack-of-fusion": PoreShape((1.5, 1.0, 0.4), 0.0, 0.25, 4.0, 8.0),
}
"""Pores of additive manufacturing: round, deep and bulbous, flat and jagged."""


class Surface:
    """The surface of one random pore of a kind, up to its size."""

    def __init__(self, kind: PoreShape, random: Generator) -> None:
        from scipy.spatial.transform import Rotation

        self.kind = kind
        spin, about = 360 * random.random(2)
        lean = kind.tilt * random.standard_normal()
        self.R = Rotation.from_euler("zyz", [spin, lean, about], True).as_matrix()
        self.axes = np.array(kind.axes) / np.prod(kind.axes) ** (1 / 3)
        self.waves = kind.frequency * random.standard_normal((WAVES, 3))
        self.shifts = 2 * np.pi * random.random(WAVES)

    @property
    def smooth_reach(self) -> np.ndarray:
        """Half extents along x, y, z of the smooth body of volume 1, roughly, (3,)."""
        radius = (3 / (4 * np.pi)) ** (1 / 3)
        return radius * np.sqrt(((self.R * self.axes) ** 2).sum(axis=1))

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Size of the pore whose surface passes through each point (n, 3), (n,)."""
        depth = np.empty(len(points))
        for start in range(0, len(points), BLOCK):
            block = slice(start, start + BLOCK)
            depth[block] = self._depth(points[block])
        return depth

    def reach(self, volume: float, solid: np.ndarray) -> np.ndarray:
        """Half extents along x, y, z of the pore of this volume, closely, (3,).

        The volume is size^3 times the mean of depth^-3 over all directions, in units
        of the ball's; with d axes that are `solid`, size^d and depth^-d.
        """
        directions = _directions(solid)
        radius = 1 / self.depth(directions)
        dimensions = int(solid.sum())
        ball = (2.0, np.pi, 4 * np.pi / 3)[dimensions - 1]
        size = (volume / (ball * (radius**dimensions).mean())) ** (1 / dimensions)
        return size * np.abs(directions * radius[:, None]).max(axis=0)

    def _depth(self, points: np.ndarray) -> np.ndarray:
        distance = np.sqrt((points**2).sum(axis=1))
        direction = points / np.maximum(distance, 1e-300)[:, None]
        f = np.zeros(len(points))
        for wave, shift in zip(self.waves, self.shifts, strict=True):
            f += np.cos(direction @ wave + shift)
        f *= self.kind.roughness * np.sqrt(2 / WAVES)
        return _gauge(points @ self.R / self.axes, self.kind.bulb) / np.exp(f)


def _directions(solid: np.ndarray) -> np.ndarray:
    """Unit vectors evenly over the sphere, or over the circle of two axes, (n, 3)."""
    # a spiral from pole to pole, seen from the axes that are left out
    i = np.arange(DIRECTIONS) + 0.5
    z = 2 * i / DIRECTIONS - 1
    rim, turn = np.sqrt(1 - z**2), np.pi * (3 - np.sqrt(5)) * i
    spiral = np.stack([rim * np.cos(turn), rim * np.sin(turn), z], axis=1) * solid
    return spiral / np.sqrt((spiral**2).sum(axis=1))[:, None]


def _gauge(points: np.ndarray, bulb: float) -> np.ndarray:
    """Scale at which the surface of the smooth body meets each point (n, 3), (n,).

    The body is x^2 + y^2 <= (1 - z^2) (1 - bulb z)^2: a sphere, or a drop whose low
    end is wide.
    """
    radius = np.sqrt((points**2).sum(axis=1))
    if bulb == 0:
        return radius
    cosine = points[:, 2] / np.maximum(radius, 1e-300)
    # distance to the surface along each direction, by bisection: from 0, which is
    # inside, to 2, which is outside
    low = np.zeros_like(radius)
    for step in 0.5 ** np.arange(30):
        t = low + step
        z = t * cosine
        width = np.where(np.abs(z) < 1, (1 - z**2) * (1 - bulb * z) ** 2, -1.0)
        low = np.where(t**2 - z**2 <= width, t, low)
    return radius / low
