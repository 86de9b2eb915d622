"""Polycrystals of a dataset have the grains, sizes and texture that are asked for."""

import numpy as np
import pytest
from scipy.stats import kstest

import fftmech.datasets.polycrystal as module
from fftmech import InputError
from fftmech.datasets.polycrystal import PolycrystalRecipe, log_diameters, size_target
from fftmech.materials.elastic import cubic
from fftmech.tensors import (
    matrix_from_quaternion,
    quaternion_from_bunge,
    rotate_stiffness,
)

SIGMA = 0.0998


@pytest.fixture(scope="module")
def drawn():
    """Forty bodies of 32^3."""
    recipe = PolycrystalRecipe()
    return [recipe.draw(1, index, 32) for index in range(40)]


def test_numbers_of_grains_are_21_to_28_with_mean_24():
    recipe = PolycrystalRecipe()
    counts = [recipe.count(0, index) for index in range(2000)]
    assert (min(counts), max(counts)) == (21, 28)
    # the standard deviation of a count is sqrt(7 * 3/7 * 4/7) = 1.3
    assert np.mean(counts) == pytest.approx(24, abs=3.5 * 1.31 / np.sqrt(2000))
    assert np.std(counts) == pytest.approx(1.31, rel=0.1)


def test_an_equal_pair_is_a_fixed_number_of_grains():
    recipe = PolycrystalRecipe(grains=(9, 9), sizes=None)
    body, statistics = recipe.draw(0, 0, 16)
    assert len(body.phases) == statistics["grains"] == 9


def test_grains_that_fill_the_unit_cube_have_the_mean_volume_of_one_over_their_count():
    # by hand: (ln(6 / (24 pi)) - 9 * 0.0998^2 / 2) / 3
    assert size_target(24, SIGMA) == pytest.approx((-0.85861, SIGMA), abs=1e-5)
    # 1 / (pi/6 exp(3 mu + 9 sigma^2 / 2)) with the published mu: not 24
    assert size_target(19.42, SIGMA)[0] == pytest.approx(-0.788, abs=1e-3)


@pytest.mark.slow
def test_diameters_on_the_voxels_are_lognormal(drawn):
    logs = [log_diameters(draw.body) for draw in drawn]
    scores = np.concatenate([(x - size_target(len(x), SIGMA)[0]) / SIGMA for x in logs])
    # Of n independent normal numbers the distance exceeds 1.95 / sqrt(n) once in 1000
    # (Kolmogorov); that those of a body fill the cube only brings them closer. Volumes
    # are met to 0.5 %, hence scores to 0.017 and their distribution to 0.017 times the
    # density's maximum, 0.4.
    bound = 1.95 / np.sqrt(len(scores)) + 0.007
    assert kstest(scores, "norm").statistic < bound
    # what fills the cube has its mean volume fixed: the mean of ln D hardly varies
    assert scores.mean() == pytest.approx(0, abs=0.04)
    within = np.sqrt(np.mean([x.var(ddof=1) for x in logs]))
    # three standard errors of a standard deviation of n - 40 numbers
    assert within == pytest.approx(SIGMA, rel=3 / np.sqrt(2 * (len(scores) - 40)))
    assert max(draw.statistics["volume_error"] for draw in drawn) < 0.03


def test_statistics_are_those_of_the_voxels():
    recipe = PolycrystalRecipe()
    for body, statistics in (recipe.draw(1, index, 32) for index in range(5)):
        diameters = (6 / np.pi * np.bincount(body.phase.ravel()) / 32**3) ** (1 / 3)
        assert statistics["grains"] == len(diameters)
        assert statistics["mean_log_diameter"] == pytest.approx(
            np.log(diameters).mean()
        )
        assert statistics["std_log_diameter"] == pytest.approx(
            np.log(diameters).std(ddof=1)
        )
        assert 0 < statistics["volume_error"] < 0.03


def test_without_a_number_of_grains_the_given_mean_holds():
    recipe = PolycrystalRecipe(grains=None)
    means = [recipe.draw(2, i, 16).statistics["mean_log_diameter"] for i in range(12)]
    # the last of about 19.4 grains is cut by at most half: 0.009 of ln D
    assert np.mean(means) == pytest.approx(-0.788, abs=0.02)


@pytest.mark.parametrize("grains", [(21, 28), None])
def test_one_body_has_the_same_grains_at_every_resolution(grains):
    recipe = PolycrystalRecipe(grains=grains)
    coarse, fine = (recipe.draw(0, 0, res).body for res in (16, 32))
    assert (coarse.orientation == fine.orientation).all()
    assert coarse.fractions == pytest.approx(fine.fractions, rel=0.04)


def test_a_peak_of_no_spread_gives_all_grains_its_stiffness():
    recipe = PolycrystalRecipe(cubic=(2, 1, 1), peak=(30, 40, 50), spread=0)
    body = recipe.draw(0, 0, 16).body
    R = matrix_from_quaternion(quaternion_from_bunge([30, 40, 50], degrees=True))
    C = rotate_stiffness(cubic(C11=2.0, C12=1.0, C44=1.0), R)
    assert body.stiffness == pytest.approx(np.tile(C, (len(body.phases), 1, 1)))


def test_a_refused_attempt_keeps_the_number_of_grains(monkeypatch):
    make, seeds = module.polycrystal, []

    def refuse_twice(res, grains, seed, *others):
        seeds.append(seed)
        assert grains == recipe.count(4, 6)
        if len(seeds) < 3:
            raise InputError("too coarse")
        return make(res, grains, seed, *others)

    recipe = PolycrystalRecipe()
    first = recipe.draw(4, 6, 16)
    monkeypatch.setattr(module, "polycrystal", refuse_twice)
    third = recipe.draw(4, 6, 16)
    assert len(set(seeds)) == 3
    assert third.statistics["grains"] == first.statistics["grains"]
    assert (third.body.phase != first.body.phase).any()


def test_voxels_too_coarse_for_the_grains_are_refused():
    with pytest.raises(InputError, match="raise --res"):
        PolycrystalRecipe().draw(0, 0, 4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"grains": (28, 21)}, "least <= most"),
        ({"grains": (0, 3)}, "1 <= least"),
        ({"grains": (2.5, 3)}, "whole"),
        ({"grains": 24}, "least, most"),
        ({"grains": None, "sizes": None}, "give one"),
        ({"sizes": (0.0,)}, "mu, sigma"),
        ({"sizes": (0.0, -1.0)}, "sigma"),
        ({"sizes": ("a", 1)}, "mu, sigma"),
        ({"cubic": (1, 2, 3)}, "positive definite"),
        ({"cubic": (1, float("nan"), 3)}, "C11, C12, C44"),
        ({"fibre": "w"}, "x, y or z"),
        ({"fibre": "x", "peak": (0, 0, 0)}, "one of them"),
        ({"direction": (0, 0, 1)}, "--fibre"),
        ({"spread": 5.0}, "--peak"),
        ({"peak": (0, 0), "spread": 5.0}, "phi1, Phi, phi2"),
        ({"peak": (0, 0, 0), "spread": -5.0}, "0 to 180"),
        ({"peak": (0, 0, 0), "spread": "wide"}, "degrees"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(parameters, message):
    with pytest.raises(InputError, match=message) as refusal:
        PolycrystalRecipe(**parameters)
    assert "\n" not in str(refusal.value)
