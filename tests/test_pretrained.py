"""Pretrained models: their cards are true, and their names stand where runs do."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from small_runs import one_line, refused, run

from ecosurrogate.pretrained import catalogue
from ecosurrogate.server.model_cards import describe
from ecosurrogate.server.predictor import Predictor
from ecosurrogate.training.checkpoint import (
    CARD,
    WEIGHTS,
    digest_of_weights,
    load_model,
    read_run,
)
from ecosurrogate.training.run import prepare
from ecosurrogate.training.tensor_file import read_tensors, write_tensors
from fftmech import InputError, io
from fftmech.microstructure import polycrystal

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.usefixtures("one_thread")

SOURCES = ("fftmech", "ecosurrogate", "cli", "pyproject.toml", "README.md", "LICENSE")
NAMES = catalogue.names()
NAME = NAMES[0]
FILES = {catalogue.CARD, CARD, WEIGHTS}
LARGEST = 6_000_000


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_a_model_is_small_and_its_card_is_of_its_files(name):
    folder, card = catalogue.folder_of(name), catalogue.read_card(name)
    assert {file.name for file in folder.iterdir()} == FILES
    assert sum(file.stat().st_size for file in folder.iterdir()) < LARGEST
    model, known = load_model(name)
    assert card["name"] == name and card["licence"] == "MIT"
    assert card["weights"]["sha256"] == digest_of_weights(name)
    assert card["weights"]["bytes"] == (folder / WEIGHTS).stat().st_size
    said = describe(model, known, name)
    assert said["test"] == card["test"] and said["scheme"] == card["scheme"]
    for entry in ("model", "backbone", "preset", "representation"):
        assert said[entry] == card["model"][entry]
    assert said["parameters"] == card["model"]["parameters"]
    assert said["resolution"] == card["resolution"]
    assert known.config.steps == card["training"]["steps"]
    assert known.dataset["train"] == card["dataset"]["train"]
    assert known.training_set is not None
    ranges = known.training_set.as_dict()["ranges"]
    assert card["domain"]["ranges"] == ranges
    assert card["test"]["skill"]["stress"] > 0 and card["test"]["skill"]["strain"] > 0


@pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="no folder benchmarks")
def test_a_model_has_the_errors_that_its_card_says(name, monkeypatch):
    """On one body, that it was not trained on: beside a solve, and by certificate."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from pretrained import digest, example, made_by, measured

    card = catalogue.read_card(name)
    recipe, told = card["dataset"]["recipe"], card["check"]
    model, known = load_model(name)
    body, _ = example(recipe, told["res"])
    assert not any(seen and seen.has(body) for seen in known.training_sets)
    # rounding in single precision is another one on other processors
    expected = {key: n and pytest.approx(n, rel=0.02) for key, n in told.items()}
    assert measured(model, known, recipe, told["res"]) == expected
    assert digest(made_by(card["dataset"]["command"])) == known.dataset["sha256"]


def test_a_name_is_a_model_unless_a_run_here_has_it_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = catalogue.folder_of(NAME)
    # results of a model may well be in a folder of its name
    (tmp_path / NAME).mkdir()
    assert catalogue.run_folder(NAME) == place
    shutil.copy(place / CARD, tmp_path / NAME)
    for use in (catalogue.run_folder, load_model, read_run, digest_of_weights):
        with pytest.raises(InputError, match="a pretrained model too") as refusal:
            use(NAME)
    assert f"./{NAME} for the run, or {place} for" in one_line(refusal)
    for run_ in (f"./{NAME}", f"{NAME}/", Path(NAME), tmp_path / NAME):
        assert catalogue.run_folder(run_).resolve() == tmp_path / NAME
    assert catalogue.run_folder(str(place)) == place


def test_models_are_listed_with_their_loads_and_cards_are_told_whole(name):
    listed, whole = run("models").stdout, run(f"models {name}").stdout
    card = catalogue.read_card(name)
    load = re.escape(card["load"]["trained_under"])
    assert re.search(rf"^{name}: .*; load: .*{load}$", listed, re.MULTILINE)
    for fact in (card["dataset"]["command"], card["about"], card["scheme"], "MIT"):
        assert fact in whole
    assert json.loads(run("models --json").stdout)["models"][NAMES.index(name)] == card
    said = json.loads(run(f"models {name} --json").stdout)
    assert said == {"folder": str(catalogue.folder_of(name)), **card}


def test_an_unknown_name_is_told_where_the_known_ones_are():
    assert f"expected one of {', '.join(NAMES)}" in refused("models none")
    assert "ecosr models" in refused("predict none micro.h5 -o out.vtkhdf")


def test_models_that_the_documentation_uses_are_there():
    commands = "models|predict|compare|evaluate|export|serve"
    uses = rf"(?:ecosr (?:{commands}) |load_model\(\")([a-z]+-[a-z-]+)"
    pages = [ROOT / "README.md", ROOT / "Makefile", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        used = re.findall(uses, page.read_text(encoding="utf-8"))
        assert {*used} <= {*NAMES}, page


def test_weights_in_half_precision_are_those_numbers_in_single(tmp_path):
    model, _ = load_model(NAME)
    weights = model.half().state_dict()
    write_tensors(tmp_path / WEIGHTS, weights, {})
    expected = model.float().state_dict()
    found, _ = read_tensors(tmp_path / WEIGHTS, expected)
    assert all((found[key] == weights[key].float()).all() for key in expected)
    # what is in half precision by itself is never read into less
    double = {key: value.double() for key, value in expected.items()}
    with pytest.raises(InputError, match="float64"):
        read_tensors(tmp_path / WEIGHTS, double)


def test_a_package_in_a_zip_file_has_its_models(tmp_path, monkeypatch):
    archive, inside = tmp_path / "all.zip", "ecosurrogate/pretrained"
    with zipfile.ZipFile(archive, "w") as file:
        for part in catalogue.folder_of(NAME).iterdir():
            file.write(part, f"{inside}/{NAME}/{part.name}")
    place = zipfile.Path(archive, f"{inside}/")
    monkeypatch.setattr(catalogue, "files", lambda package: place)
    monkeypatch.setattr(
        catalogue, "folder_of", catalogue.folder_of.__wrapped__, raising=True
    )
    assert catalogue.names() == [NAME]
    assert catalogue.read_card(NAME)["name"] == NAME
    assert load_model(NAME)[1].config.model


@pytest.mark.slow
def test_every_command_that_takes_a_run_takes_a_model(grains8, tmp_path, monkeypatch):
    """What takes long is refused for something else, when the model is read."""
    monkeypatch.chdir(tmp_path)
    io.write("micro.h5", polycrystal(8, 4, seed=5))
    load = "--uniaxial xx=1e-3"
    run(f"predict {NAME} micro.h5 {load} -o out.vtkhdf")
    found = run(f"evaluate {NAME} {grains8} --baseline none --json").stdout
    assert json.loads(found)["contenders"][0]["name"] == NAME
    assert "lower --batch" in refused(f"compare {NAME} micro.h5 {load} --batch {10**9}")
    zero = f"export {NAME} -o model.pt2 --res 4 --strain xx=0"
    assert "a load of zero" in refused(zero)
    further = f"fit {grains8} -o tuned --from {NAME}"
    assert f"{NAME} has the weights of" in refused(f"{further} --backbone ddpm-unet")
    begun = prepare(grains8, "tuned", {}, parent=NAME)
    assert begun.card.ancestors[0].weights == digest_of_weights(NAME)
    (before,) = describe(begun.model, begun.card, NAME)["ancestors"]
    assert before["dataset"] == dict(read_run(NAME).dataset)
    assert "both what to begin with" in refused(
        f"fit {grains8} -o {NAME} --from {NAME}"
    )
    assert Predictor({NAME: NAME}).models[NAME][1] == read_run(NAME)


@pytest.mark.slow
def test_wheel_and_source_archive_have_the_models(tmp_path):
    for part in SOURCES:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    code = "from setuptools import build_meta; build_meta.build_{}('.')"
    for kind in ("sdist", "wheel"):
        command = [sys.executable, "-c", code.format(kind)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        if kind == "sdist":
            (archive,) = tmp_path.glob("*.tar.gz")
            with tarfile.open(archive) as file:
                file.extractall(tmp_path, filter="data")
            # the wheel is then made of what that archive holds
            tmp_path = tmp_path / archive.name.removesuffix(".tar.gz")
    (wheel,) = tmp_path.glob("*.whl")
    names = {*zipfile.ZipFile(wheel).namelist()}
    for name in NAMES:
        place = f"ecosurrogate/pretrained/{name}"
        assert {n for n in names if n.startswith(place)} == {
            f"{place}/{file}" for file in FILES
        }
