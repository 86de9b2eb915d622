"""Constants of isotropic laws, and bodies of one layer to try them on."""

import numpy as np
from laminate_reference import LaminateReference

from fftmech import Load
from fftmech.materials import isotropic
from fftmech.materials.base import StrainStep
from fftmech.materials.check import material_of
from fftmech.materials.creep import Creep
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.materials.viscoelasticity import Viscoelasticity
from fftmech.tensors import COMPONENTS

E, NU = 200.0, 0.3
BULK, SHEAR = E / (3 * (1 - 2 * NU)), E / (2 * (1 + NU))
ELASTIC = isotropic(E=E, nu=NU)

LAWS = {
    "plasticity": [
        Plasticity(0.1, 2.0, 3.0, 0.05, 80.0),
        Plasticity(0.2),
        Plasticity(0.15, hardening=1.0),
    ],
    "viscoelasticity": [
        Viscoelasticity((0.2, 3.0), (0.3, 0.4), (0.1, 0.2)),
        Viscoelasticity((1.0,), (1.0,)),
    ],
    "creep": [Creep(1e-3, 0.1, 5.0), Creep(1e-3, 0.2, 1.0), Creep(1e-2, 0.2, 30.0)],
    "norton": [Norton(50.0, 0.1, 1e-3, 4.0), Norton(90.0, 0.2, 2e-3, 1.0)],
}
NAMES = list(LAWS)
DT = 0.7


def make(laws, stiffness=ELASTIC):
    return material_of(laws, stiffness)


def loaded(name, rng, points=60):
    """Arguments of `respond` at the end of a second step, away from rest."""
    material = make(LAWS[name])
    rows = np.arange(points) % len(LAWS[name])
    before = 2e-3 * rng.normal(size=(6, points))
    virgin = material.start(rows)
    state = material.respond(StrainStep(rows, before, 0 * before, virgin, DT)).state
    strain = before + 2e-3 * rng.normal(size=(6, points))
    return material, rows, strain, before, state


def one_layer(law, stiffness=ELASTIC):
    """A body of one layer."""
    return LaminateReference([(1.0, make([law], stiffness), 0)])


def shear(component, strain):
    return Load(strain={component: strain})


def tension(stress):
    return Load(stress={**dict.fromkeys(COMPONENTS, 0.0), "xx": stress})
