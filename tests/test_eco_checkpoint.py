"""Weights come back to the last bit, and hostile files are refused with one line."""

import dataclasses
import json
import os
import pickle
import shutil
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_runs import one_line, tiny

from ecosurrogate.data.examples import Examples
from ecosurrogate.training.checkpoint import load_model, read_run
from ecosurrogate.training.config import Config
from ecosurrogate.training.run import prepare
from ecosurrogate.training.settings import resolve
from ecosurrogate.training.train import fit
from ecosurrogate.training.train_state import TrainState
from ecosurrogate.training.validation import validate
from fftmech import InputError


@pytest.fixture(scope="module")
def trained(grains8, tmp_path_factory):
    """A finished run, and its errors."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    run = prepare(grains8, folder, tiny(steps=3))
    return run, fit(run).validation


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(trained[0].folder, tmp_path / "run")


def test_a_loaded_model_has_the_errors_that_training_reported(trained, grains8):
    run, errors = trained
    random = torch.get_rng_state()
    model, card = load_model(run.folder)
    assert torch.equal(torch.get_rng_state(), random)
    assert not model.training and card == run.card
    examples = Examples(grains8, "val")
    weights = model.state_dict()
    again = validate(model, weights, examples, card.encoder, run.objective, 2)
    assert again == errors


def test_a_card_comes_back_from_json_as_it_was(trained):
    run, _ = trained
    assert read_run(run.folder) == run.card
    document = json.loads((run.folder / "config.json").read_text())
    assert document["scheme"] == "rotated"
    assert document["dataset"]["kind"] == "polycrystal"
    assert len(document["dataset"]["sha256"]) == 64
    assert document["units"]["stress"] == "GPa"
    assert {"fftmech", "torch", "safetensors"} <= set(document["versions"])


@pytest.mark.parametrize("pores", [False, True])
def test_a_configuration_comes_back_from_json_as_it_was(pores):
    config = resolve({"model": "s-eco", "network": {"channels": [4, 8]}}, pores)
    assert Config.from_dict(json.loads(json.dumps(config.as_dict()))) == config


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def header(path):
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write_header(path, document, body):
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def pickled(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Trap(path.parent / "trapped")))


def bare_pickle(path):
    path.write_bytes(pickle.dumps(Trap(path.parent / "trapped")))


def pickle_behind_a_length(path):
    text = pickle.dumps(Trap(path.parent / "trapped"))
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def oversized_header(path):
    path.write_bytes(struct.pack("<Q", 2**63) + b"{" + b" " * 100)


def long_header(path):
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", 2**25) + b"{")
        file.truncate(2**25 + 100)


def deep_header(path):
    write_header(path, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"")


def cut(path):
    os.truncate(path, path.stat().st_size - 8)


def cut_in_the_header(path):
    os.truncate(path, 100)


def empty(path):
    path.write_bytes(b"")


def missing(path):
    path.unlink()


def folder_instead(path):
    path.unlink()
    path.mkdir()


def path_in_a_name(path):
    tensors = load_file(path)
    tensors["../../../trapped"] = tensors.pop(next(iter(tensors)))
    save_file(tensors, path)


def one_more(path):
    save_file({**load_file(path), "\x1b[31m" + "x" * 5000: torch.zeros(1)}, path)


def other_shape(path):
    tensors = load_file(path)
    name = next(name for name, value in tensors.items() if value.ndim == 5)
    save_file({**tensors, name: tensors[name].flatten()}, path)


def other_type(path):
    tensors = load_file(path)
    name = next(iter(tensors))
    save_file({**tensors, name: tensors[name].to(torch.float16)}, path)


def nan(path):
    tensors = load_file(path)
    name = next(iter(tensors))
    tensors[name].view(-1)[0] = float("nan")
    save_file(tensors, path, {"ecosurrogate": "{}"})


def overlap(path):
    document, body = header(path)
    names = [name for name in document if name != "__metadata__"]
    document[names[1]]["data_offsets"] = document[names[0]]["data_offsets"]
    write_header(path, document, body)


def beyond_the_end(path):
    document, body = header(path)
    name = next(name for name in document if name != "__metadata__")
    document[name]["data_offsets"] = [0, 2**62]
    write_header(path, document, body)


def no_note(path):
    save_file(load_file(path), path)


def wrong_note(path):
    save_file(load_file(path), path, {"ecosurrogate": "[" * 3000})


WEIGHTS = [
    *(pickled, bare_pickle, pickle_behind_a_length, oversized_header, long_header),
    *(deep_header, cut, cut_in_the_header, empty, missing, folder_instead),
    *(path_in_a_name, one_more, other_shape, other_type, nan, overlap),
    *(beyond_the_end, no_note, wrong_note),
]


@pytest.mark.parametrize("damage", WEIGHTS, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["weights", "state"])
def test_hostile_weights_and_states_are_refused_with_one_line(
    folder, trained, damage, name
):
    path = folder / f"{name}.safetensors"
    damage(path)
    before = torch.get_rng_state()
    with pytest.raises(InputError) as refusal:
        if name == "weights":
            load_model(folder)
        else:
            run, _ = trained
            TrainState(run.card.config, run.model).read(path)
    message = one_line(refusal)
    assert message.startswith(str(path)) and message.isprintable()
    assert torch.equal(torch.get_rng_state(), before)
    assert not list(folder.parent.rglob("trapped"))


@pytest.mark.parametrize("note", [{}, {"step": -1}, {"step": 1e300}, {"step": "3"}])
def test_a_state_with_wrong_counters_or_scale_is_refused(folder, trained, note):
    path = folder / "state.safetensors"
    tensors = load_file(path)
    sound = {"step": 3, "skipped": 0, "in_row": 0, "scaler": {}}
    run, _ = trained
    state = TrainState(run.card.config, run.model)
    save_file(tensors, path, {"ecosurrogate": json.dumps(note and {**sound, **note})})
    with pytest.raises(InputError, match="counters"):
        state.read(path)
    save_file(tensors, path, {"ecosurrogate": json.dumps(sound)})
    config = dataclasses.replace(run.card.config, precision="fp16")
    with pytest.raises(InputError, match="damaged"):
        TrainState(config, run.model).read(path)
    assert state.step == 0


CARDS = {
    "newer": (lambda d: d | {"format_version": 3}, "newer than this program's 2"),
    "no version": (lambda d: {}, "damaged"),
    "no object": (lambda d: [d], "damaged"),
    "version of words": (lambda d: d | {"format_version": "two"}, "damaged"),
    "unknown model": (("config", "model", "__import__"), "model '__import__'"),
    "model no text": (("config", "model", ["unet"]), "expected one of unet"),
    "unknown network": (("config", "backbone", "os.system"), "expected one of unet"),
    "unknown field": (("config", "exec", "1"), "setting 'exec'"),
    "huge network": (("config", "network", {"channels": [2**40]}), "up to 4096"),
    "endless network": (("config", "network", {"channels": [4] * 999}), "at most 32"),
    "endless blocks": (("config", "network", {"blocks": 10**9}), "up to 4096"),
    "negative channels": (("config", "network", {"channels": [-4]}), "channels (-4,)"),
    "channels of words": (("config", "network", {"channels": "ab"}), "network"),
    "endless corrections": (("config", "options", {"corrections": 10**9}), "4096"),
    "options of another": (("config", "options", {"gains": "fixed"}), "gains"),
    "infinite steps": (("config", "steps", float("inf")), "steps inf"),
    "huge number": (("config", "lr", 10**400), "lr"),
    "nan rate": (("config", "lr", float("nan")), "lr nan"),
    "hex8": (("scheme", "hex8"), "expected a scheme with one"),
    "no scheme": (("scheme", "../rotated"), "expected one of rotated"),
    "negative ratio": (("ratio", -1.0), "two positive moduli"),
    "nan ratio": (("ratio", float("nan")), "ratio nan"),
    "infinite ratio": (("ratio", float("inf")), "ratio inf"),
    "few channels": (("normalization", "shift", [0.0]), "normalisation"),
    "zero scale": (("normalization", "scale", [0.0] * 21), "normalisation"),
    "other channels": (("config", "representation", "euler"), "expected 3"),
    "dataset of words": (("dataset", "text"), "damaged"),
}


@pytest.mark.parametrize("name", CARDS)
def test_hostile_cards_are_refused_with_one_line(folder, name):
    change, expected = CARDS[name]
    path = folder / "config.json"
    document = json.loads(path.read_text())
    if callable(change):
        document = change(document)
    else:
        *names, key, value = change
        part = document
        for entry in names:
            part = part[entry]
        part[key] = value
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as refusal:
        load_model(folder)
    assert expected in one_line(refusal)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 10**5, b'{"format_version": 1}' * 2, b" " * 2**19],
    ids=["empty", "cut", "binary", "deep", "twice", "long"],
)
def test_cards_that_are_no_json_are_refused_with_one_line(folder, content):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(InputError) as refusal:
        read_run(folder)
    assert str(folder) in one_line(refusal)


def test_a_folder_without_a_run_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="no run there"):
            load_model(path)


def test_weights_of_another_configuration_are_refused(folder):
    path = folder / "config.json"
    document = json.loads(path.read_text())
    document["config"]["network"]["channels"] = [4, 4]
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="of shape"):
        load_model(folder)


def test_averaged_weights_are_those_of_the_state(trained):
    run, _ = trained
    weights = load_file(run.folder / "weights.safetensors")
    state = load_file(run.folder / "state.safetensors")
    assert weights
    for name, value in weights.items():
        assert torch.equal(value, state[f"average/{name}"])
        assert np.isfinite(value.numpy()).all()
