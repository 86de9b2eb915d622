"""The U-Net of the paper's pores: Oommen et al. 2025, figure 2.

The text gives five resolution levels, 3-D convolutions, group normalisation, GELU and
3 million parameters. What it leaves open is chosen here: two convolutions a level,
widths that double from 12, means over 2 x 2 x 2 voxels on the way down (they keep
volume fractions), and on the way up a 1 x 1 x 1 convolution to the channels of the
finer level before every voxel is repeated (transposed convolutions of stride 2 imprint
their checkerboard). Translations, grids that 2^(levels - 1) does not divide: see
`ecosurrogate.networks.convolution`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ecosurrogate.networks.base import Network, NetworkConfig
from ecosurrogate.networks.convolution import Convolution, coarsen, initialize, refine


@dataclass(frozen=True)
class UNetConfig(NetworkConfig):
    """Sizes of `UNet`; as `NetworkConfig`, and

    Parameters
    ----------
    gain
        Of the head's initial weights: small, so that outputs are near zero at first.
    """

    channels: tuple[int, ...] = (12, 24, 48, 96, 192)
    groups: int = 4
    gain: float = 0.1

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"channels": (8, 16)},
        "small": {"channels": (16, 32, 64)},
        "paper": {},
    }


class UNet(Network):
    """U-Net with two convolutions a level (group norm, GELU) and skips."""

    def __init__(self, in_channels: int, out_channels: int, config: UNetConfig) -> None:
        widths = config.channels
        super().__init__(widths[0])
        self.stride = 2 ** (len(widths) - 1)
        self.encoder = nn.ModuleList(
            _pair(before, width, config)
            for before, width in zip((in_channels, *widths), widths, strict=False)
        )
        steps = list(zip(widths, widths[1:], strict=False))[::-1]
        self.narrow = nn.ModuleList(
            nn.Conv3d(coarse, fine, 1) for fine, coarse in steps
        )
        self.decoder = nn.ModuleList(_pair(2 * fine, fine, config) for fine, _ in steps)
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                initialize(layer, 2**0.5)
        self.head = nn.Conv3d(widths[0], out_channels, 1)
        initialize(self.head, config.gain)

    def features(self, x: Tensor) -> Tensor:
        """Last hidden state, (B, C_in, X, Y, Z) -> (B, hidden, X, Y, Z)."""
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(coarsen(x) if level else x)
            skips.append(x)
        x = skips.pop()
        for narrow, block in zip(self.narrow, self.decoder, strict=True):
            skip = skips.pop()
            x = block(torch.cat((skip, refine(narrow(x), skip.shape[-3:])), 1))
        return x


def _pair(in_channels: int, out_channels: int, config: UNetConfig) -> nn.Sequential:
    """Two convolutions, each with group norm and GELU."""
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        # the norm takes out any constant that a bias would add, but for its groups
        layers += [
            Convolution(channels, out_channels, bias=False),
            nn.GroupNorm(config.groups, out_channels),
            nn.GELU(),
        ]
    return nn.Sequential(*layers)
