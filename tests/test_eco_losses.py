"""Losses of the paper, against their formulas written out, and what must hold."""

import numpy as np
import pytest
import torch

from ecosurrogate.mechanics.fields import apply, cauchy_stress
from ecosurrogate.training import losses
from fftmech import InputError
from fftmech.materials import cubic
from fftmech.tensors.fields import full, symmetrize

SHAPE = (4, 2, 6)
C = torch.as_tensor(cubic(C11=204.6, C12=137.7, C44=126.2))
STIFFNESS = C[None, :, :, None, None, None].expand(2, 6, 6, *SHAPE)
UNIT = torch.ones(2, dtype=torch.float64)


@pytest.fixture
def random():
    return torch.Generator().manual_seed(3)


def field(random, *components, shape=SHAPE):
    size = (2, *components, *shape)
    return torch.randn(size, generator=random, dtype=torch.float64)


def test_the_window_average_is_the_mean_of_each_window(random):
    x = field(random, 6)
    coarse = losses.window_average(x, (2, 1, 2))
    torch.testing.assert_close(coarse[1, 4, 1, 0, 1], x[1, 4, 2:, :, 3:].mean())
    assert losses.window_average(x, SHAPE) is x
    with pytest.raises(InputError, match="divisors"):
        losses.window_average(x, (3, 2, 6))


def test_voxels_of_a_pore_do_not_count_in_eq_15(random):
    label, guess = field(random, 6), field(random, 6)
    solid = torch.ones(2, 1, *SHAPE, dtype=torch.bool)
    solid[:, :, 1, 1] = False
    error = losses.masked_error(guess, label, solid)
    keep = solid.expand_as(label)
    by_hand = [
        ((guess - label)[b][keep[b]] ** 2).sum() / (label[b][keep[b]] ** 2).sum()
        for b in range(2)
    ]
    torch.testing.assert_close(error, torch.stack(by_hand).mean())
    guess[~keep] = 1e6
    torch.testing.assert_close(losses.masked_error(guess, label, solid), error)


def test_components_of_mandel_vectors_count_as_those_of_the_tensor_in_eq_17(random):
    a, b, gamma = field(random, 6), field(random, 6), 1.7297
    tensors = [full(x) for x in (a, b)]
    by_hand = sum(
        gamma ** (i != j) * (tensors[0] - tensors[1])[:, i, j].abs().mean()
        for i in range(3)
        for j in range(3)
    )
    for pair in ((a, b), tensors):
        torch.testing.assert_close(losses.component_error(*pair, gamma), by_hand)


def test_the_constitutive_and_the_divergence_error_are_means_by_voxel(random):
    e, s, d = field(random, 6), field(random, 6), field(random, 3)
    residual = torch.einsum("ij,bjxyz->bixyz", C, e) - s
    expected = (residual**2).sum() / (2 * np.prod(SHAPE))
    torch.testing.assert_close(losses.constitutive_error(STIFFNESS, e, s), expected)
    expected = d.abs().sum() / (2 * np.prod(SHAPE))
    torch.testing.assert_close(losses.divergence_error(d), expected)


def test_the_cauchy_stress_is_linear_elasticity_for_small_strains(random):
    H = field(random, 3, 3)
    strain = symmetrize(H)
    linear = apply(STIFFNESS, strain)
    errors = []
    for size in (1e-3, 1e-4):
        stress = cauchy_stress(STIFFNESS, H, size * UNIT)
        errors.append((stress - linear).abs().max())
    assert 9 < errors[0] / errors[1] < 11
    # in single precision too
    single = cauchy_stress(STIFFNESS.float(), H.float(), 1e-6 * UNIT.float())
    double = cauchy_stress(STIFFNESS, H, 1e-6 * UNIT)
    assert (single - double).abs().max() < 2e-6 * double.abs().max()


def test_the_cauchy_stress_turns_with_the_body(random):
    H = 0.1 * field(random, 3, 3)
    R, _ = torch.linalg.qr(torch.randn(3, 3, generator=random, dtype=torch.float64))
    R = R * torch.linalg.det(R)
    RH = torch.einsum("ij,bjk...->bik...", R, H)
    RH += (R - torch.eye(3, dtype=R.dtype))[..., None, None, None]
    turned = full(cauchy_stress(STIFFNESS, RH, UNIT))
    stress = full(cauchy_stress(STIFFNESS, H, UNIT))
    expected = torch.einsum("ij,bjk...,lk->bil...", R, stress, R)
    assert expected.abs().max() > 1
    torch.testing.assert_close(turned, expected)


def test_the_hypercircle_is_zero_for_a_pair_of_one_law_and_else_its_formula(random):
    S = torch.linalg.inv(C)[None, :, :, None, None, None].expand_as(STIFFNESS)
    e, s = field(random, 6), field(random, 6)
    exact = losses.hypercircle(STIFFNESS, S, e, losses.apply(STIFFNESS, e))
    assert exact.abs().max() < 1e-25
    found = losses.hypercircle(STIFFNESS, S, e, s)
    inverse = torch.linalg.inv(C)
    r = s - torch.einsum("ij,bjxyz->bixyz", C, e)

    def square(A, f):
        return torch.einsum("bixyz,ij,bjxyz->b", f, A, f)

    torch.testing.assert_close(
        found, square(inverse, r) / (square(C, e) + square(inverse, s))
    )
