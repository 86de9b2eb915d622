"""`fftmech dataset`: what it prints, and what it refuses in one line."""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from command_lines import run_fftmech
from small_datasets import PORES, content, pores, refused, run, start

from fftmech import InputError, io
from fftmech.datasets import images
from fftmech.datasets.card import read_card
from fftmech.datasets.manifest import read_manifest
from fftmech.io import Dataset


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of a dataset in which everything is right."""
    folder = tmp_path_factory.mktemp("whole") / "d"
    run(pores(folder))
    return folder


def test_info_counts_what_there_is(whole):
    document = json.loads(run(f"dataset info {whole} --json").stdout)
    wanted = {"train": 5, "val": 2, "test": 1}
    assert document["wanted"] == document["done"] == wanted
    assert document["missing"] == document["failed"] == dict.fromkeys(wanted, 0)
    sizes = [path.stat().st_size for path in (whole / "samples").iterdir()]
    assert document["bytes"] == sum(sizes)
    classes = document["statistics"]["class"]
    assert sum(classes.values()) == 8 and all(2 <= n <= 3 for n in classes.values())
    shown = run(f"dataset info {whole}").stdout
    for text in ("pores", "sphericity", "iterations at 4", "seed: 0", "licence: none"):
        assert text in shown


def test_merge_and_subset_print_what_they_made_and_what_is_missing(whole, tmp_path):
    folders = [tmp_path / str(i) for i in (1, 2, 3)]
    for i, folder in enumerate(folders, 1):
        run(pores(folder, f"--jobs 1 --shard {i}/3"))
    first, _, last = folders
    done = run(f"dataset merge {first} {last} -o {tmp_path / 'some'}")
    assert f"{tmp_path / 'some'}: 5 samples\n3 samples are missing" in done.stdout
    run(pores(tmp_path / "some"))
    assert content(tmp_path / "some") == content(whole)
    run(f"dataset merge {' '.join(map(str, folders))} -o {tmp_path / 'all'}")
    assert content(tmp_path / "all") == content(whole)
    done = run(f"dataset subset {whole} --split val -o {tmp_path / 'val'}")
    assert done.stdout == f"{tmp_path / 'val'}: 2 samples\n"
    wrong = f"dataset subset {tmp_path / 'val'} --split test -o {tmp_path / 'test'}"
    assert "split 'val' only" in refused(wrong)
    for line in (
        f"dataset merge {first} -o {tmp_path / 'all'}",
        f"dataset subset {whole} --split val -o {tmp_path / 'all'}",
    ):
        assert "choose another -o" in refused(line)


def test_json_is_alone_on_standard_output(tmp_path):
    document = json.loads(run(pores(tmp_path / "d", "--jobs 1 --json", 2)).stdout)
    assert document["output"] == str(tmp_path / "d")
    assert (document["done"], document["made"], document["failed"]) == (2, 2, 0)
    again = json.loads(run(pores(tmp_path / "d", "--jobs 1 --json", 2)).stdout)
    assert (again["done"], again["made"], again["missing"]) == (2, 0, 0)
    line = f"dataset extend {tmp_path / 'd'} --count 3 --jobs 1 --json"
    assert json.loads(run(line).stdout)["made"] == 1


def test_more_shards_than_samples_leave_a_shard_empty(tmp_path):
    done = run(pores(tmp_path / "d", "--jobs 1 --shard 5/9", count=3))
    assert "0 of 0 samples (none)" in done.stdout
    run(f"dataset info {tmp_path / 'd'}")
    run(f"dataset verify {tmp_path / 'd'}")


BAD = [
    "--count 0",
    "--count many",
    "--count 1000000000000000",
    "--res 0",
    "--res 100000",
    "--low-res 3",
    "--low-res -4",
    "--low-res 2,4",
    "--low-res 4,4",
    "--seed -1",
    "--loads seven",
    "--loads six --strain xx=1",
    "--loads random --uniaxial xx=1",
    "--splits 0,0,0",
    "--splits -1,1,1",
    "--splits 0.8,0.1,0.1",
    "--splits 1000000,1,1",
    "--shard 0/2",
    "--shard 3/2",
    "--shard 1/0",
    "--tol 0",
    "--tol 1e-9 --precision single",
    "--max-iterations 0",
    "--solver newton",
    "--jobs 0",
    "--device tpu",
    "--fraction 0.1,nan",
    "--fraction 0.9,0.95",
    "--matrix -1,0.3",
    "--matrix 1,0.5",
    "--from-images nowhere",
    "--pore 0",
    "--margin 0.2",
    "--colour blue",
    "extra",
]


@pytest.mark.parametrize("options", BAD)
def test_bad_values_end_with_one_line_and_make_nothing(options, tmp_path):
    refused(f"{PORES} --count 4 -o {tmp_path / 'd'} --jobs 1 {options}")
    assert list(tmp_path.iterdir()) == []


OPTIONS = {
    "--count": ["1", "3"],
    "--res": ["8", "10"],
    "--low-res": ["4", "4,2", "8"],
    "--seed": ["5", "99999999999999999999999"],
    "--splits": ["1,1,1", "0,0,7"],
    "--shard": ["1/2", "7/9"],
    "--fraction": ["0.05,0.06"],
    "--matrix": ["1,-0.5", "1e300,0.3", "1e-300,0.3"],
    "--tol": ["1e-3", "1e-300"],
    "--max-iterations": ["1", "7"],
    "--strain": ["xx=1", "zz=0", "xy=1e300", "yz=1e-300"],
    "--stress": ["xx=1"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_options_with_values_of_others_never_end_otherwise(name, tmp_path):
    """One line and no folder, or a dataset that is right, failed samples included."""
    codes = set()
    others = sum((values for key, values in OPTIONS.items() if key != name), [])
    # each value with its own name and every second other one
    some = OPTIONS[name] + others[[*OPTIONS].index(name) % 2 :: 2]
    for k, value in enumerate(some):
        folder = tmp_path / str(k)
        line = f"{PORES} --count 2 -o {folder} --jobs 1 {name} {value}"
        done = run_fftmech(line, code=None)
        codes.add(done.exit_code)
        assert isinstance(done.exception, SystemExit | None), (line, done.exception)
        if done.exit_code == 2:
            assert done.stderr.count("\n") == 1, (line, done.stderr)
            assert not folder.exists(), line
        else:
            data = Dataset(folder)
            assert list(data.verify()) == [None] * len(data)
            assert done.exit_code == 0 or (done.exit_code == 3 and data.failed), line
    assert 2 in codes and codes & {0, 3}


def test_a_folder_that_is_not_a_datasets_own_is_refused_and_left(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = content(tmp_path)
    for name, message in [
        ("full", "not empty and holds no dataset"),
        ("file", "is a file: give the name of a folder"),
        ("a/b", "create it first"),
        ("file/b", "create it first"),
        ("n" * 300, "File name too long"),
    ]:
        assert message in refused(pores(tmp_path / name))
    assert content(tmp_path) == before
    for command in ("info", "verify", "extend --count 3", "verify --repair"):
        for name in ("full", "file", "nowhere"):
            name, *options = f"dataset {command} {tmp_path / name}".split(" ", 1)
            refused(" ".join([name, *options]))
    assert content(tmp_path) == before


NOBODY = """
import os
import filelock
from fftmech.datasets import make
from fftmech_cli.fftmech_main import main

inner = make.check_machine

def check_machine(*args):
    inner(*args)
    if os.geteuid() == 0:
        os.seteuid(65534)

make.check_machine = check_machine
main()
"""
"""The command line, which is not root's any more when it begins to write."""


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no mode")
def test_a_folder_that_cannot_be_written_to_is_refused():
    # not in tmp_path, which nobody else may enter
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        parent.chmod(0o755)
        locked = parent / "locked"
        locked.mkdir(mode=0o555)
        for folder in (locked, locked / "d"):
            process = start(pores(folder), NOBODY)
            out, err = process.communicate(timeout=60)
            assert (process.returncode, out) == (2, "") and err.count("\n") == 1, err
            assert str(folder) in err and "Permission denied" in err
        assert list(locked.iterdir()) == []


def test_more_samples_than_pores_in_the_images_are_refused(tmp_path):
    image = np.ones((12, 12, 12), np.uint8)
    image[2:5, 2:5, 2:5] = 0
    image[7:10, 7:9, 7:10] = 0
    (tmp_path / "ct").mkdir()
    np.save(tmp_path / "ct/a.npy", image)
    line = (
        f"dataset pores --res 8 --low-res 4 --smallest 4 -o {tmp_path / 'd'} --jobs 1 "
        f"--from-images {tmp_path / 'ct'} --count"
    )
    assert "there are 2 bodies to take" in refused(f"{line} 3")
    assert not (tmp_path / "d").exists()
    run(f"{line} 2")
    extend = f"dataset extend {tmp_path / 'd'} --jobs 1 --count"
    assert "there are 2 bodies to take" in refused(f"{extend} 3")
    assert read_card(tmp_path / "d").count == 2
    # a changed image makes other samples: nothing is made, and nothing forgotten
    whole = content(tmp_path / "d")
    (tmp_path / "d/samples/00001.h5").unlink()
    np.save(tmp_path / "ct/a.npy", image[::-1])
    images._pores.cache_clear()
    assert "images" in refused(f"{line} 2")
    mend = f"dataset verify {tmp_path / 'd'} --repair --jobs 1"
    assert "SHA-256 differs" in refused(mend)
    assert len(read_manifest(tmp_path / "d").records) == 2
    np.save(tmp_path / "ct/a.npy", image)
    run(mend)
    assert content(tmp_path / "d") == whole


def test_images_that_were_moved_are_found_where_the_command_says(tmp_path):
    image = np.ones((12, 12, 12), np.uint8)
    image[2:5, 2:5, 2:5] = 0
    image[7:10, 7:9, 7:10] = 0
    (tmp_path / "ct").mkdir()
    np.save(tmp_path / "ct/a.npy", image)
    line = (
        f"dataset pores --res 8 --low-res 4 --smallest 4 -o {tmp_path / 'd'} --jobs 1 "
        f"--count 2 --from-images {tmp_path}"
    )
    run(f"{line}/ct")
    whole = content(tmp_path / "d/samples")
    (tmp_path / "d/samples/00001.h5").unlink()
    (tmp_path / "d/manifest.jsonl").unlink()
    (tmp_path / "ct").rename(tmp_path / "moved")
    images._pores.cache_clear()
    run(f"{line}/moved")
    assert content(tmp_path / "d/samples") == whole


def test_a_device_that_is_not_there_makes_no_dataset(tmp_path):
    if io_has_gpu():
        pytest.skip("this machine has a GPU")
    assert "--device cpu" in refused(pores(tmp_path / "d", "--jobs 1 --device cuda"))
    assert not (tmp_path / "d").exists()


def io_has_gpu():
    from fftmech.arrays.backend import get_backend

    try:
        get_backend("cuda")
    except InputError:
        return False
    return True


@pytest.mark.slow
def test_a_relative_folder_is_that_of_the_caller(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(pores("d", "--jobs 2", count=2))
    assert len(io.Dataset(Path("d"))) == 2
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run(pores(".", count=2))
    assert content(tmp_path / "here") == content(tmp_path / "d")
