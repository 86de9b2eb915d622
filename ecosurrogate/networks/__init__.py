"""Backbones: modules (B, C_in, X, Y, Z) -> (B, C_out, X, Y, Z) on any grid."""

from typing import Any

from ecosurrogate.networks.base import Network, Presets
from ecosurrogate.networks.ddpm_unet import DDPMUNet, DDPMUNetConfig
from ecosurrogate.networks.deeponet import DeepONet, DeepONetConfig
from ecosurrogate.networks.neural_operators import FNO, FNOConfig, TFNOConfig
from ecosurrogate.networks.unet import UNet, UNetConfig
from fftmech.errors import InputError
from fftmech.plugins import Registry


def _network(name: str, loaded: Any) -> tuple[Any, type[Presets]]:
    """A network of another package and its configuration, if it is such a pair."""
    pair = loaded if isinstance(loaded, tuple) else ()
    if [isinstance(each, type) for each in pair] != [True, True]:
        raise InputError(f"{loaded!r} is no pair of a Network and its configuration")
    for each, base in zip(pair, (Network, Presets), strict=True):
        if not issubclass(each, base):
            raise InputError(f"{each.__name__} is no {base.__name__}")
    return loaded


NETWORKS: Registry[tuple[Any, type[Presets]]] = Registry(
    "ecosurrogate.networks",
    {
        "unet": (UNet, UNetConfig),
        "ddpm-unet": (DDPMUNet, DDPMUNetConfig),
        "fno": (FNO, FNOConfig),
        "tfno": (FNO, TFNOConfig),
        "deeponet": (DeepONet, DeepONetConfig),
    },
    _network,
)
"""Every network by name: the module and its configuration."""


def make_network(
    name: str,
    in_channels: int,
    out_channels: int,
    preset: str = "small",
    **changes: Any,
) -> Network:
    """Return a network with fresh weights, one of `NETWORKS`.

    Its sizes are those of a preset, "smoke", "small" or "paper", but for the `changes`;
    InputError where there is no such network, preset or size.
    """
    module, config = NETWORKS.find(name)
    made = module(in_channels, out_channels, config.preset(preset, **changes))
    made.channels = in_channels
    return made
