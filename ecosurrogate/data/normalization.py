"""Normalisation of a network's input channels: y = (x - shift) / scale.

Whitening subtracts each channel's mean and divides by its standard deviation; minmax
maps its range to [0, 1] (Oommen et al. 2025, Methods). Outputs are not normalised: see
the units of `ecosurrogate.data.bodies.Bodies`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from fftmech.errors import InputError

KINDS = ("whiten", "minmax")

CONSTANT = 1e-6
"""Deviation, relative to the largest value, below which a channel is constant."""


@dataclass(frozen=True)
class Normalization:
    """An affine map of each channel, "whiten" or "minmax"; JSON-ready by `as_dict`."""

    shift: tuple[float, ...]
    scale: tuple[float, ...]
    kind: str = "whiten"

    def __post_init__(self) -> None:
        for name in ("shift", "scale"):
            values = tuple(float(v) for v in getattr(self, name))
            object.__setattr__(self, name, values)
        if self.kind not in KINDS:
            raise InputError(
                f"normalisation {self.kind!r}", f"one of {', '.join(KINDS)}"
            )
        if len(self.shift) != len(self.scale) or not self.scale:
            raise InputError(
                f"normalisation with {len(self.shift)} shift(s) and {len(self.scale)} "
                "scale(s)",
                "one of each for every channel",
            )
        for k, (shift, scale) in enumerate(zip(self.shift, self.scale, strict=True)):
            if not (isfinite(shift) and isfinite(scale) and scale > 0):
                raise InputError(
                    f"normalisation with shift {shift}, scale {scale} of channel {k}",
                    "a finite shift and a positive scale",
                )

    @classmethod
    def fit(
        cls, samples: Iterable[np.ndarray], kind: str = "whiten"
    ) -> "Normalization":
        """Return the normalisation of a training set, read once, by samples (C, ...).

        A channel that is constant over the set has scale 1.
        """
        count, mean, squares, low, high = _moments(samples)
        shift = low if kind == "minmax" else mean
        spread = high - low if kind == "minmax" else np.sqrt(squares / count)
        largest = np.maximum(abs(low), abs(high)).max()
        spread = np.where(spread > CONSTANT * largest, spread, 1.0)
        return cls(tuple(shift.tolist()), tuple(spread.tolist()), kind)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.shift)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """(x - shift) / scale of channels (C, x, y, z), single precision at least."""
        dtype = np.result_type(x.dtype, np.float32)
        shift, scale = (
            np.array(values, dtype).reshape(-1, 1, 1, 1)
            for values in (self.shift, self.scale)
        )
        return (x - shift) / scale

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Normalization":
        """Return the normalisation that `as_dict` wrote."""
        try:
            # earlier versions also wrote a key `shared`, always false
            return cls(**{k: v for k, v in data.items() if k != "shared"})
        except (TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"normalisation {str(data)[:60]!r}",
                "shift, scale and kind, with a number for each channel",
            ) from None


def _moments(
    samples: Iterable[np.ndarray],
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean, sum of squared deviations, least and largest value of each channel.

    Sets are joined as in Chan, Golub and LeVeque 1983,
    doi:10.1080/00031305.1983.10483115: stable, and one pass.
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    low, high = np.array(np.inf), np.array(-np.inf)
    for sample in samples:
        x = sample.reshape(len(sample), -1).astype(float)
        own, total = x.mean(axis=1), count + x.shape[1]
        own_squares = ((x - own[:, None]) ** 2).sum(axis=1)
        step = own - mean
        mean = mean + step * (x.shape[1] / total)
        squares = squares + own_squares + step**2 * (count * x.shape[1] / total)
        count = total
        low, high = np.minimum(low, x.min(axis=1)), np.maximum(high, x.max(axis=1))
    return count, mean, squares, low, high
