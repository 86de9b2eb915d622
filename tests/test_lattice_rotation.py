"""Crystals that turn with slip, against an ODE, closed forms and themselves."""

import json

import numpy as np
import pytest
from command_lines import run_fftmech
from scipy.integrate import solve_ivp
from scipy.optimize import root

from fftmech import Grid, InputError, Load, March, Microstructure, Path, Step, io
from fftmech.materials import cubic, hexagonal, isotropic
from fftmech.materials.base import StrainStep
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.plasticity import Plasticity
from fftmech.materials.slip import SlipFamily
from fftmech.materials.slip_systems import slip_systems
from fftmech.microstructure import polycrystal
from fftmech.simulations.increment_part import PartSolver
from fftmech.simulations.lattice_rotation import largest_turn, turned_body
from fftmech.simulations.march_checkpoint import (
    identity,
    read_checkpoint,
    write_checkpoint,
)
from fftmech.tensors import (
    components_from_mandel,
    mandel_from_matrix,
    matrix_from_mandel,
    matrix_from_quaternion,
    quaternion_from_bunge,
    rotate_stiffness,
)

COPPER = cubic(168.4, 121.4, 75.4)
TITANIUM = hexagonal(162.4, 92.0, 69.0, 180.7, 46.7)
TILTED = (20.0, 35.0, 10.0)
STRAIN = {"xx": 0.2, "yy": -0.1, "zz": -0.1, "xy": 0.1}
HCP = {
    "lattice": "hcp",
    "c_over_a": 1.587,
    "families": (SlipFamily(name="basal"), SlipFamily(name="pyramidal_ca", tau0=0.05)),
}
CREEP = CrystalCreep(tau0=0.02, rate0=1.0, exponent=3, bulk=50.0)
PLASTIC = CrystalPlasticity(tau0=0.02, rate0=1.0, exponent=3)


def quaternion(*euler):
    return quaternion_from_bunge(np.array([euler]), degrees=True)


def crystal(law, euler=TILTED, stiffness=COPPER, shape=(1, 1, 1)):
    q = quaternion(*euler)
    C = rotate_stiffness(stiffness[None], matrix_from_quaternion(q))
    phase = np.zeros(shape, int)
    return Microstructure(Grid(shape), phase, C, q, law={0: law})


def marched(body, path, **more):
    march = March(body, path, rotate_crystals=True, tolerance=1e-9, **more)
    points = list(march.points())
    assert [point.status for point in points] == ["converged"] * path.increments
    return march


def along(strain, increments):
    return Path.of([Load(strain)], increments)


def dyads(law):
    """b m^T of all systems in the crystal frame, (N, 3, 3)."""
    pairs = [slip_systems(f.name, law.c_over_a or 1.0) for f in law.slip_families]
    return np.concatenate([b[:, :, None] * m[:, None, :] for m, b in pairs])


def orientation_after(law, euler, strain):
    """R after a strain at a constant rate in unit time, by the ODE of a lattice.

    Rates are a power of resolved stresses, which are found anew at every time.
    """
    R0 = matrix_from_quaternion(quaternion(*euler)[0])
    rate = matrix_from_mandel(Load(strain).mean_strain)
    bm = dyads(law)
    tau0 = np.array([f.tau0 for f in law.slip_families])[law.family]
    guess = np.zeros(6)

    def slip(stress, turned):
        x = np.einsum("aij,ij->a", turned, matrix_from_mandel(stress)) / tau0
        least = law.linear_below ** (1 / law.exponent)
        return law.rate0 * np.maximum(abs(x), least) ** (law.exponent - 1) * x

    def derivative(_, y):
        R = y.reshape(3, 3)
        turned = R @ bm @ R.T

        def missing(stress):
            flow = np.einsum("a,aij->ij", slip(stress, turned), turned)
            volume = np.trace(matrix_from_mandel(stress)) / (9 * law.bulk)
            return mandel_from_matrix((flow + flow.T) / 2 + volume * np.eye(3) - rate)

        found = root(missing, guess, tol=1e-12)
        assert abs(found.fun).max() < 1e-10
        guess[:] = found.x
        flow = np.einsum("a,aij->ij", slip(found.x, turned), turned)
        # the macroscopic spin is zero
        return (-(flow - flow.T) / 2 @ R).ravel()

    guess[:] = 0.05 * Load(strain).mean_strain
    solved = solve_ivp(derivative, (0, 1), R0.ravel(), rtol=1e-8, atol=1e-9)
    return solved.y[:, -1].reshape(3, 3)


def angle(a, b):
    """Degrees between rotation matrices."""
    skew = (a.T @ b - b.T @ a) / 2
    return float(np.degrees(np.arcsin(np.linalg.norm(skew) / 2**0.5)))


@pytest.mark.parametrize(
    ("law", "stiffness"),
    [
        (CREEP, COPPER),
        pytest.param(
            CrystalCreep(tau0=0.02, rate0=1.0, exponent=3, bulk=50.0, **HCP),
            TITANIUM,
            marks=pytest.mark.slow,
        ),
    ],
    ids=["fcc", "hcp"],
)
def test_crystal_turns_as_its_differential_equation_says(law, stiffness):
    expected = orientation_after(law, TILTED, STRAIN)
    first = matrix_from_quaternion(quaternion(*TILTED)[0])
    turn, errors = angle(first, expected), []
    assert turn > 2
    for increments in (4, 8, 16):
        march = marched(crystal(law, stiffness=stiffness), along(STRAIN, increments))
        R = matrix_from_quaternion(march.state.orientation[0])
        errors.append(angle(expected, R))
        assert march.largest_turn == pytest.approx(angle(first, R), rel=1e-6)
    assert errors[-1] < 0.02 * turn
    # of first order
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert 1.8 < coarse / fine < 2.2


def test_elastic_crystal_turns_towards_that_without_elasticity():
    # at 30 % elastic strains of 1e-4 count for nothing
    expected = orientation_after(CREEP, TILTED, STRAIN)
    first = matrix_from_quaternion(quaternion(*TILTED)[0])
    march = marched(crystal(PLASTIC), along(STRAIN, 40))
    R = matrix_from_quaternion(march.state.orientation[0])
    assert angle(expected, R) < 0.02 * angle(first, expected)


def test_plastic_strain_is_that_of_the_slip_that_turns_the_crystal():
    law = CrystalPlasticity(
        tau0=0.02, rate0=1.0, exponent=10, tau1=0.01, theta0=0.2, theta1=0.05
    )
    for body in (crystal(law), crystal(CREEP)):
        march = marched(body, along(STRAIN, 1))
        problem = march.problem
        (_, group), last = problem.material.crystals[0], problem.last
        stress = last.stress.reshape(6, -1)
        begun, ended = problem.start.state[0][0], last.state[0][0]
        slip = group.material.slip(group.rows, stress, begun, ended, problem.dt)
        strain = np.einsum("na,nai->in", slip, group.material.schmid[group.rows])
        if body.law[0] is law:
            found = ended[:6] - begun[:6]
        else:
            mean = stress[:3].sum(axis=0) / (9 * CREEP.bulk)
            found = (
                last.strain.reshape(6, -1) - mean * np.array([[1.0] * 3 + [0] * 3]).T
            )
        assert strain == pytest.approx(found, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("law", [CREEP, PLASTIC])
@pytest.mark.parametrize(
    ("euler", "strain"),
    [
        # the cube's edges, and its [111], along the axis of a stretch
        ((0, 0, 0), {"xx": 0.2, "yy": -0.1, "zz": -0.1}),
        ((0, 54.735610317, 45), {"zz": 0.2, "xx": -0.1, "yy": -0.1}),
    ],
)
def test_crystal_symmetric_to_the_load_does_not_turn(law, euler, strain):
    march = marched(crystal(law, euler), along(strain, 4))
    assert march.largest_turn < 1e-6


def test_off_by_default_and_then_nothing_changes():
    march = March(crystal(CREEP), along(STRAIN, 3))
    list(march.points())
    assert march.state.orientation is None
    assert march.largest_turn == 0
    assert march.result().microstructure is march.microstructure


def test_layers_turn_as_the_curl_of_their_displacement_says():
    """Where nothing slips yet, layers across x turn by their shear less the mean's."""
    hard = CrystalPlasticity(tau0=1e6, rate0=1.0, exponent=1)
    C = np.stack([isotropic(K=100.0, G=10.0), isotropic(K=100.0, G=40.0)])
    phase = np.repeat([0, 1], [4, 5])[:, None, None]
    body = Microstructure(Grid((9, 1, 1)), phase, C, law={0: hard, 1: hard})
    for scheme in ("rotated", "bbar", "forward", "fourier"):
        march = marched(body, along({"xy": 1e-3, "xz": 2e-3}, 2), scheme=scheme)
        strain = components_from_mandel(march.result().strain.mean(axis=(2, 3)), axis=0)
        excess = strain - np.array([0, 0, 0, 0, 2e-3, 1e-3])[:, None]
        q = march.state.orientation
        # du_y/dx > 0 turns x to y, about z; du_z/dx > 0 turns x to z, about -y
        for p, x in ((0, slice(4)), (1, slice(4, 9))):
            vector = 2 * q[p, 1:]
            expected = [0, -excess[4, x].mean(), excess[5, x].mean()]
            assert abs(expected[1]) > 1e-4
            assert vector == pytest.approx(expected, rel=1e-3, abs=1e-9)


@pytest.fixture(scope="module")
def grains():
    body = polycrystal(8, grains=5, seed=3, stiffness=COPPER)
    law = CrystalCreep(
        tau0=0.02, rate0=1.0, exponent=5, bulk=20.0, tau1=0.01, theta0=0.05
    )
    return body.with_changes(law=dict.fromkeys(range(5), law), stiffness=None)


def test_body_as_a_whole_does_not_turn_and_its_stiffness_follows(grains):
    law = CrystalPlasticity(tau0=0.02, rate0=1.0, exponent=5)
    C = rotate_stiffness(COPPER[None], matrix_from_quaternion(grains.orientation))
    body = grains.with_changes(law=dict.fromkeys(range(5), law), stiffness=C)
    march = marched(body, along({"xx": 0.05, "yy": -0.025, "zz": -0.025}, 5))
    after = march.result().microstructure
    assert march.largest_turn > 0.2
    assert after.orientation == pytest.approx(march.state.orientation)
    R = matrix_from_quaternion(after.orientation)
    assert after.stiffness == pytest.approx(rotate_stiffness(COPPER[None], R))
    # laws have what the last increment began with
    material = march.problem.material.groups[0].material
    before = March(body, march.path, rotate_crystals=True)
    for _, _ in zip(range(4), before.points(), strict=False):
        pass
    R = matrix_from_quaternion(before.state.orientation)
    assert material.rotation == pytest.approx(R)
    assert material.stiffness == pytest.approx(rotate_stiffness(COPPER[None], R))


@pytest.mark.parametrize(
    "solver", ["newton", pytest.param("dual", marks=pytest.mark.slow)]
)
def test_kernels_use_the_turned_systems(grains, solver):
    path = along({"xx": 0.05, "yy": -0.025, "zz": -0.025}, 3)
    march = marched(grains, path, solver=solver)
    problem = march.problem
    (group,) = problem.material.groups
    strain, before = problem.last.strain, problem.start.strain
    state = problem.start.state[0][0]
    fields = strain.reshape(6, -1), before.reshape(6, -1)
    step = StrainStep(group.rows, *fields, state, problem.dt)
    reference = group.material.respond(step).stress
    scale = abs(reference).max()
    rough = 1e-6 if solver == "newton" else 1e-3
    assert abs(problem.last.stress.reshape(6, -1) - reference).max() < rough * scale


def test_solvers_agree_and_a_note_says_where_turns_are_coarse(grains):
    path = along({"xx": 0.2, "yy": -0.1, "zz": -0.1}, 2)
    newton, dual = (marched(grains, path, solver=s) for s in ("newton", "dual"))
    turn = newton.largest_turn
    q = newton.state.orientation, dual.state.orientation
    assert turn > 2
    assert largest_turn(*q) < 1e-3 * turn
    assert any("turned by" in note for note in newton.result().notes)
    fine = marched(grains, along({"xx": 0.02, "yy": -0.01, "zz": -0.01}, 2))
    assert not any("turned by" in note for note in fine.result().notes)


def test_turned_body_does_not_ask_laws_for_a_stiffness_that_is_known(
    grains, monkeypatch
):
    monkeypatch.setattr(CrystalCreep, "stiffness", property(lambda law: 1 / 0))
    after = turned_body(grains, grains.orientation)
    assert after.stiffness == pytest.approx(grains.stiffness)


def test_checkpoint_keeps_the_orientations(grains, tmp_path):
    path = Path((Step(Load({"xx": 0.04, "yy": -0.02, "zz": -0.02}), 1.0, 4),))
    whole = March(grains, path, rotate_crystals=True)
    kept = tmp_path / "a.checkpoint"
    for point in whole.points():
        if point.increment == 2:
            write_checkpoint(kept, whole.state, identity(whole))
    again = March(grains, path, rotate_crystals=True)
    again.state = read_checkpoint(kept, identity(again), np)
    assert again.largest_turn > 0
    list(again.points())
    assert (again.state.orientation == whole.state.orientation).all()
    assert again.state.spin == whole.state.spin
    assert (again.state.stress == whole.state.stress).all()
    other = March(grains, path)
    with pytest.raises(InputError, match="rotate_crystals"):
        read_checkpoint(kept, identity(other), np)
    with pytest.raises(InputError, match="rotate_crystals"):
        March(grains, path, state=whole.state)
    middle = March(
        grains,
        path,
        state=read_checkpoint(kept, identity(again), np),
        rotate_crystals=True,
    )
    list(middle.points())
    assert (middle.state.orientation == whole.state.orientation).all()


def test_crystals_turn_after_each_part_of_an_increment_that_is_cut(monkeypatch):
    solved = PartSolver.solve

    def fails_whole(parts, state, step, done, part, progress):
        tried = solved(parts, state, step, done, part, progress)
        return tried._replace(status="max_iterations") if part == 1.0 else tried

    expected = marched(crystal(CREEP), along(STRAIN, 2))
    monkeypatch.setattr(PartSolver, "solve", fails_whole)
    cut = marched(crystal(CREEP), along(STRAIN, 1))
    assert cut.state.points[0].cuts == 1
    assert cut.state.orientation == pytest.approx(expected.state.orientation, abs=1e-9)


def test_bodies_without_slip_are_refused():
    phase = np.zeros((1, 1, 1), int)
    steel = isotropic(K=160.0, G=80.0)
    body = Microstructure(Grid((1, 1, 1)), phase, steel[None])
    for law in ({}, {0: Plasticity(yield_stress=0.1)}, {1: PLASTIC}):
        with pytest.raises(InputError, match="without slip"):
            March(
                body.with_changes(law=law), along({"xx": 0.01}, 1), rotate_crystals=True
            )
    strained = crystal(PLASTIC).with_changes(eigenstrain=np.full((1, 6), 1e-3))
    with pytest.raises(InputError, match="eigenstrain"):
        March(strained, along({"xx": 0.01}, 1), rotate_crystals=True)


def test_command_line_writes_turned_crystals(grains, tmp_path):
    body, output, picture = (tmp_path / n for n in ("m.h5", "r.vtkhdf", "p.png"))
    io.write(body, grains)
    line = ["solve", body, "--strain", "xx=0.04", "--strain", "yy=-0.04"]
    more = ["--increments", 2, "--rotate-crystals", "--json", "-o", output]
    outcome = run_fftmech(*line, *more)
    turn = json.loads(outcome.stdout)["largest_turn"]
    after = io.read_result(output).microstructure.orientation
    assert largest_turn(grains.orientation, after) == pytest.approx(turn, rel=1e-6)
    assert turn > 0.3
    drawn = ["plot", str(output), "--pole", "111", "-o", str(picture)]
    run_fftmech(*drawn)
    linear = ["solve", tmp_path / "e.h5", "--strain", "xx=0.04", "--rotate-crystals"]
    elastic = grains.with_changes(law={}, stiffness=np.repeat(COPPER[None], 5, axis=0))
    io.write(tmp_path / "e.h5", elastic)
    linear += ["-o", tmp_path / "e.vtkhdf"]
    outcome = run_fftmech(*linear, code=2)
    assert "--rotate-crystals" in outcome.output


def test_series_has_the_first_orientations_and_its_end_the_last(grains, tmp_path):
    body, text, output = (tmp_path / n for n in ("m.h5", "p.toml", "s.vtkhdf"))
    io.write(body, grains)
    text.write_text(
        "[[step]]\nstrain = { xx = 0.04, yy = -0.02, zz = -0.02 }\nincrements = 2\n"
    )
    line = ["solve", body, "--path", text, "--rotate-crystals", "-o", output]
    outcome = run_fftmech(*line)
    assert "turned by up to" in outcome.stdout
    assert io.read(output).orientation == pytest.approx(grains.orientation)
    after = io.read_result(tmp_path / "s-end.vtkhdf").microstructure.orientation
    assert largest_turn(grains.orientation, after) > 0.3
