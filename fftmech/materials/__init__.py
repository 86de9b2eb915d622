"""Materials: stiffness by symmetry class, and what turns strain into stress."""

from fftmech.materials.elastic import (
    PORE,
    RIGID,
    anisotropic,
    check_stiffness,
    cubic,
    hexagonal,
    isotropic,
    orthotropic,
)
from fftmech.materials.laws import LAWS

__all__ = [
    "LAWS",
    "PORE",
    "RIGID",
    "anisotropic",
    "check_stiffness",
    "cubic",
    "hexagonal",
    "isotropic",
    "orthotropic",
]
