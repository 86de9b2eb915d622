"""Constitutive laws by their key in a materials file."""

from dataclasses import is_dataclass
from typing import Any

from fftmech.errors import InputError
from fftmech.materials.base import Law, Material
from fftmech.materials.creep import Creep
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.neo_hooke import NeoHooke
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.materials.viscoelasticity import Viscoelasticity
from fftmech.plugins import Registry

OWN: tuple[type[Law], ...] = (
    NeoHooke,
    Plasticity,
    Viscoelasticity,
    Creep,
    Norton,
    CrystalPlasticity,
    CrystalCreep,
)


def _law(name: str, loaded: Any) -> type[Law]:
    """A law of another package, if it is one."""
    if not (isinstance(loaded, type) and issubclass(loaded, Law)):
        raise InputError(f"{loaded!r} is no Law")
    if not is_dataclass(loaded) or loaded.__hash__ is None:
        raise InputError(f"{loaded.__name__} is no frozen dataclass")
    if getattr(loaded, "name", None) != name:
        raise InputError(f"the name of {loaded.__name__} is not {name!r}")
    material = getattr(loaded, "material", None)
    if not (isinstance(material, type) and issubclass(material, Material)):
        raise InputError(f"the material of {loaded.__name__} is no Material")
    if material.__abstractmethods__:
        raise InputError(f"{material.__name__} has no respond")
    return loaded


LAWS = Registry("fftmech.laws", {law.name: law for law in OWN}, _law)
"""Every law by name; a phase without one is linear elastic."""
