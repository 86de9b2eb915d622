"""Labels that are not those of their bodies are refused before any training."""

import json
import shutil

import h5py
import numpy as np
import pytest
from small_runs import GRAINS, PORES, as_options, make_dataset, refused, tiny

from ecosurrogate.data.examples import Examples
from fftmech.datasets.composites import CompositesRecipe
from fftmech.datasets.draft import new_card
from fftmech.datasets.loading import Loading
from fftmech.datasets.make import make
from fftmech.datasets.manifest import read_manifest


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folders = {}
    for name, line in (("grains", GRAINS), ("pores", PORES)):
        folders[name] = tmp_path_factory.mktemp("data") / name
        make_dataset(f"{line} -o {folders[name]}")
    return folders


def scale(file, factor, *fields):
    for name in fields:
        file[f"VTKHDF/res4/CellData/{name}"][()] *= np.float32(factor)


def scale_all(file, factor):
    """Fields, and the means that are stated, so that these fit."""
    scale(file, factor, "strain", "stress")
    run = json.loads(file["fftmech/run"][()])
    for outcome in run["solutions"]["4"].values():
        for mean in ("mean_strain", "mean_stress"):
            for name in outcome[mean]:
                outcome[mean][name] *= factor
    del file["fftmech/run"]
    file["fftmech/run"] = json.dumps(run)


def spoil(file, value):
    file["VTKHDF/res4/CellData/strain"][1, 2, 3, 0] = value


SPOILED = {
    "stress": (lambda file: scale(file, 1.0001, "stress"), "not C "),
    "labels": (lambda file: scale(file, 1000, "strain", "stress"), "states"),
    "everything": (lambda file: scale_all(file, 1000), "prescribes"),
    "one voxel": (lambda file: spoil(file, 1e-4), "not C "),
    "nan": (lambda file: spoil(file, np.nan), "not finite"),
}


@pytest.mark.parametrize(
    ("name", "how", "split"),
    [("grains", how, "train") for how in SPOILED]
    + [("pores", how, "val") for how in SPOILED],
)
def test_labels_that_are_wrong_are_refused_with_their_sample(
    name, how, split, whole, tmp_path
):
    folder = shutil.copytree(whole[name], tmp_path / "d")
    records = read_manifest(folder).records
    index = [i for i, r in records.items() if r["split"] == split][-1]
    change, named = SPOILED[how]
    with h5py.File(folder / f"samples/{index:05d}.h5", "r+") as file:
        change(file)
    settings = as_options(tiny())
    message = refused(f"fit {folder} -o {tmp_path}/run {settings}")
    assert f"{folder}: sample {index} ({split})" in message and named in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("mode", ["fixed", "random", "six"])
def test_what_is_solved_passes(precision, mode, tmp_path):
    recipe = CompositesRecipe(contrast=(1000, 1000.0))
    loading = Loading(mode, recipe.load if mode == "fixed" else None)
    options = {"parts": (1, 0, 0), "precision": precision, "loading": loading}
    make(tmp_path / "d", new_card(recipe, 2, (16,), **options), jobs=1)
    examples = Examples(tmp_path / "d", "train")
    assert len([*examples]) == len(examples) and len(examples.records) == 2
