"""A load path: what is prescribed at the end of each step, and in how many increments.

Within a step, prescribed means go linearly in time from what they are at its beginning
to the step's load, strains from the measured mean strain and stresses from the measured
mean stress.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from fftmech.errors import InputError
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load


@dataclass(frozen=True)
class Step:
    """A part of a load path.

    Parameters
    ----------
    load
        Means at the end of the step.
    time
        Duration.
    increments
        Equal parts that the step is solved in; they are cut where Newton fails.
    relative
        Whether the mean strains of the load are added to those at the beginning of the
        step, so that components which it does not name keep theirs.

    Raises
    ------
    InputError
        A duration that is not positive, less than one increment, a relative F.
    """

    load: Load | FiniteLoad
    time: float = 1.0
    increments: int = 1
    relative: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.load, Load | FiniteLoad):
            raise InputError(
                f"load {self.load!r}", "fftmech.Load or fftmech.FiniteLoad"
            )
        if not (isfinite(self.time) and self.time > 0):
            raise InputError(f"time {self.time}", "a positive duration")
        if int(self.increments) != self.increments or self.increments < 1:
            raise InputError(f"increments {self.increments}", "a whole number >= 1")
        if self.relative and isinstance(self.load, FiniteLoad):
            raise InputError(
                "a relative step of finite strain", "F at the end of the step"
            )


@dataclass(frozen=True)
class Path:
    """Steps, one after the other.

    Raises
    ------
    InputError
        No step, or loads of small and of finite strain.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        if not self.steps:
            raise InputError("a load path without a step", "at least one")
        kinds = {isinstance(step.load, FiniteLoad) for step in self.steps}
        if len(kinds) > 1:
            raise InputError(
                "a load path of small and finite strain", "all steps of one kind"
            )

    @classmethod
    def of(cls, loads: Sequence[Load | FiniteLoad], increments: int = 1) -> "Path":
        """A path through loads, each reached in the same time and so many parts."""
        return cls(tuple(Step(load, increments=increments) for load in loads))

    @property
    def finite(self) -> bool:
        """Whether the loads prescribe F and P."""
        return isinstance(self.steps[0].load, FiniteLoad)

    @property
    def increments(self) -> int:
        """Increments of all steps."""
        return sum(step.increments for step in self.steps)


@dataclass(frozen=True)
class Target:
    """Prescribed means at one time, (c,), as `fftmech.problems.equilibrium.Means`."""

    free: np.ndarray
    mean_strain: np.ndarray
    mean_stress: np.ndarray

    @classmethod
    def between(
        cls,
        step: Step,
        fraction: float,
        mean_strain: np.ndarray,
        mean_stress: np.ndarray,
        rest: np.ndarray,
    ) -> "Target":
        """Means a fraction of a step after measured ones, (c,); `rest` where free."""
        load, free = step.load, step.load.free
        begun = mean_strain if step.relative else 0.0
        strain = mean_strain + fraction * (begun + load.mean_strain - mean_strain)
        stress = mean_stress + fraction * (load.mean_stress - mean_stress)
        return cls(free, np.where(free, rest, strain), np.where(free, stress, 0.0))
