"""Bodies of viscoplastic crystals under a mean strain rate, in units of the load.

A rate is divided by the size of the mean rate E, a stress by the resistance of the
first slip family at that rate, g (|E| / rate0)^(1 / n). But for the bulk viscosity, and
for systems that are nearly at rest (`CrystalCreep.linear_below`), the problem in these
units does not depend on the size of the load, and no more does what networks see.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ecosurrogate.data.representation import SLIP, TRIANGLE, channel_count
from ecosurrogate.mechanics.crystal_flow import CrystalFlow
from ecosurrogate.mechanics.operators import Operators
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.loads.path import Path, Step
from fftmech.materials.base import StrainStep
from fftmech.materials.crystal_creep import CrystalCreep, CrystalCreepMaterial
from fftmech.microstructure.base import Microstructure
from fftmech.operators.reference_medium import reference_medium
from fftmech.problems.complementary import ComplementaryEnergy
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.potential import FieldPotential
from fftmech.simulations.method import Method
from fftmech.simulations.prepare import prepare_march
from fftmech.solvers.uniform_stress import uniform_stress
from fftmech.tensors import K

CHANNELS = channel_count(SLIP)
"""Input channels of a body."""

SOLVE = "solve it (fftmech solve)"
"""What to do with bodies that no model takes."""


@dataclass(frozen=True)
class CreepBodies:
    """B bodies of crystals under one mean rate each; rates and stresses in its units.

    Attributes
    ----------
    operators
        Of their grid, with voxels of edge 1; the reference medium has 2 G = 1.
    flow
        w* of their voxels.
    rate
        E, Mandel (B, 6, 1, 1, 1), of norm 1.
    uniform
        The uniform stress of least W*, (B, 6, 1, 1, 1).
    taylor
        The stress of each voxel's crystal at the rate E, (B, 6, X, Y, Z).
    least
        -<w(E)>, which no W* is below (Taylor's bound), (B,).
    strain_unit, stress_unit
        A rate and a stress of 1 in the units of the body, (B,). Both are negative where
        the first component of the load is: w* is even.
    inputs
        Input channels of the network, (B, C, X, Y, Z).
    """

    operators: Operators
    flow: CrystalFlow
    rate: Tensor
    uniform: Tensor
    taylor: Tensor
    least: Tensor
    strain_unit: Tensor
    stress_unit: Tensor
    inputs: Tensor

    def __len__(self) -> int:
        return len(self.rate)

    def __getitem__(self, which: Any) -> "CreepBodies":
        """Some of the bodies, by a tensor of their numbers."""
        return self._changed(lambda tensor: tensor[which])

    def to(self, device: torch.device | str) -> "CreepBodies":
        """Return the batch on another device."""
        return self._changed(lambda tensor: tensor.to(device))

    def _changed(self, change: Callable[[Tensor], Tensor]) -> "CreepBodies":
        flow = (change(getattr(self.flow, f.name)) for f in fields(self.flow))
        own = (change(getattr(self, f.name)) for f in fields(self)[2:])
        return CreepBodies(self.operators, CrystalFlow(*flow), *own)


def creep_law(body: Microstructure) -> CrystalCreep:
    """Return the one law of a body of crystals.

    Raises
    ------
    InputError
        Laws other than one `crystal_creep` without hardening; pores.
    """
    laws = {body.law.get(int(p)) for p in body.phases}
    (law,) = laws if len(laws) == 1 else (None,)
    if not isinstance(law, CrystalCreep):
        raise InputError(
            "a creep model of a body that is not of one metal",
            "the law crystal_creep with the same constants in all phases, no pores",
            SOLVE,
        )
    if law.hardens:
        raise InputError(
            "a creep model of crystals that harden",
            "crystal_creep without tau1, theta0, theta1",
            SOLVE,
        )
    return law


def creep_problem(
    body: Microstructure, load: Load, scheme: str = "rotated"
) -> TimeStep:
    """The problem that a body and its load are, as `fftmech` solves it.

    The mean strains of the load are rates, for the time of the load is 1.

    Raises
    ------
    InputError
        What there is no model for: bodies that `creep_law` refuses, prescribed mean
        stresses; a load of zero.
    """
    creep_law(body)
    if load.free.any():
        raise InputError(
            "a creep model under prescribed mean stresses",
            "all six mean strains prescribed",
            SOLVE,
        )
    if not np.linalg.norm(load.mean_strain) > 0:
        raise InputError(
            "a load of zero: nothing to predict", mend="prescribe a strain"
        )
    method = Method(scheme=scheme, solver="dual")
    return prepare_march(body, Path((Step(load),)), method)[0]


def law_error(
    body: Microstructure, load: Load, strain: np.ndarray, stress: np.ndarray
) -> float:
    """How far a strain and a stress, (6, X, Y, Z), are from obeying the law.

    The root of <w(e) + w*(s) - s : e>, which is zero only where they do, relative to
    <w + w*>. InputError for bodies that `creep_problem` refuses.
    """
    problem = creep_problem(body, load)
    potential = FieldPotential(
        problem.material, problem.start.state, problem.dt, near=stress[None]
    )
    e, s = strain[None].astype(float), stress[None].astype(float)
    size = potential.energy(e).mean() + potential.conjugate_energy(s).mean()
    return float(np.sqrt(max(potential.gap(e, s).mean(), 0.0) / size))


def creep_bodies(
    microstructures: Sequence[Microstructure],
    loads: Sequence[Load],
    scheme: str = "rotated",
    dtype: torch.dtype = torch.float32,
) -> CreepBodies:
    """Make a batch of bodies of one law, with cubic voxels on equal grids.

    Raises
    ------
    InputError
        What `creep_problem` refuses; grids or laws that differ; no body, or not as many
        loads.
    """
    if not 0 < len(microstructures) == len(loads):
        raise InputError(
            f"{len(microstructures)} bodies and {len(loads)} loads",
            "a body at least, and a load for each",
        )
    shape = microstructures[0].grid.shape
    for body in microstructures:
        h = body.grid.h
        if max(h) - min(h) > 1e-9 * max(h):
            raise InputError(f"voxels of edges {h}", "cubes")
        if body.grid.shape != shape:
            raise InputError(
                f"grids of {shape} and {body.grid.shape} voxels in one batch",
                "equal ones",
            )
    problems = [
        creep_problem(body, load, scheme)
        for body, load in zip(microstructures, loads, strict=True)
    ]
    laws = {problem.material.materials[0].laws[0] for problem in problems}
    if len(laws) > 1:
        raise InputError("bodies of several laws in one batch", "one law")
    made = [_arrays(problem) for problem in problems]
    flow, own = (
        [torch.as_tensor(np.stack(p), dtype=dtype) for p in zip(*some, strict=True)]
        for some in zip(*made, strict=True)
    )
    bulk, shear = reference_medium(problems[0].microstructure)
    operators = Operators(scheme, Grid(shape, (1.0, 1.0, 1.0)), bulk / (2 * shear), 0.5)
    return CreepBodies(operators, CrystalFlow(*flow), *own)


def _arrays(problem: TimeStep) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Fields of `CrystalFlow`, and of `CreepBodies` from `rate` on, of one body."""
    (group,) = problem.material.groups
    crystals, E = group.material, problem.load.mean_strain
    assert isinstance(crystals, CrystalCreepMaterial)
    rows = np.arange(len(crystals.laws))
    # of a family, and of a system
    rate0, exponent, g = crystals.constants[:3, 0]
    family, size = crystals.family, float(np.linalg.norm(E))
    unit = float(g[0] * (size / rate0[0]) ** (1 / exponent[0]))
    sign = np.sign(E[np.flatnonzero(E)[0]])

    def field(table: np.ndarray) -> np.ndarray:
        """Values of crystals (R, ...) at the voxels, (..., X, Y, Z)."""
        values = np.moveaxis(table, 0, -1)[..., group.rows]
        return values.reshape(*values.shape[:-1], *problem.grid.shape)

    uniform = uniform_stress(
        ComplementaryEnergy(problem), problem.load, problem.reference_stiffness
    )
    same, strains = (np.repeat(v[:, None], len(rows), axis=1) for v in (uniform, E))
    step = StrainStep(rows, strains, 0 * strains, crystals.start(rows))
    taylor = crystals.respond(step).stress.T / (sign * unit)
    work = crystals.energy(rows, strains) / (unit * size)
    rates = crystals.conjugate_strain(rows, same).T / (sign * size)
    seen = np.column_stack(
        [_fluidity(crystals.schmid, (rate0 / g)[family]), taylor, rates]
    )
    seen[:, -6:] = compressed(seen[:, -6:].T, exponent[0]).T
    schmid = field(crystals.schmid * (unit / g[family])[:, None])
    shape = (-1, 1, 1, 1)
    flow = [
        schmid,
        (rate0 * g)[family].reshape(shape) / (size * unit),
        exponent[family].reshape(shape),
        crystals.linear_below[0][family].reshape(shape),
        np.full((1, 1, 1), crystals.bulk[0] * size / unit),
    ]
    fractions = np.bincount(group.rows, minlength=len(rows)) / len(group.rows)
    own = [
        E.reshape(shape) / (sign * size),
        uniform.reshape(shape) / (sign * unit),
        field(taylor),
        np.array(-work @ fractions),
        np.array(sign * size),
        np.array(sign * unit),
        field(seen),
    ]
    return flow, own


def compressed(rate: Any, exponent: Any) -> Any:
    """A rate (6, ...) whose norm r is replaced by r^(1 / n), as that of a stress is."""
    square = (rate**2).sum(0)
    return rate * (square + 1e-30) ** ((1 / exponent - 1) / 2)


def _fluidity(schmid: np.ndarray, softness: np.ndarray) -> np.ndarray:
    """Fluidity of crystals with exponent 1, less the isotropic one, (R, 21)."""
    M = np.einsum("a,rai,raj->rij", softness, schmid, schmid)
    M /= np.trace(M, axis1=1, axis2=2).mean() / 5
    return (M - K)[:, *TRIANGLE]
