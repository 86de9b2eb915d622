"""How a server is to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike

from ecosurrogate.evaluation.predict import BYTES
from ecosurrogate.server.gate import Limits
from fftmech.arrays.memory import free_memory


@dataclass(frozen=True)
class Settings:
    """How a server is to be.

    Attributes
    ----------
    runs
        Folders of trained runs by the names that clients use.
    device
        "cpu" or "cuda", of the models.
    workers
        Processes that read bodies, and as many that solve.
    token
        That clients have to show; None for no token.
    local
        Whether it is for this machine only.
    queue
        Predictions that may wait, and jobs.
    voxels
        Of a body at most; what half of the free memory takes if None.
    seconds
        That one piece of work may take.
    limits
        Of a request.
    """

    runs: Mapping[str, str | PathLike]
    device: str = "cpu"
    workers: int = 1
    token: str | None = None
    local: bool = True
    queue: int = 64
    voxels: int | None = None
    seconds: float = 600.0
    limits: Limits = field(default_factory=Limits)


def affordable() -> int:
    """Voxels of a prediction that half of the free memory takes."""
    return max(1, free_memory() // 2 // BYTES)
