"""Solves that end when the certificate says so, not the residual."""

import numpy as np
import pytest
from random_bodies import random_body, random_load

from fftmech import Boundary, FiniteLoad, InputError, Load, homogenize, solve
from fftmech.materials import PORE, RIGID, isotropic
from fftmech.materials.plasticity import Plasticity
from fftmech.microstructure.inclusions import sphere
from fftmech.problems.certificate import energy_error

STRAIN = Load(strain={"xx": 1e-3})
MATRIX = isotropic(E=70.0, nu=0.3)


@pytest.mark.parametrize("solver", ["cg", "dual"])
def test_the_error_is_below_the_tolerance_that_ends_the_iteration(rng, solver):
    for _ in range(2):
        body, load = random_body(rng, (8, 8, 8), 100.0), random_load(rng)
        exact = solve(body, load, scheme="rotated", tolerance=1e-10)
        iterations = []
        for tolerance in (0.1, 1e-2, 1e-4):
            options = {"scheme": "rotated", "solver": solver}
            result = solve(body, load, energy_tolerance=tolerance, **options)
            certified = result.certificate["relative"]
            assert result.converged and certified <= result.tolerance == tolerance
            fields = ((r.strain, r.stress) for r in (result, exact))
            assert energy_error(body, *fields) <= certified * (1 + 1e-6)
            iterations.append(result.iterations)
        assert iterations[0] < iterations[1] < iterations[2] < exact.iterations


def test_homogenize_takes_it_too(rng):
    body = random_body(rng, (8, 8, 8), 100.0)
    exact = homogenize(body)
    rough = homogenize(body, energy_tolerance=0.02)
    assert rough.converged and sum(rough.iterations) < sum(exact.iterations)
    # stiffness is an energy: the square of the error of fields
    excess = np.linalg.eigvals(np.linalg.solve(exact.stiffness, rough.stiffness)) - 1
    assert excess.real.min() > -1e-6 and excess.real.max() < 3 * 0.02**2


@pytest.mark.parametrize(
    ("body", "load", "more"),
    [
        (sphere(4, 0.3, MATRIX, PORE), STRAIN, {}),
        (sphere(4, 0.3, MATRIX, RIGID), STRAIN, {"solver": "dual"}),
        (sphere(4, 0.3, MATRIX, 2 * MATRIX), STRAIN, {"boundary": Boundary(x="free")}),
        (sphere(4, 0.3, MATRIX, 2 * MATRIX), FiniteLoad(F={"xx": 1e-3}), {}),
        (
            sphere(4, 0.3, MATRIX, 2 * MATRIX).with_changes(
                law={0: Plasticity(yield_stress=0.1)}
            ),
            STRAIN,
            {},
        ),
    ],
    ids=["pores", "rigid", "faces", "finite strain", "history"],
)
def test_it_is_refused_where_nothing_is_certified(body, load, more):
    with pytest.raises(InputError, match=r"energy_tolerance.*use --tol"):
        solve(body, load, energy_tolerance=0.01, **more)


def test_it_is_refused_beside_a_tolerance_on_the_residual():
    with pytest.raises(InputError, match=r"tolerance and energy_tolerance.*one of"):
        solve(
            sphere(4, 0.3, MATRIX, 2 * MATRIX),
            STRAIN,
            tolerance=0.1,
            energy_tolerance=0.1,
        )
