"""Memory that is free, and a refusal of work that needs more, before it is taken."""

from collections.abc import Sequence
from pathlib import Path

from fftmech.arrays.cgroups import ROOT, memory_left
from fftmech.arrays.ranks import ALONE, Ranks
from fftmech.errors import InputError


def free_memory(root: Path = ROOT) -> int:
    """Bytes that this process may still take, of the machine and its control groups."""
    # here, because most of what imports this module asks for no memory
    import psutil

    return int(min(psutil.virtual_memory().available, memory_left(root)))


def check_bytes(
    needed: int, what: str, remedy: str = "lower --res", ranks: Ranks = ALONE
) -> None:
    """Refuse work that takes more memory than is free.

    Parameters
    ----------
    needed
        Estimate in bytes.
    what, remedy
        How the message names the work, and what to do about it.
    ranks
        Processes that share the work; `needed` and what is free are of one machine.

    Raises
    ------
    InputError
        With the estimate and what is free.
    """
    free = free_memory()
    # the machine that lacks most speaks for all
    missing, needed, free = ranks.max((needed - free, needed, free))
    if missing > 0:
        where = " on one machine" if ranks.size > 1 else ""
        raise InputError(
            f"{what} needs about {needed / 2**30:.3g} GiB{where} and "
            f"{free / 2**30:.3g} GiB are free",
            mend=remedy,
        )


def size_text(shape: Sequence[int]) -> str:
    """Shape of a grid or array as messages write it: "64 x 64 x 1"."""
    return " x ".join(map(str, shape))
