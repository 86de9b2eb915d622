"""A run that begins with the weights of another, and one that is given more steps."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from small_runs import GRAINS, as_options, make_dataset, one_line, refused, run, tiny

from ecosurrogate.evaluation.learned_load import choose_load
from ecosurrogate.evaluation.predict import predict
from ecosurrogate.evaluation.predictors import make_predictors
from ecosurrogate.evaluation.seen_bodies import notes, unseen
from ecosurrogate.evaluation.solved_cases import SolvedCases
from ecosurrogate.training import train
from ecosurrogate.training.checkpoint import (
    RunCard,
    digest_of_weights,
    load_model,
    read_run,
)
from ecosurrogate.training.log import read_log
from ecosurrogate.training.run import prepare
from ecosurrogate.training.train import fit, learning_rate
from fftmech import InputError
from fftmech.datasets.manifest import read_manifest
from fftmech.io import Dataset

pytestmark = pytest.mark.usefixtures("no_curves", "one_thread")

SHORT = {"steps": 3, "validate_every": 3, "save_every": 2}


@pytest.fixture(scope="module")
def parent(grains8, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parent") / "run"
    fit(prepare(grains8, folder, tiny(model="unet", lr=0.004, **SHORT)))
    return folder


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """The bodies of `grains8`, others of them for training, validation and test."""
    folder = tmp_path_factory.mktemp("mixed") / "d"
    make_dataset(f"{GRAINS.replace('--splits 5,2,1', '--splits 2,3,3')} -o {folder}")
    return folder


def test_a_run_begins_with_the_model_and_weights_of_another(grains8, parent, tmp_path):
    model, card = load_model(parent)
    made = prepare(grains8, tmp_path / "run", {"lr": 1e-3}, parent=parent)
    for name, value in made.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    mine = made.card
    assert mine.encoder == card.encoder
    changed = {"lr": 1e-3, "normalize": "keep", "freeze": []}
    assert mine.config.as_dict() == {**card.config.as_dict(), **changed}
    (ancestor,) = mine.ancestors
    assert ancestor.weights == digest_of_weights(parent)
    assert (ancestor.dataset, ancestor.training_set) == (
        card.dataset,
        card.training_set,
    )
    assert RunCard.from_dict(json.loads(json.dumps(mine.as_dict()))) == mine


def test_another_dataset_of_other_bodies_and_another_grid_will_do(
    pores8, parent, tmp_path
):
    settings = {"steps": 1, "res": 4, "loss": {"strain": 0, "masked-labels": 1}}
    for how in ("keep", "fit"):
        asked = {**settings, "normalize": how}
        made = prepare(pores8, tmp_path / how, asked, parent=parent)
        assert made.train.res == 4 and made.objective.pores
        kept = made.card.encoder == read_run(parent).encoder
        assert kept == (how == "keep")
    assert fit(made).step == 1
    assert read_run(tmp_path / "fit") == made.card


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model": "s-eco"}, "model: unet there, s-eco asked"),
        ({"preset": "small"}, "preset: smoke there, small asked"),
        ({"representation": "euler"}, "representation: stiffness there, euler asked"),
        ({"network": {"groups": 4}}, "network.groups: 2 there, 4 asked"),
        (
            {"freeze": ["encode"]},
            "one of network.encoder.0, network.encoder.1, network.narrow.0",
        ),
        ({"freeze": ["*"]}, "nothing is left to train"),
        ({"freeze": "encoder"}, "a list of names"),
        ({"normalize": "often"}, "one of keep, fit"),
        ({"learning": 1}, "setting 'learning'"),
    ],
)
def test_what_does_not_go_with_the_weights_is_refused(
    grains8, parent, tmp_path, settings, expected
):
    with pytest.raises(InputError) as refusal:
        prepare(grains8, tmp_path / "run", settings, parent=parent)
    assert expected in one_line(refusal)
    assert not (tmp_path / "run").exists()


def test_what_needs_weights_to_begin_with_is_refused_without(grains8, parent, tmp_path):
    for settings in ({"normalize": "keep"}, {"freeze": ["head"]}):
        with pytest.raises(InputError, match="begins with random weights"):
            prepare(grains8, tmp_path / "run", tiny() | settings)
    with pytest.raises(InputError, match="what to begin with and where to write"):
        prepare(grains8, parent, {}, parent=parent, force=True)
    with pytest.raises(InputError, match="no run there"):
        prepare(grains8, tmp_path / "run", {}, parent=tmp_path)
    other = shutil.copytree(parent, tmp_path / "other")
    card = json.loads((other / "config.json").read_text()) | {"scheme": "forward"}
    (other / "config.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="make a dataset with --scheme forward"):
        prepare(grains8, tmp_path / "run", {}, parent=other)


def test_frozen_parts_stay_to_the_last_bit_and_the_others_learn(
    grains8, parent, tmp_path
):
    frozen = ("encoder.0", "network.h*d")
    made = prepare(
        grains8, tmp_path / "run", {"freeze": frozen, "steps": 2}, parent=parent
    )
    weights = [p for p in made.model.parameters() if p.requires_grad]
    assert made.parameters == sum(p.numel() for p in weights)
    fit(made)
    before, after = (load_model(f)[0].state_dict() for f in (parent, tmp_path / "run"))
    for name, value in after.items():
        still = name.startswith(("network.encoder.0.", "network.head."))
        assert torch.equal(value, before[name]) == still, name


def shared(folder, splits, known):
    """Numbers of the samples of these splits that a training set has."""
    records = read_manifest(folder).records.values()
    return {
        record["index"]
        for record in records
        if record["split"] in splits and record["fingerprint"] in known.fingerprints
    }


def test_bodies_of_the_parents_training_set_count_as_trained_on(
    grains8, mixed, parent, tmp_path
):
    known = read_run(parent).training_set
    tested, validated = (shared(mixed, split, known) for split in ("test", "val"))
    assert tested and validated
    made = prepare(mixed, tmp_path / "a", {"steps": 1}, parent=parent)
    own = made.card.training_set
    assert own and not shared(mixed, ("test", "val"), own)
    # validation
    assert not {r["index"] for r in made.val.records} & validated
    assert len(made.val) == made.card.dataset["val"] == 3 - len(validated)
    assert f"{len(validated)} of 3 bodies for validation" in made.notes[0]
    fit(made)
    # and by way of a run in between
    fit(prepare(mixed, tmp_path / "b", {"steps": 1}, parent=tmp_path / "a"))
    cases = SolvedCases(mixed)
    for name in "ab":
        predictors = make_predictors([tmp_path / name], [], cases)
        found = unseen(cases, predictors)
        assert {*found.indices} == {*cases.indices} - tested
        (note,) = notes(found, predictors)
        assert f"{len(tested)} of 3 bodies were trained on, and are left out" in note
        assert len(predictors[0].describe()["ancestors"]) == "ab".index(name) + 1
    # prediction
    model, card = load_model(tmp_path / "b")
    first = next(i for i, r in enumerate(cases.records) if r["index"] in tested)
    body = Dataset(mixed, "test")[first].high.body
    assert (
        "was trained on" in predict(model, card, body, choose_load(card, None)).notes[0]
    )


def test_what_an_ancestor_of_an_earlier_version_was_trained_on_is_unknown(
    mixed, parent, tmp_path
):
    old = shutil.copytree(parent, tmp_path / "old")
    card = json.loads((old / "config.json").read_text())
    for name in ("training_set", "ancestors", "extended"):
        del card[name]
    del card["config"]["freeze"], card["config"]["normalize"]
    card["format_version"] = 1
    (old / "config.json").write_text(json.dumps(card))
    made = prepare(mixed, tmp_path / "new", {"steps": 1}, parent=old)
    assert "unknown" in made.notes[0] and len(made.val) == 3
    fit(made)
    cases = SolvedCases(mixed)
    predictors = make_predictors([tmp_path / "new"], [], cases)
    assert "unknown" in notes(unseen(cases, predictors), predictors)[0]
    model, card = load_model(tmp_path / "new")
    body = Dataset(mixed, "val")[0].high.body
    assert "unknown" in predict(model, card, body, choose_load(card, None)).notes[0]


def rates(folder):
    return [record["lr"] for record in read_log(folder) if "lr" in record]


def test_a_finished_run_is_given_more_steps(grains8, parent, tmp_path, monkeypatch):
    folder = shutil.copytree(parent, tmp_path / "run")
    made = prepare(grains8, folder, {"steps": 7}, resume=True)
    assert made.card.config.steps == 7 and made.card.extended == (3,)
    assert read_run(folder) == read_run(parent)
    step = train._step

    def stop(run, state):
        if state.step == 5:
            raise OSError("killed")
        return step(run, state)

    monkeypatch.setattr(train, "_step", stop)
    with pytest.raises(OSError, match="killed"):
        fit(made)
    monkeypatch.undo()
    # the card knows, the line need not say it again
    assert fit(prepare(grains8, folder, {}, resume=True)).step == 7
    whole = shutil.copytree(parent, tmp_path / "whole")
    fit(prepare(grains8, whole, {"steps": 7}, resume=True))
    assert digest_of_weights(folder) == digest_of_weights(whole)
    card = read_run(folder)
    assert card.extended == (3,) and card == read_run(whole)
    expected = [learning_rate(read_run(parent).config, k) for k in range(3)]
    expected += [learning_rate(card.config, k) for k in range(3, 7)]
    assert rates(folder) == rates(whole) == expected
    with pytest.raises(InputError, match="steps: 7 there, 3 asked"):
        prepare(grains8, folder, {"steps": 3}, resume=True)


def test_a_run_without_its_state_does_not_begin_anew(grains8, parent, tmp_path):
    folder = shutil.copytree(parent, tmp_path / "run")
    (folder / "state.safetensors").unlink()
    for settings in ({}, {"steps": 7}):
        with pytest.raises(InputError, match="no state.safetensors to go on from"):
            prepare(grains8, folder, settings, resume=True)


def test_a_run_ended_before_its_first_checkpoint_needs_its_parent_again(
    grains8, parent, tmp_path
):
    folder = tmp_path / "run"
    whole = prepare(grains8, tmp_path / "whole", {"steps": 2}, parent=parent)
    fit(whole)
    folder.mkdir()
    shutil.copy(tmp_path / "whole/config.json", folder)
    with pytest.raises(InputError, match="name the run again"):
        prepare(grains8, folder, {}, resume=True)
    with pytest.raises(InputError, match="was not begun with the weights"):
        prepare(grains8, folder, {}, parent=tmp_path / "whole", resume=True)
    fit(prepare(grains8, folder, {}, parent=parent, resume=True))
    assert digest_of_weights(folder) == digest_of_weights(tmp_path / "whole")
    # afterwards it is complete
    assert prepare(grains8, folder, {"steps": 3}, resume=True).card.ancestors


def test_the_command_line_says_what_the_run_comes_from(grains8, parent, tmp_path):
    line = (
        f"fit {grains8} -o {tmp_path}/run --from {parent} --freeze encoder.1 "
        "--normalize fit --steps 1"
    )
    done = run(line)
    digest = digest_of_weights(parent)
    assert (
        f"weights of the run {digest[:12]}, encoder.1 frozen; normalisation fitted; "
        "learning rate up to 0.004" in done.stdout
    )
    document = json.loads(run(f"{line} --resume --json").stdout)
    assert document["ancestors"][0]["weights"] == digest
    assert document["step"] == 1 and document["notes"] == []


@pytest.mark.slow
def test_lines_that_cannot_be_are_refused(grains8, mixed, parent, tmp_path):
    line = f"fit {grains8} -o {tmp_path}/run"
    assert "normalize" in refused(f"{line} --normalize keep {as_options(tiny())}")
    message = refused(f"{line} --from {parent} --model s-eco")
    assert str(parent) in message and "unet there, s-eco asked" in message
    assert not Path(tmp_path / "run").exists()
    done = run(f"fit {mixed} -o {tmp_path}/run --from {parent} --steps 1")
    assert "note: " in done.stderr and "are left out" in done.stderr
