"""What a model was trained on: told of each body, and left out of means."""

import json
import shutil

import numpy as np
import pytest
from small_runs import GRAINS, as_options, make_dataset, refused, run, tiny

from ecosurrogate.data.symmetry import SYMMETRIES
from ecosurrogate.data.training_set import TrainingSet, measures
from ecosurrogate.evaluation.learned_load import choose_load
from ecosurrogate.evaluation.predict import predict
from ecosurrogate.evaluation.predictors import make_predictors
from ecosurrogate.evaluation.seen_bodies import unseen
from ecosurrogate.evaluation.solved_cases import SolvedCases
from ecosurrogate.training.checkpoint import load_model, read_run
from fftmech.datasets.draft import new_card
from fftmech.datasets.images import ImagesRecipe
from fftmech.datasets.make import make
from fftmech.datasets.manifest import read_manifest, write_manifest
from fftmech.io import Dataset, write
from fftmech.materials import cubic, isotropic
from fftmech.materials.elastic import PORE
from fftmech.microstructure import polycrystal, sphere

pytestmark = pytest.mark.usefixtures("no_curves", "one_thread")

ALL_FOR_THE_TEST = GRAINS.replace("--splits 5,2,1", "--splits 0,0,1")


@pytest.fixture(scope="module")
def place(grains8, tmp_path_factory):
    """A run; its bodies once more, all for the test; as many others."""
    folder = tmp_path_factory.mktemp("seen")
    settings = as_options(tiny(model="s-eco", steps=2, validate_every=2))
    run(f"fit {grains8} -o {folder}/run {settings}")
    make_dataset(f"{ALL_FOR_THE_TEST} -o {folder}/same")
    make_dataset(f"{ALL_FOR_THE_TEST.replace('--seed 0', '')} -o {folder}/other")
    return folder


def evaluated(line):
    return json.loads(run(f"evaluate {line} --baseline none --json").stdout)


def test_bodies_that_were_trained_on_are_left_out_unless_asked(place):
    found = evaluated(f"{place}/run {place}/same")
    assert found["samples"] == 3
    assert "5 of 8 bodies were trained on, and are left out" in found["notes"][0]
    kept = {r["index"] for r in found["contenders"][0]["samples"]}
    records = read_manifest(place / "same").records
    known = read_run(place / "run").training_set
    assert known and len(known.fingerprints) == 2 * 5
    assert not {records[i]["fingerprint"] for i in kept} & known.fingerprints
    found = evaluated(f"{place}/run {place}/same --include-trained")
    assert found["samples"] == 8
    assert "5 of 8 bodies were trained on, and are part of all" in found["notes"][0]


def test_the_documented_recipe_of_a_test_set_shares_no_body(place):
    found = evaluated(f"{place}/run {place}/other")
    assert found["samples"] == 8 and not found["notes"]


def test_where_all_were_trained_on_nothing_is_evaluated(place, tmp_path):
    make_dataset(f"{ALL_FOR_THE_TEST} -o {tmp_path}/two --count 1")
    message = refused(f"evaluate {place}/run {tmp_path}/two -o {tmp_path}/e")
    assert "all 1 bodies for test were trained on" in message
    assert "--include-trained" in message and not (tmp_path / "e").exists()


def test_fingerprints_are_made_where_a_dataset_has_none(place, tmp_path):
    folder = shutil.copytree(place / "same", tmp_path / "d")
    records = read_manifest(folder).records
    for record in records.values():
        del record["fingerprint"]
    write_manifest(folder, records.values())
    cases = SolvedCases(folder)
    predictors = make_predictors([place / "run"], [], cases)
    assert len(unseen(cases, predictors).indices) == 3


def test_a_run_of_an_earlier_version_says_that_it_does_not_know(place, tmp_path):
    folder = shutil.copytree(place / "run", tmp_path / "old")
    card = json.loads((folder / "config.json").read_text())
    del card["training_set"]
    (folder / "config.json").write_text(json.dumps(card))
    found = evaluated(f"{folder} {place}/same")
    assert found["samples"] == 8 and "unknown" in found["notes"][0]
    write(tmp_path / "micro.h5", polycrystal(8, 4))
    done = run(f"predict {folder} {tmp_path}/micro.h5 -o {tmp_path}/p.vtkhdf")
    assert "note: a run of an earlier version" in done.stderr


def test_a_body_that_was_trained_on_is_told_however_it_lies(place, grains8):
    model, card = load_model(place / "run")
    load = choose_load(card, None)
    body = Dataset(grains8, "train")[2].high.body
    moved = SYMMETRIES[17].body(body)
    moved = moved.with_changes(phase=np.roll(moved.phase, (1, 4, 0), (0, 1, 2)))
    for given in (body, moved):
        (note,) = predict(model, card, given, load).notes
        assert "was trained on" in note
    assert predict(model, card, Dataset(grains8, "val")[0].high.body, load).notes == []


@pytest.mark.parametrize(
    "command",
    ["predict -o p.vtkhdf", pytest.param("compare -o c.json", marks=pytest.mark.slow)],
)
def test_commands_say_that_a_body_was_trained_on(
    place, grains8, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ecosurrogate.mechanics.cost.ROUNDS", (1, 1))
    write("micro.h5", Dataset(grains8, "train")[2].high.body)
    name, *output = command.split()
    done = run(f"{name} {place}/run micro.h5 {' '.join(output)} --json")
    assert "note: 1 of 1 bodies was trained on" in done.stderr
    assert "was trained on" in json.loads(done.stdout)["notes"][0]


STEEL, SOFT = isotropic(E=210.0, nu=0.3), isotropic(E=2.1, nu=0.3)
RUBBER = isotropic(E=1.0, nu=0.499)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (sphere(8, 0.3, STEEL, SOFT), "contrast 100, trained on 1"),
        (sphere(8, 0.3, STEEL, PORE), "pore fraction 0.109, trained on 0"),
        (sphere(8, 0.3, STEEL, 2 * STEEL), "isotropic phases, trained on cubic ones"),
        (
            sphere(8, 0.3, RUBBER, 2 * RUBBER),
            "bulk over shear modulus 500, trained on 1.8",
        ),
        (polycrystal(12, 4), "12 x 12 x 12 voxels, trained on 8 x 8 x 8"),
        (polycrystal(8, 9), "number of solid phases 9, trained on 4"),
        (
            polycrystal(8, 4, stiffness=cubic(C11=300.0, C12=30.0, C44=30.0)),
            "anisotropy",
        ),
    ],
)
def test_a_body_unlike_those_of_the_training_set_is_told(place, body, said):
    model, card = load_model(place / "run")
    notes = predict(model, card, body, choose_load(card, None)).notes
    assert any(said in note for note in notes), notes


def test_what_is_known_of_a_training_set_goes_through_json(place):
    known = read_run(place / "run").training_set
    assert known
    again = json.loads(json.dumps(known.as_dict()))
    assert TrainingSet.from_dict(again) == known
    assert measures(polycrystal(8, 4))["contrast"] == pytest.approx((1, 1))


def test_windows_of_the_images_that_were_trained_on_are_left_out(tmp_path):
    image = (np.random.default_rng(0).random((40, 12, 12)) > 0.03).astype(np.uint8)
    (tmp_path / "ct").mkdir()
    np.save(tmp_path / "ct/a.npy", image)
    recipe = ImagesRecipe.from_folder(tmp_path / "ct", window=8)
    card = new_card(recipe, 6, (8,), parts=(2, 1, 1))
    make(tmp_path / "train", card, jobs=1)
    make(tmp_path / "test", new_card(recipe, 12, (8,), parts=(0, 0, 1)), jobs=1)
    bodies = [sample.high.body for sample in Dataset(tmp_path / "train", "train")]
    known = TrainingSet.of(bodies, [], 8, 8, card.parameters)
    (block,) = (b for b in card.parameters["blocks"] if b[0] == "train")
    axis = int(np.argmax(np.subtract(image.shape, block[4])))
    cases = SolvedCases(tmp_path / "test")
    expected = {
        record["index"]
        for record in cases.records
        if record["statistics"]["xyz"[axis]] < block[4][axis]
    }
    assert 0 < len(expected) < 12 and cases.seen(known) == expected
    assert not SolvedCases(tmp_path / "train").seen(known)
