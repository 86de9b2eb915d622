"""Resampling keeps volumes, and composite voxels keep what their rule keeps."""

import numpy as np
import pytest

from fftmech import Grid, InputError, Load, Microstructure, solve
from fftmech.materials.elastic import PORE, cubic, isotropic
from fftmech.microstructure import (
    laminate,
    overlap,
    parse_resolution,
    polycrystal,
    resample,
    shape_for,
    single_pore,
    sphere,
)
from fftmech.microstructure.composite import Phases, laminate_pairs
from fftmech.tensors import (
    mandel_from_matrix,
    mandel_rotation,
    matrix_from_quaternion,
    rotate_stiffness,
    voigt_from_mandel,
)

SOFT = isotropic(E=8 / 3, nu=1 / 3)
STIFF = isotropic(E=88 / 3, nu=1 / 3)
RULES = ["voigt", "reuss", "laminate"]


def random_body(shape, phases=4, seed=0, pore=False, strains=False):
    """Random voxels of random crystals."""
    random = np.random.default_rng(seed)
    q = random.standard_normal((phases, 4))
    R = matrix_from_quaternion(q / np.linalg.norm(q, axis=1, keepdims=True))
    factor = np.linspace(1, 5, phases)[:, None, None]
    stiffness = factor * rotate_stiffness(cubic(C11=2.0, C12=1.2, C44=1.3), R)
    if pore:
        stiffness[0] = PORE
    table = 1e-3 * random.standard_normal((phases, 6)) if strains else None
    phase = random.integers(phases, size=shape)
    return Microstructure(
        Grid(shape), phase, stiffness, eigenstrain=table, thermal_expansion=table
    )


def mean(body, table):
    """Volume average of a table over the voxels."""
    return np.tensordot(body.fractions, table[: len(body.fractions)], axes=1)


def overlaps(n, m):
    """Length shared by each of m new and n old voxels, (m, n)."""
    i, j = np.arange(n), np.arange(m)[:, None]
    top = np.minimum((i + 1) / n, (j + 1) / m)
    return np.maximum(top - np.maximum(i / n, j / m), 0)


@pytest.mark.parametrize(
    ("shape", "res", "expected"),
    [
        ((128, 128, 128), 64, (64, 64, 64)),
        ((128, 64, 1), 64, (64, 32, 1)),
        ((100, 50, 3), 10, (10, 5, 1)),
        ((10, 5, 1), 7, (7, 4, 1)),
        ((8, 8, 8), 20, (20, 20, 20)),
        ((8, 8, 1), (4, 2, 3), (4, 2, 3)),
        ((8, 8, 8), parse_resolution("16"), (16, 16, 16)),
        ((8, 8, 8), parse_resolution("16,8,1"), (16, 8, 1)),
    ],
)
def test_resolution_sets_the_longest_axis_and_the_others_follow(shape, res, expected):
    assert shape_for(Grid(shape), res) == expected


@pytest.mark.parametrize("res", [0, -4, (4, 4), (4, 0, 4), 2.5])
def test_resolution_that_is_no_voxel_count_is_refused(res):
    with pytest.raises(InputError, match="at least 1"):
        resample(random_body((4, 4, 4)), res)


@pytest.mark.parametrize("text", ["", "a", "1.5", "4,4", "4,4,4,4"])
def test_resolution_that_is_no_number_is_refused(text):
    with pytest.raises(InputError, match="whole number"):
        parse_resolution(text)


@pytest.mark.parametrize("shape", [(4, 4, 4), (7, 5, 3), (3, 6, 1), (2, 2, 2)])
def test_majority_is_the_phase_with_most_volume(shape):
    body = random_body((8, 9, 6), phases=3, seed=1)
    new = resample(body, shape)
    share = np.stack(
        [
            np.einsum(
                "ai,bj,ck,ijk->abc",
                *(overlaps(n, m) for n, m in zip((8, 9, 6), shape, strict=True)),
                (body.phase == p).astype(float),
            )
            for p in range(3)
        ]
    )
    chosen = np.take_along_axis(share, new.phase[None], axis=0)[0]
    assert chosen == pytest.approx(share.max(axis=0), abs=1e-12)
    assert new.grid.size == pytest.approx(body.grid.size)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ([0, 1], 1),  # the centre is a face: the upper voxel
        ([1, 0], 0),
        ([2, 1, 1, 2], 1),
        ([0, 2, 2, 0, 1, 1, 0, 2, 1], 1),  # three each: the centre's
        ([3, 3, 2, 1, 1], 1),  # the centre's has less: the lowest id
    ],
)
def test_majority_tie_goes_to_the_centre_else_to_the_lowest_id(line, expected):
    for axis in range(3):
        shape = np.ones(3, dtype=int)
        shape[axis] = len(line)
        body = Microstructure(Grid(tuple(shape)), np.reshape(line, shape))
        assert resample(body, (1, 1, 1)).phase.item() == expected


@pytest.mark.parametrize("rule", ["majority", *RULES])
def test_refining_makes_no_new_phases_and_coarsening_takes_it_back(rule):
    body = random_body((3, 4, 5))
    fine = resample(body, (6, 12, 5), rule)
    expected = body.phase.repeat(2, axis=0).repeat(3, axis=1)
    assert (fine.phase == expected).all()
    assert fine.stiffness is not None and len(fine.stiffness) == 4
    assert (resample(fine, (3, 4, 5), rule).phase == body.phase).all()
    uneven = resample(body, (4, 7, 11), rule)
    nearest = [(2 * np.arange(m) + 1) * n // (2 * m) for n, m in ((3, 4), (4, 7))]
    nearest.append((2 * np.arange(11) + 1) * 5 // 22)
    assert (uneven.phase == body.phase[np.ix_(*nearest)]).all()


@pytest.mark.parametrize("shape", [(4, 4, 4), (5, 3, 7), (1, 1, 1), (8, 5, 10)])
def test_composite_voxels_keep_the_mean_stiffness_or_compliance(shape):
    body = random_body((8, 9, 10))
    voigt = resample(body, shape, "voigt")
    assert len(voigt.stiffness) > 4
    assert mean(voigt, voigt.stiffness) == pytest.approx(mean(body, body.stiffness))
    reuss = resample(body, shape, "reuss")
    assert mean(reuss, np.linalg.inv(reuss.stiffness)) == pytest.approx(
        mean(body, np.linalg.inv(body.stiffness))
    )


@pytest.mark.parametrize("rule", RULES)
def test_composite_rules_do_not_depend_on_how_many_planes_are_counted_at_once(
    rule, monkeypatch
):
    body = random_body((9, 8, 7), phases=2, strains=True)
    whole = resample(body, (4, 5, 3), rule)
    monkeypatch.setattr(overlap, "PIECES", 1)
    planes = resample(body, (4, 5, 3), rule)
    assert (planes.phase == whole.phase).all()
    for name in ("stiffness", "eigenstrain"):
        assert (getattr(planes, name) == getattr(whole, name)).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("first", [True, False])
def test_laminate_voxel_has_the_published_stiffness(axis, first):
    # DESIGN section 9: one stiff voxel in ten, E = 88/3 against 8/3, nu = 1/3
    layers = [(1, STIFF), (9, SOFT)] if first else [(9, SOFT), (1, STIFF)]
    shape = [1, 1, 1]
    shape[axis] = 10
    body = resample(laminate(shape, layers, "xyz"[axis]), (1, 1, 1), "laminate")
    assert body.stiffness is not None
    C = voigt_from_mandel(body.stiffness[body.phase.item()])
    n, u, v = axis, (axis + 1) % 3, (axis + 2) % 3
    expected = np.zeros((6, 6))
    expected[n, n] = 4.4
    expected[u, u] = expected[v, v] = 7.1
    for i, j, value in ((n, u, 2.2), (n, v, 2.2), (u, v, 3.1)):
        expected[i, j] = expected[j, i] = value
    # shear in the plane of the layers is stiffer: 4 carries yz, 5 xz, 6 xy
    expected[3:, 3:] = 1.1 * np.eye(3)
    expected[3 + n, 3 + n] = 2.0
    assert pytest.approx(expected, abs=1e-12) == C


def test_laminate_turns_with_its_phases_and_its_normal():
    random = np.random.default_rng(3)
    body = random_body((2, 1, 1), phases=2, seed=5)
    normal = random.standard_normal(3)
    normal /= np.linalg.norm(normal)
    strains = {"eigenstrain": random.standard_normal((2, 6))}

    def mixed(R):
        turned = {n: a @ mandel_rotation(R).T for n, a in strains.items()}
        return laminate_pairs(
            Phases(rotate_stiffness(body.stiffness, R), turned),
            np.array([[0, 1]]),
            np.array([0.3]),
            (R @ normal)[None],
        )

    R = matrix_from_quaternion(np.array([0.5, -0.1, 0.7, 0.5]))
    straight, turned = mixed(np.eye(3)), mixed(R)
    assert turned.stiffness == pytest.approx(rotate_stiffness(straight.stiffness, R))
    assert turned.strains["eigenstrain"] == pytest.approx(
        straight.strains["eigenstrain"] @ mandel_rotation(R).T
    )


def test_laminate_lies_between_reuss_and_voigt():
    body = random_body((2, 3, 1), phases=2, seed=2)
    C = {r: resample(body, (1, 1, 1), r).stiffness[-1] for r in RULES}
    assert np.linalg.eigvalsh(C["voigt"] - C["laminate"]).min() > -1e-12
    assert np.linalg.eigvalsh(C["laminate"] - C["reuss"]).min() > -1e-12
    assert np.linalg.norm(C["voigt"] - C["laminate"]) > 0.01
    assert np.linalg.norm(C["laminate"] - C["reuss"]) > 0.01


def test_laminate_normal_is_physical_where_voxels_are_not_cubes():
    # one corner voxel of eight: its faces in the others have areas as 1 / edge
    phase = np.zeros((2, 2, 2), dtype=int)
    phase[0, 0, 0] = 1
    spacing = (1.0, 2.0, 3.0)
    body = Microstructure(Grid((2, 2, 2), spacing), phase, np.stack([SOFT, STIFF]))
    normal = 1 / np.array(spacing)
    expected = laminate_pairs(
        Phases(np.stack([SOFT, STIFF]), {}),
        np.array([[0, 1]]),
        np.array([7 / 8]),
        normal[None] / np.linalg.norm(normal),
    )
    new = resample(body, (1, 1, 1), "laminate")
    assert new.stiffness is not None
    assert new.stiffness[-1] == pytest.approx(expected.stiffness[0], abs=1e-12)


def test_reuss_with_a_pore_is_a_pore_and_voigt_bears():
    body = random_body((2, 1, 1), phases=2, pore=True).with_changes(
        phase=np.array([0, 1]).reshape(2, 1, 1)
    )
    assert not resample(body, (1, 1, 1), "reuss").stiffness[-1].any()
    half = resample(body, (1, 1, 1), "voigt").stiffness[-1]
    assert half == pytest.approx(body.stiffness[1] / 2)


@pytest.mark.parametrize("line", [[0, 1, 2], [0, 1, 0], [1, 1, 3], [3, 0, 0]])
def test_three_phases_equal_centroids_or_a_pore_follow_voigt(line):
    body = random_body((3, 1, 1), phases=4)
    stiffness = np.where(np.arange(4)[:, None, None] == 3, PORE, body.stiffness)
    body = body.with_changes(phase=np.reshape(line, (3, 1, 1)), stiffness=stiffness)
    layered, voigt = (
        resample(body, (1, 1, 1), rule).stiffness[-1] for rule in ("laminate", "voigt")
    )
    assert layered == pytest.approx(voigt)


@pytest.mark.parametrize("rule", RULES)
def test_uniform_eigenstrain_stays_uniform(rule):
    body = random_body((4, 4, 4), phases=2)
    strain = np.array([1.0, -2.0, 0.5, 0.3, 0.2, -0.7])
    body = body.with_changes(eigenstrain=np.tile(strain, (2, 1)))
    new = resample(body, (2, 2, 2), rule)
    assert len(new.eigenstrain) > 2
    assert new.eigenstrain == pytest.approx(np.tile(strain, (len(new.eigenstrain), 1)))


def test_composite_eigenstress_and_eigenstrain_are_conserved_by_rule():
    body = random_body((6, 6, 6), strains=True)

    def eigenstress(m):
        stress = np.einsum("pmn,pn->pm", m.stiffness, m.thermal_expansion)
        return mean(m, stress)

    voigt = resample(body, (4, 3, 5), "voigt")
    assert eigenstress(voigt) == pytest.approx(eigenstress(body))
    reuss = resample(body, (4, 3, 5), "reuss")
    assert mean(reuss, reuss.eigenstrain) == pytest.approx(mean(body, body.eigenstrain))


def test_laminate_eigenstrain_is_in_series_across_and_parallel_along():
    # nu = 0 uncouples the directions: series across the layers, parallel along
    E, alpha, f = np.array([1.0, 10.0]), np.array([3.0, 0.5]), np.array([0.25, 0.75])
    body = laminate((4, 1, 1), [(1, isotropic(E=1.0, nu=0)), (3, 10 * np.eye(6))])
    table = alpha[:, None] * mandel_from_matrix(np.eye(3))
    new = resample(body.with_changes(thermal_expansion=table), (1, 1, 1), "laminate")
    along = (f * E * alpha).sum() / (f * E).sum()
    expected = [(f * alpha).sum(), along, along, 0, 0, 0]
    assert new.thermal_expansion[-1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rule", ["majority", *RULES])
def test_polycrystal_keeps_its_orientations(rule):
    body = polycrystal(12, 6)
    new = resample(body, 8, rule)
    assert new.orientation is not None
    assert (new.orientation[:6] == body.orientation).all()
    assert np.isnan(new.orientation[6:]).all()
    assert len(new.orientation) == len(new.stiffness)
    assert (new.stiffness[:6] == body.stiffness).all()
    assert new.check() is new


def test_rows_of_unused_phases_may_be_nan():
    body = random_body((4, 4, 4), phases=3)
    body = body.with_changes(
        phase=np.where(body.phase == 1, 2, body.phase),
        stiffness=np.where(np.arange(3)[:, None, None] == 1, np.nan, body.stiffness),
    )
    for rule in RULES:
        assert resample(body, (2, 2, 2), rule).check()


@pytest.mark.parametrize("rule", ["majority", *RULES])
def test_resampling_commutes_with_swapping_axes(rule):
    body = random_body((6, 9, 8), phases=2, seed=7)
    R = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    turned = Microstructure(
        Grid((9, 8, 6)),
        body.phase.transpose(1, 2, 0),
        rotate_stiffness(body.stiffness, R),
    )
    one, two = resample(body, (4, 5, 3), rule), resample(turned, (5, 3, 4), rule)
    C = rotate_stiffness(one.stiffness[one.phase.transpose(1, 2, 0)], R)
    assert two.stiffness[two.phase] == pytest.approx(C, abs=1e-12)


def test_pore_keeps_its_volume_through_voigt():
    body = single_pore(24, "gas", fraction=0.05)
    new = resample(body, 10, "voigt")
    assert mean(new, new.stiffness) == pytest.approx(
        body.fractions[0] * body.stiffness[0]
    )


def test_laminate_voxels_bring_a_coarse_sphere_closest_to_the_fine_one():
    fine = sphere(48, 0.31, isotropic(E=1.0, nu=0.3), isotropic(E=10.0, nu=0.3))
    load = Load(strain={"xx": 1e-3})

    def stress(body):
        return solve(body, load, tolerance=1e-5, certificate=False).mean_stress[0]

    wanted = stress(fine)
    error = {r: abs(stress(resample(fine, 12, r)) / wanted - 1) for r in RULES}
    assert error["laminate"] < 0.006
    assert error["voigt"] > 0.03
    assert error["reuss"] > error["laminate"]


def test_bad_rule_and_missing_stiffness_are_refused():
    body = random_body((4, 4, 4))
    with pytest.raises(InputError, match="expected one of majority"):
        resample(body, 2, "median")
    with pytest.raises(InputError, match="--materials"):
        resample(body.with_changes(stiffness=None), 2, "voigt")
    assert resample(body.with_changes(stiffness=None), 2).stiffness is None
