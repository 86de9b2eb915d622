"""Element sets of Abaqus decks: lists of numbers and of other sets, and ranges."""

from collections.abc import Mapping

import numpy as np

from fftmech.errors import InputError
from fftmech.io.abaqus_deck import Block


class Sets:
    """Element sets by name: the places of their elements among all.

    Parameters
    ----------
    name
        The deck, for messages.
    listed
        Blocks of *ELSET by the name of the set, in capitals.
    own
        Numbers of elements that *ELEMENT itself put into a set.
    number
        Numbers of all elements.
    """

    def __init__(
        self,
        name: str,
        listed: Mapping[str, list[Block]],
        own: Mapping[str, list[np.ndarray]],
        number: np.ndarray,
    ) -> None:
        self.name, self.listed, self.own = name, listed, own
        self.order = np.argsort(number)
        self.sorted = number[self.order]
        self.known: dict[str, np.ndarray | None] = {}

    def members(self, name: str) -> np.ndarray:
        """Return the places of a set's elements, each once."""
        if name not in self.listed and name not in self.own:
            raise InputError(f"{self.name}: no element set {name}")
        if name not in self.known:
            self.known[name] = None
            parts = [self._places(listed) for listed in self.own.get(name, [])]
            parts += [self._listed(block) for block in self.listed.get(name, [])]
            self.known[name] = np.unique(np.concatenate(parts))
        found = self.known[name]
        if found is None:
            raise InputError(f"{self.name}: element set {name} is a part of itself")
        return found

    def _listed(self, block: Block) -> np.ndarray:
        """Places of what is listed, numbers or names of sets, or of a range."""
        if "GENERATE" in block.options:
            found = []
            for row in block.rows():
                first, last = float(row[0]), float(row[1])
                step = float(row[2]) if len(row) > 2 and row[2] else 1.0
                low, high = np.searchsorted(self.sorted, [first, last + 0.5])
                some = np.arange(low, max(low, high))
                found.append(self.order[some[(self.sorted[some] - first) % step == 0]])
            return np.concatenate(found)
        words = [word for row in block.rows() for word in row if word]
        numbers = np.array([word for word in words if word.isdecimal()], dtype=float)
        others = [self.members(word.upper()) for word in words if not word.isdecimal()]
        return np.concatenate([self._places(numbers), *others])

    def _places(self, numbers: np.ndarray) -> np.ndarray:
        found = np.searchsorted(self.sorted, numbers)
        found = np.minimum(found, len(self.sorted) - 1)
        return self.order[found[self.sorted[found] == numbers]]
