"""Training on fields of which no constitutive law is known: what bodies are shown as.

How a phase responds in another direction is unknown then. A symmetry that turns a body
may be used if it turns the orientations that the network is shown, or if the phases are
stated to be isotropic. An inversion through a point may always be: it leaves every
strain and stress as it is, and so every law of the two.
"""

from collections.abc import Collection, Sequence

from ecosurrogate.data.representation import ORIENTED, of_phases, phase_ids
from ecosurrogate.data.symmetry import Symmetry
from ecosurrogate.training.config import Config
from fftmech.datasets.mapping import FieldMapping
from fftmech.errors import InputError


def representation(stated: FieldMapping, phases: Collection[int] = (0,)) -> str:
    """How bodies are shown unless a run says it: orientations if there are any."""
    return "rotation" if stated.orientation else of_phases(sorted(phases))


def sound_moves(
    moves: Sequence[Symmetry], stated: FieldMapping, config: Config
) -> tuple[tuple[Symmetry, ...], tuple[str, ...]]:
    """Those of some symmetries that are known to move solutions to solutions.

    Also notes on what is left out, and on what is assumed as no law is known.
    """
    shown = stated.orientation is not None and config.representation in ORIENTED
    used = tuple(moves)
    if not (stated.isotropic or shown):
        used = tuple(g for g in moves if g.axes == (0, 1, 2) and len({*g.signs}) == 1)
    return used, _notes(config, len(used), len(moves))


def check_phases(config: Config, train: Collection[int], val: Collection[int]) -> None:
    """Refuse phases for validation, or of the representation, that are not trained."""
    unknown = sorted({*val} - {*train})
    ids = phase_ids(config.representation)
    if ids is None:
        return
    if unknown:
        raise InputError(
            f"phase {', '.join(map(str, unknown[:8]))} is in samples for validation "
            "and in none for training",
            mend="import with other --splits",
        )
    untrained = sorted({*ids} - {*train})
    if untrained:
        raise InputError(
            f"representation {config.representation}: phase "
            f"{', '.join(map(str, untrained))} is in no sample for training",
            f"{of_phases(sorted(train))}",
        )


def _notes(config: Config, used: int, every: int) -> tuple[str, ...]:
    found = []
    if used < every:
        found.append(
            f"samples are moved by {used} of {every} symmetries: whether phases "
            "respond alike in all directions is unknown ([phase] isotropic = true in "
            "the mapping states it)"
        )
    if config.representation in ORIENTED:
        found.append(
            "grains are told apart by their orientation alone: all are taken to be of "
            "one material"
        )
    if config.representation in ("quaternion", "cubic-harmonics"):
        found.append(
            f"representation {config.representation} takes crystals to be cubic, which "
            "nothing states"
        )
    return tuple(found)
