"""What a kind of dataset is made of: one random body after the other."""

from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.random import SeedSequence

from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure

UNITS = {"stress": "GPa", "length": "box edge"}
"""What the numbers of every body mean."""


class Draw(NamedTuple):
    """One body of a dataset.

    Attributes
    ----------
    body
        Microstructure at the high resolution, with stiffness, in `UNITS`.
    statistics
        What is known of it, JSON-ready: numbers and names.
    """

    body: Microstructure
    statistics: dict[str, Any]


class Recipe(Protocol):
    """A kind of body; a frozen dataclass whose fields are JSON-ready parameters.

    Attributes
    ----------
    kind
        Name on the command line and in the card.
    load
        What is prescribed unless the user says otherwise.
    parts
        Samples for training, validation and test, in parts (80, 10, 10).
    """

    kind: ClassVar[str]
    load: ClassVar[Load]
    parts: ClassVar[tuple[int, int, int]]

    def draw(self, seed: int, index: int, res: int) -> Draw:
        """Make body `index` of the dataset with this seed, `res` voxels an edge.

        It depends on the arguments and the parameters alone.

        Raises
        ------
        InputError
            Parameters of which no body can be made at this resolution.
        """
        ...

    def available(self) -> int | None:
        """Number of different bodies that there are, None if endless."""
        ...


def body_seed(seed: int, index: int, attempt: int = 0) -> int:
    """Seed of one body, a number below 2^64 that depends on the arguments alone."""
    sequence = SeedSequence(seed, spawn_key=(index, attempt))
    return int(sequence.generate_state(1, np.uint64)[0])
