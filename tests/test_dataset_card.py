"""Cards, splits, loads and manifests: what a dataset follows from, and what it has."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from fftmech import InputError, Load
from fftmech.datasets.card import Card, card_text, read_card
from fftmech.datasets.loading import Loading
from fftmech.datasets.manifest import append_record, read_manifest, write_manifest
from fftmech.datasets.splits import SPLITS, check_parts, split_of
from fftmech.tensors import COMPONENTS, mandel_from_components

CARD = Card(
    kind="polycrystal",
    parameters={"grains": (21, 28)},
    count=100,
    seed=0,
    levels=(64, 32),
    loading=Loading("fixed", Load.uniaxial("xx", 8e-5)),
    method={
        "scheme": "rotated",
        "solver": "cg",
        "tolerance": 1e-6,
        "max_iterations": 1000,
        "precision": "double",
    },
    parts=(80, 10, 10),
)


@pytest.mark.parametrize("parts", [(80, 10, 10), (73, 25, 2), (3, 1, 1), (1, 0, 0)])
def test_any_first_samples_are_shared_out_as_the_parts_say_to_within_one(parts):
    counts = Counter()
    for index in range(3 * sum(parts)):
        counts[split_of(index, parts)] += 1
        for name, part in zip(SPLITS, parts, strict=True):
            assert abs(counts[name] - (index + 1) * part / sum(parts)) < 1
    assert [counts[name] for name in SPLITS] == [3 * part for part in parts]


@pytest.mark.parametrize("parts", [(1, 2), (1, -1, 1), (0, 0, 0), (10**6, 1, 1)])
def test_parts_that_share_out_nothing_are_refused(parts):
    with pytest.raises(InputError, match="splits"):
        check_parts(parts)


def test_a_card_is_the_same_after_dataset_json(tmp_path):
    card = replace(CARD, shard=(2, 3), split="val", licence="CC0-1.0")
    (tmp_path / "dataset.json").write_text(card_text(card), encoding="utf-8")
    again = read_card(tmp_path)
    assert again.differences(card) == []
    assert again.as_dict() == json.loads(json.dumps(card.as_dict()))
    assert list(again.indices()) == list(card.indices())


def test_shards_have_every_index_once_and_splits_too():
    shards = [list(replace(CARD, shard=(i, 3)).indices()) for i in (1, 2, 3)]
    assert sorted(sum(shards, [])) == list(range(100))
    splits = [list(replace(CARD, split=name).indices()) for name in SPLITS]
    assert sorted(sum(splits, [])) == list(range(100))
    assert [len(split) for split in splits] == [80, 10, 10]


def test_only_samples_for_the_test_are_solved_at_the_high_resolution():
    card = replace(CARD, levels=(128, 64, 32))
    solved = {card.split_of(i): card.solved_levels(i) for i in card.indices()}
    assert solved == {"train": (32,), "val": (32,), "test": (128, 64, 32)}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"parameters": {"grains": (10, 12)}}, "parameters.grains"),
        ({"seed": 1}, "seed"),
        ({"levels": (64, 16)}, "levels"),
        ({"method": {**CARD.method, "tolerance": 1e-5}}, "method.tolerance"),
        ({"loading": Loading("random")}, "loads.mode"),
        ({"parts": (70, 20, 10)}, "splits.train"),
        ({"shard": (1, 2)}, "shard"),
    ],
)
def test_what_makes_other_samples_is_named(changes, named):
    other = replace(CARD, **changes)
    assert any(text.startswith(named + ":") for text in CARD.differences(other))


def test_licence_citation_and_count_make_no_other_samples():
    assert not CARD.differences(replace(CARD, licence="x", citation="y", count=7))


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 0},
        {"seed": -1},
        {"levels": (64, 48)},
        {"levels": (32, 64)},
        {"levels": (64, 64)},
        {"shard": (3, 2)},
        {"shard": (0, 2)},
        {"split": "validation"},
    ],
    ids=str,
)
def test_values_that_no_dataset_has_are_refused_in_one_line(changes):
    with pytest.raises(InputError) as refusal:
        replace(CARD, **changes)
    assert "\n" not in str(refusal.value) and "expected" in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"seed": 0', '"seed": 1'),
        ('"kind": "polycrystal"', '"kind": "polycristal"'),
        ('"format_version": 1', '"format_version": 2'),
        ("{", "["),
        ('"seed": 0,', ""),
    ],
)
def test_a_card_with_a_flipped_byte_is_refused(tmp_path, old, new):
    text = card_text(CARD)
    assert old in text
    (tmp_path / "dataset.json").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=r"dataset\.json"):
        read_card(tmp_path)


def test_notes_for_readers_may_be_edited_by_hand(tmp_path):
    text = card_text(CARD).replace('"licence": null', '"licence": "CC-BY-4.0"')
    (tmp_path / "dataset.json").write_text(text)
    assert read_card(tmp_path).licence == "CC-BY-4.0"


def test_random_loads_have_unit_norm_and_depend_on_seed_and_index_alone():
    loading = Loading("random")
    loads = {
        (seed, index): loading.cases(seed, index)[""]
        for seed in (0, 1)
        for index in range(200)
    }
    assert loads[1, 7] == Loading("random").cases(1, 7)[""]
    vectors = np.array(
        [
            mandel_from_components(np.array([load.strain[c] for c in COMPONENTS]))
            for load in loads.values()
        ]
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-14)
    assert len(np.unique(vectors[:, 0])) == 400
    # uniform on the sphere: the covariance is the identity over 6, to 4 deviations
    covariance = vectors.T @ vectors / len(vectors)
    assert np.abs(covariance - np.eye(6) / 6).max() < 4 * 0.15 / np.sqrt(400)


def test_six_loads_are_the_six_unit_strains():
    cases = Loading("six").cases(0, 3)
    assert {name: dict(load.strain) for name, load in cases.items()} == {
        c: {c: 1.0} for c in COMPONENTS
    }


@pytest.mark.parametrize("mode", ["fixed", "random", "six"])
def test_loads_are_the_same_after_json(mode):
    load = Load.uniaxial("zz", 1e-3) if mode == "fixed" else None
    loading = Loading(mode, load)
    again = Loading.from_dict(json.loads(json.dumps(loading.as_dict())))
    assert again == loading and again.cases(3, 4) == loading.cases(3, 4)


def test_loads_without_or_with_too_many_loads_are_refused():
    for mode, load in [("fixed", None), ("six", Load()), ("some", None)]:
        with pytest.raises(InputError, match="loads"):
            Loading(mode, load)


def record(index, status="done"):
    fields = {"index": index, "split": "train", "status": status}
    if status == "failed":
        return {**fields, "reason": "max_iterations"}
    return {**fields, "sha256": "0" * 64, "bytes": 1}


def test_a_line_that_was_cut_off_is_not_counted(tmp_path):
    for index in (2, 0, 1):
        append_record(tmp_path, record(index))
    path = tmp_path / "manifest.jsonl"
    text = path.read_bytes()
    for end in range(len(text)):
        path.write_bytes(text[:end])
        found = read_manifest(tmp_path)
        whole = text[:end].count(b"\n")
        # a line may be whole but for its end
        assert whole <= len(found.records) <= whole + 1
        assert found.unreadable <= 1


def test_a_manifest_is_sorted_once_it_is_written(tmp_path):
    records = [record(3), record(1, "failed"), record(2)]
    write_manifest(tmp_path, records)
    found = read_manifest(tmp_path)
    assert list(found.records) == [1, 2, 3] and found.unreadable == 0
    assert [i for i, r in found.records.items() if r["status"] == "failed"] == [1]
    write_manifest(tmp_path, reversed(records))
    assert list(read_manifest(tmp_path).records.values()) == list(
        found.records.values()
    )
