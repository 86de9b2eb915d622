"""Scalar images of bodies: kept, moved, averaged, and seen by networks."""

from dataclasses import replace

import numpy as np
import pytest
from small_runs import one_line
from untrained_models import predict, untrained

from ecosurrogate.data.encoder import Encoder, image_channels
from ecosurrogate.data.examples import Example
from ecosurrogate.data.symmetry import SYMMETRIES
from ecosurrogate.data.training_set import TrainingSet
from ecosurrogate.training.checkpoint import RunCard, make_model
from ecosurrogate.training.run import _constant_images
from fftmech import InputError, Load, read, write
from fftmech.io.voxel_images import with_images
from fftmech.microstructure import polycrystal
from fftmech.microstructure.fingerprint import fingerprint
from fftmech.microstructure.resample import resample

LOAD = Load.uniaxial("xx", 1e-3)


@pytest.fixture
def body(rng):
    made = polycrystal(4, grains=3, seed=0)
    return made.with_changes(images={"grey": rng.normal(size=(4, 4, 4))})


def test_images_move_with_the_phases_and_are_averaged(body):
    grey = body.images["grey"]
    first = body.phase == body.phase[0, 0, 0]
    for g in SYMMETRIES[::5]:
        moved = g.body(body)
        there = moved.images["grey"][moved.phase == body.phase[0, 0, 0]]
        assert sorted(there) == sorted(grey[first])
        assert fingerprint(moved) == fingerprint(body)
    coarse = resample(body, 2).images["grey"]
    np.testing.assert_allclose(
        coarse, grey.reshape(2, 2, 2, 2, 2, 2).mean(axis=(1, 3, 5))
    )
    # voxels that are cut keep the mean
    assert resample(body, 3).images["grey"].mean() == pytest.approx(grey.mean())
    assert np.array_equal(resample(body, 8).images["grey"][::2, ::2, ::2], grey)


def test_bodies_that_differ_in_an_image_alone_are_two(body):
    other = body.with_changes(images={"grey": body.images["grey"] ** 2})
    assert fingerprint(other) != fingerprint(body)
    known = TrainingSet.of([body], [fingerprint(body)], 4, 4, {})
    assert known.has(body) and not known.has(other)
    far = body.with_changes(images={"grey": 3 * body.images["grey"]})
    assert any("image grey" in note for note in known.unlike(far))
    assert not known.unlike(body)


def test_files_hold_them(body, tmp_path):
    write(tmp_path / "ours.vtkhdf", body)
    found = read(tmp_path / "ours.vtkhdf")
    assert np.array_equal(found.images["grey"], body.images["grey"])
    import h5py

    with h5py.File(tmp_path / "bare.h5", "w") as file:
        file["phase"], file["grey"] = body.phase.T, body.images["grey"].T
        file["flat"] = body.images["grey"][0]
    bare = read(tmp_path / "bare.h5", axes="zyx")
    found = with_images(bare, tmp_path / "bare.h5", ["grey"], "zyx")
    assert np.array_equal(found.images["grey"], body.images["grey"])
    for name, axes in (("density", "zyx"), ("flat", "zyx"), ("grey", None)):
        with pytest.raises(InputError, match=name) as refusal:
            with_images(bare, tmp_path / "bare.h5", [name], axes)
        one_line(refusal)
    with pytest.raises(InputError, match="has no image grey"):
        with_images(bare, tmp_path / "scan.tif", ["grey"])


@pytest.mark.parametrize("model", ["unet", "s-eco", "p-eco-iterated"])
def test_networks_see_an_image_whatever_its_unit(body, model):
    small = body.with_changes(images={"density": 7e-9 + 1e-12 * body.images["grey"]})
    example = Example(small, LOAD, None, None, np.ones((1, 4, 4, 4), bool))
    encoder = Encoder.fit([example], "rotated", "stiffness", images=("density",))
    made = encoder.bodies([small], [LOAD])
    assert made.inputs.shape[1] == 22
    assert float(made.inputs[:, -1].std()) == pytest.approx(1, rel=0.02)
    _, card = untrained(model)
    config = replace(card.config, images=("density",))
    card = RunCard(config, encoder, card.dataset, {}, {})
    assert RunCard.from_dict(card.as_dict()) == card
    network = make_model(config).eval()
    seen = predict(network, card, small, LOAD).strain
    flat = small.with_changes(images={"density": 0 * small.images["density"] + 7e-9})
    assert abs(predict(network, card, flat, LOAD).strain - seen).max() > 0
    with pytest.raises(InputError, match="no image density"):
        predict(network, card, body, LOAD)


def test_images_of_another_shape_or_a_name_that_is_taken_are_refused(body):
    for images, what in (
        ({"grey": np.zeros((4, 4, 2))}, "image grey"),
        ({"grey": np.full((4, 4, 4), np.nan)}, "image grey"),
        ({"grey": np.full((4, 4, 4), 1j)}, "image grey"),
        ({"grey": np.full((4, 4, 4), "1")}, "image grey"),
        ({"stress": np.zeros((4, 4, 4))}, "none of phase"),
    ):
        with pytest.raises(InputError, match=what) as refusal:
            body.with_changes(images=images)
        one_line(refusal)
    assert image_channels(body, ()).shape == (0, 4, 4, 4)


def test_a_constant_image_is_noted(body):
    class Examples(list):
        loads = 1

    examples = Examples(
        Example(body.with_changes(images={"grey": image}), LOAD, None, None, image)
        for image in (np.ones((4, 4, 4)), np.ones((4, 4, 4)))
    )
    config = replace(untrained("unet")[1].config, images=("grey",))
    (note,) = _constant_images(config, examples)
    assert "image grey is constant" in note
    examples.append(Example(body, LOAD, None, None, np.ones(1)))
    assert not _constant_images(config, examples)
