"""Samples of a dataset as batches for a network: bodies, loads and labels.

Batch k of a run follows from the seed and k alone, so that a run may be continued
anywhere: samples in an order of (seed, epoch), each moved by a symmetry of (seed,
epoch, place in it).
"""

from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.data.symmetry import Symmetry
from fftmech.arrays.memory import free_memory
from fftmech.datasets.dataset import Dataset
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.sample import Sample


class Example(NamedTuple):
    """A body under a load, and the solution at a lower or the same resolution.

    Attributes
    ----------
    body, load
        What the network is given.
    strain, stress
        Labels, Mandel (6, x, y, z), in the dataset's units; None where there are none.
    solid
        Voxels of the labels that are no pore, boolean (1, x, y, z).
    """

    body: Microstructure
    load: Load
    strain: np.ndarray | None
    stress: np.ndarray | None
    solid: np.ndarray

    def moved(self, g: Symmetry) -> "Example":
        """Body, load and labels after a symmetry of the cube."""
        return Example(
            g.body(self.body),
            g.load(self.load),
            None if self.strain is None else g.tensor(self.strain),
            None if self.stress is None else g.tensor(self.stress),
            g.scalar(self.solid),
        )


class Batch(NamedTuple):
    """Examples of one step; labels are in the units of the `Bodies`.

    Attributes
    ----------
    bodies
        What the model is given.
    strain, stress
        Labels, (B, 6, x, y, z); None unless every example has them.
    solid
        Voxels of the labels that are no pore, boolean (B, 1, x, y, z).
    """

    bodies: Bodies
    strain: Tensor | None
    stress: Tensor | None
    solid: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""
        strain, stress, solid = (
            None if part is None else part.to(device) for part in self[1:]
        )
        assert solid is not None
        return Batch(self.bodies.to(device), strain, stress, solid)


class Examples(Sequence[Example]):
    """The samples of one split of a dataset, each under each of its loads.

    What was read is kept as long as it fits in a third of the memory that was free, or
    in this process's share of that third.

    Parameters
    ----------
    directory
        Folder of the dataset.
    split
        "train", "val" or "test".
    res
        Resolution of the bodies; the highest if None. Labels have the lowest one.
    count
        Take that many samples, the first ones; all if None.
    orientation
        Whether bodies keep the orientations of their phases.
    readers
        Processes of this machine that read the same samples.

    Raises
    ------
    InputError
        No dataset there, no such resolution, fewer samples than `count`.
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
        card = Dataset(directory).card
        low = card.levels[-1]
        self.res = card.levels[0] if res is None else res
        levels = sorted({self.res, low}, reverse=True)
        self.samples = Dataset(
            directory, split, fields=("strain", "stress"), levels=levels
        )
        self.card, self.directory, self.split = card, directory, split
        available = len(self.samples)
        if count is not None and count > available:
            raise InputError(
                f"count {count}: {directory} has {available} samples for {split}"
            )
        self.used = available if count is None else count
        self.orientation = orientation
        self._kept: dict[int, list[Example]] = {}
        self._room = free_memory() // (3 * readers)

    @cached_property
    def loads(self) -> int:
        """Number of loads of each sample."""
        return len(self.card.loading.cases(self.card.seed, 0))

    def __len__(self) -> int:
        return self.used * self.loads

    def __getitem__(self, item: Any) -> Any:
        """One example, or a list of them for a slice."""
        if isinstance(item, slice):
            return [self[i] for i in range(*item.indices(len(self)))]
        number, load = divmod(range(len(self))[item], self.loads)
        found = self._kept.get(number)
        if found is None:
            found = self._read(self.samples[number])
            size = sum(_size(example) for example in found)
            if size <= self._room:
                self._room -= size
                self._kept[number] = found
        return found[load]

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
            )
            for k, load in enumerate(sample.loads.values())
        ]


def _size(example: Example) -> int:
    """Bytes of an example."""
    arrays = (example.body.phase, example.strain, example.stress, example.solid)
    return sum(array.nbytes for array in arrays if array is not None)
