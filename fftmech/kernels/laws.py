"""Fused laws that shadow the reference code of `fftmech.materials`."""

from collections.abc import Callable
from functools import partial
from importlib import import_module

from fftmech.arrays.backend import Backend
from fftmech.materials.base import Material, Response

KERNELS: dict[str, str] = {
    "CrystalCreepMaterial": "law_crystal",
    "CrystalPlasticityMaterial": "law_crystal",
    "HookeMaterial": "law_hooke",
    "NeoHookeMaterial": "law_neo_hooke",
    "PlasticityMaterial": "law_plasticity",
    "StVenantKirchhoffMaterial": "law_st_venant_kirchhoff",
}
"""Module beside this one, by the name of the material's class."""


def responder(material: Material, backend: Backend) -> Callable[..., Response]:
    """Return what evaluates a law: its kernel on the host, else the reference code."""
    module = KERNELS.get(type(material).__name__)
    if module is None or backend.blocks is None:
        return material.respond
    kernel = import_module(f"fftmech.kernels.{module}")
    return partial(kernel.respond, material, threads=backend.threads)
