"""Composites of a dataset have the shapes, fractions and contrasts asked for."""

import numpy as np
import pytest
from scipy.ndimage import label
from scipy.stats import kstest

import fftmech.datasets.composites as module
from fftmech import InputError
from fftmech.datasets.composites import MOST, CompositesRecipe, inclusion_count


def modulus(C):
    """Young's modulus along x of an isotropic Mandel stiffness."""
    return 1 / np.linalg.inv(C)[0, 0]


def of_class(shape, seed=0, res=32, **parameters):
    return CompositesRecipe(shapes=(shape,), **parameters).draw(seed, 0, res)


def longest_over_shortest(phase):
    """Ratio of the extreme axes of each inclusion that is whole in the box."""
    pieces, found = label(phase, np.ones((3, 3, 3)))
    ratios = []
    for piece in range(1, found + 1):
        points = np.argwhere(pieces == piece)
        if points.min() > 0 and points.max() < len(phase) - 1:
            spread = np.sqrt(np.linalg.eigvalsh(np.cov(points.T)))
            ratios.append(spread[-1] / spread[0])
    return np.array(ratios)


def test_consecutive_bodies_have_every_class_once():
    recipe = CompositesRecipe(fraction=(0.05, 0.1))
    classes = [recipe.draw(0, index, 16).statistics["class"] for index in range(8)]
    assert sorted(classes[:4]) == sorted(classes[4:]) == sorted(MOST)


@pytest.mark.parametrize("shape", MOST)
def test_statistics_are_those_of_the_voxels_and_stiffnesses(shape):
    body, statistics = of_class(shape)
    assert statistics["class"] == shape
    assert statistics["fraction"] == (body.phase == 1).mean()
    assert 0.04 < statistics["fraction"] < MOST[shape] + 0.02
    matrix, inclusion = (modulus(C) for C in body.stiffness)
    assert matrix == pytest.approx(3.0)
    assert inclusion / matrix == pytest.approx(statistics["contrast"])
    assert body.units["stress"] == "GPa"


def test_inclusions_are_counted_through_the_faces_of_the_box():
    phase = np.zeros((8, 8, 8), dtype=int)
    phase[2:4, 2:4, 2:4] = 1
    # one at the corner of the box, in eight parts, and one across a face
    phase[np.ix_([-1, 0], [-1, 0], [-1, 0])] = 1
    phase[5, 5, [-1, 0]] = 1
    # two voxels that share only an edge, through a face
    phase[[0, -1], [3, 4], 4] = 1
    assert inclusion_count(phase) == 4
    assert inclusion_count(np.zeros((4, 4, 4), dtype=int)) == 0


def test_spheres_and_fibres_are_as_many_as_their_volume_says():
    body, statistics = of_class("spheres", radius=(0.1, 0.1), fraction=(0.15, 0.15))
    assert statistics["inclusions"] == round(0.15 / (4 / 3 * np.pi * 0.1**3))
    body, statistics = of_class("fibres", radius=(0.1, 0.1), fraction=(0.15, 0.15))
    assert statistics["inclusions"] == round(0.15 / (np.pi * 0.1**2))


@pytest.mark.parametrize(
    ("shape", "low", "high"),
    [("spheres", 1, 1.1), ("ellipsoids", 1, 2.2), ("short-fibres", 2.7, 6.5)],
)
def test_inclusions_are_as_long_as_their_class_says(shape, low, high):
    ratios = [
        longest_over_shortest(of_class(shape, seed, 48, fraction=(0.1, 0.1)).body.phase)
        for seed in range(4)
    ]
    ratios = np.concatenate(ratios)
    assert len(ratios) > 8
    assert low <= ratios.min()
    assert ratios.max() <= high
    if shape != "spheres":
        assert ratios.max() > 1.3 * low


def test_short_fibres_are_as_thin_as_the_range_of_radii_allows():
    phase = of_class("short-fibres", 0, 48, fraction=(0.1, 0.1)).body.phase
    pieces, found = label(phase, np.ones((3, 3, 3)))
    volumes = np.bincount(pieces.ravel())[1:].max() / 48**3
    assert found > 4
    least, most = (4 / 3 * np.pi * 0.065**3 * aspect for aspect in (3, 6))
    assert 0.9 * least < volumes < 1.1 * most


def test_fibres_go_through_the_cube_along_any_axis():
    axes = set()
    for seed in range(30):
        phase = of_class("fibres", seed, 16).body.phase
        along = [bool((phase == phase.take([0], axis)).all()) for axis in range(3)]
        assert sum(along) == 1
        axes.add(along.index(True))
    assert axes == {0, 1, 2}


def test_contrasts_are_log_uniform_and_fractions_uniform():
    recipe = CompositesRecipe(shapes=("fibres",))
    drawn = [recipe.draw(0, index, 24).statistics for index in range(200)]
    contrast = np.log([one["contrast"] for one in drawn])
    low, high = np.log([2, 1000])
    # the distance of Kolmogorov exceeds 1.95 / sqrt(n) once in 1000
    assert kstest((contrast - low) / (high - low), "uniform").statistic < 0.138
    fraction = np.array([one["fraction"] for one in drawn])
    # met to half a fibre of the mean radius, 0.016
    assert kstest((fraction - 0.05) / 0.3, "uniform").statistic < 0.138 + 0.016 / 0.3
    assert abs(np.corrcoef(contrast, fraction)[0, 1]) < 3.5 / np.sqrt(200)


def test_a_jammed_packing_is_drawn_anew_with_another_fraction(monkeypatch):
    pack, wanted = module.inclusions, []

    def jam_twice(res, fraction, *others):
        wanted.append(fraction)
        if len(wanted) < 3:
            raise InputError("jammed")
        return pack(res, fraction, *others)

    monkeypatch.setattr(module, "inclusions", jam_twice)
    drawn = of_class("spheres", fraction=(0.05, 0.2))
    assert len(set(wanted)) == 3
    # met to half a sphere of the largest radius
    assert drawn.statistics["fraction"] == pytest.approx(wanted[2], abs=0.006)


@pytest.mark.slow
def test_a_fraction_that_always_jams_is_refused():
    with pytest.raises(InputError, match="lower the fraction"):
        of_class("fibres", res=12, fraction=(0.9, 0.9))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"shapes": ()}, "expected some of spheres"),
        ({"shapes": ("cubes",)}, "short-fibres"),
        ({"shapes": "spheres"}, "expected some of"),
        ({"fraction": (0.3, 0.1)}, "low <= high"),
        ({"fraction": (0.3, 1.0)}, "high < 1"),
        ({"fraction": 0.3}, "low, high"),
        ({"radius": (0.0, 0.1)}, "0 < low"),
        ({"contrast": (0.0, 10.0)}, "0 < low"),
        ({"contrast": (1.0, float("inf"))}, "finite"),
        ({"matrix": (3.0, 0.5)}, "nu"),
        ({"matrix": (-3.0, 0.3)}, "positive"),
        ({"matrix": 3.0}, "E, nu"),
        ({"nu": 0.5}, "nu"),
        ({"nu": None}, "nu"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(parameters, message):
    with pytest.raises(InputError, match=message) as refusal:
        CompositesRecipe(**parameters)
    assert "\n" not in str(refusal.value)


def test_inclusions_thinner_than_a_voxel_are_refused():
    with pytest.raises(InputError, match="raise --res"):
        CompositesRecipe().draw(0, 0, 4)
