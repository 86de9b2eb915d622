"""Recipe `pores`: one irregular pore, as laser powder-bed fusion leaves them."""

from dataclasses import dataclass
from math import exp, log
from typing import Any, ClassVar

import numpy as np
from numpy.random import PCG64, Generator

from fftmech.datasets.recipe import (
    UNITS,
    GeneratedBody,
    Recipe,
    balanced,
    first_sound,
    interval,
    numbers,
)
from fftmech.loads.load import Load
from fftmech.materials.elastic import PORE, isotropic
from fftmech.microstructure.pores import KINDS, single_pore
from fftmech.microstructure.shape import BodyShape, centred


@dataclass(frozen=True)
class PoresRecipe(Recipe):
    """One pore at the centre of a periodic cube of Ti-6Al-4V, built along z.

    Classes (`fftmech.microstructure.pores.KINDS`) are balanced: any three bodies
    3 k, 3 k + 1, 3 k + 2 are one of each, in random order.

    Parameters
    ----------
    fraction
        Least and largest volume fraction; its logarithm is uniform between them. At
        the largest of the default the longest pores span 0.8 of the edge; at the
        smallest a flat pore is 5 voxels thick in a cube of 64.
    E, nu
        Young's modulus (GPa) and Poisson's ratio of the solid.
    """

    kind: ClassVar[str] = "pores"
    load: ClassVar[Load] = Load.uniaxial("zz", 1e-3)

    fraction: tuple[float, float] = (0.002, 0.02)
    E: float = 113.8
    nu: float = 0.342

    def __post_init__(self) -> None:
        object.__setattr__(self, "fraction", interval("fraction", self.fraction, 1.0))
        solid_and_pore(self.E, self.nu)

    def draw(self, seed: int, index: int, res: int) -> GeneratedBody:
        """Make body `index`: phase 0 is the solid, 1 the pore.

        Statistics are its class and those of `shape_statistics`.
        """
        name = balanced(list(KINDS), seed, index)
        return first_sound(lambda of: self._attempt(name, of, res), seed, index)

    def _attempt(self, name: str, seed: int, res: int) -> GeneratedBody:
        random = Generator(PCG64(seed))
        low, high = self.fraction
        fraction = exp(log(low) + random.random() * (log(high) - log(low)))
        body = single_pore(
            res,
            name,
            fraction,
            stiffness=solid_and_pore(self.E, self.nu)[0],
            seed=int(random.integers(2**63)),
        )
        pore = centred(body.phase == 1)
        statistics = {"class": name, **shape_statistics(BodyShape.measure(pore), res)}
        return GeneratedBody(body.with_changes(phase=pore, units=UNITS), statistics)


def shape_statistics(shape: BodyShape, res: int) -> dict[str, Any]:
    """Numbers of a pore in a cube of `res` voxels an edge, lengths in edges.

    Volume fraction, diameter of the ball of equal volume, sphericity, and the ratios of
    the semi-axes of the equivalent ellipsoid.
    """
    return {
        "fraction": shape.volume / res**3,
        "diameter": shape.diameter / res,
        "sphericity": shape.sphericity,
        "aspect_ratio": shape.aspect_ratio,
        "elongation": shape.elongation,
        "flatness": shape.flatness,
    }


def solid_and_pore(E: float, nu: float) -> np.ndarray:
    """Stiffness of phase 0, isotropic, and of phase 1, empty, (2, 6, 6)."""
    E, nu = numbers("solid", (E, nu), ("E", "nu"))
    return np.stack([isotropic(E=E, nu=nu), PORE])
