"""Compiled code and threads of a process that begins."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from fftmech.arrays.threads import parallel
from fftmech.kernels.compiled import compiled, timed

posix = pytest.mark.skipif(sys.platform == "win32", reason="limits, forks of POSIX")

BODY = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import SOFT, STIFF, sphere
from fftmech import Load, solve
body, load = sphere(4, SOFT, STIFF), Load(strain={{"xx": 1e-3}})
"""

TWO_THREADS = """
import threading
results, barrier = [], threading.Barrier(2)
def work():
    barrier.wait()
    results.append(solve(body, load, threads=1))
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(results) == 2 and all(r.converged for r in results)
assert (results[0].stress == results[1].stress).all()
"""

FULL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
first, second = solve(body, load), solve(body, load)
assert first.converged and first.times["compile"] > 0.5 > second.times["compile"]
assert (first.stress == second.stress).all()
"""

MODES = """
from fftmech.kernels import hexahedron
assert solve(body, load, scheme="central").converged
assert hexahedron._law.signatures and not hexahedron._hourglass.signatures
"""

FORK = """
import os, signal, threading, time
from fftmech.arrays.threads import parallel
def sum_of_parts():
    parts, barrier = [], threading.Barrier(4)
    def part(first, last):
        barrier.wait()
        parts.append(last - first)
    parallel(part, 10, 4)
    return sum(parts)
assert sum_of_parts() == 10
time.sleep(0.1)  # until all threads are idle
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(sum_of_parts())
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 10
"""


def run(program, cache=None):
    """Run in a process of its own, with compiled code in the folder `cache`."""
    environment = {**os.environ}
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_threads_may_be_the_first_to_solve():
    run(BODY + TWO_THREADS)


@pytest.mark.slow
def test_two_threads_may_be_the_first_to_compile(tmp_path):
    run(BODY + TWO_THREADS, tmp_path)
    assert list(tmp_path.rglob("*.nbc"))


@posix
@pytest.mark.slow
def test_solve_needs_no_disk_for_compiled_code(tmp_path):
    run(BODY + FULL_DISK, tmp_path)
    assert not any(path.stat().st_size for path in tmp_path.rglob("*.nb?"))


@pytest.mark.slow
def test_cache_folder_may_be_a_file_and_modes_of_hex8_are_compiled_for_it_alone(
    tmp_path,
):
    (tmp_path / "file").write_text("mine")
    run(BODY + MODES, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_collected_after_compiling_as_before(collects):
    seen = []
    try:
        (gc.enable if collects else gc.disable)()
        with pytest.raises(ZeroDivisionError):
            timed(lambda: seen.append(gc.isenabled()) or 1 / 0)
        assert seen == [False] and gc.isenabled() == collects
    finally:
        gc.enable()


def test_code_is_compiled_where_no_folder_can_keep_it():
    made = {}
    exec("def f(x): return x + 1", made)  # no file, and so no folder
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(made["f"], cache=True)
    assert compiled(made["f"])(1.5) == 2.5


@posix
def test_a_forked_process_starts_threads_of_its_own():
    run(FORK)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_parts_cover_a_range_once(count, threads):
    seen, calls = np.zeros(count, int), []

    def part(first, last):
        calls.append(first)
        seen[first:last] += 1

    parallel(part, count, threads)
    assert (seen == 1).all() and len(calls) == min(threads, count)


@pytest.mark.parametrize("bad", [0, 3])
def test_error_in_one_part_is_raised_once_all_have_ended(bad):
    ended = []

    def part(first, last):
        ended.append(first)
        if first == bad:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        parallel(part, 4, 4)
    assert sorted(ended) == [0, 1, 2, 3]
