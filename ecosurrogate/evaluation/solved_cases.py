"""Solved bodies of a dataset, and what predicts their fields."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from os import PathLike
from typing import Any, NamedTuple, Self

import numpy as np

from ecosurrogate.data.examples import FIELDS, LoadedSamples
from ecosurrogate.data.training_set import TrainingSet
from fftmech.datasets.dataset import Dataset
from fftmech.datasets.imported import stated_by
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.sample import Level, Sample


class SolvedCase(NamedTuple):
    """A body under a load, and the solution that predictions are compared with.

    Attributes
    ----------
    index, name
        Number of its sample, name of the load ("" where there is one).
    strain, stress
        The solution, Mandel (6, x, y, z), in the dataset's units.
    low
        Strain and stress of the solution at the lowest resolution; None where that is
        the resolution of the case.
    iterations
        Of the solver.
    gradient, low_gradient
        Displacement gradients, (3, 3, x, y, z), in boxes with faces; else None.
    """

    index: int
    name: str
    body: Microstructure
    load: Load
    strain: np.ndarray
    stress: np.ndarray
    low: tuple[np.ndarray, np.ndarray] | None
    iterations: int
    gradient: np.ndarray | None = None
    low_gradient: np.ndarray | None = None

    @property
    def solid(self) -> np.ndarray:
        """Voxels that are no pore, boolean (x, y, z)."""
        return ~np.isin(self.body.phase, self.body.pores)


class SolvedCases(LoadedSamples):
    """The samples of one split that are solved, each under each of its loads.

    `res` is the highest that all samples of the split are solved at if None; `low` the
    lowest of the dataset if that is another, else None; `indices` are numbers of
    samples; `whole` are the cases before any were left out. InputError where there is
    no such dataset, sample or solution.
    """

    def __init__(
        self,
        directory: str | PathLike,
        split: str = "test",
        res: int | None = None,
        count: int | None = None,
    ) -> None:
        super().__init__(directory, split, count)
        if not self.records:
            more = "of new ones, all are for the test with --splits 0,0,1"
            raise InputError(f"{directory}: no sample for {split} is done", mend=more)
        self.indices = tuple(record["index"] for record in self.records)
        solved = [self.card.solved_levels(index) for index in self.indices]
        levels = [n for n in self.card.levels if all(n in each for each in solved)]
        self.res = levels[0] if res is None else res
        if self.res not in self.card.levels:
            listed = ", ".join(map(str, self.card.levels))
            raise InputError(
                f"resolution {res}: {directory} has {listed}",
                mend="make a dataset with another --res and --low-res",
            )
        if self.res not in levels:
            raise InputError(
                f"{directory}: samples for {split} are solved at "
                f"{', '.join(map(str, levels))}, not at {res}",
                mend=(
                    "those for the test are at every resolution: take --split test, "
                    "or make a dataset with --splits 0,0,1"
                ),
            )
        lowest = self.card.levels[-1]
        self.low = None if lowest == self.res else lowest
        read = sorted({self.res, lowest}, reverse=True)
        self._samples = Dataset(directory, split, fields=FIELDS, levels=read)
        self._last: tuple[int, list[SolvedCase]] | None = None
        self.whole = self

    def without(self, indices: Collection[int]) -> Self:
        """The cases of other samples."""
        kept = super().without(indices)
        kept._last = None
        kept.indices = tuple(record["index"] for record in kept.records)
        return kept

    @property
    def law(self) -> bool:
        """Whether the constitutive law of the fields is known."""
        stated = stated_by(self.card)
        return stated is None or not stated.lawless

    @property
    def creep(self) -> bool:
        """Whether bodies are viscoplastic crystals."""
        return self.card.parameters.get("creep") is not None

    @property
    def scheme(self) -> str:
        """Discretization of the solutions."""
        return self.card.method["scheme"]

    def sample(self, number: int) -> list[SolvedCase]:
        """A sample under each of its loads; the last one is kept."""
        if self._last is None or self._last[0] != number:
            self._last = number, self._read(self._samples[number])
        return self._last[1]

    def _read(self, sample: Sample) -> list[SolvedCase]:
        level = sample.levels[self.res]
        return [
            SolvedCase(
                sample.index,
                name,
                level.body,
                load,
                *_solution(sample, level, self.res, k),
                _solution(sample, sample.low, self.low, k) if self.low else None,
                level.iterations[k],
                _of_load(level.displacement_gradient, k),
                _of_load(sample.low.displacement_gradient, k) if self.low else None,
            )
            for k, (name, load) in enumerate(sample.loads.items())
        ]


class PredictedFields(NamedTuple):
    """Predicted fields of a case, Mandel (6, x, y, z), float64, in the dataset's units.

    Attributes
    ----------
    seconds
        Time for this case alone, of a batch its part; None where it is not known.
    preparation
        Time before that: to encode the body, or to set up a solver.
    applications
        Of the Green operator; None where they are not known.
    certificate
        Relative energy error, known without the solution; None without one.
    gradient
        Displacement gradient, (3, 3, x, y, z), in boxes with faces; else None.
    """

    strain: np.ndarray
    stress: np.ndarray
    seconds: float | None = None
    preparation: float | None = None
    applications: int | None = None
    certificate: float | None = None
    gradient: np.ndarray | None = None


class Predictor(ABC):
    """A trained model, or a method without training that it is compared with.

    No two have both name and description (`what`) alike; `batch` is the number of cases
    that are best predicted at once; `training_sets` are what it was trained on, one
    after the other, None where that is unknown; `law` is whether it knows a
    constitutive law.
    """

    name: str
    what: str
    batch: int = 1
    training_sets: Sequence[TrainingSet | None] = ()
    law: bool = True

    @property
    def label(self) -> str:
        """Name and description in one line."""
        return f"{self.name} ({self.what})"

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Describe it, JSON-ready; `kind` is "run", "low-res", "cg" or "dual"."""

    @abstractmethod
    def predict(self, cases: Sequence[SolvedCase]) -> list[PredictedFields]:
        """Predict cases of one resolution, in their order."""


def _of_load(fields: np.ndarray | None, k: int) -> np.ndarray | None:
    return None if fields is None else fields[k]


def _solution(
    sample: Sample, level: Level, res: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    if level.strain is None or level.stress is None:
        raise InputError(
            f"sample {sample.index} has no solution at {res}, which its dataset's "
            "card promises",
            mend="fftmech dataset verify --repair makes it again",
        )
    return level.strain[k], level.stress[k]
