"""Spheres, ellipsoids and short fibres in a matrix (phase 0: matrix, 1: inclusion)."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.random import PCG64, Generator

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.geometry import Geometry, Slab
from fftmech.microstructure.packing import Packing
from fftmech.microstructure.phase_map import slabs
from fftmech.microstructure.resolution import Resolution, unit_grid
from fftmech.microstructure.texture import orientations
from fftmech.tensors import matrix_from_quaternion

ATTEMPTS = 20000
"""Failed placements of one inclusion after which the packing counts as jammed."""

_DIRECTIONS = np.array([way for way in product((-1, 0, 1), repeat=3) if any(way)])

_UNIT = _DIRECTIONS / np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)

PROBES = np.concatenate([0.5 * _UNIT, 0.9 * _UNIT])
"""Points of the unit ball whose voxels are looked at before all of a body."""


def sphere(
    res: Resolution,
    radius: float,
    matrix: np.ndarray,
    inclusion: np.ndarray,
    slab: Slab | None = None,
) -> Microstructure:
    """One sphere at the centre of the box; in 2-D a disc.

    A voxel is inclusion (phase 1) where its centre is no farther than `radius` from
    the centre of the box, else matrix (phase 0).

    Parameters
    ----------
    res
        Voxels along every axis, or along x, y, z; the longest edge has length 1.
    radius
        Radius of the sphere, at most half of the longest edge.
    matrix, inclusion
        Mandel stiffness (stress units), (6, 6).
    slab
        (first, last): only these planes across x of the same body, without `last`.

    Raises
    ------
    InputError
        A radius that is not in (0, 1/2].
    """
    if not 0 < radius <= 0.5:
        raise InputError(
            f"sphere radius {radius:g}", "above 0 and at most 0.5 box edges"
        )
    grid = unit_grid(res)
    ball = Ball(grid.shape, radius * max(grid.shape))
    return ball.microstructure(grid, slab, stiffness=np.stack([matrix, inclusion]))


@dataclass(frozen=True)
class Ball(Geometry):
    """Phase 1 within a radius, in voxels, of the centre of the box."""

    shape: tuple[int, int, int]
    radius: float

    def planes(self, first: int, last: int) -> np.ndarray:
        """Whether the centres of voxels of some planes are inside."""
        # half voxels from the centre are whole numbers
        x, y, z = (2 * np.arange(n) + 1 - n for n in self.shape)
        square = (x[first:last] ** 2)[:, None, None] + (y**2)[:, None] + z**2
        return square <= (2 * self.radius) ** 2


def inclusions(
    res: Resolution,
    fraction: float,
    radius: float | tuple[float, float],
    matrix: np.ndarray,
    inclusion: np.ndarray,
    aspect: tuple[float, float, float] = (1.0, 1.0, 1.0),
    seed: int = 0,
    slab: Slab | None = None,
) -> Microstructure:
    """Non-overlapping spheres or ellipsoids at random, to a volume fraction.

    Random sequential adsorption in the periodic box: the bodies are drawn, sorted by
    size, and placed one after another where at least one voxel of matrix stays
    between any two of them. The fraction is met to within half an inclusion.

    Parameters
    ----------
    res
        Voxels along every axis, or along x, y, z; the longest edge has length 1.
    fraction
        Volume fraction of the inclusions.
    radius
        Radius in units of the longest edge, or the ends of a range from which it is
        drawn uniformly.
    matrix, inclusion
        Mandel stiffness (stress units), (6, 6).
    aspect
        The semi-axes are `radius` times these; (1, 1, 8) is fibre-like. Orientations
        are uniformly random; in 2-D the turn about z is, and the third is unused.
    seed
        Seed of the random numbers (PCG64).
    slab
        (first, last): only these planes across x of the same body, without `last`.

    Raises
    ------
    InputError
        A fraction outside (0, 1), inclusions smaller than a voxel or larger than the
        box, a fraction smaller than half an inclusion, or a jammed packing.
    """
    if not 0 < fraction < 1:
        raise InputError(f"fraction {fraction:g}", "between 0 and 1")
    low, high = (radius, radius) if isinstance(radius, (int, float)) else radius
    grid = unit_grid(res)
    axes = _semi_axes(grid, low, high, aspect)
    random = Generator(PCG64(seed))
    goal = fraction * grid.voxels
    power = len(axes)
    unit = (np.pi if power == 2 else 4 * np.pi / 3) * float(np.prod(axes))
    radii = []
    volume = 0.0
    while volume < goal:
        radii.append(low + (high - low) * random.random())
        volume += unit * radii[-1] ** power
    # the largest first: they find no room later
    radii = sorted(radii, reverse=True)
    packing = Packing(grid)
    placed: list[np.ndarray] = []
    while True:
        # a voxel body differs a little from its volume: draw more if too few
        size = radii.pop(0) if radii else low + (high - low) * random.random()
        if packing.voxels + unit * size**power / 2 > goal:
            break
        if not _place(packing, size * axes, random, placed):
            raise InputError(
                f"packing jammed at fraction {packing.voxels / grid.voxels:.3g} of "
                f"{fraction:g} with {len(placed)} inclusions",
                mend="lower the fraction, or the aspect, or allow smaller radii",
            )
    if not placed:
        raise InputError(
            f"fraction {fraction:g} is less than half an inclusion",
            mend="lower the radius",
        )
    return packing.microstructure(grid, slab, stiffness=np.stack([matrix, inclusion]))


def _semi_axes(
    grid: Grid, low: float, high: float, aspect: tuple[float, float, float]
) -> np.ndarray:
    """Semi-axes in voxels for a radius of 1, two in 2-D, if all radii fit the grid."""
    axes = np.array(aspect, dtype=float) * max(grid.shape)
    if not (0 < low <= high < np.inf and len(axes) == 3 and (axes > 0).all()):
        raise InputError(
            f"radius {low:g} to {high:g}, aspect {aspect}",
            "positive numbers, a range from low to high",
        )
    if grid.shape[2] == 1:
        axes = axes[:2]
    edge = min(grid.shape[: len(axes)])
    if 2 * low * axes.min() < 1:
        raise InputError(
            f"inclusions {2 * low * axes.min():.2g} voxels thick",
            "at least 1",
            "raise --res or the radius",
        )
    if 2 * high * axes.max() > edge - 1:
        raise InputError(
            f"inclusions {2 * high * axes.max():.3g} voxels long in a box of {edge}: "
            "lower the radius or the aspect"
        )
    return axes


def _place(
    packing: Packing, axes: np.ndarray, random: Generator, placed: list[np.ndarray]
) -> bool:
    """Place one ellipsoid of semi-axes in voxels; for spheres also compare centres."""
    shape = np.array(packing.shape)
    round_body = axes.min() == axes.max()
    others = np.array(placed)
    for _ in range(ATTEMPTS):
        centre = random.random(3) * shape
        centre[shape == 1] = 0.5
        if not packing.free(np.floor(centre).astype(int) % shape):
            continue
        if round_body and placed:
            gap = np.abs(others[:, :3] - centre)
            gap = np.minimum(gap, shape - gap)
            if ((gap**2).sum(axis=1) <= (others[:, 3] + axes[0]) ** 2).any():
                continue
        if round_body:
            R = np.eye(3)
        elif len(axes) == 2:
            turn = 2 * np.pi * random.random()
            c, s = np.cos(turn), np.sin(turn)
            R = np.array([[c, -s], [s, c]])
        else:
            R = matrix_from_quaternion(orientations(1, random)[0])
        R = R[: len(axes), : len(axes)]
        if not round_body and not _may_be_free(packing, centre, axes, R):
            continue
        body, corner = ellipsoid(centre, axes, R)
        if packing.place(body, corner):
            placed.append(np.append(centre, axes.max()))
            return True
    return False


def _may_be_free(
    packing: Packing, centre: np.ndarray, axes: np.ndarray, R: np.ndarray
) -> bool:
    """Look at a few voxels of an ellipsoid, which is fast and settles most cases."""
    d, shape = len(axes), packing.shape
    voxels = np.floor(centre[:d] + (PROBES[:, :d] * axes) @ R.T).astype(int)
    offsets = (voxels + 0.5 - centre[:d]) @ R / axes
    # well inside, so that none is looked at that is not in the body
    voxels = voxels[(offsets**2).sum(axis=1) < 0.999] % shape[:d]
    if d == 2:
        voxels = np.pad(voxels, ((0, 0), (0, 1)))
    return bool(packing.free(voxels).all())


def ellipsoid(
    centre: np.ndarray, axes: np.ndarray, R: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels whose centres lie in an ellipsoid (two axes: an ellipse across z).

    Returns the boolean small box, and the voxel of its first corner.
    """
    d = len(axes)
    # half extents of the rotated ellipsoid along x, y, z
    reach = np.sqrt(((R * axes) ** 2).sum(axis=1))
    first = np.floor(centre[:d] - reach).astype(int)
    last = np.floor(centre[:d] + reach).astype(int)
    ranges = [
        np.arange(a, b + 1) + 0.5 - c
        for a, b, c in zip(first, last, centre, strict=False)
    ]
    inside = np.empty([len(r) for r in ranges], dtype=bool)
    for part in slabs(inside.shape, voxels=2**16):
        rows = [ranges[0][part], *ranges[1:]]
        points = np.stack(np.meshgrid(*rows, indexing="ij"), axis=-1)
        inside[part] = (((points @ R) / axes) ** 2).sum(axis=-1) <= 1
    if d == 2:
        return inside[..., None], np.append(first, 0)
    return inside, first
