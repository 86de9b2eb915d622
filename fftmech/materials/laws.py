"""Constitutive laws by their key in a materials file."""

from fftmech.materials.base import Law
from fftmech.materials.creep import Creep
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.neo_hooke import NeoHooke
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.materials.viscoelasticity import Viscoelasticity

LAWS: dict[str, type[Law]] = {
    law.name: law
    for law in (
        NeoHooke,
        Plasticity,
        Viscoelasticity,
        Creep,
        Norton,
        CrystalPlasticity,
        CrystalCreep,
    )
}
"""Every law by name; a phase without one is linear elastic."""
