"""Studies: what is tried follows from the seed, and goes on from any interruption."""

import json
import pickle
import shlex
import tomllib

import pytest
from small_runs import Server, as_options, one_line, tiny

from ecosurrogate.training.checkpoint import load_model
from ecosurrogate.training.run import prepare
from ecosurrogate.training.settings import as_options as line_of
from ecosurrogate.training.settings import (
    as_toml,
    parse_setting,
    read_settings,
    resolve,
)
from ecosurrogate.training.train import fit
from ecosurrogate.tuning.search_space import (
    Choice,
    Range,
    corners,
    default_space,
    parse_dimension,
    read_study_file,
)
from ecosurrogate.tuning.study import CERTIFICATE, LABELS
from ecosurrogate.tuning.trials import Trial, Trials, best_of
from ecosurrogate.tuning.tune import open_study
from fftmech import InputError

# the study of test_cli_tune.py is in make test
pytestmark = [pytest.mark.usefixtures("no_curves"), pytest.mark.slow]

SPACE = {"lr": Range(1e-4, 1e-2, log=True), "batch": Choice((1, 2))}
TRIED = tiny(steps=6, validate_every=2, save_every=2)
del TRIED["batch"]


@pytest.fixture(scope="module")
def study(grains8, tmp_path_factory):
    """A study of six trials, and those."""
    folder = tmp_path_factory.mktemp("study") / "study"
    made = open_study(grains8, folder, TRIED, SPACE)
    return made, made.run(6)


def without_times(trials):
    return [trial._replace(seconds=0.0) for trial in trials]


def search(folder, errors, seed=0):
    """Values of trials whose error is a function of their values."""
    folder.mkdir(exist_ok=True)
    trials = Trials(folder, SPACE, seed)
    trials.begin({})
    for _ in range(len(errors) - len(trials.ended())):
        number, values = trials.ask()
        trials.tell("done", errors[number])
    return [trial.values for trial in trials.ended()]


def test_the_first_trial_has_the_defaults(study):
    _, trials = study
    assert trials[0].values["lr"] == resolve(TRIED).lr
    assert trials[0].values["batch"] == resolve(TRIED).batch


def test_trials_are_of_the_space_and_differ(study):
    made, trials = study
    assert [trial.number for trial in trials] == list(range(6))
    for trial in trials:
        assert all(trial.values[key] in made.space[key] for key in made.space)
    assert len({trial.values["lr"] for trial in trials}) == 6


def test_the_best_trial_is_a_run_with_the_error_that_is_reported(study):
    made, trials = study
    best = best_of(trials)
    assert best is not None and best.error == min(
        trial.error for trial in trials if trial.status == "done"
    )
    folder = made.trial_folder(best.number)
    load_model(folder)
    errors = [json.loads(line) for line in (folder / "log.jsonl").open()][-1]
    found = errors["validation"]
    assert made.error == LABELS
    assert best.error == (found["strain"] + found["stress"]) / 2


def test_the_best_settings_repeat_its_weights(study, grains8, tmp_path):
    made, trials = study
    best = best_of(trials)
    assert best is not None
    settings = read_settings(made.folder / "best.toml")
    assert settings == made.trial_settings(best)
    fit(prepare(grains8, tmp_path / "run", settings))
    expected = made.trial_folder(best.number) / "weights.safetensors"
    found = tmp_path / "run" / "weights.safetensors"
    assert found.read_bytes() == expected.read_bytes()


def test_states_that_no_run_needs_are_not_kept(study):
    made, trials = study
    for trial in trials:
        files = {path.name for path in made.trial_folder(trial.number).iterdir()}
        assert "config.json" in files and "state.safetensors" not in files


def test_more_trials_go_on_as_if_they_had_been_asked_for_at_once(
    study, grains8, tmp_path
):
    _, whole = study
    for count in (2, 6, 3):
        again = open_study(grains8, tmp_path / "study", TRIED, SPACE).run(count)
    assert without_times(again) == without_times(whole)


def test_a_study_that_is_killed_goes_on_to_the_same_trials(study, grains8, tmp_path):
    _, whole = study
    folder = tmp_path / "study"
    line = (
        f"tune {grains8} -o {folder} --trials 3 {as_options(TRIED)} "
        "--space lr=1e-4:1e-2:log --space batch=[1,2]"
    )
    server = Server()
    assert server(line, folder, "change", 2) == -9
    for number in (4, 13, 24, 41):
        code = server(line, folder, "change", number)
        assert code == -9
    assert server(line) == 0
    document = json.loads((folder / "study.json").read_text())
    found = [Trial(**trial) for trial in document["trials"]]
    assert without_times(found) == without_times(whole)[:3]


def test_ctrl_c_keeps_the_trial_that_is_at_work(grains8, tmp_path, study):
    _, whole = study
    folder = tmp_path / "study"
    made = open_study(grains8, folder, TRIED, SPACE)

    def interrupt(step, steps, text):
        if step == 4 and text.startswith("trial 2 of 3, loss "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.run(3, interrupt)
    assert (made.trial_folder(1) / "state.safetensors").exists()
    trials = open_study(grains8, folder, TRIED, SPACE).run(3)
    assert without_times(trials) == without_times(whole)[:3]


def test_what_is_drawn_follows_from_the_seed(tmp_path):
    errors = [float(k % 5) for k in range(14)]
    first = search(tmp_path / "a", errors)
    assert first == search(tmp_path / "b", errors)
    assert first != search(tmp_path / "c", errors, seed=1)
    # the sampler is made anew for every trial, and learns all the same
    assert first[:10] == search(tmp_path / "d", errors[::-1])[:10]
    assert first != search(tmp_path / "e", errors[::-1])


def test_the_sampler_is_better_than_chance(tmp_path):
    trials = Trials(tmp_path, dict.fromkeys("abc", Range(0.0, 1.0)), 0)
    trials.begin({})
    errors = []
    for _ in range(40):
        _, values = trials.ask()
        errors.append(sum((x - 0.3) ** 2 for x in values.values()))
        trials.tell("done", errors[-1])
    assert sum(errors[10:]) / 30 < sum(errors[:10]) / 10 / 3


def test_a_trial_that_falls_behind_is_pruned_and_one_that_leads_is_not(tmp_path):
    trials = Trials(tmp_path, SPACE, 0)
    trials.begin({})
    for error in (1.0, 2.0, 3.0, 4.0):
        trials.ask()
        assert not trials.report(10, error)
        trials.tell("done", error)
    trials.ask()
    assert trials.report(10, 3.5)
    trials.tell("pruned", 3.5)
    trials.ask()
    assert not trials.report(10, 1.5)
    trials.tell("done", 1.5)
    statuses = [trial.status for trial in trials.ended()]
    assert statuses == [*["done"] * 4, "pruned", "done"]


def test_a_run_that_diverges_is_no_candidate(grains8, tmp_path):
    settings = tiny(steps=30, model="unet", clip=1e30)
    space = {"lr": Choice((1e-3, 1e25)), "weight_decay": Range(0.0, 0.1)}
    trials = open_study(grains8, tmp_path / "study", settings, space).run(4)
    statuses = {trial.values["lr"]: trial.status for trial in trials}
    assert statuses == {1e-3: "done", 1e25: "diverged"}
    best = best_of(trials)
    assert best is not None and best.values["lr"] == 1e-3


def test_a_study_stops_where_nothing_can_be_trained(grains8, tmp_path, monkeypatch):
    made = open_study(grains8, tmp_path / "study", TRIED, SPACE)

    def full(*_):
        raise InputError("out of memory in a step")

    monkeypatch.setattr("ecosurrogate.tuning.study.fit", full)
    with pytest.raises(InputError, match="3 trials in a row could not be trained: out"):
        made.run(9)
    document = json.loads((tmp_path / "study" / "study.json").read_text())
    assert [trial["status"] for trial in document["trials"]] == ["failed"] * 3
    assert document["best"] is None and not (tmp_path / "study/best.toml").exists()


def test_labels_decide_and_without_them_the_certificate(grains8, tmp_path, monkeypatch):
    assert open_study(grains8, tmp_path / "a", TRIED, {}).error == LABELS
    monkeypatch.setattr(
        "ecosurrogate.data.examples.Examples.__getitem__",
        _without_labels(),
        raising=True,
    )
    made = open_study(grains8, tmp_path / "b", TRIED, {})
    assert made.error == CERTIFICATE
    (trial,) = made.run(1)
    assert trial.status == "done" and trial.error is not None and trial.error > 0
    labels = {**TRIED, "model": "unet", "loss": {"strain": 0, "divergence": 1}}
    labels["loss"]["stress"] = 0
    with pytest.raises(InputError, match="a certificate only of s-eco"):
        open_study(grains8, tmp_path / "c", labels, {})


def _without_labels():
    from ecosurrogate.data.examples import Examples

    get = Examples.__getitem__

    def getting(self, item):
        found = get(self, item)
        if isinstance(found, list):
            return [example._replace(strain=None, stress=None) for example in found]
        return found._replace(strain=None, stress=None)

    return getting


def test_the_default_space_is_what_the_paper_tuned():
    paper = {"model": "s-eco", "preset": "paper"}
    space = default_space(resolve(paper))
    assert set(space) == {
        *("lr", "weight_decay", "network.dropout", "gamma"),
        *("loss.stress", "loss.constitutive"),
    }
    values = resolve(paper)
    for key in ("lr", "weight_decay", "gamma"):
        assert getattr(values, key) in space[key]
    for name in ("stress", "constitutive"):
        assert values.loss[name] in space[f"loss.{name}"]
    assert set(default_space(resolve({"model": "p-eco"}))) == {"lr", "weight_decay"}
    pores = default_space(resolve({"model": "w-eco"}, pores=True))
    assert set(pores) == {"lr", "weight_decay", "loss.divergence"}


def test_what_is_given_is_not_tried(grains8, tmp_path):
    study = open_study(
        grains8, tmp_path / "a", {**TRIED, "model": "s-eco", "gamma": 2.0}, {}
    )
    assert "loss.stress" in study.space and "gamma" not in study.space
    # written out, so that another default would not change the rest of a study
    assert study.settings["options"]["stress_functions"] == "beltrami"


def test_dimensions_are_ranges_or_lists():
    for text, key, dimension in (
        ("lr=1e-4:1e-2:log", "lr", Range(1e-4, 1e-2, True)),
        ("gamma = 1:3.5", "gamma", Range(1, 3.5)),
        ("batch=1:4", "batch", Range(1, 4)),
        ("network.channels=[[4], [4, 8]]", "network.channels", Choice(([4], [4, 8]))),
        ("augment=[true, false]", "augment", Choice((True, False))),
    ):
        assert parse_dimension(text) == {key: dimension}
        # as study.json has it
        assert parse_dimension(f"{key}={dimension}") == {key: dimension}
    assert [4] in Choice(([4], [4, 8])) and [8] not in Choice(([4], [4, 8]))
    assert 1.0 in Range(0, 1) and True not in Range(0, 1)


def test_corners_reach_every_end():
    space = {"lr": Range(0.1, 0.2), "network.channels": Choice(([4], [8], [16]))}
    assert list(corners(space)) == [
        {"lr": 0.1, "network": {"channels": [4]}},
        {"lr": 0.2, "network": {"channels": [4]}},
        {"lr": 0.1, "network": {"channels": [8]}},
        {"lr": 0.1, "network": {"channels": [16]}},
    ]


def test_a_file_has_settings_and_a_space(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        'steps = 5\n[loss]\nstress = 2\n[space]\nlr = "1e-4:1e-2:log"\n'
        "network.channels = [[4], [8]]\n"
    )
    settings, space = read_study_file(path)
    assert settings == {"steps": 5, "loss": {"stress": 2}}
    assert space == {
        "lr": Range(1e-4, 1e-2, True),
        "network.channels": Choice(([4], [8])),
    }


def test_settings_as_toml_and_as_options_come_back():
    settings = {
        **{
            "model": "s-eco",
            "lr": 1e-05,
            "steps": 3,
            "augment": False,
            "betas": [0, 1],
        },
        **{"loss": {"masked-labels": 2.5}, "network": {"channels": [4, 8]}},
        "options": {"gains": "fixed"},
    }
    assert tomllib.loads(as_toml(settings)) == settings
    words = shlex.split(line_of(settings))
    assert words[:6] == ["--model", "s-eco", "--lr", "1e-05", "--steps", "3"]
    parts = [parse_setting(w) for w in words[6:] if w != "--set"]
    assert {"network": {"channels": [4, 8]}} in parts
    assert {"loss": {"masked-labels": 2.5}} in parts
    assert {"options": {"gains": "fixed"}} in parts


def test_a_line_that_was_cut_off_is_dropped_and_damage_is_one_line(tmp_path):
    search(tmp_path, [1.0, 2.0])
    path = tmp_path / "journal.log"
    content = path.read_bytes()
    path.write_bytes(content + b'{"op_code": 4, "wor')
    assert len(search(tmp_path, [1.0, 2.0, 3.0])) == 3
    lines = content.splitlines(keepends=True)
    for damage in (
        b"\x80\x04." + content,
        content.replace(b'"ended"', b'"began"'),
        b"".join([lines[0], b"[]\n", *lines[1:]]),
        b"".join([lines[0], b'{"op_code": 99, "worker_id": "a"}\n', *lines[1:]]),
        b"[" * 100_000 + b"\n",
    ):
        path.write_bytes(damage)
        with pytest.raises(InputError, match="journal.log: damaged") as refusal:
            search(tmp_path, [1.0, 2.0])
        one_line(refusal)


def test_no_pickle_is_loaded(tmp_path, monkeypatch):
    def load(*_, **__):
        raise AssertionError("a pickle was loaded")

    monkeypatch.setattr(pickle, "loads", load)
    monkeypatch.setattr(pickle, "load", load)
    search(tmp_path, [1.0, 2.0])
    search(tmp_path, [1.0, 2.0, 3.0])
    lines = (tmp_path / "journal.log").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_the_picture_has_a_panel_for_each_setting(study, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    made, _ = study
    assert (made.folder / "study.png").stat().st_size > 5000
    before = dict(matplotlib.rcParams)
    figure = Trials(made.folder, made.space, 0).figure(made.error)
    assert set(made.space) <= {ax.get_xlabel() for ax in figure.axes}
    assert figure.axes[0].get_ylabel() == LABELS
    assert dict(matplotlib.rcParams) == before
    assert Trials(tmp_path, SPACE, 0).figure(LABELS) is None
