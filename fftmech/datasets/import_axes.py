"""Ways in which the axes of arrays may be other ones than a mapping says.

Components stay what they are stated to be. Two axes may be exchanged, or one run
backwards, as in images that begin in a corner of their own.
"""

from collections.abc import Iterator
from itertools import permutations, product
from typing import NamedTuple

import numpy as np


class Move(NamedTuple):
    """Axes of an array in another order, then some of them reversed (sign -1)."""

    axes: tuple[int, ...]
    signs: tuple[int, ...]

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Move an array (x, y, z)."""
        turned = array.transpose(self.axes)
        return turned[tuple(slice(None, None, sign) for sign in self.signs)]

    def words(self, where: str) -> str:
        """What to change in the axes that are stated."""
        named = ["xyz"[self.axes.index(i)] for i in range(3)]
        other = [a for a, b in zip("xyz", named, strict=True) if a != b]
        said = []
        if len(other) == 2:
            said.append(f"{' and '.join(other)} exchanged in {where}")
        elif other:
            said.append(f"x, y, z named {', '.join(named)} in {where}")
        backwards = [a for a, sign in zip("xyz", self.signs, strict=True) if sign < 0]
        if backwards:
            said.append(f"{' and '.join(backwards)} reversed")
        return " and ".join(said)


def moves() -> Iterator[Move]:
    """The 47 ways to exchange and reverse axes."""
    for axes, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        if (axes, signs) != ((0, 1, 2), (1, 1, 1)):
            yield Move(axes, signs)


def moved_fields(field: np.ndarray) -> dict[str, np.ndarray]:
    """A field (6, x, y, z) with axes exchanged, or one reversed, by what that is."""
    return {
        move.words("axes") + ", of all arrays": np.stack([move(c) for c in field])
        for move in moves()
        if (move.axes != (0, 1, 2)) + move.signs.count(-1) == 1
    }
