"""Linear elasticity on tensors, differentiable."""

from typing import NamedTuple, cast

import torch
from torch import Tensor

from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.loads.load import Load
from fftmech.simulations.method import Method
from fftmech.torch.adjoint import Settings, Solve
from fftmech.torch.arguments import PRECISIONS, Given, check_arguments


class Fields(NamedTuple):
    """A converged solution; without the axis B where no argument has one.

    Attributes
    ----------
    strain, stress
        Voxel averages, Mandel, (B, 6, x, y, z); stress in the unit of the stiffness.
    mean_strain, mean_stress
        Volume averages, (B, 6).
    iterations, residual
        Iterations of each sample, and its relative equilibrium residual in the dual
        norm, (B,); without gradients.
    """

    strain: Tensor
    stress: Tensor
    mean_strain: Tensor
    mean_stress: Tensor
    iterations: Tensor
    residual: Tensor


def solve(
    phase: Tensor | None,
    stiffness: Tensor,
    load: Load | Given,
    *,
    free: Given | None = None,
    mean_stress: Given | None = None,
    eigenstrain: Given | None = None,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    scheme: str = "rotated",
    tolerance: float | None = None,
    max_iterations: int = 1000,
) -> Fields:
    """Solve small-strain linear elasticity on periodic bodies; torch differentiates it.

    div s = 0, s = C (e - e0), e = E + sym(D u), with each component of the mean strain
    E or of the mean stress prescribed. Gradients flow to stiffness, mean strain, mean
    stress and eigenstrain, of any order, and transforms of torch.func apply. Each
    derivative is one more solve with the same operator and tolerance (derived in
    `fftmech.torch.adjoint`); no iteration is kept.

    Every argument may have a leading batch axis B; those without are shared by all
    samples. Tensors are Mandel, on the device of the stiffness, and results have its
    precision, float32 or float64.

    Parameters
    ----------
    phase
        Phase ids, integer, ([B,] x, y, z); None where stiffness is a field.
    stiffness
        By phase, ([B,] P, 6, 6), or by voxel, ([B,] 6, 6, x, y, z), stress units. Its
        symmetric part counts. A zero matrix is a pore.
    load
        Mean strain, ([B,] 6), or a `Load`, which may prescribe mean stresses too.
    free
        Components whose mean stress is prescribed, boolean, ([B,] 6); none if None.
        Values of `load` there, and of `mean_stress` elsewhere, do not count.
    mean_stress
        Mean stress, ([B,] 6), stress units; zero if None.
    eigenstrain
        Stress-free strain by phase, ([B,] P, 6), or by voxel, ([B,] 6, x, y, z).
    spacing
        Edge lengths of a voxel (length units); their ratios count.
    scheme
        Name in `fftmech.SCHEMES`; pores need `rotated`, `hex8` or `bbar`.
    tolerance
        On the relative equilibrium residual sqrt(<r, M r> / <r0, M r0>) of this solve
        and of derivatives; `fftmech.simulations.method.default_tolerance` if None.
    max_iterations
        Of each.

    Raises
    ------
    InputError
        Shapes, types or values that do not fit.
    NotConverged
        Here or in the backward pass: what has not converged has no gradient.
    """
    checked = check_arguments(phase, stiffness, load, free, mean_stress, eigenstrain)
    shape = cast(tuple[int, int, int], checked.shape)
    # strains do not depend on the unit of length, but squares should be ordinary
    spacing = Grid(shape, spacing).h
    grid = Grid(shape, cast(tuple, tuple(h / min(spacing) for h in spacing)))
    method = Method(
        scheme=discretization(scheme).name,
        tolerance=tolerance,
        max_iterations=max_iterations,
        precision=PRECISIONS[checked.stiffness.dtype],
    )
    tolerance = method.tolerance_on(grid)
    settings = Settings(method.scheme, grid, tolerance, max_iterations)
    free, eigenstrain = checked.free, checked.eigenstrain
    prescribed = ((1 - free) * checked.mean_strain)[..., None, None, None]
    if eigenstrain is not None:
        prescribed = prescribed - eigenstrain
    imposed = -(free * checked.mean_stress)[..., None, None, None]
    strain, stress, _, iterations, residual = cast(
        tuple[Tensor, ...],
        Solve.apply(
            settings,
            checked.index,
            checked.stiffness,
            free,
            prescribed,
            imposed,
            None,
        ),
    )
    strain = strain if eigenstrain is None else strain + eigenstrain
    fields = Fields(
        strain,
        stress,
        strain.mean((-3, -2, -1)),
        stress.mean((-3, -2, -1)),
        iterations,
        residual,
    )
    return fields if checked.batch else Fields(*(field[0] for field in fields))


def effective_stiffness(
    phase: Tensor | None,
    stiffness: Tensor,
    *,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    scheme: str = "rotated",
    tolerance: float | None = None,
    max_iterations: int = 1000,
) -> Tensor:
    """Effective stiffness of one body, <s> = C_eff E, from a batch of six solves.

    Parameters
    ----------
    phase, stiffness
        As in `solve`, without a batch axis; the other parameters too.

    Returns
    -------
    Tensor
        Mandel, (6, 6), symmetric, stress units.

    Raises
    ------
    InputError, NotConverged
        As `solve`.
    """
    unit = torch.eye(6, dtype=stiffness.dtype, device=stiffness.device)
    C = solve(
        phase,
        stiffness,
        unit,
        spacing=spacing,
        scheme=scheme,
        tolerance=tolerance,
        max_iterations=max_iterations,
    ).mean_stress
    return (C + C.mT) / 2
