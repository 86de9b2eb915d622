"""Laws of FNO and TFNO: any grid, every shift, the same layers at any resolution.

And of runs of all operators: resumed, applied to other grids.
"""

import json

import pytest
import torch
from command_lines import run_fftmech
from small_runs import as_options, refused, run, tiny

from ecosurrogate.networks import NETWORKS, make_network
from ecosurrogate.networks.convolution import set_periodic
from ecosurrogate.training.checkpoint import load_model
from ecosurrogate.training.config import BACKBONES
from ecosurrogate.training.run import prepare
from ecosurrogate.training.train import fit
from fftmech import InputError

SHAPES = [(8, 8, 8), (5, 7, 3), (8, 9, 1), (3, 1, 4), (1, 1, 1)]


@pytest.fixture(params=["fno", "tfno"])
def name(request):
    torch.manual_seed(3)
    return request.param


def distance(a, b):
    return float(((a - b).abs().max() / b.abs().max()).detach())


def count(network):
    return sum(p.numel() for p in network.parameters())


def settings(name, **changes):
    """Settings of a tiny run; a U-Net's sizes are none of an operator's."""
    made = tiny(backbone=name, steps=6, save_every=2, validate_every=3, **changes)
    return {key: value for key, value in made.items() if key != "network"}


def band_limited(shape, channels):
    """Waves of periods 1 and 1/2 of the cell, sampled on a grid."""
    axes = [2 * torch.pi * torch.arange(n) / n for n in shape]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    phases = (x + y - z, 2 * x + z, y - 2 * z, x - 2 * y)
    weights = torch.randn(
        4, channels, 1, 1, 1, generator=torch.Generator().manual_seed(5)
    )
    waves = [w * torch.cos(p + 1) for w, p in zip(weights, phases, strict=True)]
    return torch.stack(waves).sum(0)[None]


def test_names_on_the_command_line_are_those_of_the_networks():
    assert tuple(NETWORKS) == BACKBONES


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shift_commutes_on_every_grid(name, shape):
    network = make_network(name, 2, 3, "smoke", modes=2)
    x = torch.randn(2, 2, *shape)
    output = network(x)
    assert output.shape == (2, 3, *shape)
    for axis in (-3, -2, -1):
        after = network(torch.roll(x, 1, axis))
        assert distance(after, torch.roll(output, 1, axis)) < 1e-5


@pytest.mark.parametrize("shape", [(8, 8, 8), (5, 7, 1)], ids=str)
def test_faces_are_seen_and_shifts_along_other_axes_commute(name, shape):
    network = make_network(name, 2, 3, "smoke", modes=2)
    set_periodic(network, (False, True, True))
    x = torch.randn(2, 2, *shape)
    output = network(x)
    assert output.shape == (2, 3, *shape)
    for axis in (-2, -1):
        after = network(torch.roll(x, 1, axis))
        assert distance(after, torch.roll(output, 1, axis)) < 1e-5
    assert distance(network(torch.roll(x, 1, -3)), torch.roll(output, 1, -3)) > 0.01
    uniform = network(torch.ones(1, 2, *shape))
    assert distance(uniform[..., :1, :1], uniform) < 1e-5
    assert distance(uniform[..., :1, :, :], uniform) > 1e-3


def test_a_layer_does_the_same_to_a_wave_at_every_resolution(name):
    network = make_network(name, 2, 3, "small")
    layer, channels = network.blocks["convs"][0], network.hidden
    fine = layer(band_limited((30, 30, 30), channels))
    for n in (15, 10, 6, 5):
        coarse = layer(band_limited((n, n, n), channels))
        step = 30 // n
        assert distance(coarse, fine[..., ::step, ::step, ::step]) < 1e-5


def test_a_layer_multiplies_each_wave_by_its_matrix(name):
    layer = make_network(name, 2, 3, "smoke").blocks["convs"][0]
    weight = layer.weight
    if name == "fno":
        matrices = torch.view_as_complex(weight.tensor)
    else:
        parts = (weight.core, *weight.factors.values())
        matrices = torch.einsum(
            "pqabc,ip,oq,xa,yb,zc->ioxyz", *map(torch.view_as_complex, parts)
        )
    grid = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float64) / n for n in (8, 9, 7)), indexing="ij"
    )
    for wave in ((1, -2, 1), (-3, 0, 2), (0, 3, 3)):
        phase = 2 * torch.pi * sum(k * x for k, x in zip(wave, grid, strict=True))
        amplitude = torch.randn(layer.bias.shape[0])
        x = amplitude[:, None, None, None] * torch.cos(phase).float()
        column = amplitude + 0j
        i, j, k = wave
        out = column @ matrices[:, :, i + layer.modes, j + layer.modes, k]
        expected = (out[:, None, None, None] * torch.exp(1j * phase)).real
        assert distance(layer(x[None])[0], expected + layer.bias) < 1e-5


def test_presets_have_about_as_many_numbers_as_those_of_the_unet(name):
    for preset in ("smoke", "small", "paper"):
        own, other = (count(make_network(n, 21, 12, preset)) for n in (name, "unet"))
        assert own == pytest.approx(other, rel=0.15)


def test_every_number_is_real_and_has_a_gradient(name):
    network = make_network(name, 2, 3, "smoke")
    network(torch.randn(2, 2, 8, 8, 8)).square().sum().backward()
    for parameter in network.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None and parameter.grad.abs().max() > 0


def test_half_precision_outside_does_not_reach_the_transforms(name):
    network, x = make_network(name, 2, 3, "smoke"), torch.randn(1, 2, 5, 6, 7)
    with torch.autocast("cpu", torch.bfloat16):
        features = network.features(x.bfloat16())
    assert features.dtype == torch.float32
    assert torch.equal(features, network.features(x.bfloat16().float()))


@pytest.mark.parametrize(
    "name, model",
    [("tfno", "unet"), ("deeponet", "s-eco")],
)
@pytest.mark.slow
def test_a_resumed_run_ends_with_the_bits_of_one_that_was_not(
    name, model, grains8, tmp_path
):
    class Stop(Exception):
        pass

    def stop(step, *_):
        if step == 3:
            raise Stop

    asked = settings(name, model=model)
    outcome = fit(prepare(grains8, tmp_path / "whole", asked))
    assert outcome.status == "done" and set(outcome.validation) >= {"strain", "stress"}
    with pytest.raises(Stop):
        fit(prepare(grains8, tmp_path / "cut", asked), stop)
    fit(prepare(grains8, tmp_path / "cut", asked, resume=True))
    for file in ("weights.safetensors", "state.safetensors"):
        a, b = ((tmp_path / run / file).read_bytes() for run in ("whole", "cut"))
        assert a == b
    model, _ = load_model(tmp_path / "cut")
    start = prepare(grains8, tmp_path / "other", asked).model.state_dict()
    # averages and all: spectral weights too have been trained
    for key, value in model.state_dict().items():
        assert not torch.equal(value, start[key]) or not value.any(), key


@pytest.mark.parametrize(
    "name", ["deeponet", pytest.param("tfno", marks=pytest.mark.slow)]
)
def test_a_model_trained_at_one_resolution_predicts_at_another(name, grains8, tmp_path):
    asked = settings(name, model="p-eco")
    del asked["backbone"]
    line = f"fit {grains8} -o {tmp_path / 'run'} --backbone {name} {as_options(asked)}"
    trained = run(line)
    assert f"p-eco, {name} smoke: " in trained.stdout
    micro = tmp_path / "micro.vtkhdf"
    line = f"generate polycrystal --grains 4 --res 9,11,6 -o {micro}"
    run_fftmech(line)
    done = run(f"predict {tmp_path / 'run'} {micro} -o {tmp_path / 'p.vtkhdf'} --json")
    document = json.loads(done.stdout)
    assert document["voxels"] == 9 * 11 * 6
    assert 0 < document["certificate"]["relative"] < 1


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"channels": 0}, "network.channels 0: expected a whole number of at least 1"),
        ({"layers": 1.5}, "network.layers 1.5: expected a whole number"),
        ({"modes": -1}, "network.modes -1: expected a whole number of at least 0"),
        ({"modes": 4000}, "network.modes 4000: expected at most 256"),
        ({"rank": 0}, "network.rank 0: expected a number above 0 and up to 1"),
        ({"rank": float("nan")}, "network.rank nan"),
    ],
)
def test_sizes_are_checked_in_one_line(changes, words):
    for name in ("fno", "tfno"):
        with pytest.raises(InputError, match=words.replace(".", r"\.")):
            NETWORKS[name][1].preset("smoke", **changes)


@pytest.mark.parametrize("name", ["tfno", "deeponet"])
def test_sizes_of_another_network_are_refused(name, grains8, tmp_path):
    message = refused(
        f"fit {grains8} -o {tmp_path / 'run'} --backbone {name} --preset smoke "
        "--set network.groups=2"
    )
    assert "groups" in message
