"""Laws of the U-Nets: shapes, translations, sizes of the paper."""

import numpy as np
import pytest
import torch

from ecosurrogate.networks import NETWORKS, make_network
from ecosurrogate.networks.convolution import Convolution, coarsen, refine, wrap
from fftmech import InputError

PRESETS = ("smoke", "small", "paper")
UNETS = ("unet", "ddpm-unet")


@pytest.fixture(params=UNETS)
def name(request):
    torch.manual_seed(3)
    return request.param


def make(name, inputs=2, outputs=3, **changes):
    """A tiny network of three levels (stride 4) in double precision."""
    changes = {"channels": (4, 8, 8), "groups": 2, "dropout": 0.0, **changes}
    if name == "unet":
        changes.pop("dropout")
    return make_network(name, inputs, outputs, "smoke", **changes).double()


def field(*shape):
    return torch.randn(2, 2, *shape, dtype=torch.float64)


def shifted(x, step, axis):
    return torch.roll(x, step, axis - 3)


def distance(a, b):
    return float(((a - b).abs().max() / b.abs().max()).detach())


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_pore_unet_of_the_paper_has_three_million_parameters_on_five_levels():
    config = NETWORKS["unet"][1].preset("paper")
    assert len(config.channels) == 5
    for outputs in (6, 9, 12):
        network = make_network("unet", 1, outputs, "paper")
        assert count(network) == pytest.approx(3.0e6, rel=0.02)


def test_ddpm_unet_of_the_paper_lifts_to_32_channels_times_1_2_4_8():
    config = NETWORKS["ddpm-unet"][1].preset("paper")
    assert config.channels == (32, 64, 128, 256)
    assert config.dropout == 0.1513
    network = make_network("ddpm-unet", 21, 9, "paper")
    assert network.lift.weight.shape == (32, 21, 3, 3, 3)
    assert 3e7 < count(network) < 5e7


def test_presets_are_ordered_by_size(name):
    sizes = [count(make_network(name, 21, 9, preset)) for preset in PRESETS]
    assert sizes == sorted(sizes)
    assert sizes[0] < 2e5 < sizes[1] < 2e6


@pytest.mark.parametrize(
    "shape", [(8, 8, 8), (5, 7, 3), (8, 12, 1), (1, 1, 1)], ids=str
)
def test_output_has_the_grid_of_the_input_whatever_its_shape(name, shape):
    network = make(name)
    output = network(field(*shape))
    assert output.shape == (2, 3, *shape)
    assert torch.isfinite(output).all()


def test_shifts_by_the_total_stride_commute_with_a_periodic_network(name):
    network, x = make(name), field(8, 8, 8)
    before = network(x)
    for axis in range(3):
        after = network(shifted(x, 4, axis))
        assert distance(after, shifted(before, 4, axis)) < 1e-12


def test_smaller_shifts_do_not_commute_once_there_are_levels(name):
    network, x = make(name), field(8, 8, 8)
    for step in (1, 2):
        after = network(shifted(x, step, 0))
        assert distance(after, shifted(network(x), step, 0)) > 1e-3


def test_every_shift_commutes_with_a_network_of_one_level(name):
    network, x = make(name, channels=(4,)), field(5, 6, 7)
    after = network(shifted(x, 1, 1))
    assert distance(after, shifted(network(x), 1, 1)) < 1e-12


def test_shifts_commute_along_the_axes_that_the_stride_divides_and_no_others(name):
    network, x = make(name), field(8, 6, 5)
    before = network(x)
    errors = [
        distance(network(shifted(x, 4, axis)), shifted(before, 4, axis))
        for axis in range(3)
    ]
    assert errors[0] < 1e-12
    assert min(errors[1:]) > 1e-3


def test_a_repeated_body_has_the_repeated_output(name):
    network, x = make(name), field(8, 4, 4)
    twice = network(x.repeat(1, 1, 2, 3, 1))
    assert distance(twice, network(x).repeat(1, 1, 2, 3, 1)) < 1e-12


def test_forward_is_the_head_of_the_features(name):
    network, x = make(name, outputs=7), field(4, 4, 4)
    features = network.features(x)
    assert features.shape == (2, network.hidden, 4, 4, 4)
    assert torch.equal(network(x), network.head(features))


def test_samples_of_a_batch_do_not_see_each_other(name):
    network, x = make(name), field(4, 4, 4)
    assert distance(network(x)[:1], network(x[:1])) < 1e-12


def test_every_parameter_has_a_gradient(name):
    network = make(name)
    network(field(8, 8, 8)).square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0


def test_the_gradient_is_the_derivative_of_the_output(name):
    network = make(name, channels=(2, 4))
    x = torch.randn(1, 2, 3, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, x, fast_mode=True)


def test_the_head_of_the_unet_starts_small():
    network = make_network("unet", 2, 3, "small")
    output = network(torch.randn(1, 2, 16, 16, 16))
    assert 0 < float(output.detach().square().mean().sqrt()) < 0.2


def test_the_gain_scales_the_initial_weights_of_every_convolution():
    for gain in (0.5, 0.2):
        network = make_network("ddpm-unet", 21, 9, "small", gain=gain)
        for module in network.modules():
            if isinstance(module, torch.nn.Conv3d):
                assert not module.bias.any()
                if module.weight.numel() > 5000:
                    fan_in = module.weight[0].numel()
                    std = float(module.weight.detach().std())
                    assert std * fan_in**0.5 == pytest.approx(gain, rel=0.05)


def test_dropout_acts_in_training_alone():
    torch.manual_seed(0)
    network, x = make("ddpm-unet", dropout=0.1513), field(4, 4, 4)
    network.train()
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
    dropouts = [m for m in network.modules() if isinstance(m, torch.nn.Dropout)]
    # one block a level down, two a level up, two at the bottom
    assert len(dropouts) == 3 + 6 + 2


def test_wrapping_is_periodic():
    x = field(1, 3, 4)
    expected = np.pad(x.numpy(), [(0, 0)] * 2 + [(1, 1)] * 3, mode="wrap")
    assert np.array_equal(wrap(x).numpy(), expected)


@pytest.mark.parametrize("periodic", [(False,) * 3, (True, False, False)], ids=str)
def test_beyond_faces_fields_are_zero(periodic):
    x = field(2, 3, 4).requires_grad_()
    padded = x.detach().numpy()
    for axis, along in enumerate(periodic, 2):
        width = [(int(a == axis),) * 2 for a in range(5)]
        padded = np.pad(padded, width, mode="wrap" if along else "constant")
    assert np.array_equal(wrap(x, periodic).detach().numpy(), padded)
    assert torch.autograd.gradcheck(lambda f: wrap(f, periodic), (x,))


@pytest.mark.parametrize("shape", [(3, 2, 2), (2, 1, 3), (1, 1, 1)])
def test_the_gradient_of_wrapping_is_that_of_periodic_padding(shape):
    given = [field(*shape).requires_grad_() for _ in range(2)]
    given[1].data = given[0].data
    ours = wrap(given[0])
    theirs = torch.nn.functional.pad(given[1], (1,) * 6, mode="circular")
    weight = torch.randn_like(ours)
    for padded in (ours, theirs):
        (weight * padded**2).sum().backward()
    assert torch.allclose(given[0].grad, given[1].grad, rtol=1e-12, atol=0)
    assert torch.autograd.gradgradcheck(wrap, (given[0],))


@pytest.mark.parametrize("stride", [1, 2])
def test_one_body_has_the_gradients_of_several_and_not_by_torchs_choice(stride):
    layer = Convolution(2, 3, stride, bias=False)
    x = torch.randn(1, 2, 4, 6, 5, requires_grad=True)

    def gradients(out):
        return torch.autograd.grad((out**2).sum() / len(out), (x, layer.weight))

    out = layer(x)
    # torch's own derivative takes its slow kernel
    assert "Convolution" not in out.grad_fn.name()
    pairs = zip(gradients(out), gradients(layer(torch.cat((x, x)))), strict=True)
    assert max(distance(one, of_two) for one, of_two in pairs) < 1e-5


def test_coarse_voxels_are_means_and_the_last_of_an_odd_axis_is_its_voxel():
    x = torch.arange(5.0).reshape(1, 1, 5, 1, 1)
    assert coarsen(x).flatten().tolist() == [0.5, 2.5, 4.0]
    refined = refine(coarsen(x), (5, 1, 1))
    assert refined.flatten().tolist() == [0.5, 0.5, 2.5, 2.5, 4.0]


def test_a_configuration_is_checked_in_one_line(name):
    config = NETWORKS[name][1]
    for changes, words in (
        ({"channels": (8, 9)}, "9 is not a multiple"),
        ({"channels": ()}, "at least one"),
    ):
        with pytest.raises(InputError, match=words):
            config.preset("smoke", **changes)
    with pytest.raises(InputError, match="smoke, small, paper"):
        config.preset("huge")
    with pytest.raises(InputError, match="unet, ddpm-unet"):
        make_network("resnet", 1, 1)
