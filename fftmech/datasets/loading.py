"""The loads under which each body of a dataset is solved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.tensors import COMPONENTS, components_from_mandel

MODES = ("fixed", "random", "six")

STREAM = 2**31
"""Last word of the seeds of random loads; those of bodies are small."""


@dataclass(frozen=True)
class Loading:
    """One load for all bodies, a random one for each, or the six unit strains.

    The mode "fixed" takes a load; "random" is six mean strains, uniform on the sphere
    of Mandel norm 1; "six" is each mean strain in turn 1, the others 0 (tensor
    components).
    """

    mode: str = "fixed"
    load: Load | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"loads {self.mode!r}", f"one of {', '.join(MODES)}")
        if (self.load is None) == (self.mode == "fixed"):
            raise InputError(
                f"loads {self.mode!r}: a load is given with 'fixed', and only with it"
            )

    def cases(self, seed: int, index: int) -> dict[str, Load]:
        """Loads of one body by name, "" where there is one."""
        if self.mode == "six":
            return {name: Load(strain={name: 1.0}) for name in COMPONENTS}
        if self.mode == "random":
            sequence = SeedSequence(seed, spawn_key=(index, STREAM))
            mandel = Generator(PCG64(sequence)).standard_normal(6)
            strain = components_from_mandel(mandel / np.linalg.norm(mandel)).tolist()
            return {"": Load(strain=dict(zip(COMPONENTS, strain, strict=True)))}
        assert self.load is not None
        return {"": self.load}

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON for `from_dict`."""
        if self.load is None:
            return {"mode": self.mode}
        return {
            "mode": self.mode,
            "strain": dict(self.load.strain),
            "stress": dict(self.load.stress),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Loading":
        """Make it from what `as_dict` returned."""
        if document["mode"] != "fixed":
            return cls(document["mode"])
        return cls("fixed", Load(document["strain"], document["stress"]))
