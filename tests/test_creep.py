"""Power-law creep of an elastic solid."""

import numpy as np
import pytest
from isotropic_laws import ELASTIC, LAWS, SHEAR, make, one_layer, shear, tension
from scipy.integrate import solve_ivp

from fftmech.materials.base import StrainStep
from fftmech.materials.creep import Creep
from fftmech.tensors import K


def _strain_of_time(t):
    """A path whose direction turns."""
    first = np.array([2.0, -1.0, 0.5, 0.7, 0.0, 0.3])
    second = np.array([-1.0, 0.4, 1.0, 0.0, 1.2, -0.8])
    return 1e-3 * (t * first + t**2 * second)


def test_creep_on_a_turning_path_converges_to_the_differential_equation():
    law = LAWS["creep"][0]

    def rate(t, creep):
        s = 2 * SHEAR * (K @ _strain_of_time(t) - creep)
        q = 1.5**0.5 * np.linalg.norm(s)
        return 1.5 * law.rate0 / law.stress0 * (q / law.stress0) ** 4 * s

    options = dict(method="LSODA", rtol=1e-10, atol=1e-14)
    creep = solve_ivp(rate, (0, 2), np.zeros(6), **options).y[:, -1]
    strain = _strain_of_time(2.0)
    exact = ELASTIC @ (strain - creep)
    material, errors = make([law]), []
    for steps in (80, 160):
        before, state = np.zeros((6, 1)), material.start([0])
        for t in np.linspace(0, 2, steps + 1)[1:]:
            after = _strain_of_time(t)[:, None]
            stress, state, _ = material.respond(
                StrainStep(np.array([0]), after, before, state, 2 / steps)
            )
            before = after
        errors.append(np.linalg.norm(stress[:, 0] - exact) / np.linalg.norm(exact))
    assert errors[1] < 5e-3 and errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert np.linalg.norm(creep) > 0.3 * np.linalg.norm(strain)


def test_stress_relaxes_by_a_power_of_time_under_constant_strain():
    # dq/dt = -3 G rate0 (q / s0)^n: q^(1 - n) grows linearly
    law, n = LAWS["creep"][0], 5.0
    strain, end, errors = 1e-3, 3.0, []
    q0 = 3**0.5 * 2 * SHEAR * strain
    growth = (n - 1) * 3 * SHEAR * law.rate0 * end / law.stress0
    exact = ((q0 / law.stress0) ** (1 - n) + growth) ** (1 / (1 - n)) * law.stress0
    for steps in (200, 400):
        body = one_layer(law)
        times = np.concatenate([[0.0], np.geomspace(1e-5, end, steps)])
        for dt in np.diff(times):
            stress = body.step(shear("xy", strain), dt)
        errors.append(abs(1.5**0.5 * np.linalg.norm(K @ stress) / exact - 1))
    assert exact < 0.2 * q0
    assert errors[1] < 6e-3 and errors[0] / errors[1] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("law", LAWS["creep"], ids=lambda law: f"n={law.exponent:g}")
def test_constant_stress_creeps_steadily_at_nortons_rate(law):
    body, s, dt = one_layer(law), 1.1 * law.stress0, 0.5
    load = tension(s)
    body.step(load, dt)
    before = body.mean_strain
    body.step(load, dt)
    rate = (body.mean_strain - before) / dt
    expected = law.rate0 * (s / law.stress0) ** law.exponent
    np.testing.assert_allclose(rate[:3], expected * np.array([1, -0.5, -0.5]), 1e-8)


@pytest.mark.parametrize("exponent", [1.0, 3.0, 200.0])
@pytest.mark.parametrize("dt", [1e-9, 1.0, 1e12])
def test_creep_is_found_for_any_exponent_step_and_strain(exponent, dt):
    law = Creep(1e-3, 0.1, exponent)
    material = make([law])
    strain = np.outer(K[1], np.concatenate([[0.0], np.geomspace(1e-12, 10.0, 40)]))
    rows = np.zeros(41, int)
    stress, state, tangent = material.respond(
        StrainStep(rows, strain, 0 * strain, material.start(rows), dt, np.float64)
    )
    assert np.isfinite(stress).all() and np.isfinite(tangent.apply(strain)).all()
    q = 1.5**0.5 * np.linalg.norm(K @ stress, axis=0)
    # in units of what the elastic trial stress was
    trial = 1.5**0.5 * 2 * SHEAR * np.linalg.norm(strain, axis=0)[1:]
    q = q[1:]
    total = q + 3 * SHEAR * dt * law.rate0 * (q / law.stress0) ** exponent
    np.testing.assert_allclose(total, trial, rtol=1e-12 * max(exponent, 10.0))
    np.testing.assert_allclose(q + 3 * SHEAR * state[6, 1:], trial, rtol=1e-12)
