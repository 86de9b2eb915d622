"""Fourier neural operators, baselines: those of the package `neuraloperator`.

FNO: Li et al. 2020, arXiv:2010.08895. TFNO, whose spectral weights are Tucker factors:
Kossaifi et al. 2023, arXiv:2310.00120, which Oommen et al. 2025 compare with. Bodies
are periodic, so nothing is padded, and no coordinates are shown to the network: every
shift commutes with it.

A mode is a number of waves along an axis of the grid, whatever the resolution. So a
network runs on any grid, and its layers mean the same on all: modes that a grid is too
coarse to have take no part.
"""

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import torch
from torch import Tensor

from ecosurrogate.networks.base import Network, Presets
from fftmech.errors import InputError

MOST_MODES = 256


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
        for name, least in (("channels", 1), ("layers", 1), ("modes", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise InputError(
                    f"network.{name} {value!r}", f"a whole number of at least {least}"
                )
        if self.modes > MOST_MODES:
            raise InputError(f"network.modes {self.modes}", f"at most {MOST_MODES}")
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
    """Fourier neural operator on periodic grids, in single precision."""

    def __init__(self, in_channels: int, out_channels: int, config: FNOConfig) -> None:
        super().__init__(config.channels)
        models, spectral = _package()
        made = models.FNO(
            n_modes=(2 * config.modes + 1,) * 3,
            in_channels=in_channels,
            out_channels=out_channels,
            hidden_channels=config.channels,
            n_layers=config.layers,
            positional_embedding=None,
            # complex weights, held as real numbers
            factorization="ComplexDense" if config.rank == 1 else "ComplexTucker",
            rank=config.rank,
            conv_module=_spectral(spectral.SpectralConv),
        )
        # its parts: the whole adds an entry to `state_dict` that is no tensor
        self.layers = config.layers
        self.lifting, self.blocks = made.lifting, made.fno_blocks
        self.head = made.projection

    def features(self, x: Tensor) -> Tensor:
        """Last hidden state, (B, C_in, X, Y, Z) -> (B, hidden, X, Y, Z)."""
        # half precision has no Fourier transform on most grids
        with torch.autocast(x.device.type, enabled=False):
            x = self.lifting(x.float())
            for layer in range(self.layers):
                x = self.blocks(x, layer)
        return x


def _spectral(base: Any) -> Any:
    """Make of the package's spectral convolution one that serves odd grids too.

    The package's undoes a shift of the spectrum by the same shift, which on an axis of
    odd length leaves every wave one off: nothing commutes with translations then.
    """

    class Spectral(base):
        def forward(self, x: Tensor, output_shape: None = None) -> Tensor:
            """(B, C, X, Y, Z) -> (B, C, X, Y, Z)."""
            shape = x.shape[-3:]
            most = self.n_modes[-1] - 1
            # below the Nyquist frequency, whose phase is unknown
            highest = [min(most, (n - 1) // 2) for n in shape]
            i, j = (
                torch.arange(-h, h + 1, device=x.device) % n
                for h, n in zip(highest, shape[:-1], strict=False)
            )
            k = torch.arange(highest[-1] + 1, device=x.device)
            waves = (..., i[:, None, None], j[:, None], k)
            weight = self.weight[
                (slice(None), slice(None))
                + tuple(slice(most - h, most + h + 1) for h in highest[:-1])
                + (slice(highest[-1] + 1),)
            ]
            spectrum = torch.fft.rfftn(x, dim=(-3, -2, -1), norm=self.fft_norm)
            out = spectrum.new_zeros(len(x), self.out_channels, *spectrum.shape[-3:])
            out[waves] = self._contract(spectrum[waves], weight, separable=False)
            y = torch.fft.irfftn(out, s=shape, dim=(-3, -2, -1), norm=self.fft_norm)
            return y + self.bias

    return Spectral


def _package() -> tuple[Any, Any]:
    try:
        # its import changes the warning filters
        with warnings.catch_warnings():
            fno = import_module("neuralop.models.fno")
            spectral = import_module("neuralop.layers.spectral_convolution")
    except ModuleNotFoundError as error:
        raise InputError(
            f"backbones fno and tfno need {error.name}, which is not installed",
            mend='pip install "fftmech[neuraloperator]"',
        ) from None
    return fno, spectral
