"""Newton's method: what it costs, and that saving leaves the solution alone."""

import numpy as np
import pytest

from fftmech import Grid, Load, March, Microstructure, Path, Step
from fftmech.materials import isotropic
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.microstructure import polycrystal
from fftmech.microstructure.inclusions import sphere

SHEAR = Load(strain={"xx": 1e-3, "yy": -5e-4, "zz": -5e-4})


def crystals(exponent):
    law = CrystalCreep(exponent=exponent, bulk=100.0, tau0=0.016, rate0=1e-3)
    grains = polycrystal(8, grains=8, seed=0)
    return grains.with_changes(law=dict.fromkeys(range(8), law))


def norton(exponent, contrast):
    phase = sphere(8, 0.3, isotropic(E=1, nu=0.3), isotropic(E=2, nu=0.3)).phase
    law = {
        p: Norton(bulk=s / 3e-4, stress0=s, rate0=1e-3, exponent=exponent)
        for p, s in enumerate((1.0, contrast))
    }
    return Microstructure(Grid(phase.shape), phase, law=law)


def plastic(size):
    body = sphere(size, 0.3, isotropic(E=70.0, nu=0.33), isotropic(E=400.0, nu=0.2))
    return body.with_changes(law={0: Plasticity(yield_stress=0.25, hardening=1.0)})


def marched(body, load, **options):
    (point,) = March(body, Path((Step(load),)), **options).points()
    assert point.status == "converged"
    return point


@pytest.mark.parametrize(
    ("body", "load", "most"),
    [
        (crystals(20.0), SHEAR, 1000),
        (norton(10.0, 10.0), SHEAR, 1300),
        (plastic(8), Load.uniaxial("xx", 1e-2), 82),
    ],
    ids=["crystals", "norton", "plastic"],
)
def test_few_linear_iterations_find_the_same_stress(body, load, most):
    point = marched(body, load)
    print(point.iterations, point.linear_iterations)
    assert point.linear_iterations <= most
    exact = marched(body, load, tolerance=1e-9).mean_stress
    error = np.linalg.norm(point.mean_stress - exact)
    print(error / np.linalg.norm(exact))
    assert error < 1e-5 * np.linalg.norm(exact)
