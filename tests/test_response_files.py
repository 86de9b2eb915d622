"""Pairs of stiffness and trained networks: what is made, resumed, printed, refused."""

import json

import numpy as np
import pytest
from command_lines import run_ecosr as answer
from conftest import SOFT, STIFF, grains, sphere
from small_datasets import refused, run

from ecosurrogate.response.doubts import doubts_of
from ecosurrogate.response.trained_network import TrainedNetwork
from ecosurrogate.response.tree import LaminateTree
from fftmech import Grid, InputError, Microstructure, homogenize, write
from fftmech.datasets.stiffness import make_pairs
from fftmech.datasets.stiffness_draw import Pairs
from fftmech.datasets.stiffness_pairs import NAME, StiffnessPairs
from fftmech.materials import PORE
from fftmech.tensors.bounds import bounds

MATERIALS = """
units = "GPa"
[[phase]]
id = 0
isotropic = { E = 70.0, nu = 0.3 }
plasticity = { yield_stress = 0.1, hardening = 1.0 }
[[phase]]
id = 1
isotropic = { E = 400.0, nu = 0.2 }
"""
PATH = """
[[step]]
uniaxial = { xx = 0.004 }
increments = 2
"""


@pytest.fixture(scope="module")
def micro(tmp_path_factory):
    """File of a sphere in a matrix."""
    file = tmp_path_factory.mktemp("micro") / "sphere.h5"
    write(file, sphere(4, SOFT, STIFF, 0.35))
    return file


def test_pairs_are_positive_definite_and_depend_on_seed_and_number_alone():
    pairs = Pairs(seed=3)
    for index in range(20):
        drawn = pairs.draw(index, 2)
        assert (np.linalg.eigvalsh(drawn) > 0).all()
        np.testing.assert_array_equal(drawn, pairs.draw(index, 2))
        assert not np.allclose(drawn, Pairs(seed=4).draw(index, 2))


def test_a_dataset_holds_effective_stiffnesses_between_the_bounds(tmp_path):
    body = sphere(4, SOFT, STIFF, 0.35)
    made = make_pairs(body, tmp_path / "d", 3, jobs=1)
    assert made == (3, 0, 0, 3)
    held = StiffnessPairs.read(tmp_path / "d")
    assert held.stiffness.shape == (3, 2, 6, 6)
    for phases, C in zip(held.stiffness, held.effective, strict=True):
        limits = bounds(phases, held.fractions)
        assert (np.linalg.eigvalsh(limits["voigt"] - C) > -1e-9).all()
        assert (np.linalg.eigvalsh(C - limits["reuss"]) > -1e-9).all()
    solved = homogenize(
        body.with_changes(stiffness=held.stiffness[1]), scheme="rotated", tolerance=1e-6
    )
    error = np.linalg.norm(solved.stiffness - held.effective[1])
    assert error < 1e-5 * np.linalg.norm(solved.stiffness)


def test_an_interrupted_dataset_goes_on_and_is_the_same(tmp_path):
    body = sphere(4, SOFT, STIFF, 0.35)

    def stop(done, failed, count):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pairs(body, tmp_path / "d", 3, jobs=1, progress=stop)
    killed = tmp_path / "d" / ".stiffness-01234567.h5"
    killed.touch()
    assert make_pairs(body, tmp_path / "d", 3, jobs=1).made == 1
    assert not killed.exists()
    make_pairs(body, tmp_path / "whole", 3, jobs=1)
    parts, whole = (StiffnessPairs.read(tmp_path / n) for n in ("d", "whole"))
    np.testing.assert_array_equal(parts.effective, whole.effective)
    assert make_pairs(body, tmp_path / "d", 4, jobs=1).made == 1
    for change, words in (
        ({"count": 2}, "does not shrink"),
        ({"pairs": Pairs(seed=1)}, "other parameters \\(seed"),
        ({"body": sphere(4, SOFT, STIFF, 0.5)}, "another body"),
    ):
        given = {"body": body, "count": 4, **change}
        with pytest.raises(InputError, match=words):
            make_pairs(directory=tmp_path / "d", jobs=1, **given)


@pytest.mark.parametrize(
    "other",
    [
        sphere(4, SOFT, PORE, 0.35),
        sphere(4, SOFT, STIFF, 0.5),
        grains((4, 4, 4)),
        Microstructure(
            Grid((4, 4, 4), (1.0, 1.0, 2.0)),
            sphere(4, SOFT, STIFF, 0.35).phase,
            [SOFT, STIFF],
        ),
    ],
    ids=["pore", "fraction", "grains", "edges"],
)
@pytest.mark.parametrize("begun", [True, False], ids=["begun", "killed at once"])
def test_pairs_of_two_bodies_are_never_in_one_folder(other, begun, tmp_path):
    make_pairs(sphere(4, SOFT, STIFF, 0.35), tmp_path, 1, jobs=1)
    if not begun:
        (tmp_path / NAME).unlink()
    with pytest.raises(InputError, match="another body"):
        make_pairs(other, tmp_path, 2, jobs=1)


def test_turned_grains_are_another_body(tmp_path):
    body = grains((3, 3, 3))
    make_pairs(body, tmp_path, 1, jobs=1)
    turned = body.with_changes(orientation=body.orientation[::-1])
    with pytest.raises(InputError, match="another body"):
        make_pairs(turned, tmp_path, 2, jobs=1)


def test_pores_stay_pores_and_grains_have_one_crystal(tmp_path):
    make_pairs(sphere(4, SOFT, PORE, 0.35), tmp_path / "porous", 2, jobs=1)
    held = StiffnessPairs.read(tmp_path / "porous")
    assert held.stiffness[:, 0].any() and not held.stiffness[:, 1].any()
    make_pairs(grains((3, 3, 3)), tmp_path / "grains", 2, jobs=1)
    held = StiffnessPairs.read(tmp_path / "grains")
    assert held.stiffness.shape == (2, 1, 6, 6) and held.fractions == [1.0]
    assert held.orientation.shape == (5, 4)
    with pytest.raises(InputError, match="a solid as the phase of the least id"):
        make_pairs(sphere(4, PORE, SOFT), tmp_path / "d", 2, jobs=1)
    with pytest.raises(InputError, match="two phases or more"):
        make_pairs(sphere(2, SOFT, STIFF, 0.01), tmp_path / "d", 2, jobs=1)


def test_the_command_prints_what_it_made_and_refuses_in_one_line(micro, tmp_path):
    line = f"dataset stiffness {micro} --count 2 --jobs 1 -o {tmp_path / 'd'}"
    assert "2 of 2 pairs, 0 did not converge; 2 made now" in run(line).stdout
    document = json.loads(run(f"{line} --json").stdout)
    assert (document["done"], document["made"]) == (2, 0)
    document = json.loads(run(f"dataset info {tmp_path / 'd'} --json").stdout)
    assert (document["kind"], document["pairs"]) == ("stiffness", 2)
    assert "scheme: rotated" in run(f"dataset info {tmp_path / 'd'}").stdout
    assert "0 < low <= high" in refused(f"{line} --contrast 2,1")
    assert "a number in (0, 1)" in refused(f"{line} --tol 0")
    (tmp_path / "d" / NAME).write_bytes(b"no HDF5")
    with pytest.raises(InputError, match="is no dataset of pairs"):
        StiffnessPairs.read(tmp_path / "d")


def test_commands_refuse_what_does_not_go_together(micro, tmp_path):
    pairs, run_ = tmp_path / "d", tmp_path / "run"
    make_pairs(sphere(4, SOFT, STIFF), pairs, 2, jobs=1)
    (tmp_path / "m.toml").write_text(MATERIALS)
    (tmp_path / "p.toml").write_text(PATH)
    files = f"--materials {tmp_path / 'm.toml'} --path {tmp_path / 'p.toml'}"
    for line, words in (
        (f"fit {pairs} -o {run_} --model unet", "--model dmn, or a dataset of fields"),
        (f"fit {pairs} -o {run_} --resume", "--resume"),
        (f"fit {pairs} -o {run_} --preset smoke", "--preset"),
        (f"fit {pairs} -o {run_} --depth 11", "depth 11"),
        (f"fit {micro.parent} -o {run_} --model dmn", "holds no pairs of stiffness"),
        (f"fit {micro.parent} -o {run_} --depth 4", "--depth"),
        (f"respond {pairs} {files} -o {tmp_path / 'c.csv'}", "no network of laminates"),
    ):
        done = answer(line, code=2)
        assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
        assert words in done.stderr
        assert not run_.exists()


def test_the_parameters_of_a_tree_have_the_fractions_exactly():
    torch = pytest.importorskip("torch")
    from ecosurrogate.response.tree_module import TreeModule

    torch.manual_seed(0)
    module = TreeModule(3, np.array([0.7, 0.2, 0.1]), False)
    with torch.no_grad():
        module.raw[0] = -1.0
    tree = module.tree()
    np.testing.assert_allclose(tree.fractions, [0.7, 0.2, 0.1], atol=1e-14)
    assert tree.weight[0] == 0 and len(tree.leaves) == 7
    phases = Pairs().draw(0, 3)
    learned = module(torch.from_numpy(phases)[None])[0].detach()
    np.testing.assert_allclose(learned, tree.stiffness(phases), rtol=1e-10)


def test_a_pore_that_has_become_a_solid_is_noted(tmp_path):
    (tmp_path / "m.toml").write_text(MATERIALS)
    tree = LaminateTree([0, 1], [0.7, 0.3], [[1.0, 0, 0]])
    for pores, noted in ([], False), ([1], True):
        data = {"pores": pores, "scheme": "rotated"}
        made = TrainedNetwork(tree, np.arange(2), tree.fractions, data, {}, {})
        notes = doubts_of(made, made.body(tmp_path / "m.toml"))
        assert any("was a pore" in note for note in notes) == noted


@pytest.mark.slow
def test_a_laminate_is_learned_and_its_response_is_the_solvers(tmp_path):
    pytest.importorskip("torch")
    layers = np.array([0, 0, 1]).reshape(-1, 1, 1)
    body = Microstructure(Grid(layers.shape), layers, np.array([SOFT, STIFF]))
    micro = tmp_path / "laminate.h5"
    write(micro, body)
    pairs, folder = tmp_path / "pairs", tmp_path / "run"
    run(f"dataset stiffness {micro} --count 40 --jobs 1 -o {pairs}")
    done = answer(f"fit {pairs} -o {folder} --depth 1 --steps 200 --json")
    document = json.loads(done.stdout)
    assert document["errors"]["validation"]["energy"]["max"] < 1e-3
    assert max(one["max"] for one in document["check"].values()) < 1e-3
    assert (folder / "log.jsonl").read_text().count("\n") == 2
    assert "holds a network" in answer(f"fit {pairs} -o {folder}", code=2).stderr
    (tmp_path / "m.toml").write_text(MATERIALS)
    (tmp_path / "p.toml").write_text(PATH)
    curve = tmp_path / "c.csv"
    line = (
        f"respond {folder} --materials {tmp_path / 'm.toml'} --path "
        f"{tmp_path / 'p.toml'} -o {curve} --against {micro}"
    )
    document = json.loads(answer(f"{line} --json").stdout)
    assert document["status"] == document["against"]["status"] == "converged"
    assert document["against"]["max"] < 1e-3
    assert document["notes"] == []
    assert curve.read_text().count("\n") == 3
    assert (tmp_path / "c-solver.csv").exists() and (tmp_path / "c.png").exists()
    assert "choose another -o" in answer(line, code=2).stderr
    write(micro, body.with_changes(phase=1 - body.phase.astype(int)))
    done = answer(f"{line} --force --json")
    assert "other voxels" in done.stderr
    assert "other voxels" in json.loads(done.stdout)["notes"][0]
    shown = answer(f"{line} --force").stdout
    assert "against the solver" in shown and "2 increments" in shown
