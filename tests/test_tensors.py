"""Rotations: the formulas here against SciPy's."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from fftmech.tensors import (
    bunge_from_quaternion,
    matrix_from_quaternion,
    quaternion_from_bunge,
    quaternion_from_xyzw,
)


@pytest.fixture
def euler(rng):
    """Bunge angles (radians), Phi in (0, pi), shape (20, 3)."""
    return rng.uniform(0.01, np.pi - 0.01, (20, 3)) * (2, 1, 2)


def test_quaternions_of_bunge_angles_are_those_of_three_turns(euler):
    expected = quaternion_from_xyzw(Rotation.from_euler("ZXZ", euler).as_quat())
    expected *= np.where(expected[:, :1] < 0, -1, 1)
    assert quaternion_from_bunge(euler) == pytest.approx(expected, abs=1e-14)
    degrees = quaternion_from_bunge(np.degrees(euler), degrees=True)
    assert degrees == pytest.approx(expected, abs=1e-14)


def test_matrices_of_quaternions_are_rotations_whatever_their_length(rng):
    quaternion = rng.normal(size=(4, 5, 4))
    xyzw = quaternion[..., [1, 2, 3, 0]].reshape(-1, 4)
    expected = Rotation.from_quat(xyzw).as_matrix().reshape(4, 5, 3, 3)
    assert matrix_from_quaternion(quaternion) == pytest.approx(expected, abs=1e-14)
    assert matrix_from_quaternion(quaternion[0, 0]) == pytest.approx(expected[0, 0])


def test_bunge_angles_come_back_from_their_quaternions(euler):
    q = quaternion_from_bunge(euler)
    assert bunge_from_quaternion(q) == pytest.approx(euler, abs=1e-12)
    assert bunge_from_quaternion(-q) == pytest.approx(euler, abs=1e-12)
    degrees = bunge_from_quaternion(q[0], degrees=True)
    assert degrees == pytest.approx(np.degrees(euler[0]), abs=1e-10)


@pytest.mark.parametrize("Phi", [0.0, 180.0])
def test_bunge_angles_without_tilt_have_phi2_zero_and_are_the_same_rotation(Phi):
    q = quaternion_from_bunge(np.array([70.0, Phi, 30.0]), degrees=True)
    found = bunge_from_quaternion(q, degrees=True)
    assert found == pytest.approx([100.0 if Phi == 0 else 40.0, Phi, 0.0], abs=1e-6)
    again = quaternion_from_bunge(found, degrees=True)
    assert matrix_from_quaternion(again) == pytest.approx(
        matrix_from_quaternion(q), abs=1e-12
    )
