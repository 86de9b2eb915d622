"""Sample i depends on (seed, i) alone; what fails is told; parts make the whole."""

import os
import shutil
import stat
from dataclasses import replace

import numpy as np
import pytest
from small_datasets import content, pores, refused, run

from fftmech import InputError, Load
from fftmech.datasets import make as making
from fftmech.datasets import sample_task as sampling
from fftmech.datasets.card import card_text
from fftmech.datasets.collect import merge, subset
from fftmech.datasets.draft import new_card
from fftmech.datasets.loading import Loading
from fftmech.datasets.make import extend, make, repair
from fftmech.datasets.manifest import read_manifest
from fftmech.datasets.pores import PoresRecipe
from fftmech.datasets.sample_task import make_sample
from fftmech.io import Dataset

RECIPE = PoresRecipe(fraction=(0.05, 0.12))


def card(count=6, **options):
    """Card of tiny bodies: of any eight the last is for the test."""
    defaults = {"levels": (8, 4), "parts": (5, 2, 1), "loading": Loading("random")}
    return new_card(RECIPE, count, **{"seed": 0, **defaults, **options})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of six samples, made one after the other."""
    folder = tmp_path_factory.mktemp("whole") / "d"
    assert make(folder, card(), jobs=1).done == 6
    return folder


def sums(folder):
    return [record["sha256"] for record in Dataset(folder).records]


def test_two_processes_make_the_same_bytes_as_one(whole, tmp_path):
    make(tmp_path / "d", card(), jobs=2)
    assert content(tmp_path / "d") == content(whole)


def test_a_sample_made_alone_in_any_order_has_the_same_bytes(whole, tmp_path):
    (tmp_path / "samples").mkdir()
    for index in (5, 0, 3):
        options = {"card": card_text(card()), "threads": 1, "device": "cpu"}
        record = make_sample(index, directory=str(tmp_path), **options)
        assert record == read_manifest(whole).records[index]
    for name, data in content(tmp_path).items():
        assert data == (whole / name).read_bytes()


def test_the_number_of_threads_changes_no_byte(tmp_path):
    # the least resolution at which a solve has threads
    text = card_text(card(1, levels=(48,), loading=None))
    records = []
    for threads in (1, 2):
        folder = tmp_path / str(threads)
        (folder / "samples").mkdir(parents=True)
        options = {"card": text, "threads": threads, "device": "cpu"}
        records.append(make_sample(0, directory=str(folder), **options))
    assert records[0] == records[1]


def test_a_dataset_extended_in_two_steps_has_the_same_bytes(whole, tmp_path):
    folder = tmp_path / "d"
    make(folder, card(2), jobs=1)
    before = (folder / "samples/00001.h5").stat().st_mtime_ns
    for count in (3, 6):
        outcome = extend(folder, count, jobs=1)
    assert outcome.made == 3 and outcome.done == 6
    assert content(folder) == content(whole)
    assert (folder / "samples/00001.h5").stat().st_mtime_ns == before


WRONG = [{"jobs": 0}, {"executor": "mpi"}, {"executor": "no"}, {"device": "tpu"}]


def test_folders_of_samples_have_the_mode_of_the_umask(whole, tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.delattr(os, "umask")
            subset(whole, "val", tmp_path / "val")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "val").stat().st_mode) == 0o750


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("change", [extend, repair])
def test_options_that_are_refused_change_no_file(change, wrong, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "d")
    with pytest.raises(InputError):
        change(folder, 8 if change is extend else [0, 3], **{"jobs": 1, **wrong})
    assert content(folder) == content(whole)
    # what made it goes on
    assert make(folder, card(), jobs=1).made == 0


def test_a_recipe_that_makes_no_more_bodies_is_not_extended(
    whole, tmp_path, monkeypatch
):
    folder = shutil.copytree(whole, tmp_path / "d")

    def gone(*_):
        raise InputError("no images")

    monkeypatch.setattr(making, "check_feasible", gone)
    for change, given in ((extend, 8), (repair, [0])):
        with pytest.raises(InputError, match="no images"):
            change(folder, given, jobs=1)
    assert content(folder) == content(whole)


@pytest.mark.parametrize("killed", [False, True])
def test_an_extension_that_was_interrupted_is_ended_by_the_same_call(
    killed, whole, tmp_path, monkeypatch
):
    folder = tmp_path / "d"
    make(folder, card(2), jobs=1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        name = "write_manifest" if killed else "append_record"

        def interrupt(*_):
            raise KeyboardInterrupt

        patch.setattr(making, name, interrupt)
        extend(folder, 6, jobs=1)
    extend(folder, 6, jobs=1)
    assert content(folder) == content(whole)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Folders of three shards."""
    folder = tmp_path_factory.mktemp("shards")
    for i in (1, 2, 3):
        make(folder / str(i), card(shard=(i, 3)), jobs=1)
    return [folder / str(i) for i in (1, 2, 3)]


def test_shards_that_are_merged_have_the_same_bytes(whole, shards, tmp_path):
    assert merge(shards[::-1], tmp_path / "d") == 0
    assert content(tmp_path / "d") == content(whole)


def test_shards_may_overlap_and_one_that_is_missing_is_counted(whole, shards, tmp_path):
    assert merge([shards[0], whole, shards[0]], tmp_path / "a") == 0
    assert content(tmp_path / "a") == content(whole)
    assert merge([shards[0], shards[2]], tmp_path / "b") == 2
    assert [r["index"] for r in Dataset(tmp_path / "b").records] == [0, 2, 3, 5]
    # the command that made the shards, without --shard
    assert make(tmp_path / "b", card(), jobs=1).made == 2
    assert content(tmp_path / "b") == content(whole)


def test_linked_files_outlive_their_source_and_are_not_changed_with_it(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "source")
    merge([tmp_path / "source"], tmp_path / "d")
    # what is made again gets a file of its own
    path = tmp_path / "source/samples/00002.h5"
    path.unlink()
    path.write_bytes(b"other")
    assert content(tmp_path / "d") == content(whole)
    shutil.rmtree(tmp_path / "source")
    data = Dataset(tmp_path / "d")
    assert list(data.verify()) == [None] * 6 and data[2].index == 2


def test_a_split_taken_out_has_the_same_files_and_can_be_extended(whole, tmp_path):
    test = subset(whole, "val", tmp_path / "val")
    data = Dataset(tmp_path / "val")
    assert test == len(data) and {r["split"] for r in data.records} == {"val"}
    for name in content(tmp_path / "val"):
        if name.startswith("samples"):
            assert (tmp_path / "val" / name).read_bytes() == (whole / name).read_bytes()
    make(tmp_path / "larger", card(12), jobs=1)
    extend(tmp_path / "val", 12, jobs=1)
    assert sums(tmp_path / "val") == [
        r["sha256"] for r in Dataset(tmp_path / "larger", "val").records
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda shards: shards[1] / "samples/00001.h5", "verify .*2 --repair"),
        (lambda shards: shards[1] / "dataset.json", "no dataset"),
    ],
    ids=["sample", "card"],
)
def test_a_merge_without_one_of_its_files_makes_nothing(
    change, message, shards, tmp_path
):
    copies = [shutil.copytree(s, tmp_path / "in" / s.name) for s in shards]
    change(copies).unlink()
    with pytest.raises(InputError, match=message):
        merge(copies, tmp_path / "d")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_merge_on_a_full_disk_makes_nothing(shards, tmp_path, monkeypatch):
    def link(*_):
        raise OSError("no links here")

    def copyfile(_, there):
        raise OSError(28, "No space left on device", there)

    monkeypatch.setattr("os.link", link)
    copied = merge(shards, tmp_path / "copied")
    assert copied == 0 and list(Dataset(tmp_path / "copied").verify()) == [None] * 6
    monkeypatch.setattr("shutil.copyfile", copyfile)
    with pytest.raises(OSError, match="No space left"):
        merge(shards, tmp_path / "d")
    assert [path.name for path in tmp_path.iterdir()] == ["copied"]


def test_datasets_of_other_parameters_do_not_merge(whole, shards, tmp_path):
    make(tmp_path / "seed", card(seed=1), jobs=1)
    make(tmp_path / "count", card(2), jobs=1)
    for name, named in [("seed", "seed: 0 there, 1 here"), ("count", "count: 6 there")]:
        with pytest.raises(InputError, match=named):
            merge([whole, tmp_path / name], tmp_path / "d")
    other = shutil.copytree(whole, tmp_path / "other")
    records = read_manifest(other).records
    records[3]["sha256"] = "0" * 64
    making.write_manifest(other, records.values())
    with pytest.raises(InputError, match="sample 3 of .* differs"):
        merge([whole, other], tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("hidden", [".gitignore", "mine.txt"])
def test_a_merge_leaves_what_is_in_its_target(hidden, whole, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / hidden).write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        merge([whole], tmp_path / "d")
    assert content(tmp_path / "d") == {hidden: b"mine"}
    (tmp_path / "empty").mkdir()
    assert merge([whole], tmp_path / "empty") == 0
    assert content(tmp_path / "empty") == content(whole)


def test_a_dataset_may_begin_beside_hidden_files_and_leaves_them(tmp_path):
    names = [".gitlab-ci.yml", ".dataset-notes.json", "samples/.keep-me.h5"]
    folder = tmp_path / "d"
    (folder / ".git-x").mkdir(parents=True)
    for name in names[:2]:
        (folder / name).write_text("mine")
    make(folder, card(2), jobs=1)
    (folder / names[2]).write_text("mine")
    extend(folder, 3, jobs=1)
    assert (folder / ".git-x").is_dir()
    assert [(folder / name).read_text() for name in names] == ["mine"] * 3


def failing(monkeypatch, indices):
    """Let the solves of some samples stop after one iteration; return who is tried."""
    tried = []
    inner = sampling.solve_bodies

    def solve_bodies(bodies, card, index, *args):
        tried.append(index)
        if index in indices:
            card = replace(card, method={**card.method, "max_iterations": 1})
        return inner(bodies, card, index, *args)

    monkeypatch.setattr(sampling, "solve_bodies", solve_bodies)
    return tried


def test_a_sample_that_does_not_converge_is_recorded_with_its_reason_and_skipped(
    whole, tmp_path, monkeypatch
):
    tried = failing(monkeypatch, {3})
    outcome = make(tmp_path / "d", card(), jobs=1)
    assert tried == list(range(6))
    assert (outcome.done, outcome.failed, outcome.missing, outcome.made) == (5, 1, 0, 6)
    data = Dataset(tmp_path / "d")
    assert [sample.index for sample in data] == [0, 1, 2, 4, 5]
    assert not (tmp_path / "d/samples/00003.h5").exists()
    (failed,) = data.failed
    assert failed["index"] == 3 and failed["status"] == "failed"
    assert failed["reason"].startswith(
        "resolution 4: max_iterations after 1 iterations, residual "
    )
    # not tried again, and the others are as if it had not failed
    again = make(tmp_path / "d", card(), jobs=1)
    assert tried == list(range(6)) and (again.made, again.failed) == (0, 1)
    for name in content(tmp_path / "d"):
        if name.startswith("samples"):
            assert (tmp_path / "d" / name).read_bytes() == (whole / name).read_bytes()


def test_one_in_a_hundred_may_fail_and_one_more_ends_the_run():
    allowed = {1: 1, 6: 1, 100: 1, 101: 2, 200: 2, 1000: 10}
    assert {n: making.allowed_failures(n) for n in allowed} == allowed


def test_more_failures_than_one_in_a_hundred_end_the_run_and_stay_told(
    tmp_path, monkeypatch
):
    tried = failing(monkeypatch, {1, 3, 4})
    folder = tmp_path / "d"
    for _ in range(2):
        outcome = make(folder, card(), jobs=1)
        assert tried == [0, 1, 2, 3]
        assert (outcome.done, outcome.failed, outcome.missing) == (2, 2, 2)
    # more samples leave room for more failures
    assert extend(folder, 110, jobs=1).failed == 3
    assert tried[4] == 4


def test_exit_codes_tell_few_failures_from_many(tmp_path, monkeypatch):
    failing(monkeypatch, {3})
    done = run(pores(tmp_path / "few"))
    assert "7 of 8 samples" in done.stdout and "1 failed" in done.stdout
    assert done.stderr.startswith("failed 1 x: resolution 4: max_iterations after 1 it")
    assert done.stderr.count("\n") == 1
    run(f"dataset verify {tmp_path / 'few'}")
    assert "failed 1 x: " in run(f"dataset info {tmp_path / 'few'}").stdout
    many = pores(tmp_path / "many", "--jobs 1 --max-iterations 1")
    for _ in range(2):
        done = run(many, code=3)
        assert "2 of 8 samples failed, more than 1 %" in done.stderr
        assert len(read_manifest(tmp_path / "many").records) == 2


def test_a_body_that_cannot_be_made_fails_alone(tmp_path, monkeypatch):
    inner = PoresRecipe.draw

    def draw(self, seed, index, res):
        if index == 2:
            raise InputError("no body\nof this kind")
        return inner(self, seed, index, res)

    monkeypatch.setattr(PoresRecipe, "draw", draw)
    assert make(tmp_path / "d", card(), jobs=1).done == 5
    assert Dataset(tmp_path / "d").failed[0]["reason"] == "no body of this kind"


def test_too_little_memory_now_is_no_failure_of_the_sample(
    whole, tmp_path, monkeypatch
):
    inner = sampling.solve
    calls = []

    def solve(*args, **options):
        calls.append(args)
        if len(calls) == 3:
            raise InputError("a solve needs 9 GiB and 1 GiB are free; lower --res")
        return inner(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(sampling, "solve", solve)
        with pytest.raises(InputError, match="1 GiB are free"):
            make(tmp_path / "d", card(), jobs=1)
    assert sorted(read_manifest(tmp_path / "d").records) == [0, 1]
    make(tmp_path / "d", card(), jobs=1)
    assert content(tmp_path / "d") == content(whole)


def test_the_fields_of_the_high_and_the_low_solution_need_no_run_of_their_own(whole):
    """What is recorded is what was solved: by resolution, the largest over loads."""
    for record in Dataset(whole).records:
        levels = {"4"} if record["split"] != "test" else {"4", "8"}
        assert set(record["iterations"]) == set(record["residual"]) == levels
        assert all(0 < r <= 1e-6 for r in record["residual"].values())


def test_changed_parameters_are_refused_with_their_names(tmp_path):
    folder = tmp_path / "d"
    run(pores(folder, count=2))
    before = content(folder)
    for changed, named in [
        ("--fraction 0.05,0.13", "parameters.fraction: [0.05, 0.12] there"),
        ("--matrix 100,0.3", "parameters.E: 113.8 there, 100.0 asked"),
        ("--seed 1", "seed: 0 there, 1 asked"),
        ("--low-res 2", "levels: [8, 4] there, [8, 2] asked"),
        ("--splits 1,1,1", "splits.train: 5 there, 1 asked"),
        ("--tol 1e-5", "method.tolerance: 1e-06 there, 1e-05 asked"),
        ("--scheme fourier", "method.scheme: rotated there, fourier asked"),
        ("--precision single", "method.precision: double there, single asked"),
        ("--uniaxial xx=1e-3", "loads.strain.zz: 0.001 there, None asked"),
        ("--loads six", "loads.mode: fixed there, six asked"),
        ("--shard 1/2", "shard: None there, [1, 2] asked"),
    ]:
        line = refused(pores(folder, f"--jobs 1 {changed}", count=2))
        assert named in line and str(folder) in line, line
    # notes for readers are no parameters
    run(pores(folder, "--jobs 1 --licence CC0-1.0 --cite me", count=2))
    assert content(folder) == before


def test_another_count_is_refused_with_advice(tmp_path):
    folder = tmp_path / "d"
    run(pores(folder, count=2))
    larger = refused(pores(folder, count=3))
    assert f"fftmech dataset extend {folder} --count 3" in larger
    assert "does not shrink" in refused(pores(folder, count=1))
    assert "does not shrink" in refused(f"dataset extend {folder} --count 1")


def test_a_load_of_one_case_is_the_load_that_every_sample_has(tmp_path):
    load = Load(strain={"xy": 1e-3}, stress={"zz": 0.5})
    make(tmp_path / "d", card(2, loading=Loading("fixed", load)), jobs=1)
    for sample in Dataset(tmp_path / "d"):
        assert sample.loads == {"": load}
        np.testing.assert_allclose(sample.low.mean_stress[0, 2], 0.5, rtol=1e-6)
