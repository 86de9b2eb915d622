"""Ctrl-C, and worse, while a command is at work: exit code 130, no partial file."""

import os
import signal
import sys
import time

import click
import pytest
from click.testing import CliRunner
from conftest import SOFT, STIFF, sphere
from small_datasets import read_until, start, started_at_a_terminal

from fftmech import io
from fftmech_cli.rim import Group

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="signals are sent to another process"
)

TELLING = """
import functools, importlib, sys, time
from fftmech_cli.fftmech_main import main

place, pause = sys.argv.pop(1), float(sys.argv.pop(1))
module, *names, name = place.split(":")
owner = functools.reduce(getattr, names, importlib.import_module(module))
inner = getattr(owner, name)
calls = 0

def outer(*args, **options):
    global calls
    calls += 1
    if calls == 5 or pause:
        print("begun", flush=True)
        time.sleep(pause)
    return inner(*args, **options)

setattr(owner, name, outer)
main()
"""
"""The command line, which says when it has begun to do what a test interrupts."""

ENDLESS = "sphere.h5 --solver basic --tol 1e-300 --max-iterations 1000000000"
MESSAGE = "Interrupted: no file was left half-written.\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Folder with a sphere to solve."""
    monkeypatch.chdir(tmp_path)
    io.write("sphere.h5", sphere(16, SOFT, STIFF))
    return tmp_path


def begin(line, place, pause=0):
    """Start a command and return once it has called `place` (module:...:name)."""
    process = start(f"{place} {pause} {line}", TELLING)
    assert process.stdout is not None
    begun = process.stdout.readline()
    assert begun == "begun\n", process.communicate()
    return process


def end(process, number):
    """Send a signal; return the exit code and what was written since."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize(
    "line",
    [
        f"solve {ENDLESS} -o s.vtkhdf",
        pytest.param(f"homogenize {ENDLESS} --json", marks=pytest.mark.slow),
    ],
    ids=["solve", "homogenize"],
)
def test_interrupted_iterations_exit_130_and_write_nothing(folder, line):
    process = begin(line, "fftmech.problems.linear:Problem:balance")
    code, out, err = end(process, signal.SIGINT)
    assert (code, out, err) == (130, "", MESSAGE)
    assert [path.name for path in folder.iterdir()] == ["sphere.h5"]


@pytest.mark.slow
def test_interrupted_generation_exits_130_and_writes_nothing(folder):
    line = "generate polycrystal --res 16 -o p.h5"
    process = begin(line, "fftmech_cli.generate:polycrystal", pause=60)
    assert end(process, signal.SIGINT) == (130, "", MESSAGE)
    assert [path.name for path in folder.iterdir()] == ["sphere.h5"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["INT", "KILL"])
def test_an_interrupted_write_leaves_the_earlier_file_as_it_was(folder, number):
    (folder / "s.h5").write_text("mine")
    line = "solve sphere.h5 -o s.h5 --force"
    process = begin(line, "fftmech.io.vtkhdf_result:write_fields", pause=60)
    assert len(list(folder.iterdir())) == 3  # one of them is being written
    code, _, err = end(process, number)
    assert (folder / "s.h5").read_text() == "mine"
    if number == signal.SIGINT:
        assert (code, err) == (130, MESSAGE)
        assert len(list(folder.iterdir())) == 2


@pytest.mark.slow
def test_ctrl_c_at_a_terminal_ends_the_progress_bar_with_one_line(folder):
    with started_at_a_terminal(f"solve {ENDLESS}") as (process, keyboard):
        shown = read_until(b"iteration 1", keyboard)
        os.write(keyboard, b"\x03")
        shown += read_until(b"half-written.\r\n", keyboard)
        assert process.wait(60) == 130
    assert b"Solving" in shown and b"Traceback" not in shown
    assert shown.endswith(MESSAGE.encode().replace(b"\n", b"\r\n"))
    assert [path.name for path in folder.iterdir()] == ["sphere.h5"]


class Interrupting:
    """An object that Ctrl-C comes upon while it is freed."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_that_python_ignores_ends_a_command_with_one_line(monkeypatch):
    def work():
        Interrupting()  # KeyboardInterrupt is raised in __del__, and ignored
        time.sleep(60)

    group = Group(subcommands={})
    monkeypatch.setattr(
        group, "get_command", lambda *_: click.Command("work", None, work)
    )
    before = sys.unraisablehook
    ended = CliRunner().invoke(group, ["work"])
    assert ended.exit_code == 130 and ended.stderr == MESSAGE
    assert sys.unraisablehook is before
