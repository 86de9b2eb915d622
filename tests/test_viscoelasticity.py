"""Generalised Maxwell model."""

import numpy as np
import pytest
from isotropic_laws import BULK, LAWS, SHEAR, one_layer, shear

from fftmech import Load
from fftmech.materials.viscoelasticity import Viscoelasticity
from fftmech.tensors import FACTORS, J, K


def _relaxed(law, t):
    """Share of the shear modulus that is left after t."""
    series = zip(law.relaxation_times, law.shear_fractions, strict=True)
    return 1 - sum(g * (1 - np.exp(-t / time)) for time, g in series)


def test_held_strain_relaxes_as_the_prony_series():
    law = LAWS["viscoelasticity"][0]
    body = one_layer(law)
    strain = 1e-3 * np.array([1.0, -0.4, 0.2, 0.3, 0.0, 0.5]) * FACTORS
    body.step(Load.from_mandel(strain), dt=1e-12)
    t = 1e-12
    for dt in (0.01, 0.5, 0.03, 4.0, 100.0):
        stress = body.step(Load.from_mandel(strain), dt)
        t += dt
        deviator = 2 * SHEAR * _relaxed(law, t) * (K @ strain)
        np.testing.assert_allclose(K @ stress, deviator, rtol=1e-9)
        bulk_series = zip(law.relaxation_times, law.bulk_fractions, strict=True)
        left = 1 - sum(k * (1 - np.exp(-t / time)) for time, k in bulk_series)
        np.testing.assert_allclose(
            J @ stress, 3 * BULK * left * (J @ strain), rtol=1e-9, atol=1e-15
        )
    assert _relaxed(law, t) == pytest.approx(0.3)


@pytest.mark.parametrize("steps", [1, 7])
def test_ramp_of_strain_is_exact_at_any_step(steps):
    law = LAWS["viscoelasticity"][0]
    body, end, rate = one_layer(law), 2.0, 1e-3
    for t in np.linspace(0, end, steps + 1)[1:]:
        stress = body.step(shear("xy", rate * t), end / steps)
    # 2 G times the integral of the relaxation function
    series = zip(law.relaxation_times, law.shear_fractions, strict=True)
    integral = end - sum(
        g * (end - time * (1 - np.exp(-end / time))) for time, g in series
    )
    expected = 2 * SHEAR * rate * integral * 2**0.5
    assert stress[5] == pytest.approx(expected, rel=1e-12)
    assert integral < 0.8 * end


def test_creep_of_a_standard_solid_has_second_order_error():
    # J(t) = 1/G_inf - (1/G_inf - 1/G) exp(-t G_inf / (G tau)) (Zener)
    g, tau, end, s = 0.6, 1.3, 2.0, 0.05
    left = 1 - g
    exact = s / (2 * SHEAR) * (1 / left - (1 / left - 1) * np.exp(-end * left / tau))
    errors = []
    for steps in (10, 20):
        body = one_layer(Viscoelasticity(tau, g))
        load = Load(stress={"yz": s})
        body.step(load, dt=1e-12)
        for _ in range(steps):
            body.step(load, end / steps)
        errors.append(abs(body.mean_strain[3] / 2**0.5 - exact) / exact)
    assert errors[1] < 2e-3 and errors[0] / errors[1] == pytest.approx(4, rel=0.1)


def test_harmonic_strain_meets_storage_and_loss_modulus():
    law = LAWS["viscoelasticity"][0]
    omega, periods, steps = 2.0, 12, 100
    dt = 2 * np.pi / omega / steps
    body, last = one_layer(law), []
    for n in range(1, periods * steps + 1):
        stress = body.step(shear("xz", 1e-3 * np.sin(omega * n * dt)), dt)
        if n > (periods - 1) * steps:
            last.append([n * dt, stress[4] / 2**0.5])
    t, s = np.array(last).T
    storage, loss = (
        2 * np.mean(s * wave(omega * t)) / 2e-3 for wave in (np.sin, np.cos)
    )
    x = omega * np.array(law.relaxation_times)
    g = np.array(law.shear_fractions)
    G1 = SHEAR * (1 - g.sum() + (g * x**2 / (1 + x**2)).sum())
    G2 = SHEAR * (g * x / (1 + x**2)).sum()
    assert storage == pytest.approx(G1, rel=1e-3)
    assert loss == pytest.approx(G2, rel=1e-3)
