"""Several processes train one model as one process would, and end together."""

import os
import re
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_runs import Server, as_options, one_line, tiny

from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.examples import Examples
from ecosurrogate.training.checkpoint import locked, make_model
from ecosurrogate.training.devices import Devices, choose, processes
from ecosurrogate.training.log import read_log
from ecosurrogate.training.objective import TERMS
from ecosurrogate.training.run import prepare
from ecosurrogate.training.settings import LOSSES, resolve
from ecosurrogate.training.train_state import seed_step
from fftmech import InputError

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(
        sys.platform == "win32" or not torch.distributed.is_available(),
        reason="processes are forked and joined by gloo",
    ),
]

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def alone():
    server = Server()
    yield server
    server.process.kill()


@pytest.fixture(scope="module")
def pair():
    """Runs a line in two processes, as `torchrun` would; their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = {
        **{"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "pair"},
        **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
    }
    servers = [Server(**both, RANK=rank, LOCAL_RANK=rank) for rank in "01"]

    def run(line, ended=None, what="-", number=0):
        for rank, server in enumerate(servers):
            server.begin(line, "-", what if rank == ended else "-", number)
        return [server.end() for server in servers]

    yield run
    for server in servers:
        server.process.kill()


def torchrun(line):
    """Run a line of `ecosr` in two processes, by the command that users type."""
    command = "-m torch.distributed.run --standalone --nproc-per-node 2 -m"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command.split(), "fftmech_cli.ecosr_main", *line.split()],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )


def check_close(run, other):
    """Weights and records are the same but for rounding.

    A weight that the loss does not depend on has a gradient of rounding alone, which
    AdamW makes steps of full length of; it does not count. All steps together are 200
    times as long as what counts as rounding.
    """
    state, others = (load_file(r / "state.safetensors") for r in (run, other))
    for name in [name for name in state if name.startswith("average/")]:
        moment = name.replace("average/", "optimizer/") + "/exp_avg_sq"
        counts = state[moment].sqrt() > 1e-6
        weights, expected = state[name][counts], others[name][counts]
        torch.testing.assert_close(weights, expected, rtol=1e-3, atol=1e-4)
    pairs = list(zip(read_log(run), read_log(other), strict=True))
    assert pairs
    for record, twin in pairs:
        assert record.keys() == twin.keys()
        for key in set(record) - {"seconds"}:
            assert record[key] == pytest.approx(twin[key], rel=1e-3), key


def check_same(run, other):
    for name in ("weights.safetensors", "state.safetensors"):
        assert (run / name).read_bytes() == (other / name).read_bytes(), name


SHARP = {"loss": {"hypercircle": 1, "energy": 0}}
"""A difference of energies, the default, amplifies rounding by some thousands."""

PORES = {"loss": {"masked-labels": 1, "constitutive-squared": 1}}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        pytest.param("grains", SHARP, marks=pytest.mark.slow),
        pytest.param("grains", {"model": "unet"}, marks=pytest.mark.slow),
        pytest.param(
            *("pores", {"model": "s-eco", "batch": 4, **PORES}), marks=pytest.mark.slow
        ),
    ],
)
def test_two_processes_end_with_the_weights_of_one_but_for_rounding(
    alone, pair, grains8, pores8, tmp_path, kind, changes
):
    dataset = grains8 if kind == "grains" else pores8
    line = as_options(tiny(**changes))
    assert alone(f"fit {dataset} -o {tmp_path / 'one'} {line}") == 0
    assert pair(f"fit {dataset} -o {tmp_path / 'two'} {line}") == [0, 0]
    check_close(tmp_path / "two", tmp_path / "one")


DROPOUT = as_options(
    {
        **{"model": "p-eco-stepped", "preset": "smoke", "backbone": "ddpm-unet"},
        **{"steps": 16, "save_every": 7, "validate_every": 9},
        "network": {"channels": [4], "groups": 2, "dropout": 0.2},
    }
)
"""With random numbers in every step."""


@pytest.fixture(scope="module")
def undisturbed(pair, grains8, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "run"
    assert pair(f"fit {grains8} -o {run} {DROPOUT}") == [0, 0]
    return run


@pytest.mark.parametrize(
    ("what", "codes", "kept"),
    [
        pytest.param("SIGTERM", [130, 130], 9, marks=pytest.mark.slow),
        pytest.param("SIGKILL", [2, -9], 7, marks=pytest.mark.slow),
    ],
)
def test_all_end_with_one_and_two_that_go_on_are_the_undisturbed_two_to_the_last_bit(
    pair, undisturbed, grains8, tmp_path, what, codes, kept
):
    run = tmp_path / "run"
    line = f"fit {grains8} -o {run} {DROPOUT}"
    assert pair(line, 1, what, 9) == codes
    state = load_file(run / "state.safetensors")
    steps = [v for k, v in state.items() if k.endswith("/step")]
    assert steps and all(step == kept for step in steps)
    assert pair(f"{line} --resume") == [0, 0]
    check_same(run, undisturbed)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(alone, pair, grains8, tmp_path):
    line = f"fit {grains8} {as_options(tiny(**SHARP))}"
    assert alone(f"{line} -o {tmp_path / 'one'}") == 0
    for first, then in ((pair, alone), (alone, pair)):
        run = tmp_path / f"then-{then is pair}"
        if first is pair:
            assert pair(f"{line} -o {run}", 0, "SIGINT", 7) == [130, 130]
        else:
            assert alone(f"{line} -o {run}", run, "SIGINT", 7) == 130
        assert np.all(np.array(then(f"{line} -o {run} --resume")) == 0)
        check_close(run, tmp_path / "one")


@pytest.mark.slow
def test_a_batch_that_is_not_finite_for_one_is_skipped_by_all(pair, grains8, tmp_path):
    line = f"fit {grains8} -o {tmp_path / 'run'} {as_options(tiny())}"
    assert pair(line, 1, "nan", 3) == [0, 0]
    records = [r for r in read_log(tmp_path / "run") if "loss" in r]
    assert [r["skipped"] for r in records] == [0, 0, *[1] * 10]
    assert [r["step"] for r in records if r["loss"] is None] == [3]


@pytest.mark.slow
def test_all_end_where_the_first_is_refused(pair, grains8, tmp_path):
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"):
        line = f"fit {grains8} -o {tmp_path / 'run'} {as_options(tiny())}"
        assert pair(line) == [2, 2]


@pytest.mark.slow
def test_torchrun_prints_once_what_one_process_prints(grains8, tmp_path):
    done = torchrun(f"fit {grains8} -o {tmp_path / 'run'} {as_options(tiny(steps=2))}")
    assert done.returncode == 0, done.stderr
    model, data, loss, summary = done.stdout.splitlines()
    assert loss.endswith("; 2 steps of 2")
    assert summary.startswith(f"{tmp_path / 'run'}: step 2 of 2")


@pytest.mark.slow
def test_torchrun_prints_once_what_is_refused(grains8, tmp_path):
    done = torchrun(f"fit {grains8} -o {tmp_path / 'run'} --batch 3")
    assert done.returncode != 0 and done.stdout == ""
    said = [x for x in done.stderr.splitlines() if x.startswith("Error: ")]
    assert len(said) == 1 and "batch 3 for 2 processes" in said[0]
    assert "take --batch 4" in said[0]
    assert set(re.findall(r"exitcode *: (-?\d+)", done.stderr)) <= {"2", "-15"}
    assert not (tmp_path / "run").exists()


def test_parts_of_a_batch_are_equal_and_in_order(grains8, tmp_path):
    settings = tiny(batch=4)
    whole = prepare(grains8, tmp_path / "run", settings).batch(5).bodies.stiffness
    parts = [
        prepare(grains8, tmp_path / "run", settings, device=Devices(CPU, rank, 2))
        for rank in range(2)
    ]
    both = torch.cat([part.batch(5).bodies.stiffness for part in parts])
    assert torch.equal(both, whole)
    with pytest.raises(InputError) as refusal:
        prepare(grains8, tmp_path / "run", settings, device=Devices(CPU, 0, 3))
    assert "batch 4 for 3 processes" in one_line(refusal)


# the other term, of viscoplastic bodies, is in test_creep_eco.py
@pytest.mark.parametrize("name", [name for name in TERMS if name != "complementary"])
def test_every_term_of_the_loss_is_a_mean_over_samples(grains8, pores8, name):
    users = ((m, i) for i in (0, 1) for m in LOSSES if name in LOSSES[m][i])
    model, porous = next(users, ("p-eco-iterated", 0))
    examples = Examples(pores8 if porous else grains8, "train")
    config = resolve(tiny(model=model), bool(porous))
    encoder = Encoder.fit(examples, "rotated", config.representation)
    network = make_model(config)
    values = []
    for part in (examples[:4], examples[:2], examples[2:4]):
        batch = encoder.batch(part)
        values.append(TERMS[name](network(batch.bodies), batch, config.gamma))
    mean = (values[1] + values[2]) / 2
    torch.testing.assert_close(values[0], mean, rtol=1e-4, atol=1e-5)
    assert abs(values[1] - values[2]) > 1e-3 * abs(mean)


def test_random_numbers_of_a_step_are_its_own_in_each_process():
    def numbers(*key):
        seed_step(*key)
        return torch.rand(4).tolist()

    with torch.random.fork_rng(devices=[]):
        keys = [
            (seed, step, rank) for seed in (0, 1) for step in (0, 1) for rank in (0, 1)
        ]
        drawn = [numbers(*key) for key in keys]
        assert drawn == [numbers(*key) for key in keys]
        assert len(set(map(tuple, drawn))) == len(keys)


def test_a_process_that_torchrun_did_not_start_is_alone(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    with processes("cpu") as devices:
        assert devices == Devices(CPU) and devices.first


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose("cuda", 1) == torch.device("cuda", 1)
    with pytest.raises(InputError) as refusal:
        choose("cuda", 2)
    assert "--nproc-per-node 2" in one_line(refusal)
