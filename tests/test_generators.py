"""Generators make what they promise, and the same on every platform."""

import hashlib
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from scipy.integrate import quad
from scipy.ndimage import label

from fftmech import InputError
from fftmech.materials.elastic import PORE, cubic, isotropic
from fftmech.microstructure import (
    Fibre,
    Peak,
    inclusions,
    laminate,
    polycrystal,
    pores,
    resample,
    single_pore,
    sphere,
)
from fftmech.microstructure.laguerre import UNIT, Laguerre
from fftmech.microstructure.texture import orientations, texture_of
from fftmech.tensors import (
    IDENTITY,
    matrix_from_quaternion,
    quaternion_from_bunge,
    rotate_stiffness,
)

SOFT = isotropic(E=1.0, nu=0.3)
STIFF = isotropic(E=10.0, nu=0.3)
TOUCHING = np.ones((3, 3, 3))


def bodies(phase):
    """Voxels of each body of phase 1 that is whole in the tiled box."""
    tiled = np.tile(phase, (2, 2, 2))
    pieces, _ = label(tiled, structure=TOUCHING)
    outer = np.ones(tiled.shape, dtype=bool)
    outer[1:-1, 1:-1, 1:-1] = False
    cut = np.unique(pieces[outer])
    sizes = np.bincount(pieces.ravel())
    sizes[cut] = 0
    sizes[0] = 0
    return sizes[sizes > 0]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: laminate(8, [(0.3, SOFT), (0.7, STIFF)], "y"), "laminate"),
        (lambda: inclusions(24, 0.15, (0.1, 0.15), SOFT, STIFF), "spheres"),
        (lambda: inclusions(24, 0.1, 0.1, SOFT, STIFF, (1, 1, 3)), "ellipsoids"),
        (lambda: single_pore(24, "lack-of-fusion", 0.02), "lack-of-fusion"),
        (lambda: single_pore(24, "keyhole", 0.02), "keyhole"),
        (lambda: pores(24, 0.05, 4, "mixed"), "pores"),
        (lambda: polycrystal(24, 12), "voronoi"),
        (lambda: polycrystal(24, 12, sizes=(0, 0.2)), "laguerre"),
        (lambda: polycrystal((24, 20, 1), 6, periodic=False), "plane"),
    ],
)
def test_a_seed_makes_the_same_phase_map_everywhere(make, expected):
    pinned = {
        "laminate": "bd07972110a2",
        "spheres": "dec4109794e6",
        "ellipsoids": "52db6ccc77f3",
        "lack-of-fusion": "e604b7570260",
        "keyhole": "9b31e1a9259e",
        "pores": "020b5a0ccaea",
        "voronoi": "4a65167244da",
        "laguerre": "156fb744b02f",
        "plane": "36850ae90bb7",
    }
    digest = hashlib.sha256(make().phase.astype("<i4").tobytes()).hexdigest()[:12]
    assert digest == pinned[expected]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_laminate_layers_fill_their_thickness_across_the_axis(axis):
    body = laminate((10, 10, 10), [(0.2, SOFT), (0.5, STIFF), (0.3, SOFT)], "xyz"[axis])
    line = np.moveaxis(body.phase, axis, 0)
    assert (line == np.repeat([0, 1, 2], [2, 5, 3])[:, None, None]).all()
    same = laminate((10, 10, 10), [(2, SOFT), (5, STIFF), (3, SOFT)], "xyz"[axis])
    assert (same.phase == body.phase).all()


def test_sphere_is_symmetric_and_has_the_volume_of_a_ball():
    body = sphere(65, 0.4, SOFT, STIFF)
    for other in (
        body.phase[::-1],
        body.phase[:, ::-1],
        body.phase[:, :, ::-1],
        body.phase.transpose(2, 0, 1),
    ):
        assert (body.phase == other).all()
    assert body.fractions[1] == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.01)
    disc = sphere((64, 64, 1), 0.3, SOFT, STIFF)
    assert disc.fractions[1] == pytest.approx(np.pi * 0.3**2, rel=0.01)


@pytest.mark.parametrize("aspect", [(1, 1, 1), (1, 1, 3), (1, 1, 0.4)])
def test_inclusions_meet_the_fraction_and_never_touch(aspect):
    res, radius, fraction = 40, 0.11, 0.12
    body = inclusions(res, fraction, radius, SOFT, STIFF, aspect, seed=2)
    volume = 4 / 3 * np.pi * (radius * res) ** 3 * np.prod(aspect)
    assert abs(body.counts[1] - fraction * res**3) <= volume
    # bodies that touched would count as one of twice the volume
    sizes = bodies(body.phase)
    assert len(sizes) >= round(fraction * res**3 / volume)
    assert sizes == pytest.approx(np.full(len(sizes), volume), rel=0.15)


def test_inclusions_with_a_range_of_radii_stay_in_it():
    body = inclusions(48, 0.2, (0.08, 0.14), SOFT, STIFF)
    radii = (bodies(body.phase) * 3 / (4 * np.pi)) ** (1 / 3) / 48
    assert 0.078 < radii.min() < 0.10
    assert 0.12 < radii.max() < 0.142


def test_empty_inclusions_are_pores():
    assert list(inclusions(24, 0.1, 0.15, SOFT, PORE).check().pores) == [1]


def test_jammed_packing_says_the_fraction_it_reached():
    with pytest.raises(InputError, match=r"jammed at fraction 0\.[12]\d* of 0\.7"):
        inclusions(24, 0.7, 0.15, SOFT, STIFF)


@pytest.mark.parametrize("kind", ["gas", "keyhole", "lack-of-fusion"])
@pytest.mark.parametrize("seed", range(3))
def test_single_pore_is_one_piece_of_the_wanted_volume_inside_the_box(kind, seed):
    body = single_pore(32, kind, fraction=0.03, seed=seed)
    assert abs(body.counts[1] - 0.03 * 32**3) <= 3
    assert label(body.phase)[1] == 1
    assert (bodies(body.phase) == body.counts[1]).all()
    assert list(body.check().pores) == [1]


def test_pore_kinds_are_round_deep_with_a_low_bulb_and_flat():
    def extents(kind):
        filled = np.argwhere(single_pore(40, kind, fraction=0.02, seed=1).phase)
        return np.ptp(filled, axis=0) + 1, filled[:, 2]

    gas, _ = extents("gas")
    assert gas.max() / gas.min() < 1.3
    keyhole, z = extents("keyhole")
    assert keyhole[2] > 1.5 * keyhole[:2].max()
    middle = (z.min() + z.max()) / 2
    assert (z < middle).sum() > 1.3 * (z > middle).sum()
    flat, _ = extents("lack-of-fusion")
    assert flat[2] < 0.7 * flat[:2].min()


def test_pore_radius_is_that_of_the_sphere_of_equal_volume():
    body = single_pore(40, "gas", radius=0.2)
    assert body.fractions[1] == pytest.approx(4 / 3 * np.pi * 0.2**3, abs=2 / 40**3)


def test_pores_are_as_many_as_asked_and_never_touch():
    body = pores(40, 0.06, 9, "mixed", seed=3)
    assert body.fractions[1] == pytest.approx(0.06, abs=20 / 40**3)
    # each whole pore of the tiled box shows between once and eight times
    assert len(np.unique(bodies(body.phase))) == 9


def test_laguerre_phase_is_the_nearest_of_all_images():
    shape, grains = (9, 12, 7), 5
    random = np.random.default_rng(0)
    seeds = (random.random((grains, 3)) * np.array(shape) * UNIT).astype(np.int64)
    weights = np.round(4 * UNIT**2 * random.random(grains))
    centres = (np.indices(shape).reshape(3, -1).T + 0.5) * UNIT
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 1, 3)
    for periodic in ((True,) * 3, (False,) * 3, (True, False, True)):
        shifts = images * np.array(shape) * UNIT * periodic
        gaps = centres[:, None, None] - (seeds + shifts)
        power = (gaps**2).sum(-1).min(axis=1) - weights
        phase = Laguerre(shape, seeds, periodic).phase(weights)
        assert (phase.ravel() == power.argmin(axis=1)).all()


def test_laguerre_sensitivity_is_the_derivative_of_the_volumes():
    shape, grains = (40, 40, 40), 6
    random = np.random.default_rng(1)
    seeds = (random.random((grains, 3)) * 40 * UNIT).astype(np.int64)
    # without images every pair of grains has one face
    diagram = Laguerre(shape, seeds, (False,) * 3)
    weights = np.zeros(grains)
    slope = diagram.sensitivity(diagram.phase(weights)).toarray()
    step = 20.0
    for g in range(grains):
        change = np.zeros(grains)
        change[g] = step * UNIT**2 / 2
        more, less = (
            diagram.volumes(diagram.phase(weights + sign * change)) for sign in (1, -1)
        )
        assert slope[g] == pytest.approx((more - less) / step, abs=0.06 * slope.max())


@pytest.mark.parametrize("periodic", [(True,) * 3, (True, False, False)], ids=str)
def test_laguerre_fit_gives_prescribed_volumes_to_one_percent(periodic):
    random = np.random.default_rng(4)
    seeds = (random.random((30, 3)) * 32 * UNIT).astype(np.int64)
    target = np.exp(0.6 * random.standard_normal(30))
    target /= target.sum()
    diagram = Laguerre((32, 32, 32), seeds, periodic)
    volumes = diagram.volumes(diagram.phase(diagram.fit(target, np.zeros(30))))
    assert volumes / 32**3 == pytest.approx(target, rel=0.01, abs=2 / 32**3)


def test_polycrystal_without_spread_of_sizes_has_equal_grains():
    body = polycrystal(32, 20, sizes=(0.0, 0.0))
    assert body.fractions == pytest.approx(np.full(20, 1 / 20), rel=0.01)


def test_polycrystal_diameters_are_lognormal_with_the_given_spread():
    body = polycrystal(40, 150, sizes=(0.0, 0.2))
    logs = np.log(body.fractions) / 3
    # standard error of a standard deviation of 150 numbers: 6 %
    assert logs.std() == pytest.approx(0.2, rel=0.15)


def test_polycrystal_of_absolute_sizes_fills_the_box():
    # the mean volume is pi/6 exp(3 mu + 9 sigma^2 / 2): 19.4 grains in the unit cube
    counts = [
        len(polycrystal(16, None, seed, sizes=(-0.788, 0.0998)).phases)
        for seed in range(8)
    ]
    assert 17 < np.mean(counts) < 22
    # in the plane pi/4 exp(2 mu + 2 sigma^2) of the unit square: 15.6
    plane = polycrystal((64, 64, 1), None, 0, sizes=(-1.25, 0.0))
    assert len(plane.phases) == round(np.exp(2.5) * 4 / np.pi)


def test_polycrystal_is_periodic_only_where_asked():
    shared = []
    for periodic in (True, False):
        phase = polycrystal(32, 20, periodic=periodic).phase
        shared.append((phase[0] == phase[-1]).mean())
    assert shared[0] > 0.8
    assert shared[1] < 0.2


def test_polycrystal_geometry_does_not_depend_on_the_resolution():
    for sizes in (None, (0.0, 0.1)):
        fine, coarse = (polycrystal(res, 10, seed=5, sizes=sizes) for res in (48, 24))
        same = resample(fine, coarse.grid.shape).phase == coarse.phase
        assert same.mean() > 0.95
        assert (fine.orientation == coarse.orientation).all()


def test_grain_stiffness_is_the_rotated_crystal_stiffness():
    crystal = cubic(C11=170.0, C12=122.5, C44=75.8)
    body = polycrystal(8, 4, stiffness=crystal)
    assert body.orientation is not None
    R = matrix_from_quaternion(body.orientation)
    assert body.stiffness == pytest.approx(rotate_stiffness(crystal, R), abs=1e-10)
    # a cubic crystal answers pressure alike in every orientation
    assert body.stiffness @ IDENTITY == pytest.approx(
        np.tile((170.0 + 2 * 122.5) * IDENTITY, (4, 1)), abs=1e-10
    )


def test_random_orientations_are_unit_and_uniform():
    quaternion = orientations(20000, np.random.default_rng(0))
    assert np.linalg.norm(quaternion, axis=1) == pytest.approx(1, abs=1e-14)
    assert (quaternion[:, 0] >= 0).all()
    R = matrix_from_quaternion(quaternion)
    assert R.mean(axis=0) == pytest.approx(np.zeros((3, 3)), abs=0.02)
    # <R_ij^2> = 1/3 and <R_ij^4> = 1/5 over all rotations
    assert (R**2).mean(axis=0) == pytest.approx(np.full((3, 3), 1 / 3), abs=0.01)
    assert (R**4).mean(axis=0) == pytest.approx(np.full((3, 3), 1 / 5), abs=0.01)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("direction", [(1, 1, 1), (0, 0, 1), (0, 0, -1), (-2, 0, 0)])
def test_fibre_gathers_the_direction_around_the_axis(axis, direction):
    along = np.eye(3)["xyz".index(axis)]
    unit = np.array(direction) / np.linalg.norm(direction)
    random = np.random.default_rng(0)
    R = matrix_from_quaternion(orientations(200, random, Fibre(axis, 0.0, direction)))
    assert R @ unit == pytest.approx(np.tile(along, (200, 1)), abs=1e-12)
    R = matrix_from_quaternion(orientations(20000, random, Fibre(axis, 5.0, direction)))
    tilted = R @ unit
    # of von Mises-Fisher: <cos> = coth(k) - 1/k, and no preferred side
    k = 1 / np.radians(5.0) ** 2
    mean = (1 / np.tanh(k) - 1 / k) * along
    assert tilted.mean(axis=0) == pytest.approx(mean, abs=0.003)
    # about the axis the turn is uniform
    across = R @ np.linalg.svd(unit[None])[2][1]
    assert across.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.02)


def test_peak_without_spread_is_its_orientation():
    euler = (312.7, 87.8, 346.9)
    drawn = orientations(50, np.random.default_rng(0), Peak(euler, 0.0))
    mean = quaternion_from_bunge(euler, degrees=True)
    assert drawn == pytest.approx(np.tile(mean, (50, 1)), abs=1e-15)


@pytest.mark.parametrize("spread", [2.0, 20.0, 60.0, 180.0])
def test_peak_is_a_von_mises_fisher_distribution_of_rotations(spread):
    euler, count = (20.0, 70.0, 110.0), 20000
    random = np.random.default_rng(1)
    R = matrix_from_quaternion(orientations(count, random, Peak(euler, spread)))
    M = matrix_from_quaternion(quaternion_from_bunge(euler, degrees=True))
    k = 1 / np.radians(spread) ** 2

    def density(w):
        # (1 - cos w) is the density of the angle of uniform rotations
        return 2 * np.sin(w / 2) ** 2 * np.exp(-2 * k * np.sin(w / 2) ** 2)

    def moment(f):
        end = min(np.pi, 12 * np.radians(spread))
        return quad(lambda w: f(w) * density(w), 0, end)[0] / quad(density, 0, end)[0]

    cosine = (np.trace(M.T @ R, axis1=-2, axis2=-1) - 1) / 2
    angle = np.arccos(np.clip(cosine, -1, 1))
    for f in (np.cos, lambda w: w, lambda w: w**2, lambda w: np.cos(2 * w)):
        deviation = np.sqrt(moment(lambda w, f=f: f(w) ** 2) - moment(f) ** 2)
        # four standard errors
        tolerance = 4 * deviation / np.sqrt(count)
        assert f(angle).mean() == pytest.approx(moment(f), abs=tolerance)
    # no preferred axis: <R> = <1 + 2 cos w> / 3 M
    mean = (1 + 2 * moment(np.cos)) / 3 * M
    error = 4 * R.std(axis=0).max() / np.sqrt(count)
    assert R.mean(axis=0) == pytest.approx(mean, abs=error)


def test_peak_of_small_spread_is_normal_about_each_axis():
    random = np.random.default_rng(2)
    quaternion = orientations(20000, random, Peak((0.0, 0.0, 0.0), 1.0))
    # the rotation vector is twice the vector part; a standard error is 0.5 %
    turns = np.degrees(2 * quaternion[:, 1:])
    assert turns.std(axis=0) == pytest.approx(np.ones(3), rel=0.02)
    assert np.sqrt((turns**2).sum(axis=1).mean()) == pytest.approx(3**0.5, rel=0.02)
    # <x^4> = 3 <x^2>^2 of a normal number
    assert (turns**4).mean(axis=0) == pytest.approx(np.full(3, 3.0), rel=0.1)


def test_texture_of_parameters_is_a_fibre_or_a_peak_or_none():
    assert texture_of() is None
    assert texture_of(fibre="x") == Fibre("x")
    assert texture_of("y", (1, 1, 1), spread=3) == Fibre("y", 3, (1, 1, 1))
    assert texture_of(peak=(1, 2, 3)) == Peak((1, 2, 3))
    assert texture_of(peak=(1, 2, 3), spread=0) == Peak((1, 2, 3), 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: laminate(8, []), "at least one"),
        (lambda: laminate(8, [(0.5, SOFT)]), "sum to 1"),
        (lambda: laminate(8, [(3, SOFT), (4, STIFF)]), "sum to 8"),
        (lambda: laminate(8, [(-0.5, SOFT), (1.5, STIFF)]), "positive"),
        (lambda: laminate(8, [(0.01, SOFT), (0.99, STIFF)]), "no voxel"),
        (lambda: laminate(8, [(1.0, SOFT)], "w"), "x, y or z"),
        (lambda: sphere(8, 0.6, SOFT, STIFF), "at most 0.5"),
        (lambda: sphere(8, 0.0, SOFT, STIFF), "above 0"),
        (lambda: inclusions(8, 0.0, 0.1, SOFT, STIFF), "between 0 and 1"),
        (lambda: inclusions(8, 1.0, 0.1, SOFT, STIFF), "between 0 and 1"),
        (lambda: inclusions(8, 0.1, 0.01, SOFT, STIFF), "raise --res"),
        (lambda: inclusions(8, 0.1, 0.6, SOFT, STIFF), "lower the radius"),
        (lambda: inclusions(16, 0.01, 0.4, SOFT, STIFF), "half an inclusion"),
        (lambda: inclusions(8, 0.1, (0.3, 0.2), SOFT, STIFF), "low to high"),
        (lambda: single_pore(16, "crack", 0.1), "lack-of-fusion"),
        (lambda: single_pore(16, "gas"), "fraction or a radius"),
        (lambda: single_pore(16, "gas", 0.1, 0.1), "fraction or a radius"),
        (lambda: single_pore(16, "gas", 1.5), "between 0 and 1"),
        (lambda: single_pore(16, "gas", 0.9), "does not fit"),
        (lambda: single_pore(16, "gas", 0.001), "at least 8"),
        (lambda: pores(16, 0.1, 0), "at least 1"),
        (lambda: pores(16, 0.55, 6), "jammed"),
        (lambda: polycrystal(8, 0), "at least 1"),
        (lambda: polycrystal(8, None), "at least 1"),
        (lambda: polycrystal(8, 33), "one grain in 16 voxels"),
        (lambda: polycrystal(8, 20, sizes=(0, 0.5)), "raise --res"),
        (lambda: polycrystal(8, 4, sizes=(0, -1)), "sigma >= 0"),
        (lambda: polycrystal(8, None, sizes=(-9, 0.1)), "raise --res or mu"),
        (lambda: polycrystal(8, None, sizes=(9, 0.1)), "lower mu"),
        (lambda: Fibre("w"), "x, y or z"),
        (lambda: Fibre("x", -1.0), "0 to 180"),
        (lambda: Fibre("x", 1.0, (0, 0, 0)), "not all 0"),
        (lambda: Peak((0.0, 0.0, np.inf)), "three finite"),
        (lambda: Peak((0.0, 0.0)), "three finite"),
        (lambda: Peak((0.0, 0.0, 0.0), 200.0), "0 to 180"),
        (lambda: texture_of("x", None, (0, 0, 0)), "one of them"),
        (lambda: texture_of(None, (0, 0, 1), (0, 0, 0)), "add --fibre"),
        (lambda: texture_of(spread=5.0), "add --fibre"),
        (lambda: polycrystal(0, 4), "at least 1"),
        (lambda: polycrystal((8, 8), 4), "three"),
        (lambda: polycrystal(8.5, 4), "whole"),
    ],
)
def test_bad_input_is_refused_in_one_line_that_says_the_remedy(make, message):
    with pytest.raises(InputError, match=message) as refusal:
        make()
    assert "\n" not in str(refusal.value)


def test_resolution_beyond_the_memory_is_refused_before_it_is_taken(monkeypatch):
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: SimpleNamespace(available=2**20)
    )
    with pytest.raises(InputError, match="64 x 64 x 64 needs about .* GiB"):
        polycrystal(64, 24)
    assert len(polycrystal(8, 4).phases) == 4
