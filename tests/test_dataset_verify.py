"""What is damaged in a dataset is found, told in one line, and made again."""

import json
import os
import shutil

import numpy as np
import pytest
from small_datasets import content, pores, refused, run

from fftmech import InputError
from fftmech.datasets.card import NOTES, read_card
from fftmech.datasets.manifest import append_record, read_manifest, write_manifest
from fftmech.io import Dataset


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of a dataset in which everything is right."""
    folder = tmp_path_factory.mktemp("whole") / "d"
    run(pores(folder))
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """Folder of a dataset to damage."""
    return shutil.copytree(whole, tmp_path / "d")


def flip(path, position, bits):
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= bits
    path.write_bytes(data)


def verified(folder, options="", code=0):
    return json.loads(
        run(f"dataset verify {folder} --json {options}", code=code).stdout
    )


def test_verify_of_a_sound_dataset_exits_0(whole):
    # of 4^3 voxels some bodies are the same
    assert run(f"dataset verify {whole}").stdout == (
        f"{whole}: 8 of 8 samples are right\n"
        "overlap of val with training samples: 1 of 2 samples, 50 % of the voxels on "
        "average, 100 % at most\n"
        "overlap of test with training samples: none in 1 samples\n"
    )
    some = {"unknown": 0, "largest": 1.0, "mean": 0.5, "with_overlap": 1}
    none = {"unknown": 0, "largest": 0.0, "mean": 0.0, "with_overlap": 0}
    assert verified(whole) == {
        "dataset": str(whole),
        "checked": 8,
        "faults": {},
        "missing": 0,
        "overlap": {"val": {"samples": 2, **some}, "test": {"samples": 1, **none}},
        "unknown": [],
        "unreadable_lines": 0,
    }


@pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.5, 0.7, 0.99, 1])
def test_a_flipped_byte_in_a_sample_is_found_and_mended(part, copy, whole):
    index = int(part * 7)
    path = copy / f"samples/{index:05d}.h5"
    flip(path, int(part * (path.stat().st_size - 1)), 1 << index)
    done = run(f"dataset verify {copy}", code=2)
    assert "7 of 8 samples are right" in done.stdout
    assert f"sample {index}: altered" in done.stdout and "--repair" in done.stdout
    repaired = verified(copy, "--repair --jobs 1")
    assert repaired["faults"] == {str(index): "altered"}
    assert (repaired["repaired"], repaired["changed"]) == (1, 0)
    assert content(copy) == content(whole)
    verified(copy)


def test_samples_that_are_gone_cut_short_or_unknown_are_told_apart(copy, whole):
    (copy / "samples/00001.h5").unlink()
    os.truncate(copy / "samples/00004.h5", 1000)
    (copy / "samples/00002.h5").unlink()
    (copy / "samples/00002.h5").mkdir()
    (copy / "samples/mine.txt").write_text("mine")
    document = verified(copy, code=2)
    faults = {"1": "missing", "2": "unreadable", "4": "altered"}
    assert document["faults"] == faults and document["unknown"] == ["mine.txt"]
    (copy / "samples/00002.h5").rmdir()
    assert verified(copy, "--repair --jobs 1")["repaired"] == 3
    (copy / "samples/mine.txt").unlink()
    assert content(copy) == content(whole)


def test_any_flipped_byte_of_the_manifest_is_found_and_no_record_is_wrong(copy, whole):
    path = copy / "manifest.jsonl"
    write_manifest(copy, list(read_manifest(copy).records.values())[:3])
    sound, records = path.read_bytes(), read_manifest(copy).records
    random = np.random.default_rng(0)
    for position in range(len(sound)):
        data = bytearray(sound)
        data[position] ^= random.integers(1, 256)
        path.write_bytes(data)
        found = read_manifest(copy)
        assert found.unreadable >= 1, position
        # a byte that ends a line costs two
        assert 1 <= len(found.records) < 3
        assert all(records[i] == record for i, record in found.records.items())


@pytest.mark.parametrize("position", [0, 12, 17, 40, 60, 200, 420, -1])
def test_a_flipped_byte_of_the_manifest_is_mended(position, copy, whole):
    flip(copy / "manifest.jsonl", position, 4)
    document = verified(copy, code=2)
    assert document["unreadable_lines"] == 1 and document["missing"] == 1
    assert "1 lines cannot be read" in run(f"dataset verify {copy}", code=2).stdout
    verified(copy, "--repair --jobs 1")
    assert content(copy) == content(whole)


@pytest.mark.parametrize("newline", [0, 3, 7])
def test_a_lost_line_end_is_mended_by_the_command_that_made_it(newline, copy, whole):
    ends = [i for i, c in enumerate((copy / "manifest.jsonl").read_bytes()) if c == 10]
    flip(copy / "manifest.jsonl", ends[newline], 1)
    run(pores(copy))
    assert content(copy) == content(whole)


def test_a_lost_manifest_is_made_again(copy, whole):
    (copy / "manifest.jsonl").unlink()
    run(f"dataset verify {copy} --repair --jobs 1")
    assert content(copy) == content(whole)


def test_a_record_of_a_sample_that_the_card_does_not_have_does_no_harm(copy):
    record = {**read_manifest(copy).records[0], "index": 12}
    append_record(copy, record)
    assert verified(copy, code=2)["faults"] == {"12": "missing"}
    verified(copy, "--repair --jobs 1")
    assert verified(copy)["checked"] == 8


def test_any_flipped_byte_of_the_card_is_refused_or_changes_notes_alone(copy, whole):
    path = copy / "dataset.json"
    sound, card = path.read_bytes(), read_card(copy).as_dict()
    random = np.random.default_rng(0)
    refusals = 0
    for position in range(len(sound)):
        data = bytearray(sound)
        data[position] ^= random.integers(1, 256)
        path.write_bytes(data)
        try:
            found = read_card(copy).as_dict()
        except InputError as error:
            refusals += 1
            assert str(path) in str(error)
        else:
            for name in card:
                assert found[name] == card[name] or name in NOTES, (name, position)
    assert refusals > len(sound) / 2


@pytest.mark.parametrize("entry", ['"seed": 0', '"levels": [', '"sha256": "'])
def test_a_changed_card_is_refused_in_one_line_by_every_command(entry, copy, tmp_path):
    path = copy / "dataset.json"
    text = path.read_text()
    path.write_text(text.replace(entry, entry[:-1] + "7" + entry[-1]))
    assert path.read_text() != text
    for line in (
        pores(copy),
        f"dataset info {copy}",
        f"dataset verify {copy}",
        f"dataset verify {copy} --repair",
        f"dataset extend {copy} --count 9",
        f"dataset merge {copy} -o {tmp_path / 'm'}",
        f"dataset subset {copy} --split val -o {tmp_path / 'm'}",
    ):
        assert str(path) in refused(line)
    assert not (tmp_path / "m").exists()


def test_a_sample_that_is_gone_is_one_line_with_the_command_that_mends_it(copy):
    (copy / "samples/00002.h5").unlink()
    with pytest.raises(InputError, match=f"verify {copy} --repair"):
        Dataset(copy)[2]
