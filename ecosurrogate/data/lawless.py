"""Bodies and fields of which no constitutive law is known.

Without a stiffness there is no unit in which all bodies are alike: strain and stress
have one unit each, from the training set, and a model knows the load that it was
trained on, no multiple of it.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure

NO_LAW = "the model knows no constitutive law"
"""Why there is no certificate."""


class Scales(NamedTuple):
    """Units of strain and of stress: root mean squares of fields, Mandel norm."""

    strain: float
    stress: float

    @classmethod
    def of(cls, strain: np.ndarray, stress: np.ndarray) -> "Scales":
        """Those of one strain and one stress, (6, x, y, z)."""
        squares = (6 * np.mean(np.square(f, dtype=float)) for f in (strain, stress))
        return cls(*np.sqrt([*squares]).tolist())

    @classmethod
    def mean(cls, samples: Sequence["Scales"]) -> "Scales":
        """Those of a training set, of the scales of its samples."""
        return cls(*np.sqrt(np.square(samples).mean(axis=0)).tolist()).check()

    def check(self) -> "Scales":
        """Return self if both are positive numbers."""
        for name, value in self._asdict().items():
            if not (isfinite(value) and value > 0):
                raise InputError(
                    f"{name} of size {value:g} in the training set",
                    "fields that do not vanish",
                )
        return self


def without_law(body: Microstructure, units: Mapping[str, str]) -> Microstructure:
    """Return what a model without a law sees of a body, its stress in the model's unit.

    Notes say what is left out. InputError of a body with voxels that nobody measured.
    """
    if body.unindexed_voxels:
        raise InputError(
            f"{body.unindexed_voxels} of {body.grid.voxels} voxels are not indexed: "
            "nobody measured what they are",
            mend="say it with --unindexed nearest",
        )
    parts = {
        name: getattr(body, name)
        for name in ("stiffness", "eigenstrain", "thermal_expansion")
    }
    left_out = [name.replace("_", " ") for name, v in parts.items() if v is not None]
    if body.law:
        left_out.append("laws")
    stress = {name: unit for name, unit in units.items() if name == "stress"}
    bare = body.with_changes(
        **dict.fromkeys(parts), law={}, units={**body.units, **stress}
    )
    if not left_out:
        return bare
    return bare.noted(f"{NO_LAW}; not used of the body: {', '.join(left_out)}")
