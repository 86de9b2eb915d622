"""The recipe of single pores: classes, sizes, shapes."""

import numpy as np
import pytest
from scipy import ndimage

from fftmech import InputError
from fftmech.datasets.pores import PoresRecipe
from fftmech.datasets.recipe import balanced
from fftmech.materials.elastic import isotropic
from fftmech.microstructure.pore_surface import DIRECTIONS, KINDS, Surface
from fftmech.microstructure.pores import single_pore
from fftmech.microstructure.shape import BodyShape

RECIPE = PoresRecipe()


def drawn(count, res, recipe=RECIPE, seed=0):
    return [recipe.draw(seed, index, res) for index in range(count)]


def test_three_bodies_in_a_row_are_one_of_each_class():
    for block in range(20):
        names = [balanced(list(KINDS), 7, 3 * block + place) for place in range(3)]
        assert sorted(names) == sorted(KINDS)


@pytest.mark.parametrize("period", [2, 3, 5, 10])
def test_classes_do_not_keep_step_with_periodic_splits(period):
    for start in range(period):
        indices = range(start, 300 * period, period)
        names = [balanced(list(KINDS), 0, index) for index in indices]
        for name in KINDS:
            # 300 bodies, a third of each class but for chance (standard error 0.03)
            assert names.count(name) / 300 == pytest.approx(1 / 3, abs=0.1)


def test_volume_fraction_is_log_uniform_over_the_range():
    recipe = PoresRecipe(fraction=(0.003, 0.03))
    logs = [np.log(d.statistics["fraction"] / 0.003) for d in drawn(90, 24, recipe)]
    logs = np.array(logs) / np.log(10)
    # to a voxel in 41
    assert logs.min() > -0.01
    assert logs.max() < 1.01
    assert logs.mean() == pytest.approx(0.5, abs=0.1)
    assert logs.std() == pytest.approx(12**-0.5, abs=0.06)


def test_sphericity_falls_from_gas_over_keyhole_to_lack_of_fusion():
    ranges = {name: [] for name in KINDS}
    flat = {name: [] for name in KINDS}
    for draw in drawn(24, 64):
        ranges[draw.statistics["class"]].append(draw.statistics["sphericity"])
        flat[draw.statistics["class"]].append(draw.statistics["flatness"])
    assert min(ranges["gas"]) > 0.97
    assert max(ranges["keyhole"]) < min(ranges["gas"])
    assert max(ranges["lack-of-fusion"]) < min(ranges["keyhole"])
    assert min(flat["lack-of-fusion"]) > max(flat["keyhole"])


@pytest.mark.parametrize("res", [16, 32, 33])
def test_pore_is_one_piece_at_the_centre_with_solid_on_every_side(res):
    for draw in drawn(6, res, seed=3):
        pore = draw.body.phase == 1
        assert ndimage.label(pore)[1] == 1
        found = np.argwhere(pore)
        before, after = found.min(axis=0), res - 1 - found.max(axis=0)
        assert (before >= 1).all()
        assert (np.abs(before - after) <= 1).all()


def test_statistics_are_those_of_the_body():
    for draw in drawn(3, 32):
        pore = draw.body.phase == 1
        shape = BodyShape.measure(pore)
        statistics = draw.statistics
        assert statistics["fraction"] == pore.mean()
        assert statistics["diameter"] == pytest.approx(
            (6 * pore.mean() / np.pi) ** (1 / 3)
        )
        assert statistics["sphericity"] == shape.sphericity
        assert statistics["aspect_ratio"] == pytest.approx(
            statistics["elongation"] * statistics["flatness"]
        )


def test_solid_is_the_one_that_is_asked_for():
    body = PoresRecipe(E=70.0, nu=0.3).draw(0, 0, 16).body
    assert body.stiffness is not None
    assert (body.stiffness[0] == isotropic(E=70.0, nu=0.3)).all()
    assert list(body.pores) == [1]


def test_least_fraction_of_the_default_is_enough_for_16_voxels():
    body = PoresRecipe(fraction=(0.002, 0.002)).draw(0, 0, 16).body
    assert body.counts[1] == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PoresRecipe(fraction=(0.0005, 0.0006)).draw(0, 0, 16), "at least 8"),
        (lambda: PoresRecipe(fraction=(0.6, 0.7)).draw(0, 0, 16), "does not fit"),
    ],
)
def test_fractions_of_which_no_pore_can_be_made_are_refused(make, message):
    with pytest.raises(InputError, match=message) as refusal:
        make()
    assert "\n" not in str(refusal.value)


def test_a_draw_that_does_not_fit_is_drawn_again():
    recipe = PoresRecipe(fraction=(0.06, 0.06))
    fits = []
    for index in range(15):
        if balanced(list(KINDS), 0, index) == "lack-of-fusion":
            draw = recipe.draw(0, index, 24)
            fits.append(draw.statistics["fraction"])
            assert draw.statistics["class"] == "lack-of-fusion"
    assert fits == pytest.approx([0.06] * 5, abs=2 / 24**3)
    refused = 0
    for seed in range(20):
        try:
            single_pore(24, "lack-of-fusion", 0.06, seed=seed)
        except InputError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize("name", KINDS)
def test_work_for_a_pore_is_in_proportion_to_its_voxels(name, monkeypatch):
    points = []
    depth = Surface.depth

    def counted(self, places):
        points.append(len(places))
        return depth(self, places)

    monkeypatch.setattr(Surface, "depth", counted)
    for seed in range(20):
        points.clear()
        single_pore(40, name, 0.02, seed=seed)
        # a ball takes half of its cube; a jagged pore leaves room
        assert sum(points) - DIRECTIONS < 20 * 0.02 * 40**3
