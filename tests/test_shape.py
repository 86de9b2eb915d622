"""Shape of voxel bodies against closed forms."""

from itertools import product

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.spatial import SphericalVoronoi
from scipy.spatial.transform import Rotation

from fftmech import InputError
from fftmech.microstructure.components import components, embedded
from fftmech.microstructure.shape import SHARES, STEPS, BodyShape, centred


def turn(random):
    return Rotation.from_rotvec(2 * random.standard_normal(3)).as_matrix()


def ellipsoid(axes, seed):
    """Voxels of an ellipsoid, turned and shifted at random."""
    random = np.random.default_rng(seed)
    R = turn(random)
    n = 2 * int(np.ceil(max(axes))) + 3
    points = np.indices((n, n, n)).transpose(1, 2, 3, 0) + 0.5 - n / 2
    points -= random.random(3)
    return ((points @ R / axes) ** 2).sum(-1) <= 1


def area_of_ellipsoid(a, b, c):
    def element(theta, phi):
        return np.sin(theta) * np.sqrt(
            (b * c * np.sin(theta) * np.cos(phi)) ** 2
            + (a * c * np.sin(theta) * np.sin(phi)) ** 2
            + (a * b * np.cos(theta)) ** 2
        )

    return 8 * dblquad(element, 0, np.pi / 2, 0, np.pi / 2)[0]


def test_shares_are_the_voronoi_cells_of_the_directions_to_26_neighbours():
    steps = np.array([s for s in product((-1, 0, 1), repeat=3) if any(s)])
    neighbours = np.abs(steps).sum(axis=1)
    units = steps / np.sqrt(neighbours)[:, None]
    cells = SphericalVoronoi(units).calculate_areas() / (4 * np.pi)
    assert 2 * cells == pytest.approx([SHARES[n] for n in neighbours], rel=1e-10)
    assert len(STEPS) == 13


@pytest.mark.parametrize("radius", [10, 14.5, 20])
@pytest.mark.parametrize("seed", range(2))
def test_area_of_a_ball_is_right_to_one_percent(radius, seed):
    shape = BodyShape.measure(ellipsoid((radius,) * 3, seed))
    assert shape.area == pytest.approx(4 * np.pi * radius**2, rel=0.01)
    assert shape.sphericity == pytest.approx(1, abs=0.01)
    assert shape.diameter == pytest.approx(2 * radius, rel=0.01)


@pytest.mark.parametrize(
    ("axes", "tolerance"),
    [((15, 10, 5), 0.02), ((20, 5, 5), 0.02), ((12, 6, 3), 0.04), ((9, 6, 2.4), 0.05)],
)
@pytest.mark.parametrize("seed", range(3))
def test_area_and_axes_of_a_turned_ellipsoid_are_right(axes, tolerance, seed):
    shape = BodyShape.measure(ellipsoid(axes, seed))
    assert shape.area == pytest.approx(area_of_ellipsoid(*axes), rel=tolerance)
    assert shape.semi_axes == pytest.approx(axes, rel=tolerance)
    assert shape.aspect_ratio == pytest.approx(axes[0] / axes[2], rel=tolerance)
    assert shape.elongation == pytest.approx(axes[0] / axes[1], rel=tolerance)
    assert shape.flatness == pytest.approx(axes[1] / axes[2], rel=tolerance)


def test_cube_along_the_grid_has_the_area_that_crofton_counts():
    n = 20
    shape = BodyShape.measure(np.ones((n, n, n)), periodic=False)
    # lines that enter: n^2, n^2 + 2 n (n - 1) / 2, ... by hand for a cube of n voxels
    entrances = {1: n**2, 2: n**3 - n * (n - 1) ** 2, 3: n**3 - (n - 1) ** 3}
    count = {1: 3, 2: 6, 3: 4}
    expected = sum(4 * SHARES[k] * count[k] * entrances[k] / k**0.5 for k in count)
    assert shape.area == pytest.approx(expected, rel=1e-12)
    # 7 % less on its faces, and the rest at its edges
    assert 0.89 < shape.area / (6 * n**2) < 0.93
    # a cube of edge n has the moments n^2 / 12
    assert shape.semi_axes == pytest.approx([n * (5 / 12) ** 0.5] * 3)


def test_turned_cube_has_its_area_to_five_percent():
    n, edge = 44, 24
    points = np.indices((n, n, n)).transpose(1, 2, 3, 0) - n / 2 + 0.3
    for seed in range(3):
        R = turn(np.random.default_rng(seed))
        shape = BodyShape.measure((np.abs(points @ R) <= edge / 2).all(-1))
        assert shape.area == pytest.approx(6 * edge**2, rel=0.05)
        assert shape.sphericity == pytest.approx((np.pi / 6) ** (1 / 3), rel=0.05)


def test_shape_does_not_depend_on_where_in_the_periodic_box_the_body_lies():
    body = np.pad(ellipsoid((6, 4, 2), 1), 1)
    whole = BodyShape.measure(body)
    for shift in [(9, 0, 0), (9, 8, 0), (7, 9, 8)]:
        moved = np.roll(body, shift, (0, 1, 2))
        assert BodyShape.measure(moved) == whole
        assert (centred(moved) == centred(body)).all()
    cut = np.roll(body, 9, 0)
    assert BodyShape.measure(cut, periodic=False).area > 1.1 * whole.area


@pytest.mark.parametrize("shift", range(9))
def test_centred_leaves_as_much_room_on_either_side(shift):
    body = np.zeros((9, 9, 9), dtype=bool)
    body[2:6, 3, 3:6] = True
    body[3, 3, 4] = False
    found = np.argwhere(centred(np.roll(body, shift, (0, 1, 2))))
    before, after = found.min(axis=0), 8 - found.max(axis=0)
    assert (np.abs(before - after) <= 1).all()
    assert len(found) == body.sum()


def test_one_voxel_has_finite_numbers():
    body = np.zeros((3, 3, 3), dtype=bool)
    body[1, 1, 1] = True
    shape = BodyShape.measure(body)
    assert shape.aspect_ratio == pytest.approx(1)
    assert shape.sphericity == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (np.zeros((4, 4, 4)), "without voxels"),
        (np.ones((4, 4, 4)), "across x"),
        (np.eye(4)[None].repeat(4, axis=0), "across x"),
    ],
)
def test_bodies_without_ends_are_refused_in_one_line(body, message):
    with pytest.raises(InputError, match=message) as refusal:
        BodyShape.measure(body)
    assert "\n" not in str(refusal.value)


def test_components_are_those_of_the_neighbours_asked_for():
    mask = np.zeros((8, 8, 8), dtype=bool)
    mask[2:4, 2:4, 2:4] = True
    mask[4, 4, 2] = True  # shares an edge
    mask[4, 1, 4] = True  # shares a corner
    mask[7, 7, 7] = True  # at the faces
    sizes = [
        [(int(found.body.sum()), found.cut) for found in components(mask, 1, count)]
        for count in (6, 18, 26)
    ]
    assert [sorted(found) for found in sizes] == [
        [(1, False), (1, False), (1, True), (8, False)],
        [(1, False), (1, True), (9, False)],
        [(1, True), (10, False)],
    ]
    assert [int(found.body.sum()) for found in components(mask, 2, 6)] == [8]


def test_embedded_body_has_its_margin_on_either_side():
    body = np.ones((10, 4, 2), dtype=bool)
    box = embedded(body, (1.0, 1.0, 1.0), 0.25)
    assert box.grid.shape == (20, 20, 20)
    found = np.argwhere(box.phase)
    assert (found.min(axis=0) == [5, 8, 9]).all()
    assert (found.max(axis=0) == [14, 11, 10]).all()
    # voxels that are 2.5 high: 8 of them are as high as 20 are wide
    assert embedded(body, (1.0, 1.0, 2.5), 0.25).grid.shape == (20, 20, 8)
    assert embedded(body, (1.0, 1.0, 1.0), 0.0).grid.shape == (12, 12, 12)
