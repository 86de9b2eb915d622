"""The script that a user of a GPU runs: its code without a GPU, its tables."""

import json
import sys
from pathlib import Path

import pytest
from cuda_on_host import REAL, host_compiler, install

import fftmech

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "benchmarks"

pytestmark = pytest.mark.skipif(not SCRIPTS.is_dir(), reason="no folder benchmarks")


@pytest.fixture
def scripts(monkeypatch):
    """The folder where the script finds its parts."""
    monkeypatch.syspath_prepend(str(SCRIPTS))


def rows_of(part):
    """Run a part on few voxels; each row has to be one of JSON, and no failure."""
    from gpu_parts import Bench

    rows = []
    part(Bench(rows.append, dry=True))
    rows = json.loads(json.dumps(rows))
    assert rows and not [row for row in rows if "error" in row or "skipped" in row]
    return rows


@host_compiler
@pytest.mark.slow
def test_parts_of_the_solver_run(scripts, monkeypatch):
    import gpu_parts
    import gpu_solves
    from gpu_tables import CASES, UNKNOWN, find, show

    install(monkeypatch)
    # the others compile as much again, and are slow below
    few = {name: fftmech.SCHEMES[name] for name in ("rotated", "fourier")}
    monkeypatch.setattr(fftmech, "SCHEMES", few)
    parts = {"facts": rows_of(gpu_parts.facts)}
    parts["operators"] = rows_of(gpu_solves.operators)
    parts["solves"] = rows_of(gpu_solves.solves)
    assert all(row["right"] for row in parts["operators"])
    assert len(parts["operators"]) == 4
    for solver, scheme, precision in CASES:
        key = {"solver": solver, "scheme": scheme, "precision": precision}
        assert find(parts["solves"], **key)["ns"] > 0
    assert find(parts["solves"], what="solve")["deviation"] < 1e-5
    tables = show(parts)
    assert UNKNOWN not in tables["gpu-operators"] and UNKNOWN in tables["gpu-train"]


@host_compiler
@pytest.mark.slow
def test_operators_of_all_schemes_run(scripts, monkeypatch):
    import gpu_solves

    install(monkeypatch)
    assert all(row["right"] for row in rows_of(gpu_solves.operators))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train"])
@pytest.mark.usefixtures("no_curves", "one_thread")
def test_parts_of_surrogates_run(scripts, monkeypatch, name):
    pytest.importorskip("torch")
    from gpu_learning import PARTS

    rows = rows_of(PARTS[name])
    assert sum(row["what"] != "dataset" for row in rows) >= 2


def test_reporter_tells_of_each_test_once(scripts):
    from types import SimpleNamespace

    from gpu_parts import Reporter

    def report(when, outcome):
        failed = outcome == "failed"
        common = {"nodeid": "t", "duration": 0.0, "longreprtext": "a\nb"}
        return SimpleNamespace(when=when, outcome=outcome, failed=failed, **common)

    rows = []
    reporter = Reporter(rows.append)
    for when, outcome in (
        *(("setup", "passed"), ("call", "passed"), ("teardown", "passed")),
        *(("setup", "skipped"), ("setup", "failed"), ("call", "failed")),
    ):
        reporter.pytest_runtest_logreport(report(when, outcome))
    assert [row["outcome"] for row in rows] == ["passed", "skipped", "failed", "failed"]
    assert rows[-1]["error"] == "a | b"


def test_a_part_that_fails_or_lasts_is_reported(scripts, monkeypatch, tmp_path):
    import gpu

    program = tmp_path / "part.py"
    monkeypatch.setattr(gpu, "PROGRAM", program)
    program.write_text('print(\'{"a": 1}\')\nprint("noise", 1 / 0)\n')
    rows = gpu.run("x", 60, False)
    assert rows[0] == {"a": 1} and "ZeroDivisionError" in rows[1]["error"]
    line = "print('{\"a\": 1}', flush=True)\nimport time\ntime.sleep(60)\n"
    program.write_text(line)
    rows = gpu.run("x", 1, False)
    assert rows == [{"a": 1}, {"error": "stopped after 1 s"}]


def test_a_row_that_fails_leaves_the_others(scripts):
    from gpu_parts import Bench

    class OutOfMemoryError(RuntimeError):
        pass

    def full():
        raise OutOfMemoryError("of 3 bytes")

    rows = []
    bench = Bench(rows.append)
    bench.row(lambda: {"b": 1 / 0}, a=1)
    bench.row(full, a=2)
    bench.row(lambda: {"b": 2}, a=3)
    assert "ZeroDivisionError: division by zero (" in rows[0]["error"]
    assert "of 3 bytes" in rows[1]["skipped"] and "error" not in rows[1]
    assert rows[2]["b"] == 2


@pytest.mark.skipif(REAL is not None, reason="there is a GPU")
@pytest.mark.slow
def test_without_a_gpu_it_says_so(scripts, monkeypatch, tmp_path, capsys):
    import gpu
    from gpu_tables import UNKNOWN

    page, found = tmp_path / "gpu.md", tmp_path / "gpu.json"
    text = (ROOT / "docs" / "gpu.md").read_text("utf-8")
    page.write_text(text, "utf-8")
    arguments = ["gpu.py", "--json", str(found), "--page", str(page)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert gpu.main() == 3
    parts = json.loads(found.read_text())["parts"]
    assert list(parts) == list(gpu.LIMITS)
    assert all(rows == [{"error": gpu.NO_DEVICE}] for rows in list(parts.values())[1:])
    device = [row for row in parts["facts"] if row.get("what") == "device"]
    assert "device cuda" in device[0]["error"]
    assert gpu.NO_DEVICE in capsys.readouterr().err
    # the page as it is written, with a place for each table
    assert page.read_text("utf-8").count(UNKNOWN) >= 10
