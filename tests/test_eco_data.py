"""What a network is given: bodies, loads and labels that belong together."""

import shutil

import numpy as np
import pytest
import torch
from small_runs import make_dataset, one_line

from ecosurrogate.data import examples as data
from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.examples import Examples
from ecosurrogate.data.representation import inputs
from ecosurrogate.data.symmetry import SYMMETRIES
from ecosurrogate.mechanics.fields import apply
from ecosurrogate.training.sampler import Sampler, allowed_moves
from ecosurrogate.training.settings import resolve
from fftmech import InputError
from fftmech.datasets.card import read_card
from fftmech.operators.reference_medium import reference_medium


def encoder_of(examples, representation="stiffness"):
    return Encoder.fit(examples, "rotated", representation)


@pytest.fixture(scope="module")
def many_loads(tmp_path_factory):
    """One polycrystal under six loads."""
    folder = tmp_path_factory.mktemp("data") / "six"
    make_dataset(
        f"dataset polycrystal --res 4 --low-res 4 --grains 3 --splits 1,0,0 --count 1 "
        f"--loads six -o {folder}"
    )
    return folder


def test_a_body_has_the_high_resolution_and_its_labels_the_low_one(grains8):
    example = Examples(grains8, "train")[0]
    assert example.body.grid.shape == (8, 8, 8)
    assert example.strain.shape == example.stress.shape == (6, 4, 4, 4)
    assert example.solid.all() and example.solid.shape == (1, 4, 4, 4)
    assert example.load == read_card(grains8).loading.load


def test_a_chosen_resolution_has_its_own_labels(grains8):
    example = Examples(grains8, "train", res=4)[0]
    assert example.body.grid.shape == example.strain.shape[-3:] == (4, 4, 4)


@pytest.mark.parametrize(
    "g",
    [
        pytest.param(g, marks=[pytest.mark.slow] if number % 4 else [])
        for number, g in enumerate(SYMMETRIES)
    ],
    ids=lambda g: f"{g.axes}{g.signs}",
)
def test_moved_labels_solve_the_moved_body_under_the_moved_load(grains8, g):
    examples = Examples(grains8, "train", res=4)
    encoder = encoder_of(examples)
    batch = encoder.batch([examples[0].moved(g)])
    bodies, strain, stress = batch.bodies, batch.strain, batch.stress
    assert torch.allclose(apply(bodies.stiffness, strain), stress, atol=1e-5)
    assert bodies.operators.divergence(stress).abs().max() < 1e-4
    compatible = bodies.operators.project_compatible(strain)
    assert torch.allclose(compatible, strain, atol=1e-5)
    mean = strain.mean(dim=(-3, -2, -1))
    free = bodies.load.free
    assert torch.allclose(mean[~free], bodies.load.strain[~free], atol=1e-5)
    mean = stress.mean(dim=(-3, -2, -1))
    assert torch.allclose(mean[free], bodies.load.stress[free], atol=1e-5)
    # of one unit: the load
    assert torch.allclose(bodies.load.strain[~free].norm(), torch.tensor(1.0))


def test_labels_are_the_datasets_in_other_units(grains8):
    examples = Examples(grains8, "train")
    batch = encoder_of(examples).batch(examples[:3])
    for k in range(3):
        G = reference_medium(examples[k].body)[1]
        unit = 8e-5
        np.testing.assert_allclose(
            batch.strain[k] * unit, examples[k].strain, rtol=1e-5, atol=1e-12
        )
        np.testing.assert_allclose(
            batch.stress[k] * 2 * G * unit, examples[k].stress, rtol=1e-5, atol=1e-8
        )


def test_solid_is_what_is_no_pore_where_the_labels_are(pores8):
    examples = Examples(pores8, "train", res=4)
    for example in examples:
        pore = np.isin(example.body.phase, example.body.pores)
        assert pore.any()
        np.testing.assert_array_equal(example.solid[0], ~pore)
        assert not example.stress[:, pore].any()


def test_every_load_of_a_sample_is_an_example(many_loads):
    examples = Examples(many_loads, "train")
    assert len(examples) == 6 and examples.loads == 6
    directions = [example.load.mean_strain for example in examples]
    np.testing.assert_allclose(np.linalg.matrix_rank(directions), 6)
    for example in examples:
        mean = example.strain.mean(axis=(-3, -2, -1))
        np.testing.assert_allclose(mean, example.load.mean_strain, atol=1e-6)


def test_an_epoch_takes_every_example_once_in_an_order_of_its_own():
    sampler = Sampler(7, 3, 5, SYMMETRIES)
    drawn = [number for step in range(14) for number, _ in sampler(step)]
    epochs = [drawn[7 * k : 7 * k + 7] for k in range(6)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len(set(map(tuple, epochs))) > 1


def test_a_step_depends_on_the_seed_and_its_number_alone():
    first, again = (Sampler(7, 3, 5, SYMMETRIES) for _ in range(2))
    forward = [first(step) for step in range(20)]
    assert forward == [again(step) for step in reversed(range(20))][::-1]
    assert forward != [Sampler(7, 3, 6, SYMMETRIES)(step) for step in range(20)]
    moves = {g for step in forward for _, g in step}
    assert len(moves) > 20


def test_a_model_that_does_not_see_the_load_learns_one_under_what_keeps_it(grains8):
    examples = Examples(grains8, "train")

    def moves(**settings):
        return allowed_moves(resolve(settings), "rotated", examples)

    assert len(moves(model="p-eco-iterated")) == 48
    kept = moves(model="s-eco")
    assert len(kept) == 16
    load = examples[0].load
    assert all(g.load(load) == load for g in kept)
    assert moves(model="s-eco", augment=False) == SYMMETRIES[:1]
    assert len(allowed_moves(resolve({}), "forward", examples)) == 6


def test_a_model_that_does_not_see_the_load_refuses_several(many_loads):
    examples = Examples(many_loads, "train")
    assert len(allowed_moves(resolve({}), "rotated", examples)) == 48
    with pytest.raises(InputError) as refusal:
        allowed_moves(resolve({"model": "p-eco"}), "rotated", examples)
    assert "does not see the load" in one_line(refusal)


def test_channels_are_white_over_the_training_set_in_units_of_each_body(grains8):
    examples = Examples(grains8, "train")
    encoder = encoder_of(examples)
    channels = encoder.batch(examples[:]).bodies.inputs
    assert channels.shape == (5, 21, 8, 8, 8)
    over = (0, 2, 3, 4)
    assert torch.allclose(channels.mean(dim=over), torch.zeros(21), atol=1e-4)
    assert torch.allclose(channels.std(dim=over), torch.ones(21), atol=1e-3)
    # twice as stiff, the same to the network
    body = examples[0].body
    twice = body.with_changes(stiffness=2 * body.stiffness)
    both = encoder.bodies([body, twice], [examples[0].load] * 2)
    assert torch.allclose(both.inputs[0], both.inputs[1], atol=1e-5)
    assert torch.allclose(both.stiffness[0], both.stiffness[1], atol=1e-5)


def test_an_indicator_is_one_in_pores_and_zero_elsewhere(pores8):
    examples = Examples(pores8, "train")
    channels = encoder_of(examples, "indicator").batch(examples[:]).bodies.inputs
    for example, channel in zip(examples, channels, strict=True):
        np.testing.assert_array_equal(channel, inputs(example.body, "indicator"))
    assert set(channels.unique().tolist()) == {0.0, 1.0}


def test_the_reference_medium_is_the_mean_of_the_training_set(grains8):
    examples = Examples(grains8, "train")
    encoder = encoder_of(examples)
    bulk, shear = np.mean([reference_medium(e.body) for e in examples], axis=0)
    assert encoder.ratio == pytest.approx(bulk / shear, rel=1e-12)
    # a cubic crystal's bulk modulus does not depend on its orientation
    assert bulk == pytest.approx((204.6 + 2 * 137.7) / 3, rel=1e-6)
    operators = encoder.batch(examples[:1]).bodies.operators
    assert operators.bulk / operators.shear == pytest.approx(encoder.ratio)


def test_what_was_read_is_kept_while_there_is_room(grains8, tmp_path, monkeypatch):
    shutil.copytree(grains8, tmp_path / "d")
    kept = Examples(tmp_path / "d", "train")
    monkeypatch.setattr(data, "free_memory", lambda: 0)
    fresh = Examples(tmp_path / "d", "train")
    before = kept[0], fresh[0]
    np.testing.assert_array_equal(before[0].strain, before[1].strain)
    shutil.rmtree(tmp_path / "d" / "samples")
    assert kept[0] is before[0]
    with pytest.raises(InputError, match="missing"):
        fresh[0]


def test_a_part_of_the_samples_is_the_first_ones(grains8):
    whole, part = Examples(grains8, "train"), Examples(grains8, "train", count=2)
    assert (len(whole), len(part)) == (5, 2)
    for k in range(2):
        np.testing.assert_array_equal(whole[k].body.phase, part[k].body.phase)
    with pytest.raises(InputError, match="count 6: .* has 5 samples for train"):
        Examples(grains8, "train", count=6)
    with pytest.raises(InputError, match="resolution 5"):
        Examples(grains8, "train", res=5)
    with pytest.raises(InputError, match="no such folder"):
        Examples(grains8 / "none", "train")
