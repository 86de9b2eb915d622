"""Runs on boxes with faces: trained, evaluated, and predicted from the command line."""

import json

import numpy as np
import pytest
from small_runs import as_options, make_dataset, refused, run, tiny

from ecosurrogate.data.symmetry import SYMMETRIES
from ecosurrogate.training.run import NO_SHEAR, prepare
from fftmech import Boundary, InputError, read_result, solve, write
from fftmech.datasets.dataset import Dataset
from fftmech.results.metrics import divergence_norm
from fftmech.tensors.fields import symmetrize

pytestmark = pytest.mark.slow

FACES = "--boundary x=uniaxial --boundary y=free --boundary z=free"
PULLED = Boundary("uniaxial", "free", "free")
MODELS = ("unet", "w-eco", "s-eco")
TABLE_1 = ["F11", "F12", "F13", "F22", "F23", "F33", "F21", "F31", "F32"]
STRESSES = ["sigma11", "sigma12", "sigma13", "sigma22", "sigma23", "sigma33"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A dataset, and a run of each model."""
    folder = tmp_path_factory.mktemp("boxes")
    make_dataset(
        "dataset polycrystal --res 8 --low-res 4 --grains 4 --splits 4,2,2 --count 8 "
        f"--seed 0 --strain xx=8e-5 {FACES} -o {folder}/grains"
    )
    for model in MODELS:
        settings = as_options(tiny(model=model, steps=4, validate_every=2))
        run(f"fit {folder}/grains -o {folder}/{model} {settings}")
    body = Dataset(folder / "grains", "test")[0].high.body
    write(folder / "body.h5", body)
    return folder


def test_an_evaluation_has_the_rows_of_the_papers_table_1(place):
    out = place / "evaluation"
    done = run(
        f"evaluate {place}/s-eco {place}/grains --against {place}/w-eco --against "
        f"{place}/unet --baseline low-res --baseline cg:40 -o {out}"
    )
    assert (
        "boxes with faces (x=uniaxial, y=free, z=free): no certificate" in done.stderr
    )
    text = (out / "evaluation.md").read_text()
    rows = [line.split(" | ")[0][2:] for line in text.splitlines() if line[:2] == "| "]
    wanted = [*TABLE_1, "F mean", "F skill", *STRESSES, "sigma mean", "sigma skill"]
    assert rows[2 : 2 + len(wanted)] == wanted
    assert "certificate (%)" not in text
    found = json.loads((out / "evaluation.json").read_text())
    errors = {c["name"]: c for c in found["contenders"]}
    assert errors["s-eco"]["divergence"]["max"] < 1e-6
    assert errors["w-eco"]["divergence"]["min"] > 1e-2
    # the solver itself, in boxes of the same faces
    solved = errors["CG"]["nrmse"]["std"]
    assert solved["gradient"]["all"]["max"] < 1e-4 > solved["stress"]["all"]["max"]
    assert 0 < errors["DNS 4^3"]["nrmse"]["std"]["gradient"]["yx"]["mean"] < 2
    assert found["uniform"]["nrmse"]["std"]["gradient"]["mean"]["mean"] == 1


def test_predictions_are_of_the_box_that_was_learned(place):
    out = place / "prediction.vtkhdf"
    done = run(f"predict {place}/s-eco {place}/body.h5 {FACES} -o {out}")
    assert "no certificate: the box has faces" in done.stdout
    found = read_result(out)
    assert found.boundary == PULLED
    assert found.displacement.shape == (3, 9, 9, 9)
    grid, H = found.microstructure.grid, found.displacement_gradient
    assert divergence_norm(found.stress, grid, "rotated", PULLED).relative < 1e-6
    # that of the file's displacement
    body, load = found.microstructure, found.load
    solved = solve(body, load, scheme="rotated", boundary=PULLED)
    np.testing.assert_allclose(H.mean(axis=(2, 3, 4))[0, 0], 8e-5, rtol=1e-6)
    faces = found.total_displacement[0][[0, -1]]
    np.testing.assert_allclose(
        faces, solved.total_displacement[0][[0, -1]], atol=1e-6 * 8e-5
    )
    minus = place / "minus.vtkhdf"
    run(f"predict {place}/s-eco {place}/body.h5 --uniaxial xx=-8e-5 -o {minus}")
    np.testing.assert_allclose(read_result(minus).strain, -found.strain, rtol=1e-5)
    line = f"predict {place}/w-eco {place}/body.h5 -o {place}/far.vtkhdf"
    assert "of finite strains" in run(f"{line} --strain xx=0.01").stderr
    for model in ("unet", "w-eco"):
        run(f"predict {place}/{model} {place}/body.h5 -o {place}/{model}.vtkhdf")
        own = read_result(place / f"{model}.vtkhdf")
        with pytest.raises(InputError, match="the prediction has none"):
            _ = own.displacement
        # what the network says, whose symmetric part is the strain
        H = own.displacement_gradient
        np.testing.assert_allclose(symmetrize(H), own.strain, atol=1e-6 * abs(H).max())
        assert abs(H - H.swapaxes(0, 1)).max() > 1e-3 * abs(H).max()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "predict {0}/s-eco {0}/body.h5 --boundary x=free",
            "was trained with boundary",
        ),
        (
            "predict {0}/s-eco {0}/body.h5 --average-shifts 2",
            "a box with faces has none",
        ),
        ("predict {0}/s-eco {0}/body.h5 --strain yy=1e-4", "leave it free"),
        ("predict {0}/s-eco {0}/body.h5 --stress xx=1", "does not see the load"),
        ("export {0}/s-eco -o {0}/model.pt2 --res 8", "a model of boxes with faces"),
        ("compare {0}/s-eco {0}/body.h5", "a model of boxes with faces"),
        ("fit {0}/grains -o {0}/new --model p-eco-iterated", "boxes with faces; take"),
        ("fit {0}/grains -o {0}/new --backbone deeponet", "it is periodic"),
        ("fit {0}/grains -o {0}/new --set loss.hypercircle=1", "in boxes with faces"),
        ("evaluate {0}/s-eco {1}", "was trained with boundary x=uniaxial"),
        ("fit {1} -o {0}/new --from {0}/s-eco", "has boundary x=periodic"),
    ],
)
def test_what_boxes_with_faces_do_not_have_is_refused(place, grains8, line, words):
    assert words in refused(line.format(place, grains8))


def test_what_stress_functions_lack_is_noted(tmp_path):
    make_dataset(
        "dataset polycrystal --res 4 --low-res 4 --grains 2 --splits 1,1,0 --count 2 "
        "--strain xy=1e-4 --boundary x=displacement --boundary y=free --seed 0 "
        f"-o {tmp_path}/sheared"
    )
    for kind, said in (("beltrami", True), ("maxwell", False)):
        settings = tiny(model="s-eco", options={"stress_functions": kind})
        notes = prepare(tmp_path / "sheared", tmp_path / kind, settings).notes
        assert (NO_SHEAR in notes) == said


def test_bodies_that_were_trained_on_are_known(place):
    body = Dataset(place / "grains", "train")[0].high.body
    write(place / "seen.h5", SYMMETRIES[7].body(body))
    done = run(f"predict {place}/s-eco {place}/seen.h5 -o {place}/seen.vtkhdf")
    assert "1 of 1 bodies was trained on" in done.stderr


def test_a_run_goes_on_and_weights_are_taken_on(place):
    run(f"fit {place}/grains -o {place}/s-eco --resume --steps 6")
    run(f"fit {place}/grains -o {place}/tuned --from {place}/s-eco --steps 2")
    found = prepare(place / "grains", place / "other", tiny(model="s-eco"))
    assert len(found.sampler.moves) == 16
    assert found.card.config.options["stress_functions"] == "beltrami"
    labels = found.batch(0)
    assert labels.gradient is not None and labels.gradient.shape[1:3] == (3, 3)
