"""Laws that every recipe of a dataset keeps."""

import json
from dataclasses import FrozenInstanceError, asdict, fields
from functools import partial

import numpy as np
import pytest

from fftmech import InputError
from fftmech.datasets import RECIPES
from fftmech.datasets.images import ImagesRecipe
from fftmech.datasets.recipe import UNITS, GeneratedBody, body_seed

RES = 16

IMAGES = {"images": {}, "windows": {"window": 12}}
"""Variants of the recipe that needs files."""

VARIANTS = [k for k in RECIPES if k not in (*IMAGES, "imported")] + list(IMAGES)


def image_folder(place):
    """A folder with an image of 30 pores of six lengths."""
    values = np.ones((32, 32, 32), dtype=np.uint8)
    for i in range(30):
        x, y, z = 1 + 6 * (i % 5), 1 + 5 * (i // 5), 2
        values[x : x + 3, y : y + 3, z : z + 3 + i % 6] = 0
    np.save(place / "pores.npy", values)
    return place


@pytest.fixture(params=VARIANTS)
def recipe(request, tmp_path):
    if request.param in IMAGES:
        options = {"smallest": 10, **IMAGES[request.param]}
        return ImagesRecipe.from_folder(image_folder(tmp_path), **options)
    return RECIPES[request.param]()


def same(a: GeneratedBody, b: GeneratedBody) -> bool:
    tables = ("phase", "stiffness", "orientation")
    return a.statistics == b.statistics and all(
        np.array_equal(getattr(a.body, name), getattr(b.body, name), equal_nan=True)
        if getattr(a.body, name) is not None
        else getattr(b.body, name) is None
        for name in tables
    )


def test_registered_recipes_are_known_by_their_kind():
    assert set(RECIPES) >= {"polycrystal", "pores", "composites", "images"}
    assert all(recipe.kind == kind for kind, recipe in RECIPES.items())


def test_a_body_depends_on_seed_and_index_alone(recipe):
    draw = partial(recipe.draw, res=RES)
    wanted = [(0, 0), (5, 2)]
    first = [draw(seed, index) for seed, index in wanted]
    again = [draw(seed, index) for seed, index in reversed(wanted)]
    assert all(same(a, b) for a, b in zip(first, reversed(again), strict=True))
    other = type(recipe)(**asdict(recipe)).draw(5, 2, RES)
    assert same(other, first[1])


def test_bodies_differ_between_indices_and_between_seeds(recipe):
    first, second = (
        [recipe.draw(seed, index, RES) for index in range(3)] for seed in (0, 1)
    )
    for i, a in enumerate(first):
        assert not any(same(a, b) for b in first[i + 1 :])
    assert not all(same(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("index", range(4))
def test_a_body_is_sound_and_its_statistics_are_json(recipe, index):
    body, statistics = recipe.draw(3, index, RES)
    assert body.grid.shape == (RES, RES, RES)
    assert body.grid.size == pytest.approx((1.0, 1.0, 1.0))
    assert body.check() is body
    assert body.stiffness is not None
    assert len(body.stiffness) > body.phase.max()
    assert body.units == UNITS
    text = json.dumps(statistics, allow_nan=False)
    assert json.loads(text) == statistics
    # a summary takes numbers and names
    assert all(isinstance(v, int | float | str) for v in statistics.values())


def test_parameters_go_through_json_and_come_back_the_same(recipe):
    text = json.dumps(asdict(recipe), allow_nan=False)
    back = type(recipe)(**json.loads(text))
    assert back == recipe
    assert hash(back) == hash(recipe)
    assert json.dumps(asdict(back)) == text


def test_parameters_cannot_be_changed(recipe):
    name = fields(recipe)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(recipe, name, None)


@pytest.mark.slow
def test_what_is_available_can_all_be_drawn_and_no_more(recipe):
    count = recipe.available()
    if count is None:
        recipe.draw(0, 10**6, RES)
        return
    recipe.draw(0, count - 1, RES)
    with pytest.raises(InputError, match=f"{count} of"):
        recipe.draw(0, count, RES)


def test_load_and_parts_are_such_as_a_card_takes(recipe):
    assert recipe.load.strain
    assert sum(recipe.parts) > 0
    assert all(isinstance(part, int) and part >= 0 for part in recipe.parts)


BAD = [
    ("pores", {"fraction": (0.02, 0.002)}, "low <= high"),
    ("pores", {"fraction": (0.0, 0.1)}, "0 < low"),
    ("pores", {"fraction": (0.1, 1.0)}, "high < 1"),
    ("pores", {"fraction": 0.1}, "numbers low, high"),
    ("pores", {"fraction": (float("nan"), 0.1)}, "numbers low, high"),
    ("pores", {"fraction": ("a", "b")}, "numbers low, high"),
    ("pores", {"E": -1.0}, "positive"),
    ("pores", {"E": "stiff"}, "finite numbers"),
    ("pores", {"E": float("inf")}, "finite numbers"),
    ("pores", {"nu": 0.5}, "nu < 0.5"),
    ("images", {"images": ()}, "no images"),
    ("images", {"connectivity": 8}, "6, 18 or 26"),
    ("images", {"margin": 0.5}, "below 0.5"),
    ("images", {"margin": float("nan")}, "below 0.5"),
    ("images", {"smallest": 0}, "at least 1"),
    ("images", {"window": 0}, "at least 1"),
    ("images", {"window": 2.5}, "at least 1"),
    ("images", {"materials": ("m.toml", "0")}, "leave the materials out"),
    ("images", {"nu": 0.7}, "nu < 0.5"),
]
"""Kind, parameters of which no body can be made, and what the refusal says."""


@pytest.mark.parametrize(("kind", "parameters", "message"), BAD)
def test_bad_parameters_are_refused_in_one_line(kind, parameters, message):
    needed = {"folder": "ct", "images": (("a.npy", "0"),)} if kind == "images" else {}
    with pytest.raises(InputError, match=message) as refusal:
        RECIPES[kind](**{**needed, **parameters})
    assert "\n" not in str(refusal.value)


def test_seeds_of_bodies_and_attempts_are_all_different():
    seeds = [body_seed(s, i, a) for s in range(8) for i in range(64) for a in range(4)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**64 for seed in seeds)
