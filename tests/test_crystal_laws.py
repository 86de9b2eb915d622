"""Crystals that slip: crystal_plasticity, and crystal_creep without elasticity."""

import itertools

import numpy as np
import pytest
from laminate_reference import LaminateReference

from fftmech import Grid, InputError, Load, March, Microstructure, Path, Step
from fftmech.kernels import law_crystal
from fftmech.materials import cubic, hexagonal
from fftmech.materials.base import StrainStep
from fftmech.materials.check import check_laws
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.slip import schmid_tensors
from fftmech.tensors import (
    COMPONENTS,
    J,
    K,
    mandel_from_components,
    mandel_from_matrix,
    mandel_rotation,
    matrix_from_quaternion,
    rotate_stiffness,
)

COPPER = cubic(170.0, 124.0, 75.0)
VOCE = {"tau1": 0.01, "theta0": 0.2, "theta1": 0.05}
SLIP = {"tau0": 0.02, "rate0": 1e-3}
LAWS = {
    "plasticity": [
        CrystalPlasticity(**SLIP, exponent=10, **VOCE),
        CrystalPlasticity(tau0=0.015, rate0=2e-3, exponent=4.5, theta1=0.3),
        CrystalPlasticity(**SLIP, exponent=20),
    ],
    "creep": [
        CrystalCreep(**SLIP, exponent=10, bulk=900.0, **VOCE),
        CrystalCreep(tau0=0.015, rate0=2e-3, exponent=4.5, bulk=700.0, theta1=0.3),
        CrystalCreep(**SLIP, exponent=3, bulk=800.0),
    ],
}
FCC = [CrystalPlasticity(**SLIP, exponent=1)]
DT = 0.8
# number of active systems and their Schmid factor in uniaxial tension
TENSION = {
    (0, 0, 1): (8, 1 / 6**0.5),
    (0, 1, 1): (4, 1 / 6**0.5),
    (1, 1, 1): (6, 2 / (3 * 6**0.5)),
}
DIRECTIONS = pytest.mark.parametrize("direction", TENSION, ids=str)
both = pytest.mark.parametrize("name", LAWS)
ways = pytest.mark.parametrize("way", ["reference", "kernel"])


def rotations(count, seed=5):
    rng = np.random.default_rng(seed)
    return matrix_from_quaternion(rng.normal(size=(count, 4)))


CUBE_ROTATIONS = np.array(
    [
        np.eye(3)[list(p)] * signs
        for p in itertools.permutations(range(3))
        for signs in itertools.product((1.0, -1.0), repeat=3)
        if np.linalg.det(np.eye(3)[list(p)] * signs) > 0
    ]
)


def make(laws, rotation=None, crystal=COPPER):
    if rotation is None:
        rotation = rotations(len(laws))
    own = [crystal if law.stiffness is None else law.stiffness for law in laws]
    pairs = zip(own, rotation, strict=True)
    stiffness = np.array([rotate_stiffness(C, R) for C, R in pairs])
    return laws[0].material(laws, stiffness, rotation)


def strains(rng, size, points):
    """Random ones that change the volume little, lest pressures hide the rest."""
    return size * (K + 0.02 * J) @ rng.normal(size=(6, points))


def answer(way, material, *arguments):
    if way == "kernel":
        return law_crystal.respond(material, StrainStep(*arguments))
    return material.respond(StrainStep(*arguments))


def loaded(name, rng, points=30):
    """Arguments of `respond` at the end of a second step, where slip hardens."""
    material = make(LAWS[name])
    rows = np.arange(points) % len(LAWS[name])
    before = strains(rng, 3e-3, points)
    virgin = material.start(rows)
    state = material.respond(StrainStep(rows, before, 0 * before, virgin, DT)).state
    strain = before + strains(rng, 2e-3, points)
    assert state[-1].min() > 1e-4
    return material, rows, strain, before, state


def derivative(function, x, direction, h=1e-5):
    """Central differences, extrapolated twice."""
    step = np.linalg.norm(x, axis=0) / np.linalg.norm(direction, axis=0) * h
    table = []
    for i in range(3):
        d = step * direction / 2**i
        change = function(x + d) - function(x - d)
        table.append(change / (2 * step / 2**i))
    for i in (1, 2):
        table = [(4**i * b - a) / (4**i - 1) for a, b in itertools.pairwise(table)]
    return table[0]


def relative(actual, expected):
    scale = np.abs(expected).max()
    assert scale > 0
    return np.abs(actual - expected).max() / scale


@both
def test_what_holds_for_every_law(name):
    check_laws(LAWS[name], COPPER, dt=DT)


def test_there_are_twelve_systems_that_shear_by_one_half_and_keep_the_volume():
    (P,) = schmid_tensors(FCC, np.eye(3)[None])
    assert len(P) == 12
    np.testing.assert_allclose(P[:, :3].sum(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose((P**2).sum(axis=1), 0.5, rtol=1e-14)
    # those of one plane sum to zero, and span five dimensions together
    assert np.linalg.matrix_rank(P) == 5


@DIRECTIONS
def test_the_schmid_factors_of_tension_are_those_of_the_textbook(direction):
    d = np.array(direction) / np.linalg.norm(direction)
    tau = np.abs(
        schmid_tensors(FCC, np.eye(3)[None])[0] @ mandel_from_matrix(np.outer(d, d))
    )
    count, factor = TENSION[direction]
    assert np.sort(tau)[-count:] == pytest.approx(np.full(count, factor))
    assert np.sort(tau)[:-count] == pytest.approx(np.zeros(12 - count), abs=1e-15)


@DIRECTIONS
def test_a_single_crystal_creeps_in_tension_by_schmids_law(direction):
    # a uniaxial stress, in the sample's z, and the rate of which it is the stress
    law = CrystalCreep(**SLIP, exponent=20, bulk=1e4)
    rotation = _along_z(direction)
    material = make([law], rotation[None])
    count, factor = TENSION[direction]
    rate = 2e-3
    stress = law.tau0 / factor * (rate / (count * factor * law.rate0)) ** (1 / 20)
    P = material.schmid[0]
    tau = P[:, 2] * stress
    slip = law.rate0 * np.sign(tau) * np.abs(tau / law.tau0) ** 20
    strain = slip @ P + stress / (9 * law.bulk) * np.array([1, 1, 1, 0, 0, 0])
    assert strain[2] == pytest.approx(rate, rel=1e-3)
    rows, still = np.zeros(1, int), np.zeros((6, 1))
    response = material.respond(
        StrainStep(rows, DT * strain[:, None], still, material.start(rows), DT)
    )
    expected = np.array([0, 0, stress, 0, 0, 0])
    np.testing.assert_allclose(response.stress[:, 0], expected, atol=1e-10 * stress)
    assert response.state[0, 0] == pytest.approx(DT * rate / factor, rel=1e-3)


@DIRECTIONS
def test_a_single_crystal_yields_in_tension_by_schmids_law_and_hardens(direction):
    law = CrystalPlasticity(**SLIP, exponent=20, **VOCE)
    material = make([law], _along_z(direction)[None])
    body = LaminateReference([(1.0, material, 0)])
    count, factor = TENSION[direction]
    slip = 0.0
    for strain in np.arange(1, 9) * 2e-3:
        stress = body.step(Load.uniaxial("zz", strain), DT)
        before, slip = slip, body.state[0][6]
    assert np.abs(np.delete(stress, 2)).max() < 1e-9 * stress[2]
    # the axial strain of slip is that of each system by its factor
    plastic = strain - np.linalg.solve(material.stiffness[0], stress)[2]
    assert slip == pytest.approx(plastic / factor, rel=1e-9)
    g = 0.02 + (0.01 + 0.05 * slip) * (1 - np.exp(-slip * 20))
    rate = (slip - before) / DT / count
    expected = g / factor * (rate / law.rate0) ** (1 / 20)
    assert stress[2] == pytest.approx(expected, rel=1e-9)
    assert g > 1.2 * law.tau0


def _along_z(direction):
    """R that turns a crystal direction to the sample's z."""
    z = np.array(direction) / np.linalg.norm(direction)
    x = np.cross(z, [1.0, -1.0, 0.0])
    x /= np.linalg.norm(x)
    return np.array([x, np.cross(z, x), z])


@both
@ways
def test_the_tangent_is_the_derivative_of_the_stress_while_slip_hardens(name, way, rng):
    material, rows, strain, before, state = loaded(name, rng)
    direction = rng.normal(size=strain.shape)
    others = before, state, DT

    def stress(e):
        return answer(way, material, rows, e, *others).stress

    response = answer(way, material, rows, strain, *others, np.float64)
    tangent = response.tangent.apply(direction)
    elastic = np.einsum("nij,jn->in", material.stiffness[rows], direction)
    assert relative(tangent, elastic) > 0.1
    change = derivative(stress, strain, direction, 2e-4)
    error = np.linalg.norm(tangent - change, axis=0)
    assert (error / np.linalg.norm(change, axis=0)).max() < 1e-7


@both
def test_kernels_agree_with_the_reference_code(name, rng):
    material, rows, strain, before, state = loaded(name, rng, 53)
    direction = rng.normal(size=strain.shape)
    others = strain, before, state, DT, np.float64
    reference = material.respond(StrainStep(rows, *others))
    for threads in (1, 2):
        fast = law_crystal.respond(material, StrainStep(rows, *others), threads=threads)
        assert relative(fast.stress, reference.stress) < 1e-12
        assert relative(fast.state, reference.state) < 1e-12
        expected = reference.tangent.apply(direction)
        assert relative(fast.tangent.apply(direction), expected) < 1e-9
    # a part of the points, in place
    part = np.ascontiguousarray(direction[:, 20:41])
    fast.tangent.apply_part(part, 20, part)
    assert relative(part, expected[:, 20:41]) < 1e-9


@both
@ways
def test_a_stress_that_was_foreseen_leaves_the_tangent(name, way, rng):
    material, *arguments = loaded(name, rng)
    direction = rng.normal(size=(6, 30))
    plain = answer(way, material, *arguments, DT, np.float64)
    told = answer(way, material, *arguments, DT, np.float64, plain.stress)
    # it is where the kernel begins
    assert relative(told.stress, plain.stress) < 1e-12
    expected = plain.tangent.apply(direction)
    assert relative(told.tangent.apply(direction), expected) < 1e-9


@ways
@pytest.mark.parametrize("foreseen", [0.0, -1.0])
def test_the_tangent_is_the_secant_where_the_opposite_was_foreseen(way, foreseen, rng):
    material, rows, strain, before, state = loaded("creep", rng)
    others = strain, before, state, DT, np.float64
    stress = answer(way, material, rows, *others).stress
    told = answer(way, material, rows, *others, foreseen * stress)
    assert relative(told.stress, stress) == 0
    assert relative(told.tangent.apply(strain - before), stress) < 1e-9


@both
def test_kernels_agree_with_the_reference_code_on_what_was_foreseen(name, rng):
    material, rows, strain, before, state = loaded(name, rng, 53)
    direction = rng.normal(size=strain.shape)
    others = rows, strain, before, state, DT, np.float64
    plain = answer("reference", material, *others)
    foreseen = plain.stress * rng.uniform(-0.5, 1.5, size=53)
    reference, fast = (
        answer(way, material, *others, foreseen).tangent.apply(direction)
        for way in ("reference", "kernel")
    )
    assert relative(reference, plain.tangent.apply(direction)) > 0.1
    assert relative(fast, reference) < 1e-9


@both
@ways
def test_a_tangent_in_single_precision_agrees(name, way, rng):
    material, *arguments = loaded(name, rng)
    direction = rng.normal(size=(6, 30))
    double, single = (
        answer(way, material, *arguments, DT, precision).tangent.apply(
            direction.astype(precision)
        )
        for precision in (np.float64, np.float32)
    )
    assert single.dtype == np.float32
    assert relative(single, double) < 1e-5


@both
@ways
def test_phases_in_one_call_answer_as_in_separate_ones(name, way, rng):
    material, rows, strain, before, state = loaded(name, rng)
    whole = answer(way, material, rows, strain, before, state, DT)
    for row in range(3):
        own = rows == row
        arrays = strain[:, own], before[:, own], state[:, own]
        part = answer(way, material, rows[own], *arrays, DT)
        assert relative(part.stress, whole.stress[:, own]) < 1e-12
        assert relative(part.state, whole.state[:, own]) < 1e-12


@both
@ways
def test_nothing_is_changed_in_place(name, way, rng):
    material, *arguments = loaded(name, rng)
    copies = [np.copy(a) for a in arguments]
    answer(way, material, *arguments, DT, np.float64)
    for array, copy in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@both
@ways
def test_a_point_without_an_answer_is_nan_and_the_others_are_not(name, way, rng):
    material, rows, strain, before, state = loaded(name, rng)
    expected = answer(way, material, rows, strain, before, state, DT).stress
    strain[:, 4] = np.nan
    response = answer(way, material, rows, strain, before, state, DT, np.float64)
    assert (
        np.isnan(response.stress[:, 4]).all() and np.isnan(response.state[:, 4]).all()
    )
    others = np.arange(30) != 4
    np.testing.assert_allclose(response.stress[:, others], expected[:, others])


@both
@ways
def test_a_turned_body_answers_a_turned_strain_with_the_turned_stress(name, way, rng):
    laws = LAWS[name]
    frames, (turn,) = rotations(3), rotations(1, 9)
    Q = mandel_rotation(turn)
    rows = np.arange(30) % 3
    strain = strains(rng, 4e-3, 30)
    bodies = (make(laws, frames), strain), (make(laws, turn @ frames), Q @ strain)
    straight, turned = (
        answer(way, m, rows, e, 0 * e, m.start(rows), DT) for m, e in bodies
    )
    assert relative(turned.stress, Q @ straight.stress) < 1e-12
    assert relative(straight.stress, turned.stress) > 0.1


@both
def test_a_rotation_of_the_cube_changes_nothing(name, rng):
    law = LAWS[name][0]
    assert len(CUBE_ROTATIONS) == 24
    (R,) = rotations(1)
    material = make([law] * 24, R @ CUBE_ROTATIONS)
    strain = strains(rng, 4e-3, 1).repeat(24, axis=1)
    rows = np.arange(24)
    response = material.respond(
        StrainStep(rows, strain, 0 * strain, material.start(rows), DT)
    )
    for field in (response.stress, response.state):
        np.testing.assert_allclose(field, field[:, :1].repeat(24, 1), rtol=1e-9)


@pytest.mark.parametrize("exponent", [20, 50])
@pytest.mark.parametrize("crystal", [COPPER, hexagonal(60, 50, 90, 400, 10)], ids=len)
@ways
def test_large_first_steps_of_steep_laws_converge(way, exponent, crystal, rng):
    law = CrystalPlasticity(**SLIP, exponent=exponent, tau1=0.1, theta0=2.0)
    material = make([law] * 400, rotations(400), crystal)
    rows, still = np.arange(400), np.zeros((6, 400))
    direction = rng.normal(size=(6, 400))
    direction /= np.linalg.norm(direction, axis=0)
    for size in (1e-3, 5e-3):
        strain = size * direction
        response = answer(way, material, rows, strain, still, material.start(rows), 1.0)
        stress, state = response.stress, response.state
        assert np.isfinite(stress).all()
        # what was asked for: s = C (e - e_p), and backward Euler
        elastic = np.einsum("nij,jn->in", material.stiffness, strain - state[:6])
        assert relative(stress, elastic) < 1e-10
        g = 0.02 + 0.1 * (1 - np.exp(-20 * state[6]))
        tau = np.einsum("nai,in->na", material.schmid, stress)
        slip = 1e-3 * np.sign(tau) * np.abs(tau / g[:, None]) ** exponent
        assert relative(state[6], np.abs(slip).sum(axis=1)) < 1e-7
        flow = np.einsum("na,nai->in", slip, material.schmid)
        assert relative(state[:6], flow) < 1e-7


def test_the_stress_of_small_steps_converges_in_the_first_order():
    law = CrystalPlasticity(**SLIP, exponent=10, **VOCE)
    material = make([law], rotations(1))
    end = np.array([[2.0], [-1.5], [0.3], [1.0], [-0.5], [0.8]]) * 4e-3
    rows = np.zeros(1, int)

    def stress(steps):
        state, before = material.start(rows), 0 * end
        for i in range(steps):
            strain = end * (i + 1) / steps
            response = answer(
                "kernel", material, rows, strain, before, state, 4 / steps
            )
            before, state = strain, response.state
        return response.stress

    errors = [relative(stress(n), stress(2048)) for n in (16, 32, 64)]
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(slopes, 1.0, atol=0.1)


def test_a_linear_crystal_relaxes_as_its_closed_form(rng):
    # exponent 1: s = (C^-1 + dt A)^-1 (e - e_p) with A = rate0 / tau0 sum P P
    law = CrystalPlasticity(tau0=2.0, rate0=0.1, exponent=1)
    material = make([law])
    P, C = material.schmid[0], material.stiffness[0]
    A = 0.05 * P.T @ P
    strain, plastic = rng.normal(size=6) * 1e-3, np.zeros(6)
    rows, state = np.zeros(1, int), material.start(np.zeros(1, int))
    for _ in range(3):
        expected = np.linalg.solve(np.linalg.inv(C) + DT * A, strain - plastic)
        plastic = plastic + DT * A @ expected
        response = material.respond(
            StrainStep(rows, strain[:, None], 0 * state[:6], state, DT)
        )
        state = response.state
        np.testing.assert_allclose(response.stress[:, 0], expected, rtol=1e-11)
        np.testing.assert_allclose(state[:6, 0], plastic, rtol=1e-11)
    assert np.linalg.norm(plastic) > 0.1 * np.linalg.norm(strain)


def test_a_linear_viscous_crystal_has_two_viscosities_and_the_stiffness_their_mean():
    law = CrystalCreep(tau0=2.0, rate0=0.1, exponent=1, bulk=70.0)
    material = make([law], np.eye(3)[None])
    rows, still = np.zeros(6, int), np.zeros((6, 6))
    response = material.respond(
        StrainStep(rows, np.eye(6) * DT, still, material.start(rows), DT)
    )
    # of stretches along the edges, and of shears of the faces
    viscosity = 3 * 70.0 * J + 20.0 * np.diag([0.5] * 3 + [1.5] * 3) @ K
    np.testing.assert_allclose(response.stress, viscosity, atol=1e-11)
    shear = np.trace(K @ viscosity) / 5
    np.testing.assert_allclose(law.stiffness, 3 * 70.0 * J + shear * K, atol=1e-12)


def test_the_stress_scales_with_the_rate_to_the_power_of_its_sensitivity(rng):
    law = CrystalCreep(**SLIP, exponent=8, bulk=900.0, linear_below=1e-10)
    material = make([law] * 20, rotations(20))
    rows = np.arange(20)
    rate = K @ rng.normal(size=(6, 20)) * 1e-3
    slow, fast = (
        material.respond(
            StrainStep(rows, DT * r, 0 * r, material.start(rows), DT)
        ).stress
        for r in (rate, 7 * rate)
    )
    assert relative(fast, 7 ** (1 / 8) * slow) < 1e-8


@pytest.mark.parametrize("below", [1e-4, 0.3])
def test_potentials_of_creep_obey_youngs_inequality_with_equality_at_the_stress(
    below, rng
):
    laws = [
        CrystalCreep(**SLIP, exponent=n, bulk=40.0, linear_below=below, **VOCE)
        for n in (1, 5, 20)
    ]
    material = make(laws)
    rows = np.arange(300) % 3
    rate = 2e-3 * rng.normal(size=(6, 300))
    state = 0.05 * rng.random(size=(1, 300))
    stress = material.respond(StrainStep(rows, DT * rate, 0 * rate, state, DT)).stress
    w = material.energy(rows, rate, state)
    work = (stress * rate).sum(axis=0)
    gap = w + material.conjugate_energy(rows, stress, state) - work
    assert np.abs(gap / work).max() < 1e-10
    other = stress * rng.uniform(0.6, 1.2, 300) + 0.01 * rng.normal(size=(6, 300))
    gap = material.gap(rows, rate, other, state)
    assert gap.min() > 0
    # resistance grows with slip, and the virgin crystal is the default
    assert (w > material.energy(rows, rate)).all()
    np.testing.assert_array_equal(
        material.energy(rows, rate), material.energy(rows, rate, 0 * state)
    )


def test_the_stress_of_creep_is_the_derivative_of_its_potential(rng):
    material, rows, strain, before, state = loaded("creep", rng)
    rate, direction = (strain - before) / DT, rng.normal(size=strain.shape)
    stress = material.respond(StrainStep(rows, strain, before, state, DT)).stress

    def energy(e):
        return material.energy(rows, e, state)

    change = derivative(energy, rate, direction, 1e-3)
    expected = (stress * direction).sum(axis=0)
    scale = np.linalg.norm(stress, axis=0) * np.linalg.norm(direction, axis=0)
    assert (np.abs(change - expected) / scale).max() < 1e-8

    def conjugate(s):
        return material.conjugate_energy(rows, s, state)

    change = derivative(conjugate, stress, direction, 1e-5)
    expected = (rate * direction).sum(axis=0)
    scale = np.linalg.norm(rate, axis=0) * np.linalg.norm(direction, axis=0)
    assert (np.abs(change - expected) / scale).max() < 1e-8


def test_a_crystal_at_rest_has_a_finite_viscosity():
    material = make(LAWS["creep"])
    rows, still = np.arange(3), np.zeros((6, 3))
    for way in ("reference", "kernel"):
        response = answer(
            way, material, rows, still, still, material.start(rows), DT, np.float64
        )
        np.testing.assert_array_equal(response.stress, 0.0)
        stress = response.tangent.apply(np.eye(6)[:, 1:4])
        assert np.isfinite(stress).all() and np.abs(stress).max() > 1


@pytest.mark.slow
def test_taylors_factor_of_random_fcc_textures_is_the_published_one():
    """3.067, and Sachs' 2.238: Kocks, Tome & Wenk, Texture and Anisotropy (1998).

    4000 orientations leave about 0.006 to chance, n = 100 another 0.01.
    """
    count, exponent = 4000, 100
    law = CrystalCreep(**SLIP, exponent=exponent, bulk=1e4, linear_below=1e-10)
    frames = rotations(count)
    material = make([law] * count, frames)
    rows, still = np.arange(count), np.zeros((6, count))
    rate = np.zeros((6, count))
    rate[:3] = np.array([[-0.5], [-0.5], [1.0]]) * law.rate0
    response = law_crystal.respond(
        material, StrainStep(rows, rate, still, material.start(rows), 1.0)
    )
    assert response.state[0].mean() / law.rate0 == pytest.approx(3.067, abs=0.02)
    mean = response.stress.mean(axis=1)
    assert (mean[2] - mean[0]) / law.tau0 == pytest.approx(3.067, abs=0.04)
    sachs = 1 / np.abs(material.schmid[:, :, 2]).max(axis=1)
    assert sachs.mean() == pytest.approx(2.238, abs=0.01)


@pytest.fixture(scope="module")
def polycrystal():
    """A viscoplastic polycrystal, its load, and the increment that solves it."""
    grid = Grid((6, 6, 6))
    rng = np.random.default_rng(8)
    phase = np.arange(216).reshape(6, 6, 6) // 9
    quaternion = rng.normal(size=(24, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    law = CrystalCreep(**SLIP, exponent=10, bulk=50.0)
    body = Microstructure(
        grid, phase, orientation=quaternion, law=dict.fromkeys(range(24), law)
    )
    rate = {"xx": -0.5e-3, "yy": -0.5e-3, "zz": 1e-3}
    march = March(body, Path((Step(Load(strain=rate), time=1.0),)), tolerance=1e-8)
    (point,) = march.points()
    assert point.status == "converged"
    mean = mandel_from_components([rate.get(name, 0.0) for name in COMPONENTS])
    return march.problem, mean


def test_a_random_polycrystal_lies_between_the_bounds_of_sachs_and_taylor(polycrystal):
    problem, E = polycrystal
    (material,) = problem.material.materials
    rows = problem.microstructure.phase.ravel()
    stress = problem.last.stress[0].reshape(6, -1)
    strain = problem.last.strain[0].reshape(6, -1)
    w = material.energy(rows, strain).mean()
    taylor = material.energy(rows, E[:, None].repeat(216, 1)).mean()
    S = stress.mean(axis=1)
    sachs = S @ E - material.conjugate_energy(rows, S[:, None].repeat(216, 1)).mean()
    assert 0 < 1.05 * sachs < w < 0.98 * taylor
    assert material.gap(rows, strain, stress).mean() < 1e-9 * w


@pytest.mark.parametrize(
    "law, change, words",
    [
        (CrystalPlasticity, {"tau0": 0.0}, "tau0"),
        (CrystalPlasticity, {"exponent": 0.5}, "exponent"),
        (CrystalPlasticity, {"theta1": -1.0}, "theta1"),
        (CrystalPlasticity, {"tau1": 1.0}, "theta0"),
        (CrystalCreep, {"bulk": -1.0}, "bulk"),
        (CrystalCreep, {"bulk": 1.0, "linear_below": 0.0}, "linear_below"),
        (CrystalCreep, {}, "bulk missing"),
    ],
)
def test_constants_out_of_range_are_refused_in_one_line(law, change, words):
    entry = {**SLIP, "exponent": 5, **change}
    with pytest.raises(InputError, match=words) as error:
        law.parse(entry, "m.toml")
    assert "\n" not in str(error.value)


def test_a_law_is_what_its_constants_make_it():
    for laws in LAWS.values():
        for law in laws:
            assert type(law).parse(law.constants(), "m.toml") == law


def test_a_pore_cannot_obey_crystal_plasticity():
    with pytest.raises(InputError, match="pore"):
        make(LAWS["plasticity"], crystal=np.zeros((6, 6)))
