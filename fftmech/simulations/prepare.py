"""What stands before the first iteration of every solve: checks, scale, problem."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fftmech.arrays.memory import check_bytes, size_text
from fftmech.discretization.grid import Grid
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.loads.path import Path
from fftmech.microstructure.base import (
    Microstructure,
    check_temperature,
    total_eigenstrain,
)
from fftmech.operators.reference_medium import compliant_medium, reference_medium
from fftmech.problems.certificate import no_potential
from fftmech.problems.complementary import prepare_conjugates
from fftmech.problems.kinematics import FINITE, SMALL
from fftmech.problems.linear import Problem
from fftmech.problems.linear_dual import StressProblem
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.nonperiodic import NonperiodicProblem
from fftmech.simulations.mechanisms import check_load, check_rigid_load
from fftmech.simulations.method import Method, check_memory
from fftmech.solvers import Solver, get_solver
from fftmech.tensors.stiffness import reference_stiffness

NONPERIODIC_SOLVERS = ("cg", "minres")
"""Solvers that ask for nothing but products and M: no bounds, no local stiffness."""

RIGID_SCHEMES = ("bbar", "rotated", "hex8", "forward")
"""Schemes whose strain at a point is that of one voxel's corners."""

SHARED_SCHEMES = RIGID_SCHEMES
SHARED_SOLVERS = ("cg", "jacobi-cg", "basic")
"""What is known to bodies that processes share."""

# Loads of other sizes are scaled: single precision has a limited range, and the squares
# of residuals have twice the exponent.
ORDINARY = 1e-9, 1e9
LARGEST = 1e150


class Prepared(NamedTuple):
    """A linear problem, ready for its first iteration.

    Attributes
    ----------
    problem, solver, tolerance
        What is solved and how.
    unit
        Power of two that loads and eigenstrains are multiplied by: fields are too.
    compile_time
        Seconds spent on compiling kernels.
    """

    problem: Problem | StressProblem | NonperiodicProblem
    solver: Solver
    tolerance: float
    unit: float
    compile_time: float


def prepare(
    body: Microstructure,
    load: Load,
    method: Method,
    *,
    temperature: float = 0.0,
    boundary: Boundary | None = None,
    kept: Sequence[str] = (),
) -> Prepared:
    """Check a linear problem and make it.

    Parameters
    ----------
    body, load, method, temperature, boundary
        As in `fftmech.solve`; no boundary where all faces are periodic.
    kept
        Names of the fields that are to be kept in memory.

    Raises
    ------
    InputError
        Names, values, shapes, a load that cannot be carried, too little memory.
    """
    tolerance, solver = method.tolerance_on(body.grid), get_solver(method.solver)
    dual = method.solver == "dual"
    if body.ranks.size > 1:
        _check_shared(method, boundary)
    body.check(rigid=dual and boundary is None)
    check_temperature(body, temperature)
    if method.energy_tolerance is not None and (boundary or len(body.pores)):
        what = "pores" if boundary is None else "faces"
        raise _uncertified(f"the body has {what}, and no certificate")
    eigenstrain = total_eigenstrain(body, temperature)
    if boundary is not None:
        check_boundary(body.grid, boundary, method)
        load = boundary.affine(load)
    check_load(body, load, boundary)
    if dual:
        _check_dual(body, load, method, eigenstrain)
    if boundary is None:
        check_memory(method, body.grid, kept, body.ranks)
    unit = _unit(body, load, eigenstrain, boundary)
    if eigenstrain is not None:
        body = body.with_changes(eigenstrain=unit * eigenstrain, thermal_expansion=None)
    load = load.scaled(unit)
    backend = method.backend(body.ranks)
    scheme = method.discretization.on(backend)
    if boundary is None:
        kind = StressProblem if dual else Problem
        problem = kind(body, load, scheme, backend, method.dtype, method.reference)
    else:
        problem = NonperiodicProblem(
            body, load, boundary, scheme, backend, method.dtype, method.reference, unit
        )
    # compiled code is kept on the disk
    compile_time = body.ranks.one_first(lambda: problem.prepare(solver.mixed))
    return Prepared(problem, solver, tolerance, unit, compile_time)


def prepare_march(
    body: Microstructure, path: Path, method: Method, temperature: float = 0.0
) -> tuple[TimeStep, Solver, float, float]:
    """Check a body and its load path, and make the problem of the first increment.

    Returns
    -------
    tuple
        The problem, the solver, the tolerance, and the seconds spent on compiling
        kernels.

    Raises
    ------
    InputError
        Names, values, shapes, a load that cannot be carried, too little memory.
    """
    solver = get_solver(method.solver, nonlinear=True)
    if body.ranks.size > 1:
        raise InputError(
            "a nonlinear body or a load path that processes share",
            "linear elasticity",
            "run it in one process, without mpiexec",
        )
    if method.precision != "double":
        raise InputError(
            f"precision {method.precision} for a nonlinear body",
            "double",
            "its search directions are in single precision anyway",
        )
    tolerance = method.tolerance_on(body.grid)
    body.check()
    check_temperature(body, temperature)
    for step in path.steps:
        check_load(body, step.load)
    kinematics = FINITE if path.finite else SMALL
    kinematics.check(method.discretization, body.grid)
    if method.device == "cpu":
        what = f"a nonlinear solve on {size_text(body.grid.shape)} voxels"
        structures = [law.structure for law in set(body.law.values())]
        slips = max((sum(own) for own in structures if 0 in own), default=0)
        check_bytes(method.march_bytes(body.grid, slips), what)
    strained = body
    if temperature:
        eigenstrain = total_eigenstrain(body, temperature)
        strained = body.with_changes(eigenstrain=eigenstrain, thermal_expansion=None)
    backend = method.backend()
    problem = TimeStep(
        strained,
        kinematics,
        path.steps[0].load,
        method.discretization.on(backend),
        backend,
        method.dtype,
        method.reference,
    )
    if method.energy_tolerance is not None and no_potential(problem):
        raise _uncertified(no_potential(problem))
    compiled = prepare_conjugates(problem) if method.solver == "dual" else 0.0
    if problem.material.rate and method.solver not in ("newton", "dual"):
        raise InputError(
            f"solver {method.solver} for a body with rates only",
            "newton or dual",
            "the reference medium of the others would have to know the duration",
        )
    if not problem.material.rate:
        _check_size(problem, path, total_eigenstrain(strained))
    compiled += problem.prepare(solver.mixed) + problem.prepare_laws()
    return problem, solver, tolerance, compiled


def _check_shared(method: Method, boundary: Boundary | None) -> None:
    """Refuse what processes cannot share."""
    for what, given, able in (
        ("scheme", method.scheme, SHARED_SCHEMES),
        ("solver", method.solver, SHARED_SOLVERS),
        ("device", method.device, ("cpu",)),
        ("boundary", "periodic" if boundary is None else "with faces", ("periodic",)),
    ):
        if given not in able:
            raise InputError(
                f"{what} {given} of a body that processes share",
                " or ".join(able),
                "run it in one process, without mpiexec",
            )


def _check_dual(
    body: Microstructure, load: Load, method: Method, eigenstrain: np.ndarray | None
) -> None:
    """Refuse what a stress in equilibrium cannot solve."""
    if len(body.pores):
        raise InputError(
            "solver dual for a body with pores", "solid everywhere", "use --solver cg"
        )
    if method.energy_tolerance is not None and len(body.rigid):
        raise _uncertified("the body has rigid phases, and no certificate")
    if not len(body.rigid):
        return
    if method.scheme not in RIGID_SCHEMES:
        raise InputError(
            f"scheme {method.scheme} for a body with rigid phases",
            f"one of {', '.join(RIGID_SCHEMES)}",
        )
    if eigenstrain is not None and np.ptp(eigenstrain[body.rigid], axis=0).any():
        raise InputError(
            "rigid phases of different eigenstrains or thermal expansions",
            "one for all of them",
            "where they touch, they would fit together without straining only so",
        )
    check_rigid_load(body, load)


def _uncertified(why: str) -> InputError:
    return InputError(
        f"energy_tolerance: {why}",
        "small strain, convex potentials, no pores, rigid phases or faces",
        "use --tol",
    )


def check_boundary(grid: Grid, boundary: Boundary, method: Method) -> None:
    """Refuse a method that faces do not have (InputError: what they have)."""
    scheme = method.discretization
    if not isinstance(scheme, StencilDiscretization) or scheme.nodes == "centers":
        raise InputError(
            f"scheme {scheme.name} with a boundary has nodes at the centres of voxels",
            "nodes on the faces",
            "use --scheme rotated",
        )
    if method.solver not in NONPERIODIC_SOLVERS:
        raise InputError(
            f"solver {method.solver} with a boundary",
            f"one of {', '.join(NONPERIODIC_SOLVERS)}",
        )
    if method.device != "cpu":
        raise InputError(
            f"device {method.device} with a boundary",
            "cpu, which has the sine and cosine transforms",
            "use --device cpu",
        )
    boundary.check(grid)
    nodes = boundary.nodes(grid)
    needed = method.nonperiodic_bytes(nodes)
    check_bytes(needed, f"a solve on {size_text(nodes)} nodes")


def _check_size(problem: TimeStep, path: Path, eigenstrain: np.ndarray | None) -> None:
    """Refuse loads that vanish in single precision: laws do not let them be scaled."""
    C0, rest = problem.reference_stiffness, problem.kinematics.rest
    sizes = [step.load.mean_strain - rest for step in path.steps]
    sizes += [np.linalg.solve(C0, step.load.mean_stress) for step in path.steps]
    if eigenstrain is not None:
        sizes.append(eigenstrain[problem.microstructure.phases].ravel())
    size = float(abs(np.concatenate(sizes)).max())
    if 0 < size < ORDINARY[0]:
        raise InputError(
            f"a nonlinear body under strains of {size:.1g} at most",
            f"none, or {ORDINARY[0]:g} and more",
            "solve it as linear elastic, which it is there",
        )


def _unit(
    body: Microstructure,
    load: Load,
    eigenstrain: np.ndarray | None,
    boundary: Boundary | None,
) -> float:
    """Factor of loads and eigenstrains that brings extreme ones near one."""
    medium = compliant_medium if len(body.rigid) else reference_medium
    C0 = reference_stiffness(*medium(body))
    sizes = [load.mean_strain, np.linalg.solve(C0, load.mean_stress)]
    if eigenstrain is not None:
        sizes.append(eigenstrain[body.phases].ravel())
    values = None if boundary is None else boundary.values(body.grid)
    if values is not None:
        sizes.append(values.ravel() / min(body.grid.size))
    size = float(abs(np.concatenate(sizes)).max())
    if ORDINARY[0] <= size <= ORDINARY[1] or not 0 < size < LARGEST:
        return 1.0
    return 2.0 ** min(-round(np.log2(size)), 1000)
