"""Refuse mean stresses that no solid carries, and mean strains no rigid part has."""

import numpy as np

from fftmech.arrays.ranks import Ranks
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.percolation import connected_axes, windings
from fftmech.tensors import COMPONENTS, mandel_from_matrix


def check_load(
    body: Microstructure, load: Load | FiniteLoad, boundary: Boundary | None = None
) -> None:
    """Refuse a stress that plainly no solid can carry; some mechanisms slip through.

    A component ij of the mean stress, or of P, can be prescribed only if the solid
    connects along the axes i and j: with its periodic images, or with faces that fix
    the displacement. Else a pore separates the body, and the mean strain is
    undetermined.

    Raises
    ------
    InputError
        Naming the first such component.
    """
    pores = body.pores
    finite = isinstance(load, FiniteLoad)
    stress = load.P if finite else load.stress
    if len(pores) == 0 or not stress:
        return
    solid = ~np.isin(body.phase, pores)
    needed = sorted({"xyz".index(axis) for name in stress for axis in name})
    if boundary is None and all(_has_line(solid, axis, body.ranks) for axis in needed):
        # as most bodies have along every axis
        return
    if body.ranks.size > 1:
        # parts that wind around the box are found in the whole of it
        whole = body.ranks.gather(solid, body.grid.shape[0])
        connected = body.ranks.first(lambda: _connected(np.asarray(whole), None))
    else:
        connected = _connected(solid, boundary)
    for name in stress:
        for axis in name:
            if connected["xyz".index(axis)]:
                continue
            what, mean = ("P", "F") if finite else ("stress", "strain")
            raise InputError(
                f"{what} {name} is prescribed, but pores separate the solid along "
                f"{axis}, so that it can carry none and the mean {mean} is "
                "undetermined",
                mend=f"prescribe --{mean} {name}=... instead",
            )


def check_rigid_load(body: Microstructure, load: Load) -> None:
    """Refuse mean strains that rigid phases would have to have.

    A rigid part that winds around the box along vectors a, b, ... carries the mean
    stresses sym(a b) at no cost: where none of their components is prescribed, the mean
    stress is infinite, or undetermined if the strain is zero. Voxels that share a
    corner count as one part, which in some bodies refuses more than it must.

    Raises
    ------
    InputError
        Naming the first component that must not be prescribed.
    """
    modes = []
    for loops in windings(np.isin(body.phase, body.rigid)):
        _, sizes, span = np.linalg.svd(loops * body.grid.size)
        span = span[: np.count_nonzero(sizes > 1e-9 * sizes[0])]
        modes += [np.outer(a, b) + np.outer(b, a) for a in span for b in span]
    if not modes:
        return
    # of all combinations, those without the components whose stress is prescribed
    _, sizes, V = np.linalg.svd([mandel_from_matrix(mode) for mode in modes])
    V = V[: np.count_nonzero(sizes > 1e-9 * sizes[0])]
    U, sizes, _ = np.linalg.svd(V[:, load.free])
    own = U[:, np.count_nonzero(sizes > 1e-9) :].T @ V
    held = np.flatnonzero(abs(own).max(axis=0, initial=0) > 1e-6)
    if len(held):
        name = COMPONENTS[held[0]]
        raise InputError(
            f"strain {name} is prescribed (0 where it is not named), but rigid voxels "
            "touch each other all through the periodic box, so that its stress is "
            "infinite or undetermined",
            mend=f"prescribe --stress {name}=... instead, or refine until they part",
        )


def _has_line(solid: np.ndarray, axis: int, ranks: Ranks) -> bool:
    """Whether a straight line of solid voxels goes along an axis."""
    lines = solid.all(axis=axis)
    if axis == 0:
        lines = ranks.sum(lines.astype(int)) == ranks.size
    return ranks.max(bool(lines.any()))


def _connected(solid: np.ndarray, boundary: Boundary | None) -> tuple[bool, ...]:
    """Axes along which the solid connects, for each with the faces that hold it."""
    if boundary is None:
        return connected_axes(solid)
    layers = [(0, int(not periodic)) for periodic in boundary.periodic]
    connected = []
    for axis in range(3):
        # faces that fix the component close the loop through the padded box
        fixed = [(False, boundary.fixed(axis, other)) for other in range(3)]
        closed = np.pad(solid, layers, constant_values=fixed)
        connected.append(connected_axes(closed)[axis])
    return tuple(connected)
