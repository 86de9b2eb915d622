"""Processors and memory that a process may use, and how its threads wait."""

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from conftest import SOFT, STIFF, sphere

from fftmech import FiniteLoad, InputError, Load, homogenize, solve
from fftmech.arrays import backend
from fftmech.arrays.backend import cpu_backend, get_backend
from fftmech.arrays.cgroups import cpu_quota, memory_left
from fftmech.arrays.memory import check_bytes, free_memory
from fftmech.arrays.threads import count_of, processors, threads_for
from fftmech.datasets.make import make
from fftmech.simulations.batch import solve_many

SLOW = pytest.mark.slow
linux = pytest.mark.skipif(sys.platform != "linux", reason="affinity of Linux")

INFINITE = float("inf")
GIB = 2**30
STAT = "anon 5\nactive_file 100\ninactive_file 20\ntotal_active_file {total}\n"


@pytest.fixture
def machine(tmp_path):
    """Write files of a machine below a folder, by their paths; return the folder."""

    def write(files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


@pytest.fixture
def many(monkeypatch):
    """Eight processors without a limit by the environment."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda process: set(range(8)), raising=False
    )


QUOTAS = {
    "no groups": ({}, INFINITE),
    "2, no quota": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
        INFINITE,
    ),
    "2, container": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"},
        1.5,
    ),
    "2, a quota above": (
        {
            "proc/self/cgroup": "0::/job/step/task\n",
            "sys/fs/cgroup/job/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/job/step/cpu.max": "max 100000\n",
            "sys/fs/cgroup/job/step/task/cpu.max": "600000 100000\n",
        },
        2,
    ),
    "2, outside of the container's": (
        {
            "proc/self/cgroup": "0::/../else\n",
            "sys/fs/cgroup/cpu.max": "50000 50000\n",
            "sys/fs/else/cpu.max": "25000 50000\n",
        },
        1,
    ),
    "2, beside and above the groups": (
        {
            "proc/self/cgroup": "0::/ours\n",
            "sys/fs/cgroup/other/cpu.max": "100000 100000\n",
            "cpu.max": "100000 100000\n",
            "sys/cpu.max": "100000 100000\n",
        },
        INFINITE,
    ),
    "1, no quota": (
        {
            "proc/self/cgroup": "3:cpuset:/\n2:cpu,cpuacct:/a\n1:name=systemd:/a:b\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
        },
        INFINITE,
    ),
    "1, a quota above": (
        {
            "proc/self/cgroup": "4:memory:/\n2:cpuacct,cpu:/a/b\n0::/a/b\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us": "100000\n",
        },
        3,
    ),
    "1, container with its host's paths": (
        {
            "proc/self/cgroup": "2:cpu,cpuacct:/docker/0123\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        0.5,
    ),
}


@pytest.mark.parametrize("case", QUOTAS)
def test_processors_are_no_more_than_the_quota_of_any_group_above(case, machine, many):
    files, quota = QUOTAS[case]
    root = machine(files)
    assert cpu_quota(root) == quota
    assert processors(root) == (8 if quota == INFINITE else np.ceil(quota))


LIMITS = {
    "no groups": ({}, INFINITE),
    "2, no limit": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "max\n",
            "sys/fs/cgroup/memory.current": "5\n",
        },
        INFINITE,
    ),
    "2, less is left above": (
        {
            "proc/self/cgroup": "0::/job/task\n",
            "sys/fs/cgroup/job/memory.max": "1000\n",
            "sys/fs/cgroup/job/memory.current": "700\n",
            "sys/fs/cgroup/job/memory.stat": STAT.format(total=0),
            "sys/fs/cgroup/job/task/memory.max": "900\n",
            "sys/fs/cgroup/job/task/memory.current": "10\n",
        },
        300 + 120,
    ),
    "1, cached files of subgroups are given back": (
        {
            "proc/self/cgroup": "5:memory:/a\n1:cpu:/a\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "5000\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000\n",
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "900\n",
            "sys/fs/cgroup/memory/a/memory.stat": STAT.format(total=300),
        },
        400,
    ),
    "1, more is used than allowed": (
        {
            "proc/self/cgroup": "5:memory:/docker/0123\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1100\n",
        },
        0,
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_free_memory_is_no_more_than_any_group_above_has_left(
    case, machine, monkeypatch
):
    files, left = LIMITS[case]
    root = machine(files)
    assert memory_left(root) == left
    for available in (2**40, 50):
        free = SimpleNamespace(available=available)
        monkeypatch.setattr(psutil, "virtual_memory", lambda free=free: free)
        assert free_memory(root) == min(available, left)


def test_work_beyond_the_limit_of_a_group_is_refused(monkeypatch):
    free = SimpleNamespace(available=64 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    check_bytes(3 * GIB, "a solve")
    monkeypatch.setattr("fftmech.arrays.memory.memory_left", lambda root: 2.0 * GIB)
    check_bytes(GIB, "a solve")
    with pytest.raises(InputError, match="a solve needs about 3 GiB and 2 GiB are"):
        check_bytes(3 * GIB, "a solve")


@pytest.mark.parametrize(
    "text, count",
    [
        *(("1", 1), ("3", 3), (" 4 ", 4), ("2,8", 2), ("64", 8)),
        *(("", 8), ("0", 8), ("-1", 8), ("many", 8), ("2.5", 8)),
    ],
)
def test_omp_num_threads_lowers_the_number_of_processors(
    text, count, machine, many, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert processors(machine({})) == count
    assert count_of("threads", None) == cpu_backend().threads == processors()
    assert threads_for(64**3) == processors() and threads_for(8**3) == 1


def python(program, **environment):
    """What a program prints in a process without variables of OpenMP but these."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("OMP", "GOMP"))}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**ours, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).strip()


@linux
def test_processors_are_those_of_the_affinity():
    program = (
        "import os\n"
        "from fftmech.arrays.threads import processors\n"
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "print(processors())"
    )
    assert python(program) == "1"


WRONG = [0, -1, 2.5, True, False, "2", float("nan")]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_what_is_no_number_of_threads_or_jobs_is_refused(wrong, tmp_path):
    body, load = sphere(4, SOFT, STIFF), Load(strain={"xx": 1e-3})
    card: Any = None  # refused before it is looked at
    calls = {
        "threads": [
            lambda: cpu_backend(wrong),
            lambda: get_backend("cpu", wrong),
            lambda: get_backend("cuda", wrong),
            lambda: solve(body, load, threads=wrong),
            lambda: homogenize(body, threads=wrong),
        ],
        "jobs": [
            lambda: solve_many([(body, load)], jobs=wrong),
            lambda: make(tmp_path / "data", card, jobs=wrong),
        ],
    }
    for name, refused in calls.items():
        for call in refused:
            with pytest.raises(InputError) as refusal:
                call()
            expected = f"{name} {wrong!r}: expected a whole number of at least 1"
            assert str(refusal.value) == expected


def test_more_threads_than_processors_are_allowed():
    many = 4 * processors()
    int_of_numpy: Any = np.int64(many)
    assert get_backend("cpu", many).threads == threads_for(64**3, many) == many
    assert count_of("threads", int_of_numpy) == many


WAIT = "print(*(os.environ.get(n) for n in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')))"
"""Prints how the environment has threads of OpenMP wait."""


@pytest.mark.parametrize(
    "package, environment, expected",
    [
        ("ecosurrogate", {}, "PASSIVE 1000"),
        ("ecosurrogate", {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None"),
        ("ecosurrogate", {"GOMP_SPINCOUNT": "7"}, "None 7"),
        pytest.param("fftmech.torch", {}, "PASSIVE 1000", marks=SLOW),
    ],
)
def test_openmp_is_to_sleep_unless_the_user_says_how_it_waits(
    package, environment, expected
):
    if package == "fftmech.torch":
        pytest.importorskip("torch")
    assert python(f"import os, {package}; {WAIT}", **environment) == expected


ALONE = "import torch"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ALONE!r}])"


@pytest.mark.slow
@pytest.mark.parametrize(
    "package, program",
    [
        ("ecosurrogate", CHILD),
        ("fftmech.torch", ALONE),
        ("fftmech_cli.ecosr_main", ALONE),
    ],
)
def test_threads_of_torch_sleep_soon_while_they_wait(package, program):
    pytest.importorskip("torch")
    shown = python(f"import {package}; {program}", OMP_DISPLAY_ENV="verbose")
    spins = [line for line in shown.splitlines() if "GOMP_SPINCOUNT" in line]
    if not spins:
        pytest.skip("torch with another OpenMP than GNU's")
    assert all("'1000'" in line for line in spins), shown


def test_the_solver_leaves_the_environment_alone():
    program = (
        "import os; before = dict(os.environ)\n"
        "import fftmech, fftmech.datasets.make\n"
        "print(os.environ == before)"
    )
    assert python(program) == "True"


@pytest.mark.parametrize(
    ("package", "threads", "left"),
    [
        ("fftmech.torch", 6, "2"),
        pytest.param("ecosurrogate.training.devices", 1, "1", marks=SLOW),
    ],
)
def test_torch_has_no_more_threads_than_the_quota_allows(package, threads, left):
    pytest.importorskip("torch")
    program = (
        "import torch, fftmech.arrays.cgroups\n"
        f"torch.set_num_threads({threads})\n"
        "import fftmech.arrays.threads as ours\n"
        "ours.cpu_quota = lambda root: 1.5\n"
        "ours.os.sched_getaffinity = lambda process: set(range(8))\n"
        f"import {package}\n"
        "print(torch.get_num_threads())"
    )
    assert python(program) == left


def test_every_fft_of_fourier_has_the_threads_that_the_solve_was_given(
    many, monkeypatch
):
    given = []

    def workers(field, threads):
        given.append(threads)
        return 1

    monkeypatch.setattr(backend, "_workers", workers)
    body, load = sphere(5, SOFT, STIFF), Load(strain={"xx": 1e-3})
    options: Any = {"scheme": "fourier", "threads": 3}
    solve(body, load, **options)
    assert set(given) == {3}
    monkeypatch.setattr("fftmech.problems.linear.get_kernels", lambda *body: None)
    for call in (
        lambda: solve(body, load, **options),
        lambda: solve(body, load, solver="basic", **options),
        lambda: solve(body, FiniteLoad(F={"xx": 1.001}), **options),
        lambda: homogenize(body, **options),
    ):
        given.clear()
        call()
        assert set(given) == {3}
    given.clear()
    list(solve_many([(body, load)], scheme="fourier"))
    assert set(given) == {1}
