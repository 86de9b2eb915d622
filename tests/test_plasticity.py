"""J2 elastoplasticity."""

import numpy as np
import pytest
from isotropic_laws import DT, ELASTIC, LAWS, SHEAR, E, loaded, make, one_layer

from fftmech import Load
from fftmech.kernels import law_plasticity
from fftmech.materials.base import StrainStep
from fftmech.materials.plasticity import Plasticity
from fftmech.tensors import K


def test_uniaxial_tension_follows_the_bilinear_curve():
    s_y, H, C = 0.3, 4.0, 6.0
    body = one_layer(Plasticity(s_y, H, C))
    for e in np.linspace(0, 6e-3, 13)[1:]:
        stress = body.step(Load.uniaxial("xx", e))
        expected = E * e
        if expected > s_y:
            expected = s_y + E * (H + C) / (E + H + C) * (e - s_y / E)
        assert stress[0] == pytest.approx(expected, rel=1e-9)
        assert np.abs(stress[1:]).max() < 1e-10
    assert body.stress[0, 0] > 1.1 * s_y


def test_saturating_hardening_meets_its_closed_form_in_one_large_step():
    law = Plasticity(0.3, 1.0, 0.5, 0.2, 300.0)
    body = one_layer(law)
    for e in (2e-3, 0.05):
        stress = body.step(Load.uniaxial("xx", e))[0]
        p = body.state[0][6]
        expected = 0.3 + 1.0 * p + 0.2 * (1 - np.exp(-300.0 * p)) + 0.5 * p
        assert stress == pytest.approx(expected, rel=1e-10)
        assert e == pytest.approx(stress / E + p, rel=1e-10)
    assert stress > 0.5 + 1.4 * p


def test_cycles_of_mixed_hardening_follow_their_closed_form():
    # along each half cycle the elastic range is 2 s_y, and the plastic slope constant
    s_y, H, C = 0.2, 5.0, 8.0
    body = one_layer(Plasticity(s_y, H, C))
    stress, plastic, p, turned = 0.0, 0.0, 0.0, 0
    for e in (3e-3, -3e-3, 4e-3, -4e-3, 0.0):
        actual = body.step(Load.uniaxial("xx", e))[0]
        trial = E * (e - plastic)
        sign = np.sign(trial - C * plastic)
        # stress = E (e - plastic) = C plastic + sign (s_y + H p) at the end
        excess = abs(trial - C * plastic) - s_y - H * p
        assert excess > 0
        plastic += sign * excess / (E + C + H)
        p += excess / (E + C + H)
        turned += np.sign(actual) != np.sign(stress)
        stress = C * plastic + sign * (s_y + H * p)
        assert actual == pytest.approx(stress, rel=1e-9)
        assert body.state[0][6] == pytest.approx(p, rel=1e-9)
        np.testing.assert_allclose(
            body.state[0][:3], plastic * np.array([1, -0.5, -0.5]), rtol=1e-8
        )
    assert turned >= 4


def test_plastic_flow_keeps_the_volume_and_the_yield_stress_is_reached(rng):
    material, rows, *rest = loaded("plasticity", rng)
    stress, state, _ = material.respond(StrainStep(rows, *rest, DT))
    grown = state[6] > rest[2][6]
    assert grown.mean() > 0.8
    assert np.abs(state[:3].sum(0)).max() < 1e-15 < 1e-4 < np.abs(state[:3]).max()
    law = LAWS["plasticity"]
    for i in np.flatnonzero(grown):
        c, p = law[rows[i]], state[6, i]
        relative = K @ stress[:, i] - 2 / 3 * c.kinematic_hardening * state[:6, i]
        gain = c.saturation_stress * (1 - np.exp(-c.saturation_rate * p))
        limit = c.yield_stress + c.hardening * p + gain
        assert 1.5**0.5 * np.linalg.norm(relative) == pytest.approx(limit, rel=1e-10)


def test_unloading_is_elastic(rng):
    material, rows, strain, before, state = loaded("plasticity", rng)
    response = material.respond(StrainStep(rows, strain, before, state, DT))
    back = -0.02 * (strain - response.state[:6])
    unloaded = material.respond(
        StrainStep(rows, strain + back, strain, response.state, DT, np.float64)
    )
    np.testing.assert_array_equal(unloaded.state, response.state)
    change, size = unloaded.stress - response.stress, np.abs(ELASTIC @ back).max()
    np.testing.assert_allclose(change, ELASTIC @ back, atol=1e-11 * size)
    tangent = unloaded.tangent.apply(back)
    np.testing.assert_allclose(tangent, ELASTIC @ back, atol=1e-13 * size)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("precision", [np.float64, np.float32, None])
def test_fused_plasticity_equals_the_reference(precision, threads, rng):
    material, rows, strain, before, state = loaded("plasticity", rng, 1001)
    strain[:, 7] = state[:, 7] = 0
    arguments = rows, np.asfortranarray(strain), before, state, DT, precision
    expected = material.respond(StrainStep(*arguments))
    actual = law_plasticity.respond(material, StrainStep(*arguments), threads=threads)
    size = np.abs(expected.stress).max()
    np.testing.assert_allclose(actual.stress, expected.stress, atol=1e-12 * size)
    np.testing.assert_allclose(actual.state, expected.state, atol=1e-14, rtol=1e-12)
    if precision is None:
        assert actual.tangent is None
        return
    direction = rng.normal(size=strain.shape).astype(precision)
    ds, exact = (r.tangent.apply(direction) for r in (actual, expected))
    assert ds.dtype == precision
    accuracy = 1e-12 if precision == np.float64 else 1e-5
    np.testing.assert_allclose(ds, exact, atol=accuracy * np.abs(exact).max())


def test_vanishing_yield_stress_leaves_the_tangent_finite(rng):
    # along and across the flow the stiffness is then the same but for rounding
    material, rows = make([Plasticity(1e-30, hardening=50.0)]), np.zeros(500, int)
    strain = rng.normal(size=(6, 500))
    arguments = rows, strain, 0 * strain, material.start(rows), DT, np.float64
    for response in (
        material.respond(StrainStep(*arguments)),
        law_plasticity.respond(material, StrainStep(*arguments)),
    ):
        ds = response.tangent.apply(strain)
        np.testing.assert_allclose(ds, response.stress, rtol=1e-6, atol=1e-6 * SHEAR)
