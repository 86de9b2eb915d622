"""Recipe `composites`: particles and fibres in a matrix, over a range of contrasts."""

from dataclasses import dataclass
from math import exp, inf, log
from typing import ClassVar

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from fftmech.datasets.recipe import (
    UNITS,
    GeneratedBody,
    Recipe,
    balanced,
    first_sound,
    interval,
    numbers,
)
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.materials.elastic import isotropic
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.inclusions import inclusions

MOST = {"spheres": 0.35, "ellipsoids": 0.3, "short-fibres": 0.18, "fibres": 0.35}
"""Classes, and the largest volume fraction that is asked of each.

So much 64 voxels an edge hold. At 32, spheres and ellipsoids jam near 0.3; a body that
jams is drawn anew.
"""

LONGEST = 0.45
"""Half of the longest inclusion, in edges: it must not touch its own image."""


@dataclass(frozen=True)
class CompositesRecipe(Recipe):
    """Unit cubes of inclusions that do not touch, in a matrix, stretched along x.

    Classes are balanced: each block of as many bodies as classes has each once. Of
    spheres all semi-axes are the radius; of ellipsoids one is, and the others are up to
    twice that; short fibres are prolate ellipsoids 3 to 6 times as long as thick, and
    as thin as the range of radii allows; fibres are parallel cylinders along x, y or z
    that go through the cube.

    Parameters
    ----------
    shapes
        Classes, of spheres, ellipsoids, short-fibres, fibres.
    fraction
        Least and largest volume fraction wanted, uniform between them; ellipsoids end
        at 0.3, short fibres at 0.18, unless the least is above that.
    radius
        Least and largest radius in edges of the cube, uniform between them.
    contrast
        Least and largest ratio of Young's moduli, inclusion to matrix; its logarithm is
        uniform between them.
    matrix
        Young's modulus (GPa) and Poisson's ratio of the matrix.
    nu
        Poisson's ratio of the inclusions.
    """

    kind: ClassVar[str] = "composites"
    load: ClassVar[Load] = Load.uniaxial("xx", 1e-3)

    shapes: tuple[str, ...] = tuple(MOST)
    fraction: tuple[float, float] = (0.05, 0.35)
    radius: tuple[float, float] = (0.065, 0.14)
    contrast: tuple[float, float] = (2.0, 1000.0)
    matrix: tuple[float, float] = (3.0, 0.35)
    nu: float = 0.2

    def __post_init__(self) -> None:
        known = isinstance(self.shapes, (list, tuple)) and set(self.shapes) <= set(MOST)
        if not (known and self.shapes):
            raise InputError(f"shapes {self.shapes!r}", f"some of {', '.join(MOST)}")
        object.__setattr__(self, "shapes", tuple(self.shapes))
        for name in ("fraction", "radius", "contrast"):
            below = 1.0 if name == "fraction" else inf
            object.__setattr__(self, name, interval(name, getattr(self, name), below))
        object.__setattr__(self, "matrix", numbers("matrix", self.matrix, ("E", "nu")))
        object.__setattr__(self, "nu", numbers("nu", [self.nu], ("nu",))[0])
        self._stiffness(1.0)

    def draw(self, seed: int, index: int, res: int) -> GeneratedBody:
        """Make body `index`: phase 0 is the matrix, 1 the inclusions.

        Statistics: its class, the volume fraction that it has, the contrast, and the
        number of inclusions.
        """
        shape = balanced(self.shapes, seed, index)
        return first_sound(lambda of: self._attempt(of, shape, res), seed, index)

    def _attempt(self, seed: int, shape: str, res: int) -> GeneratedBody:
        # not the random numbers with which the inclusions are placed
        random = Generator(PCG64(SeedSequence(seed).spawn(1)[0]))
        low, high = self.fraction
        fraction = _between(low, max(low, min(high, MOST[shape])), random.random())
        low, high = (log(end) for end in self.contrast)
        contrast = exp(_between(low, high, random.random()))
        matrix, inclusion = self._stiffness(contrast)
        radius, aspect = self._form(shape, random.random(), random.random())
        axis = int(random.integers(3))
        body = inclusions(
            (res, res, 1) if shape == "fibres" else res,
            fraction,
            radius,
            matrix,
            inclusion,
            aspect,
            seed,
        )
        if shape == "fibres":
            # discs, drawn out along an axis
            phase = np.moveaxis(np.repeat(body.phase, res, axis=2), 2, axis)
            body = Microstructure(Grid(phase.shape), phase, body.stiffness)
        statistics = {
            "class": shape,
            "fraction": float(body.fractions[1]),
            "contrast": contrast,
            "inclusions": inclusion_count(body.phase),
        }
        return GeneratedBody(body.with_changes(units=UNITS), statistics)

    def _form(
        self, shape: str, a: float, b: float
    ) -> tuple[tuple[float, float], tuple[float, float, float]]:
        """Range of the radius, and semi-axes over it; a and b are uniform numbers."""
        thin, thick = self.radius
        if shape == "ellipsoids":
            most = min(2.0, max(1.0, LONGEST / thick))
            return self.radius, (1.0, _between(1.0, most, a), _between(1.0, most, b))
        if shape == "short-fibres":
            most = min(6.0, max(3.0, LONGEST / thin))
            return (thin, thin), (1.0, 1.0, _between(3.0, most, a))
        return self.radius, (1.0, 1.0, 1.0)

    def _stiffness(self, contrast: float) -> tuple[np.ndarray, np.ndarray]:
        E, nu = self.matrix
        return isotropic(E=E, nu=nu), isotropic(E=contrast * E, nu=self.nu)


def inclusion_count(phase: np.ndarray) -> int:
    """Number of inclusions (phase 1) that do not touch, in the periodic box."""
    from scipy.ndimage import label
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # the last layers again before the first ones: what is in both is one
    labels = np.empty([n + 1 for n in phase.shape], dtype=np.int32)
    label(np.pad(phase == 1, (1, 0), "wrap"), np.ones((3, 3, 3)), output=labels)
    sides = [np.moveaxis(labels, axis, 0)[[0, -1]] for axis in range(3)]
    first, last = np.concatenate([side.reshape(2, -1) for side in sides], axis=1)
    labelled = labels.max() + 1
    links = coo_array((np.ones(len(first)), (first, last)), shape=(labelled, labelled))
    pieces, _ = connected_components(links, directed=False)
    # label 0 is all that is no inclusion
    return pieces - 1


def _between(low: float, high: float, uniform: float) -> float:
    return low + (high - low) * uniform
