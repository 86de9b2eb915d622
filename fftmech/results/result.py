"""Result of a solve: fields, means, convergence history and certificate."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from math import isnan
from typing import Any, ClassVar, NamedTuple

import numpy as np

from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.field_names import FIELDS, FINITE
from fftmech.tensors import von_mises
from fftmech.tensors.fields import full


def affine_displacement(
    gradient: np.ndarray, grid: Grid, centred: bool, nodes: Sequence[np.ndarray]
) -> np.ndarray:
    """G.x at nodes numbered by `numpy.ogrid`, (3, ...), x from the corner of the box.

    Nodes are the centres of voxels or, if they are not `centred`, their lower corners.
    """
    E = gradient[..., None, None, None]
    offset = 0.5 if centred else 0.0
    x, y, z = (h * (node + offset) for h, node in zip(grid.h, nodes, strict=True))
    return E[:, 0] * x + E[:, 1] * y + E[:, 2] * z


def check_rotation(scheme: str) -> None:
    """Refuse a scheme that does not determine how all voxels of a box with faces turn.

    Nodes on two faces are in one shear of `forward`, and in nothing else.
    """
    if scheme == "forward":
        raise InputError(
            "displacement gradient of a box with faces in scheme forward, which leaves "
            "voxels on its edges free to turn",
            "rotated, bbar or hex8",
            "choose another --scheme",
        )


FieldPlanes = Callable[[slice], tuple[Any, Any, Any]]
"""Voxel averages of planes across z: strain, stress (c, x, y, m) and energy density."""


class FieldSource(NamedTuple):
    """What the fields of a linear solve are computed from, a part at a time."""

    displacement: np.ndarray
    planes: FieldPlanes


class Partial:
    """Base of dataclasses whose arrays may be None: fields that were not kept.

    To ask for one of them is an InputError.
    """

    LEFT_OUT: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self.LEFT_OUT:
            if getattr(self, name) is None:
                object.__delattr__(self, name)

    def __getattr__(self, name: str) -> Any:
        # of what the instance does not have
        if name not in type(self).LEFT_OUT:
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        kept = [other for other in self.LEFT_OUT if other in vars(self)]
        raise missing(name, kept, vars(self).get("status"))


def missing(field: str, kept: Sequence[str], status: str | None) -> InputError:
    """The error of a field that a result was solved, predicted or written without."""
    expected = f"one of {', '.join(kept)}" if kept else ""
    if status == "predicted":
        return InputError(f"{field}: the prediction has none", expected)
    return InputError(
        f"{field}: the result was written without: --fields",
        expected,
        f"solve it again with --fields {field}",
    )


@dataclass(frozen=True)
class FiniteFields(Partial):
    """Fields of finite strain: voxel averages, (3, 3, nx, ny, nz), by row and column.

    F is the deformation gradient, [i, j] = dx_i/dX_j, P the first Piola-Kirchhoff
    stress (stress units). Their means are over the undeformed cell, (3, 3).
    """

    LEFT_OUT = "F", "P"

    F: np.ndarray
    P: np.ndarray
    mean_F: np.ndarray
    mean_P: np.ndarray


@dataclass(frozen=True)
class Result(Partial):
    """Fields and history of one solve.

    Arrays are NumPy, float64 or float32 as solved; symmetric tensors are Mandel. Those
    of fields that were not asked for are given as None; to read one is an InputError.

    Parameters
    ----------
    microstructure, load
        What was solved; `temperature` is the change that drove thermal expansion.
    scheme, solver, tolerance
        How it was solved.
    displacement
        Displacement fluctuation at the scheme's nodes (length units), (3, nx, ny, nz):
        voxel corners (node i is the lower corner of voxel i) or, for `central` and
        `fourier`, voxel centres. One node more along an axis that is not periodic.
        Files hold `total_displacement` instead, under the same name.
    strain, stress
        Voxel averages, (6, nx, ny, nz); stress in stress units. At finite strain those
        of Green and Lagrange, 1/2 (F^T F - 1), and of Cauchy.
    energy_density
        Voxel average of 1/2 (strain - eigenstrain) : stress, (nx, ny, nz), stress
        units. With `hex8` and `bbar` it is not the product of the averages. What
        composite voxels store between their phases is left out. Of other laws: the
        potential, where the state of the body does not depend on its history, else the
        work of the stress on the strain without the eigenstrain.
    mean_strain, mean_stress
        Volume averages, (6,). At finite strain Green and Lagrange's of the mean F, and
        Cauchy's over the deformed cell, <P> <F>^T / det <F>.
    energy
        Volume average of `energy_density` (stress units).
    status
        "converged", "max_iterations", "diverged", "stagnated" or, at finite strain,
        "inverted": somewhere det F <= 0.
    advice
        One line saying what to do about a status that is not "converged", else "".
    iterations, residuals
        Iterations done; relative equilibrium residual before each and after the last
        (of solver dual, that of compatibility).
    times
        Seconds: "setup", of which "compile" is spent on kernels (once for a machine),
        and "solve".
    certificate
        What `fftmech.problems.certificate.certify` returned, or {} (JSON-ready).
    variables
        Internal variables of laws by name, voxel averages, (k, nx, ny, nz), zero where
        a phase has none; symmetric tensors are Mandel. Of a prediction without a
        displacement "displacement_gradient" by rows, (9, nx, ny, nz), if it has that.
    finite
        Fields of finite strain, else None.
    time
        Time on the load path.
    linear_iterations
        Iterations of conjugate gradients within Newton's method.
    boundary
        Conditions on the faces of a box that is not periodic, else None.
    notes
        One line on each thing that was assumed, ignored or left out.
    von_mises
        Equivalent stress of `stress`, (nx, ny, nz), where it was asked for by name.
    """

    LEFT_OUT = (
        *("displacement", "strain", "stress", "energy_density"),
        *("mean_strain", "mean_stress"),
    )

    microstructure: Microstructure
    load: Load | FiniteLoad
    scheme: str
    solver: str
    tolerance: float
    displacement: np.ndarray
    strain: np.ndarray
    stress: np.ndarray
    energy_density: np.ndarray
    mean_strain: np.ndarray
    mean_stress: np.ndarray
    energy: float
    status: str
    advice: str
    iterations: int
    residuals: list[float]
    times: dict[str, float] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)
    temperature: float = 0.0
    precision: str = "double"
    variables: dict[str, np.ndarray] = field(default_factory=dict)
    finite: FiniteFields | None = None
    time: float = 1.0
    linear_iterations: int = 0
    boundary: Boundary | None = None
    notes: list[str] = field(default_factory=list)
    von_mises: np.ndarray | None = None

    def planes(self, part: slice) -> tuple[Any, Any, Any]:
        """Strain, stress and energy density of planes across z, None where left out."""
        names = ("strain", "stress", "energy_density")
        strain, stress, energy = (
            getattr(self, name)[..., part] if name in vars(self) else None
            for name in names
        )
        return strain, stress, energy

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that there are (`fftmech.results.field_names`)."""
        kept = {name for name in FIELDS if vars(self).get(name) is not None}
        if "stress" in kept:
            kept.add("von_mises")
        finite = () if self.finite is None else FINITE
        return (
            *(name for name in FIELDS if name in kept),
            *(name for name in finite if name in vars(self.finite)),
            *self.variables,
        )

    def only(self, fields: Sequence[str]) -> "Result":
        """Return a copy without the fields that are not named."""
        result, given = copy(self), vars(self)
        if "von_mises" in fields and "stress" not in fields and "stress" in given:
            vars(result)["von_mises"] = von_mises(self.stress)
        for name in set(self.LEFT_OUT).intersection(FIELDS).difference(fields):
            vars(result).pop(name, None)
        if "von_mises" not in fields:
            vars(result)["von_mises"] = None
        variables = {n: v for n, v in self.variables.items() if n in fields}
        vars(result)["variables"] = variables
        if self.finite is not None:
            finite = vars(result)["finite"] = copy(self.finite)
            for name in set(FINITE).difference(fields):
                vars(finite).pop(name, None)
        return result

    def __repr__(self) -> str:
        return (
            f"<Result: {self.status}, {self.iterations} iterations, scheme "
            f"{self.scheme}, {self.microstructure!r}>"
        )

    @property
    def lawless(self) -> bool:
        """Whether no constitutive law is known, so that there is no energy."""
        return isnan(self.energy) and self.microstructure.stiffness is None

    @property
    def converged(self) -> bool:
        """Whether residual and stress are right to the tolerance."""
        return self.status == "converged"

    @property
    def mean_gradient(self) -> np.ndarray:
        """Mean displacement gradient, (3, 3): the mean strain, or the mean F - 1.

        Of a box with faces see `Boundary.mean_gradient`.
        """
        if self.finite is not None:
            return self.finite.mean_F - np.eye(3)
        return (self.boundary or Boundary()).mean_gradient(self.mean_strain)

    @property
    def total_displacement(self) -> np.ndarray:
        """u = `mean_gradient`.x + `displacement` at the same nodes (length units).

        x is from the corner of the box. This is the array `displacement` of files.
        """
        centred = discretization(self.scheme).nodes == "centers"
        nodes = np.ogrid[tuple(map(slice, self.displacement.shape[1:]))]
        return self.displacement + affine_displacement(
            self.mean_gradient, self.microstructure.grid, centred, nodes
        )

    @property
    def displacement_gradient(self) -> np.ndarray:
        """H = grad u of the total displacement, [i, j] = du_i/dx_j, (3, 3, nx, ny, nz).

        A voxel average, F - 1. At small strain its symmetric part is `strain`, the
        rest the rotation that the scheme derives from `displacement`.
        """
        if self.finite is not None:
            return self.finite.F - np.eye(3)[..., None, None, None]
        if (found := self.variables.get("displacement_gradient")) is not None:
            return found.reshape(3, 3, *found.shape[1:])
        if self.boundary is not None:
            check_rotation(self.scheme)
        grid, u = self.microstructure.grid, self.displacement
        # that of the nodes: differences in the voxels do not reach across a face
        nodes = Grid(u.shape[1:], grid.spacing)
        nx, ny, nz = grid.shape
        d, H, mean = discretization(self.scheme), full(self.strain), self.mean_gradient
        for i, j in ((0, 1), (0, 2), (1, 2)):
            rotation = sum(
                d.derivative(u[i], j, nodes, q) - d.derivative(u[j], i, nodes, q)
                for q in range(d.points)
            )
            half = np.asarray(rotation)[:nx, :ny, :nz] / (2 * d.points)
            half += (mean[i, j] - mean[j, i]) / 2
            H[i, j] += half
            H[j, i] -= half
        return H

    @property
    def residual(self) -> float:
        """Last relative equilibrium residual."""
        return self.residuals[-1]
