"""Every model can learn: one sample's loss falls a hundredfold."""

import math

import pytest
import torch

from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.examples import Example
from ecosurrogate.training.checkpoint import make_model
from ecosurrogate.training.objective import Objective, certificate
from ecosurrogate.training.settings import resolve
from fftmech import Load, solve
from fftmech.microstructure import polycrystal

STEPS = 4000

MODELS = {
    "unet": {},
    "w-eco": {},
    "s-eco": {},
    "p-eco": {},
    "p-eco-stepped": {},
    "p-eco-iterated": {"options": {"corrections": 1}},
}


def sample(res):
    body, load = polycrystal(res, 4, seed=0), Load.uniaxial("xx", 8e-5)
    solved = solve(body, load, scheme="rotated", tolerance=1e-8)
    fields = (field.astype("float32") for field in (solved.strain, solved.stress))
    return Example(body, load, *fields, body.phase[None] >= 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_one_sample_is_learned_a_hundredfold_in_four_thousand_steps(name, one_thread):
    # odd: on even grids some stresses are out of reach of stress functions
    example = sample(5)
    config = resolve({"model": name, "preset": "small", **MODELS[name]})
    encoder = Encoder.fit([example], "rotated", config.representation)
    # twice, for torch's gradients of one small body take three times as long
    batch = encoder.batch([example] * 2)
    torch.manual_seed(0)
    model = make_model(config)
    objective = Objective(config, pores=False, labels=True)
    optimizer = torch.optim.Adam(model.parameters())

    def size(prediction, loss):
        # the loss of iterated models is a logarithm
        iterated = name == "p-eco-iterated"
        found = certificate(prediction, batch.bodies).mean() ** 2 if iterated else loss
        return found.item()

    first, least = None, math.inf
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 1e-5 + 3e-3 * (1 + math.cos(math.pi * step / STEPS)) / 2
        prediction = model(batch.bodies)
        loss, _ = objective(prediction, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        value = size(prediction, loss)
        first, least = first or value, min(least, value)
        if least < first / 100:
            break
    assert least < first / 100, (first, least)
