"""DeepONet, a baseline: Lu et al. 2021, doi:10.1038/s42256-021-00302-5.

    output_c(a, y) = sum_k branch_ck(a) trunk_k(y) + bias_c

The branch sees the body a at a fixed number of sensors, whatever its grid: means over
equal windows of the box, so that a body has the same sensors at every resolution. Their
convolutions are periodic, and end in numbers that know where they come from: a mean
over the box would not tell a body from a shifted one. The trunk sees the sine and
cosine of up to `waves` waves along each axis at the centres y of the voxels, so that
fields are periodic. Components share it, and each has numbers of its own from the
branch, one of the ways of Lu et al. 2022, doi:10.1016/j.cma.2022.114778.

Coordinates are parts of the box: a network of cubes knows nothing of longer boxes. No
shift of the body commutes with it, but what it learns of shifted bodies.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecosurrogate.networks.base import Network, Presets, check_count
from ecosurrogate.networks.convolution import Convolution, initialize


@dataclass(frozen=True)
class DeepONetConfig(Presets):
    """Sizes of a `DeepONet`; JSON-ready. Presets have as many numbers as a `UNet`'s.

    Parameters
    ----------
    sensors
        Windows along each axis of the box whose means the branch sees.
    channels
        Of the branch's convolutions; each but the first halves the grid of sensors.
    width
        Of the hidden layers of branch and trunk.
    layers
        Hidden layers of the trunk.
    functions
        Functions of the trunk, from which all fields are made.
    waves
        Waves along each axis that the trunk sees.
    gain
        Of the initial weights behind the branch: small, so that outputs are near zero.
    """

    sensors: int
    channels: tuple[int, ...]
    width: int
    layers: int
    functions: int
    waves: int
    gain: float = 0.1

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {
            **{"sensors": 4, "channels": (8,), "width": 20, "layers": 1},
            **{"functions": 16, "waves": 3},
        },
        "small": {
            **{"sensors": 8, "channels": (16, 32), "width": 96, "layers": 2},
            **{"functions": 64, "waves": 7},
        },
        "paper": {
            **{"sensors": 16, "channels": (24, 48, 96), "width": 256, "layers": 3},
            **{"functions": 256, "waves": 15},
        },
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        check_count("network.sensors", self.sensors, most=64)
        check_count("network.waves", self.waves, most=256)
        for name in ("width", "layers", "functions"):
            check_count(f"network.{name}", getattr(self, name))
        check_count("entries of network.channels", len(self.channels), most=6)
        for count in self.channels:
            check_count("network.channels", count)


class DeepONet(Network):
    """Functions of the trunk, weighted by what the branch makes of the body."""

    def __init__(
        self, in_channels: int, out_channels: int, config: DeepONetConfig
    ) -> None:
        super().__init__(out_channels)
        # no shift commutes: these are to average over
        self.stride = self.sensors = config.sensors
        self.waves = config.waves
        self.convolutions = nn.ModuleList(
            Convolution(before, after, stride=2 if level else 1)
            for level, (before, after) in enumerate(
                pairwise((in_channels, *config.channels))
            )
        )
        # sensors along an axis of the coarsest level: halved, and rounded up
        left = -(-config.sensors // 2 ** (len(config.channels) - 1))
        self.mix = nn.Linear(config.channels[-1] * left**3, config.width)
        self.branch = nn.Linear(config.width, out_channels * config.functions)
        widths = (6 * config.waves, *[config.width] * config.layers, config.functions)
        self.trunk = nn.ModuleList(nn.Linear(*sizes) for sizes in pairwise(widths))
        self.head = _Bias(out_channels)
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d | nn.Linear):
                initialize(layer, 2**0.5)
        initialize(self.branch, config.gain / config.functions**0.5)

    def features(self, x: Tensor) -> Tensor:
        """Fields but for their bias, (B, C_in, X, Y, Z) -> (B, C_out, X, Y, Z)."""
        shape = x.shape[-3:]
        seen = window_means(x, self.sensors)
        for convolution in self.convolutions:
            seen = F.gelu(convolution(seen))
        weights = self.branch(F.gelu(self.mix(seen.flatten(1))))
        functions = voxel_waves(shape, self.waves, self.mix.weight)
        *hidden, last = self.trunk
        for layer in hidden:
            functions = F.gelu(layer(functions))
        fields = weights.unflatten(1, (self.hidden, -1)) @ last(functions).T
        return fields.unflatten(2, shape)


class _Bias(nn.Module):
    """A constant a channel, zero at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


def window_means(x: Tensor, count: int) -> Tensor:
    """Means over count^3 equal windows of the box, which may part voxels.

    (B, C, X, Y, Z) -> (B, C, count, count, count).
    """
    for axis in (-3, -2, -1):
        n = x.shape[axis]
        # edges in units of 1 / (count n) of the box, so that they are exact
        window = torch.arange(count, device=x.device)[:, None] * n
        voxel = torch.arange(n, device=x.device) * count
        shared = (window + n).minimum(voxel + count) - window.maximum(voxel)
        weights = shared.clamp(min=0).to(x.dtype) / n
        x = (x.movedim(axis, -1) @ weights.T).movedim(-1, axis)
    return x


def voxel_waves(shape: tuple[int, ...], waves: int, like: Tensor) -> Tensor:
    """Sine and cosine of waves along each axis at voxel centres, (X Y Z, 6 waves).

    Type and device are those of `like`.
    """
    numbers = torch.arange(1, waves + 1, device=like.device)
    parts = []
    for axis, n in enumerate(shape):
        # in units of pi / n, less whole turns, which is exact
        halves = (2 * torch.arange(n, device=like.device) + 1)[:, None] * numbers
        phase = (halves % (2 * n)).to(like.dtype) * (torch.pi / n)
        sizes = [1, 1, 1, 2 * waves]
        sizes[axis] = n
        part = torch.cat((phase.sin(), phase.cos()), 1).reshape(sizes)
        parts.append(part.expand(*shape, -1))
    return torch.cat(parts, -1).flatten(0, 2)
