"""Recipe `polycrystal`: grains of lognormal sizes, each with its orientation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
from numpy.random import PCG64, Generator

from fftmech.datasets.recipe import (
    UNITS,
    GeneratedBody,
    Recipe,
    body_seed,
    first_sound,
    numbers,
)
from fftmech.errors import InputError
from fftmech.io.materials import read_materials
from fftmech.loads.load import Load
from fftmech.materials import elastic
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.polycrystal import polycrystal, target_fractions
from fftmech.microstructure.texture import Texture, texture_of

SHARE = 3 / 7
"""Mean of the number of grains, from the least (0) to the most (1): 24 of 21 to 28."""


@dataclass(frozen=True)
class PolycrystalRecipe(Recipe):
    """Unit cubes of 21 to 28 grains of austenitic steel, stretched along x.

    The number of grains is least + Binomial(most - least, 3/7), with mean 24. Published
    for such bodies, mu = -0.788 and sigma = 0.0998, are at variance with that number:
    grains of these diameters fill the unit cube with 19.4. Where a number of grains is
    given, sigma holds and the volumes are scaled to fill the cube, so that mu does not
    matter and the mean of ln D is that of `size_target`, -0.86 for 24 grains; without
    a number both hold, and there are about 19.4.

    Parameters
    ----------
    grains
        Least and most grains of a body; None: as many as fill the cube.
    sizes
        (mu, sigma), mean and standard deviation of ln D, with D the diameter of the
        sphere of equal volume in edges of the cube; None: Voronoi grains.
    periodic
        Whether grains continue through the faces of the cube, or that for each axis.
    cubic
        Crystal stiffness C11, C12, C44 (GPa).
    phases
        C11, C12, C44 (GPa) and volume fraction of further kinds of crystal.
    fibre, direction, peak, spread
        Texture, as in `texture_of`; without, orientations are uniformly random.
    creep
        Constants of the law `crystal_creep`, which crystals then obey instead of
        elasticity: viscoplastic ones that do not harden. They are stretched along x by
        `rate0` at constant volume.
    """

    kind: ClassVar[str] = "polycrystal"
    load: ClassVar[Load] = Load.uniaxial("xx", 8e-5)
    parts: ClassVar[tuple[int, int, int]] = (73, 25, 2)

    grains: tuple[int, int] | None = (21, 28)
    sizes: tuple[float, float] | None = (-0.788, 0.0998)
    periodic: bool | tuple[bool, bool, bool] = True
    cubic: tuple[float, float, float] = (204.6, 137.7, 126.2)
    phases: tuple[tuple[float, ...], ...] = ()
    fibre: str | None = None
    direction: tuple[float, float, float] | None = None
    peak: tuple[float, float, float] | None = None
    spread: float | None = None
    creep: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.grains is not None:
            least, most = numbers("grains", self.grains, ("least", "most"))
            if not (1 <= least <= most and least == int(least) and most == int(most)):
                raise InputError(
                    f"grains {least:g} to {most:g}", "whole numbers, 1 <= least <= most"
                )
            object.__setattr__(self, "grains", (int(least), int(most)))
        for name, expected in (
            ("sizes", ("mu", "sigma")),
            ("cubic", ("C11", "C12", "C44")),
            ("direction", ("h", "k", "l")),
            ("peak", ("phi1", "Phi", "phi2")),
        ):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, numbers(name, value, expected))
        if not isinstance(self.periodic, bool):
            object.__setattr__(self, "periodic", tuple(self.periodic))
        if self.spread is not None:
            (spread,) = numbers("spread", [self.spread], ("degrees",))
            object.__setattr__(self, "spread", spread)
        if self.grains is None and self.sizes is None:
            raise InputError("neither grains nor sizes: give one of them")
        if self.sizes is not None and self.sizes[1] < 0:
            raise InputError(f"sizes with sigma = {self.sizes[1]:g}", ">= 0")
        names = ("C11", "C12", "C44", "fraction")
        phases = tuple(numbers("phase", phase, names) for phase in self.phases)
        object.__setattr__(self, "phases", phases)
        elastic.cubic(*self.cubic)
        _ = self.others
        _ = self.texture
        if self.law:
            self._check_creep(self.law)
            object.__setattr__(self, "creep", self.law.constants())
            r = self.law.rate0
            rates = Load(strain={"xx": r, "yy": -r / 2, "zz": -r / 2})
            object.__setattr__(self, "load", rates)

    def _check_creep(self, law: CrystalCreep) -> None:
        if law.hardens:
            raise InputError(
                "crystals that harden in a dataset",
                "crystal_creep without tau1, theta0, theta1",
            )
        if self.phases or self.cubic != type(self).cubic:
            raise InputError(
                "elastic constants of crystals that obey crystal_creep",
                "the law alone",
            )

    @property
    def law(self) -> CrystalCreep | None:
        """The law of viscoplastic crystals."""
        if self.creep is None:
            return None
        law = CrystalCreep.parse(self.creep, CrystalCreep.name)
        assert isinstance(law, CrystalCreep)
        return law

    @property
    def nonlinear(self) -> bool:
        """See `Recipe`."""
        return self.creep is not None

    def within(self, periodic: tuple[bool, bool, bool]) -> Self:
        """The same, without grains that continue through faces of the box."""
        if self.creep:
            raise InputError(
                "crystals that obey crystal_creep in boxes with faces",
                "periodic boxes",
                "leave --boundary out",
            )
        return replace(self, periodic=periodic if any(periodic) else False)

    @property
    def others(self) -> list[tuple[np.ndarray, float]]:
        """Stiffness and fraction of further kinds of crystal."""
        return [(elastic.cubic(*c), fraction) for *c, fraction in self.phases]

    @property
    def texture(self) -> Texture | None:
        """Texture of every body."""
        return texture_of(self.fibre, self.direction, self.peak, self.spread)

    def count(self, seed: int, index: int) -> int | None:
        """Grains of body `index`, the same in all attempts; None: as they fill it."""
        if self.grains is None:
            return None
        least, most = self.grains
        # a sum of coins is the same on every platform
        random = Generator(PCG64(body_seed(seed, index)))
        return least + int((random.random(most - least) < SHARE).sum())

    def draw(self, seed: int, index: int, res: int) -> GeneratedBody:
        """Make body `index`; phase p is grain p.

        Statistics: the number of grains, mean and standard deviation of ln D, both
        counted on the voxels, and with `sizes` the largest relative error of a grain's
        volume.
        """
        count = self.count(seed, index)
        return first_sound(lambda of: self._attempt(of, count, res), seed, index)

    def _attempt(self, seed: int, count: int | None, res: int) -> GeneratedBody:
        body = polycrystal(
            res,
            count,
            seed,
            self.sizes,
            self.periodic,
            elastic.cubic(*self.cubic),
            self.texture,
            self.others,
        )
        logs = log_diameters(body)
        statistics: dict[str, Any] = {
            "grains": len(logs),
            "mean_log_diameter": float(logs.mean()),
            # of one grain there is none
            "std_log_diameter": float(logs.std(ddof=1)) if len(logs) > 1 else 0.0,
        }
        if self.sizes is not None:
            target = target_fractions(res, count, self.sizes, seed)
            error = np.abs(body.fractions / target - 1).max()
            statistics["volume_error"] = float(error)
        if self.law:
            laws = dict.fromkeys(range(len(body.counts)), self.law)
            body = body.with_changes(stiffness=None, law=laws)
        return GeneratedBody(body.with_changes(units=UNITS), statistics)


def creep_constants(materials: str | PathLike) -> dict[str, Any]:
    """Constants of `crystal_creep`, which [default] of a materials file obeys."""
    found = read_materials(materials)
    law = found.default and found.default.law
    if not isinstance(law, CrystalCreep) or found.phases or found.materials:
        raise InputError(
            f"{materials}: the law of a polycrystal's grains",
            "[default] with crystal_creep, and nothing else",
            "elastic crystals are --cubic and --phase",
        )
    unit = found.units.get("stress", UNITS["stress"])
    if unit != UNITS["stress"]:
        raise InputError(f"{materials}: units = {unit!r}", UNITS["stress"])
    return law.constants()


def log_diameters(body: Microstructure) -> np.ndarray:
    """Logarithm of each grain's diameter, of the sphere of equal volume, in edges."""
    return np.log(6 / np.pi * body.fractions[body.phases]) / 3


def size_target(count: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of ln D of lognormal grains that fill a unit cube.

    3 mu + 9 sigma^2 / 2 = ln(6 / (pi count)), for the mean volume is 1 / count.
    """
    return float(np.log(6 / (np.pi * count)) / 3 - 1.5 * sigma**2), sigma
