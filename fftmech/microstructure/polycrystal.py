"""Polycrystals: Voronoi or Laguerre grains, each with an orientation."""

from collections.abc import Sequence

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.materials.elastic import cubic
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.geometry import Slab
from fftmech.microstructure.laguerre import Laguerre
from fftmech.microstructure.resolution import Resolution, unit_grid
from fftmech.microstructure.tessellation import UNIT, Tessellation
from fftmech.microstructure.texture import Texture, orientations
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness

AUSTENITIC_STEEL = cubic(C11=204.6, C12=137.7, C44=126.2)
"""Crystal stiffness of austenitic stainless steel (GPa, Mandel)."""

ROUNDS = 5
"""Times that seeds move to the centroids of their grains, which rounds the grains."""


def polycrystal(
    res: Resolution,
    grains: int | None = 24,
    seed: int = 0,
    sizes: tuple[float, float] | None = None,
    periodic: bool | tuple[bool, bool, bool] = True,
    stiffness: np.ndarray = AUSTENITIC_STEEL,
    texture: Texture | None = None,
    others: Sequence[tuple[np.ndarray, float]] = (),
    slab: Slab | None = None,
) -> Microstructure:
    """Polycrystal of Voronoi grains, or of Laguerre grains with lognormal sizes.

    With `sizes`, the power diagram's weights are fitted to the sampled volumes by
    semi-discrete optimal transport, and the seeds move a few times to the centroids
    of their grains so that grains are round (Bourne, Kok, Roper and Spanjer 2020,
    doi 10.1080/14786435.2020.1790053). Volumes are met to 0.5 % or a voxel where the
    voxels allow it, and never worse than 3 % or five voxels. Geometry at another `res`
    differs only by the voxels, unless grains are only a few voxels wide.

    Parameters
    ----------
    res
        Voxels along every axis, or along x, y, z; the longest edge has length 1.
    grains
        Number of grains. None with `sizes`: as many as fill the box.
    seed
        Seed of the random numbers (PCG64).
    sizes
        (mu, sigma), mean and standard deviation of the logarithm of the equivalent
        diameter (of the sphere, or in 2-D the circle, of equal volume) in units of
        the longest edge. Where `grains` is given, volumes are scaled to fill the box,
        and mu does not matter. None: Voronoi grains.
    periodic
        Whether grains continue through the faces of the box, or that for each axis.
    stiffness
        Crystal stiffness in the crystal frame (stress units), Mandel (6, 6).
    texture
        A `Fibre` or a `Peak`; None draws orientations uniformly over all rotations.
    others
        Stiffness (6, 6) and volume fraction of further kinds of crystal. Grains are
        given to them at random, so that fractions are met to about a grain.
    slab
        (first, last): only these planes across x of the same body, without `last`.

    Returns
    -------
    Microstructure
        Phase p is grain p, with its orientation (v_sample = R v_crystal) and its
        stiffness in the sample frame. With `others` its `material` is 0, or 1, 2, ...
        in their order.

    Raises
    ------
    InputError
        Fewer than one grain, grains too small for the voxels, a bad size law.
    """
    geometry = tessellate(res, grains, seed, sizes, periodic)
    turn, kind = _streams(seed)[2:]
    orientation = orientations(geometry.phases, turn, texture)
    R = matrix_from_quaternion(orientation)
    tables = {"stiffness": rotate_stiffness(stiffness, R), "orientation": orientation}
    if others:
        material = _kinds(geometry.fractions(), [f for _, f in others], kind)
        crystals = np.stack([stiffness, *(C for C, _ in others)])
        tables["stiffness"] = rotate_stiffness(crystals[material], R)
        tables["material"] = material
    return geometry.microstructure(unit_grid(res), slab, **tables)


def tessellate(
    res: Resolution,
    grains: int | None = 24,
    seed: int = 0,
    sizes: tuple[float, float] | None = None,
    periodic: bool | tuple[bool, bool, bool] = True,
) -> Tessellation:
    """Grains of `polycrystal` of these arguments, of which any planes can be made.

    It is small and can be sent to other processes, which make their own planes.
    """
    grid = unit_grid(res)
    place, size = _streams(seed)[:2]
    volumes = None
    if sizes is not None:
        volumes = _volumes(grid, grains, sizes, size)
        grains = len(volumes)
    if grains is None or grains < 1:
        raise InputError(
            f"{grains} grains", "at least 1, or sizes (mu, sigma) to follow"
        )
    if grains > max(1, grid.voxels // 16):
        raise InputError(
            f"{grains} grains in {grid.voxels} voxels: at most one grain in 16 voxels",
            mend="raise --res or ask for fewer grains",
        )
    x, y, z = (periodic,) * 3 if isinstance(periodic, bool) else periodic
    seeds = _seeds(grid, grains, place, (x, y, z))
    diagram = Laguerre(grid.shape, seeds, (x, y, z))
    weights = np.zeros(grains)
    if volumes is not None:
        diagram, weights = _sized(diagram, volumes)
    return diagram.tessellation(weights)


def _kinds(volume: np.ndarray, fractions: list[float], random: Generator) -> np.ndarray:
    """Kind of crystal of each grain, 0 for what the others leave, (grains,)."""
    if not all(0 < f < 1 for f in fractions) or not sum(fractions) < 1:
        raise InputError(
            f"volume fractions {fractions} of further phases",
            "each between 0 and 1, and their sum below 1",
        )
    missing = np.array([1 - sum(fractions), *fractions])
    kinds = np.zeros(len(volume), dtype=int)
    for grain in random.permutation(len(volume)):
        kinds[grain] = missing.argmax()
        missing[kinds[grain]] -= volume[grain]
    return kinds


def target_fractions(
    res: Resolution, grains: int | None, sizes: tuple[float, float], seed: int = 0
) -> np.ndarray:
    """Volume fractions that `polycrystal` of these arguments aims at, (grains,)."""
    return _volumes(unit_grid(res), grains, sizes, _streams(seed)[1])


def _streams(seed: int) -> list[Generator]:
    """Random numbers of places, sizes, orientations and kinds of grains."""
    return [Generator(PCG64(stream)) for stream in SeedSequence(seed).spawn(4)]


def _volumes(
    grid: Grid, grains: int | None, sizes: tuple[float, float], random: Generator
) -> np.ndarray:
    """Volume fractions of lognormal grains that fill the box, shape (grains,)."""
    mu, sigma = sizes
    if not (np.isfinite(mu) and np.isfinite(sigma) and sigma >= 0):
        raise InputError(
            f"sizes mu = {mu}, sigma = {sigma}", "finite numbers, sigma >= 0"
        )
    edges = [edge for n, edge in zip(grid.shape, grid.size, strict=True) if n > 1]
    dimension = max(1, len(edges))
    unit = {1: 1.0, 2: np.pi / 4, 3: np.pi / 6}[dimension]
    if grains is None:
        mean = unit * np.exp(dimension * mu + (dimension * sigma) ** 2 / 2)
        expected = np.prod(edges) / mean
        if not expected <= grid.voxels:
            raise InputError(
                f"sizes mu = {mu}: about {expected:.3g} grains for {grid.voxels} "
                "voxels",
                mend="raise --res or mu",
            )
        if expected < 0.5:
            raise InputError(
                f"sizes mu = {mu}, sigma = {sigma}: a mean grain is "
                f"{1 / expected:.3g} times the box",
                mend="lower mu (0 is a diameter of one edge) or give grains",
            )
        # enough draws to fill the box, then cut where the sum comes closest to it
        draws = int(4 * expected + 100)
        volumes = unit * np.exp(mu + sigma * random.standard_normal(draws)) ** dimension
        filled = np.cumsum(volumes)
        grains = int(np.abs(filled - np.prod(edges)).argmin()) + 1
    elif grains < 1:
        raise InputError(f"{grains} grains", "at least 1")
    else:
        volumes = np.exp(sigma * dimension * random.standard_normal(grains))
    fractions = volumes[:grains] / volumes[:grains].sum()
    least = fractions.min() * grid.voxels
    if least < 8:
        raise InputError(
            f"the smallest of {grains} grains would have {least:.2g} voxels (at least "
            "8)",
            mend="raise --res, or lower the number of grains or sigma",
        )
    return fractions


def _seeds(
    grid: Grid, grains: int, random: Generator, periodic: tuple[bool, bool, bool]
) -> np.ndarray:
    """Uniform positions in 1/1024 voxel, (grains, 3), at least two voxels apart.

    At that distance every Voronoi cell holds the centre of a voxel.
    """
    from scipy.spatial import KDTree

    edges = np.array(grid.shape) * UNIT
    # a length of 0 is an axis that is not periodic
    box = edges * periodic if any(periodic) else None
    seeds = np.empty((0, 3), dtype=np.int64)
    while len(seeds) < grains:
        count = max(64, 2 * (grains - len(seeds)))
        drawn = (random.random((count, 3)) * edges).astype(np.int64)
        # an axis of one voxel has no depth
        drawn[:, edges == UNIT] = UNIT // 2
        if len(seeds):
            apart, _ = KDTree(seeds, boxsize=box).query(drawn)
            drawn = drawn[apart >= 2 * UNIT]
        # squared distances are whole numbers: none lies between the two
        tree = KDTree(drawn, boxsize=box)
        near = tree.query_pairs(2 * UNIT - 1e-4, output_type="ndarray")
        taken = np.ones(len(drawn), dtype=bool)
        for first, second in near[np.lexsort(near.T)]:
            taken[second] &= not taken[first]
        seeds = np.concatenate([seeds, drawn[taken]])
    return seeds[:grains]


def _sized(diagram: Laguerre, fractions: np.ndarray) -> tuple[Laguerre, np.ndarray]:
    """Positions and weights of grains of these volume fractions."""
    shape, periodic = diagram.shape, diagram.periodic
    weights = np.zeros(len(fractions))
    # coarse to fine: only the last fit sees every voxel
    shortest = min((n for n in shape if n > 1), default=1)
    stride = 1
    while shortest // stride > 32:
        stride *= 2
    for _ in range(ROUNDS):
        coarse = Laguerre(shape, diagram.seeds, periodic, stride)
        weights = coarse.fit(fractions, weights, tolerance=0.05)
        seeds = coarse.centroids(coarse.phase(weights))
        diagram = Laguerre(shape, seeds, periodic)
    while stride > 1:
        stride //= 2
        view = Laguerre(shape, diagram.seeds, periodic, stride)
        weights = view.fit(fractions, weights)
    weights = diagram.fit(fractions, weights)
    volumes = diagram.volumes(diagram.phase(weights))
    target = fractions * np.prod(shape)
    off = np.abs(volumes - target) / np.maximum(0.03 * target, 5)
    if off.max() > 1:
        g = off.argmax()
        raise InputError(
            f"grain {g} has {volumes[g]} voxels and should have {target[g]:.0f}: the "
            "voxels are too coarse for these sizes",
            mend="raise --res or lower sigma",
        )
    return diagram, weights
