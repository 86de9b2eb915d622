"""Pole figures: where plane normals point, what is drawn, what is refused."""

from typing import Any

import numpy as np
import pytest
from command_lines import run_fftmech

from fftmech import io
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.figures import pole_figure
from fftmech.figures.pole_figures import MOST_POINTS
from fftmech.materials import cubic, hexagonal, isotropic
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.elastic import PORE
from fftmech.materials.slip import SlipFamily
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.poles import (
    chance,
    density,
    lift,
    parse_pole,
    poles,
    project,
    upper,
)
from fftmech.microstructure.texture import Fibre, orientations
from fftmech.tensors import (
    matrix_from_quaternion,
    quaternion_from_bunge,
    rotate_stiffness,
)

COPPER = cubic(168.4, 121.4, 75.4)
TITANIUM = hexagonal(162.4, 92.0, 69.0, 180.7, 46.7)
TUNGSTEN = isotropic(K=310.0, G=160.0)
RATIO = 1.587
UPRIGHT = np.array([[1.0, 0, 0, 0]])


def crystals(quaternion, stiffness=COPPER, volumes=None, **more):
    """One grain for each orientation, of so many voxels."""
    volumes = volumes or [1] * len(quaternion)
    phase = np.repeat(np.arange(len(quaternion)), volumes)[:, None, None]
    C = rotate_stiffness(stiffness, matrix_from_quaternion(quaternion))
    return Microstructure(Grid(phase.shape), phase, C, quaternion, **more)


LATTICE = {"lattice": "hcp", "c_over_a": RATIO, "families": (SlipFamily(name="basal"),)}


def slip(**more):
    return CrystalPlasticity(tau0=0.1, rate0=1e-3, exponent=20, **more)


def places(body, indices, **more):
    """Sorted places in the unit disc of the poles that are not on its rim."""
    found = upper(poles(body, indices, **more).directions.reshape(-1, 3))
    found = project(found[found[:, 2] > 1e-9])
    return found[np.lexsort(np.round(found.T, 6))]


def turned(phi1, Phi=0.0, phi2=0.0):
    return quaternion_from_bunge(np.array([[phi1, Phi, phi2]]), degrees=True)


def ring(angles, tilt):
    """Places at azimuths (degrees) of directions so far from z (degrees)."""
    angles, radius = np.radians(angles), 2**0.5 * np.sin(np.radians(tilt) / 2)
    found = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return found[np.lexsort(np.round(found.T, 6))]


def test_projection_keeps_areas_and_has_an_inverse():
    directions = upper(np.random.default_rng(0).normal(size=(50, 3)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert lift(project(directions)) == pytest.approx(directions)
    # a cap of height 1 - z has area 2 pi (1 - z), half of it on the disc
    assert (project(directions) ** 2).sum(axis=1) == pytest.approx(1 - directions[:, 2])


MAGIC = np.degrees(np.arccos(3**-0.5))


@pytest.mark.parametrize(
    ("quaternion", "indices", "expected"),
    [
        (UPRIGHT, (1, 1, 1), ring([45, 135, 225, 315], MAGIC)),
        (UPRIGHT, (1, 0, 0), ring([0], 0)),
        (UPRIGHT, (1, 1, 0), ring([0, 90, 180, 270], 45)),
        (turned(45), (1, 1, 1), ring([0, 90, 180, 270], MAGIC)),
        (turned(20), (1, 1, 1), ring([65, 155, 245, 335], MAGIC)),
        # about x: z goes to -y, and y to z, so that both are 45 degrees from z
        (turned(0, 45), (1, 0, 0), ring([90, 270], 45)),
        # [111] along z: the others are 70.53 degrees from it
        (
            turned(0, MAGIC, 45),
            (1, 1, 1),
            np.vstack([ring([90, 210, 330], 70.5287793655), ring([0], 0)]),
        ),
    ],
)
def test_cubic_crystal_has_its_poles_where_they_are_known(
    quaternion, indices, expected
):
    expected = expected[np.lexsort(np.round(expected.T, 6))]
    assert places(crystals(quaternion), indices) == pytest.approx(expected, abs=1e-9)


def test_orientation_takes_the_crystal_to_the_sample():
    # no symmetry hides the direction of a turn about z, then about x
    body = crystals(turned(30, 40, 0))
    R = matrix_from_quaternion(turned(30, 40, 0)[0])
    c, s = np.cos(np.radians([30, 40])), np.sin(np.radians([30, 40]))
    c_axis = np.array([s[0] * s[1], -c[0] * s[1], c[1]])
    assert R[:, 2] == pytest.approx(c_axis)
    found = poles(body, (1, 0, 0)).directions[0]
    assert np.abs(found @ c_axis).max() == pytest.approx(1)


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ((0, 0, 0, 1), ring([0], 0)),
        ((1, 0, -1, 0), ring([], 90)),
        (
            (1, 0, -1, 1),
            ring(np.arange(6) * 60 + 30, np.degrees(np.arctan(RATIO * 2 / 3**0.5))),
        ),
        (
            (1, 1, -2, 2),
            ring(np.arange(6) * 60, np.degrees(np.arctan(RATIO))),
        ),
    ],
)
def test_hexagonal_crystal_has_its_poles_where_they_are_known(indices, expected):
    law = slip(**LATTICE)
    by_law = crystals(UPRIGHT, TITANIUM, law={0: law})
    assert places(by_law, indices) == pytest.approx(expected, abs=1e-9)
    by_option = places(crystals(UPRIGHT, TITANIUM), indices, c_over_a=RATIO)
    assert by_option == pytest.approx(expected, abs=1e-9)


def test_prisms_lie_across_the_a_axes():
    # a1 is along x, so that (10-10) has its normal at 30 degrees from it
    found = poles(crystals(UPRIGHT, TITANIUM), (1, 0, -1, 0)).directions[0]
    angles = np.degrees(np.arctan2(found[:, 1], found[:, 0])) % 180
    assert np.sort(angles) == pytest.approx([30, 90, 150])


@pytest.mark.parametrize("indices", [(1, 1, 1), (1, 0, 0), (1, 2, 3), (0, 0, 0, 1)])
def test_random_texture_is_about_one_multiple_of_random(indices):
    rng = np.random.default_rng(1)
    stiffness = COPPER if len(indices) == 3 else TITANIUM
    body = crystals(orientations(3000, rng), stiffness)
    found = poles(body, indices)
    directions = rng.normal(size=(1500, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values, noise = density(found, directions, 7.5), chance(found, 7.5)
    assert values.mean() == pytest.approx(1, abs=0.02)
    assert 0.4 < values.std() / noise < 1.5


def test_density_is_by_volume_and_has_mean_one_for_any_texture():
    rng = np.random.default_rng(2)
    directions = rng.normal(size=(20000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    body = crystals(np.vstack([UPRIGHT, turned(30, 40, 0)]), volumes=[9, 1])
    found = poles(body, (1, 0, 0))
    assert found.weights == pytest.approx([0.9, 0.1])
    assert density(found, directions, 15).mean() == pytest.approx(1, abs=0.05)
    peaks = density(found, np.array([[0, 0, 1.0], found.directions[1, 0]]), 5)
    assert peaks[0] == pytest.approx(9 * peaks[1], rel=1e-3)
    # of one pole with its opposite, k = 1 / spread^2, at its place
    k = 1 / np.radians(5) ** 2
    assert peaks[0] == pytest.approx(0.9 * k / 3, rel=1e-3)


def test_few_crystals_are_dots_by_volume_and_many_a_density():
    body = crystals(np.vstack([UPRIGHT, turned(30, 40, 0)]), volumes=[3, 1])
    figure = pole_figure([poles(body, (1, 1, 1)), poles(body, (1, 0, 0))])
    dots: list[Any] = [ax.collections[0] for ax in figure.axes]
    assert len(dots) == 2
    sizes = dots[0].get_sizes()
    assert len(sizes) == 8
    assert sizes.max() == pytest.approx(3 * sizes.min())
    # x and y of the first are on the rim, at both of their ends; so is x of the other
    assert len(np.asarray(dots[1].get_offsets())) == 3 + 2 + 3 + 1
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert sum("2 crystals" in text for text in texts) == 2
    assert {"x", "y"} <= set(texts)
    fibre = Fibre("x", 5, (1, 1, 1))
    many = orientations(MOST_POINTS + 1, np.random.default_rng(0), fibre)
    figure = pole_figure([poles(crystals(many), (1, 1, 1))])
    (image,) = figure.axes[0].images
    values = np.asarray(image.get_array())
    # the fibre axis x is on the right and, opposite, on the left
    _, column = np.unravel_index(values.argmax(), values.shape)
    assert abs(column - 60) > 50
    assert image.get_clim() == (0, pytest.approx(values.max(), rel=0.1))


def test_crystals_that_are_left_out_are_said():
    stiffness = np.stack([COPPER, TITANIUM, TUNGSTEN, PORE, COPPER])
    q = np.array([*np.repeat(UPRIGHT, 4, axis=0), np.full(4, np.nan)])
    phase = np.arange(5)[:, None, None]
    body = Microstructure(Grid((5, 1, 1)), phase, stiffness, q)
    found = poles(body, (1, 1, 1))
    assert len(found.directions) == 1
    assert len(found.notes) == 3
    for word in (
        "0.2 of the volume is without orient",
        "is hexagonal",
        "unknown symmetry",
    ):
        assert any(word in note for note in found.notes)
    # what the stiffness does not say, the option does
    assert len(poles(body, (1, 1, 1), "cubic").directions) == 2
    assert poles(crystals(UPRIGHT), (1, 1, 1)).notes == ()


def test_slip_law_says_the_symmetry_where_the_stiffness_does_not():
    body = crystals(UPRIGHT, TUNGSTEN, law={0: slip()})
    assert len(places(body, (1, 1, 1))) == 4
    with pytest.raises(InputError, match="crystals are cubic"):
        poles(body, (0, 0, 0, 1))


@pytest.mark.parametrize(
    ("text", "indices"),
    [("111", (1, 1, 1)), ("1-10", (1, -1, 0)), ("10-11", (1, 0, -1, 1))],
)
def test_poles_are_read(text, indices):
    assert parse_pole(text) == indices


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("poles")
    bodies = {
        "cubic": crystals(UPRIGHT),
        "hcp": crystals(UPRIGHT, TITANIUM),
        "isotropic": crystals(UPRIGHT, TUNGSTEN),
        "slip": crystals(UPRIGHT, TITANIUM, law={0: slip(**LATTICE)}),
        "none": Microstructure(Grid((1, 1, 1)), np.zeros((1, 1, 1), int), COPPER[None]),
    }
    for name, body in bodies.items():
        io.write(folder / f"{name}.h5", body)
    return folder


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        ("cubic", ["--pole", "11"], "Miller indices"),
        ("cubic", ["--pole", "1x1"], "Miller indices"),
        ("cubic", ["--pole", "000"], "not all 0"),
        ("hcp", ["--pole", "10-20"], "i = -1"),
        ("cubic", ["--pole", "0001"], "3 indices"),
        ("hcp", ["--pole", "111"], "4 indices"),
        ("hcp", ["--pole", "10-11"], "--c-over-a"),
        ("hcp", ["--pole", "0001", "--c-over-a", "0"], "--c-over-a 0: expected a pos"),
        ("slip", ["--pole", "10-11", "--c-over-a", "2"], "--c-over-a 2 of phase 0"),
        (
            "cubic",
            ["--pole", "0001", "--symmetry", "hexagonal"],
            "--symmetry hexagonal",
        ),
        ("cubic", ["--pole", "111", "--symmetry", "hexagonal"], "--symmetry hexagonal"),
        ("isotropic", ["--pole", "111"], "--symmetry cubic"),
        ("none", ["--pole", "111"], "no orientations"),
        ("cubic", ["--pole", "111", "--grid"], "exclude"),
        ("cubic", ["--pole", "111", "--field", "phase"], "--field"),
        ("cubic", ["--symmetry", "cubic"], "--pole"),
    ],
)
def test_bad_input_is_refused_in_one_line(files, tmp_path, file, options, words):
    line = ["plot", str(files / f"{file}.h5"), *options]
    outcome = run_fftmech(*line, "-o", tmp_path / "a.png", code=2)
    assert words in outcome.output
    assert len(outcome.output.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_command_line_draws_several(files, tmp_path):
    picture = tmp_path / "a.png"
    line = ["plot", str(files / "isotropic.h5"), "--pole", "111", "--pole", "100"]
    more = ["--symmetry", "cubic", "-o", str(picture)]
    run_fftmech(*line, *more)
    assert picture.stat().st_size > 1000
