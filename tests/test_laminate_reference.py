"""Laminates solved layer by layer."""

import numpy as np
import pytest
from isotropic_laws import DT, NU, SHEAR, E, make, shear
from laminate_reference import LaminateReference
from scipy.spatial.transform import Rotation

from fftmech import Grid, Load, Microstructure, solve
from fftmech.loads.finite_load import FiniteLoad
from fftmech.materials import cubic, isotropic
from fftmech.materials.hooke import Hooke
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.materials.st_venant_kirchhoff import StVenantKirchhoff
from fftmech.tensors import FACTORS, mandel_rotation


def test_laminate_reference_equals_the_elastic_solver_on_ten_voxels():
    rotation = Rotation.from_euler("zxz", [20, 50, 70], degrees=True).as_matrix()
    Q = mandel_rotation(rotation)
    C = np.array([isotropic(E=3, nu=0.2), Q @ cubic(C11=20, C12=13, C44=12) @ Q.T])
    phase = np.zeros((10, 1, 1), int)
    phase[:3] = 1
    load = Load(strain=dict(xx=2e-3, yz=1e-3), stress=dict(yy=0.004, xy=-0.002))
    result = solve(Microstructure(Grid(phase.shape), phase, C), load, tolerance=1e-10)
    hooke = Hooke.material([Hooke()] * 2, C, np.tile(np.eye(3), (2, 1, 1)))
    reference = LaminateReference([(0.7, hooke, 0), (0.3, hooke, 1)])
    mean = reference.step(load)
    size = np.abs(mean).max()
    np.testing.assert_allclose(result.mean_stress, mean, atol=1e-8 * size)
    for p in (0, 1):
        stress = result.stress[:, phase == p][:, 1]
        np.testing.assert_allclose(stress, reference.stress[p], atol=1e-7 * size)
    assert np.abs(np.diff(reference.stress, axis=0)).max() > 0.1 * size


def test_finite_laminate_of_small_load_is_the_small_strainone_layer():
    C = np.array([isotropic(E=3, nu=0.2), isotropic(E=30, nu=0.35)])
    frames = np.tile(np.eye(3), (2, 1, 1))
    small = Hooke.material([Hooke()] * 2, C, frames)
    finite = StVenantKirchhoff.material([StVenantKirchhoff()] * 2, C, frames)
    e, errors = np.array([1.0, -0.5, 0.3, 0.4, 0.2, 0.6]), []
    for size in (1e-3, 1e-4):
        reference = LaminateReference([(0.4, small, 0), (0.6, small, 1)])
        xx, yy, zz, yz, xz, xy = size * e
        expected = reference.step(Load.from_mandel(size * e * FACTORS)) / FACTORS
        body = LaminateReference([(0.4, finite, 0), (0.6, finite, 1)])
        P = body.step(
            FiniteLoad(
                F=dict(xx=1 + xx, yy=1 + yy, zz=1 + zz, yz=2 * yz, xz=2 * xz, xy=2 * xy)
            )
        ).reshape(3, 3)
        pairs = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
        actual = np.array([P[i, j] for i, j in pairs])
        errors.append(np.abs(actual - expected).max() / np.abs(expected).max())
        assert np.ptp(body.stress[:, [0, 3, 6]], axis=0).max() < 1e-10 * size
    assert errors[0] < 0.02 and errors[0] / errors[1] == pytest.approx(10, rel=0.1)


def test_power_law_layers_in_series_add_their_rates():
    # one shear stress in all layers: the rates are those of each, at this stress
    laws = [Norton(40.0, 0.1, 1e-3, n) for n in (1.0, 3.0, 5.0, 10.0)]
    laws[2] = Norton(40.0, 0.13, 1e-3, 5.0)
    fractions = np.array([0.1, 0.4, 0.3, 0.2])
    material = make(laws)
    tau = 0.06
    q = 3**0.5 * tau
    rates = [3**0.5 / 2 * law.rate0 * (q / law.stress0) ** law.exponent for law in laws]
    body = LaminateReference([(f, material, i) for i, f in enumerate(fractions)])
    stress = body.step(shear("xz", DT * fractions @ rates), DT)
    assert stress[4] / 2**0.5 == pytest.approx(tau, rel=1e-9)
    np.testing.assert_allclose(body.strain[:, 4] / 2**0.5 / DT, rates, rtol=1e-7)


def test_plastic_plates_in_parallel_add_their_stresses():
    # shear yz is the same in all plates: each follows its own curve
    laws = [Plasticity(0.1, 5.0), Plasticity(0.25, 0.0, 9.0), Plasticity(9.0)]
    fractions = np.array([0.5, 0.3, 0.2])
    material = make(laws)
    body = LaminateReference([(f, material, i) for i, f in enumerate(fractions)])
    for strain in (5e-4, 2e-3, 4e-3):
        stress = body.step(shear("yz", strain))
        expected = 0.0
        for f, law in zip(fractions, laws, strict=True):
            q = 3**0.5 * 2 * SHEAR * strain
            slope = law.hardening + law.kinematic_hardening
            dp = max(q - law.yield_stress, 0) / (3 * SHEAR + slope)
            expected += f * (q - 3 * SHEAR * dp) / 3**0.5
        assert stress[3] / 2**0.5 == pytest.approx(expected, rel=1e-9)
    assert [state[6] > 0 for state in body.state] == [True, True, False]


def test_plates_stretched_both_ways_add_their_equibiaxial_stresses():
    # biaxial stretch yy = zz of plates that are free to thin: s_xx = 0 in each, and
    # each is in equibiaxial tension, where q = |s_yy| and e_xx follows its own volume
    laws = [Plasticity(0.1, 2.0), Plasticity(0.3, 2.0)]
    material = make(laws)
    body = LaminateReference([(0.6, material, 0), (0.4, material, 1)])
    stretch = 3e-3
    mean = body.step(Load(strain=dict(yy=stretch, zz=stretch), stress=dict(xx=0.0)))
    expected = 0.0
    for f, law in zip((0.6, 0.4), laws, strict=True):
        # e_yy = (1 - nu) s / E + p / 2, with s = s_y + H p
        p = (stretch - (1 - NU) * law.yield_stress / E) / (
            0.5 + (1 - NU) * law.hardening / E
        )
        expected += f * (law.yield_stress + law.hardening * p)
    np.testing.assert_allclose(mean[1:3], expected, rtol=1e-9)
    assert abs(mean[0]) < 1e-9 * expected
