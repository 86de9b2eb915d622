"""The loads under which each body of a dataset is solved, and the faces of its box."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
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
    components). These two need a box whose faces leave all mean strains to the load.

    `boundary` are the conditions on the faces of a box that is not periodic, or None.
    """

    mode: str = "fixed"
    load: Load | None = None
    boundary: Boundary | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"loads {self.mode!r}", f"one of {', '.join(MODES)}")
        if (self.load is None) == (self.mode == "fixed"):
            raise InputError(
                f"loads {self.mode!r}: a load is given with 'fixed', and only with it"
            )
        if self.boundary is None:
            return
        if all(self.boundary.periodic) or self.boundary.displacement is not None:
            raise InputError(
                f"boundary {self.boundary} of a dataset",
                "faces that are not periodic, without a displacement of their own",
            )
        if self.load is not None:
            self.boundary.affine(self.load)
            return
        for name in COMPONENTS:
            if self.boundary.role(name) != "prescribed":
                raise InputError(
                    f"loads {self.mode!r} with boundary {self.boundary}, which decides "
                    f"on strain {name}",
                    "faces that leave all mean strains to the load",
                    "give one load, or choose other faces",
                )

    @property
    def periodic(self) -> tuple[bool, bool, bool]:
        """Axes along which the box is periodic."""
        return (self.boundary or Boundary()).periodic

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
        document: dict[str, Any] = {"mode": self.mode}
        if self.load is not None:
            document["strain"] = dict(self.load.strain)
            document["stress"] = dict(self.load.stress)
        if self.boundary is not None:
            document["boundary"] = self.boundary.as_dict()
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Loading":
        """Make it from what `as_dict` returned."""
        load = boundary = None
        if document["mode"] == "fixed":
            load = Load(document["strain"], document["stress"])
        if "boundary" in document:
            boundary = Boundary(**document["boundary"])
        return cls(document["mode"], load, boundary)
