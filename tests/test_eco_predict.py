"""Predictions of a trained model: files, loads, certificates, warm starts."""

import json
import shutil

import numpy as np
import pytest
from command_lines import run_fftmech
from small_runs import as_options, one_line, refused, run, tiny

import fftmech
from ecosurrogate.evaluation.predict import predict, predict_many
from ecosurrogate.training.checkpoint import load_model
from fftmech import InputError, Load, io, solve
from fftmech.arrays.backend import cpu_backend
from fftmech.microstructure import polycrystal
from fftmech.problems.certificate import certify
from fftmech.problems.linear import Problem
from fftmech.viewer.opened_file import describe, open_file

pytestmark = pytest.mark.usefixtures("no_curves")

MODELS = ("p-eco-iterated", "s-eco", "unet")


@pytest.fixture(scope="module")
def runs(grains8, tmp_path_factory):
    """A folder with a few steps of some models, and a body in a file."""
    folder = tmp_path_factory.mktemp("runs")
    for model in MODELS:
        settings = tiny(model=model, steps=2, validate_every=2)
        run(f"fit {grains8} -o {folder / model} {as_options(settings)}")
    io.write(folder / "micro.h5", polycrystal(8, 4, seed=5))
    return folder


def test_the_file_holds_admissible_fields_with_the_load_and_their_certificate(runs):
    out = runs / "p.vtkhdf"
    line = f"predict {runs}/p-eco-iterated {runs}/micro.h5 -o {out} --force --json"
    said = json.loads(run(line).stdout)
    result = fftmech.read_result(out)
    assert said["certificate"] == result.certificate
    assert said["certificates"] == result.residuals and len(result.residuals) == 4
    assert result.status == "predicted" and result.solver == "p-eco-iterated"
    np.testing.assert_allclose(result.mean_strain[0], 8e-5, rtol=1e-6)
    assert abs(result.mean_stress[1:]).max() < 1e-6 * result.mean_stress[0]
    scheme, grid = fftmech.discretization("rotated"), result.microstructure.grid
    stress = result.stress[None].astype(float)
    divergence = scheme.divergence(stress, grid)
    assert abs(divergence).max() < 1e-5 * abs(stress).max() / grid.h[0]


def test_the_certificate_is_the_error_against_a_solve(runs):
    model, card = load_model(runs / "p-eco-iterated")
    body, load = polycrystal(8, 4, seed=5), Load({"xx": 2e-3, "xy": 1e-3})
    result = predict(model, card, body, load)
    exact = solve(body, load, scheme="rotated", tolerance=1e-10)
    C = body.stiffness[body.phase]
    de, ds = (
        np.moveaxis(getattr(result, f) - getattr(exact, f), 0, -1).astype(float)
        for f in ("strain", "stress")
    )
    error = np.einsum("...i,...ij,...j", de, C, de).mean()
    error += np.einsum(
        "...i,...i", ds, np.linalg.solve(C, ds[..., None])[..., 0]
    ).mean()
    np.testing.assert_allclose(2 * result.certificate["gap"], error, rtol=1e-3)
    bounds = (result.certificate[f"energy_{side}"] for side in ("lower", "upper"))
    lower, upper = bounds
    assert lower <= exact.energy <= upper


def test_a_prediction_is_never_said_to_be_a_solve(runs):
    out = runs / "said.vtkhdf"
    done = run(f"predict {runs}/p-eco-iterated {runs}/micro.h5 -o {out} --force")
    result = fftmech.read_result(out)
    error, uniform = (result.certificate[name] for name in ("relative", "uniform"))
    assert 0 < error < uniform < 1
    certified = f"{100 * error:.2g} % (uniform fields {100 * uniform:.2g} %)"
    assert f"certified: energy error {certified}" in done.stdout
    line = run_fftmech("info", out).stdout
    said = line[line.index("Prediction") :]
    shown = {" ".join(row.split()) for row in said.splitlines()}
    assert {"predicted by p-eco-iterated, scheme rotated, single", "corrections 3"} < (
        shown
    )
    assert f"certified energy error {certified}" in shown
    rows = describe(open_file(out))
    assert rows["predicted by"] == "p-eco-iterated" and rows["corrections"] == "3"
    assert "uniform fields" in rows["certified energy error"]
    assert {"predicted in"} < {*rows}
    for word in ("residual", "iterations", "solve", "tolerance", "status"):
        assert word not in said.lower()
        assert not any(word in f"{row}".lower() for row in rows.items())
    document = json.loads(run_fftmech("info", out, "--json").stdout)["run"]
    assert document["model"] == "p-eco-iterated" and document["corrections"] == 3
    assert document["certificates"] == result.residuals
    assert not {"residuals", "iterations", "solver", "tolerance"} & {*document}
    same = run_fftmech("compare", out, out)
    assert "note: a is predicted by p-eco-iterated" in same.stderr


def test_the_displacement_is_that_of_the_strain(runs):
    model, card = load_model(runs / "p-eco-iterated")
    body = polycrystal(8, 4, seed=6)
    result = predict(model, card, body, Load({"xx": 1e-3}))
    scheme = fftmech.discretization("rotated")
    strain = scheme.strain(result.displacement.astype(float), body.grid)[0]
    strain += result.mean_strain[:, None, None, None]
    np.testing.assert_allclose(strain, result.strain, atol=1e-9)


def test_a_solve_takes_a_prediction_as_its_start(runs):
    out, solved = runs / "w.vtkhdf", runs / "s.vtkhdf"
    run(f"predict {runs}/p-eco-iterated {runs}/micro.h5 -o {out} --force")
    counts = []
    for extra in ([], ["--initial", str(out)]):
        line = ["solve", str(runs / "micro.h5"), "--uniaxial", "xx=8e-5", "--force"]
        line += ["-o", str(solved), "--json", *extra]
        done = run_fftmech(*line)
        counts.append(json.loads(done.stdout)["iterations"])
    assert counts[1] < counts[0]


def test_predictions_on_larger_and_unequal_grids_keep_their_certificate(runs):
    model, card = load_model(runs / "p-eco-iterated")
    for shape in ((12, 8, 10), (9, 7, 5)):
        result = predict(model, card, polycrystal(shape, 4), Load({"xx": 1e-3}))
        assert 0 < result.certificate["relative"] < 0.1


def test_models_that_break_equilibrium_have_no_certificate(runs):
    line = f"predict {runs}/unet {runs}/micro.h5 -o {runs}/u.vtkhdf --force"
    assert "no certificate: the fields of this model" in run(line).stdout


@pytest.mark.parametrize("name", ["s-eco", "unet"])
def test_a_model_that_does_not_see_the_load_refuses_another_one(runs, name):
    line = f"predict {runs}/{name} {runs}/micro.h5 -o {runs}/l.vtkhdf"
    message = refused(f"{line} --strain xy=1e-3")
    assert "load --strain xy=0.001" in message and "does not see the load" in message
    assert "has learned --uniaxial xx=8e-05" in message
    model, card = load_model(runs / name)
    body = polycrystal(8, 4, seed=5)
    for load in (
        Load.uniaxial("zz", 8e-5),
        Load({"xx": 8e-5}),
        Load.uniaxial("xx", 8e-5).scaled(0),
        Load({"xx": 8e-5}, {**Load.uniaxial("xx", 1).stress, "yy": 1e-3}),
    ):
        for predicted in (predict, lambda *given: predict_many(*_lists(*given))):
            with pytest.raises(InputError) as refusal:
                predicted(model, card, body, load)
            assert "{" not in one_line(refusal)


def _lists(model, card, body, load):
    return model, card, [body], [load]


@pytest.mark.parametrize("name", ["s-eco", "unet"])
def test_a_multiple_of_the_load_scales_the_fields(runs, name):
    model, card = load_model(runs / name)
    body, learned = polycrystal(8, 4, seed=5), Load.uniaxial("xx", 8e-5)
    once = predict(model, card, body, learned)
    for factor in (-1, 3, -1e3):
        result = predict(model, card, body, learned.scaled(factor))
        for field in ("strain", "stress", "displacement", "mean_stress"):
            a, b = getattr(result, field), factor * getattr(once, field)
            np.testing.assert_allclose(a, b, atol=1e-5 * abs(b).max())
        assert result.energy == pytest.approx(factor**2 * once.energy, rel=1e-5)
        if name == "s-eco":
            relative = once.certificate["relative"]
            assert result.certificate["relative"] == pytest.approx(relative, rel=1e-4)
            assert result.mean_strain[0] == pytest.approx(factor * 8e-5, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s-eco", "unet"])
def test_a_negative_load_is_compared_with_its_own_solution(runs, name, monkeypatch):
    monkeypatch.setattr("ecosurrogate.mechanics.cost.ROUNDS", (1, 1))
    line = f"compare {runs}/{name} {runs}/micro.h5 -o {runs}/c.json --force --json"
    errors = [
        json.loads(run(f"{line} --uniaxial xx={load}").stdout)["surrogate"][0]["strain"]
        for load in ("8e-5", "-8e-5")
    ]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)


def test_bad_input_is_one_line_and_nothing_is_written(runs):
    out = runs / "none.vtkhdf"
    for line, named in (
        (f"predict {runs}/nothing {runs}/micro.h5", "no run there"),
        (f"predict {runs}/unet {runs}/nothing.h5", "no such file"),
        (f"predict {runs}/unet {runs}/micro.h5 --strain xx=nan", "finite"),
        (f"predict {runs}/unet {runs}/micro.h5 --device tpu", "--device"),
    ):
        assert named in refused(f"{line} -o {out}")
        assert not out.exists()
    damaged = runs / "damaged"
    shutil.copytree(runs / "unet", damaged)
    weights = damaged / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    assert "weights" in refused(f"predict {damaged} {runs}/micro.h5 -o {out}")


@pytest.mark.parametrize("name", MODELS)
def test_the_average_over_all_shifts_does_not_depend_on_the_origin(runs, name):
    model, card = load_model(runs / name)
    body, load = polycrystal(8, 4, seed=5), Load.uniaxial("xx", 8e-5)
    moved = body.with_changes(phase=np.roll(body.phase, (1, 0, 3), (0, 1, 2)))

    def difference(shifts):
        a, b = (predict(model, card, x, load, shifts=shifts) for x in (body, moved))
        back = np.roll(b.stress, (-1, 0, -3), (1, 2, 3))
        return abs(a.stress - back).max() / abs(a.stress).max()

    # two levels: eight shifts
    assert difference(8) == difference(None) < 1e-5
    if name != "p-eco-iterated":
        assert difference(1) > 1e-4


def test_an_average_is_admissible_and_has_the_certificate_of_its_fields(runs):
    model, card = load_model(runs / "s-eco")
    body, load = polycrystal(8, 4, seed=5), Load.uniaxial("xx", 8e-5)
    result = predict(model, card, body, load, shifts=5)
    problem = Problem(
        body, load, fftmech.discretization(card.encoder.scheme), cpu_backend()
    )
    fields = (f[None].astype(float) for f in (result.strain, result.stress))
    expected = certify(problem, *fields)
    assert result.certificate["gap"] == pytest.approx(expected.gap, rel=1e-4)
    once = predict(model, card, body, load)
    assert result.certificate["gap"] != once.certificate["gap"]
    line = f"predict {runs}/s-eco {runs}/micro.h5 -o {runs}/a.vtkhdf --force"
    run(f"{line} --average-shifts all")
    for wrong, named in (("9", "1 to 8"), ("0", "1 to 8"), ("-1", "or all")):
        assert named in refused(f"{line} --average-shifts {wrong}")
