"""Ordinary bodies that are the edge of something: every solver and model meets them."""

import numpy as np

from fftmech import Grid, Load, Microstructure
from fftmech.materials import PORE, cubic, isotropic
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness

SOFT, STIFF = isotropic(E=70.0, nu=0.3), isotropic(E=400.0, nu=0.2)
CRYSTAL = rotate_stiffness(
    cubic(C11=204.6, C12=137.7, C44=126.2),
    matrix_from_quaternion(np.array([0.8, 0.36, 0.48, 0.0])),
)


def body(phase, *stiffness):
    """Phase map on unit voxels, stiffness by phase."""
    phase = np.asarray(phase, dtype=int)
    return Microstructure(Grid(phase.shape), phase, np.array(stiffness))


def laminate(axis, n=8):
    """Layers of n/2 voxels, perpendicular to an axis."""
    layers = np.arange(n) >= n // 2
    shape = [n if i == axis else 1 for i in range(3)]
    return body(np.broadcast_to(layers.reshape(shape), (n, n, n)), SOFT, STIFF)


def fibre(contrast, n=8):
    """A square fibre of 2 x 2 voxels along x, `contrast` times as stiff as the rest."""
    phase = np.zeros((n, n, n))
    phase[:, 3:5, 3:5] = 1
    return body(phase, SOFT, contrast * SOFT)


def strut(n=8):
    """All pore but a strut of 2 x 2 voxels along z."""
    phase = np.ones((n, n, n))
    phase[3:5, 3:5] = 0
    return body(phase, SOFT, PORE)


SOLID = {
    "homogeneous": body(np.zeros((8, 8, 8)), SOFT),
    "homogeneous crystal": body(np.zeros((8, 8, 8)), CRYSTAL),
    "laminate along x": laminate(0),
    "laminate along y": laminate(1),
    "laminate along z": laminate(2),
    "two phases of equal stiffness": body(
        np.indices((8, 8, 8))[0] % 3 == 0, SOFT, SOFT
    ),
    "one voxel": body(np.zeros((1, 1, 1)), CRYSTAL),
    "one voxel thick": body(np.indices((8, 8, 1)).sum(axis=0) % 5 == 0, SOFT, STIFF),
    "checkerboard": body(np.indices((8, 8, 8)).sum(axis=0) % 2, SOFT, STIFF),
    "nearly rigid fibre": fibre(1e8),
}
"""Bodies without pores, by name; stress units, voxels of unit length."""

POROUS = {
    "strut": strut(),
    "one pore voxel": body(np.arange(512).reshape(8, 8, 8) == 77, SOFT, PORE),
}
"""Bodies with pores; `strut` carries nothing but tension along z."""

LOADS = {
    "nothing": Load(),
    "strain zz": Load(strain={"zz": 1e-3}),
    "strain xy": Load(strain={"xy": 1e-3}),
    "uniaxial zz": Load.uniaxial("zz", 1e-3),
    "tiny": Load(strain={"zz": 1e-30}),
}
"""Loads by name; a strut cannot carry some of them."""
