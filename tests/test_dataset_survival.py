"""Killed anywhere, and run again with the same command: the same dataset."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from small_datasets import check_what_is_counted, content, pores, run, start

from fftmech import io
from fftmech.datasets.manifest import read_manifest

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="signals are sent to other processes"
)

SLOW = pytest.mark.slow

SERVER = """
import os, signal, sys

from fftmech_cli.fftmech_main import main

CHANGES = ("open", "os.rename", "os.mkdir", "os.remove", "os.chmod")

def kill_at(number, folder):
    def hook(event, args):
        nonlocal number
        if event in CHANGES and folder in str(args[0]):
            reads = event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR)
            number -= not reads
            if number < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

try:
    main()
except SystemExit:
    pass
for request in sys.stdin:
    number, folder, *line = request.split()
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if number != "-":
            kill_at(int(number), folder)
        try:
            main(line)
        except SystemExit as end:
            # to tidy up takes longer than the work
            os._exit(end.code)
    print(process, flush=True)
    print(os.waitpid(process, 0)[1], flush=True)
"""
"""Runs one line, and then others, each in a process of its own that need not import or
compile anything again. On request such a process is killed right before its n-th
change to the files of a folder."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Folder for a dataset that nobody disturbs."""
    return tmp_path_factory.mktemp("whole") / "d"


@pytest.fixture(scope="module")
def server(undisturbed):
    process = start(pores(undisturbed), SERVER, stderr=subprocess.DEVNULL)
    assert "8 of 8 samples" in process.stdout.readline()
    yield process
    process.stdin.close()
    process.wait(30)


@pytest.fixture(scope="module")
def whole(server, undisturbed):
    """Content of that dataset."""
    return content(undisturbed)


def serve(server, line, folder="-", number="-"):
    """Start a line; return its process, which `served` waits for."""
    server.stdin.write(f"{number} {folder} {line}\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def served(server):
    """Whether the line came to its end, with exit code 0; else it was killed."""
    status = int(server.stdout.readline())
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
    return status == 0


@SLOW
@pytest.mark.parametrize(("jobs", "times"), [(1, 12), (2, 6)])
def test_killed_at_random_times_the_same_command_ends_with_the_same_bytes(
    jobs, times, tmp_path, server, whole
):
    started = time.perf_counter()
    serve(server, pores(tmp_path / "undisturbed", f"--jobs {jobs}"))
    assert served(server)
    # of 0.1 s with one process, of 2 s with two, which import everything again
    duration = time.perf_counter() - started
    assert content(tmp_path / "undisturbed") == whole

    random = np.random.default_rng(jobs)
    kills, finished = 0, 0
    while kills < times:
        folder = tmp_path / str(finished)
        process = serve(server, pores(folder, f"--jobs {jobs}"))
        time.sleep(random.uniform(0, duration))
        workers = []
        # it may have ended by now
        if psutil.pid_exists(process):
            try:
                workers = psutil.Process(process).children(recursive=True)
                os.kill(process, signal.SIGKILL)
            except (psutil.NoSuchProcess, ProcessLookupError):
                pass
        if served(server):
            assert content(folder) == whole
            finished += 1
        else:
            kills += 1
            _, orphans = psutil.wait_procs(workers, timeout=10)
            assert not orphans
            check_what_is_counted(folder, whole)
    serve(server, pores(folder, f"--jobs {jobs}"))
    assert served(server)
    assert content(folder) == whole


@SLOW
def test_killed_before_any_change_to_its_files_it_ends_with_the_same_bytes(
    tmp_path, server
):
    serve(server, pores(tmp_path / "whole", count=2))
    assert served(server)
    whole = content(tmp_path / "whole")
    for number in range(1000):
        folder = tmp_path / f"n{number}"
        line = pores(folder, count=2)
        serve(server, line, folder, number)
        if served(server):
            break
        check_what_is_counted(folder, whole)
        serve(server, line)
        assert served(server)
        assert content(folder) == whole, number
    # card, two samples and two manifests are each opened twice and renamed
    assert 20 < number < 1000


TORN = """
import os, pathlib, signal, sys
from fftmech.datasets import make, manifest
from fftmech_cli.fftmech_main import main

place = sys.argv.pop(1)
inner = pathlib.Path.write_bytes
left = 3

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def write_bytes(path, data):
    global left
    if path.suffix == place:
        left -= 1
        if left < 0 or place == ".jsonl":
            inner(path, data[: len(data) // 2])
            die()
    return inner(path, data)

def write_text(path, text, **options):
    inner(path, text[:100].encode())
    die()

def append_record(folder, record):
    global left
    left -= 1
    line = manifest._line(record)
    with open(f"{folder}/manifest.jsonl", "ab") as file:
        file.write(line if left >= 0 else line[: len(line) // 2])
    if left < 0:
        die()

pathlib.Path.write_bytes = write_bytes
if place == ".json":
    pathlib.Path.write_text = write_text
if place == "line":
    make.append_record = append_record
main()
"""
"""The command line, which is killed in the middle of writing."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "counted"),
    [(".h5", 3), (".json", 0), (".jsonl", 0), ("line", 3)],
)
def test_what_was_half_written_when_it_was_killed_is_not_counted_and_made_again(
    place, counted, tmp_path, whole
):
    folder = tmp_path / "d"
    process = start(f"{place} {pores(folder)}", TORN)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err
    check_what_is_counted(folder, whole)
    assert len(read_manifest(folder).records) == counted
    if (folder / "dataset.json").exists():
        data = io.Dataset(folder)
        assert [sample.index for sample in data] == list(range(counted))
        assert list(data.verify()) == [None] * counted
    run(pores(folder))
    assert content(folder) == whole


@pytest.mark.slow
def test_a_killed_worker_ends_the_run_with_one_line_and_it_continues(tmp_path):
    folder = tmp_path / "d"
    line = pores(folder, "--jobs 2", count=40)
    process = start(line)
    records = folder / "manifest.jsonl"
    while not (records.exists() and records.read_bytes()):
        time.sleep(0.01)
        assert process.poll() is None, process.communicate()
    others = psutil.Process(process.pid).children(recursive=True)
    worker = next(p for p in others if "spawn_main" in " ".join(p.cmdline()))
    worker.kill()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and out == ""
    assert err.count("\n") == 1 and "a working process died" in err
    assert not psutil.wait_procs(others, timeout=10)[1]
    assert 0 < len(read_manifest(folder).records) < 40
    run(line.replace("--jobs 2", "--jobs 1"))
    run(pores(tmp_path / "undisturbed", count=40))
    assert content(folder) == content(tmp_path / "undisturbed")
