"""Random batches of training examples, each moved by a random symmetry.

Batch k follows from the seed and k alone, so that a run can be resumed at any step.
"""

from dataclasses import dataclass

import numpy as np

from ecosurrogate.data.examples import Examples
from ecosurrogate.data.symmetry import Symmetry, symmetries
from ecosurrogate.training.config import SEE_LOAD, Config
from fftmech.errors import InputError


@dataclass(frozen=True)
class Sampler:
    """Which of `count` examples a step takes, and by which of `moves` each is moved.

    The last examples of an epoch may be followed in a batch by the next epoch's.
    """

    count: int
    batch: int
    seed: int
    moves: tuple[Symmetry, ...]

    def __call__(self, step: int) -> list[tuple[int, Symmetry]]:
        """Numbers of the examples of a step, and their symmetries."""
        places = range(step * self.batch, (step + 1) * self.batch)
        return [self._draw(*divmod(place, self.count)) for place in places]

    def _draw(self, epoch: int, place: int) -> tuple[int, Symmetry]:
        order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
        rng = np.random.default_rng([self.seed, epoch, place])
        return int(order[place]), self.moves[rng.integers(len(self.moves))]


def allowed_moves(
    config: Config, scheme: str, examples: Examples
) -> tuple[Symmetry, ...]:
    """Symmetries under which a model may see the training set.

    Those that the scheme's derivative commutes with; of a model that does not see the
    load, those that keep it: there has to be one load for all. Where no constitutive
    law is known, see `ecosurrogate.training.without_law` too.
    """
    learned = None
    if not config.sees_load:
        mode = examples.card.loading.mode
        if mode != "fixed":
            raise InputError(
                f"{examples.directory} has loads {mode!r}, and model {config.model} "
                "does not see the load: take a dataset with one load for all, or "
                f"{' or '.join(SEE_LOAD)}"
            )
        learned = examples.card.loading.load
    faces = examples.card.loading.boundary
    found = symmetries(scheme, examples[0].body.grid, learned, faces)
    return found if config.augment else found[:1]
