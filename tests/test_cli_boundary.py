"""`fftmech solve --boundary`: what it computes, prints, writes and refuses."""

import json

import numpy as np
import pytest
from command_lines import run_fftmech
from conftest import grains

from fftmech import Boundary, Load, io, solve

PAPER = "--strain xx=8e-5 --boundary x=uniaxial --boundary y=free --boundary z=free"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a line in a folder that holds a polycrystal and a plane one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    io.write("grains.h5", grains((6, 5, 4)))
    io.write("plane.h5", grains((6, 5, 1)))

    return run_fftmech


def test_the_papers_tension_is_solved_printed_and_written(run, tmp_path):
    done = run(f"solve grains.h5 {PAPER} -o r.vtkhdf")
    assert "converged" in done.stdout and "no certificate: the box has" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    rows = {line[0]: line[1:] for line in lines if line}
    assert rows["xx"][:2] == ["strain", "8e-05"]
    for name in ("yy", "zz", "yz", "xz", "xy"):
        assert rows[name][:2] == ["free", "faces"]
    boundary = Boundary("uniaxial", "free", "free")
    expected = solve(grains((6, 5, 4)), Load({"xx": 8e-5}), boundary=boundary)
    result = io.read_result("r.vtkhdf")
    assert result.boundary == boundary and abs(result.stress[0]).min() > 0
    np.testing.assert_allclose(result.stress, expected.stress, rtol=1e-12, atol=1e-18)
    for field in ("stress", "displacement"):
        run(f"plot r.vtkhdf --field {field} -o {field}.png")
        assert (tmp_path / f"{field}.png").stat().st_size > 1000
    run("info r.vtkhdf")


def test_uniaxial_stress_and_free_faces_say_the_same(run):
    done = run(f"solve grains.h5 {PAPER} --json -o a.vtkhdf")
    line = PAPER.replace("--strain", "--uniaxial")
    again = run(f"solve grains.h5 {line} --json -o b.vtkhdf")
    one, two = (json.loads(d.stdout)["mean_stress"]["xx"] for d in (done, again))
    assert one == two > 0


def test_a_plane_body_and_periodic_faces(run):
    run("solve plane.h5 --boundary x=displacement --boundary z=periodic -o p.vtkhdf")
    assert io.read_result("p.vtkhdf").displacement.shape == (3, 7, 5, 1)
    run("solve plane.h5 --boundary x=periodic -o q.vtkhdf")
    assert io.read_result("q.vtkhdf").boundary is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--boundary x=fixed", "--boundary x=fixed: expected AXIS=KIND"),
        ("--boundary w=free", "--boundary w=free: expected AXIS=KIND"),
        ("--boundary free", "--boundary free: expected AXIS=KIND"),
        ("--boundary x=free --boundary x=free", "names x twice"),
        ("--boundary x=free", "strain xx=0.001 with boundary x=free"),
        (f"{PAPER} --stress yy=1", "stress yy=1 with boundary y=free"),
        (f"{PAPER} --strain xy=1e-4", "strain xy=0.0001 with boundary"),
        (f"{PAPER} --scheme fourier", "use --scheme rotated"),
        (f"{PAPER} --solver basic", "expected one of cg, minres"),
        (f"{PAPER} --device cuda", "use --device cpu"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(run, tmp_path, options, told):
    before = sorted(tmp_path.iterdir())
    done = run(f"solve grains.h5 {options}", code=2)
    assert told in done.stderr and done.stderr.count("\n") == 1 and not done.stdout
    assert sorted(tmp_path.iterdir()) == before


def test_one_voxel_has_no_two_faces(run):
    done = run(f"solve plane.h5 {PAPER}", code=2)
    assert "boundary z=free across 1 voxel" in done.stderr


def test_an_initial_guess_is_refused(run):
    run(f"solve grains.h5 {PAPER} -o r.vtkhdf")
    done = run(f"solve grains.h5 {PAPER} --initial r.vtkhdf -o s.vtkhdf", code=2)
    assert "--initial with a boundary" in done.stderr
