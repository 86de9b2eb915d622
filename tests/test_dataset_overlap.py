"""Samples for validation and test share nothing with those for training, or say so."""

import json
import shutil

import numpy as np
import pytest
from small_datasets import pores, refused, run

from fftmech import InputError
from fftmech.datasets.draft import new_card, recipe_of
from fftmech.datasets.images import ImagesRecipe
from fftmech.datasets.make import extend, make
from fftmech.datasets.manifest import read_manifest, write_manifest
from fftmech.datasets.pores import PoresRecipe
from fftmech.datasets.splits import SPLITS
from fftmech.io import Dataset

PARTS = (2, 1, 1)


def image(shape, seed=0):
    """Solid with three voxels in a hundred a pore."""
    return (np.random.default_rng(seed).random(shape) > 0.03).astype(np.uint8)


def windows(folder, window=8, parts=PARTS, count=40, **options):
    """Card of windows of the images in a folder."""
    recipe = ImagesRecipe.from_folder(folder, window=window)
    return new_card(recipe, count, (8,), parts=parts, **options)


def voxels(card):
    """Voxels of all windows of each split, by split and image."""
    taken = {}
    for index in range(card.count):
        split = card.split_of(index)
        _, found = recipe_of(card, split).draw(card.seed, index, 4)
        place = np.array([found[axis] for axis in "xyz"])
        inside = taken.setdefault((split, found["image"]), np.zeros((64,) * 3, bool))
        inside[tuple(slice(c, c + 8) for c in place)] = True
    return taken


@pytest.mark.parametrize(
    ("shape", "parts"),
    [((36, 12, 9), parts) for parts in (PARTS, (80, 10, 10), (1, 0, 1))]
    + [((9, 12, 40), PARTS), ((14, 28, 10), (80, 10, 10))],
)
def test_windows_of_two_splits_share_no_voxel(shape, parts, tmp_path):
    np.save(tmp_path / "a.npy", image(shape))
    found = voxels(windows(tmp_path, parts=parts))
    assert len(found) == np.count_nonzero(parts)
    assert np.sum([*found.values()], axis=0).max() == 1
    # a quarter of a window lies between them
    ends = [np.argwhere(inside) for inside in found.values()]
    for a, b in ((a, b) for a in ends for b in ends if a is not b):
        apart = np.maximum(b.min(axis=0) - a.max(axis=0), a.min(axis=0) - b.max(axis=0))
        assert apart.max() > 2


def test_images_that_are_too_short_are_given_whole(tmp_path):
    for k in range(5):
        np.save(tmp_path / f"{k}.npy", image((10, 10, 10), k))
    found = voxels(windows(tmp_path))
    assert {split for split, _ in found} == {*SPLITS}
    names = [name for _, name in found]
    assert len(names) == len({*names}) == 5


def test_an_image_without_room_is_refused_with_what_fits(tmp_path):
    np.save(tmp_path / "a.npy", image((24, 20, 16)))
    with pytest.raises(InputError, match="windows of at most 6;.*--splits.* 3 images"):
        windows(tmp_path)
    assert windows(tmp_path, 6).parameters["blocks"]
    assert windows(tmp_path, 8, (1, 0, 1)).parameters["blocks"]
    assert windows(tmp_path, 16, (0, 0, 1)).parameters["blocks"]
    # so does the command, in one line and before it makes anything
    line = (
        f"dataset pores --from-images {tmp_path} --window 8 --count 4 -o {tmp_path}/d"
    )
    assert "6" in refused(line) and not (tmp_path / "d").exists()


def test_one_file_twice_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", image((40, 8, 8)))
    shutil.copy(tmp_path / "a.npy", tmp_path / "b.npy")
    with pytest.raises(InputError, match="a.npy and b.npy are the same file"):
        ImagesRecipe.from_folder(tmp_path)


@pytest.mark.parametrize("how", ["tiled", "mirrored", "extruded"])
def test_an_image_that_repeats_itself_is_refused_or_cut_otherwise(how, tmp_path):
    period = image((10, 28, 10))
    whole = {
        "tiled": np.tile(period, (4, 1, 1)),
        "mirrored": np.concatenate([image((20, 8, 8)), image((20, 8, 8))[::-1]]),
        "extruded": np.repeat(image((1, 8, 8)), 40, axis=0),
    }[how]
    np.save(tmp_path / "a.npy", whole)
    if how == "tiled":
        # along y it is not
        found = voxels(windows(tmp_path))
        assert np.sum([*found.values()], axis=0).max() == 1
        assert len({tuple(np.unique(np.nonzero(v)[1])) for v in found.values()}) == 3
    else:
        with pytest.raises(InputError, match="repeats itself along x"):
            windows(tmp_path)


def test_one_image_in_two_files_is_refused(tmp_path):
    for k, kind in enumerate(("u1", "u1", "u2")):
        np.save(tmp_path / f"{k}.npy", image((10, 10, 10), min(k, 1)).astype(kind))
    with pytest.raises(InputError, match="2.npy has planes .* that 1.npy has too"):
        windows(tmp_path)


def test_a_uniform_image_holds_the_same_body_only_which_is_told(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((40, 8, 8), np.uint8))
    make(tmp_path / "d", windows(tmp_path, count=4), jobs=1)
    found = run(f"dataset info {tmp_path}/d").stdout
    assert "overlap of test with training samples: 1 of 1 samples, 100 %" in found


def test_overlaps_are_stored_shown_and_kept(tmp_path):
    np.save(tmp_path / "a.npy", image((40, 12, 12)))
    place = tmp_path / "d"
    make(place, windows(tmp_path, count=8), jobs=1)
    extend(place, 12, jobs=1)
    for record in read_manifest(place).records.values():
        assert record.get("overlap") == (None if record["split"] == "train" else 0)
    for command in ("info", "verify"):
        document = json.loads(run(f"dataset {command} {place} --json").stdout)
        assert document["overlap"]["test"] == {
            "samples": 3,
            "unknown": 0,
            "largest": 0,
            "mean": 0,
            "with_overlap": 0,
        }
        text = run(f"dataset {command} {place}").stdout
        assert "overlap of test with training samples: none in 3 samples" in text
    # a split that is taken out keeps them, and its new samples come from its blocks
    run(f"dataset subset {place} --split test -o {tmp_path}/test")
    extend(tmp_path / "test", 20, jobs=1)
    extend(place, 20, jobs=1)
    records = read_manifest(tmp_path / "test").records
    assert [r["overlap"] for r in records.values() if "overlap" in r] == [0] * 3
    whole = read_manifest(place).records
    assert all(r["sha256"] == whole[i]["sha256"] for i, r in records.items())
    text = run(f"dataset info {tmp_path}/test").stdout
    assert "none in 3 samples; of 2 unknown" in text


def test_windows_that_overlap_are_measured_by_their_voxels(tmp_path):
    np.save(tmp_path / "a.npy", image((40, 12, 12)))
    place = tmp_path / "d"
    make(place, windows(tmp_path, count=8), jobs=1)
    records = read_manifest(place).records
    test = next(r for r in records.values() if r["split"] == "test")
    train = [r for r in records.values() if r["split"] == "train"]
    corner = {axis: test["statistics"][axis] for axis in "xyz"}
    # by half of it, by the other half, and once more
    for record, by in zip(train, (4, -4, 4), strict=False):
        record["statistics"].update(corner, x=corner["x"] + by)
    write_manifest(place, records.values())
    extend(place, 9, jobs=1)
    assert read_manifest(place).records[test["index"]]["overlap"] == 1
    train[1]["statistics"].update(corner, x=corner["x"] + 8)
    write_manifest(place, records.values())
    extend(place, 10, jobs=1)
    assert read_manifest(place).records[test["index"]]["overlap"] == 0.5


def test_datasets_that_do_not_know_say_so_and_can_still_be_extended(tmp_path):
    np.save(tmp_path / "a.npy", image((24, 12, 12)))
    recipe = ImagesRecipe.from_folder(tmp_path, window=8)
    card = new_card(recipe, 4, (4,), parts=(0, 0, 1))
    parameters = {k: v for k, v in card.parameters.items() if k != "blocks"}
    old = type(card)(**{**vars(card), "parameters": parameters, "parts": PARTS})
    make(tmp_path / "d", old, jobs=1)
    extend(tmp_path / "d", 8, jobs=1)
    found = run(f"dataset info {tmp_path}/d").stdout
    assert "overlap of test with training samples: unknown: made before" in found
    # so do those whose samples have no fingerprint
    run(pores(tmp_path / "e"))
    records = read_manifest(tmp_path / "e").records
    for record in records.values():
        record.pop("fingerprint")
        record.pop("overlap", None)
    write_manifest(tmp_path / "e", records.values())
    assert "unknown: made before" in run(f"dataset verify {tmp_path}/e").stdout


class Twice(PoresRecipe):
    """Sample 2 k + 1 is sample 2 k once more, mirrored."""

    def draw(self, seed, index, res):
        made = super().draw(seed, index // 2, res)
        phase = made.body.phase[::-1] if index % 2 else made.body.phase
        return made._replace(body=made.body.with_changes(phase=phase))


def test_one_body_twice_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(recipe_of.__globals__["RECIPES"], "pores", Twice)
    card = new_card(Twice(fraction=(0.05, 0.12)), 4, (8,), parts=(1, 0, 1))
    make(tmp_path / "d", card, jobs=1)
    text = run(f"dataset info {tmp_path}/d").stdout
    assert "2 of 2 samples, 100 % of the voxels on average" in text


def test_datasets_split_differently_share_no_body_unless_a_seed_is_given(tmp_path):
    line = "dataset pores --res 8 --low-res 8 --fraction 0.05,0.12 --count 4 --jobs 1"
    bodies = []
    for name, options in {
        "usual": "",
        "named": "--splits 80,10,10",
        "test": "--splits 0,0,1",
        "other": "--splits 1,1,1",
        "again": "--splits 0,0,1",
        "seeded": "--splits 0,0,1 --seed 0",
    }.items():
        run(f"{line} -o {tmp_path}/{name} {options}")
        records = Dataset(tmp_path / name).records
        bodies.append({record["fingerprint"] for record in records})
    usual, named, test, other, again, seeded = bodies
    assert usual == named == seeded and test == again
    assert not (usual & test or usual & other or test & other)
