"""Pairs, networks and responses of many bodies: names, failures, resuming, tables."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import SOFT, STIFF, sphere
from small_datasets import refused, run
from test_response_files import MATERIALS, PATH, answer

from ecosurrogate.response.response import respond
from ecosurrogate.response.trained_network import NORMS, TrainedNetwork
from ecosurrogate.response.tree import LaminateTree
from fftmech import Grid, Microstructure, write
from fftmech.datasets.stiffness import make_pairs
from fftmech.datasets.stiffness_pairs import StiffnessPairs
from fftmech.io.load_path import read_path


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    """A folder of two bodies, and a file that is none."""
    folder = tmp_path_factory.mktemp("bodies")
    for name, fraction in (("a", 0.35), ("b", 0.5)):
        write(folder / f"{name}.h5", sphere(3, SOFT, STIFF, fraction))
    (folder / "bad.h5").write_bytes(b"no HDF5")
    return folder


def small_network(folder, fraction=0.3, **data):
    """Write a laminate as if it had been trained."""
    tree = LaminateTree([0, 1], [1 - fraction, fraction], [[1.0, 0, 0]])
    made = {"scheme": "rotated", "contrast": [1e-3, 1e3], "pores": [], **data}
    error = {"mean": 0.01, "max": 0.02}
    errors = {
        name: {"pairs": 2, **dict.fromkeys(NORMS, error)}
        for name in ("train", "validation")
    }
    own = {"depth": 1, "seconds": 1.0}
    trained = TrainedNetwork(tree, np.arange(2), tree.fractions, made, own, errors)
    Path(folder).mkdir(parents=True, exist_ok=True)
    trained.write(folder)
    return trained


def rows_of(file):
    with open(file, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def test_a_bad_body_ends_no_other_and_a_run_goes_on(bodies, tmp_path):
    line = f"dataset stiffness {bodies} --jobs 1 -o {tmp_path / 'd'}"
    done = run(f"{line} --count 1", code=2)
    assert "d/a: 1 of 1 pairs" in done.stdout and "d/b: 1 of 1 pairs" in done.stdout
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
    assert "bad.h5: not an HDF5 file" in done.stderr
    assert [*StiffnessPairs.each(tmp_path / "d")] == ["a", "b"]
    document = json.loads(run(f"{line} --count 2 --json", code=2).stdout)
    assert [row.get("made") for row in document["bodies"]] == [1, 1, None]
    make_pairs(sphere(3, SOFT, STIFF, 0.5), tmp_path / "alone", 2, jobs=1)
    together, alone = map(StiffnessPairs.read, (tmp_path / "d/b", tmp_path / "alone"))
    np.testing.assert_array_equal(together.effective, alone.effective)
    listed = json.loads(run(f"dataset info {tmp_path / 'd'} --json").stdout)
    assert [row["pairs"] for row in listed["bodies"]] == [2, 2]
    assert "b: 2 pairs" in run(f"dataset info {tmp_path / 'd'}").stdout


def test_names_that_clash_are_refused_before_anything_is_made(bodies, tmp_path):
    (tmp_path / "A.h5").write_bytes((bodies / "a.h5").read_bytes())
    line = f"dataset stiffness {bodies} {tmp_path / 'A.h5'} --count 1 --jobs 1"
    said = refused(f"{line} -o {tmp_path / 'd'}")
    assert "would both become" in said and not (tmp_path / "d").exists()
    make_pairs(sphere(3, SOFT, STIFF), tmp_path / "one", 1, jobs=1)
    line = f"dataset stiffness {bodies} --count 1 --jobs 1 -o {tmp_path / 'one'}"
    assert "holds the pairs of one body" in refused(line)


def test_an_interrupt_keeps_the_pairs_of_all_bodies(bodies, tmp_path, monkeypatch):
    from fftmech.datasets.stiffness import make_pairs_of

    read = {
        n: lambda f=f: sphere(3, SOFT, STIFF, f) for n, f in (("a", 0.35), ("b", 0.5))
    }

    def stop(name, done, failed):
        if name == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pairs_of(read, tmp_path, 2, jobs=1, progress=stop)
    made = make_pairs_of(read, tmp_path, 2, jobs=1)
    assert [counts.made for counts in made.values()] == [0, 1]


@pytest.fixture
def no_check(monkeypatch):
    """Training without the solver's paths."""
    name = "ecosurrogate.response.trained_network.cross_check"
    monkeypatch.setattr(name, lambda *given: {})


@pytest.mark.slow
def test_fit_trains_a_network_for_each_body_and_resumes(bodies, tmp_path, no_check):
    pytest.importorskip("torch")
    pairs, folder = tmp_path / "d", tmp_path / "run"
    run(f"dataset stiffness {bodies} --count 3 --jobs 1 -o {pairs}", code=2)
    (pairs / "b" / "stiffness.h5").unlink()
    line = f"fit {pairs} -o {folder} --depth 1 --steps 2"
    done = answer(line, code=2)
    assert "1 of 2 networks trained" in done.stdout
    assert "Error: b: " in done.stderr and done.stderr.count("\n") == 1
    assert [row["status"] for row in rows_of(folder / "networks.csv")] == [
        "trained",
        "failed",
    ]
    assert "add --resume to keep them" in answer(line, code=2).stderr
    begun = (folder / "a" / "network.json").read_bytes()
    make_pairs(sphere(3, SOFT, STIFF, 0.5), pairs / "b", 4, jobs=1)
    assert "other settings" in answer(f"{line} --resume --depth 2", code=2).stderr
    document = json.loads(answer(f"{line} --resume --json").stdout)
    assert [(row["pairs"], row["leaves"]) for row in document["networks"]] == [
        (3, 2),
        (4, 2),
    ]
    assert (folder / "a" / "network.json").read_bytes() == begun
    # the same voxels with other edges, drawn alike
    cubes = sphere(3, SOFT, STIFF, 0.35)
    shutil.rmtree(pairs / "a")
    longer = Microstructure(Grid((3, 3, 3), (1.0, 1.0, 2.0)), cubes.phase)
    make_pairs(longer, pairs / "a", 3, jobs=1)
    assert "holds a network of other pairs" in answer(f"{line} --resume", code=2).stderr
    assert (
        "holds one network" in answer(f"fit {pairs} -o {folder / 'a'}", code=2).stderr
    )


@pytest.mark.slow
def test_an_interrupted_training_is_noted_where_it_is_used(
    bodies, tmp_path, no_check, monkeypatch
):
    pytest.importorskip("torch")
    from ecosurrogate.response import fit_many

    pairs, folder = tmp_path / "d", tmp_path / "run"
    run(f"dataset stiffness {bodies} --count 3 --jobs 1 -o {pairs}", code=2)
    whole = fit_many.fit

    def stop(dataset, *given, **options):
        if dataset.name == "b":
            raise KeyboardInterrupt
        return whole(dataset, *given, **options)

    monkeypatch.setattr(fit_many, "fit", stop)
    line = f"fit {pairs} -o {folder} --depth 1 --steps 2"
    assert "with --resume goes on" in answer(line, code=130).stderr
    assert fit_many.untrained(folder) == ["b"]


def test_responses_of_many_are_one_table_with_a_column_body(tmp_path):
    for name, fraction in (("a", 0.2), ("b", 0.4)):
        small_network(tmp_path / "run" / name, fraction)
    (tmp_path / "run" / "networks.csv").write_text("body,status\na,\nb,\nlost,\n")
    (tmp_path / "run" / "c").mkdir()
    (tmp_path / "run" / "c" / "network.json").write_text("{")
    (tmp_path / "m.toml").write_text(MATERIALS)
    (tmp_path / "p.toml").write_text(PATH)
    curve = tmp_path / "c.csv"
    line = (
        f"respond {tmp_path / 'run'} --materials {tmp_path / 'm.toml'} --path "
        f"{tmp_path / 'p.toml'} -o {curve}"
    )
    done = answer(f"{line} --json", code=2)
    assert "note: no network of lost" in done.stderr and "Error: c: " in done.stderr
    document = json.loads(done.stdout)
    assert [row["status"] for row in document["bodies"]] == [
        "converged",
        "converged",
        "failed",
    ]
    assert [row["body"] for row in rows_of(curve)] == ["a", "a", "b", "b"]
    own = TrainedNetwork.read(tmp_path / "run" / "b")
    alone = respond(own, tmp_path / "m.toml", read_path(tmp_path / "p.toml"))
    own, told = alone.as_dict(), document["bodies"][1]
    assert own["mean_stress"] == told["mean_stress"] and own["notes"] == told["notes"]
    assert float(rows_of(curve)[-1]["stress_xx (GPa)"]) == own["mean_stress"]["xx"]
    write(tmp_path / "other.h5", sphere(3, SOFT, STIFF))
    said = answer(f"{line} --force --against {tmp_path / 'other.h5'}", code=2).stderr
    assert "no body of the name of a network" in said
    kept = curve.read_bytes()
    # no phase expands: there is no curve, and the file stays
    assert "wrote" not in answer(f"{line} --force --temperature 5", code=2).stdout
    assert curve.read_bytes() == kept


@pytest.mark.slow
def test_each_network_is_compared_with_the_body_of_its_name(tmp_path):
    for name in ("a", "b"):
        small_network(tmp_path / "run" / name, 0.5, sha256_phase="")
    (tmp_path / "in").mkdir()
    layers = np.array([0, 1]).reshape(-1, 1, 1)
    np.save(tmp_path / "in" / "b.npy", np.tile(layers, (1, 2, 2)))
    (tmp_path / "m.toml").write_text(MATERIALS)
    (tmp_path / "p.toml").write_text(PATH)
    line = (
        f"respond {tmp_path / 'run'} --materials {tmp_path / 'm.toml'} --path "
        f"{tmp_path / 'p.toml'} -o {tmp_path / 'c.csv'} --against {tmp_path / 'in'}"
    )
    document = json.loads(answer(f"{line} --json").stdout)
    a, b = document["bodies"]
    assert "against" not in a and b["against"]["max"] < 1e-4
    assert "other voxels" in b["notes"][-1]
    # a bare array does not say what its voxels are
    assert any("body of --against: voxels assumed" in note for note in b["notes"])
    assert [row["body"] for row in rows_of(document["solver"])] == ["b", "b"]
    one = f"{line}/b.npy --force".replace("/run ", "/run/b ")
    assert "note: the body of --against: voxels assumed" in answer(one).stderr
