"""A sample of a dataset: one body at several resolutions, solved at some of them."""

from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result

FIELDS = ("strain", "stress", "displacement", "displacement_gradient")
"""Fields that a sample holds, where it was solved; the last of boxes with faces."""

OTHER_PROGRAM = "other program"
"""Solver of samples whose fields were imported; they have no displacement, and their
tolerance is how far law and means may be off (`fftmech.datasets.imported`)."""


@dataclass(frozen=True, eq=False)
class Level:
    """A sample at one resolution; of L loads each field has L entries, or it is None.

    Parameters
    ----------
    body
        The microstructure.
    strain, stress
        Voxel averages, Mandel, float32, (L, 6, nx, ny, nz); stress in stress units.
    displacement
        Fluctuation at the scheme's nodes (length units), float32, (L, 3, nx, ny, nz),
        one node more along an axis that is not periodic.
    displacement_gradient
        H = grad u of the total displacement, [i, j] = du_i/dx_j, voxel averages,
        float32, (L, 3, 3, nx, ny, nz); its symmetric part is the strain. Only of boxes
        with faces. F is 1 + H.
    mean_strain, mean_stress
        Volume averages, Mandel, float64, (L, 6).
    iterations, residual
        Of each solve, and the relative equilibrium residual that it reached, L each.
    """

    body: Microstructure
    strain: np.ndarray | None = None
    stress: np.ndarray | None = None
    displacement: np.ndarray | None = None
    displacement_gradient: np.ndarray | None = None
    mean_strain: np.ndarray | None = None
    mean_stress: np.ndarray | None = None
    iterations: tuple[int, ...] = ()
    residual: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Sample:
    """One body of a dataset, its loads, and its solutions.

    Parameters
    ----------
    index, seed, split
        Its number, the seed of its dataset, and "train", "val" or "test".
    statistics
        Numbers and names that its recipe computes: grain count, sphericity, ...
    scheme, solver, tolerance, precision
        How it was solved.
    loads
        By name; the one load of a sample has the name "".
    levels
        By resolution (voxels of the longest edge), the highest first.
    boundary
        Conditions on the faces of a box that is not periodic, else None.
    """

    index: int
    seed: int
    split: str
    statistics: dict[str, Any]
    scheme: str
    solver: str
    tolerance: float
    precision: str
    loads: dict[str, Load]
    levels: dict[int, Level]
    boundary: Boundary | None = None

    def __repr__(self) -> str:
        solved = [n for n, level in self.levels.items() if level.iterations]
        return (
            f"<Sample {self.index}: {self.split}, resolutions {list(self.levels)}, "
            f"solved at {solved}, {len(self.loads)} load(s)>"
        )

    @cached_property
    def high(self) -> Level:
        """The highest resolution."""
        return next(iter(self.levels.values()))

    @cached_property
    def low(self) -> Level:
        """The lowest resolution: the one that is solved in every sample."""
        return next(reversed(self.levels.values()))

    def result(self, res: int | None = None, load: str | None = None) -> Result:
        """One solution, as `fftmech.solve` returns it, so that it can be drawn.

        It is that of the lowest resolution and the first load unless others are given.
        The energy density is half of strain : stress, of voxel averages (None where no
        constitutive law is known); residuals are the last alone. All fields must have
        been read.
        """
        res = next(reversed(self.levels)) if res is None else res
        names = list(self.loads)
        load = names[0] if load is None else load
        level = self.levels.get(res)
        if level is None or not level.iterations or load not in names:
            solved = [n for n, found in self.levels.items() if found.iterations]
            raise InputError(
                f"sample {self.index}: no solution at {res}, load {load!r}; it has "
                f"{solved}, loads {names}"
            )
        wanted = FIELDS[:2] if self.solver == OTHER_PROGRAM else FIELDS[:3]
        if any(getattr(level, field) is None for field in wanted):
            raise InputError(
                f"sample {self.index}: a result has {', '.join(wanted)}",
                mend="read all",
            )
        assert level.mean_strain is not None and level.mean_stress is not None
        assert level.strain is not None and level.stress is not None
        u = level.displacement
        k = names.index(load)
        # of an unknown law half of strain : stress is no energy
        energy = None
        if level.body.stiffness is not None:
            energy = np.einsum("cxyz,cxyz->xyz", level.strain[k], level.stress[k]) / 2
        return Result(
            microstructure=level.body,
            load=self.loads[load],
            scheme=self.scheme,
            solver=self.solver,
            tolerance=self.tolerance,
            displacement=None if u is None else u[k],  # pyright: ignore[reportArgumentType]
            strain=level.strain[k],
            stress=level.stress[k],
            energy_density=energy,  # pyright: ignore[reportArgumentType]
            mean_strain=level.mean_strain[k],
            mean_stress=level.mean_stress[k],
            energy=nan if energy is None else float(energy.mean(dtype=float)),
            status="converged",
            advice="",
            iterations=level.iterations[k],
            residuals=[level.residual[k]],
            precision=self.precision,
            boundary=self.boundary,
        )
