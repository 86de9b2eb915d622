"""Which axes the solid connects along."""

import numpy as np
import pytest
from conftest import EMPTY, SOFT

from fftmech import (
    FiniteLoad,
    Grid,
    InputError,
    Load,
    March,
    Microstructure,
    Path,
    solve,
)
from fftmech.microstructure.percolation import connected_axes
from fftmech.simulations.mechanisms import check_load
from fftmech.tensors import COMPONENTS, PAIRS


def _solid(shape, *boxes):
    solid = np.zeros(shape, bool)
    for box in boxes:
        solid[box] = True
    return solid


ALL = slice(None)


@pytest.mark.parametrize(
    "solid, expected",
    [
        (np.ones((3, 3, 3), bool), (True, True, True)),
        (np.zeros((3, 3, 3), bool), (False, False, False)),
        (_solid((6, 6, 6), (slice(2, 4), ALL, ALL)), (False, True, True)),
        (_solid((6, 6, 6), (slice(2, 4), slice(2, 4), ALL)), (False, False, True)),
        (_solid((6, 6, 6), (slice(1, 5),) * 3), (False, False, False)),
    ],
)
def test_solid_connects_along_the_axes_it_reaches_through(solid, expected):
    assert connected_axes(solid) == expected


def test_island_that_straddles_the_faces_is_an_island():
    corner = np.roll(_solid((6, 6, 6), (slice(0, 3),) * 3), (-1, -1, -1), (0, 1, 2))
    assert connected_axes(corner) == (False, False, False)


def test_oblique_sheet_winds_along_both_axes_that_it_crosses():
    # the plane x = y: its closed paths go along x and y at once, and along z
    solid = np.broadcast_to(np.eye(6, dtype=bool)[:, :, None], (6, 6, 6))
    assert connected_axes(solid) == (True, True, True)


def test_helix_that_closes_after_two_boxes_winds():
    # x -> x + 3 on crossing z: two turns until it closes on itself
    solid = np.zeros((6, 1, 6), bool)
    for z in range(6):
        solid[(z // 2) % 6, 0, z] = True
        solid[(z // 2 + 3) % 6, 0, z] = True
    assert connected_axes(solid)[2]


def test_voxels_that_share_a_corner_are_connected():
    solid = np.zeros((4, 4, 4), bool)
    for i in range(4):
        solid[i, i, i] = True
    assert connected_axes(solid) == (True, True, True)


def test_axis_of_one_voxel_is_connected_with_itself():
    assert connected_axes(np.ones((3, 3, 1), bool)) == (True, True, True)
    assert connected_axes(_solid((5, 5, 1), (slice(1, 3), slice(1, 3), ALL))) == (
        False,
        False,
        True,
    )


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_stress_is_refused_where_the_solid_does_not_connect_along_its_axes(rng, share):
    accepted = refused = 0
    for _ in range(10):
        solid = rng.random((5, 5, 5)) < share
        body = Microstructure(Grid(solid.shape), solid, np.array([EMPTY, SOFT]))
        connected = connected_axes(solid)
        for name, pair in zip(COMPONENTS, PAIRS, strict=True):
            load = Load(stress={name: 0.0})
            if all(connected[axis] for axis in pair):
                check_load(body, load)
                accepted += 1
            else:
                with pytest.raises(InputError, match=f"stress {name}"):
                    check_load(body, load)
                refused += 1
    assert accepted + refused == 60
    assert accepted if share > 0.1 else refused


def test_a_stress_that_pores_cannot_carry_is_refused_at_finite_strain_too():
    sheet = Microstructure(
        Grid((4, 4, 4)), _solid((4, 4, 4), (slice(0, 2), ALL, ALL)), [EMPTY, SOFT]
    )
    with pytest.raises(InputError, match=r"P xx .* along x, .* --F xx"):
        solve(sheet, FiniteLoad(F={"yy": 1.01}, P={"xx": 0.0}))
    with pytest.raises(InputError, match=r"P xy .* along x"):
        March(sheet, Path.of((FiniteLoad(), FiniteLoad(P={"xy": 0.0}))))
    assert solve(sheet, FiniteLoad(F={"yy": 1.01}, P={"zz": 0.0})).converged
