"""Many files predicted in one process: batches, names, failures, the table."""

import csv
import json

import numpy as np
import pytest
from command_lines import run_ecosr
from small_runs import one_line, refused, run
from untrained_models import untrained

import fftmech
from ecosurrogate.evaluation import batches
from ecosurrogate.evaluation.predict import predict
from ecosurrogate.training.checkpoint import CARD, WEIGHTS
from ecosurrogate.training.tensor_file import write_tensors
from fftmech import InputError, Load, io
from fftmech.microstructure import polycrystal
from fftmech_cli import predict_many

LOAD = "--uniaxial xx=1e-3"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of random weights, and a folder with bodies, two of them no bodies."""
    folder = tmp_path_factory.mktemp("many")
    model, card = untrained("p-eco-iterated")
    (folder / "run").mkdir()
    (folder / "run" / CARD).write_text(json.dumps(card.as_dict()))
    write_tensors(folder / "run" / WEIGHTS, model.state_dict(), {})
    (folder / "in").mkdir()
    for seed, size in enumerate((8, 6, 8, 6, 8)):
        io.write(folder / "in" / f"b{seed}.h5", polycrystal(size, 3, seed=seed))
    (folder / "in" / "b5.h5").write_bytes(b"no HDF5")
    np.save(folder / "in" / "b6.npy", np.zeros((4, 4, 4), np.int32))
    (folder / "in" / "notes.txt").write_text("not a body")
    return folder


def test_bodies_of_one_shape_go_together_and_a_bad_one_ends_no_other(monkeypatch):
    model, card = untrained("p-eco-stepped")
    bodies = {str(i): polycrystal(size, 2) for i, size in enumerate((6, 4, 6, 4, 6))}
    bodies["3"] = bodies["3"].__class__(bodies["3"].grid, bodies["3"].phase)
    sizes = []
    together = batches.predict_many

    def seen(model, card, bodies, *more):
        sizes.append(len(bodies))
        return together(model, card, bodies, *more)

    def read(source):
        if source == "5":
            raise InputError("5 is empty")
        return bodies[source]

    monkeypatch.setattr(batches, "predict_many", seen)
    load = Load({"xx": 1e-3})
    answers = dict(batches.predict_sources(model, card, "012345", read, load))
    assert sizes == [3, 2, 1, 1]
    assert "without stiffness" in str(answers["3"]) and "empty" in str(answers["5"])
    for name in "0124":
        alone = predict(model, card, bodies[name], load)
        np.testing.assert_allclose(answers[name].stress, alone.stress, rtol=1e-3)


def test_bodies_that_wait_hold_a_bounded_number_of_voxels(monkeypatch):
    monkeypatch.setattr(batches, "MOST", 150)
    monkeypatch.setattr(batches, "predict_each", lambda m, c, bodies, *_: bodies)
    read = [polycrystal(n, 2) for n in (4, 5, 6)]
    order = []

    def reading(source):
        order.append(f"read {source}")
        return read[int(source)]

    model, card = untrained("unet")
    for source, _ in batches.predict_sources(
        model, card, "012", reading, Load({"xx": 1}), "cuda"
    ):
        order.append(source)
    assert order == ["read 0", "read 1", "0", "1", "read 2", "2"]


def test_names_of_results_come_from_sources_and_never_clash(tmp_path):
    for name in ("a.1.h5", "b.raw.gz", "C.vti", "c.npy"):
        (tmp_path / name).write_bytes(b"0")
    sources = [str(tmp_path / name) for name in ("a.1.h5", "b.raw.gz", "C.vti")]
    out = str(tmp_path / "out")
    names = [path.name for path in predict_many.plan(sources, out, False).values()]
    assert names == ["a.1.vtkhdf", "b.vtkhdf", "C.vtkhdf"]
    for more in ("c.npy", "C.vti"):
        with pytest.raises(InputError, match="would both become") as refusal:
            predict_many.plan([*sources, str(tmp_path / more)], out, True)
        one_line(refusal)
    (tmp_path / "a.vtkhdf").touch()
    (tmp_path / "a.h5").touch()
    with pytest.raises(InputError, match="is a source"):
        predict_many.plan([str(tmp_path / "a.vtkhdf"), sources[1]], str(tmp_path), True)
    with pytest.raises(InputError, match="add --force"):
        predict_many.plan([str(tmp_path / "a.h5"), sources[1]], str(tmp_path), False)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_slices_is_one_body_and_one_of_bodies_is_many(tmp_path):
    for name in ("slices", "bodies"):
        (tmp_path / name).mkdir()
    for i in range(3):
        (tmp_path / "slices" / f"{i}.tif").touch()
    (tmp_path / "bodies" / "a.h5").touch()
    slices, bodies = str(tmp_path / "slices"), str(tmp_path / "bodies")
    assert not predict_many.are_many([slices], None)
    assert not predict_many.are_many(["a.h5"], "result.vtkhdf")
    assert predict_many.are_many([bodies], None)
    assert predict_many.are_many(["a.h5", "b.h5"], None)
    assert predict_many.are_many(["a.h5"], "out/")
    outputs = predict_many.plan([bodies, slices], str(tmp_path / "out"), False)
    assert [path.name for path in outputs.values()] == ["a.vtkhdf", "slices.vtkhdf"]


def test_files_are_predicted_and_the_others_say_why_not(place):
    out = place / "out"
    line = ["predict", str(place / "run"), str(place / "in"), *LOAD.split()]
    line += ["-o", str(out), "--json"]
    done = run_ecosr(*line, code=2)
    said = json.loads(done.stdout)
    assert (said["predicted"], said["failed"]) == (5, 2)
    errors = [row for row in done.stderr.splitlines() if row.startswith("Error: ")]
    assert len(errors) == 2 and "b5.h5" in errors[0] and "b6.npy" in errors[1]
    assert errors[0].count("b5.h5") == 1
    assert "note: " in done.stderr and "(5 of 7 files)" in done.stderr
    with open(out / "predictions.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"][-5:] for row in rows[:2]] == ["b0.h5", "b1.h5"]
    assert tuple(rows[0]) == predict_many.COLUMNS
    for row, own in zip(rows[:5], said["files"], strict=False):
        result = fftmech.read_result(row["output"])
        certificate = result.certificate
        assert float(row["relative_error"]) == certificate["relative"]
        assert float(row["energy_lower"]) == certificate["energy_lower"]
        assert own["relative_error"] == certificate["relative"]
        assert float(row["mean_strain_xx"]) == pytest.approx(1e-3)
        assert row["status"] == "predicted" and row["notes"]
        assert int(row["nx"]) == result.microstructure.grid.shape[0]
    for row in rows[5:]:
        assert row["status"] == "failed" and row["reason"] and not row["output"]
        assert not row["relative_error"]
    assert sorted(path.suffix for path in out.iterdir()) == [".csv", *[".vtkhdf"] * 5]


@pytest.mark.slow
def test_what_is_wrong_for_all_files_is_refused_before_any(place, tmp_path):
    line = f"predict {place}/run {place}/in -o {tmp_path}/out"
    assert "name one" in refused(line)
    line = f"{line} {LOAD}"
    assert "--average-shifts" in refused(f"{line} --average-shifts x")
    assert "average over 99" in refused(f"{line} --average-shifts 99")
    assert "no such file" in refused(f"{line} --materials {tmp_path}/none.toml")
    assert "--composite" in refused(f"{line} --composite laminate")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_results_that_exist_are_kept_unless_forced_and_none_is_of_an_old_run(
    place, tmp_path
):
    bodies = f"{place}/in/b0.h5 {place}/in/b5.h5"
    line = f"predict {place}/run {bodies} -o {tmp_path}/out {LOAD}"
    run(line, code=2)
    assert "add --force" in refused(line)
    (tmp_path / "out" / "b5.vtkhdf").write_text("of an earlier run")
    run(f"{line} --force", code=2)
    assert not (tmp_path / "out" / "b5.vtkhdf").exists()
    assert (tmp_path / "out" / "b0.vtkhdf").exists()


@pytest.mark.slow
def test_strict_refuses_each_file_with_notes_and_leaves_no_result(place, tmp_path):
    line = f"predict {place}/run {place}/in/b0.h5 {LOAD} --strict"
    assert "--strict: " in refused(f"{line} -o {tmp_path}/one.vtkhdf")
    done = run(f"{line} -o {tmp_path}/out/", code=2)
    assert "b0.h5: --strict: " in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
def test_an_interruption_leaves_the_table_of_what_is_done(place, tmp_path, monkeypatch):
    write, count = predict_many.write_result, []

    def interrupted(output, result):
        count.append(output)
        if len(count) == 2:
            raise KeyboardInterrupt
        write(output, result)

    monkeypatch.setattr(predict_many, "write_result", interrupted)
    run(f"predict {place}/run {place}/in -o {tmp_path}/out {LOAD}", code=130)
    table = (tmp_path / "out" / "predictions.csv").read_text(encoding="utf-8")
    states = [row["status"] for row in csv.DictReader(table.splitlines())]
    assert states == ["predicted", "failed"]
