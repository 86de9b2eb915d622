"""The command `ecosr serve`: what it refuses, says of its models, and how it ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack

import psutil
import pytest
from served import until
from small_runs import refused, run

from ecosurrogate.client import Client, Refused
from ecosurrogate.evaluation.folder import NUMBERS
from ecosurrogate.server.model_cards import describe
from ecosurrogate.server.serving import listen
from ecosurrogate.training.checkpoint import load_model
from fftmech import read_result, write
from fftmech.microstructure import polycrystal


@pytest.fixture
def folder(served_folder, one_thread):
    return served_folder


def test_errors_on_the_test_set_are_told_only_of_the_weights_that_were_evaluated(
    folder, grains8, tmp_path
):
    evaluated = tmp_path / "s-eco"
    shutil.copytree(folder / "s-eco", evaluated)
    card = load_model(evaluated)
    assert describe(*card, evaluated)["test"] is None
    # what -o writes there beside pictures
    numbers = run(f"evaluate {evaluated} {grains8} --baseline none --json").stdout
    (evaluated / "evaluation").mkdir()
    (evaluated / "evaluation" / NUMBERS).write_text(numbers)
    found = describe(*card, evaluated)
    assert found["test"]["samples"] == 1 and found["test"]["stress"] > 0
    assert found["resolution"] == 8 and found["trained_on"]["labels"] == 4
    weights = evaluated / "weights.safetensors"
    weights.write_bytes(weights.read_bytes() + b"\x00")
    assert describe(*card, evaluated)["test"] is None


def test_other_addresses_need_a_token_and_runs_have_to_be_there(folder, tmp_path):
    assert "--token" in refused(f"serve {folder}/s-eco --host 0.0.0.0")
    assert "characters" in refused(f"serve {folder}/s-eco --token abc")
    assert "no run there" in refused(f"serve {tmp_path}/none --port 0")
    assert "one name" in refused(f"serve {folder}/s-eco {folder}/s-eco")
    with listen("127.0.0.1", 0) as place:
        port = place.getsockname()[1]
        said = refused(f"serve {folder}/s-eco --port {port}")
    assert f"127.0.0.1:{port}: cannot listen there (Address already in use);" in said


def test_no_part_of_an_answer_waits_for_the_client_to_confirm_another():
    with listen("127.0.0.1", 0) as place, socket.create_connection(place.getsockname()):
        connection, _ = place.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.fixture
def start(folder, tmp_path):
    """Start the command in a process of its own; return it, and a client."""
    command = [sys.executable, "-m", "fftmech_cli.ecosr_main", "serve"]
    with ExitStack() as running:

        def start():
            process = subprocess.Popen(
                [*command, str(folder / "p-eco-iterated"), "--port", "0"],
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
            )
            running.enter_context(process)
            running.callback(process.kill)
            line = process.stderr.readline()
            assert line.startswith("serving p-eco-iterated at http://127.0.0.1:"), line
            return process, Client(line.split()[-1])

        yield start


@pytest.mark.slow
def test_a_killed_server_leaves_no_process_and_the_next_one_ends_softly(
    folder, start, tmp_path
):
    write(tmp_path / "large.h5", polycrystal(32, 9, seed=5))
    body = (folder / "micro.h5").read_bytes()
    large = (tmp_path / "large.h5").read_bytes()
    server, client = start()
    expected = json.loads(client.ask("GET", "/models"))
    right = client.predict(body)
    children = psutil.Process(server.pid).children(recursive=True)
    assert children
    client.ask("POST", "/solve?wait=0&tolerance=1e-9", large)
    client.ask("POST", "/predict?wait=0", large)
    server.kill()
    server.wait()
    until(lambda: not any(child.is_running() for child in children), 60)
    (left,) = tmp_path.glob("ecosr-serve-*")
    for file in left.rglob("*.vtkhdf"):
        # what had its name already is whole
        assert read_result(file).microstructure.grid.shape == (32, 32, 32)

    server, client = start()
    assert not left.exists()
    assert json.loads(client.ask("GET", "/health"))["jobs"] == 0
    assert json.loads(client.ask("GET", "/models")) == expected
    for name, content in (("before", right), ("after", client.predict(body))):
        (tmp_path / f"{name}.vtkhdf").write_bytes(content)
    before, after = (read_result(tmp_path / f"{n}.vtkhdf") for n in ("before", "after"))
    assert after.stress.tobytes() == before.stress.tobytes()

    job = json.loads(client.ask("POST", "/solve?wait=0&tolerance=1e-9", large))
    server.send_signal(signal.SIGTERM)
    until(lambda: json.loads(client.ask("GET", "/health"))["status"] == "stopping")
    with pytest.raises(Refused) as refusal:
        client.predict(body)
    assert refusal.value.status == 503
    until(lambda: json.loads(client.ask("GET", job["href"]))["state"] == "done", 60)
    assert client.ask("GET", f"{job['href']}/result").startswith(b"\x89HDF")
    assert server.wait(20) == 0 and server.stderr.read() == ""
    assert not list(tmp_path.glob("ecosr-serve-*"))
