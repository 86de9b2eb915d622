"""Bodies that the processes of mpiexec share: the same numbers, messages and files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

import fftmech
from fftmech import Grid, Load, Microstructure
from fftmech.materials import isotropic

pytest.importorskip("mpi4py")

MPIEXEC = shutil.which("mpiexec") or shutil.which(
    "mpiexec", path=str(Path(sys.executable).parent)
)
pytestmark = pytest.mark.skipif(MPIEXEC is None, reason="no mpiexec")

PROGRAM = [sys.executable, "-m", "fftmech_cli.fftmech_main"]
SHARED = [sys.executable, str(Path(__file__).with_name("shared_bodies.py"))]
ROUNDING = {"displacement": 1e-6}
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
        one, all_ = case["notes"]
        assert one == [note for note in all_ if "planes across x" not in note], case


def test_two_processes_have_the_fields_of_one():
    check_equal(2, [[(5, 4, 6), "bbar", "cg"], [(4, 3, 1), "rotated", "jacobi-cg"]])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "shape", "methods"),
    [
        (2, (8, 6, 10), "rotated cg, hex8 cg, bbar jacobi-cg, rotated basic"),
        (3, (7, 5, 1), "forward cg, bbar cg"),
        # two of them have no plane
        (3, (1, 1, 5), "rotated cg, hex8 cg"),
    ],
)
def test_schemes_and_solvers_have_the_fields_of_one_process(count, shape, methods):
    check_equal(count, [[shape, *method.split()] for method in methods.split(",")])


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    """A folder with a body in our format and its results by one process."""
    folder = tmp_path_factory.mktemp("bodies")
    rng = np.random.default_rng(1)
    C = np.stack([isotropic(E=3.0, nu=0.3), isotropic(E=70.0, nu=0.2)])
    phase = (rng.random((7, 6, 5)) < 0.3).astype(int)
    grid, names = Grid((7, 6, 5), (1.0, 2.0, 1.5)), {3: "matrix", 5: "fibre"}
    body = Microstructure(
        grid, phase, C, material=np.array([3, 5]), material_name=names
    )
    flat = body.with_changes(grid=Grid((2, 6, 5), grid.spacing), phase=phase[:2])
    for name, result, one in (("body", "one", body), ("flat", "two", flat)):
        fftmech.write(folder / f"{name}.h5", one)
        solved = fftmech.solve(one, LOAD, tolerance=1e-10)
        fftmech.write_result(folder / f"{result}.vtkhdf", solved)
    law = "isotropic = { E = 70.0, nu = 0.2 }\nplasticity = { yield_stress = 0.1 }"
    (folder / "law.toml").write_text(f"[[phase]]\nid = 1\n{law}\n")
    return folder


LOAD = Load(strain={"zz": 1e-3}, stress=dict.fromkeys(("xx", "yy"), 0.0))
LINE = ["solve", "body.h5", "--strain", "zz=1e-3", "--stress", "xx=0"]
LINE += ["--stress", "yy=0", "--tol", "1e-10", "-o", "out.vtkhdf", "--force"]


def arrays(path):
    """All arrays of a file, and their attributes."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            found[name] = item[()], {k: str(v) for k, v in item.attrs.items()}

    with h5py.File(path) as file:
        file.visititems(visit)
        found["/"] = np.zeros(1), {k: str(v) for k, v in file["VTKHDF"].attrs.items()}
    return found


def check_files(one, shared):
    """Compare two files array by array."""
    one, shared = arrays(one), arrays(shared)
    assert one.keys() == shared.keys()
    for name, (values, attributes) in one.items():
        others, same = shared[name]
        assert others.dtype == values.dtype and attributes == same, name
        size = float(abs(values).max()) or 1.0
        assert abs(others.astype(float) - values).max() < 1e-8 * size, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "one", "note"),
    [
        ("body.h5", "one.vtkhdf", ""),
        (
            *("flat.h5", "two.vtkhdf"),
            "note: 1 of 3 processes have none of 2 planes across x\n",
        ),
    ],
)
def test_processes_write_the_file_of_one(body, one, note, bodies):
    out = bodies / "out.vtkhdf"
    out.unlink(missing_ok=True)
    code, said, err = mpi(3, [*PROGRAM, "solve", body, *LINE[2:]], bodies)
    assert code == 0 and err == note, err
    assert said.count("converged in") == said.count("wrote out.vtkhdf") == 1
    check_files(bodies / one, out)
    result = fftmech.read_result(out)
    assert result.microstructure.material_name == {3: "matrix", 5: "fibre"}
    assert [path.name for path in bodies.glob(".*")] == []


@pytest.mark.slow
@pytest.mark.parametrize("fields", ["stress,von_mises"])
def test_processes_write_the_fields_that_are_asked_for(fields, bodies):
    lines = [*PROGRAM, *LINE, "--fields", fields]
    subprocess.run(lines, cwd=bodies, check=True, capture_output=True)
    (bodies / "out.vtkhdf").rename(bodies / "some.vtkhdf")
    code, _, err = mpi(2, lines, bodies)
    assert code == 0, err
    check_files(bodies / "some.vtkhdf", bodies / "out.vtkhdf")


@pytest.mark.slow
def test_processes_share_what_other_programs_wrote(bodies, tmp_path):
    shutil.copy(bodies / "body.h5", tmp_path)
    body = fftmech.read(tmp_path / "body.h5")
    np.save(tmp_path / "ids.npy", body.phase)
    (tmp_path / "m.toml").write_text(
        "[[phase]]\nid = 0\nisotropic = { E = 3.0, nu = 0.3 }\n"
        "[[phase]]\nid = 1\nisotropic = { E = 70.0, nu = 0.2 }\n"
    )
    source = [
        "ids.npy",
        "--axes",
        "xyz",
        "--spacing",
        "1,2,1.5",
        "--materials",
        "m.toml",
    ]
    line = [*PROGRAM, "solve", *source, *LINE[2:]]
    code, _, err = mpi(2, line, tmp_path)
    assert code == 0, err
    found, one = arrays(tmp_path / "out.vtkhdf"), arrays(bodies / "one.vtkhdf")
    name = "VTKHDF/CellData/stress"
    assert np.allclose(found[name][0], one[name][0], rtol=0, atol=1e-9)
    # VTKHDF of another program: its ids may have any name
    with h5py.File(tmp_path / "body.h5", "r+") as file:
        del file["fftmech"]
        file.move("VTKHDF/CellData/phase", "VTKHDF/CellData/grain")
    foreign = [*PROGRAM, "solve", "body.h5", "--materials", "m.toml", *LINE[2:]]
    code, _, err = mpi(2, foreign, tmp_path)
    assert code == 0, err
    stress = arrays(tmp_path / "out.vtkhdf")[name][0]
    assert np.allclose(stress, one[name][0], rtol=0, atol=1e-9)
    code, _, err = mpi(2, [*line, "--res", "9"], tmp_path)
    assert code == 0, err
    assert fftmech.read(tmp_path / "out.vtkhdf").grid.shape == (9, 8, 6)


@pytest.mark.slow
def test_processes_homogenize_as_one(bodies):
    line = [*PROGRAM, "homogenize", "body.h5", "--json"]
    one = subprocess.run(line, cwd=bodies, check=True, capture_output=True, text=True)
    code, out, err = mpi(3, line, bodies)
    assert code == 0, err
    one, shared = json.loads(one.stdout), json.loads(out)
    assert np.allclose(one["stiffness"], shared["stiffness"], rtol=1e-9, atol=1e-9)
    assert one["iterations"] == shared["iterations"]


@pytest.mark.slow
def test_other_commands_have_the_whole_body_in_each_process(bodies):
    line = [*PROGRAM, "info", "body.h5"]
    one = subprocess.run(line, cwd=bodies, check=True, capture_output=True, text=True)
    code, out, err = mpi(2, line, bodies)
    assert code == 0 and not err and out == one.stdout
    code, out, err = mpi(
        2, [*PROGRAM, "convert", "body.h5", "-o", "b.h5", "--force"], bodies
    )
    assert code == 0 and not err
    check_files(bodies / "body.h5", bodies / "b.h5")


def own(err):
    """Lines that are the program's, of all that launchers say."""
    return [line for line in err.splitlines() if "rror" in line]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--scheme", "fourier"], "scheme fourier"),
        (["--boundary", "x=free"], "boundary with faces"),
        (["--initial", "one.vtkhdf"], "--initial under mpiexec"),
        (["--materials", "law.toml"], "a nonlinear body or a load path"),
        (["--res", "9999"], "GiB"),
        (["--colour", "red"], "No such option"),
    ],
)
def test_an_error_of_all_processes_is_one_line(options, named, bodies):
    code, out, err = mpi(2, [*PROGRAM, *LINE, *options], bodies)
    assert code == 2 and not out
    (line,) = own(err)
    assert line.startswith("Error: ") and named in line and "Traceback" not in err


FAILING = """
import sys
from fftmech.arrays.ranks import world
from fftmech.io import shared_file
from fftmech_cli.fftmech_main import main

opened = shared_file._opened

def fail(ranks, path, *others, write=False):
    if write and ranks.rank == 1:
        raise OSError(28, "No space left on device", path)
    return opened(ranks, path, *others, write=write)

shared_file._opened = fail
main()
"""


@pytest.mark.slow
def test_an_error_of_one_process_ends_all_with_its_line(bodies, tmp_path):
    shutil.copy(bodies / "body.h5", tmp_path)
    (tmp_path / "failing.py").write_text(FAILING)
    line = [sys.executable, "failing.py", *LINE]
    code, out, err = mpi(3, line, tmp_path)
    assert code == 2 and not out
    (line,) = (line for line in own(err) if line.startswith("Error: "))
    assert line.startswith("Error: process 1: ") and "No space left" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["body.h5", "failing.py"]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [1])
def test_a_killed_process_ends_the_others_and_leaves_no_file(victim, tmp_path):
    C = np.stack([isotropic(E=1.0, nu=0.3), isotropic(E=1e6, nu=0.2)])
    phase = np.random.default_rng(0).integers(0, 2, (64, 64, 64))
    fftmech.write(tmp_path / "body.h5", Microstructure(Grid(phase.shape), phase, C))
    process = start(2, [*PROGRAM, *LINE, "--tol", "1e-13"], tmp_path)
    until = time.monotonic() + 60
    ranks = []
    while len(ranks) < 2 and time.monotonic() < until:
        time.sleep(0.1)
        children = psutil.Process(process.pid).children(recursive=True)
        ranks = [c for c in children if "fftmech_cli.fftmech_main" in c.cmdline()]
    time.sleep(3)
    ranks[victim].kill()
    code, _, err = end(process, 20)
    assert code != 0 and "Traceback" not in err
    assert not any(rank.is_running() and rank.status() != "zombie" for rank in ranks)
    assert [path.name for path in tmp_path.iterdir()] == ["body.h5"]
