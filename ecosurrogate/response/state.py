"""What a network of laminates remembers from one increment to the next."""

from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io.atomic import whole_file


@dataclass(frozen=True)
class NetworkState:
    """The state of n points after an increment.

    Attributes
    ----------
    strain
        Of the leaves, Mandel (6, L, n).
    variables
        Internal variables of each law, (k, leaves of the law, n).
    mean_strain, mean_stress
        Mandel (6, n).
    change, mean_change
        Of the strains in the last increment, (6, L, n) and (6, n): the next one begins
        with a multiple of it.
    largest
        Largest stress so far, (n,), which errors are relative to.
    dt
        Duration of the last increment, 0 before the first.
    network
        Which network it is of (`Network.name`); "" of files of former versions.
    """

    strain: np.ndarray
    variables: list[np.ndarray]
    mean_strain: np.ndarray
    mean_stress: np.ndarray
    change: np.ndarray
    mean_change: np.ndarray
    largest: np.ndarray
    dt: float = 0.0
    network: str = ""

    @property
    def points(self) -> int:
        """Number of points, n."""
        return self.strain.shape[-1]

    def take(self, points: Any) -> "NetworkState":
        """The state of some points."""
        return replace(
            self,
            variables=[own[..., points] for own in self.variables],
            **{name: getattr(self, name)[..., points] for name in _FIELDS},
        )

    @classmethod
    def join(cls, parts: "list[NetworkState]") -> "NetworkState":
        """The state of all points of parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            variables=[
                np.concatenate(own, axis=-1)
                for own in zip(*(part.variables for part in parts), strict=True)
            ],
            dt=parts[0].dt,
            network=parts[0].network,
            **{
                name: np.concatenate([getattr(part, name) for part in parts], axis=-1)
                for name in _FIELDS
            },
        )

    def put(self, points: Any, part: "NetworkState") -> "NetworkState":
        """A state in which some points have another one."""

        def changed(whole: np.ndarray, own: np.ndarray) -> np.ndarray:
            whole = whole.copy()
            whole[..., points] = own
            return whole

        return replace(
            self,
            dt=part.dt,
            variables=list(map(changed, self.variables, part.variables)),
            **{n: changed(getattr(self, n), getattr(part, n)) for n in _FIELDS},
        )

    def save(self, path: str | PathLike) -> None:
        """Write it (NPZ); the file appears whole."""
        own = {f"variables_{i}": each for i, each in enumerate(self.variables)}
        own |= {name: getattr(self, name) for name in (*_FIELDS, "network")}
        with whole_file(path) as name, open(name, "wb") as file:
            np.savez(file, dt=self.dt, **own)  # pyright: ignore[reportArgumentType]

    @classmethod
    def load(cls, path: str | PathLike) -> "NetworkState":
        """Read what `save` wrote (InputError: another file)."""
        try:
            with np.load(path, allow_pickle=False) as file:
                held = dict(file)
            count = sum(name.startswith("variables_") for name in held)
            return cls(
                variables=[held[f"variables_{i}"] for i in range(count)],
                dt=float(held["dt"]),
                network=str(held.get("network", "")),
                **{name: held[name] for name in _FIELDS},
            )
        except (OSError, KeyError, ValueError, EOFError, TypeError) as error:
            raise InputError(f"{path} is no state of a network ({error})") from error


_FIELDS = (
    "strain",
    "mean_strain",
    "mean_stress",
    "change",
    "mean_change",
    "largest",
)
