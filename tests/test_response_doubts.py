"""What a network was not made for is refused, or noted; it never goes by in silence."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from conftest import SOFT, STIFF, grains, sphere
from test_response import FLOW, composite, phases, random_tree
from test_response_many import small_network

from ecosurrogate.response.comparison import ResponseError
from ecosurrogate.response.doubts import (
    differences,
    doubts_of,
    doubts_of_strain,
    fingerprint,
)
from ecosurrogate.response.network import Network
from ecosurrogate.response.point import MaterialPoint
from ecosurrogate.response.response import respond
from ecosurrogate.response.state import NetworkState
from ecosurrogate.response.trained_network import TrainedNetwork
from fftmech import Grid, InputError, Load, Microstructure, Path
from fftmech.io.materials import parse_materials
from fftmech.loads.path import Step

ELASTIC = {"isotropic": {"E": 70.0, "nu": 0.3}}
PLASTIC = {**ELASTIC, "plasticity": {"yield_stress": 0.1, "hardening": 1.0}}
CUBIC = {"cubic": {"C11": 168.4, "C12": 121.4, "C44": 75.4}}
NORTON = {"bulk": 100.0, "rate0": 1.0, "stress0": 0.1, "linear_below": 1e-3}
PLY = {"E1": 800.0, "E2": 6.0, "nu12": 0.2, "nu23": 0.3, "G12": 0.5}
SLIP = {"tau0": 0.016, "tau1": 0.03, "theta0": 0.2, "theta1": 0.02, "rate0": 1e-3}


def materials(*of, **others):
    """A materials file of phases 0, 1, ... ."""
    listed = [{"id": number, **phase} for number, phase in enumerate(of)]
    return parse_materials({**({"phase": listed} if of else {}), **others}, "m.toml")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A laminate of two phases."""
    return small_network(tmp_path_factory.mktemp("run"), sha256_phase="")


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ([ELASTIC, {"isotropic": {"E": 1e6, "nu": 0.3}}], "shear moduli differ by"),
        ([ELASTIC, {"transversely_isotropic": PLY}], "between directions"),
        ([ELASTIC, {"pore": True}], "pores are layers"),
        ([{"norton": {**NORTON, "exponent": 20.0}}] * 2, "exponent 20"),
        ([{"norton": {**NORTON, "exponent": 5.0, "stress0": s}} for s in (1e-4, 1.0)],
         "shear moduli differ by"),
        ([ELASTIC, CUBIC], "anisotropic phase"),
        ([ELASTIC] * 3, "lists phase 2: no voxel has it"),
    ],
    ids=["contrast", "anisotropy", "pore", "exponent", "rates", "axes", "extra"],
)  # fmt: skip
def test_materials_beyond_the_training_are_noted(of, words, trained):
    listed = materials(*of)
    assert any(words in note for note in doubts_of(trained, trained.body(listed)))
    assert not doubts_of(trained, trained.body(materials(ELASTIC, PLASTIC)))


def test_hex8_locks_in_the_training_too(trained):
    hexahedra = replace(trained, data={**trained.data, "scheme": "hex8"})
    body = trained.body(materials(ELASTIC, PLASTIC))
    assert any("hex8 locks" in note for note in doubts_of(hexahedra, body))


@pytest.mark.parametrize(
    ("of", "options", "words"),
    [
        ([ELASTIC], {}, "phase 1"),
        ([ELASTIC, {"neo_hooke": {"K": 1.0, "G": 1.0}}], {}, "finite strain"),
        ([ELASTIC, {"norton": {**NORTON, "exponent": 5.0}}], {}, "rates only"),
        ([ELASTIC, {"rigid": True}], {}, "rigid"),
        ([ELASTIC, ELASTIC], {"temperature": 100.0}, "no phase expands"),
        ([ELASTIC, ELASTIC], {"temperature": np.nan}, "finite change"),
    ],
    ids=["lacking", "finite", "rates", "rigid", "temperature", "nan"],
)
def test_materials_that_no_network_takes_are_refused(of, options, words, trained):
    with pytest.raises(InputError, match=words):
        respond(trained, materials(*of), Path.of([Load({"xx": 1e-3})]), **options)


def test_a_network_of_crystals_has_one_crystal_in_its_own_axes():
    tree = random_tree(1, oriented=True, phases=1)
    ids = np.arange(1)
    crystals = TrainedNetwork(tree, ids, np.ones(1), {"scheme": "rotated"}, {}, {})
    assert crystals.body(materials(default=CUBIC)).notes == ()
    for listed, words in (
        (materials(CUBIC), "one \\[default\\]"),
        (materials(CUBIC, ELASTIC, default=CUBIC), "one \\[default\\]"),
        (materials(default={**CUBIC, "euler": [30.0, 40.0, 50.0]}), "euler"),
    ):
        with pytest.raises(InputError, match=words):
            crystals.body(listed)


def test_strains_are_noted_by_engineering_shear_too():
    for strain, noted in (
        ([0.11, 0, 0, 0, 0, 0], True),
        ([0, -0.11, 0, 0, 0, 0], True),
        ([0, 0, 0, 0, 0, 0.06 * 2**0.5], True),
        ([0.09, 0, 0, 0.04 * 2**0.5, 0, 0], False),
    ):
        assert bool(doubts_of_strain(np.array(strain))) == noted


def test_another_body_is_told_from_that_of_the_training(trained):
    body = sphere(4, SOFT, STIFF, 0.35)
    fractions = body.fractions
    own = replace(trained, fractions=fractions, data=fingerprint(body))
    assert differences(own, body) == []
    stretched = Microstructure(Grid((4, 4, 4), (1.0, 1.0, 2.0)), body.phase)
    for other, words in (
        (sphere(4, SOFT, STIFF, 0.5), "volume fractions: phase 0"),
        (body.with_changes(phase=np.roll(body.phase, 1, 0)), "other voxels"),
        (body.with_changes(phase=1 - body.phase.astype(int)), "phase 1"),
        (sphere(8, SOFT, STIFF, 0.35), "other voxels"),
        (stretched, "other edges"),
    ):
        assert words in differences(own, other)[0]
    # layers across y have the bytes of layers across x
    x, y = (
        Microstructure(Grid(shape), np.arange(4).reshape(shape) % 2)
        for shape in ((4, 1, 1), (1, 4, 1))
    )
    layers = replace(own, fractions=x.fractions, data=fingerprint(x))
    assert differences(layers, x) == []
    assert differences(layers, y) == ["other voxels"]
    crystals = grains((3, 3, 3))
    own = replace(own, data=fingerprint(crystals))
    same = crystals.with_changes(orientation=-crystals.orientation)
    turned = crystals.with_changes(orientation=crystals.orientation[::-1])
    assert differences(own, same) == [] and "crystals" in differences(own, turned)[0]


def test_nothing_compared_is_no_error_of_zero():
    nothing = ResponseError.of([], [])
    assert np.isnan(nothing.largest)
    assert nothing.as_dict() == {
        "mean": None,
        "max": None,
        "components": {},
        "increments": 0,
    }


def test_increments_that_matter_are_noted(trained):
    free = dict.fromkeys(("yy", "zz", "yz", "xz"), 0.0)
    corners = (0.02, 0.0), (0.02, 0.02), (0.0, 0.02)
    path = Path(tuple(Step(Load({"xx": e, "xy": g}, free)) for e, g in corners))
    found = respond(trained, materials(PLASTIC, ELASTIC), path)
    assert found.increment_error > 0.01
    assert any("halving the increments" in note for note in found.notes)
    many = Path(tuple(replace(step, increments=64) for step in path.steps))
    finer = respond(trained, materials(PLASTIC, ELASTIC), many)
    assert finer.increment_error < 0.01 and finer.notes == ()
    assert respond(trained, materials(ELASTIC, ELASTIC), path).increment_error == 0.0


def test_a_material_point_warns_and_refuses_what_makes_no_sense(tmp_path):
    point = MaterialPoint(composite(1))
    strain = np.array([1e-3, 0, 0, 0, 0, 0])
    for given, points in ((np.tile(strain, (2, 1)), 1), (strain, 2), (strain[:3], 1)):
        with pytest.raises(InputError, match="with a state of"):
            point.update(given, point.start(points))
    with pytest.raises(InputError, match="shape \\(6, 3\\)"):
        point.update(np.tile(strain, (3, 1)).T, point.start(3))
    for dt in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="a positive duration"):
            point.update(strain, point.start(), dt)
    with pytest.warns(UserWarning, match="of small strain"):
        point.update(200 * strain, point.start())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        point.update(strain, point.start())
    small_network(tmp_path, contrast=[0.9, 1.1])
    (tmp_path / "m.toml").write_text(
        "[[phase]]\nid = 0\nisotropic = { E = 1.0, nu = 0.3 }\n"
        "[[phase]]\nid = 1\nisotropic = { E = 9.0, nu = 0.3 }\n"
    )
    with pytest.warns(UserWarning, match="shear moduli differ"):
        MaterialPoint.load(tmp_path, tmp_path / "m.toml")


def test_a_state_of_another_network_is_refused(tmp_path):
    own = composite(1)
    tree, body = own.tree, phases(SOFT, STIFF, law={0: FLOW})
    elastic = Network(tree, phases(SOFT, STIFF))
    deeper = composite(2)
    strain, path = np.full(6, 1e-3), Path.of([Load({"xx": 1e-3})])
    # of these the arrays have the same shapes
    swapped = Network(tree, phases(SOFT, STIFF, law={1: FLOW}))
    turned = Network(replace(tree, normal=tree.normal[:, ::-1]), body)
    units = Network(tree, body.with_changes(units={"stress": "MPa"}))
    for other in (elastic, deeper, swapped, turned, units):
        other.start().save(tmp_path / "state.npz")
        with pytest.raises(InputError, match="another network"):
            own.checked(NetworkState.load(tmp_path / "state.npz"))
        with pytest.raises(InputError, match="another network"):
            MaterialPoint(own).update(strain, other.start())
        with pytest.raises(InputError, match="another network"):
            own.respond(path, other.start())
    assert own.respond(path, composite(1).start()).status == "converged"


@pytest.mark.slow
def test_pairs_that_a_network_did_not_learn_from_are_noted(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from ecosurrogate.response import trained_network
    from ecosurrogate.response.training import Training
    from fftmech.datasets.stiffness import make_pairs

    def stop(done, failed, count):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pairs(sphere(3, SOFT, STIFF), tmp_path / "d", 5, jobs=1, progress=stop)
    monkeypatch.setattr(trained_network, "cross_check", lambda *given: {})
    few = Training(depth=1, steps=2, starts=1)
    made, _ = trained_network.fit(tmp_path / "d", tmp_path / "run", few)
    assert made.notes == ("2 of 5 pairs that it should be trained on were not made",)
    again = TrainedNetwork.read(tmp_path / "run")
    assert made.notes[0] in doubts_of(again, again.body(materials(ELASTIC, PLASTIC)))
