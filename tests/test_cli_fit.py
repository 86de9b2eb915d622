"""`ecosr fit`: settings from everywhere, one summary, one line for each refusal."""

import json
import subprocess
import sys
import tomllib

import pytest
import torch
from small_runs import as_options, refused, run, tiny

from ecosurrogate.training.settings import join, parse_setting, read_settings
from fftmech import InputError

OPTIONS = as_options(tiny(steps=4))


def test_a_run_says_what_it_trains_on_what_and_how_well(grains8, tmp_path):
    done = run(f"fit {grains8} -o {tmp_path / 'run'} {OPTIONS}")
    model, data, loss, summary = done.stdout.splitlines()
    assert model.startswith("p-eco-iterated, unet smoke: ")
    assert "parameters, scheme rotated" in model
    assert data == (
        "polycrystal: 5 examples for training, 2 for validation, bodies of 8^3 "
        "voxels, labels of 4^3"
    )
    told = "ln of a relative error: -4.6 is 1 %"
    assert loss == f"loss 1 energy ({told}); 4 steps of 2"
    assert summary.startswith(f"{tmp_path / 'run'}: step 4 of 4, loss -")
    for word in (
        "validation at 4^3 strain nRMSE 0.",
        "stress nRMSE 0.",
        " (uniform field 1), certificate ",
        " % (uniform fields ",
    ):
        assert word in summary
    # where it takes long, progress
    assert not [x for x in done.stderr.splitlines() if not x.startswith("Training: ")]
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files - {".lock", "curves.png"} == {
        *("config.json", "log.jsonl", "state.safetensors", "weights.safetensors")
    }


def test_json_is_all_that_is_on_standard_output(grains8, tmp_path):
    done = run(f"fit {grains8} -o {tmp_path / 'run'} {OPTIONS} --json --seed 5")
    document = json.loads(done.stdout)
    assert len(done.stderr.splitlines()) == 3
    assert document["output"] == str(tmp_path / "run")
    assert (document["status"], document["step"]) == ("done", 4)
    names = {"loss", "strain", "stress", "certificate", "uniform"}
    assert set(document["validation"]) == names
    assert document["config"]["seed"] == 5
    assert (
        document["config"]
        == json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    )
    assert document["data"]["train"] == 5 and document["parameters"] > 0


def test_settings_of_the_command_line_count_before_those_of_a_file(grains8, tmp_path):
    (tmp_path / "my.toml").write_text(
        'model = "s-eco"\npreset = "smoke"\nsteps = 9\nlr = 1e-4\nbatch = 1\n'
        "[loss]\nstress = 2\n[network]\nchannels = [4]\ngroups = 2\n[options]\n"
        'stress_functions = "maxwell"\n'
    )
    done = run(
        f"fit {grains8} -o {tmp_path / 'run'} --config {tmp_path / 'my.toml'} "
        "--steps 3 --lr 1e-3 --set lr=1e-2 --set loss.strain=0.5 --json"
    )
    config = json.loads(done.stdout)["config"]
    assert (config["steps"], config["batch"], config["lr"]) == (3, 1, 1e-2)
    assert config["loss"] == {"strain": 0.5, "stress": 2, "constitutive": 1.3258}
    options = {"stress_functions": "maxwell", "gains": "predicted"}
    assert config["options"] == options


def test_a_run_that_diverges_has_exit_code_3_and_advice(grains8, tmp_path):
    settings = tiny(steps=50, lr=1e25, model="unet", clip=1e30)
    line = f"fit {grains8} -o {tmp_path / 'run'} {as_options(settings)} --json"
    done = run(line, code=3)
    document = json.loads(done.stdout)
    assert document["status"] == "diverged" and document["skipped"] >= 20
    assert done.stderr.splitlines()[-1].startswith("Error: diverged: 20 batches in a")
    assert "lower lr" in done.stderr


def test_a_run_is_continued_by_the_same_line_and_resume(grains8, tmp_path):
    line = f"fit {grains8} -o {tmp_path / 'run'} {OPTIONS}"
    run(f"{line} --resume")
    assert "holds a run: --resume continues it" in refused(line)
    assert "step 4 of 4" in run(f"{line} --resume").stdout
    assert "seed: 0 there, 3 asked" in refused(f"{line} --resume --seed 3")
    assert "step 4 of 4" in run(f"{line} --force").stdout


REFUSED = {
    "-o run": "no such folder",
    "--model t-eco": "'t-eco' is not one of",
    "--preset large": "'large' is not one of",
    "--steps 0": "--steps",
    "--lr nan": "finite number",
    "--lr -1": "lr -1.0: expected a positive number",
    "--set lr": "expected key=value",
    "--set =1": "expected key=value",
    "--set speed=1": "setting 'speed': expected one of model,",
    "--set batch=two": "batch 'two': expected a whole number",
    "--set batch=true": "batch True: expected a whole number",
    "--set loss=1": "loss 1: expected a table",
    "--set loss.strain=-1": "loss.strain -1: expected at least 0",
    "--set loss.energy=0": "every weight is 0",
    "--set betas=[0.9]": "betas [0.9]: expected two numbers",
    "--set ema=1": "ema 1",
    "--set precision=fp8": "precision 'fp8': expected one of fp32",
    "--set representation=voxels": "'voxels': expected one of indicator",
    "--set augment=maybe": "augment 'maybe': expected true or false",
    "--config none.toml": "none.toml: no such file",
    "--resume --force": "continue the run, or replace it",
}


@pytest.mark.parametrize("options", REFUSED)
def test_bad_input_is_one_line(grains8, tmp_path, options):
    dataset = tmp_path / "none" if options == "-o run" else grains8
    message = refused(f"fit {dataset} -o {tmp_path / 'run'} {options}")
    assert REFUSED[options] in message
    assert not (tmp_path / "run").exists()


def test_pores_are_refused_without_labels_in_the_loss_and_told_how(pores8, tmp_path):
    line = f"fit {pores8} -o {tmp_path / 'run'} --preset smoke --steps 1 --model p-eco"
    line += " --set loss.hypercircle=1"
    message = refused(line)
    advice = message[message.index("--set") :].strip()
    assert "step 1 of 1" in run(f"{line} {advice}").stdout


def test_a_gpu_that_is_not_there_is_refused(grains8, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    message = refused(f"fit {grains8} -o {tmp_path / 'run'} --device cuda")
    assert "torch finds no GPU" in message


@pytest.mark.parametrize(
    "package", ["torch", pytest.param("safetensors", marks=pytest.mark.slow)]
)
def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path, package):
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from fftmech_cli.ecosr_main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "fit", "data", "-o", str(tmp_path / "run")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"Error: ecosr needs {package}, which is not installed; pip install "
        '"fftmech[surrogate]"\n'
    )


def test_values_are_toml_or_a_plain_word():
    for text, value in (
        ("steps=10", {"steps": 10}),
        ("lr = 1e-3", {"lr": 1e-3}),
        ("precision=bf16", {"precision": "bf16"}),
        ('precision="bf16"', {"precision": "bf16"}),
        ("augment=false", {"augment": False}),
        ("network.channels=[4, 8]", {"network": {"channels": [4, 8]}}),
        ("loss={stress=2}", {"loss": {"stress": 2}}),
        ("loss.masked-labels=1", {"loss": {"masked-labels": 1}}),
    ):
        assert parse_setting(text) == value
    joined = join({"loss": {"stress": 1}}, {"loss": {"strain": 2}, "steps": 3})
    assert joined == {"loss": {"stress": 1, "strain": 2}, "steps": 3}


def test_a_file_of_settings_is_toml_with_known_names(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("steps = 3\n[loss]\nstress = 1\n")
    assert read_settings(path) == tomllib.loads(path.read_text())
    for text in ("steps 3", "speed = 1", "\x00"):
        path.write_text(text)
        with pytest.raises(InputError, match="a.toml"):
            read_settings(path)
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="a.toml"):
        read_settings(path)
