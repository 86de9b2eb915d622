"""Laws of the representations that a network reads a microstructure by."""

import numpy as np
import pytest
from conftest import SOFT, STIFF, grains

from ecosurrogate.data.representation import (
    REPRESENTATIONS,
    channel_count,
    inputs,
    phase_channels,
)
from ecosurrogate.data.symmetry import SYMMETRIES
from fftmech import Grid, InputError, Microstructure
from fftmech.materials import PORE, cubic, hexagonal
from fftmech.tensors import (
    matrix_from_quaternion,
    quaternion_from_bunge,
    quaternion_from_xyzw,
    rotate_stiffness,
)

ROTATIONS = [g for g in SYMMETRIES if g.determinant == 1]
OF_ORIENTATIONS = ("euler", "quaternion", "cubic-harmonics")


def two_phases(*stiffness):
    phase = np.arange(24).reshape(2, 3, 4) % len(stiffness)
    return Microstructure(Grid(phase.shape), phase, np.array(stiffness))


def one_crystal(quaternions):
    """A polycrystal of one voxel for each orientation."""
    n = len(quaternions)
    phase = np.arange(n).reshape(n, 1, 1)
    return Microstructure(Grid(phase.shape), phase, orientation=quaternions)


def equivalent(quaternions):
    """The same crystals named otherwise: R S for each rotation S of the cube."""
    from scipy.spatial.transform import Rotation

    R = matrix_from_quaternion(quaternions)
    for s in ROTATIONS:
        yield quaternion_from_xyzw(Rotation.from_matrix(R @ s.matrix).as_quat())


@pytest.mark.parametrize("representation", list(REPRESENTATIONS))
def test_channels_are_the_table_of_the_phase_in_each_voxel(representation):
    solids = two_phases(SOFT, PORE)
    body = solids if representation == "indicator" else grains((3, 4, 5))
    x = inputs(body, representation)
    assert x.dtype == np.float32 and x.flags.c_contiguous
    assert x.shape == (channel_count(representation), *body.grid.shape)
    table = phase_channels(body, representation)
    for voxel in ((0, 0, 0), (1, 2, 3), (-1, -1, -1)):
        assert np.allclose(x[:, *voxel], table[body.phase[voxel]], rtol=1e-6)


def test_the_indicator_is_one_in_pores():
    for body, pore in ((two_phases(SOFT, PORE), 1), (two_phases(PORE, SOFT), 0)):
        assert np.array_equal(inputs(body, "indicator")[0], body.phase == pore)


def test_the_indicator_of_two_solids_is_one_in_phase_one():
    body = two_phases(SOFT, STIFF)
    assert np.array_equal(inputs(body, "indicator")[0], body.phase)
    geometry = body.with_changes(stiffness=None)
    assert np.array_equal(inputs(geometry, "indicator")[0], body.phase)


def test_a_sample_without_a_pore_is_indicated_as_one_with_pores():
    phase = np.ones((2, 2, 2), int)
    body = Microstructure(Grid((2, 2, 2)), phase, np.array([PORE, SOFT]))
    assert not inputs(body, "indicator").any()


def test_an_indicator_that_would_merge_solids_is_refused():
    for body in (two_phases(SOFT, STIFF, SOFT), two_phases(SOFT, STIFF, PORE)):
        with pytest.raises(InputError, match='take representation "stiffness"'):
            inputs(body, "indicator")


def test_stiffness_channels_hold_the_whole_stiffness_in_units_of_the_scale():
    body = grains((4, 4, 4))
    x = inputs(body, scale=100.0).astype(float)
    C = np.zeros((6, 6, 4, 4, 4))
    rows, columns = np.triu_indices(6)
    C[rows, columns] = C[columns, rows] = x
    expected = np.moveaxis(body.stiffness[body.phase], (-2, -1), (0, 1))
    assert np.allclose(100.0 * C, expected, rtol=1e-6, atol=1e-4)


def test_pores_have_no_stiffness():
    body = two_phases(SOFT, PORE)
    x = inputs(body)
    assert not x[:, body.phase == 1].any() and x[0, body.phase == 0].all()


def test_euler_angles_are_those_of_bunge_in_radians():
    euler = np.radians([[312.72, 87.788, 346.942], [10.0, 20.0, 30.0]])
    x = inputs(one_crystal(quaternion_from_bunge(euler)), "euler")
    assert np.allclose(x[:, :, 0, 0].T, euler, rtol=1e-6)


def test_equivalent_orientations_have_one_quaternion_and_one_harmonic(rng):
    q = rng.normal(size=(20, 4))
    for representation in ("quaternion", "cubic-harmonics"):
        expected = phase_channels(one_crystal(q), representation)
        for other in equivalent(q):
            found = phase_channels(one_crystal(other), representation)
            assert np.allclose(found, expected, atol=1e-12)
    angles = phase_channels(one_crystal(q), "euler")
    others = [phase_channels(one_crystal(o), "euler") for o in equivalent(q)]
    assert not any(np.allclose(o, angles, atol=1e-3) for o in others[1:])


def test_the_quaternion_is_an_orientation_of_the_same_crystal(rng):
    q = rng.normal(size=(50, 4))
    crystal = cubic(204.6, 137.7, 126.2)
    found = phase_channels(one_crystal(q), "quaternion")
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    # the largest misorientation of two cubes is 62.7994 degrees (Mackenzie 1958)
    assert found[:, 0].min() > np.cos(np.radians(62.7995 / 2))
    before, after = (
        rotate_stiffness(crystal, matrix_from_quaternion(p)) for p in (q, found)
    )
    assert np.allclose(after, before, atol=1e-10)


def test_harmonics_of_the_unrotated_cube_are_minus_one_fifth():
    upright = phase_channels(one_crystal(np.eye(4)[:1]), "cubic-harmonics")
    assert np.allclose(upright, [[-np.sqrt(10) / 5] * 3 + [0] * 6], atol=1e-15)


def test_harmonics_have_one_length_for_all_orientations_and_mean_zero(rng):
    q = rng.normal(size=(20000, 4))
    H = phase_channels(one_crystal(q), "cubic-harmonics")
    assert np.allclose((H**2).sum(axis=1), 6 / 5)
    assert np.abs(H.mean(axis=0)).max() < 0.015
    # an orthonormal basis: the nine share the length alike
    assert np.allclose(np.cov(H.T), 6 / 45 * np.eye(9), atol=0.01)


def test_harmonics_and_the_stiffness_of_a_cubic_crystal_determine_each_other(rng):
    q = rng.normal(size=(200, 4))
    C = rotate_stiffness(cubic(204.6, 137.7, 126.2), matrix_from_quaternion(q))
    body = one_crystal(q).with_changes(stiffness=C)
    stiffness = phase_channels(body, "stiffness")
    H = phase_channels(body, "cubic-harmonics")
    assert np.linalg.matrix_rank(stiffness - stiffness.mean(axis=0), tol=1e-6) == 9
    for known, sought in ((H, stiffness), (stiffness, H)):
        affine = np.column_stack([known, np.ones(len(known))])
        solution = np.linalg.lstsq(affine, sought, rcond=1e-10)[0]
        assert np.allclose(affine @ solution, sought, atol=1e-8)


@pytest.mark.parametrize("representation", OF_ORIENTATIONS)
def test_orientations_are_refused_where_they_do_not_tell_materials_apart(
    representation,
):
    body = grains((3, 4, 5))
    stiffer = body.stiffness.copy()
    stiffer[2] *= 1.01
    with pytest.raises(InputError, match="several materials"):
        inputs(body.with_changes(stiffness=stiffer), representation)
    with pytest.raises(InputError, match="without orientation"):
        inputs(body.with_changes(orientation=None), representation)
    unknown = body.orientation.copy()
    unknown[1] = np.nan
    with pytest.raises(InputError, match="without orientation"):
        inputs(body.with_changes(orientation=unknown), representation)


def test_crystals_that_are_not_cubic_are_not_reduced_by_cubic_symmetry():
    body = grains((3, 4, 5), crystal=hexagonal(160, 90, 66, 181, 46.5))
    for representation in ("quaternion", "cubic-harmonics"):
        with pytest.raises(InputError, match="not cubic"):
            inputs(body, representation)
    assert inputs(body, "euler").shape[0] == 3


def test_rows_that_no_voxel_uses_are_ignored():
    body = grains((3, 4, 5))
    phase = np.where(body.phase == 2, 1, body.phase)
    table = body.stiffness.copy()
    table[2] = np.nan
    holed = body.with_changes(phase=phase, stiffness=table)
    for representation in ("stiffness", *OF_ORIENTATIONS):
        assert np.isfinite(inputs(holed, representation)).all()


def test_wrong_names_and_scales_are_refused():
    body = grains((2, 2, 2))
    with pytest.raises(InputError, match="indicator, stiffness, rotation"):
        inputs(body, "spectrum")
    with pytest.raises(InputError, match="indicator, stiffness, rotation"):
        channel_count("spectrum")
    for scale in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="expected a positive stress"):
            inputs(body, scale=scale)
