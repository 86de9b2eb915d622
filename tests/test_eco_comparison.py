"""Surrogate against solver: what is counted, measured, timed and said."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_runs import as_options, run, tiny

from ecosurrogate.comparison import compare as comparison
from ecosurrogate.comparison import figure as comparison_figure
from ecosurrogate.comparison import timed_solver
from ecosurrogate.comparison.compare import ReferenceNotConverged, compare
from ecosurrogate.comparison.comparison import Comparison, Point
from ecosurrogate.comparison.measure import Measure
from ecosurrogate.comparison.sentences import headline, sentences
from ecosurrogate.comparison.timed_model import TimedModel
from ecosurrogate.comparison.timed_solver import TimedSolver
from ecosurrogate.evaluation.predict import predict
from ecosurrogate.mechanics import cost
from ecosurrogate.mechanics.cost import counted_green
from ecosurrogate.mechanics.operators import Operators
from ecosurrogate.training.checkpoint import load_model
from fftmech import Grid, InputError, Load, Microstructure, solve
from fftmech.arrays import crowding as machine
from fftmech.arrays.crowding import BUSY, crowding
from fftmech.microstructure import polycrystal
from fftmech.problems.certificate import energy_error
from fftmech.results.metrics import nrmse

pytestmark = pytest.mark.usefixtures("no_curves")

LOAD = Load({"xx": 1e-3})
ISOTROPIC = np.diag([2.0, 2, 2, 1, 1, 1]) + np.pad(np.ones((3, 3)), (0, 3))
"""Mandel stiffness of lambda = 1 and 2 G = 1, but for the shear terms' size."""


def composite(contrast, shape=(8, 8, 8)):
    """Random voxels, half of them `contrast` times as stiff; 0 makes them pores."""
    phase = (np.random.default_rng(3).random(shape) < 0.5).astype(int)
    stiffness = np.stack([ISOTROPIC, contrast * ISOTROPIC])
    return Microstructure(Grid(shape), phase, stiffness)


@pytest.fixture(scope="module")
def runs(grains8, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for model in ("p-eco-iterated", "p-eco", "unet"):
        settings = as_options(tiny(model=model, steps=2, validate_every=2))
        run(f"fit {grains8} -o {folder / model} {settings}")
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """One measurement of each time."""
    monkeypatch.setattr(cost, "ROUNDS", (1, 1))
    monkeypatch.setattr(cost, "TURN", 0.0)


@pytest.fixture(scope="module")
def measure():
    return Measure(solve(composite(100.0), LOAD, tolerance=1e-10, scheme="rotated"))


def test_green_operations_are_counted():
    operators = Operators("rotated", Grid((4, 4, 4)), 1.0, 0.5)
    field = torch.randn(3, 6, 4, 4, 4)
    before = Operators.green
    with counted_green() as count:
        operators.green(field[:, :3])
        assert count.green == 1
        operators.project_compatible(field)
        assert count.green == 2
        # twice, the second time for what rounding left
        operators.project_equilibrated(field)
        assert count.green == 4
    operators.green(field[:, :3])
    assert count.green == 4
    with pytest.raises(InputError), counted_green():
        operators.green(field)
    assert Operators.green is before


def test_medians_are_taken_of_tasks_that_take_turns(monkeypatch):
    monkeypatch.setattr(cost, "ROUNDS", (3, 3))
    order, times = [], {"a": iter([5.0, 1.0, 2.0]), "b": iter([1.0, 9.0, 4.0])}

    def task(name):
        order.append(name)
        return next(times[name])

    tasks = {n: lambda n=n: task(n) for n in times}
    found = cost.measure(tasks, report=order.append)
    assert {name: spent.wall for name, spent in found.tasks.items()} == {"a": 2, "b": 4}
    assert (found.rounds, found.crowding) == (3, 1.0)
    assert 1 < found.tasks["a"].low < 2 < found.tasks["a"].high < 5
    assert order == [1, "a", "b", 2, "a", "b", 3, "a", "b"]


class Clocks:
    """Clocks of a machine whose processor is `factor` times as slow as it could be."""

    def __init__(self, factor, step=0.001):
        self.now, self.factor, self.step = 0.0, factor, step

    def perf_counter(self):
        self.now += self.step
        return self.now

    def thread_time(self):
        return self.now / self.factor

    process_time = thread_time


def test_crowding_is_wall_time_over_processor_time(monkeypatch):
    for factor in (1.0, 2.5):
        clocks = Clocks(factor)
        monkeypatch.setattr(cost, "time", clocks)
        monkeypatch.setattr(machine, "time", clocks)
        assert crowding() == pytest.approx(factor, rel=0.05)

        def task(clocks=clocks):
            clocks.now += 0.1
            return 0.1

        spent = cost.measure({"a": task}).tasks["a"]
        assert spent.wall == pytest.approx(0.1)
        assert spent.processor == pytest.approx(0.1 / factor, rel=0.02)


@pytest.mark.slow
def test_other_processes_make_a_machine_crowded():
    count = os.cpu_count() or 1
    work = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(work) for _ in range(2 * count)]
    try:
        assert crowding(count) > 1.5 > BUSY
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def test_the_reference_has_no_error_and_pores_do_not_count(measure):
    exact = measure.reference
    assert measure("strain", exact.strain) == 0
    assert measure("stress", exact.stress) == 0
    assert measure.equilibrated(exact.stress) < 1e-8
    porous = Measure(solve(composite(0.0), LOAD, tolerance=1e-10, scheme="rotated"))
    strain = porous.reference.strain.copy()
    strain[:, porous.reference.microstructure.phase == 1] = 7.0
    assert porous("strain", strain) == 0


def test_components_that_do_not_vary_do_not_count():
    flat = solve(composite(10.0, (8, 8, 1)), LOAD, tolerance=1e-10, scheme="rotated")
    found = Measure(flat)
    noise = 1e-9 * np.random.default_rng(0).standard_normal(flat.strain.shape)
    varying = [0, 1, 5]
    expected = nrmse(flat.strain + noise, flat.strain, "std")[varying].mean()
    assert found("strain", flat.strain + noise) == pytest.approx(expected)
    assert np.isfinite(expected) and expected > 0
    with pytest.raises(InputError, match="uniform under this load"):
        Measure(solve(composite(1.0), LOAD, tolerance=1e-10, scheme="rotated"))


def test_the_solver_is_stopped_at_its_iterations_and_at_its_tolerance(measure):
    method = {"scheme": "rotated", "tolerance": 1e-6}
    found, full = (
        TimedSolver(measure, method),
        solve(composite(100.0), LOAD, scheme="rotated"),
    )
    assert full.iterations > timed_solver.DENSE
    counts = list(found.points)
    assert counts[:10] == list(range(1, 11)) and counts[-1] == full.iterations
    assert len(counts) <= timed_solver.DENSE + timed_solver.SPARSE
    third = solve(composite(100.0), LOAD, max_iterations=3, scheme="rotated")
    assert found.points[3]["strain"] == measure("strain", third.strain)
    assert found.points[3]["certificate"] == third.certificate["relative"]
    assert found.points[counts[-1]]["stress"] < 1e-4


def test_the_first_iteration_as_good_is_found_between_the_points(measure):
    found = TimedSolver(measure, {"scheme": "rotated", "tolerance": 1e-8})
    last = max(found.points)
    between = next(k for k in range(12, last) if k not in found.points)
    errors = {}
    for k in range(1, last + 1):
        stopped = solve(
            composite(100.0), LOAD, tolerance=1e-8, max_iterations=k, scheme="rotated"
        )
        errors[k] = measure("stress", stopped.stress)
    assert all(errors[k + 1] < errors[k] for k in range(10, last))
    assert found.first("stress", errors[between]) == between
    assert between in found.points
    assert found.first("stress", 2 * errors[1]) == 1
    assert found.first("stress", errors[last] / 2) is None


def test_points_carry_the_errors_and_the_work_of_what_they_stand_for(runs):
    body = polycrystal(8, 4, seed=5)
    found = compare(runs / "p-eco-iterated", body, LOAD, batches=(3,))
    model, card = load_model(runs / "p-eco-iterated")
    result = predict(model, card, body, LOAD)
    exact = solve(body, LOAD, tolerance=1e-10, scheme="rotated")
    assert [p.steps for p in found.surrogate] == [1, 2, 3]
    assert [p.green for p in found.surrogate] == [3, 5, 7]
    for point, certified in zip(found.surrogate, result.residuals[1:], strict=True):
        assert point.certificate == pytest.approx(certified, rel=1e-4)
        assert list(point.batches) == [1, 3]
    last = found.surrogate[-1]
    for name in ("strain", "stress"):
        error = nrmse(getattr(result, name), getattr(exact, name), "std").mean()
        assert getattr(last, name) == pytest.approx(error, rel=1e-4)
        k = found.first[name]
        rival = {p.steps: getattr(p, name) for p in found.solver}
        assert rival[k] <= getattr(last, name)
        assert k == 1 or rival[k - 1] > getattr(last, name)
    assert [p.green for p in found.solver] == [p.steps + 1 for p in found.solver]
    assert [p.green for p in found.warm] == [p.steps + 9 for p in found.warm]
    warm = solve(body, LOAD, initial=result, scheme="rotated")
    assert found.warm[-1].steps == warm.iterations < found.solver[-1].steps
    assert min(p.seconds for p in found.warm) > found.prediction > 0


def test_a_correction_less_is_the_model_with_one_correction_less(runs):
    body = polycrystal(8, 4, seed=5)
    found = compare(runs / "p-eco-iterated", body, LOAD, batches=(1,))
    model, card = load_model(runs / "p-eco-iterated")
    model.corrections = 2
    exact = solve(body, LOAD, tolerance=1e-10, scheme="rotated")
    error = nrmse(predict(model, card, body, LOAD).strain, exact.strain, "std")
    assert found.surrogate[1].strain == pytest.approx(error.mean(), rel=1e-4)


def test_timing_a_model_leaves_its_corrections_as_they_were(runs):
    model, card = load_model(runs / "p-eco-iterated")
    timed = TimedModel(model, card, polycrystal(8, 4, seed=5), LOAD, "cpu")
    assert timed.seconds(1, 2) > 0
    assert timed.green(2) == 5
    assert model.corrections == 3


@pytest.mark.parametrize(("model", "green"), [("p-eco", 3), ("unet", 0)])
def test_a_model_without_corrections_is_one_point(runs, model, green):
    found = compare(runs / model, polycrystal(8, 4, seed=5), batches=(1,))
    (point,) = found.surrogate
    assert (point.steps, point.green) == (None, green)
    assert (point.certificate is None) == (model == "unet")
    assert bool(found.reason) == (model == "unet")


@pytest.mark.parametrize("shape", [(8, 8, 8), (12, 10, 1)])
def test_bodies_with_pores_and_flat_ones_are_compared_without_certificate(runs, shape):
    body = composite(0.0, shape)
    body = body.with_changes(phase=(np.indices(shape) < 3).all(axis=0).astype(int))
    found = compare(runs / "p-eco-iterated", body, LOAD, batches=(1,))
    points = (*found.surrogate, *found.solver, *found.warm)
    errors = np.array([(p.strain, p.stress) for p in points])
    assert np.isfinite(errors).all()
    assert all(p.certificate is None for p in points)
    assert "pores" in found.reason and "pores" in " ".join(sentences(found))


def test_contrast_is_compared_and_a_poor_start_is_said_to_save_little(runs):
    found = compare(runs / "p-eco-iterated", composite(1000.0), LOAD, batches=(1,))
    assert found.solver[-1].steps > 20
    (said,) = [s for s in sentences(found) if s.startswith("Starting")]
    saved = found.solver[-1].steps - found.warm[-1].steps
    assert ("saves nothing" in said) == (saved <= 0)


def test_what_cannot_be_compared_is_refused(runs, monkeypatch):
    body = polycrystal(8, 4, seed=5)
    with pytest.raises(InputError, match="tolerance 1e-09: expected 1e-08 to 0.1"):
        compare(runs / "unet", body, tolerance=1e-9)
    with pytest.raises(InputError, match="tolerance nan"):
        compare(runs / "unet", body, tolerance=float("nan"))
    with pytest.raises(InputError, match="uniform under this load"):
        compare(runs / "unet", composite(1.0))
    with pytest.raises(InputError, match=r"a batch of 100000000 predictions.*--batch"):
        compare(runs / "unet", body, batches=(10**8,))
    learned = Load.uniaxial("xx", 8e-5)
    poor = predict(*load_model(runs / "unet"), body, learned)
    poor = replace(poor, strain=np.full_like(poor.strain, np.nan))
    monkeypatch.setattr(comparison, "predict", lambda *_: poor)
    with pytest.raises(InputError, match="not finite; train another"):
        compare(runs / "unet", body)


def test_a_reference_that_does_not_converge_is_no_reference(runs, monkeypatch):
    monkeypatch.setattr(comparison, "MOST", 2)
    with pytest.raises(ReferenceNotConverged) as raised:
        compare(runs / "unet", polycrystal(8, 4, seed=5))
    assert raised.value.result.status == "max_iterations"


def point(steps, error, seconds, green=0, batches=()):
    """A point with the same error in both fields."""
    spread = 0.99 * seconds, 1.01 * seconds
    errors = error, error, error, None
    return Point(steps, *errors, green, seconds, seconds, spread, dict(batches))


FOUND = Comparison(
    model="p-eco-iterated",
    scheme="rotated",
    device="cpu",
    shape=(8, 8, 8),
    tolerance=1e-6,
    threads={"model": 1, "solver": 1},
    rounds=3,
    crowding=1.0,
    uniform={"strain": 1.0, "stress": 1.0, "certificate": None},
    reference={"iterations": 9, "residual": 1e-11},
    surrogate=(point(1, 3e-2, 0.4, 3, {1: 0.4, 8: 0.05}),),
    solver=(point(1, 1e-1, 0.1, 2), point(2, 1e-2, 0.2, 3), point(3, 1e-5, 0.3, 4)),
    warm=(point(1, 1e-3, 0.6, 6), point(2, 1e-5, 0.7, 7)),
    first={"strain": 2, "stress": 2, "equilibrated": 1},
    prediction=0.5,
    apart={
        "model": {"read": 1.0, "first": 0.1, "prepare": 0.002},
        "solver": {"compile": 0.5, "prepare": 0.001},
    },
    reason="the body has pores",
)


def test_the_sentences_say_which_is_faster_with_the_numbers():
    assert sentences(FOUND) == [
        "The solver wins: 2 times faster at equal accuracy.",
        "At the surrogate's accuracy (stress nRMSE 0.03, skill 0.97) conjugate "
        "gradients take 2 iterations and 0.2 s, the surrogate 0.4 s: the solver is 2 "
        "times faster.",
        "At the surrogate's accuracy (strain nRMSE 0.03, skill 0.97) conjugate "
        "gradients take 2 iterations and 0.2 s, the surrogate 0.4 s: the solver is 2 "
        "times faster.",
        "Applications of the Green operator for that: conjugate gradients 3, the "
        "surrogate 3, and its network.",
        "The solver's stress is C e; projected on equilibrated fields, as the "
        "surrogate's is, it has that accuracy after 1 iteration.",
        "In batches of 8 the surrogate takes 50 ms a body, the solver, one body after "
        "the other, 0.2 s: the surrogate is 4 times faster.",
        "Starting from the prediction saves 1 of 3 iterations, 0.1 s, and the "
        "prediction costs 0.5 s: 0.4 s slower in all.",
        "The prediction has no certificate: the body has pores.",
        "Not in these times: reading the model 1 s, its first prediction 0.1 s more, "
        "preparing a body 2 ms; compiling the solver 0.5 s, preparing a body 1 ms. "
        "They are medians over 3 rounds; threads: model 1, solver 1.",
    ]


def test_the_sentences_go_the_other_way_where_the_numbers_do():
    fast = replace(FOUND, surrogate=(point(1, 3e-2, 0.05, 3, {1: 0.05}),))
    assert headline(fast) == "The surrogate wins: 4 times faster at equal accuracy."
    close = replace(FOUND, surrogate=(point(1, 3e-2, 0.21, 3, {1: 0.21}),))
    assert headline(close).startswith("No clear winner")
    exact = replace(FOUND, first=dict.fromkeys(FOUND.first))
    assert headline(exact).startswith("No winner: the surrogate is more accurate")
    assert "after 3 iterations and 0.3 s they have 1e-05" in sentences(exact)[1]
    poor = sentences(replace(FOUND, surrogate=(point(1, 1.2, 1e-3, 0, {1: 1e-3}),)))
    assert poor[:2] == [
        "The solver wins: the predicted strain and stress is no better than uniform.",
        "The prediction's stress is no better than a uniform one (stress nRMSE 1.2).",
    ]
    assert "faster" not in " ".join(poor)
    flat = replace(FOUND, uniform={**FOUND.uniform, "strain": 0.0})
    rough = replace(FOUND.surrogate[0], strain=np.inf)
    said = sentences(replace(flat, surrogate=(rough,)))
    assert said[0].startswith("The solver wins: the predicted strain is no better")
    assert "strain is not uniform, that of the solution is" in said[2]
    useless = replace(FOUND, warm=(point(4, 1e-5, 0.9, 9),))
    said = " ".join(sentences(useless))
    assert "saves nothing: 4 iterations to the tolerance, 3 from zero" in said
    lost = " ".join(sentences(replace(FOUND, warm=())))
    assert "From the prediction the solver does not converge." in lost


def test_no_verdict_is_made_of_times_that_other_work_has_made():
    busy = replace(FOUND, crowding=2.34)
    said = sentences(busy)
    assert said[0] == (
        "No verdict, this machine is busy: wall time is 2.3 times processor time."
    )
    assert "faster" not in " ".join(said) and "slower" not in " ".join(said)
    assert "saves 1 of 3 iterations." in " ".join(said)
    assert "take 2 iterations and 0.2 s, the surrogate 0.4 s." in said[1]
    document = comparison_figure.document(busy)
    assert "busy: wall time is 2.3 times" in document["notes"][0]
    assert comparison_figure.document(FOUND)["notes"] == []


def test_no_verdict_is_made_of_times_that_overlap():
    wide = replace(FOUND.surrogate[0], spread=(0.1, 0.9))
    said = sentences(replace(FOUND, surrogate=(wide,)))
    assert said[0] == "No clear winner: the times of repeats overlap."
    assert said[1].endswith("the surrogate 0.4 s: their times overlap.")


def test_what_knows_nothing_is_measured_beside_the_others(runs):
    body = polycrystal(8, 4, seed=5)
    found = compare(runs / "p-eco-iterated", body, LOAD, batches=(1,))
    exact = solve(body, LOAD, tolerance=1e-10, scheme="rotated")
    assert found.uniform["strain"] == pytest.approx(1)
    assert found.uniform["stress"] == pytest.approx(1)
    mean = [
        np.zeros_like(f) + f.mean(axis=(1, 2, 3), keepdims=True)
        for f in (exact.strain, exact.stress)
    ]
    expected = energy_error(body, tuple(mean), (exact.strain, exact.stress))
    assert found.uniform["certificate"] == pytest.approx(expected, rel=1e-6)
    point = found.surrogate[-1]
    assert point.spread[0] <= point.seconds <= point.spread[1] and point.processor > 0


def test_the_picture_has_each_point_once_in_both_panels():
    panels = comparison_figure.figure(FOUND).axes
    assert [ax.get_title() for ax in panels] == ["strain", "stress"]
    for ax in panels:
        lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
        assert lines["surrogate"] == [[0.4, 3e-2]]
        assert lines["surrogate, batches of 8"] == [[0.05, 3e-2]]
        assert lines["CG from the prediction"] == [[0.6, 1e-3], [0.7, 1e-5]]
        assert len(lines["conjugate gradients (CG)"]) == 3
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
