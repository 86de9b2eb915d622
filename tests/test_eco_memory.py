"""The estimate of a prediction's memory: it counts what a network allocates."""

import pytest
import torch
from small_runs import TINY
from untrained_models import untrained

from ecosurrogate.evaluation import memory, predict
from ecosurrogate.evaluation.memory import network_bytes, prediction_bytes
from ecosurrogate.networks import NETWORKS, make_network
from fftmech import Load
from fftmech.errors import InputError
from fftmech.microstructure import polycrystal

SHAPE = (6, 8, 10)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_network_allocates_more_than_is_counted(name):
    changes = TINY["network"] if "unet" in name else {}
    network = make_network(name, 5, 6, "smoke", **changes).eval()
    counted = network_bytes(network, (2, *SHAPE))
    # the same, of tensors that have values
    x = torch.randn(2, 5, *SHAPE)
    with torch.no_grad(), memory._Living() as living:
        network(x)
    assert 0.9 * living.peak <= counted - x.nbytes <= 4 * living.peak
    assert living.peak > network(x).nbytes


def test_larger_networks_and_more_bodies_need_more():
    shape = (32, 32, 32)
    given = untrained("unet")
    one, two = (prediction_bytes(*given, shape, count) for count in (1, 2))
    assert 1.9 * one < two <= 2 * one
    with torch.device("meta"):
        small, large = (
            network_bytes(make_network(name, 21, 12, preset), (1, *shape))
            for name, preset in (("unet", "small"), ("deeponet", "paper"))
        )
    assert large > 3 * small


def test_a_prediction_that_does_not_fit_is_refused(monkeypatch):
    model, card = untrained("p-eco-iterated")
    body, load = polycrystal(4, grains=2), Load.uniaxial("xx", 1e-3)
    needed = prediction_bytes(model, card, (4, 4, 4))
    seen = []

    def refuse(size, what, *_):
        seen.append(size)
        raise InputError(what)

    monkeypatch.setattr(predict, "check_bytes", refuse)
    with pytest.raises(InputError, match="4 x 4 x 4"):
        predict.predict(model, card, body, load)
    assert seen == [needed]
