"""Refuse mean stresses that no connected solid carries."""

import numpy as np

from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.percolation import connected_axes


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
    if boundary is None and all(solid.all(axis=axis).any() for axis in needed):
        # a straight line of solid voxels, as most bodies have along every axis
        return
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
