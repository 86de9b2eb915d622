"""`fftmech solve` at finite strain and along load paths."""

import csv
import json
import re
import shlex
import sys

import numpy as np
import pytest
from command_lines import run_fftmech
from conftest import SOFT, STIFF, sphere

import fftmech
from fftmech import FiniteLoad, Load, March, Microstructure, Path, Step, io
from fftmech.io.series import read_times
from fftmech.materials import isotropic
from fftmech.materials.plasticity import Plasticity
from fftmech.tensors import COMPONENTS, components_from_mandel

E, NU = 2.0, 0.3

PULL = """
[[step]]
uniaxial = { xx = 0.01 }
increments = 3
[[step]]
rate = { xx = -0.005 }
stress = { yy = 0, zz = 0 }
time = 0.5
increments = 2
"""

STRETCH = """
finite = true
[[step]]
uniaxial = { xx = 1.1 }
increments = 2
"""

PULLED = "solve plastic.h5 --path pull.toml -o p.vtkhdf"

# beyond 0.3 a perfectly plastic body carries no tension
OVERLOAD = """
[[step]]
uniaxial = { xx = 1e-3 }
increments = 3
[[step]]
stress = { xx = 0.6, yy = 0, zz = 0 }
increments = 2
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with bodies and paths, and nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    C = isotropic(E=200.0, nu=0.3)
    law = {0: Plasticity(yield_stress=0.3, hardening=2.0)}
    plastic = sphere(4, C, 5 * C).with_changes(law=law, units={"stress": "GPa"})
    io.write("plastic.h5", plastic)
    perfect = Microstructure(
        fftmech.Grid((2, 2, 2)),
        np.zeros((2, 2, 2), int),
        C[None],
        law={0: Plasticity(yield_stress=0.3)},
    )
    io.write("perfect.h5", perfect)
    io.write("elastic.h5", sphere(4, SOFT, STIFF))
    grid = fftmech.Grid((3, 3, 3))
    plain = isotropic(E=E, nu=NU)[None]
    io.write("plain.h5", Microstructure(grid, np.zeros((3, 3, 3), int), plain))
    for name, text in (("pull", PULL), ("stretch", STRETCH), ("overload", OVERLOAD)):
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


@pytest.fixture
def run(folder):
    return lambda line, code=0: run_fftmech(*shlex.split(line), code=code)


def rows(name):
    with open(name, newline="") as file:
        return list(csv.DictReader(file))


def test_finite_strain_solves_St_Venant_Kirchhoff_and_gives_F_and_P_by_rows(run):
    line = "solve plain.h5 --finite --F xx=1.1 --F xy=0.2 --P yy=0 --tol 1e-10 --json"
    document = json.loads(run(line).stdout)
    F, P = np.array(document["mean_F"]), np.array(document["mean_P"])
    assert F.shape == P.shape == (3, 3)
    wanted = np.array([[1.1, 0.2, 0], [0, F[1, 1], 0], [0, 0, 1]])
    np.testing.assert_allclose(F, wanted, atol=1e-15)
    strain = (F.T @ F - np.eye(3)) / 2
    mu, lame = E / (2 * (1 + NU)), E * NU / ((1 + NU) * (1 - 2 * NU))
    second = lame * np.trace(strain) * np.eye(3) + 2 * mu * strain
    np.testing.assert_allclose(P, F @ second, atol=1e-8)
    assert abs(P[1, 1]) < 1e-8 < abs(P[1, 0]) and F[1, 1] < 0.99
    assert document["status"] == "converged" and document["increments"] == 1
    assert document["output"] == "plain-result.vtkhdf"
    result = io.read_result("plain-result.vtkhdf")
    assert result.load == FiniteLoad({"xx": 1.1, "xy": 0.2}, {"yy": 0.0})
    assert result.finite.mean_P.tolist() == document["mean_P"]


@pytest.mark.parametrize("increments", [1, 3])
def test_a_stretch_is_fftmech_solve_of_FiniteLoad_uniaxial(run, increments):
    line = f"--finite --uniaxial xx=1.2 --increments {increments} --tol 1e-9 --json"
    document = json.loads(run(f"solve elastic.h5 {line}").stdout)
    assert document["increments"] == increments and document["steps"] == 1
    load = FiniteLoad.uniaxial("xx", 1.2)
    result = fftmech.solve(io.read("elastic.h5"), load, tolerance=1e-9)
    assert result.finite is not None
    np.testing.assert_allclose(document["mean_P"], result.finite.mean_P, atol=1e-9)
    assert document["mean_P"][0][0] > 0.1


def test_laws_are_solved_without_asking_in_as_many_increments_as_asked(run):
    line = "solve plastic.h5 --uniaxial xx=0.01 --increments 4 --json"
    document = json.loads(run(line).stdout)
    body = io.read("plastic.h5")
    march = March(body, Path.of((Load.uniaxial("xx", 0.01),), 4))
    assert len([*march.points()]) == 4 == document["increments"]
    stress = components_from_mandel(march.state.mean_stress)
    assert list(document["mean_stress"]) == list(COMPONENTS)
    np.testing.assert_allclose([*document["mean_stress"].values()], stress, atol=1e-14)
    assert set(document) >= {"iterations", "linear_iterations", "cuts", "energy"}
    result = io.read_result("plastic-result.vtkhdf")
    assert result.solver == "newton"
    assert result.variables["accumulated_plastic_strain"].max() > 1e-3


@pytest.mark.parametrize("solver", ["newton", "basic", "barzilai-borwein"])
def test_nonlinear_solvers_agree(run, solver):
    line = f"solve elastic.h5 --finite --F xy=0.1 --solver {solver} --tol 1e-8 --json"
    document = json.loads(run(line).stdout)
    reference = fftmech.solve(io.read("elastic.h5"), FiniteLoad({"xy": 0.1}))
    np.testing.assert_allclose(document["mean_P"], reference.finite.mean_P, atol=1e-6)
    assert io.read_result("elastic-result.vtkhdf").solver == solver


def test_a_linear_body_is_solved_by_cg_as_before(run):
    run("solve elastic.h5")
    assert io.read_result("elastic-result.vtkhdf").solver == "cg"


def test_a_path_leaves_a_series_a_table_a_curve_and_its_last_increment(run, folder):
    before = set(folder.iterdir())
    document = json.loads(run(f"{PULLED} --json").stdout)
    names = {"output": "p.vtkhdf", "csv": "p.csv", "end": "p-end.vtkhdf"}
    if "picture" in document:
        names["picture"] = "p.png"
        assert (folder / "p.png").read_bytes()[:4] == b"\x89PNG"
    assert {key: document[key] for key in names} == names
    assert {path.name for path in set(folder.iterdir()) - before} == {*names.values()}
    assert document["steps"] == 2 and document["increments"] == 5
    assert document["linear_iterations"] > document["iterations"] > 5
    assert document["cuts"] == 0 and document["status"] == "converged"
    assert set(document["time"]) == {"setup", "compile", "solve"}

    table = rows("p.csv")
    assert [row["time"] for row in table[2:]] == ["1.0", "1.25", "1.5"]
    last = {c: float(table[-1][f"stress_{c} (GPa)"]) for c in COMPONENTS}
    assert last == document["mean_stress"] and abs(last["xx"]) > 0.1
    strain = {c: float(table[-1][f"strain_{c}"]) for c in COMPONENTS}
    assert strain == document["mean_strain"]
    assert strain["xx"] == pytest.approx(0.01 - 0.005 * 0.5, abs=1e-15)

    np.testing.assert_allclose(read_times("p.vtkhdf"), [0, 1 / 3, 2 / 3, 1, 1.25, 1.5])
    end = io.read_result("p-end.vtkhdf")
    assert end.time == 1.5 and end.converged
    load = Load({"xx": -0.0025}, {"yy": 0.0, "zz": 0.0})
    march = March(
        io.read("plastic.h5"),
        Path(
            (Step(Load.uniaxial("xx", 0.01), 1, 3), Step(load, 0.5, 2, relative=True))
        ),
    )
    assert len([*march.points()]) == 5
    np.testing.assert_allclose(end.stress, march.result().stress, atol=1e-14)


@pytest.mark.parametrize(("every", "times"), [(2, [0, 2, 4, 5]), (9, [0, 5])])
def test_every_nth_increment_and_the_last_are_in_the_series(run, every, times):
    run(f"{PULLED} --every {every}")
    numbers = np.array([0, 1 / 3, 2 / 3, 1, 1.25, 1.5])
    np.testing.assert_allclose(read_times("p.vtkhdf"), numbers[times])
    assert len(rows("p.csv")) == 5


def test_a_path_of_finite_strain_gives_F_and_P_in_table_and_JSON(run):
    line = "solve elastic.h5 --path stretch.toml -o s.h5 --json"
    document = json.loads(run(line).stdout)
    last = rows("s.csv")[-1]
    names = [i + j for i in "xyz" for j in "xyz"]
    for kind in "FP":
        values = [float(last[f"{kind}_{name}"]) for name in names]
        assert values == np.ravel(document[f"mean_{kind}"]).tolist()
    assert document["mean_F"][0][0] == pytest.approx(1.1, abs=1e-15)


def test_what_is_printed_says_the_load_the_means_and_the_files(run):
    shown = run(PULLED).stdout
    assert "converged: 2 steps, 5 increments," in shown and "0 cuts" in shown
    assert "mean stress (GPa)" in shown and "strain 0.0075" in shown
    assert "p.vtkhdf, p.csv, p-end.vtkhdf" in shown
    shown = run("solve elastic.h5 --finite --F xy=0.1 -o f.h5").stdout
    assert "mean F" in shown and "F 0.1" in shown and "F 1 " in shown
    assert "mean F" in run("info f.h5").stdout
    assert "phase" in run("info p.vtkhdf").stdout.lower()


def test_without_matplotlib_there_is_no_curve_and_a_note_says_so(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run(f"{PULLED} --json")
    assert "picture" not in json.loads(done.stdout)
    assert done.stderr == 'note: no Matplotlib, no curve; pip install "fftmech[viz]"\n'


def test_an_increment_that_fails_is_exit_code_3_and_what_was_before_is_kept(
    run, folder
):
    line = "solve perfect.h5 --path overload.toml -o c.vtkhdf --every 2 --json"
    done = run(line, code=3)
    document = json.loads(done.stdout)
    assert document["status"] != "converged"
    assert document["steps"] == 1 and document["increments"] == 3
    assert document["cuts"] == 8
    assert done.stderr.startswith("Error: not converged (")
    assert "step 2, increment 1 failed" in done.stderr and done.stderr.count("\n") == 1
    assert "c.vtkhdf holds what was before" in done.stderr
    np.testing.assert_allclose(read_times("c.vtkhdf"), [0, 2 / 3, 1])
    assert len(rows("c.csv")) == 3 and (folder / "c.vtkhdf.checkpoint").exists()
    assert document["mean_stress"]["xx"] == pytest.approx(200 * 1e-3)
    assert not io.read_result("c-end.vtkhdf").converged
    again = json.loads(run(f"{line} --restart", code=3).stdout)
    assert again["mean_stress"] == document["mean_stress"]
    np.testing.assert_allclose(read_times("c.vtkhdf"), [0, 2 / 3, 1])


def test_a_path_whose_first_increment_fails_leaves_nothing(run, folder):
    text = "[[step]]\nstress = { xx = 0.6, yy = 0, zz = 0 }\n"
    (folder / "impossible.toml").write_text(text)
    before = set(folder.iterdir())
    done = run("solve perfect.h5 --path impossible.toml -o i.h5 --json", code=3)
    document = json.loads(done.stdout)
    assert document["increments"] == 0 and document["output"] is None
    assert "nothing is written" in done.stderr
    assert set(folder.iterdir()) == before


def test_files_of_a_path_are_replaced_with_force_only(run, folder):
    names = ("p.vtkhdf", "p.csv", "p-end.vtkhdf", "p.png")
    for name in names:
        (folder / name).write_text("mine")
        done = run(PULLED, code=2)
        assert f"{name} exists" in done.stderr and "--force" in done.stderr
        assert (folder / name).read_text() == "mine"
        (folder / name).unlink()
    for name in names:
        (folder / name).write_text("mine")
    run(f"{PULLED} --force")
    assert (folder / "p.csv").read_text().startswith("time,")
    assert all((folder / name).read_bytes() != b"mine" for name in names)


def test_a_path_that_was_cut_off_is_gone_on_with_or_begun_anew(run, folder):
    line = PULLED
    run(line)
    done = run(f"{line} --restart", code=2)
    assert "p.vtkhdf exists and p.vtkhdf.checkpoint does not" in done.stderr
    (folder / "p.vtkhdf.checkpoint").write_text("cut off")
    done = run(line, code=2)
    assert "p.vtkhdf.checkpoint exists" in done.stderr and "--restart" in done.stderr
    done = run(f"{line} --restart", code=2)
    assert "p.vtkhdf.checkpoint: not an HDF5 file" in done.stderr
    run(f"{line} --force")
    assert not (folder / "p.vtkhdf.checkpoint").exists()
    run("solve plastic.h5 --path pull.toml -o new.vtkhdf --restart")
    assert len(read_times("new.vtkhdf")) == 6


BAD_PATHS = {
    "steps = 1": "unknown key 'steps': expected one of finite, step",
    "": r"no steps: expected \[\[step\]\]",
    "step = 1": "no steps",
    "step = [1]": "step 1: 1: expected a table",
    "[[step]": "not TOML",
    "finite = 1\n[[step]]\nF = { xx = 1 }": "finite = 1: expected true or false",
    "[[step]]\ntime = 1": "step 1: no load: expected one or more of strain, rate",
    "[[step]]\nstrian = { xx = 1 }": "step 1: unknown key 'strian': expected one of",
    "[[step]]\nstrain = 0.1": "step 1: strain = 0.1: expected values by component",
    "[[step]]\nstrain = { ab = 1 }": "strain component 'ab': expected one of xx, yy",
    "[[step]]\nstrain = { yx = 1 }": "strain component 'yx': expected one of xx, yy",
    "[[step]]\nstrain = { xx = '1' }": "strain xx = '1': expected a finite number",
    "[[step]]\nstrain = { xx = true }": "strain xx = True: expected a finite number",
    "[[step]]\nstrain = { xx = nan }": "strain xx = nan: expected a finite number",
    "[[step]]\nstrain = { xx = 1" + 400 * "0" + " }": "expected a finite number",
    "[[step]]\nstrain = { xx = 1 }\nstress = { xx = 1 }": "strain xx and stress xx",
    "[[step]]\nstrain = { xx = 1 }\nrate = { yy = 1 }": "strain and rate are both",
    "[[step]]\nuniaxial = { xx = 1 }\nstress = { yy = 1 }": "nothing beside it",
    "[[step]]\nuniaxial = { xx = 1, yy = 1 }": "uniaxial sets all components",
    "[[step]]\nuniaxial = { xx = 1 }\ntime = 0": "time = 0: expected a positive",
    "[[step]]\nuniaxial = { xx = 1 }\ntime = 'a'": "time = 'a': expected a finite",
    "[[step]]\nuniaxial = { xx = 1 }\nincrements = 0": "increments = 0: expected",
    "[[step]]\nuniaxial = { xx = 1 }\nincrements = 2.0": "increments = 2.0: expected",
    "[[step]]\nuniaxial = { xx = 1 }\nincrements = 10000000": "from 1 to 1000000",
    "[[step]]\nstrain = { xx = 1 }\n[[step]]\nF = { xx = 1 }": "strain in a path",
    "finite = true\n[[step]]\nrate = { xx = 1 }": "step 1: rate in a path of finite",
    "[[step]]\nF = { xx = -1 }": "step 1: F has a determinant",
    "[[step]]\nF = { xx = 1 }\n[[step]]\nP = { xy = 0, yx = 0 }": "P xy and P yx",
    "finite = true\n[[step]]\nuniaxial = { xy = 1 }": "expected xx, yy or zz",
}
"""Load path -> what the message says."""


@pytest.mark.parametrize("text", BAD_PATHS, ids=range(len(BAD_PATHS)))
def test_a_bad_path_is_one_line_with_its_step_and_writes_nothing(text, run, folder):
    (folder / "bad.toml").write_text(text)
    before = set(folder.iterdir())
    done = run("solve elastic.h5 --path bad.toml -o o.vtkhdf", code=2)
    assert not done.stdout and set(folder.iterdir()) == before
    assert done.stderr.startswith("Error: bad.toml: ") and done.stderr.count("\n") == 1

    assert re.search(BAD_PATHS[text], done.stderr), done.stderr


BAD_LINES = {
    "elastic.h5 --path none.toml": "none.toml: no such file",
    "elastic.h5 --path .": r"\.: Is a directory; check the name",
    "elastic.h5 --path pull.toml --strain xx=1": "--strain with --path.*leave",
    "elastic.h5 --path stretch.toml --F xx=1": "--F with --path stretch.toml.*leave",
    "elastic.h5 --path pull.toml --increments 2": "--increments with --path.*leave it",
    "elastic.h5 --path pull.toml --solver cg": "'cg' for .* a load path: expected",
    "elastic.h5 --path pull.toml --precision single": "precision single.*double",
    "elastic.h5 --path pull.toml --initial old.h5": "--initial with .* a load path",
    "elastic.h5 --path pull.toml --boundary x=free": "--boundary with .* a load path",
    "elastic.h5 --path pull.toml --every 0": "--every.*0 is not in the range",
    "elastic.h5 --path pull.toml -o o.vti": "end the name in .h5 or .vtkhdf",
    "plastic.h5 --path stretch.toml": "phase 0 obeys plasticity, a law of small strain",
    "elastic.h5 --every 2": "--every without --path: add --path FILE",
    "elastic.h5 --restart": "--restart without --path: add --path FILE",
    "elastic.h5 --increments 2": "--increments of a linear elastic body: leave it out",
    "elastic.h5 --F xx=1.1": "--F without --finite: add --finite",
    "elastic.h5 --P xx=1.1": "--P without --finite: add --finite",
    "elastic.h5 --finite": "--finite without a load: add --F",
    "elastic.h5 --finite --strain xx=1": "--strain with --finite: .* --F and --P",
    "elastic.h5 --finite --stress xx=1": "--stress with --finite: .* --F and --P",
    "elastic.h5 --finite --F ab=1": "--F ab=1: expected IJ=VALUE with IJ of xx, xy, xz",
    "elastic.h5 --finite --F xx=a": "--F xx=a: 'a' is not a finite number",
    "elastic.h5 --finite --F xx=1 --P xx=0": "--F xx and P xx are both",
    "elastic.h5 --finite --uniaxial xx=1 --F yy=1": "sets all nine components",
    "elastic.h5 --finite --uniaxial xy=1": "expected xx, yy or zz",
    "elastic.h5 --solver newton": "'newton' for a linear body: expected one",
}
"""Command line -> what the message says."""


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_options_are_one_line_with_their_remedy_and_write_nothing(
    line, run, folder
):
    io.write_result("old.h5", fftmech.solve(sphere(4, SOFT, STIFF), Load({"xx": 1.0})))
    before = set(folder.iterdir())
    done = run(f"solve {line}", code=2)
    assert not done.stdout and set(folder.iterdir()) == before
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1

    assert re.search(BAD_LINES[line], done.stderr), done.stderr


def test_info_says_what_phases_obey(run):
    shown = run("info plastic.h5").stdout
    assert "Law of phases 0: plasticity (yield_stress 0.3, hardening 2.0" in shown
    (matrix, inclusion) = json.loads(run("info plastic.h5 --json").stdout)["phases"]
    assert matrix["law"]["name"] == "plasticity" and "law" not in inclusion
    assert matrix["law"]["constants"]["hardening"] == 2.0
