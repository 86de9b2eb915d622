"""Fourier neural operators, baselines.

FNO: Li et al. 2020, arXiv:2010.08895. TFNO, whose spectral weights are Tucker factors:
Kossaifi et al. 2023, arXiv:2310.00120, which Oommen et al. 2025 compare with. Layers,
their initial weights and their names are those of the package neuraloperator 2.0, but
for its spectral convolution on grids of odd length, which commutes with no shift.
Of a periodic body nothing is padded, and no coordinates are shown to the network: every
shift commutes with it. Across faces of a box the hidden state goes on as zeros over a
quarter of the box, which tells the layers where faces are.

A mode is a number of waves along an axis of the grid, whatever the resolution. So a
network runs on any grid, and its layers mean the same on all: modes that a grid is too
coarse to have take no part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecosurrogate.networks.base import Network, Presets, check_count
from ecosurrogate.networks.convolution import ALONG_ALL
from fftmech.errors import InputError


@dataclass(frozen=True)
class FNOConfig(Presets):
    """Sizes of an `FNO`; JSON-ready. Presets have about as many numbers as a `UNet`'s.

    Parameters
    ----------
    channels, layers
        Channels of the hidden state, and number of Fourier layers.
    modes
        Waves along each axis up to which a layer acts on the spectrum.
    rank
        Numbers in the spectral weights, as a part of those in dense ones: factors of a
        Tucker decomposition below 1, dense at 1.
    """

    channels: int
    layers: int
    modes: int
    rank: float = 1.0

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"channels": 5, "layers": 2, "modes": 3},
        "small": {"channels": 10, "layers": 4, "modes": 4},
        "paper": {"channels": 15, "layers": 4, "modes": 7},
    }

    def __post_init__(self) -> None:
        check_count("network.channels", self.channels)
        check_count("network.layers", self.layers)
        check_count("network.modes", self.modes, least=0, most=256)
        if type(self.rank) not in (int, float) or not 0 < self.rank <= 1:
            raise InputError(
                f"network.rank {self.rank!r}", "a number above 0 and up to 1"
            )


@dataclass(frozen=True)
class TFNOConfig(FNOConfig):
    """Sizes of a Tucker-factorised `FNO`; as `FNOConfig`.

    The paper found its own by a grid search and does not give them. Here a layer acts
    on every wave that labels of 16^3 ("small") and of 32^3 ("paper") can have.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"channels": 8, "layers": 2, "modes": 3, "rank": 0.5},
        "small": {"channels": 24, "layers": 4, "modes": 7, "rank": 0.05},
        "paper": {"channels": 36, "layers": 4, "modes": 15, "rank": 0.02},
    }


class FNO(Network):
    """Fourier neural operator, in single precision."""

    periodic: tuple[bool, bool, bool] = ALONG_ALL

    def __init__(self, in_channels: int, out_channels: int, config: FNOConfig) -> None:
        width, layers = config.channels, range(config.layers)
        super().__init__(width)
        self.blocks = nn.ModuleDict(
            {
                "convs": nn.ModuleList(SpectralConvolution(config) for _ in layers),
                "fno_skips": nn.ModuleList(_Linear(width) for _ in layers),
                "channel_mlp": nn.ModuleList(
                    _ChannelMLP(width, round(width / 2), width) for _ in layers
                ),
                "channel_mlp_skips": nn.ModuleList(_Scale(width) for _ in layers),
            }
        )
        self.lifting = _ChannelMLP(in_channels, 2 * width, width)
        self.head = _ChannelMLP(width, 2 * width, out_channels)
        self.layers = config.layers

    def features(self, x: Tensor) -> Tensor:
        """Last hidden state, (B, C_in, X, Y, Z) -> (B, hidden, X, Y, Z)."""
        # half precision has no Fourier transform on most grids; meta has no autocast
        kind = "cpu" if x.is_meta else x.device.type
        with torch.autocast(kind, enabled=False):
            shape = x.shape[-3:]
            x = F.pad(self.lifting(x.float()), self._beyond(shape))
            parts = zip(*self.blocks.values(), strict=True)
            for layer, (convolve, skip, mlp, scale) in enumerate(parts, 1):
                y = convolve(x) + skip(x)
                y = mlp(y if layer == self.layers else F.gelu(y)) + scale(x)
                x = y if layer == self.layers else F.gelu(y)
        return x[..., : shape[0], : shape[1], : shape[2]]

    def _beyond(self, shape: Sequence[int]) -> list[int]:
        """Voxels before and after each axis, the last axis first, as `F.pad` has it."""
        axes = zip(shape, self.periodic, strict=True)
        added = [0 if along else -(-n // 4) for n, along in axes]
        return [count for n in reversed(added) for count in (0, n)]


class SpectralConvolution(nn.Module):
    """Multiplies each wave up to `modes` by a complex matrix, and adds a bias."""

    def __init__(self, config: FNOConfig) -> None:
        super().__init__()
        width, self.modes = config.channels, config.modes
        waves = 2 * self.modes + 1
        # the spectrum of a real field, without the half that follows from the other
        shape = (width, width, waves, waves, self.modes + 1)
        weights = _Dense if config.rank == 1 else _Tucker
        self.weight = weights(shape, config.rank, width**-0.5)
        self.bias = nn.Parameter(width**-0.5 * torch.randn(width, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, X, Y, Z) -> (B, C, X, Y, Z)."""
        shape = x.shape[-3:]
        # below the Nyquist frequency, whose phase is unknown
        a, b, c = (min(self.modes, (n - 1) // 2) for n in shape)
        i, j = (
            torch.arange(-h, h + 1, device=x.device) % n
            for h, n in zip((a, b), shape, strict=False)
        )
        k = torch.arange(c + 1, device=x.device)
        waves = (..., i[:, None, None], j[:, None], k)
        spectrum = torch.fft.rfftn(x, dim=(-3, -2, -1), norm="forward")
        out = torch.zeros_like(spectrum)
        rows = [slice(self.modes - h, self.modes + h + 1) for h in (a, b)]
        out[waves] = self.weight(spectrum[waves], [*rows, slice(c + 1)])
        y = torch.fft.irfftn(out, s=shape, dim=(-3, -2, -1), norm="forward")
        return y + self.bias


class _Dense(nn.Module):
    """A complex matrix a wave, held as real numbers."""

    def __init__(self, shape: tuple[int, ...], rank: float, deviation: float) -> None:
        super().__init__()
        self.tensor = _complex_normal(shape, deviation)

    def forward(self, x: Tensor, rows: list[slice]) -> Tensor:
        """Multiply waves (B, C, I, J, K), those of the weights' `rows`."""
        weight = torch.view_as_complex(self.tensor)[:, :, *rows]
        return torch.einsum("bixyz,ioxyz->boxyz", x, weight)


class _Tucker(nn.Module):
    """A complex matrix a wave: a core, and a factor for each of its five axes.

    They have about `rank` times the numbers of the `shape`, ranks in proportion to it.
    """

    def __init__(self, shape: tuple[int, ...], rank: float, deviation: float) -> None:
        super().__init__()
        from scipy.optimize import brentq

        def excess(part: float) -> float:
            factors = part * sum(n * n for n in shape)
            return factors + prod(shape) * (part ** len(shape) - rank)

        part: float = brentq(excess, 0.0, 1.0)  # type: ignore[reportAssignmentType]
        ranks = [max(round(n * part), 1) for n in shape]
        # so that the products of all six have the deviation
        each = (deviation / prod(ranks) ** 0.5) ** (1 / 6)
        self.core = _complex_normal(ranks, each)
        self.factors = nn.ParameterDict(
            {
                f"factor_{axis}": _complex_normal(sizes, each)
                for axis, sizes in enumerate(zip(shape, ranks, strict=True))
            }
        )

    def forward(self, x: Tensor, rows: list[slice]) -> Tensor:
        """Multiply waves (B, C, I, J, K), those of the weights' `rows`."""
        core = torch.view_as_complex(self.core)
        left, right, *waves = map(torch.view_as_complex, self.factors.values())
        u, v, w = (f[r] for f, r in zip(waves, rows, strict=True))
        # the shortest axis last: the fewest operations
        core = torch.einsum("pqabc,xa->pqxbc", core, u)
        core = torch.einsum("pqxbc,yb->pqxyc", core, v)
        core = torch.einsum("pqxyc,zc->pqxyz", core, w)
        x = torch.einsum("bixyz,ip->bpxyz", x, left)
        x = torch.einsum("bpxyz,pqxyz->bqxyz", x, core)
        return torch.einsum("bqxyz,oq->boxyz", x, right)


class _ChannelMLP(nn.Module):
    """Two linear maps of the channels of each voxel, GELU between them."""

    def __init__(self, in_channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.fcs = nn.ModuleList(
            (nn.Conv1d(in_channels, hidden, 1), nn.Conv1d(hidden, out_channels, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        first, last = self.fcs
        return last(F.gelu(first(x.flatten(2)))).unflatten(2, x.shape[2:])


class _Linear(nn.Module):
    """A linear map of the channels of each voxel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.flatten(2)).view_as(x)


class _Scale(nn.Module):
    """A factor a channel, 1 at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


def _complex_normal(shape: Sequence[int], deviation: float) -> nn.Parameter:
    """Complex numbers of a standard deviation, as pairs of real ones."""
    parts = torch.empty(*shape, 2)
    return nn.Parameter(nn.init.normal_(parts, std=deviation / 2**0.5))
