"""A full disk, a second process, Ctrl-C: one line, and a dataset that continues."""

import errno
import importlib
import io as io_
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from small_datasets import (
    check_what_is_counted,
    content,
    pores,
    read_until,
    refused,
    run,
    start,
    started_at_a_terminal,
)

from fftmech import io
from fftmech.datasets import executor, make, manifest

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="limits and terminals are those of POSIX"
)

SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Content of a dataset that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "d"
    run(pores(folder))
    return content(folder)


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fill_sample(monkeypatch):
    inner = Path.write_bytes

    def write_bytes(path, data):
        if path.suffix != ".h5" or not path.name.startswith(".00004"):
            return inner(path, data)
        inner(path, data[:1000])
        full()

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    return "samples/00004.h5"


def fill_card(monkeypatch):
    monkeypatch.setattr(Path, "write_text", full)
    return "dataset.json"


def fill_sorted_manifest(monkeypatch):
    inner, calls = Path.write_bytes, []

    def write_bytes(path, data):
        if path.suffix == ".jsonl":
            calls.append(path)
            if len(calls) == 2:
                full()
        return inner(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    return "manifest.jsonl"


def fill_line(monkeypatch):
    class Disk(io_.FileIO):
        def write(self, data):
            if b'"index": 4' in data:
                super().write(data[:100])
                full()
            return super().write(data)

    monkeypatch.setattr(manifest, "open", Disk, raising=False)
    return "manifest.jsonl"


@pytest.mark.parametrize(
    ("fill", "jobs"),
    [
        (fill_card, 1),
        (fill_sample, 1),
        (fill_line, 1),
        pytest.param(fill_line, 2, marks=SLOW),
        (fill_sorted_manifest, 1),
    ],
)
def test_a_full_disk_ends_with_one_line_that_names_the_file_and_it_continues(
    fill, jobs, tmp_path, whole, monkeypatch
):
    folder = tmp_path / "d"
    with monkeypatch.context() as patch:
        name = fill(patch)
        line = refused(pores(folder, f"--jobs {jobs}"))
    assert line.startswith(f"Error: {folder / name}: No space left on device; ")
    left = content(folder)
    assert not [name for name in left if "/." in name or name.startswith(".")]
    check_what_is_counted(folder, whole)
    run(pores(folder))
    assert content(folder) == whole


@SLOW
def test_a_file_that_grows_too_large_for_the_system_ends_with_one_line(tmp_path, whole):
    resource = importlib.import_module("resource")
    # the sample for the test, with both solutions, is the largest
    *_, largest, _ = sorted(map(len, whole.values()))
    name = max(whole, key=lambda name: len(whole[name]))
    process = start(
        pores(tmp_path / "d", "--jobs 2"),
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (largest, largest)
        ),
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "") and err.count("\n") == 1
    assert f"{tmp_path / 'd' / name}: File too large" in err
    check_what_is_counted(tmp_path / "d", whole)
    run(pores(tmp_path / "d"))
    assert content(tmp_path / "d") == whole


FULL_DISK = """
mount -t tmpfs -o size=$1 none $2 || exit 77
$3 2> $2.err
echo $?
mount -o remount,size=10m $2
$3
cp -r $2/d $2-copy
"""


@SLOW
@pytest.mark.parametrize(("room", "jobs"), [("36k", 1), ("140k", 2)])
def test_a_dataset_on_a_full_disk_continues_once_there_is_room(
    room, jobs, tmp_path, whole
):
    if shutil.which("unshare") is None:
        pytest.skip("no unshare")
    disk = tmp_path / "disk"
    disk.mkdir()
    program = f"{sys.executable} -m fftmech_cli.fftmech_main"
    line = f"{program} {pores(disk / 'd', f'--jobs {jobs}')}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", FULL_DISK, "sh", room, str(disk), line],
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode and not (tmp_path / "disk.err").exists():
        pytest.skip(f"no disk of its own: {done.stderr.strip()}")
    assert done.stdout.startswith("2\n") and "8 of 8 samples" in done.stdout, done
    err = (tmp_path / "disk.err").read_text()
    assert err.startswith(f"Error: {disk / 'd'}") and err.count("\n") == 1
    assert ": No space left on device; " in err
    assert content(tmp_path / "disk-copy") == whole


WAITING = """
import sys
from fftmech.datasets import make
from fftmech_cli.fftmech_main import main

inner, waited = make.append_record, False

def append_record(*args):
    global waited
    if not waited:
        print("begun", flush=True)
        sys.stdin.readline()
        waited = True
    inner(*args)

make.append_record = append_record
main()
"""
"""The command line, which waits for a line before it records its first sample."""


@SLOW
@pytest.mark.parametrize("ends", ["ends", "is killed"])
def test_a_second_process_is_refused_until_the_first_one(ends, tmp_path, whole):
    folder = tmp_path / "d"
    process = start(pores(folder), WAITING)
    assert process.stdout.readline() == "begun\n"
    before = content(folder)
    for line in (
        pores(folder),
        pores(folder, "--jobs 2"),
        f"dataset extend {folder} --count 20 --jobs 1",
        f"dataset verify {folder} --repair --jobs 1",
    ):
        assert "another process is at work on this dataset" in refused(line)
    assert content(folder) == before
    if ends == "ends":
        out, err = process.communicate("go on\n", timeout=60)
        assert process.returncode == 0 and "8 of 8 samples" in out and not err
    else:
        process.kill()
        process.communicate(timeout=60)
        run(pores(folder))
    assert content(folder) == whole


def test_a_dataset_that_another_process_began_meanwhile_is_refused(
    tmp_path, monkeypatch
):
    folder = tmp_path / "d"
    inner = make.locked

    @contextmanager
    def late(directory):
        monkeypatch.setattr(make, "locked", inner)
        run(pores(folder, "--jobs 1 --seed 7"))
        with inner(directory):
            yield

    monkeypatch.setattr(make, "locked", late)
    assert "seed: 7 there, 0 asked" in refused(pores(folder))
    assert "8 of 8 samples are right\n" in run(f"dataset verify {folder}").stdout


@pytest.mark.parametrize(
    ("jobs", "when"),
    [
        pytest.param(1, "solving", marks=SLOW),
        pytest.param(2, "starting", marks=SLOW),
        pytest.param(2, "solving", marks=SLOW),
    ],
)
def test_ctrl_c_at_a_terminal_ends_with_one_line_and_leaves_whole_samples(
    jobs, when, tmp_path, whole
):
    folder = tmp_path / "d"
    line = pores(folder, f"--jobs {jobs}", count=3000)
    with started_at_a_terminal(line) as (process, keyboard):
        shown = read_until(b"0/3000" if when == "starting" else b"8/3000", keyboard)
        while len(psutil.Process(process.pid).children()) < (jobs if jobs > 1 else 0):
            time.sleep(0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        os.write(keyboard, b"\x03")
        shown += read_until(b"continues.\r\n", keyboard)
        assert process.wait(60) == 130
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert b"Traceback" not in shown
    assert shown.endswith(
        b"Interrupted: whole samples are kept, and the same command continues.\r\n"
    )
    left = content(folder)
    assert not [name for name in left if "/." in name or name.startswith(".")]
    for name, data in whole.items():
        if name.startswith("samples") and name in left:
            assert left[name] == data
    data = io.Dataset(folder)
    assert list(data.verify()) == [None] * len(data)


def test_ctrl_c_that_another_thread_takes_waits_until_processes_have_started():
    begun, taken, done = threading.Event(), threading.Event(), []

    def take():
        begun.wait()
        signal.raise_signal(signal.SIGINT)
        taken.set()

    # of a thread that was there before, which does not share the mask
    thread = threading.Thread(target=take)
    thread.start()
    with pytest.raises(KeyboardInterrupt), executor._without_interrupts():
        begun.set()
        taken.wait()
        time.sleep(0.05)
        done.append("started")
    thread.join()
    assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler
