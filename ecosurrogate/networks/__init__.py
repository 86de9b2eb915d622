"""Backbones: modules (B, C_in, X, Y, Z) -> (B, C_out, X, Y, Z) on any grid."""

from typing import Any

from ecosurrogate.networks.base import Network, Presets
from ecosurrogate.networks.ddpm_unet import DDPMUNet, DDPMUNetConfig
from ecosurrogate.networks.deeponet import DeepONet, DeepONetConfig
from ecosurrogate.networks.neural_operators import FNO, FNOConfig, TFNOConfig
from ecosurrogate.networks.unet import UNet, UNetConfig
from fftmech.errors import InputError

NETWORKS: dict[str, tuple[Any, type[Presets]]] = {
    "unet": (UNet, UNetConfig),
    "ddpm-unet": (DDPMUNet, DDPMUNetConfig),
    "fno": (FNO, FNOConfig),
    "tfno": (FNO, TFNOConfig),
    "deeponet": (DeepONet, DeepONetConfig),
}
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
    if name not in NETWORKS:
        raise InputError(f"network {name!r}", f"one of {', '.join(NETWORKS)}")
    module, config = NETWORKS[name]
    made = module(in_channels, out_channels, config.preset(preset, **changes))
    made.channels = in_channels
    return made
