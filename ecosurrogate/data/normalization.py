"""Normalisation of inputs and outputs: y = (x - shift) / scale.

Whitening subtracts each channel's mean and divides by its standard deviation; minmax
maps its range to [0, 1]. Fields of mechanics need one scale for all their channels,
with which compatible fields stay compatible and equilibrated ones equilibrated; shifts
may differ, being homogeneous fields: `shared` (Oommen et al. 2025, Methods: the average
of the channels' standard deviations). A shared scale is rounded to the nearest power of
two, so that multiplying by it rounds nothing: the divergence of a rescaled float32
field is the rescaled divergence, bit for bit (the paper's footnote 2 reports a loss).
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite, log2
from typing import Any

import numpy as np

from fftmech.arrays.backend import is_tensor
from fftmech.errors import InputError

KINDS = ("whiten", "minmax")

CONSTANT = 1e-6
"""Deviation, relative to the largest value, below which a channel is constant."""


@dataclass(frozen=True)
class Normalization:
    """An affine map of each channel; JSON-ready by `as_dict`.

    Parameters
    ----------
    shift, scale
        Of each channel, in the units of the field.
    kind
        What they are: "whiten" or "minmax".
    shared
        Whether all channels have one scale.

    Raises
    ------
    InputError
        Another kind, lengths that differ, a value that is not finite, a scale that is
        not positive, or several where one is shared.
    """

    shift: tuple[float, ...]
    scale: tuple[float, ...]
    kind: str = "whiten"
    shared: bool = False

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
        if self.shared and len(set(self.scale)) > 1:
            raise InputError(
                f"normalisation with scales from {min(self.scale)} to "
                f"{max(self.scale)}",
                "one for all channels",
            )

    @classmethod
    def fit(
        cls, samples: Iterable[Any], kind: str = "whiten", shared: bool = False
    ) -> "Normalization":
        """Return the normalisation of a training set, read once, a sample at a time.

        A channel that is constant over the set has scale 1, or that of the others.

        Parameters
        ----------
        samples
            Arrays (C, ...); a masked field is given as (C, number of voxels kept).
        kind, shared
            As above. Where `shared`, "whiten" takes the average of the deviations and
            "minmax" the range and the least value of all channels together.

        Raises
        ------
        InputError
            No sample, channels that differ between samples, values that are not finite.
        """
        moments = _moments(samples)
        if kind == "minmax":
            low, spread = moments.low, moments.high - moments.low
            if shared:
                low = np.full_like(low, moments.low.min())
                spread = np.full_like(spread, moments.high.max() - moments.low.min())
            shift = low
        else:
            shift = moments.mean
            spread = np.sqrt(moments.squares / moments.count)
        largest = np.maximum(abs(moments.low), abs(moments.high)).max()
        if shared:
            mean = float(spread.mean())
            constant = not mean > CONSTANT * largest
            spread = np.full_like(spread, 1.0 if constant else 2.0 ** round(log2(mean)))
        else:
            spread = np.where(spread > CONSTANT * largest, spread, 1.0)
        return cls(tuple(shift.tolist()), tuple(spread.tolist()), kind, shared)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.shift)

    def apply(self, x: Any) -> Any:
        """(x - shift) / scale of fields (..., C, x, y, z), NumPy's or torch's."""
        return (x - _column(self.shift, x)) / _column(self.scale, x)

    def undo(self, y: Any) -> Any:
        """y scale + shift: the inverse of `apply`."""
        return y * _column(self.scale, y) + _column(self.shift, y)

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Normalization":
        """Return the normalisation that `as_dict` wrote.

        Raises
        ------
        InputError
            Keys or values that are not those of a normalisation.
        """
        try:
            return cls(**data)
        except (TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"normalisation {str(data)[:60]!r}",
                "shift, scale, kind and shared, with a number for each channel",
            ) from None


@dataclass
class _Moments:
    count: int
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _moments(samples: Iterable[Any]) -> _Moments:
    """Mean, sum of squared deviations and extremes of each channel.

    Sets are joined as in Chan, Golub and LeVeque 1983,
    doi:10.1080/00031305.1983.10483115: stable, and one pass.
    """
    total: _Moments | None = None
    for number, sample in enumerate(samples):
        values = np.asarray(sample.detach().cpu() if is_tensor(sample) else sample)
        x = values.reshape(len(values), -1).astype(float)
        if not x.size:
            continue
        if not np.isfinite(x).all():
            raise InputError(
                f"sample {number}: values that are not finite",
                mend="remove it from the set",
            )
        if total is not None and len(x) != len(total.mean):
            raise InputError(
                f"sample {number} has {len(x)} channels",
                f"{len(total.mean)} as in those before",
            )
        mean = x.mean(axis=1)
        squares = ((x - mean[:, None]) ** 2).sum(axis=1)
        own = _Moments(x.shape[1], mean, squares, x.min(axis=1), x.max(axis=1))
        total = own if total is None else _joined(total, own)
    if total is None:
        raise InputError("no sample to normalise by", "at least one")
    return total


def _joined(a: _Moments, b: _Moments) -> _Moments:
    count = a.count + b.count
    step = b.mean - a.mean
    return _Moments(
        count,
        a.mean + step * (b.count / count),
        a.squares + b.squares + step**2 * (a.count * b.count / count),
        np.minimum(a.low, b.low),
        np.maximum(a.high, b.high),
    )


def _column(values: tuple[float, ...], like: Any) -> Any:
    """Values of the channels, of the type and on the device of a field."""
    if is_tensor(like):
        return like.new_tensor(values).reshape(-1, 1, 1, 1)
    dtype = np.result_type(like.dtype, np.float32)
    return np.array(values, dtype).reshape(-1, 1, 1, 1)
