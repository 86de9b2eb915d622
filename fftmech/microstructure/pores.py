"""Pores of irregular shape in a solid (phase 0: solid, 1: pore)."""

import numpy as np
from numpy.random import PCG64, Generator

from fftmech.arrays.memory import check_bytes
from fftmech.errors import InputError
from fftmech.materials.elastic import PORE, isotropic
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.geometry import Slab
from fftmech.microstructure.packing import Packing
from fftmech.microstructure.pore_surface import BLOCK, KINDS, PoreShape, Surface
from fftmech.microstructure.resolution import Resolution, unit_grid

TI_6AL_4V = isotropic(E=113.8, nu=0.342)
"""Stiffness of Ti-6Al-4V (GPa, Mandel)."""

ATTEMPTS = 2000
"""Failed placements of one pore after which the packing counts as jammed."""

POINTS = 32 * BLOCK
"""Points that are made at a time, which bounds the memory."""


def single_pore(
    res: Resolution,
    kind: str = "lack-of-fusion",
    fraction: float | None = None,
    radius: float | None = None,
    stiffness: np.ndarray = TI_6AL_4V,
    seed: int = 0,
    slab: Slab | None = None,
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
    slab
        (first, last): only these planes across x of the same body, without `last`.

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
        raise InputError(f"pore fraction {fraction:g}", "between 0 and 1")
    body = _body(shape, fraction * grid.voxels, grid.shape, Generator(PCG64(seed)))
    packing = Packing(grid)
    corner = [(n - m) // 2 for n, m in zip(grid.shape, body.shape, strict=True)]
    if not packing.place(body, np.array(corner)):
        raise _too_large(fraction * grid.voxels, grid.shape)
    return packing.microstructure(grid, slab, stiffness=np.stack([stiffness, PORE]))


def pores(
    res: Resolution,
    fraction: float,
    count: int,
    kind: str = "gas",
    stiffness: np.ndarray = TI_6AL_4V,
    seed: int = 0,
    slab: Slab | None = None,
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
    slab
        (first, last): only these planes across x of the same body, without `last`.

    Raises
    ------
    InputError
        An unknown kind, a fraction outside (0, 1), pores of less than 8 voxels or
        larger than the box, or a jammed packing.
    """
    if kind != "mixed":
        _shape(kind)
    if not 0 < fraction < 1:
        raise InputError(f"pore fraction {fraction:g}", "between 0 and 1")
    if count < 1:
        raise InputError(f"{count} pores", "at least 1")
    grid = unit_grid(res)
    if count > grid.voxels:
        raise InputError(
            f"{count} pores", f"at most {grid.voxels}, one a voxel", "lower count"
        )
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
                f"{fraction:g} with {placed} of {count} pores",
                mend="lower the fraction",
            )
    return packing.microstructure(grid, slab, stiffness=np.stack([stiffness, PORE]))


def _shape(kind: str) -> PoreShape:
    if kind not in KINDS:
        raise InputError(f"pore kind {kind!r}", f"one of {', '.join(KINDS)}")
    return KINDS[kind]


def _too_large(volume: float, shape: tuple[int, int, int]) -> InputError:
    return InputError(
        f"a pore of {volume:.0f} voxels does not fit a box of "
        f"{' x '.join(map(str, shape))}",
        mend="lower its fraction",
    )


def _body(
    kind: PoreShape, volume: float, shape: tuple[int, int, int], random: Generator
) -> np.ndarray:
    """Voxels of a pore of this volume in a small box around it, boolean."""
    if volume < 8:
        raise InputError(
            f"a pore of {volume:.2g} voxels",
            "at least 8",
            "raise --res or the fraction",
        )
    surface = Surface(kind, random)
    solid = np.array(shape) > 1
    # room for what thin spikes that come off on the voxel grid give to the rest
    reach = 1.05 * surface.reach(volume, solid) + 1
    while True:
        half = np.where(solid, np.ceil(reach).astype(int), 0)
        if (half > shape).any():
            raise _too_large(volume, shape)
        check_bytes(40 * int(np.prod(2.0 * half + 1)), "a pore of this size")
        body = _deepest(surface, half, int(round(volume)))
        if body is not None:
            break
        reach *= 1.1
    # a pore is placed by the corner of its box: that of the smooth body, widened until
    # the pore keeps off its faces
    used = np.argwhere(body) - half
    box = surface.smooth_reach * (
        1.3 * volume ** (1 / 3) if solid.all() else volume**0.5
    )
    while (np.ceil(box) <= np.abs(used).max(axis=0))[solid].any():
        box *= 1.25
    half = np.where(solid, np.ceil(box).astype(int), 0)
    body = np.zeros(2 * half + 1, dtype=bool)
    body[tuple((used + half).T)] = True
    return body


def _deepest(surface: Surface, half: np.ndarray, wanted: int) -> np.ndarray | None:
    """The `wanted` voxels deepest in a pore that hang together, around its centre.

    None where a box of this half extents is too small to tell.
    """
    from scipy.ndimage import binary_propagation

    sides = tuple(2 * half + 1)
    inner = tuple(slice(1, -1) if reach else slice(None) for reach in half)
    depth = np.empty(int(np.prod(sides)))
    for start in range(0, len(depth), POINTS):
        index = np.arange(start, min(start + POINTS, len(depth)))
        points = np.stack(np.unravel_index(index, sides), axis=1) - half
        depth[index] = surface.depth(points)
    order = np.argsort(depth, kind="stable")
    seed = np.zeros(sides, dtype=bool)
    seed[tuple(half)] = True
    taken = wanted
    while True:
        deep = np.zeros(sides, dtype=bool)
        deep.flat[order[:taken]] = True
        if np.count_nonzero(deep[inner]) < taken:
            return None
        body = binary_propagation(seed, mask=deep)
        # thin spikes may come off on the voxel grid: take as many voxels more
        missing = wanted - int(body.sum())
        if missing <= 0:
            return body
        taken += missing
