"""Tiny datasets of polycrystals and pores, and settings for seconds of training."""

import json
import os
import subprocess
import sys

from command_lines import one_line_of, run_fftmech
from command_lines import run_ecosr as run

GRAINS = (
    "dataset polycrystal --res 8 --low-res 4 --grains 4 --splits 5,2,1 --count 8 "
    "--seed 0"
)
"""Of 8^3 voxels, five for training, with labels of 4^3; the last has both."""

PORES = (
    "dataset pores --res 8 --low-res 4 --fraction 0.05,0.12 --splits 5,2,1 --count 8 "
    "--seed 0"
)

TINY = {
    "network": {"channels": [4, 8], "groups": 2},
    "steps": 12,
    "batch": 2,
    "warmup_steps": 2,
    "validate_every": 6,
    "save_every": 5,
}


def tiny(**changes):
    """Settings of a tiny run."""
    return {"preset": "smoke", "model": "p-eco-iterated", **TINY, **changes}


def as_options(settings):
    """Settings on a command line; values are TOML as they are JSON."""
    flat = []
    for name, value in settings.items():
        entries = value.items() if isinstance(value, dict) else [(None, value)]
        for key, entry in entries:
            whole = name if key is None else f"{name}.{key}"
            text = json.dumps(entry, separators=(",", ":")).strip('"')
            flat.append(f"--set {whole}={text}")
    return " ".join(flat)


def make_dataset(line):
    """Make a dataset with `fftmech dataset`."""
    run_fftmech(f"{line} --jobs 1")


def refused(line) -> str:
    """Run a line that is refused with one line on standard error; return it."""
    return one_line_of(run(line, code=2))


def one_line(refusal) -> str:
    """Message of a `pytest.raises`, which is one short line."""
    message = str(refusal.value)
    assert "\n" not in message and len(message) < 600, message
    return message


SERVER = """
import os, signal, sys
import torch
import ecosurrogate.training.log
import ecosurrogate.training.objective
import ecosurrogate.training.train
from fftmech_cli.ecosr_main import main

torch.set_num_threads(1)
# takes seconds the first time, in each process if not here
torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
ecosurrogate.training.log.curves([])

def kill_at_change(number, folder):
    def hook(event, args):
        nonlocal number
        if event in ("open", "os.rename", "os.remove") and folder in str(args[0]):
            reads = event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR)
            number -= not reads
            if number < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

def at_step(number, signal_number):
    step = ecosurrogate.training.train._step
    def stepping(run, state):
        record = step(run, state)
        if record["step"] == number:
            os.kill(os.getpid(), signal_number)
        return record
    ecosurrogate.training.train._step = stepping

def nan_at_step(number):
    objective = ecosurrogate.training.objective.Objective
    call = objective.__call__
    def calling(self, *given):
        nonlocal number
        number -= 1
        loss, terms = call(self, *given)
        return (loss * float("nan") if number == 0 else loss), terms
    objective.__call__ = calling

for request in sys.stdin:
    what, number, folder, *line = request.split()
    process = os.fork()
    if process == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        if what == "change":
            kill_at_change(int(number), folder)
        if what in ("SIGKILL", "SIGTERM", "SIGINT"):
            at_step(int(number), getattr(signal, what))
        if what == "nan":
            nan_at_step(int(number))
        code = 0
        try:
            main(line)
        except SystemExit as end:
            code = end.code
        os._exit(code or 0)
    print(os.waitpid(process, 0)[1], flush=True)
"""
"""Runs lines of `ecosr`, each in a process of its own that need not import torch again,
and ends it at a step, or right before its n-th change to the files of a folder; or
spoils the loss of a step."""


class Server:
    """Runs lines in processes that end as they are told, in an environment."""

    def __init__(self, **environment):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )

    def __call__(self, line, folder="-", what="-", number=0) -> int:
        """Exit code of a line, negative for a signal."""
        self.begin(line, folder, what, number)
        return self.end()

    def begin(self, line, folder="-", what="-", number=0):
        """Begin to run a line."""
        assert self.process.stdin
        self.process.stdin.write(f"{what} {number} {folder} {line}\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Exit code of the line that was begun."""
        assert self.process.stdout
        return os.waitstatus_to_exitcode(int(self.process.stdout.readline()))
