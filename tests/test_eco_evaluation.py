"""What evaluation measures, against predictions whose errors are known by hand."""

import json

import numpy as np
import pytest
from small_runs import as_options, make_dataset, one_line, run, tiny

from ecosurrogate.evaluation.evaluate import evaluate, statistic
from ecosurrogate.evaluation.predictors import (
    LowResolution,
    StoppedSolver,
    make_predictors,
)
from ecosurrogate.evaluation.solved_cases import PredictedFields, Predictor, SolvedCases
from ecosurrogate.evaluation.table import label, markdown, tables
from ecosurrogate.evaluation.trained_run import TrainedRun
from fftmech import InputError

pytestmark = pytest.mark.usefixtures("no_curves")

BODIES = "--res 8 --low-res 4 --count 6 --splits 2,1,3"


@pytest.fixture(scope="module")
def grains(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation") / "grains"
    make_dataset(
        f"dataset polycrystal {BODIES} --grains 4 --strain xx=1e-3 --tol 1e-9 "
        f"-o {folder}"
    )
    return folder


@pytest.fixture(scope="module")
def pores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation") / "pores"
    make_dataset(f"dataset pores {BODIES} --fraction 0.05,0.12 -o {folder}")
    return folder


@pytest.fixture(scope="module")
def runs(grains, tmp_path_factory):
    """Two steps of some models, one of them on bodies of the low resolution."""
    folder = tmp_path_factory.mktemp("runs")
    for name, changes in (
        ("s-eco", {"model": "s-eco"}),
        ("p-eco-iterated", {}),
        ("low", {"model": "unet", "res": 4}),
    ):
        settings = tiny(steps=2, validate_every=2, **changes)
        run(f"fit {grains} -o {folder / name} {as_options(settings)}")
    return folder


class Changed(Predictor):
    """Predicts the solution, changed by a function of a case."""

    name, what = "changed", "by hand"

    def __init__(self, change=lambda case, strain, stress: (strain, stress)):
        self.change = change

    def describe(self):
        return {"kind": "cg"}

    def predict(self, cases):
        return [
            PredictedFields(
                *self.change(case, case.strain.astype(float), case.stress.astype(float))
            )
            for case in cases
        ]


def evaluated(cases, change):
    found = evaluate(cases, [Changed(change)])
    json.dumps(found, allow_nan=False)
    return found, found["contenders"][0]


def test_the_solution_itself_has_no_error(grains):
    found, own = evaluated(SolvedCases(grains), lambda case, e, s: (e, s))
    assert found["normalisation"] == "std" and found["cases"] == 3
    for field in ("strain", "stress"):
        assert own["nrmse"]["std"][field]["mean"]["max"] == 0
        assert own["spectrum"][field]["max"] == 0
    assert own["energy"]["max"] == 0
    assert abs(own["tail"]["0.999"]["max"]) < 1e-6
    assert own["divergence"]["mean"] == found["reference"]["divergence"]["mean"] < 1e-6


def test_twice_the_solution_has_the_errors_that_follow_by_hand(grains):
    cases = SolvedCases(grains)
    _, own = evaluated(cases, lambda case, e, s: (2 * e, 2 * s))
    for field in ("strain", "stress"):
        np.testing.assert_allclose(own["spectrum"][field]["mean"], np.log10(4))
        exact = getattr(cases[0], field)[0].astype(float)
        expected = np.sqrt((exact**2).mean()) / exact.std()
        first = own["samples"][0]["nrmse"]["std"][field]["xx"]
        np.testing.assert_allclose(first, expected, rtol=1e-6)
        ranged = own["samples"][0]["nrmse"]["range"][field]["xx"]
        expected = np.sqrt((exact**2).mean()) / np.ptp(exact)
        np.testing.assert_allclose(ranged, expected, rtol=1e-6)
    np.testing.assert_allclose(own["tail"]["0.99"]["mean"], 3, rtol=1e-6)
    np.testing.assert_allclose(own["energy"]["mean"], 0.5)


def test_the_certificate_of_a_run_is_its_energy_error_against_the_solution(
    grains, runs
):
    cases = SolvedCases(grains)
    found = evaluate(cases, make_predictors([runs / "s-eco"], [], cases))["contenders"][
        0
    ]
    for sample in found["samples"]:
        assert 0.01 < sample["certificate"] < 1
        np.testing.assert_allclose(sample["certificate"], sample["energy"], rtol=1e-4)
    assert found["divergence"]["max"] < 1e-5


def test_answers_do_not_depend_on_the_batch_and_follow_the_units(grains, runs):
    cases = SolvedCases(grains)
    member = TrainedRun(runs / "p-eco-iterated", "run", cases)
    together = member.predict(cases[:3])
    case = cases[2]
    scaled = case._replace(
        body=case.body.with_changes(stiffness=1000 * case.body.stiffness)
    )
    for alone, factor in ((case, 1), (scaled, 1000)):
        (prediction,) = member.predict([alone])
        scale = abs(together[2].stress).max()
        np.testing.assert_allclose(
            prediction.stress / factor, together[2].stress, atol=1e-5 * scale
        )
        np.testing.assert_allclose(prediction.strain, together[2].strain, atol=1e-8)
    assert together[0].applications == 7
    assert together[0].seconds > 0 and together[0].preparation > 0


def test_a_run_trained_at_the_low_resolution_answers_at_the_high_one(grains, runs):
    cases = SolvedCases(grains)
    assert (cases.res, cases.low) == (8, 4)
    (prediction,) = TrainedRun(runs / "low", "low", cases).predict(cases[:1])
    assert prediction.strain.shape == (6, 8, 8, 8)
    assert prediction.certificate is None and prediction.applications == 0


def test_the_low_resolution_is_repeated_and_keeps_its_mean(grains):
    cases = SolvedCases(grains)
    (prediction,) = LowResolution(cases).predict(cases[:1])
    windows = prediction.stress.reshape(6, 4, 2, 4, 2, 4, 2)
    assert np.ptp(windows, axis=(2, 4, 6)).max() == 0
    np.testing.assert_array_equal(windows[:, :, 0, :, 0, :, 0], cases[0].low[1])


def test_the_stopped_solver_comes_closer_with_every_iteration(grains):
    cases = SolvedCases(grains, count=1)
    ks = (1, 3, 6, 100)
    found = evaluate(cases, [StoppedSolver(k, cases) for k in ks])["contenders"]
    errors = [c["nrmse"]["std"]["stress"]["mean"]["mean"] for c in found]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.05 and errors[-1] < 1e-6
    assert [c["applications"] for c in found][:3] == [2, 4, 7]
    # converged before
    assert found[-1]["applications"] < 40


def test_what_is_said_inside_pores_does_not_count(pores):
    def nonsense(case, strain, stress):
        hidden = ~case.solid
        return np.where(hidden, 1e3, strain), np.where(hidden, -1e3, stress)

    found, own = evaluated(SolvedCases(pores), nonsense)
    assert found["pores"] and found["normalisation"] == "std"
    for field in ("strain", "stress"):
        assert own["nrmse"]["std"][field]["mean"]["max"] == 0
        assert own["spectrum"][field]["max"] == 0
    assert abs(own["tail"]["1"]["max"]) < 1e-6
    assert own["energy"] is None and own["certificate"] is None


@pytest.mark.parametrize("kind", ["grains", "pores"])
def test_what_knows_nothing_has_no_skill_and_stands_in_every_table(kind, request):
    def nothing(case, strain, stress):
        means = (f[:, case.solid].mean(axis=1) for f in (strain, stress))
        return [mean[:, None, None, None] + 0 * strain for mean in means]

    cases = SolvedCases(request.getfixturevalue(kind))
    found, own = evaluated(cases, nothing)
    for field in ("strain", "stress"):
        for errors in (own, found["uniform"]):
            for name in ("xx", "mean", "all"):
                statistic = errors["nrmse"][found["normalisation"]][field][name]
                np.testing.assert_allclose((statistic["min"], statistic["max"]), 1)
            assert abs(errors["skill"][field]["max"]) < 1e-9
    if kind == "grains":
        assert abs(own["skill"]["energy"]["max"]) < 1e-9
        assert found["uniform"]["energy"]["min"] > 0.05
    else:
        # which is why no default is over the range
        assert found["uniform"]["nrmse"]["range"]["stress"]["mean"]["max"] < 0.2
    made = tables(found, together=1)
    assert all(table.columns[-1].startswith("uniform field") for table in made)
    errors = {row[0]: row for row in made[0].rows}
    assert {"eps skill", "sigma skill"} < set(errors)
    assert ("sigma mean / range" in errors) == (kind == "pores")
    assert errors["eps mean"][1:] == ("1.00 ± 0.00",) * 2
    assert "\n\nskill: 1 - error" in markdown(found)


def test_training_and_evaluation_have_one_number_for_the_same_errors(tmp_path):
    folder = tmp_path / "pores"
    make_dataset(
        "dataset pores --res 8 --low-res 8 --count 3 --splits 1,2,0 --fraction "
        f"0.05,0.12 -o {folder}"
    )
    settings = as_options(tiny(steps=1, model="unet", validate_every=1))
    done = run(f"fit {folder} -o {tmp_path / 'run'} {settings} --json")
    validation = json.loads(done.stdout)["validation"]
    cases = SolvedCases(folder, "val")
    found = evaluate(cases, make_predictors([tmp_path / "run"], [], cases))
    errors = found["contenders"][0]["nrmse"][found["normalisation"]]
    for field in ("strain", "stress"):
        mean = errors[field]["mean"]["mean"]
        np.testing.assert_allclose(mean, validation[field], rtol=1e-4)


def test_a_better_prediction_has_the_skill_of_the_part_that_it_explains(grains):
    def half(case, strain, stress):
        fields = []
        for field in (strain, stress):
            mean = field.mean(axis=(1, 2, 3), keepdims=True)
            fields.append((field + mean) / 2)
        return fields

    _, own = evaluated(SolvedCases(grains), half)
    for field in ("strain", "stress"):
        np.testing.assert_allclose(own["skill"][field]["mean"], 0.5)
    assert 0.45 < own["skill"]["energy"]["mean"] < 0.55


def test_components_that_are_uniform_in_the_solution_have_no_error(tmp_path):
    folder = tmp_path / "one"
    make_dataset(
        "dataset polycrystal --res 4 --low-res 4 --count 1 --splits 0,0,1 --grains 1 "
        f"--strain xx=1e-3 -o {folder}"
    )

    def rough(case, strain, stress):
        waves = 1e-2 * abs(stress).max() * np.cos(np.arange(4))
        return strain, stress + waves

    for change, error in ((rough, None), (lambda case, e, s: (e, s), 0.0)):
        found, own = evaluated(SolvedCases(folder), change)
        stress = own["samples"][0]["nrmse"]["std"]["stress"]
        assert stress == dict.fromkeys(stress, error)
        assert own["skill"]["stress"] is None
        assert "sigma skill" in markdown(found)


def test_predictions_that_are_not_finite_are_counted_and_left_out(grains):
    first = SolvedCases(grains).indices[0]

    def broken(case, strain, stress):
        return (strain * np.nan if case.index == first else strain), stress

    found, own = evaluated(SolvedCases(grains), broken)
    assert own["nrmse"]["std"]["stress"]["xx"]["count"] == 2
    assert "not finite in 1 of 3 cases" in found["notes"][0]
    found, own = evaluated(SolvedCases(grains), lambda case, e, s: (e * np.nan, s))
    assert "in 3 of 3" in found["notes"][0]
    assert markdown(found).count("| - ") >= 12


def test_a_run_is_evaluated_on_its_training_samples_only_if_they_are_asked_for(
    grains, runs
):
    notes = evaluate(
        (cases := SolvedCases(grains, "train")),
        make_predictors([runs / "s-eco"], [], cases),
    )["notes"]
    count = len(cases.indices)
    assert f"{count} of {count} bodies were trained on, and are part" in notes[0]


def test_resolutions_are_those_that_are_solved(grains):
    assert (
        SolvedCases(grains, "val").res == 4 and SolvedCases(grains, "val").low is None
    )
    assert SolvedCases(grains, "test", 4).low is None
    with pytest.raises(InputError) as refusal:
        SolvedCases(grains, "val", 8)
    message = one_line(refusal)
    assert "solved at 4, not at 8" in message and "--splits 0,0,1" in message


def test_each_load_of_a_sample_is_a_case(tmp_path):
    folder = tmp_path / "six"
    make_dataset(
        "dataset polycrystal --res 4 --low-res 4 --count 1 --splits 0,0,1 --grains 3 "
        f"--loads six -o {folder}"
    )
    cases = SolvedCases(folder)
    assert [case.name for case in cases] == ["xx", "yy", "zz", "yz", "xz", "xy"]
    assert [case.strain[0].mean() > 0.5 for case in cases] == [True] + 5 * [False]


def test_runs_whose_folders_have_one_name_are_told_apart(grains, runs, tmp_path):
    import shutil

    shutil.copytree(runs / "s-eco", tmp_path / "s-eco")
    cases = SolvedCases(grains, count=1)
    found = make_predictors([runs / "s-eco", tmp_path / "s-eco"], [], cases)
    assert [c.name for c in found] == [str(runs / "s-eco"), str(tmp_path / "s-eco")]


def test_tables_have_the_rows_of_the_paper_and_a_column_for_everybody(grains, runs):
    cases = SolvedCases(grains)
    asked = ["low-res", "cg:1", "cg:3"]
    found = evaluate(cases, make_predictors([runs / "s-eco"], asked, cases))
    assert [label(c) for c in found["contenders"]] == [
        "s-eco (s-eco, unet)",
        "DNS 4^3 (upsampled)",
        "CG (1 iteration)",
        "CG (3 iterations)",
    ]
    errors, others = tables(found)
    paper = ["11", "12", "13", "22", "23", "33", " mean", " skill"]
    names = [f"{symbol}{n}" for symbol in ("eps", "sigma") for n in paper]
    assert [row[0] for row in errors.rows] == names
    assert {len(row) for row in errors.rows} == {6}
    assert {len(row) for row in others.rows} == {7}
    exact = found["contenders"][3]["nrmse"]["std"]["stress"]["xx"]
    mean, std = map(float, errors.rows[8][4].split(" ± "))
    np.testing.assert_allclose((mean, std), (exact["mean"], exact["std"]), rtol=0.1)
    assert len(tables(found, together=3)) == 4
    assert markdown(found).count("\n| eps11 |") == 1


def test_a_statistic_of_one_value_has_no_deviation():
    assert statistic([]) is None and statistic([None]) is None
    assert statistic([None, 2.0]) == {
        **dict.fromkeys(("mean", "min", "median", "max"), 2.0),
        **{"std": None, "count": 1},
    }
    assert statistic([1.0, 3.0])["std"] == pytest.approx(np.sqrt(2))
