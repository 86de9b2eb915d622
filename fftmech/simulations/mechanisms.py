"""Refuse mean stresses that no connected solid carries."""

import numpy as np

from fftmech.errors import InputError
from fftmech.loads.boundary import AXES, Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.percolation import connected_axes
from fftmech.tensors import COMPONENTS, PAIRS


def check_load(microstructure: Microstructure, load: Load) -> None:
    """Refuse a stress that plainly no solid can carry; some mechanisms slip through.

    A component ij of the mean stress can be prescribed only if the solid connects with
    its periodic images along the axes i and j; else a pore separates the body, and the
    mean strain is undetermined.

    Raises
    ------
    InputError
        Naming the first such component.
    """
    pores = microstructure.pores
    if len(pores) == 0 or not load.free.any():
        return
    solid = ~np.isin(microstructure.phase, pores)
    # a straight line of solid voxels settles most cases without labelling the solid
    connected = [bool(solid.all(axis=axis).any()) for axis in range(3)]
    needed = {axis for m, pair in enumerate(PAIRS) if load.free[m] for axis in pair}
    if not all(connected[axis] for axis in needed):
        connected = connected_axes(solid)
    for m, name in enumerate(COMPONENTS):
        if not load.free[m]:
            continue
        for axis in PAIRS[m]:
            if not connected[axis]:
                raise InputError(
                    f"stress {name} is prescribed, but pores separate the solid along "
                    f"{'xyz'[axis]}, so that it can carry none and the mean strain is "
                    "undetermined",
                    mend=f"prescribe --strain {name}=... instead",
                )


def _check_carried(
    microstructure: Microstructure, load: Load, boundary: Boundary
) -> None:
    """Refuse a mean stress that pores keep from grip to grip."""
    pores = microstructure.pores
    if not len(pores):
        return
    solid = ~np.isin(microstructure.phase, pores)
    layers = [(0, int(not periodic)) for periodic in boundary.periodic]
    for name in load.stress:
        for axis in PAIRS[COMPONENTS.index(name)]:
            # grips that hold the component close the loop through the padded box
            grips = [(False, boundary.fixed(axis, other)) for other in range(3)]
            closed = np.pad(solid, layers, constant_values=grips)
            if not connected_axes(closed)[axis]:
                raise InputError(
                    f"stress {name} is prescribed, but pores separate the solid along "
                    f"{AXES[axis]}, so that it can carry none and the mean strain is "
                    "undetermined",
                    mend=f"prescribe --strain {name}=... instead",
                )
