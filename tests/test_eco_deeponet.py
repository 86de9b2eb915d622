"""Laws of DeepONet: any grid, the same body at every resolution, periodic fields."""

import pytest
import torch

from ecosurrogate.networks import NETWORKS, make_network
from ecosurrogate.networks.deeponet import voxel_waves, window_means
from fftmech import InputError


def make(outputs=3, **changes):
    torch.manual_seed(3)
    network = make_network("deeponet", 2, outputs, "smoke", **changes).double()
    torch.nn.init.normal_(network.head.bias)
    return network


def field(*shape):
    return torch.randn(2, 2, *shape, dtype=torch.float64)


def close(a, b):
    return torch.allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(8, 8, 8), (5, 7, 3), (8, 9, 1), (1, 1, 1)], ids=str)
def test_output_has_the_grid_of_the_input_whatever_its_shape(shape):
    network, x = make(sensors=5, channels=(4, 6)), field(*shape)
    output = network(x)
    assert output.shape == (2, 3, *shape) and torch.isfinite(output).all()
    assert torch.equal(output, network.head(network.features(x)))
    # samples of a batch do not see each other
    assert close(network(x[:1]), output[:1])


@pytest.mark.parametrize("shape", [(4, 4, 4), (5, 3, 7)], ids=str)
def test_a_body_is_the_same_at_every_resolution(shape):
    network, x = make(), field(*shape)
    fine = x
    for axis in (-3, -2, -1):
        fine = fine.repeat_interleave(3, axis)
    # the centre of a voxel is that of the middle one of the three it is parted in
    assert close(network(fine)[..., 1::3, 1::3, 1::3], network(x))


@pytest.mark.parametrize("n", [1, 3, 4, 7, 8])
def test_windows_share_out_a_body_as_its_mirror_image(n):
    x = field(n, n + 1, n + 2)
    means = window_means(x, 4)
    assert close(means.mean((-3, -2, -1)), x.mean((-3, -2, -1)))
    for axis in (-3, -2, -1):
        assert close(window_means(x.flip(axis), 4), means.flip(axis))
    assert close(window_means(x.mT, 4), means.mT)
    if n == 8:
        blocks = x[..., :8, :8, :8].unfold(-3, 2, 2).unfold(-3, 2, 2).unfold(-3, 2, 2)
        assert close(window_means(x[..., :8, :8, :8], 4), blocks.mean((-3, -2, -1)))


def test_waves_of_the_trunk_are_periodic_in_the_box():
    shape, waves, like = (6, 5, 4), 3, torch.zeros(0, dtype=torch.float64)
    seen = voxel_waves(shape, waves, like).reshape(*shape, 3, 2, waves)
    k = torch.arange(1, waves + 1)
    for axis, n in enumerate(shape):
        z = torch.complex(seen[..., axis, 1, :], seen[..., axis, 0, :])
        # one voxel on is the same turn everywhere, from the last to the first too
        turn = torch.exp(2j * torch.pi * k.to(z.dtype) / n)
        assert close(torch.roll(z, -1, axis), z * turn)
        assert close(z.flip(axis), z.conj())


def test_fields_are_sums_of_functions_of_the_trunk_and_a_bias():
    network = make(functions=2)
    outputs = network(torch.randn(9, 2, 4, 4, 4, dtype=torch.float64))
    fields = (outputs - network.head.bias).transpose(0, 1).flatten(2)
    assert fields.shape == (3, 9, 64)
    assert torch.linalg.matrix_rank(fields.detach(), rtol=1e-10).tolist() == [2] * 3


def test_a_shifted_body_is_another_one():
    network, x = make(), field(8, 8, 8)
    before, after = network(x), network(torch.roll(x, 4, -1))
    for other in (before, torch.roll(before, 4, -1)):
        assert (after - other).abs().max() > 1e-3 * before.abs().max()


def test_every_parameter_has_a_gradient_which_is_the_derivative():
    network = make(channels=(4, 4), layers=2)
    network(field(6, 5, 7)).square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0
    x = torch.randn(1, 2, 3, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, x, fast_mode=True)


def test_presets_have_about_as_many_numbers_as_those_of_the_unet():
    for preset in ("smoke", "small", "paper"):
        own, other = (
            sum(p.numel() for p in make_network(name, 21, 12, preset).parameters())
            for name in ("deeponet", "unet")
        )
        assert own == pytest.approx(other, rel=0.15)


def test_outputs_start_small():
    for preset in ("smoke", "small", "paper"):
        network = make_network("deeponet", 21, 9, preset)
        output = network(torch.randn(1, 21, 8, 8, 8)).detach()
        assert 0 < float(output.square().mean().sqrt()) < 0.2


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"sensors": 0}, "network.sensors 0: expected a whole number of at least 1"),
        ({"sensors": 4096}, "network.sensors 4096: expected at most 64"),
        ({"waves": 2.5}, "network.waves 2.5: expected a whole number"),
        ({"channels": ()}, "entries of network.channels 0"),
        ({"channels": (8, -1)}, "network.channels -1"),
        ({"width": True}, "network.width True"),
    ],
)
def test_sizes_are_checked_in_one_line(changes, words):
    with pytest.raises(InputError, match=words.replace(".", r"\.")):
        NETWORKS["deeponet"][1].preset("smoke", **changes)
