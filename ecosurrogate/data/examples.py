"""Samples of a dataset as examples and batches: bodies, loads and labels."""

import json
from abc import abstractmethod
from collections.abc import Collection, Sequence
from copy import copy
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.data.label_check import check_labels
from ecosurrogate.data.symmetry import Symmetry
from ecosurrogate.data.training_set import TrainingSet
from fftmech.arrays.memory import free_memory
from fftmech.datasets.card import NAME
from fftmech.datasets.dataset import Dataset
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.fingerprint import fingerprint
from fftmech.results.sample import Sample

FIELDS = ("strain", "stress", "displacement_gradient")
"""Fields of samples that are read; the last one is only in boxes with faces."""


class Example(NamedTuple):
    """A body under a load, and its solution at a lower or the same resolution.

    `strain` and `stress`, the labels, are Mandel (6, x, y, z), in the dataset's units,
    None where there are none; `solid` marks their voxels that are no pore, boolean (1,
    x, y, z). In a box with faces the displacement gradient (3, 3, x, y, z) is a label.
    """

    body: Microstructure
    load: Load
    strain: np.ndarray | None
    stress: np.ndarray | None
    solid: np.ndarray
    gradient: np.ndarray | None = None

    def moved(self, g: Symmetry) -> "Example":
        """Body, load and labels after a symmetry of the cube."""
        return Example(
            g.body(self.body),
            g.load(self.load),
            None if self.strain is None else g.tensor(self.strain),
            None if self.stress is None else g.tensor(self.stress),
            g.scalar(self.solid),
            None if self.gradient is None else g.gradient(self.gradient),
        )


class Batch(NamedTuple):
    """Examples of one step; labels, (B, 6, x, y, z), are in the units of the `Bodies`.

    They are None unless every example has them; `solid` is boolean (B, 1, x, y, z),
    `gradient` (B, 3, 3, x, y, z).
    """

    bodies: Bodies
    strain: Tensor | None
    stress: Tensor | None
    solid: Tensor
    gradient: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""
        strain, stress, solid, gradient = (
            None if part is None else part.to(device) for part in self[1:]
        )
        assert solid is not None
        return Batch(self.bodies.to(device), strain, stress, solid, gradient)


class LoadedSamples(Sequence[Any]):
    """The samples of one split of a dataset, each under each of its loads.

    `count` takes the first ones, all if None; there have to be that many. `res` is the
    resolution of the bodies; `boundary` are the faces of their boxes, None if periodic.
    """

    res: int
    _samples: Dataset

    def __init__(
        self, directory: str | PathLike, split: str, count: int | None = None
    ) -> None:
        found = Dataset(directory, split)
        self.directory, self.split, self.card = directory, split, found.card
        self.boundary = found.card.loading.boundary
        available = len(found)
        if count is not None and not 1 <= count <= available:
            raise InputError(
                f"count {count}: {directory} has {available} samples for {split}"
            )
        self.records = found.records[:count]
        self._fingerprints: dict[int, set[str]] = {}

    @cached_property
    def loads(self) -> int:
        """Number of loads of each sample."""
        return len(self.card.loading.cases(self.card.seed, 0))

    @property
    def sha256(self) -> str:
        """SHA-256 of the dataset's card, by which a run names its training set."""
        text = (Path(self.directory) / NAME).read_text(encoding="utf-8")
        return json.loads(text)["sha256"]

    def __len__(self) -> int:
        return len(self.records) * self.loads

    def __getitem__(self, item: Any) -> Any:
        """One sample under one load, or a list of them for a slice."""
        if isinstance(item, slice):
            return [self[i] for i in range(*item.indices(len(self)))]
        number, load = divmod(range(len(self))[item], self.loads)
        return self.sample(number)[load]

    @abstractmethod
    def sample(self, number: int) -> list[Any]:
        """A sample under each of its loads."""

    def fingerprints(self, number: int) -> set[str]:
        """Those of a sample's body at `res` and at the lowest resolution."""
        index = self.records[number]["index"]
        if index not in self._fingerprints:
            self._find_fingerprints(self._samples[number])
        return self._fingerprints[index]

    def _find_fingerprints(self, sample: Sample) -> None:
        levels = sample.levels[self.res], sample.low
        periodic = self.card.loading.periodic
        self._fingerprints[sample.index] = {
            fingerprint(level.body, periodic) for level in levels
        }

    def seen(self, known: TrainingSet) -> set[int]:
        """Numbers, in the dataset, of the samples whose bodies are of a training set.

        By fingerprint: the same voxels at the resolution of the labels, however they
        lie. A window of an image is one if it meets what the training set's windows
        were cut from.
        """
        return {
            record["index"]
            for number, record in enumerate(self.records)
            if self._is_seen(number, known)
        }

    def _is_seen(self, number: int, known: TrainingSet) -> bool:
        record, card = self.records[number], self.card
        window = card.parameters.get("window")
        if known.blocks and window is not None:
            place = record["statistics"]
            blocks = card.parameters.get("blocks") or ()
            own = (block[2] for block in blocks if block[1] == place["image"])
            low = [place[axis] for axis in "xyz"]
            sides = next(own, (window,) * 3)
            high = [a + n for a, n in zip(low, sides, strict=True)]
            image = dict(card.parameters["images"])[place["image"]]
            if known.has_window(image, low, high):
                return True
        if self.fingerprints(number) & known.fingerprints:
            return True
        if known.resolution in (self.res, card.levels[-1]):
            return False
        return known.has(self.sample(number)[0].body)

    def without(self, indices: Collection[int]) -> Self:
        """The other samples than those with these numbers in the dataset."""
        kept = copy(self)
        kept._samples = copy(self._samples)
        for part in (kept, kept._samples):
            part.records = [r for r in part.records if r["index"] not in indices]
        return kept


class Examples(LoadedSamples):
    """Training examples; what was read is kept while memory allows.

    That is a third of the memory that was free, divided among the `readers`, processes
    of this machine that read the same samples. Bodies have resolution `res`, the
    highest if None, labels the lowest one.

    The first time that a sample is read, InputError if its labels are not those of its
    body.
    """

    def __init__(
        self,
        directory: str | PathLike,
        split: str,
        res: int | None = None,
        count: int | None = None,
        orientation: bool = True,
        readers: int = 1,
    ) -> None:
        super().__init__(directory, split, count)
        self.res = self.card.levels[0] if res is None else res
        levels = sorted({self.res, self.card.levels[-1]}, reverse=True)
        self._samples = Dataset(directory, split, fields=FIELDS, levels=levels)
        self.orientation = orientation
        self._kept: dict[int, list[Example]] = {}
        self._room = free_memory() // (3 * readers)

    def sample(self, number: int) -> list[Example]:
        """A sample under each of its loads."""
        index = self.records[number]["index"]
        found = self._kept.get(index)
        if found is None:
            sample = self._samples[number]
            if index not in self._fingerprints:
                check_labels(sample, f"{self.directory}: sample {index}")
                self._find_fingerprints(sample)
            found = self._read(sample)
            size = sum(_size(example) for example in found)
            if size <= self._room:
                self._room -= size
                self._kept[index] = found
        return found

    def _read(self, sample: Sample) -> list[Example]:
        body, low = sample.levels[self.res].body, sample.low
        if not self.orientation:
            body = body.with_changes(orientation=None)
        solid = ~np.isin(low.body.phase, low.body.pores)[None]
        return [
            Example(
                body,
                load,
                None if low.strain is None else low.strain[k],
                None if low.stress is None else low.stress[k],
                solid,
                None
                if low.displacement_gradient is None
                else low.displacement_gradient[k],
            )
            for k, load in enumerate(sample.loads.values())
        ]


def _size(example: Example) -> int:
    """Bytes of an example."""
    body = example.body
    arrays = (body.phase, *body.images.values(), *example[2:])
    return sum(array.nbytes for array in arrays if array is not None)
