"""Models that have learned nothing, as a prediction takes them."""

from dataclasses import replace

import torch
from small_runs import TINY

from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.normalization import Normalization
from ecosurrogate.data.representation import channel_count
from ecosurrogate.evaluation import predict as prediction
from ecosurrogate.training.checkpoint import DATASET, RunCard, make_model
from ecosurrogate.training.settings import resolve
from fftmech.datasets.loading import Loading


def untrained(
    model,
    scheme="rotated",
    seed=0,
    representation="stiffness",
    backbone=None,
    scales=None,
    creep=None,
    **options,
):
    """A model of random weights and its card; with scales it knows no law.

    `creep` is the law of viscoplastic crystals.
    """
    representation = "slip" if creep else representation
    settings = {"preset": "smoke", "model": model, "representation": representation}
    # other networks have other sizes
    settings |= {"backbone": backbone} if backbone else {"network": TINY["network"]}
    if options:
        settings["options"] = options
    config = resolve(settings, shown=representation if scales or creep else None)
    channels = channel_count(config.representation)
    same = Normalization((0.0,) * channels, (1.0,) * channels)
    encoder = Encoder(scheme, config.representation, 5 / 3, same, scales, creep=creep)
    dataset = dict.fromkeys(DATASET) | {"loads": {"mode": "six"}}
    card = RunCard(config, encoder, dataset, {}, {})
    torch.manual_seed(seed)
    made = make_model(config)
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(std=0.3)
    return made.eval(), card


def predict(model, card, body, load):
    """A prediction by a model that has learned the very load."""
    loads = Loading("fixed", load).as_dict()
    learned = replace(card, dataset={**card.dataset, "loads": loads})
    return prediction.predict(model, learned, body, load)
