"""Pores of irregular shape in a solid (phase 0: solid, 1: pore).

A pore is a body around a centre, rho(x) <= exp(f(x/|x|)): the body rho <= 1 (an
ellipsoid, or a drop) roughened by a random smooth function f of the direction. Seen
from its centre it is star-shaped, hence in one piece.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import PCG64, Generator

from fftmech.errors import InputError
from fftmech.materials.elastic import PORE, isotropic
from fftmech.memory import check_bytes
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.packing import Packing
from fftmech.microstructure.resolution import Resolution, unit_grid

TI_6AL_4V = isotropic(E=113.8, nu=0.342)
"""Stiffness of Ti-6Al-4V (GPa, Mandel)."""

ATTEMPTS = 2000
"""Failed placements of one pore after which the packing counts as jammed."""

WAVES = 40
"""Plane waves in a random surface function."""


@dataclass(frozen=True)
class PoreShape:
    """What a kind of pore looks like; the build direction is z.

    Parameters
    ----------
    axes
        Semi-axes of the smooth body along x, y, z, up to a common factor.
    bulb
        How much wider the low end is than the middle (0: an ellipsoid, below 1).
    roughness
        Standard deviation of f, the logarithm of the relative distance.
    frequency
        Waves of f per radian: small is wavy, large is jagged.
    tilt
        Standard deviation of the body's tilt from the build direction, degrees.
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
    """The surface of one random pore of a kind, up to its size.

    Parameters
    ----------
    kind
        What the pore looks like.
    random
        Source of its turn, its tilt, and of the waves of f.
    """

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
    def reach(self) -> np.ndarray:
        """Half extents along x, y, z of the smooth body of volume 1, roughly, (3,)."""
        radius = (3 / (4 * np.pi)) ** (1 / 3)
        return radius * np.sqrt(((self.R * self.axes) ** 2).sum(axis=1))

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Size of the pore whose surface passes through each point (n, 3), (n,)."""
        distance = np.sqrt((points**2).sum(axis=1))
        direction = points / np.maximum(distance, 1e-300)[:, None]
        f = np.zeros(len(points))
        for wave, shift in zip(self.waves, self.shifts, strict=True):
            f += np.cos(direction @ wave + shift)
        f *= self.kind.roughness * np.sqrt(2 / WAVES)
        return _gauge(points @ self.R / self.axes, self.kind.bulb) / np.exp(f)


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


def single_pore(
    res: Resolution,
    kind: str = "lack-of-fusion",
    fraction: float | None = None,
    radius: float | None = None,
    stiffness: np.ndarray = TI_6AL_4V,
    seed: int = 0,
) -> Microstructure:
    """One irregular pore at the centre of the box, connected through voxel faces.

    Parameters
    ----------
    res
        Voxels along every axis, or along x, y, z; the longest edge has length 1.
    kind
        "gas" (near-spherical), "keyhole" (deep, with a bulb at its low end) or
        "lack-of-fusion" (flat and jagged); z is the build direction.
    fraction, radius
        Volume fraction of the pore, or the radius of the sphere (in 2-D the disc) of
        equal volume in units of the longest edge: one of them.
    stiffness
        Mandel stiffness of the solid (stress units), (6, 6).
    seed
        Seed of the random numbers (PCG64).

    Raises
    ------
    InputError
        An unknown kind, a size outside the box, a pore of less than 8 voxels.
    """
    shape = _shape(kind)
    grid = unit_grid(res)
    if (fraction is None) == (radius is None):
        raise InputError("pore size: give either a fraction or a radius")
    if fraction is None:
        assert radius is not None
        reach = radius * max(grid.shape)
        flat = grid.shape[2] == 1
        volume = np.pi * reach**2 if flat else 4 * np.pi / 3 * reach**3
        fraction = volume / grid.voxels
    if not 0 < fraction < 1:
        raise InputError(f"pore fraction {fraction:g}: expected between 0 and 1")
    body = _body(shape, fraction * grid.voxels, grid.shape, Generator(PCG64(seed)))
    packing = Packing(grid)
    corner = [(n - m) // 2 for n, m in zip(grid.shape, body.shape, strict=True)]
    if not packing.place(body, np.array(corner)):
        raise _too_large(fraction * grid.voxels, grid.shape)
    return Microstructure(
        grid, packing.filled.astype(np.int32), np.stack([stiffness, PORE])
    )


def pores(
    res: Resolution,
    fraction: float,
    count: int,
    kind: str = "gas",
    stiffness: np.ndarray = TI_6AL_4V,
    seed: int = 0,
) -> Microstructure:
    """Several irregular pores at random places, at least a voxel of solid between them.

    Their volumes are lognormal (standard deviation of the logarithm 0.5), scaled to
    the volume fraction.

    Parameters
    ----------
    res
        Voxels along every axis, or along x, y, z; the longest edge has length 1.
    fraction
        Volume fraction of all pores.
    count
        Number of pores.
    kind
        As for `single_pore`, or "mixed": each pore of any kind.
    stiffness
        Mandel stiffness of the solid (stress units), (6, 6).
    seed
        Seed of the random numbers (PCG64).

    Raises
    ------
    InputError
        An unknown kind, a fraction outside (0, 1), pores of less than 8 voxels or
        larger than the box, or a jammed packing.
    """
    if kind != "mixed":
        _shape(kind)
    if not 0 < fraction < 1:
        raise InputError(f"pore fraction {fraction:g}: expected between 0 and 1")
    if count < 1:
        raise InputError(f"{count} pores: expected at least 1")
    grid = unit_grid(res)
    random = Generator(PCG64(seed))
    volumes = np.exp(0.5 * random.standard_normal(count))
    volumes *= fraction * grid.voxels / volumes.sum()
    names = sorted(KINDS)
    packing = Packing(grid)
    # the largest first: they find no room later
    for placed, volume in enumerate(sorted(volumes, reverse=True)):
        name = names[random.integers(len(names))] if kind == "mixed" else kind
        body = _body(KINDS[name], volume, grid.shape, random)
        for _ in range(ATTEMPTS):
            if packing.place(body, random.integers(grid.shape)):
                break
        else:
            raise InputError(
                f"packing jammed at fraction {packing.voxels / grid.voxels:.3g} of "
                f"{fraction:g} with {placed} of {count} pores; lower the fraction"
            )
    return Microstructure(
        grid, packing.filled.astype(np.int32), np.stack([stiffness, PORE])
    )


def _shape(kind: str) -> PoreShape:
    if kind not in KINDS:
        raise InputError(f"pore kind {kind!r}: expected one of {', '.join(KINDS)}")
    return KINDS[kind]


def _too_large(volume: float, shape: tuple[int, int, int]) -> InputError:
    return InputError(
        f"a pore of {volume:.0f} voxels does not fit a box of "
        f"{' x '.join(map(str, shape))}; lower its fraction"
    )


def _body(
    kind: PoreShape, volume: float, shape: tuple[int, int, int], random: Generator
) -> np.ndarray:
    """Voxels of a pore of this volume in a small box around it, boolean."""
    if volume < 8:
        raise InputError(
            f"a pore of {volume:.2g} voxels: expected at least 8; raise --res or the "
            "fraction"
        )
    surface = Surface(kind, random)
    solid = np.array(shape) > 1
    # the smooth body's reach along x, y, z, widened until the rough one is inside
    reach = surface.reach * (1.3 * volume ** (1 / 3) if solid.all() else volume**0.5)
    while True:
        half = np.where(solid, np.ceil(reach).astype(int), 0)
        if (half > shape).any():
            raise _too_large(volume, shape)
        check_bytes(120 * int(np.prod(2.0 * half + 1)), "a pore of this size")
        body = _deepest(surface, half, int(round(volume)))
        inner = body[tuple(slice(1, -1) if deep else slice(None) for deep in solid)]
        if inner.sum() == body.sum():
            return body
        reach *= 1.25


def _deepest(surface: Surface, half: np.ndarray, wanted: int) -> np.ndarray:
    """The `wanted` voxels deepest in a pore that hang together, around its centre."""
    from scipy.ndimage import binary_propagation

    sides = tuple(2 * half + 1)
    if wanted > np.prod(sides):
        return np.ones(sides, dtype=bool)
    points = np.indices(sides).reshape(3, -1).T - half
    order = np.argsort(surface.depth(points), kind="stable")
    seed = np.zeros(sides, dtype=bool)
    seed[tuple(half)] = True
    taken = wanted
    while True:
        deep = np.zeros(len(points), dtype=bool)
        deep[order[:taken]] = True
        body = binary_propagation(seed, mask=deep.reshape(sides))
        # thin spikes may come off on the voxel grid: take as many voxels more
        missing = wanted - int(body.sum())
        if missing <= 0:
            return body
        taken += missing
