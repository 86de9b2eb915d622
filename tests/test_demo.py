"""`fftmech demo`: commands that anybody can type, and files that are kept."""

import re
import shlex
import sys
from functools import partial

import pytest
from command_lines import run_fftmech

from fftmech import read_result
from fftmech_cli import demo

SMALL = tuple(
    step.replace("--res 48 --grains 40", "--res 6 --grains 4").replace(
        "--grid", "--dpi 30"
    )
    for step in demo.STEPS
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "STEPS", SMALL)
    return partial(run_fftmech, "demo")


def test_the_demo_makes_what_the_commands_that_it_prints_make(run, tmp_path):
    done = run("my demo")
    folder = tmp_path / "my demo"
    assert {file.name for file in folder.iterdir()} == set(demo.FILES)
    result = read_result(folder / "result.vtkhdf")
    modulus = result.mean_stress[0] / result.mean_strain[0]
    assert f"modulus along x is {modulus:.0f} GPa" in " ".join(done.stdout.split())
    printed = re.findall(r"^\$ fftmech (.*)$", done.stdout, re.MULTILINE)
    assert len(printed) == len(SMALL)
    (folder / "grains.h5").unlink()
    run_fftmech(*shlex.split(printed[0]))
    assert (folder / "grains.h5").exists()


def test_without_matplotlib_the_demo_solves_and_says_what_draws(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run()
    assert done.stdout.count('pip install "fftmech[viz]"') == 2
    assert "modulus along x" in done.stdout


def test_files_and_folders_that_are_in_the_way_are_kept_and_named_in_one_line(
    run, tmp_path
):
    (tmp_path / "kept").mkdir()
    for name, line in {
        "kept/stress.png": "kept",
        "file": "file",
        "other": "other/below",
    }.items():
        (tmp_path / name).write_text("mine")
        done = run(line, code=2)
        assert done.stderr.startswith(f"Error: {line}")
        assert done.stderr.count("\n") == 1 and not done.stdout
        assert (tmp_path / name).read_text() == "mine"
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["stress.png"]
