"""What the size of increments changes, where hardening is held constant in one."""

import csv
import json

import numpy as np
import pytest
from command_lines import run_fftmech

from fftmech import Grid, InputError, Load, March, Microstructure, Path, Step, io
from fftmech.kernels import law_crystal
from fftmech.materials.base import StrainStep
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.tensors import K

LAW = CrystalCreep(
    **{"tau0": 0.01, "rate0": 1e-3, "exponent": 10, "bulk": 50.0},
    **{"tau1": 0.01, "theta0": 0.4, "theta1": 0.05},
)
TENSION = Load(strain={"xx": -0.01, "yy": -0.01, "zz": 0.02})


def grains(law=LAW):
    """Eight grains on 4^3 voxels."""
    phase = np.indices((4, 4, 4)) // 2
    q = np.random.default_rng(8).normal(size=(8, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    numbers = phase[0] + 2 * phase[1] + 4 * phase[2]
    laws = dict.fromkeys(range(8), law)
    return Microstructure(Grid((4, 4, 4)), numbers, orientation=q, law=laws)


def pulled(increments, law=LAW, loads=(TENSION,)):
    steps = tuple(Step(load, time=20.0, increments=increments) for load in loads)
    march = March(grains(law), Path(steps))
    points = list(march.points())
    assert {point.status for point in points} == {"converged"}
    return march, points


@pytest.fixture(scope="module")
def fine():
    """Mean stress after 2 % of tension in many increments."""
    return pulled(32)[1][-1].mean_stress


@pytest.mark.parametrize("increments", [1, 3, 10])
def test_a_few_increments_end_where_many_do(increments, fine):
    march, points = pulled(increments)
    error = np.linalg.norm(K @ (points[-1].mean_stress - fine))
    error /= np.linalg.norm(K @ fine)
    assert error < 3e-3
    # the estimate is no less, and of one order
    estimate = sum(point.time_error for point in points)
    assert error < estimate < 0.03


def test_a_certificate_holds_for_the_step_that_was_solved():
    march, _ = pulled(1)
    certificate = march.result().certificate
    assert 0 <= certificate["relative"] < 1e-3


def test_a_turn_of_the_load_is_foreseen_wrongly_and_corrected():
    turned = Load(strain={"xx": 0.01, "yy": -0.03, "zz": 0.02})
    few = pulled(2, loads=(TENSION, turned))[1][-1].mean_stress
    many = pulled(12, loads=(TENSION, turned))[1][-1].mean_stress
    assert np.linalg.norm(K @ (few - many)) < 0.01 * np.linalg.norm(K @ many)


def test_increments_of_other_duration_expect_slip_at_its_rate():
    material = LAW.material([LAW], LAW.stiffness[None], np.eye(3)[None])
    state = np.array([[0.02], [4e-3]])
    np.testing.assert_allclose(material.expect(state, 0.5)[:, 0], [0.02, 2e-3])


def test_kernels_take_the_slip_that_is_expected(rng):
    material = LAW.material([LAW], LAW.stiffness[None], np.eye(3)[None])
    rows, state = np.zeros(9, int), 0.01 * rng.random((2, 9))
    strain = 1e-3 * (K @ rng.normal(size=(6, 9)))
    step = StrainStep(rows, strain, 0 * strain, state, 0.5)
    slow, fast = material.respond(step), law_crystal.respond(material, step)
    np.testing.assert_allclose(fast.stress, slow.stress, rtol=1e-9)
    np.testing.assert_allclose(fast.state, slow.state, rtol=1e-9)
    np.testing.assert_allclose(slow.state[0], state[0] + slow.state[1], rtol=1e-12)


def test_large_increments_are_noted_and_estimates_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hard = CrystalCreep(tau0=0.01, rate0=1e-3, exponent=2, bulk=50.0, theta1=5.0)
    io.write("grains.h5", grains(hard))
    (tmp_path / "pull.toml").write_text(
        "[[step]]\nstrain = { xx = -0.01, yy = -0.01, zz = 0.02 }\n"
        "time = 20\nincrements = 2\n"
    )
    line = ["solve", "grains.h5", "--path", "pull.toml", "-o", "p.vtkhdf", "--json"]
    run = run_fftmech(*line)
    document = json.loads(run.stdout)
    assert len(document["time_errors"]) == 2 and sum(document["time_errors"]) > 0.01
    (note,) = (n for n in document["notes"] if "increments" in n)
    assert "changes the stress by about" in note and note in run.stderr
    with open("p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    written = [float(row["time_error"]) for row in rows]
    assert written == document["time_errors"]


def test_laws_that_hold_nothing_constant_have_no_estimate():
    from test_path_files import plastic

    march = March(plastic(), Path.of((Load.uniaxial("xx", 0.01),), 1))
    assert not march.estimates_time
    assert np.isnan([point.time_error for point in march.points()]).all()


@pytest.mark.parametrize("increments", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_increments_are_cut_until_their_size_changes_little(increments):
    hard = CrystalCreep(tau0=0.01, rate0=1e-3, exponent=2, bulk=50.0, theta1=5.0)
    fine = pulled(32, law=hard)[1][-1].mean_stress
    path = Path((Step(TENSION, time=20.0, increments=increments),))
    solves = []
    for tolerance in (0.02, 5e-3):
        march = March(grains(hard), path, time_tolerance=tolerance)
        points = list(march.points())
        assert len(points) == increments
        assert sum(point.time_error for point in points) <= tolerance
        error = np.linalg.norm(K @ (points[-1].mean_stress - fine))
        assert error <= tolerance * np.linalg.norm(K @ fine)
        solves.append(sum(point.iterations for point in points))
    assert solves[0] < solves[1]


def test_a_time_tolerance_that_parts_of_increments_do_not_meet_is_noted(monkeypatch):
    monkeypatch.setattr("fftmech.simulations.march.LEAST_PART", 0.5)
    march = March(grains(), Path((Step(TENSION, time=20.0),)), time_tolerance=1e-6)
    (point,) = march.points()
    # the whole, and two halves
    assert point.status == "converged" and point.cuts == 1
    assert point.time_error > 1e-6
    assert any("changes the stress by about" in note for note in march.result().notes)


def test_a_time_tolerance_is_refused_where_there_is_no_estimate():
    from test_path_files import plastic

    path = Path.of((Load.uniaxial("xx", 0.01),), 1)
    with pytest.raises(InputError, match="time_tolerance for laws without.*number of"):
        March(plastic(), path, time_tolerance=1e-3)
    with pytest.raises(InputError, match=r"time_tolerance 2.*\(0, 1\)"):
        March(grains(), path, time_tolerance=2)
