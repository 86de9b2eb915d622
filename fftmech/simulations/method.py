"""How a problem is solved, and what to do where that fails."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import prod
from numbers import Integral, Real
from typing import Any, TypedDict

import numpy as np

from fftmech.arrays.backend import Backend, get_backend
from fftmech.arrays.memory import check_bytes, size_text
from fftmech.arrays.ranks import ALONE, Ranks
from fftmech.arrays.threads import processors
from fftmech.discretization import discretization
from fftmech.discretization.base import Discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.kernels import has_kernels
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.field_names import FIELDS

PRECISIONS = {"double": np.float64, "single": np.float32}

LINEAR = {"scheme": "bbar", "solver": "cg"}
"""Scheme and solver of linear elasticity if none is named.

Of all schemes `bbar` has the least error of fields in equal time
(docs/which-scheme.md).
"""

NONLINEAR = {"scheme": "rotated", "solver": "newton"}
"""The same of other laws, load paths and finite strain.

A law is evaluated at each integration point, and `rotated` has one of them, not eight.
"""

RIGID = {**LINEAR, "solver": "dual"}
"""The same of linear elasticity with rigid phases."""


WORDS = {"strain": 6, "stress": 6, "energy_density": 1, "von_mises": 1}
"""Numbers a voxel of the fields that a solution does not hold already."""


class MethodOptions(TypedDict, total=False):
    """The fields of `Method`, as keywords."""

    scheme: str | None
    solver: str | None
    tolerance: float | None
    energy_tolerance: float | None
    max_iterations: int
    device: str
    precision: str
    threads: int | None
    reference: tuple[float, float] | None


@dataclass(frozen=True)
class Method:
    """What a solve is asked for, apart from the body and its load.

    Parameters
    ----------
    scheme, solver
        Names in `fftmech.SCHEMES` and `fftmech.SOLVERS` or `NONLINEAR_SOLVERS`.
    tolerance
        On the relative equilibrium residual; the stress is right to
        `fftmech.solvers.base.STRESS` times it. `default_tolerance` if None.
    energy_tolerance
        On the certificate instead (`Certificate.relative`), of bodies that have one.
    max_iterations
        Of one load or increment.
    device, precision, threads
        "cpu" or "cuda"; "double" or "single"; threads (all if None).
    reference
        Bulk and shear modulus of the reference medium (stress units), or None.

    Raises
    ------
    InputError
        Numbers that no solve can use, naming the option.
    """

    scheme: str = LINEAR["scheme"]
    solver: str = LINEAR["solver"]
    tolerance: float | None = None
    energy_tolerance: float | None = None
    max_iterations: int = 1000
    device: str = "cpu"
    precision: str = "double"
    threads: int | None = None
    reference: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision!r}", "double or single")
        for name in ("tolerance", "energy_tolerance"):
            given = getattr(self, name)
            if given is not None and not (
                isinstance(given, Real) and 0 < float(given) < 1
            ):
                raise InputError(f"{name} {given!r}", "a number in (0, 1)")
        if self.tolerance is not None and self.energy_tolerance is not None:
            raise InputError("tolerance and energy_tolerance", "one of them")
        most = self.max_iterations
        if not isinstance(most, Integral) or isinstance(most, bool) or most < 1:
            raise InputError(f"max_iterations {most!r}", "a whole number, at least 1")
        if self.reference is not None and not (
            np.shape(self.reference) == (2,)
            and all(isinstance(m, Real) and 0 < m < np.inf for m in self.reference)
        ):
            raise InputError(
                f"reference {self.reference!r}", "two positive moduli (K, G)"
            )

    @classmethod
    def of(
        cls,
        options: MethodOptions,
        *others: str,
        nonlinear: bool = False,
        rigid: bool = False,
    ) -> "Method":
        """A method of keywords, as a function took them beside `others`.

        Those that are None have their default, `LINEAR` or `NONLINEAR`, or `RIGID` for
        a linear body with `rigid` phases.

        Raises
        ------
        InputError
            A keyword that is neither, with the nearest one that is.
        """
        check_names(options, (*MethodOptions.__annotations__, *others))
        named = {name: given for name, given in options.items() if given is not None}
        defaults = NONLINEAR if nonlinear else RIGID if rigid else LINEAR
        return cls(**{**defaults, **named})

    def tolerance_on(self, grid: Grid) -> float:
        """The tolerance, on whatever it is, or its default on this grid.

        Raises
        ------
        InputError
            A tolerance that rounding does not let single precision reach.
        """
        least = default_tolerance(self.precision, grid)
        if self.energy_tolerance is not None:
            return self.energy_tolerance
        if self.tolerance is None:
            return least
        if self.precision == "single" and self.tolerance < least:
            raise InputError(
                f"tolerance {self.tolerance:g} with precision single",
                f"at least {least:g}, which rounding allows",
                "use --precision double",
            )
        return self.tolerance

    @property
    def discretization(self) -> Discretization:
        """The scheme (InputError: no such scheme)."""
        return discretization(self.scheme)

    @property
    def dtype(self) -> Any:
        """Real dtype of the solution."""
        return PRECISIONS[self.precision]

    def backend(self, ranks: Ranks = ALONE) -> Backend:
        """Arrays and FFTs (InputError: a device that is not there).

        Processes share the threads of their machine.
        """
        threads = self.threads
        if threads is None and ranks.size > 1:
            threads = max(1, processors() // ranks.on_this_machine)
        return get_backend(self.device, threads)

    def solve_bytes(self, grid: Grid, kept: Sequence[str] = FIELDS) -> int:
        """Estimate the peak memory of a linear solve, beyond the microstructure.

        Bytes per voxel with kernels, measured at 128^3, single and double: 47 and 59
        while cg iterates (jacobi-cg 59 and 71), 64 and 128 with all fields kept;
        fourier 74 and 122, 86 and 159; and 4 of the phase ids of kernels. A search
        that ends in double precision takes twice as much, which is not counted. Words
        per voxel of the reference code, measured at 64^3: 70 rotated, 88 fourier, 371
        hex8: strain and stress at each integration point; solver dual, at 48^3: 84
        rotated and fourier, 541 bbar.

        Parameters
        ----------
        kept
            Names of the fields that stay in memory.
        """
        scheme = self.discretization
        word = np.dtype(self.dtype).itemsize
        if self.solver == "dual":
            return grid.voxels * (20 + 66 * scheme.points) * word
        kernels = has_kernels(scheme) and self.solver in ("cg", "jacobi-cg")
        # weights are nodal values, of which fourier has nine
        kernels &= self.solver == "cg" or scheme.unknowns(grid) == 3
        if kernels:
            words = sum(WORDS[name] for name in set(kept).intersection(WORDS))
            if {"stress", "von_mises"}.issubset(kept):
                words -= WORDS["von_mises"]  # it is not kept beside the stress
            if scheme.name == "fourier":
                needed = max(3 * word + 68, 15 * word + 8, (6 + words) * word + 16)
            else:
                weights = 12 if self.solver == "jacobi-cg" else 0
                needed = max(3 * word + 44 + weights, (3 + words) * word + 8)
            return grid.voxels * needed
        words = 28 + 44 * scheme.points + 2 * scheme.unknowns(grid)
        return grid.voxels * words * word

    def nonperiodic_bytes(self, nodes: tuple[int, int, int]) -> int:
        """Estimate the peak memory of a solve on a box with faces.

        Measured at 96^3: at first that of the symbols, at last that of the fields.
        """
        return 256 * prod(nodes)

    def march_bytes(self, grid: Grid, slips: int = 0) -> int:
        """Estimate the peak memory of a nonlinear solve.

        `slips` is how many systems of a crystal remember their own slip.

        Measured: 1190 to 1860 bytes a voxel with one integration point, 10000 with
        eight, of any solver. Twelve slips add 1220 to 2970 with one point.
        """
        points = self.discretization.points
        return grid.voxels * (700 + (1170 + 250 * slips) * points)

    def advice(
        self,
        status: str,
        body: Microstructure,
        load: Load,
        scale: float,
        lowest: float = np.inf,
    ) -> str:
        """One line on what to do about a status; "" if converged.

        `scale` is the energy density that the load would put into the reference medium,
        `lowest` the least relative residual.
        """
        if status == "converged":
            return ""
        if lowest <= self.tolerance_on(body.grid):
            return self._advice_on_stress(status, len(body.rigid) > 0)
        if not np.isfinite(scale):
            return "the numbers overflow; check the units and the size of the load"
        pores = len(body.pores) > 0
        if status == "diverged" and pores and load.free.any():
            return (
                "the solid may be a mechanism that cannot carry the prescribed stress; "
                "prescribe strains instead"
            )
        if len(body.rigid):
            return (
                f"raise --max-iterations (now {self.max_iterations}) or --tol"
                if status == "max_iterations"
                else "the load may strain rigid phases that are in each other's way; "
                "prescribe stresses instead"
            )
        if self.solver not in ("cg", "jacobi-cg"):
            return "use --solver cg, which needs no finite contrast"
        if pores and self.scheme not in ("rotated", "hex8", "bbar"):
            what = f"scheme {self.scheme} does not converge with pores"
            return f"{what}; use --scheme rotated"
        if status == "stagnated" and self.precision == "single":
            return "rounding ends the descent; use --precision double or a larger --tol"
        if status == "max_iterations":
            return (
                f"raise --max-iterations (now {self.max_iterations}) or --tol; rough "
                "or grey images may need --scheme bbar --solver jacobi-cg"
            )
        return "rounding ends the descent; use a larger --tol"

    def _advice_on_stress(self, status: str, rigid: bool) -> str:
        """What to do where the residual has reached the tolerance and that is all."""
        what = "the residual was below --tol, but the stress is not right yet"
        if self.precision == "single":
            return f"{what}; use --precision double"
        if self.solver != "cg" and not rigid:
            return f"{what}; use --solver cg"
        if status == "max_iterations":
            most = self.max_iterations
            return f"{what}; raise --max-iterations (now {most}) or --tol"
        return (
            f"{what}: rounding ends the descent, for phases differ too much in "
            "stiffness; use a larger --tol, or a softer stiffest phase"
        )


def check_names(options: Iterable[str], known: Iterable[str]) -> None:
    """Refuse the first option that is not known.

    Raises
    ------
    InputError
        Naming it and the nearest one that is, or all.
    """
    known = tuple(known)
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, 1) or [f"one of {', '.join(known)}"]
            raise InputError(f"option {name}", near[0])


def check_memory(
    method: Method, grid: Grid, kept: Sequence[str] = (), ranks: Ranks = ALONE
) -> None:
    """Refuse a linear solve that does not fit (InputError: what is needed and free).

    `kept` are the names of the fields that stay in memory. Of processes none starts
    where it does not fit on the machine of one.
    """
    if method.device == "cpu":
        needed = method.solve_bytes(grid, kept)
        if ranks.size > 1:
            # rows of the spectrum beside its planes: 83 bytes in double precision
            needed = (needed + 16 * grid.voxels) * ranks.on_this_machine // ranks.size
        check_bytes(needed, f"a solve on {size_text(grid.shape)} voxels", ranks=ranks)


def default_tolerance(precision: str, grid: Grid) -> float:
    """Tolerance if none is given: 1e-6, and in single precision the least.

    There the rounding of the displacement ends the descent. Of polycrystals, contrasts
    and pores all converged at 1e-5 up to 128^3 and 512^2 voxels; at 1024^2 a pore ended
    at 1.7e-5. The floor grows with the longest axis.
    """
    return 1e-6 if precision == "double" else max(1e-5, 2e-8 * max(grid.shape))
