"""Predictions of a trained model: files, loads, certificates, warm starts."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("torch")

from click.testing import CliRunner  # noqa: E402
from small_runs import as_options, refused, run, tiny  # noqa: E402

import fftmech  # noqa: E402
from ecosurrogate.evaluation.predict import predict  # noqa: E402
from ecosurrogate.training.checkpoint import load_model  # noqa: E402
from fftmech import Load, io, solve  # noqa: E402
from fftmech.microstructure import polycrystal  # noqa: E402
from fftmech.viewer.opened_file import describe, open_file  # noqa: E402
from fftmech_cli import fftmech_main  # noqa: E402

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
    exact = solve(body, load, tolerance=1e-10)
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
    pytest.importorskip("rich")
    out = runs / "said.vtkhdf"
    done = run(f"predict {runs}/p-eco-iterated {runs}/micro.h5 -o {out} --force")
    result = fftmech.read_result(out)
    error, uniform = (result.certificate[name] for name in ("relative", "uniform"))
    assert 0 < error < uniform < 1
    certified = f"{100 * error:.2g} % (uniform fields {100 * uniform:.2g} %)"
    assert f"certified: energy error {certified}" in done.stdout
    line = CliRunner().invoke(fftmech_main.main, ["info", str(out)]).stdout
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
    document = json.loads(
        CliRunner().invoke(fftmech_main.main, ["info", str(out), "--json"]).stdout
    )["run"]
    assert document["model"] == "p-eco-iterated" and document["corrections"] == 3
    assert document["certificates"] == result.residuals
    assert not {"residuals", "iterations", "solver", "tolerance"} & {*document}
    same = CliRunner().invoke(fftmech_main.main, ["compare", str(out), str(out)])
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
        done = CliRunner().invoke(fftmech_main.main, line)
        assert done.exit_code == 0, done.output
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


def test_a_model_that_does_not_see_the_load_refuses_another_one(runs):
    line = f"predict {runs}/s-eco {runs}/micro.h5 -o {runs}/l.vtkhdf"
    assert "does not see the load" in refused(f"{line} --strain xy=1e-3")
    run(f"{line} --uniaxial xx=2e-3 --force")


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
