"""`ecosr evaluate`: tables, a folder, and one line for each refusal."""

import json
import shutil

import pytest
from small_runs import as_options, make_dataset, refused, run, tiny

from fftmech.arrays import crowding

pytestmark = pytest.mark.usefixtures("no_curves")

PICTURES = {
    *("slices.png", "errors.png", "divergence.png", "spectra.png", "energy.png"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Datasets and runs of a few voxels and steps."""
    folder = tmp_path_factory.mktemp("evaluate")
    common = "dataset polycrystal --grains 4 --res 8"
    for name, options in (
        ("grains", "--low-res 4 --count 5 --splits 2,1,2 --strain xx=1e-3"),
        ("sheared", "--low-res 8 --count 1 --splits 0,0,1 --strain xy=1e-3"),
        ("fourier", "--low-res 8 --count 1 --splits 0,0,1 --scheme fourier"),
        ("one", "--low-res 8 --count 1 --splits 1,0,0 --strain xx=1e-3"),
    ):
        make_dataset(f"{common} {options} -o {folder / name}")
    for model in ("s-eco", "unet"):
        settings = as_options(tiny(model=model, steps=2, validate_every=2))
        run(f"fit {folder / 'grains'} -o {folder / model} {settings}")
    return folder


@pytest.mark.slow
def test_tables_are_printed_and_written_with_pictures_and_numbers(place, tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    done = run(
        f"evaluate {place}/s-eco {place}/grains --against {place}/unet --baseline "
        f"low-res --baseline cg:2 -o {out}"
    )
    assert done.stderr == ""
    assert {path.name for path in out.iterdir()} == {
        *PICTURES,
        *("evaluation.json", "evaluation.md"),
    }
    for words in (
        "nRMSE over the standard deviation of DNS 8^3: mean ± std of 2 test cases",
        "eps mean",
        "certificate (%)",
        "(2 iterations)",
        "past the Nyquist frequency of 4^3",
        f"wrote {out}",
    ):
        assert words in done.stdout, words
    found = json.loads((out / "evaluation.json").read_text())
    assert [c["kind"] for c in found["contenders"]] == ["run", "run", "low-res", "cg"]
    assert "| eps11 |" in (out / "evaluation.md").read_text()


@pytest.mark.parametrize(
    "model, representation",
    [("unet", "euler"), ("s-eco", "quaternion"), ("s-eco", "cubic-harmonics")],
)
@pytest.mark.slow
def test_runs_that_see_orientations_are_trained_and_evaluated(
    place, tmp_path, model, representation
):
    asked = tiny(model=model, steps=2, validate_every=2, representation=representation)
    run(f"fit {place}/grains -o {tmp_path}/run {as_options(asked)}")
    done = run(f"evaluate {tmp_path}/run {place}/grains --baseline none --json")
    (found,) = json.loads(done.stdout)["contenders"]
    assert found["kind"] == "run"


def test_times_of_a_busy_machine_have_a_note(place, monkeypatch):
    monkeypatch.setattr(crowding, "crowding", lambda threads: 1.7)
    done = run(f"evaluate {place}/unet {place}/grains --baseline none")
    said = "this machine is busy: wall time is 1.7 times processor time"
    assert done.stderr == f"note: {said}; times are too long\n"


def test_json_is_all_that_is_on_standard_output(place):
    done = run(f"evaluate {place}/s-eco {place}/grains --baseline none --json")
    found = json.loads(done.stdout)
    assert found["output"] is None and len(found["contenders"]) == 1
    assert found["contenders"][0]["nrmse"]["std"]["stress"]["xx"]["count"] == 2
    done = run(f"evaluate {place}/unet {place}/grains --split val --json")
    found = json.loads(done.stdout)
    assert found["resolution"] == 4 and len(found["contenders"]) == 1


@pytest.mark.slow
def test_another_component_plane_and_sample_are_drawn(place, tmp_path):
    pytest.importorskip("matplotlib")
    line = f"evaluate {place}/s-eco {place}/grains --baseline none -o {tmp_path / 'a'}"
    found = json.loads(run(f"{line} --json").stdout)
    other = found["contenders"][0]["samples"][-1]["index"]
    (tmp_path / "a" / "mine.txt").write_text("kept")
    before = (tmp_path / "a" / "slices.png").read_bytes()
    assert "holds an evaluation" in refused(line)
    run(f"{line} --force --component xy --slice x=1 --sample {other}")
    assert (tmp_path / "a" / "slices.png").read_bytes() != before
    assert (tmp_path / "a" / "mine.txt").read_text() == "kept"


REFUSED = {
    "none grains": "no run there",
    "s-eco none": "no such folder",
    "s-eco grains --against {0}/s-eco": "named twice",
    "s-eco grains --baseline cg:0": "cg:0: expected at least 1 iteration",
    "s-eco grains --baseline cg:two": "expected low-res, or cg:K",
    "s-eco grains --baseline cg": "expected low-res, or cg:K",
    "s-eco grains --baseline fem": "'fem': expected low-res, or cg:K",
    "s-eco grains --baseline cg:2 --baseline cg:02": "named twice",
    "s-eco grains --baseline none --baseline cg:2": "leave one of them out",
    "s-eco grains --res 4 --baseline low-res": "no resolution below 4",
    "s-eco grains --res 5": "resolution 5",
    "s-eco grains --split val --res 8": "solved at 4, not at 8",
    "s-eco grains --count 9": "count 9",
    "s-eco grains --split all": "--split",
    "s-eco grains --sample 99": "sample 99: it is not among the 2 for test",
    "s-eco grains --slice w=1": "slice 'w=1'",
    "s-eco grains --slice z=99": "outside the grid",
    "s-eco grains --component rr": "--component",
    "s-eco one": "no sample for test is done",
    "s-eco fourier": "trained with scheme rotated",
    "s-eco sheared": "does not see the load",
    "damaged grains": "weights.safetensors",
}


@pytest.mark.parametrize("words", REFUSED)
def test_bad_input_is_one_line_and_nothing_is_written(place, tmp_path, words):
    damaged = place / "damaged"
    if not damaged.exists():
        shutil.copytree(place / "unet", damaged)
        weights = damaged / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:100])
    model, dataset, *options = words.format(place).split()
    line = f"evaluate {place / model} {place / dataset} {' '.join(options)}"
    assert REFUSED[words] in refused(f"{line} -o {tmp_path / 'out'}")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_kept_even_with_force(place, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    for name, said in (
        ("file", "is a file"),
        ("full", "holds no evaluation"),
        ("no/where", "create it first"),
    ):
        line = f"evaluate {place}/s-eco {place}/grains -o {tmp_path / name} --force"
        assert said in refused(line)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_a_full_disk_leaves_no_folder_behind(place, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")

    def full(figure, path, **how):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("ecosurrogate.evaluation.folder.save_figure", full)
    line = f"evaluate {place}/s-eco {place}/grains -o {tmp_path / 'out'}"
    assert "No space left on device" in refused(line)
    assert not (tmp_path / "out").exists()


def test_a_gpu_that_is_not_there_is_refused(place):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    line = f"evaluate {place}/s-eco {place}/grains --device cuda"
    assert "torch finds no GPU" in refused(line)
