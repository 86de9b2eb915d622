"""Every kind of file that is written: one of a newer program is refused, in a line."""

import json

import h5py
import numpy as np
import pytest
from conftest import SOFT, STIFF, sphere
from test_dataset_card import CARD
from written_files import body, result

from fftmech import InputError, Load, March, Path, io
from fftmech.datasets.card import card_text, read_card
from fftmech.datasets.stiffness import make_pairs
from fftmech.datasets.stiffness_draw import Pairs
from fftmech.datasets.stiffness_pairs import StiffnessPairs
from fftmech.io.sample_file import read_sample, sample_bytes
from fftmech.io.series import read_result_at, read_times, write_series
from fftmech.io.vtkhdf_result import read_run as read_run_of_result
from fftmech.simulations.march_checkpoint import (
    identity,
    read_checkpoint,
    write_checkpoint,
)

NEWER = r"format version 99, of fftmech 12\.3, is newer than this program's \d; pip "
NEWER += r'install "fftmech>=12\.3"$'
SOLVED = result(np.random.default_rng(4))


def march():
    return March(body(), Path.of((Load(strain={"xx": 1e-3}),), 2))


def microstructure(folder):
    io.write(folder / "m.h5", body())
    return "m.h5", [io.read, io.kind]


def one_result(folder):
    io.write_result(folder / "r.vtkhdf", SOLVED)
    return "r.vtkhdf", [io.read, io.read_result, read_run_of_result]


def series(folder):
    write_series(folder / "s.vtkhdf", [SOLVED, SOLVED], 2, {"scheme": "rotated"})
    return "s.vtkhdf", [io.read, read_times, lambda path: read_result_at(path, 0)]


def sample(folder):
    given = {2: body()}, {2: {"": SOLVED}}
    (folder / "0.vtkhdf").write_bytes(sample_bytes(0, 0, "train", {}, *given))
    return "0.vtkhdf", [io.read, io.read_result, read_sample]


def checkpoint(folder):
    begun = march()
    write_checkpoint(folder / "c", begun.state, identity(begun))
    return "c", [lambda path: read_checkpoint(path, identity(begun), np)]


def pairs(folder):
    micro = sphere(3, SOFT, STIFF)
    make_pairs(micro, folder, 1, jobs=1)
    again = [lambda path: StiffnessPairs.read(path.parent)]
    again.append(lambda path: make_pairs(micro, path.parent, 1, Pairs(seed=1), jobs=1))
    return "stiffness.h5", again


def dataset(folder):
    text = card_text(CARD)
    (folder / "dataset.json").write_text(
        text.replace('"versions": {}', '"versions": {"fftmech": "0"}')
    )
    return "dataset.json", [lambda path: read_card(path.parent)]


def run(folder):
    pytest.importorskip("torch")
    from untrained_models import untrained

    from ecosurrogate.training.checkpoint import read_run, versions
    from ecosurrogate.training.files import write_json

    _, card = untrained("p-eco")
    write_json(folder / "config.json", card.as_dict() | {"versions": versions()})
    return "config.json", [lambda path: read_run(path.parent)]


def network(folder):
    from ecosurrogate.response.trained_network import TrainedNetwork
    from ecosurrogate.response.tree import LaminateTree

    tree = LaminateTree([0, 1], [0.7, 0.3], [[1.0, 0, 0]])
    TrainedNetwork(tree, np.arange(2), tree.fractions, {}, {}, {}).write(folder)
    return "network.json", [lambda path: TrainedNetwork.read(path.parent)]


KINDS = {
    name.__name__: name
    for name in (
        *(microstructure, one_result, series, sample, checkpoint, pairs),
        *(dataset, run, network),
    )
}
"""Each writes a file; its name, and what reads it. Studies: `test_cli_tune.py`."""


def change(path, version, release):
    """Give a file another version, and that of the program that wrote it."""
    if path.suffix != ".json":
        with h5py.File(path, "r+") as file:
            own = file.get("fftmech", file)
            assert {"fftmech_version", "format_version"} <= {*own.attrs}
            own.attrs["format_version"] = version
            own.attrs["fftmech_version"] = release
        return
    document = json.loads(path.read_text())
    assert "format_version" in document
    document["format_version"] = version
    if "versions" in document:
        document["versions"]["fftmech"] = release
    else:
        document["fftmech_version"] = release
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_a_newer_program_is_refused_by_the_version_that_reads_it(
    kind, tmp_path
):
    name, readers = KINDS[kind](tmp_path)
    path = tmp_path / name
    readers[0](path)
    for version, release, message in (
        (99, "12.3", NEWER),
        (99, "12.3; rm -r", "newer than this program's .; pip install --upgrade"),
        (0, "0.1.0", "damaged .format version '0'"),
        ("two", "0.1.0", "damaged .format version 'two'"),
    ):
        change(path, version, release)
        for read in readers:
            with pytest.raises(InputError, match=message) as refusal:
                read(path)
            assert str(path) in str(refusal.value)
            assert "\n" not in str(refusal.value)
