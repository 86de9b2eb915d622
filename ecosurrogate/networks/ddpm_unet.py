"""The U-Net of the paper's polycrystals: Oommen et al. 2025, Methods.

Derived from that of denoising diffusion (Ho et al. 2020, arXiv:2006.11239) without
attention and without time: lift to 32 channels, times (1, 2, 4, 8) from level to level,
residual blocks with group normalisation and ELU, dropout 0.1513 before each, Kaiming
initialisation with a gain. The text leaves open, and here is as in Ho et al.: two
residual blocks a level on the way down, three on the way up, two at the bottom,
convolutions of stride 2 down, repeated voxels and a convolution up. Translations, grids
that 2^(levels - 1) does not divide: see `ecosurrogate.networks.convolution`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ecosurrogate.networks.base import Network, NetworkConfig
from ecosurrogate.networks.convolution import Convolution, initialize, refine


@dataclass(frozen=True)
class DDPMUNetConfig(NetworkConfig):
    """Sizes of `DDPMUNet`; as `NetworkConfig`, and

    Parameters
    ----------
    blocks
        Residual blocks a level on the way down.
    dropout
        Probability of dropout before each residual block.
    gain
        Of the initial weights of all convolutions, so that the fields predicted at
        first are distributed as the data. The paper says 0.5 and 0.2, both "for s-ECO":
        the second is taken to be w-ECO's.
    """

    channels: tuple[int, ...] = (32, 64, 128, 256)
    groups: int = 8
    blocks: int = 2
    dropout: float = 0.1513
    gain: float = 0.5

    # a few hundred steps need no regularisation: dropout belongs to the paper's 2000
    # epochs
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"channels": (8, 16), "groups": 4, "blocks": 1, "dropout": 0.0},
        "small": {"channels": (16, 32, 64), "blocks": 1, "dropout": 0.0},
        "paper": {},
    }


class DDPMUNet(Network):
    """U-Net of residual blocks (group norm, ELU) with a skip after every one."""

    def __init__(
        self, in_channels: int, out_channels: int, config: DDPMUNetConfig
    ) -> None:
        widths = config.channels
        super().__init__(widths[0])
        self.stride = 2 ** (len(widths) - 1)
        self.lift = Convolution(in_channels, widths[0])
        skips = [widths[0]]
        self.down = nn.ModuleList()
        for level, width in enumerate(widths):
            if level:
                before = widths[level - 1]
                self.down.append(Convolution(before, before, stride=2))
                skips.append(before)
            for _ in range(config.blocks):
                self.down.append(_Residual(skips[-1], width, config))
                skips.append(width)
        self.middle = nn.ModuleList(
            _Residual(widths[-1], widths[-1], config) for _ in range(2)
        )
        current = widths[-1]
        self.up = nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            for _ in range(config.blocks + 1):
                self.up.append(_Residual(current + skips.pop(), width, config))
                current = width
            if level:
                self.up.append(Convolution(width, width))
        self.norm = nn.GroupNorm(config.groups, widths[0])
        self.head = Convolution(widths[0], out_channels)
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                initialize(layer, config.gain)

    def features(self, x: Tensor) -> Tensor:
        """Last hidden state, (B, C_in, X, Y, Z) -> (B, hidden, X, Y, Z)."""
        x = self.lift(x)
        skips = [x]
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        for layer in self.middle:
            x = layer(x)
        for layer in self.up:
            if isinstance(layer, _Residual):
                x = layer(torch.cat((x, skips.pop()), 1))
            else:
                x = layer(refine(x, skips[-1].shape[-3:]))
        return nn.functional.elu(self.norm(x))


class _Residual(nn.Module):
    """x -> x + conv(elu(norm(conv(elu(norm(x)))))), x after dropout."""

    def __init__(
        self, in_channels: int, out_channels: int, config: DDPMUNetConfig
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.body = nn.Sequential()
        for channels in (in_channels, out_channels):
            self.body.append(nn.GroupNorm(config.groups, channels))
            self.body.append(nn.ELU())
            self.body.append(Convolution(channels, out_channels))
        same = in_channels == out_channels
        self.skip = nn.Identity() if same else nn.Conv3d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(x)
        return self.skip(x) + self.body(x)
