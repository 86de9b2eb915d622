"""The base class of networks, and of their sizes."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from fftmech.errors import InputError


class Presets:
    """Sizes of a network that have names; subclasses set `presets`."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """Return the sizes called `name`, with some of them replaced."""
        if name not in cls.presets:
            raise InputError(f"preset {name!r}", f"one of {', '.join(cls.presets)}")
        return cls(**{**cls.presets[name], **changes})


def check_count(name: str, value: Any, least: int = 1, most: int = 4096) -> None:
    """Refuse what is no whole number from `least` to `most` (InputError)."""
    if type(value) is not int or value < least:
        raise InputError(f"{name} {value!r}", f"a whole number of at least {least}")
    if value > most:
        raise InputError(f"{name} {value}", f"at most {most}")


@dataclass(frozen=True)
class NetworkConfig(Presets):
    """Sizes of a U-Net, by level from the finest to the coarsest; JSON-ready.

    `groups` are those of every group normalisation; they divide every entry of
    `channels`.
    """

    channels: tuple[int, ...]
    groups: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        if not self.channels or self.groups < 1:
            raise InputError(
                f"channels {self.channels} in {self.groups} group(s)",
                "at least one of each",
            )
        for count in self.channels:
            if count < 1 or count % self.groups:
                raise InputError(
                    f"channels {self.channels}: {count} is not a multiple of the "
                    f"{self.groups} groups",
                    mend="change one of them",
                )


class Network(nn.Module):
    """A module (B, C_in, X, Y, Z) -> (B, C_out, X, Y, Z), forward = head(features).

    Subclasses are made of input and output channels and of their sizes; they define
    `features`, of `hidden` channels, and set `head`. Shifts of the input by multiples
    of `stride` voxels shift the output, others may change it; of a network that sees
    coordinates all do, and shifts within `stride` are those to average over. `channels`
    are C_in.
    """

    head: nn.Module
    stride: int = 1
    channels: int

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden

    def features(self, x: Tensor) -> Tensor:
        """Last hidden state, (B, hidden, X, Y, Z)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return head(features(x)), (B, C_out, X, Y, Z)."""
        return self.head(self.features(x))
