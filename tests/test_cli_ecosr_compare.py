"""`ecosr compare`: table, verdict, picture and numbers; one line for each refusal."""

import json

import pytest
from small_runs import as_options, refused, run, tiny

from ecosurrogate.comparison import compare as comparison
from ecosurrogate.mechanics import cost
from fftmech import io
from fftmech.arrays import crowding
from fftmech.microstructure import polycrystal

pytestmark = pytest.mark.usefixtures("no_curves")


@pytest.fixture(scope="module")
def folder(grains8, tmp_path_factory):
    """A folder with a few steps of two models, and a body in a file."""
    folder = tmp_path_factory.mktemp("runs")
    for model in ("p-eco-iterated", "s-eco"):
        settings = tiny(model=model, steps=2, validate_every=2)
        run(f"fit {grains8} -o {folder / model} {as_options(settings)}")
    io.write(folder / "micro.h5", polycrystal(8, 4, seed=5))
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(cost, "ROUNDS", (1, 1))
    monkeypatch.setattr(cost, "TURN", 0.0)


def test_table_and_verdict_are_printed_and_both_files_are_in_a_folder(folder, tmp_path):
    line = f"compare {folder}/p-eco-iterated {folder}/micro.h5 --batch 2"
    done = run(f"{line} -o {tmp_path / 'out'}")
    rows = [row.split() for row in done.stdout.splitlines()]
    assert ["surrogate", "1"] in [row[:2] for row in rows]
    assert ["CG", "1"] in [row[:2] for row in rows]
    assert ["CG,", "warm", "1"] in [row[:3] for row in rows]
    (head,) = [row for row in rows if "step" in row]
    assert head[-3:] == ["wall", "CPU", "once"] and "solver is" in done.stdout
    (uniform,) = [row for row in rows if row[:1] == ["uniform"]]
    assert uniform[1:4] == ["1", "1", "0.00"]
    assert "…" not in done.stdout
    assert max(map(len, done.stdout.split("The solver")[0].splitlines())) <= 100
    assert done.stderr == ""
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"comparison.png", "comparison.json"}
    document = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert all(sentence in done.stdout for sentence in document["verdict"])
    assert "comparison.png exists" in refused(f"{line} -o {tmp_path / 'out'}")


def test_a_busy_machine_is_said_and_nothing_wins(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(crowding, "crowding", lambda threads: 1.7)
    line = f"compare {folder}/s-eco {folder}/micro.h5 --batch 1"
    done = run(f"{line} -o {tmp_path / 'c.json'}")
    said = "this machine is busy: wall time is 1.7 times processor time"
    assert done.stderr == f"note: {said}; the times are not compared\n"
    assert "faster" not in done.stdout and "uniform" in done.stdout
    document = json.loads((tmp_path / "c.json").read_text())
    assert document["crowding"] == 1.7 and said in document["notes"][0]


def test_json_is_all_that_is_on_standard_output(folder, tmp_path):
    line = f"compare {folder}/s-eco {folder}/micro.h5 --res 6 --tolerance 1e-4"
    done = run(f"{line} --batch 1 -o {tmp_path / 'c.json'} --json")
    document = json.loads(done.stdout)
    assert document["output"] == [str(tmp_path / "c.json")]
    assert document["shape"] == [6, 6, 6] and document["tolerance"] == 1e-4
    assert [point["steps"] for point in document["surrogate"]] == [None]
    assert list(document["surrogate"][0]["batches"]) == ["1"]
    assert document["solver"][-1]["steps"] == document["solver"][-1]["green"] - 1
    written = json.loads((tmp_path / "c.json").read_text())
    assert {**written, "output": document["output"]} == document


def test_without_output_the_picture_is_in_this_folder_and_replaced_with_force(
    folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "micro-comparison.png").write_text("mine")
    run(f"compare {folder}/s-eco {folder}/micro.h5 --batch 1 --force")
    assert (tmp_path / "micro-comparison.png").read_bytes().startswith(b"\x89PNG")


def test_no_reference_is_exit_code_3_and_no_file(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "MOST", 2)
    out = tmp_path / "out"
    done = run(f"compare {folder}/s-eco {folder}/micro.h5 -o {out}", code=3)
    assert done.stdout == "" and not out.exists()
    assert done.stderr.startswith("Error: not converged (max_iterations): residual")
    assert done.stderr.count("\n") == 1


REFUSED = {
    "nothing {f}/micro.h5": "no run there",
    "{f}/s-eco {f}/nothing.h5": "no such file",
    "{f}/s-eco {f}/micro.h5 --strain xx=nan": "finite",
    "{f}/s-eco {f}/micro.h5 --strain xy=1e-3": "does not see the load",
    "{f}/s-eco {f}/micro.h5 --batch 0": "--batch",
    "{f}/s-eco {f}/micro.h5 --tolerance 0": "tolerance 0: expected 1e-08 to 0.1",
    "{f}/s-eco {f}/micro.h5 --device tpu": "--device",
    "{f}/s-eco {f}/micro.h5 -o {t}/c.txt": "c.txt: expected .png",
    "{f}/s-eco {f}/micro.h5 -o {t}/none/c.png": "create it first",
    "{f}/s-eco {f}/micro.h5 -o {t}/none/c": "create it first",
}


@pytest.mark.parametrize("line", REFUSED)
def test_bad_input_is_one_line_and_nothing_is_written(folder, tmp_path, line):
    output = "" if "-o" in line else f" -o {tmp_path / 'out'}"
    message = refused(f"compare {line.format(f=folder, t=tmp_path)}{output}")
    assert REFUSED[line] in message
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_that_is_not_there_is_refused(folder, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    line = f"compare {folder}/s-eco {folder}/micro.h5 --device cuda -o {tmp_path}/c"
    assert "torch finds no GPU" in refused(line)
