"""Killed anywhere and resumed: the same weights to the last bit."""

import errno
import json
import re
import sys

import numpy as np
import pytest
from small_runs import Server, as_options, one_line, tiny

from ecosurrogate.training import train
from ecosurrogate.training.checkpoint import load_model, locked
from ecosurrogate.training.log import read_log
from ecosurrogate.training.run import prepare
from ecosurrogate.training.train import fit
from fftmech import InputError

pytestmark = pytest.mark.usefixtures("one_thread")
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.process.kill()


LINE = as_options(
    {
        **{"model": "p-eco-stepped", "preset": "smoke", "backbone": "ddpm-unet"},
        **{"steps": 30, "save_every": 7, "validate_every": 9},
        "network": {"channels": [4], "groups": 2, "dropout": 0.2},
    }
)
"""With random numbers in every step."""

CHANGES = (9, 19, 25, 63)
"""Before config.json appears; while the first state is written; between the first state
and its weights; between the last ones."""


@pytest.fixture(scope="module")
def undisturbed(server, grains8, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "run"
    assert server(f"fit {grains8} -o {run} {LINE}") == 0
    return run


def check_same(run, undisturbed):
    for name in ("weights.safetensors", "state.safetensors", "config.json"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes(), name

    def records(folder):
        return [{**r, "seconds": 0} for r in read_log(folder)]

    assert records(run) == records(undisturbed)
    assert not [p for p in run.iterdir() if re.match(r"\..*-.{8}\.", p.name)]


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")
@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("SIGKILL", 0),
        *[pytest.param("change", n, marks=SLOW) for n in CHANGES],
        pytest.param("SIGTERM", 10, marks=SLOW),
        pytest.param("SIGINT", 3, marks=SLOW),
    ],
)
def test_a_run_that_was_ended_and_resumed_is_the_undisturbed_one_to_the_last_bit(
    server, undisturbed, grains8, tmp_path, what, number
):
    run = tmp_path / "run"
    line = f"fit {grains8} -o {run} {LINE}"
    # a random step past the first checkpoint, unless the test says which
    number = number or int(np.random.default_rng().integers(8, 30))
    code = server(line, run, what, number)
    assert code == (130 if what in ("SIGTERM", "SIGINT") else -9)
    if what in ("SIGTERM", "SIGINT"):
        _, note = state_of(run)
        assert note["step"] == number
    assert server(f"{line} --resume") == 0
    check_same(run, undisturbed)


def state_of(run):
    from safetensors import safe_open

    with safe_open(run / "state.safetensors", "pt") as file:
        return file, json.loads(file.metadata()["ecosurrogate"])


def test_resuming_a_finished_run_changes_nothing(undisturbed, grains8, server):
    names = ("weights.safetensors", "state.safetensors", "config.json", "log.jsonl")
    before = [(undisturbed / name).read_bytes() for name in names]
    assert server(f"fit {grains8} -o {undisturbed} --resume") == 0
    assert before == [(undisturbed / name).read_bytes() for name in names]


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_last_checkpoint_stays(
    grains8, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    write, written = train.write_tensors, []

    def full(path, *rest):
        written.append(path)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, *rest)

    monkeypatch.setattr("ecosurrogate.training.train_state.write_tensors", full)
    message = refused_with_text(f"fit {grains8} -o {run} {as_options(tiny())}")
    assert "No space left on device" in message and "state.safetensors" in message
    _, note = state_of(run)
    assert note["step"] == 5
    monkeypatch.undo()
    resumed = fit(prepare(grains8, run, {}, resume=True))
    assert resumed.step == 12


def refused_with_text(line):
    """Error of a line that began to work."""
    from command_lines import run_ecosr

    done = run_ecosr(line, code=2)
    assert done.stderr.count("\n") == 1, done.output
    return done.stderr


def test_a_folder_of_a_run_is_trained_in_by_one_process(grains8, tmp_path):
    run = prepare(grains8, tmp_path / "run", tiny())
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"), pytest.raises(InputError, match="another process"):
        fit(run)


def test_a_run_continues_only_as_it_was_begun_and_with_its_dataset(
    grains8, pores8, tmp_path
):
    run = tmp_path / "run"
    fit(prepare(grains8, run, tiny(steps=2)))
    for settings, expected in (
        ({"lr": 1e-5}, "lr: 0.002 there, 1e-05 asked"),
        ({"network": {"groups": 4}}, "network.groups: 2 there, 4 asked"),
        ({"model": "s-eco"}, "model: p-eco-iterated there, s-eco asked"),
    ):
        with pytest.raises(InputError) as refusal:
            prepare(grains8, run, settings, resume=True)
        assert expected in one_line(refusal)
    with pytest.raises(InputError, match="kind: polycrystal there, pores here"):
        prepare(pores8, run, {}, resume=True)
    with pytest.raises(InputError, match="holds a run: --resume"):
        prepare(grains8, run, tiny())
    with pytest.raises(InputError, match="continue the run, or replace it"):
        prepare(grains8, run, {}, resume=True, force=True)
    assert prepare(grains8, run, tiny(steps=2), resume=True).resume
    other = tiny(steps=3, model="p-eco")
    assert fit(prepare(grains8, run, other, force=True)).step == 3
    assert load_model(run)[1].config.model == "p-eco"


def test_a_folder_with_something_else_is_left_alone(grains8, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    for force in (False, True):
        with pytest.raises(InputError, match="holds no run"):
            prepare(grains8, tmp_path, tiny(), force=force)
    with pytest.raises(InputError, match="is a file"):
        prepare(grains8, tmp_path / "thesis.tex", tiny())
    with pytest.raises(InputError, match="create it first"):
        prepare(grains8, tmp_path / "a" / "b", tiny())
