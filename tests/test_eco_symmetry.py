"""Laws of the cube's symmetries: a group that commutes with solving."""

import numpy as np
import pytest
from conftest import SOFT, grains

from ecosurrogate.data.symmetry import SYMMETRIES, Symmetry, symmetries
from fftmech import SCHEMES, Grid, Load, Microstructure, discretization, solve
from fftmech.materials import cubic, hexagonal
from fftmech.tensors import (
    FACTORS,
    IDENTITY,
    matrix_from_quaternion,
    rotate_stiffness,
    rotate_vector,
)

IDENTITY_OPERATION = Symmetry((0, 1, 2), (1, 1, 1))
SOME = [
    Symmetry((0, 1, 2), (-1, 1, 1)),  # mirror
    Symmetry((0, 1, 2), (-1, -1, -1)),  # inversion
    Symmetry((1, 0, 2), (-1, 1, 1)),  # quarter turn about z
    Symmetry((2, 0, 1), (1, -1, 1)),
    Symmetry((1, 2, 0), (1, 1, 1)),  # third of a turn about the diagonal
    Symmetry((2, 1, 0), (-1, -1, 1)),
]
LOAD = Load(strain={"xx": 1e-3, "xy": 4e-4, "yz": -2e-4}, stress={"zz": 0.05, "xz": 0})


def centred(u):
    return u - u.mean(axis=(1, 2, 3), keepdims=True)


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def test_there_are_48_symmetries_half_of_them_rotations():
    assert len(set(SYMMETRIES)) == 48
    assert SYMMETRIES[0] == IDENTITY_OPERATION
    assert sum(g.determinant for g in SYMMETRIES) == 0
    for g in SYMMETRIES:
        assert np.array_equal(g.matrix @ g.matrix.T, np.eye(3))


def product(g, h):
    """The symmetry that acts as h, then as g."""
    (both,) = [s for s in SYMMETRIES if np.array_equal(s.matrix, g.matrix @ h.matrix)]
    return both


def test_symmetries_are_closed_under_products():
    for g in SOME:
        assert {product(g, h) for h in SYMMETRIES} == set(SYMMETRIES)


@pytest.mark.parametrize("at", ["centers", "corners"])
def test_acting_twice_is_acting_by_the_product(at, rng):
    f = rng.normal(size=(2, 6, 3, 4, 5))
    u, table = f[:, :3], rng.normal(size=(4, 6, 6))
    for g in SOME:
        for h in SOME:
            both = product(g, h)
            assert np.array_equal(both.tensor(f, at), g.tensor(h.tensor(f, at), at))
            assert np.array_equal(both.vector(u, at), g.vector(h.vector(u, at), at))
            assert np.array_equal(both.scalar(u, at), g.scalar(h.scalar(u, at), at))
            assert np.array_equal(
                both.stiffness(table), g.stiffness(h.stiffness(table))
            )


def test_a_mirror_keeps_the_first_corner_and_swaps_the_outer_voxels():
    mirror, f = SOME[0], np.arange(4.0).reshape(4, 1, 1)
    assert mirror.scalar(f).ravel().tolist() == [3, 2, 1, 0]
    assert mirror.scalar(f, "corners").ravel().tolist() == [0, 3, 2, 1]


def test_components_move_as_the_matrix_says(rng):
    q = rng.normal(size=(3, 4))
    C = rotate_stiffness(cubic(204.6, 137.7, 126.2), matrix_from_quaternion(q))
    e, v = rng.normal(size=(5, 6)), rng.normal(size=(3, 1, 1, 1))
    for g in SYMMETRIES:
        assert np.allclose(g.mean(e), rotate_vector(e, g.matrix), atol=1e-14)
        assert np.allclose(g.stiffness(C), rotate_stiffness(C, g.matrix), atol=1e-11)
        assert np.array_equal(g.vector(v, "centers").ravel(), g.matrix @ v.ravel())


def test_crystals_turn_with_their_stiffness(rng):
    q = rng.normal(size=(6, 4))
    q /= np.linalg.norm(q, axis=1)[:, None]
    for crystal in (cubic(204.6, 137.7, 126.2), hexagonal(160, 90, 66, 181, 46.5)):
        C = rotate_stiffness(crystal, matrix_from_quaternion(q))
        for g in SYMMETRIES:
            moved = g.orientation(q)
            assert (moved[:, 0] >= 0).all()
            again = rotate_stiffness(crystal, matrix_from_quaternion(moved))
            assert np.allclose(again, g.stiffness(C), atol=1e-10)


def test_an_unknown_orientation_stays_unknown():
    q = np.array([[1.0, 0, 0, 0], [np.nan] * 4])
    moved = SOME[2].orientation(q)
    assert np.isfinite(moved[0]).all() and np.isnan(moved[1]).all()


@pytest.mark.parametrize("n", [4, 5])
def test_strain_commutes_with_every_symmetry_that_is_said_to(scheme, n, rng):
    discretized, grid = discretization(scheme), Grid((n, n, n))
    u = rng.normal(size=(3, n, n, n))

    def strain(displacement):
        return discretized.strain(displacement, grid).mean(axis=0)

    for g in symmetries(scheme):
        moved = strain(g.vector(u, discretized.nodes))
        assert relative(moved, g.tensor(strain(u))) < 1e-12


def test_all_schemes_but_forward_commute_with_all_symmetries():
    found = {name: len(symmetries(name)) for name in SCHEMES}
    assert found == {name: 6 if name == "forward" else 48 for name in SCHEMES}
    assert all(g.signs == (1, 1, 1) for g in symmetries("forward"))


def test_displacements_at_corners_do_not_move_as_those_at_centers(rng):
    rotated, grid = discretization("rotated"), Grid((5, 5, 5))
    u, mirror = rng.normal(size=(3, 5, 5, 5)), SOME[0]
    wrong = rotated.strain(mirror.vector(u, "centers"), grid)[0]
    assert relative(wrong, mirror.tensor(rotated.strain(u, grid)[0])) > 0.1


@pytest.mark.parametrize("g", SOME, ids=str)
@pytest.mark.parametrize("scheme", ["rotated", "fourier"])
def test_solving_commutes_with_symmetries_of_a_polycrystal(scheme, g):
    # one even axis: no null mode, so that the displacement is unique but for its mean
    body = grains((4, 5, 7))
    method = {"scheme": scheme, "tolerance": 1e-13}
    before = solve(body, LOAD, **method)
    after = solve(g.body(body), g.load(LOAD), **method)
    u, moved = (centred(r.displacement) for r in (before, after))
    assert before.converged and after.converged
    assert relative(after.strain, g.tensor(before.strain)) < 1e-9
    assert relative(after.stress, g.tensor(before.stress)) < 1e-9
    assert relative(moved, g.vector(u, discretization(scheme).nodes)) < 1e-9
    assert relative(after.mean_strain, g.mean(before.mean_strain)) < 1e-9
    assert not np.allclose(after.strain.ravel(), before.strain.ravel(), rtol=0.1)


def test_solving_commutes_with_symmetries_of_a_stretched_body_with_eigenstrain():
    phase = np.arange(60).reshape(3, 4, 5) % 2
    eigenstrain = np.array([np.zeros(6), 1e-3 * np.arange(1, 7)])
    table = np.array([SOFT, cubic(204.6, 137.7, 126.2)])
    grid = Grid((3, 4, 5), (1.0, 0.5, 2.0))
    body = Microstructure(grid, phase, table, eigenstrain=eigenstrain)
    before = solve(body, LOAD, tolerance=1e-13)
    for g in SOME:
        after = solve(g.body(body), g.load(LOAD), tolerance=1e-13)
        assert relative(after.stress, g.tensor(before.stress)) < 1e-9


def test_a_load_moves_as_its_mandel_vector():
    for g in SYMMETRIES:
        moved = g.load(LOAD)
        assert np.allclose(moved.mean_strain, g.mean(LOAD.mean_strain))
        assert np.allclose(moved.mean_stress, g.mean(LOAD.mean_stress))
        assert np.array_equal(moved.free, g.mean(LOAD.free.astype(float)) != 0)


def test_a_load_is_kept_by_the_symmetries_of_its_tensor():
    kept = [
        (Load.uniaxial("xx", 1e-3), 16),
        (Load.from_mandel(1e-3 * IDENTITY), 48),
        (Load(strain={"xy": 1e-3}), 8),
        (Load.from_mandel(FACTORS * [1, 2, 3, 4, 5, 6]), 2),
    ]
    for load, number in kept:
        assert len(symmetries("rotated", load=load)) == number


def test_a_grid_is_kept_by_the_symmetries_of_its_box():
    for grid, number in (
        (Grid((4, 4, 4)), 48),
        (Grid((4, 4, 6)), 16),
        (Grid((4, 5, 6)), 8),
        (Grid((4, 4, 4), (1.0, 1.0, 2.0)), 16),
    ):
        assert len(symmetries("rotated", grid)) == number
