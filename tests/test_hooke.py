"""Linear elasticity as a law at points, and the kernel that shadows it."""

import numpy as np
import pytest

from fftmech.kernels import law_hooke
from fftmech.materials.base import StrainStep
from fftmech.materials.hooke import Hooke, HookeMaterial


@pytest.fixture
def points(rng):
    """A material of three stiffnesses, one of them a pore, and points of each."""
    root = rng.normal(size=(3, 6, 6))
    C = root @ root.swapaxes(1, 2)
    C[2] = 0
    material = HookeMaterial([Hooke()] * 3, C, np.tile(np.eye(3), (3, 1, 1)))
    return material, rng.integers(0, 3, 50), rng.normal(size=(6, 50))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_the_kernel_answers_as_the_reference(points, precision, threads):
    material, rows, strain = points
    slow = material.respond(StrainStep(rows, strain, None, None, 1.0, precision))
    fast = law_hooke.respond(
        material, StrainStep(rows, strain, None, None, 1.0, precision), threads
    )
    np.testing.assert_allclose(fast.stress, slow.stress, rtol=1e-13, atol=1e-13)
    assert abs(slow.stress).max() > 1
    strain = strain.astype(precision)
    expected = slow.tangent.apply(strain)
    error = 1e-5 if precision == np.float32 else 1e-13
    np.testing.assert_allclose(fast.tangent.apply(strain), expected, atol=10 * error)
    part = np.zeros((6, 7), precision)
    fast.tangent.apply_part(np.ascontiguousarray(strain[:, 11:18]), 11, part)
    np.testing.assert_allclose(part, expected[:, 11:18], atol=10 * error)


def test_stress_is_the_derivative_of_the_energy_and_the_gap_is_that_of_young(points):
    material, rows, strain = points
    solid = rows != 2
    rows, strain = rows[solid], strain[:, solid]
    stress = material.respond(StrainStep(rows, strain, None, None, 1.0)).stress
    h = 1e-6
    for i in range(6):
        step = h * np.eye(6)[:, i, None]
        above, below = (material.energy(rows, strain + s) for s in (step, -step))
        np.testing.assert_allclose((above - below) / (2 * h), stress[i], rtol=1e-5)
    other = stress + 0.1
    direct = material.energy(rows, strain) + material.conjugate_energy(rows, other)
    direct -= (strain * other).sum(0)
    np.testing.assert_allclose(material.gap(rows, strain, other), direct, rtol=1e-6)
    assert (material.gap(rows, strain, other) > 0).all()


def test_a_pore_that_carries_stress_has_an_infinite_conjugate(points):
    material, _, _ = points
    rows, stress = np.array([2, 2]), np.zeros((6, 2))
    stress[0, 1] = 1.0
    np.testing.assert_array_equal(material.conjugate_energy(rows, stress), [0, np.inf])
