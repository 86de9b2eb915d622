"""Fused laws that shadow the reference code of `fftmech.materials`."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from inspect import getattr_static
from typing import Any

from fftmech.arrays.backend import Backend
from fftmech.materials.base import Material, Response, StrainStep
from fftmech.materials.crystal_creep import CrystalCreepMaterial
from fftmech.materials.crystal_plasticity import CrystalPlasticityMaterial
from fftmech.materials.hooke import HookeMaterial
from fftmech.materials.neo_hooke import NeoHookeMaterial
from fftmech.materials.norton import NortonMaterial
from fftmech.materials.plasticity import PlasticityMaterial
from fftmech.materials.st_venant_kirchhoff import StVenantKirchhoffMaterial

KERNELS: dict[type[Material], str] = {
    CrystalCreepMaterial: "fftmech.kernels.law_crystal",
    CrystalPlasticityMaterial: "fftmech.kernels.law_crystal",
    HookeMaterial: "fftmech.kernels.law_hooke",
    NeoHookeMaterial: "fftmech.kernels.law_neo_hooke",
    NortonMaterial: "fftmech.kernels.law_norton",
    PlasticityMaterial: "fftmech.kernels.law_plasticity",
    StVenantKirchhoffMaterial: "fftmech.kernels.law_st_venant_kirchhoff",
}
"""Module whose `respond(material, step, threads)` computes what a class does.

That of a class in `CONJUGATES` has its `energy` too.
"""

CONJUGATES: dict[type[Material], str] = {
    CrystalCreepMaterial: "fftmech.kernels.conjugate_crystal",
    CrystalPlasticityMaterial: "fftmech.kernels.conjugate_crystal_plasticity",
}
"""Module whose `Conjugate` does what three of its functions do."""

# `respond` does not use these: a subclass with others keeps the kernel.
INDEPENDENT = {
    "conjugate_energy",
    "conjugate_strain",
    "for_potentials",
    "energy",
    "gap",
    "inelastic_strain",
    "slip",
    "start",
    "state_after",
}


def responder(material: Material, backend: Backend) -> Callable[[StrainStep], Response]:
    """Return what evaluates a law: its kernel on the host, else the reference code."""
    module = kernel_of(type(material))
    if module is None or backend.blocks is None:
        return material.respond
    kernel: Any = import_module(module)
    return partial(kernel.respond, material, threads=backend.threads)


def conjugate(
    material: Material, rows: Any, backend: Backend
) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Return `Material.conjugate_strain`, `conjugate_energy` and `state_after`.

    There are kernels of them on the host, for points of these rows.
    """
    module = CONJUGATES.get(type(material))
    if module is None or backend.blocks is None:
        return (
            material.conjugate_strain,
            material.conjugate_energy,
            material.state_after,
        )
    kernel = import_module(module).Conjugate(material, rows, backend.threads)
    after = getattr(kernel, "state_after", material.state_after)
    return kernel.strain, kernel.energy, after


def potential(
    material: Material, conjugate_energy: Callable[..., Any], backend: Backend
) -> Callable[..., Any]:
    """Return `Material.energy`, or its kernel on the host if it has one.

    `conjugate_energy` is what `conjugate` returns. It may be given a stress, `near`, to
    look for that of the strain from.
    """
    module = KERNELS.get(type(material))
    if type(material) not in CONJUGATES or module is None or backend.blocks is None:
        return lambda *of, near=None: material.energy(*of)
    kernel: Any = import_module(module)
    threads = backend.threads
    return partial(kernel.energy, material, conjugate_energy, threads=threads)


def kernel_of(kind: type[Material]) -> str | None:
    """Module of the kernel that computes what a class of materials does, or None.

    A subclass has the kernel of its parent, unless it overrides something that
    `respond` may depend on: then only its own code is right.
    """
    parent = next((base for base in kind.__mro__ if base in KERNELS), None)
    if parent is None:
        return None
    names = {
        name
        for base in parent.__mro__
        if issubclass(base, Material)
        for name in vars(base)
        if name == "__init__" or not name.startswith("__")
    }
    overridden = {
        name
        for name in names - INDEPENDENT - {"_abc_impl"}
        if getattr_static(kind, name) is not getattr_static(parent, name)
    }
    return None if overridden else KERNELS[parent]
