"""Samples made by processes of MPI: the same bytes, and an end in any case."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from small_datasets import content, pores, run

from fftmech.datasets.manifest import read_manifest

pytest.importorskip("mpi4py")

MPIEXEC = shutil.which("mpiexec") or shutil.which(
    "mpiexec", path=str(Path(sys.executable).parent)
)

needs_mpiexec = pytest.mark.skipif(MPIEXEC is None, reason="no mpiexec")


PROGRAM = [sys.executable, "-m", "fftmech_cli.fftmech_main"]
POOL = [sys.executable, "-m", "mpi4py.futures", *PROGRAM[1:]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Content of a dataset that one process made."""
    folder = tmp_path_factory.mktemp("whole") / "d"
    run(pores(folder))
    return content(folder)


def mpi(folder, processes, program=POOL, options="", count=8):
    """Start a line under mpiexec, or alone if `processes` is 0."""
    line = pores(folder, f"--executor mpi {options}", count).split()
    before = [MPIEXEC, "-n", str(processes)] if processes else []
    return subprocess.Popen(
        [*before, *program, *line],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(process, timeout=60):
    """What it said, and its exit code; a process that hangs is killed, and fails."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"hangs: {process.args}")
    return process.returncode, out, err


def own(err):
    """Lines of standard error that are not MPI's on the way out."""
    return [line for line in err.splitlines() if line.startswith("Error: ")]


@pytest.mark.slow
@needs_mpiexec
def test_processes_of_mpiexec_make_the_same_bytes_as_one(tmp_path, whole):
    code, out, err = end(mpi(tmp_path / "d", 3))
    assert code == 0 and "8 of 8 samples" in out and "8 made in" in out, err
    # a slow machine says every ten seconds how far it is
    assert not re.sub("Making samples: .*\n", "", err) and out.count("\n") == 1
    assert content(tmp_path / "d") == whole
    code, out, err = end(mpi(tmp_path / "d", 3))
    assert code == 0 and "; 0 made in" in out, err


def test_without_mpiexec_mpi_is_refused_in_one_line(tmp_path):
    code, out, err = end(mpi(tmp_path / "d", 0, PROGRAM, "--jobs 2"), 30)
    assert code == 2 and not out
    (line,) = own(err)
    assert "mpiexec -n N python -m mpi4py.futures" in line
    assert not (tmp_path / "d").exists()


@pytest.mark.slow
@needs_mpiexec
def test_programs_that_know_nothing_of_each_other_are_refused(tmp_path):
    code, out, err = end(mpi(tmp_path / "d", 2, PROGRAM), 30)
    assert code != 0 and not out
    assert all("python -m mpi4py.futures $(which fftmech)" in e for e in own(err))
    assert own(err) and not (tmp_path / "d").exists()


@needs_mpiexec
def test_bad_input_ends_all_processes_with_one_line(tmp_path):
    code, out, err = end(mpi(tmp_path / "d", 2, options="--low-res 3"), 30)
    assert code == 2 and not out
    (line,) = own(err)
    assert "low resolution 3" in line and "Traceback" not in err
    assert not (tmp_path / "d").exists()


@pytest.mark.slow
@needs_mpiexec
def test_a_failed_write_in_a_worker_ends_all_with_one_line(tmp_path, whole):
    run(pores(tmp_path / "d", "--jobs 1", count=1))
    shutil.rmtree(tmp_path / "d")
    run(pores(tmp_path / "d"))
    # a folder where a sample is to be
    (tmp_path / "d/manifest.jsonl").unlink()
    path = tmp_path / "d/samples/00003.h5"
    path.unlink()
    path.mkdir()
    code, out, err = end(mpi(tmp_path / "d", 2))
    assert code == 2 and not out
    (line,) = own(err)
    assert f"{path}: Is a directory" in line and "Traceback" not in err
    path.rmdir()
    code, out, err = end(mpi(tmp_path / "d", 2))
    assert code == 0 and content(tmp_path / "d") == whole, err


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """Content of a dataset that takes long enough for a process to be killed."""
    folder = tmp_path_factory.mktemp("longer") / "d"
    run(pores(folder, count=60))
    return content(folder)


@pytest.mark.slow
@needs_mpiexec
@pytest.mark.parametrize("victim", ["first", "worker", "mpiexec"])
def test_a_killed_process_ends_all_and_the_dataset_continues(victim, longer, tmp_path):
    folder = tmp_path / "d"
    process = mpi(folder, 2, count=60)
    records = folder / "manifest.jsonl"
    while not (records.exists() and records.read_bytes()):
        time.sleep(0.01)
        assert process.poll() is None, process.communicate()
    family = psutil.Process(process.pid).children(recursive=True)
    ranks = [p for p in family if "mpi4py.futures" in p.cmdline()]
    ranks = [p for p in ranks if p.name().startswith("python")]
    assert len(ranks) == 2
    # the first one writes the manifest
    names = ("PMI_RANK", "OMPI_COMM_WORLD_RANK")
    numbers = [next(p.environ()[n] for n in names if n in p.environ()) for p in ranks]
    first = ranks[numbers.index("0")]
    worker = next(p for p in ranks if p != first)
    victims = {"first": first, "worker": worker, "mpiexec": process}
    victims[victim].kill()
    code, _, err = end(process)
    assert code != 0
    assert not psutil.wait_procs(family, timeout=10)[1]
    assert len(read_manifest(folder).records) < 60
    run(pores(folder, count=60))
    assert content(folder) == longer


@pytest.mark.slow
@needs_mpiexec
def test_processes_have_one_busy_thread_each_and_the_first_waits_asleep(tmp_path):
    process = mpi(tmp_path / "d", 2, options="--res 16 --low-res 16", count=150)
    records = tmp_path / "d/manifest.jsonl"
    while not (records.exists() and records.read_bytes()):
        time.sleep(0.01)
        assert process.poll() is None, process.communicate()
    family = psutil.Process(process.pid).children(recursive=True)
    ranks = [p for p in family if p.name().startswith("python")]
    before = [sum(p.cpu_times()[:2]) for p in ranks]
    started = time.perf_counter()
    time.sleep(1)
    if process.poll() is not None:
        pytest.skip("this machine is too fast to be watched")
    used = [sum(p.cpu_times()[:2]) - b for p, b in zip(ranks, before, strict=True)]
    elapsed = time.perf_counter() - started
    assert end(process)[0] == 0
    assert max(used) < 1.2 * elapsed and min(used) < 0.5 * elapsed
