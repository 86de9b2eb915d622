"""Power-law viscosity without elasticity."""

import numpy as np
import pytest
from isotropic_laws import DT, LAWS, make, one_layer, tension
from scipy.optimize import minimize

from fftmech.kernels import law_norton
from fftmech.materials import isotropic
from fftmech.materials.base import StrainStep
from fftmech.materials.norton import Norton
from fftmech.tensors import J, K


def _rates(rng, law, points=200):
    """Random rates from far below to far above rate0 and the linear range."""
    r = 10 ** rng.uniform(-7, 2, points) * law.rate0
    rates = rng.normal(size=(6, points))
    return rates * r / (2 / 3) ** 0.5 / np.linalg.norm(K @ rates, axis=0)


@pytest.mark.parametrize("law", LAWS["norton"], ids=lambda law: f"n={law.exponent:g}")
def test_norton_stress_is_the_derivative_of_its_potential(law, rng):
    material, rows = make([law]), np.zeros(200, int)
    rates = _rates(rng, law)
    stress = material.respond(
        StrainStep(rows, rates * DT, 0 * rates, np.zeros((0, 200)), DT)
    )[0]
    direction = rng.normal(size=rates.shape)
    size = np.linalg.norm(rates, axis=0) / np.linalg.norm(direction, axis=0)

    def difference(h):
        ahead, behind = (
            material.energy(rows, rates + sign * h * size * direction)
            for sign in (1, -1)
        )
        return (ahead - behind) / (2 * h)

    expected = (4 * difference(1e-3) - difference(2e-3)) / 3
    actual = (stress * size * direction).sum(0)
    scale = np.linalg.norm(stress, axis=0) * np.linalg.norm(size * direction, axis=0)
    assert (np.abs(actual - expected) / scale).max() < 1e-9


@pytest.mark.parametrize(
    ("precision", "ahead", "threads"),
    [(None, False, 1), (np.float32, False, 3), (np.float64, False, 1)]
    + [(np.float64, True, 1)],
)
def test_fused_norton_equals_the_reference(precision, ahead, threads, rng):
    material, rows = make(LAWS["norton"]), np.arange(200) % 2
    rates = _rates(rng, LAWS["norton"][0])
    rates[:, 7] = 0
    before = rates[:, ::-1].copy()
    step = StrainStep(
        rows, before + rates * DT, before, np.zeros((0, 200)), DT, precision
    )
    expected = material.respond(step)
    if ahead:
        # of some points opposed, of others too large, or as it was found
        step = step._replace(foreseen=expected.stress * rng.uniform(-1, 2, 200))
        expected = material.respond(step)
    actual = law_norton.respond(material, step, threads)
    size = np.abs(expected.stress).max()
    np.testing.assert_allclose(actual.stress, expected.stress, atol=1e-12 * size)
    if precision is None:
        assert actual.tangent is None
        return
    direction = rng.normal(size=rates.shape).astype(precision)
    ds, exact = (r.tangent.apply(direction) for r in (actual, expected))
    assert ds.dtype == precision
    accuracy = 1e-10 if precision == np.float64 else 1e-5
    # stiffness differs by orders of magnitude from point to point
    limit = accuracy * np.abs(exact).max(0)
    assert (np.abs(ds - exact) <= limit).all()


@pytest.mark.parametrize("law", LAWS["norton"], ids=lambda law: f"n={law.exponent:g}")
def test_youngs_inequality_holds_with_equality_at_the_stress(law, rng):
    material, rows = make([law]), np.zeros(200, int)
    rates = _rates(rng, law)
    state = np.zeros((0, 200))
    stress = material.respond(StrainStep(rows, rates * DT, 0 * rates, state, DT)).stress
    w, dual = material.energy(rows, rates), material.conjugate_energy(rows, stress)
    work = (rates * stress).sum(0)
    assert (np.abs(w + dual - work) / work).max() < 1e-10
    # any other stress leaves a gap
    for other in (stress[:, ::-1], 1.1 * stress, stress + 0.1 * stress[::-1]):
        gap = w + material.conjugate_energy(rows, other) - (rates * other).sum(0)
        assert (gap > 0).all()


def test_conjugate_potential_is_the_greatest_work_less_potential():
    law = LAWS["norton"][0]
    material = make([law])
    for size in (0.02, 0.3):  # linear near rest, and a power
        force = size * law.stress0
        stress = force * np.array([[1.0, -0.6, 0.3, 0.5, -0.2, 0.7]]).T

        def loss(x, unit, stress, force):
            rate = unit * x[:, None]
            w = material.energy(np.array([0]), rate)[0]
            return (w - (rate * stress).sum()) / (unit * force)

        r = (1.5**0.5 * np.linalg.norm(K @ stress) / law.stress0) ** law.exponent
        start = np.array([1.0, 0, 0, 0, 0, 1.0])
        unit = max(r, 1e-6) * law.rate0
        found = minimize(
            loss, start, (unit, stress, force), method="BFGS", options=dict(gtol=1e-9)
        )
        dual = material.conjugate_energy(np.array([0]), stress)[0]
        assert -found.fun * unit * force == pytest.approx(dual, rel=1e-7)


def test_exponent_one_is_exactly_linear(rng):
    law = Norton(bulk=30.0, stress0=0.6, rate0=2e-3, exponent=1.0)
    np.testing.assert_allclose(law.stiffness, isotropic(K=30.0, G=0.6 / 6e-3))
    material, rows = make([law]), np.zeros(5, int)
    rates = rng.normal(size=(6, 5)) * 10.0 ** np.arange(-12, 3, 3)
    stress, _, tangent = material.respond(
        StrainStep(rows, DT * rates, 0 * rates, np.zeros((0, 5)), DT, np.float64)
    )
    expected = law.stiffness @ rates
    size = np.abs(expected).max(0)
    assert (np.abs(stress - expected) / size).max() < 1e-13
    assert (np.abs(DT * tangent.apply(rates) - expected) / size).max() < 1e-13
    w = material.energy(rows, rates)
    np.testing.assert_allclose(w, (rates * expected).sum(0) / 2, rtol=1e-13)


@pytest.mark.parametrize("law", LAWS["norton"], ids=lambda law: f"n={law.exponent:g}")
def test_the_tangent_is_the_secant_where_the_opposite_was_foreseen(law, rng):
    material, rates = make([law]), _rates(rng, law)
    direction = rng.normal(size=rates.shape)
    rest = np.zeros(200, int), DT * rates, 0 * rates, np.zeros((0, 200)), DT, np.float64
    stress, _, tangent = material.respond(StrainStep(*rest))
    size = np.linalg.norm(stress, axis=0)
    for part in (0.0, -1.0):
        told = material.respond(StrainStep(*rest, part * stress))
        np.testing.assert_array_equal(told.stress, stress)
        error = np.abs(told.tangent.apply(DT * rates) - stress)
        assert (error / size).max() < 1e-12
    same = material.respond(StrainStep(*rest, stress)).tangent
    expected = tangent.apply(direction)
    error = np.linalg.norm(same.apply(direction) - expected, axis=0)
    assert (error / np.linalg.norm(expected, axis=0)).max() < 1e-9


def test_norton_at_rest_is_linear_with_a_finite_viscosity(rng):
    law = LAWS["norton"][0]
    slow = 0.5 * law.linear_below * law.rate0
    rates = np.outer(K @ rng.normal(size=6), [0.0, 0.1 * slow, 0.3 * slow])
    zero, direction = np.zeros_like(rates), rng.normal(size=rates.shape)
    stress, _, tangent = make([law]).respond(
        StrainStep(np.zeros(3, int), DT * rates, zero, zero[:0], DT, np.float64)
    )
    eta = law.stiffness[3, 3] * law.linear_below ** (1 / law.exponent - 1)
    C = 3 * law.bulk * J + eta * K
    size = eta * np.abs(direction).max()
    np.testing.assert_allclose(stress, C @ rates, rtol=1e-12)
    np.testing.assert_allclose(
        DT * tangent.apply(direction), C @ direction, atol=1e-12 * size
    )


def test_uniaxial_tension_of_norton_has_its_closed_form_rate():
    law = LAWS["norton"][0]
    s, dt = 1.3 * law.stress0, 0.5
    body = one_layer(law)
    # from a guess at rest, where the law is linear
    for part in (0.25, 0.5, 1.0):
        before = body.mean_strain
        body.step(tension(part * s), dt)
    rate = (body.mean_strain - before) / dt
    axial = law.rate0 * 1.3**law.exponent
    pressure = s / (9 * law.bulk)
    expected = axial * np.array([1, -0.5, -0.5]) + pressure
    np.testing.assert_allclose(rate[:3], expected, rtol=1e-8)
