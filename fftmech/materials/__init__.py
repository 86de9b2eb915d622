"""Materials: stiffness by symmetry class, and what turns strain into stress."""

from fftmech.materials.elastic import (
    PORE,
    anisotropic,
    check_stiffness,
    cubic,
    hexagonal,
    isotropic,
    orthotropic,
)

__all__ = [
    "PORE",
    "anisotropic",
    "check_stiffness",
    "cubic",
    "hexagonal",
    "isotropic",
    "orthotropic",
]
