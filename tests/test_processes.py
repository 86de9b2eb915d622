"""Bodies that the processes of mpiexec share: the same numbers, messages and files."""

import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("mpi4py")

MPIEXEC = shutil.which("mpiexec") or shutil.which(
    "mpiexec", path=str(Path(sys.executable).parent)
)
pytestmark = pytest.mark.skipif(MPIEXEC is None, reason="no mpiexec")

PROGRAM = [sys.executable, "-m", "fftmech_cli.fftmech_main"]
SHARED = [sys.executable, str(Path(__file__).with_name("shared_bodies.py"))]
ROUNDING = {"displacement": 1e-7}
"""What else than 1e-9 fields may differ by: what has no strain is rounding in single
precision, that of search directions."""


def start(count, line, folder="."):
    """Start a line in so many processes."""
    return subprocess.Popen(
        [str(MPIEXEC), "-n", str(count), *map(str, line)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        start_new_session=True,
    )


def end(process, timeout=120):
    """Exit code and what it said; a process that hangs is killed, and fails."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"hangs: {process.args}")
    return process.returncode, out, err


def mpi(count, line, folder="."):
    """Run a line in so many processes."""
    return end(start(count, line, folder))


def check_equal(count, cases):
    """Compare cases of shared_bodies.py."""
    code, out, err = mpi(count, [*SHARED, json.dumps(cases)])
    assert code == 0 and not err, err
    found = [json.loads(line) for line in out.splitlines()]
    assert found and all(case["size"] == count for case in found)
    for case in found:
        (a, b), (n, m) = case["status"], case["iterations"]
        assert a == b == "converged" and abs(n - m) <= n // 30, case
        for name, gap in case["fields"].items():
            # vectors in single precision lead scaled searches apart
            least = 1e-8 if case["case"][3] == "jacobi-cg" else 1e-9
            assert gap < ROUNDING.get(name, least), case
        assert max(case["means"].values()) < 1e-10, case
        one, all_ = case["certificates"]
        assert (one is None) == (all_ is None), case
        assert one is None or 0.5 < all_ / one < 2, case
        assert case["notes"][0] == case["notes"][1], case


def test_two_processes_have_the_fields_of_one():
    check_equal(2, [[(5, 4, 6), "bbar", "cg"], [(4, 3, 1), "rotated", "jacobi-cg"]])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "shape"),
    [
        (2, (8, 6, 10)),
        (3, (7, 5, 1)),
        (3, (16, 16, 16)),
        (3, (2, 4, 3)),
        (4, (1, 1, 5)),
    ],
)
def test_all_schemes_and_solvers_have_the_fields_of_one_process(count, shape):
    schemes, solvers = (
        ("rotated", "hex8", "bbar", "forward"),
        ("cg", "jacobi-cg", "basic"),
    )
    cases = [
        [shape, scheme, solver]
        for scheme, solver in product(schemes, solvers)
        # pores are no body of a scheme with one-sided differences
        if scheme != "forward" or shape[2] == 1
    ]
    check_equal(count, cases)
