"""`ecosr tune`: a line for each trial, the best, and one line for each refusal."""

import json
import shlex
import subprocess
import sys

import pytest
from small_runs import as_options, make_dataset, refused, run, tiny

from fftmech_cli.ecosr_main import main as ecosr

pytestmark = pytest.mark.usefixtures("no_curves")

TRIED = tiny(steps=4, validate_every=2, model="unet")
del TRIED["batch"]
OPTIONS = as_options(TRIED)


@pytest.fixture(scope="module")
def grains8(grains8):
    pytest.importorskip("optuna")
    return grains8


@pytest.fixture(scope="module")
def studied(grains8, tmp_path_factory):
    """A study of two trials, and what was said."""
    folder = tmp_path_factory.mktemp("study") / "study"
    return folder, run(f"tune {grains8} -o {folder} {OPTIONS} --trials 2")


def test_a_study_says_what_it_tries_and_what_was_best(studied, grains8):
    folder, done = studied
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "unet, unet smoke; polycrystal: 5 examples for training, 2 for validation"
    )
    assert lines[1] == (
        "minimised: mean of strain and stress nRMSE (uniform field 1) on the "
        "validation set"
    )
    tried = ["lr 0.0001:0.01:log", "weight_decay 0.0001:0.1:log"]
    tried += ["loss.stress 0.47:47.0:log", "gamma 1.0:3.0"]
    assert lines[2:6] == [f"tried: {text}" for text in tried]
    assert lines[6].startswith("trial 0: ") and lines[7].startswith("trial 1: ")
    assert "; lr 0.002, weight_decay 0.0165, loss.stress 4.71, gamma 1.73; " in lines[6]
    assert lines[8].startswith("best: trial ") and len(lines) == 11
    assert lines[9].startswith(f"again: ecosr fit {grains8} -o RUN --model unet ")
    assert lines[10].startswith(f"its run: {folder}") and "best.toml" in lines[10]
    assert done.stderr == ""


def test_the_line_that_is_printed_trains_the_same_weights(studied, grains8, tmp_path):
    folder, done = studied
    (line,) = [text for text in done.stdout.splitlines() if "again: " in text]
    words = shlex.split(line.removeprefix("again: ecosr "))
    words[words.index("RUN")] = str(tmp_path / "run")
    with pytest.raises(SystemExit) as end:
        ecosr(words)
    assert end.value.code == 0
    best = json.loads((folder / "study.json").read_text())["best"]
    a = folder / f"trial-{best:04d}" / "weights.safetensors"
    b = tmp_path / "run" / "weights.safetensors"
    assert a.read_bytes() == b.read_bytes()
    again = tmp_path / "again"
    run(f"fit {grains8} -o {again} --config {folder / 'best.toml'}")
    assert (again / "weights.safetensors").read_bytes() == a.read_bytes()


def test_the_same_line_does_no_trial_twice_and_more_trials_go_on(studied, grains8):
    folder, first = studied
    line = f"tune {grains8} -o {folder} {OPTIONS}"
    again = run(f"{line} --trials 2").stdout.splitlines()
    assert not [text for text in again if text.startswith("trial ")]
    assert again[-3:] == first.stdout.splitlines()[-3:]
    done = run(f"{line} --trials 3 --json")
    document = json.loads(done.stdout)
    assert [t["number"] for t in document["trials"]] == [0, 1, 2]
    assert "trial 2: " in done.stderr and "trial 1: " not in done.stderr
    best = document["best"]
    assert best["error"] == min(t["error"] for t in document["trials"] if t["error"])
    assert best["run"] == str(folder / f"trial-{best['number']:04d}")
    assert set(document["space"]) == set(best["values"])


def test_the_best_trial_predicts(studied, grains8, tmp_path):
    folder, _ = studied
    best = json.loads((folder / "study.json").read_text())["best"]
    sample = next(iter(sorted(grains8.rglob("*.h5"))), None)
    assert sample is not None
    run(f"predict {folder / f'trial-{best:04d}'} {sample} -o {tmp_path / 'p.vtkhdf'}")


REFUSED = {
    "-o run": "no such folder",
    "--trials 0": "--trials",
    "--model t-eco": "'t-eco' is not one of",
    "--space lr": "'lr': expected key=low:high",
    "--space =1:2": "expected key=low:high",
    "--space speed=1:2": "setting 'speed': expected one of model,",
    "--space lr=1e-2:1e-4": "lr=1e-2:1e-4: expected the lower end first",
    "--space lr=1:1": "the same value for all is --set lr=1",
    "--space lr=0:1:log": "with log, expected positive ends",
    "--space lr=0:1:lin": "expected low:high, low:high:log or [value, value]",
    "--space lr=nan:1": "expected low:high",
    "--space lr=1e-4:inf": "expected low:high",
    "--space lr=a:b": "expected low:high",
    "--space lr=-1:1": "lr -1: expected a positive number",
    "--space ema=0.5:1.0": "ema 1.0: expected a number from 0 to below 1",
    "--space batch=0:2": "batch 0: expected a whole number",
    "--space batch=0.5:2": "batch 0.5: expected a whole number",
    "--space batch=[2]": "expected two different values or more",
    "--space batch=[2,2]": "expected two different values or more",
    "--space loss=0:1": "space loss: expected loss.NAME",
    "--space loss.strange=0:1": "loss.strange: expected one of strain",
    "--space lr.x=0:1": "space lr.x: expected lr",
    "--space network.width=1:2": "width",
    "--space network.gain=[0.1,[1]]": "network unet with",
    "--space model=['unet','w-eco']": "a study cannot vary the model",
    "--space backbone=['unet','resnet']": "network 'resnet': expected one of unet",
    "--space lr=1e-4:1e-3 --set lr=1e-3": "lr is both given and to be tried",
    "--set speed=1": "setting 'speed'",
    "--set lr=-1": "lr -1: expected a positive number",
    "--config none.toml": "none.toml: no such file",
}


@pytest.mark.parametrize("options", REFUSED)
def test_bad_input_is_one_line(grains8, tmp_path, options):
    dataset = tmp_path / "none" if options == "-o run" else grains8
    line = f"tune {dataset} -o {tmp_path / 'study'} {OPTIONS} {options}"
    assert REFUSED[options] in refused(line)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    "options, words",
    [
        ("--set gamma=2", "another settings gamma: None there, 2 asked"),
        ("--seed 3", "another settings seed: None there, 3 asked"),
        ("--space lr=1e-4:1e-3", "another space lr: 0.0001:0.01:log there"),
        ("--space ema=0.9:0.99", "another space ema: None there"),
        ("--model w-eco", "another settings model: unet there, w-eco asked"),
    ],
)
def test_a_study_goes_on_with_what_it_was_begun_with(studied, grains8, options, words):
    folder, _ = studied
    options = f"{OPTIONS.replace('--set model=unet', '')} --model unet {options}"
    message = refused(f"tune {grains8} -o {folder} {options}")
    assert "the study was begun with" in message and words in message
    assert "choose another -o" in message


def test_a_study_goes_on_with_its_data(studied, tmp_path):
    folder, _ = studied
    other = tmp_path / "other"
    make_dataset(
        "dataset polycrystal --res 8 --low-res 4 --grains 3 --splits 5,2,1 --count 8 "
        f"-o {other}"
    )
    message = refused(f"tune {other} -o {folder} {OPTIONS}")
    assert "the study was begun with another dataset sha256" in message


def test_other_folders_and_damaged_studies_are_refused(studied, grains8, tmp_path):
    folder, _ = studied
    best = json.loads((folder / "study.json").read_text())["best"]
    line = f"tune {grains8} {OPTIONS} -o"
    assert "holds a run" in refused(f"{line} {folder / f'trial-{best:04d}'}")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    assert "not empty" in refused(f"{line} {tmp_path / 'full'}")
    assert "create it first" in refused(f"{line} {tmp_path / 'none' / 'study'}")
    assert "give the name of a folder" in refused(
        f"{line} {tmp_path / 'full/thesis.tex'}"
    )
    for text in ("", "[]", "{}", "\x00", '{"format_version": "a"}', "[" * 100_000):
        (tmp_path / "damaged").mkdir(exist_ok=True)
        (tmp_path / "damaged" / "study.json").write_text(text)
        assert "damaged (" in refused(f"{line} {tmp_path / 'damaged'}")
    (tmp_path / "damaged" / "study.json").write_text('{"format_version": 99}')
    assert "format version 99 is newer" in refused(f"{line} {tmp_path / 'damaged'}")


def test_data_without_validation_samples_are_refused(grains8, tmp_path):
    data = tmp_path / "data"
    make_dataset(
        "dataset polycrystal --res 8 --low-res 4 --grains 4 --splits 2,0,0 --count 2 "
        f"-o {data}"
    )
    message = refused(f"tune {data} -o {tmp_path / 'study'} {OPTIONS}")
    assert "no sample for validation" in message
    assert not (tmp_path / "study").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "package, extra", [("optuna", "tune"), ("torch", "surrogate,tune")]
)
def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path, package, extra):
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from fftmech_cli.ecosr_main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "tune", "data", "-o", str(tmp_path / "study")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert f"{package}, which is not installed" in done.stderr
    assert f'pip install "fftmech[{extra}]"' in done.stderr
