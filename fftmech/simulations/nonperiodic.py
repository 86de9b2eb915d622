"""Solve one load in a box with faces."""

import time
from math import prod
from typing import Any

import numpy as np

from fftmech.arrays.backend import get_backend
from fftmech.arrays.memory import check_bytes, size_text
from fftmech.discretization import discretization
from fftmech.discretization.base import Discretization
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import (
    Microstructure,
    check_temperature,
    total_eigenstrain,
)
from fftmech.operators.reference_medium import reference_medium
from fftmech.problems.certificate import Certificate
from fftmech.problems.nonperiodic import Bounded
from fftmech.results.result import Result
from fftmech.simulations.advice import advice_for
from fftmech.simulations.mechanisms import _check_carried
from fftmech.simulations.method import PRECISIONS
from fftmech.solvers import get_solver
from fftmech.solvers.iteration import iterate
from fftmech.tensors.stiffness import reference_stiffness

SOLVERS = ("cg", "minres")
"""Solvers that ask for nothing but products and M: no bounds, no local stiffness."""

BYTES = 256
"""Peak memory a node beyond the microstructure, measured at 96^3: at first that of the
symbols, at last that of the fields, with and without the void around them."""


def solve_nonperiodic(
    microstructure: Microstructure,
    load: Load,
    boundary: Boundary,
    *,
    scheme: str,
    solver: str,
    tolerance: float,
    max_iterations: int,
    device: str,
    precision: str,
    threads: int | None,
    temperature: float,
    initial: Any,
    reference: tuple[float, float] | None,
    progress: Any,
) -> Result:
    """Solve a box with faces; see `fftmech.solve`.

    A polycrystal in tension with free sides took 27 iterations at 16^3, 32^3 and 64^3,
    the periodic one 12.

    Raises
    ------
    InputError
        What the faces contradict, schemes with nodes at the centres of voxels, solvers
        that need bounds, an initial guess.
    """
    started = time.perf_counter()
    method, discretized = get_solver(solver), discretization(scheme)
    _check(discretized, solver, device, initial)
    microstructure.check()
    check_temperature(microstructure, temperature)
    boundary.check(microstructure.grid)
    affine = boundary.affine(load)
    _check_carried(microstructure, affine, boundary)
    shape = boundary.nodes(microstructure.grid)
    check_bytes(BYTES * prod(shape), f"a solve on {size_text(shape)} nodes")
    eigenstrain = total_eigenstrain(microstructure, temperature)
    unit = _unit(microstructure, affine, boundary, eigenstrain)
    body = microstructure.with_changes(
        eigenstrain=None if eigenstrain is None else unit * eigenstrain,
        thermal_expansion=None,
    )
    problem = Bounded(
        body,
        affine.scaled(unit),
        boundary,
        discretized,
        get_backend(device, threads),
        PRECISIONS[precision],
        reference,
        unit,
    )
    compiled = problem.prepare(method.mixed)
    setup = time.perf_counter()

    v, status, residuals, balance = iterate(
        problem, method, None, tolerance, max_iterations, progress
    )
    del balance  # before the fields take most of what a solve takes
    strain, stress, energy = problem.fields(v)
    strain /= unit
    stress /= unit
    energy /= unit**2
    mean_strain, mean_stress = (
        field.mean(axis=(1, 2, 3), dtype=float) for field in (strain, stress)
    )
    u = problem.fluctuation(v, unit * mean_strain) / unit
    solved = time.perf_counter()
    return Result(
        microstructure=microstructure,
        load=load,
        scheme=scheme,
        solver=solver,
        tolerance=tolerance,
        displacement=u,
        strain=strain,
        stress=stress,
        energy_density=energy,
        mean_strain=mean_strain,
        mean_stress=mean_stress,
        energy=float(energy.mean()),
        status=status,
        advice=advice_for(status, problem.body, solver, max_iterations, precision),
        iterations=len(residuals) - 1,
        residuals=residuals,
        times={
            "setup": setup - started,
            "compile": compiled,
            "solve": solved - setup,
        },
        certificate=Certificate(None, None, None, None, _NO_CERTIFICATE).as_dict(),
        temperature=temperature,
        precision=precision,
        boundary=boundary,
    )


_NO_CERTIFICATE = "the box has faces, and only periodic boxes have a certificate"


def _check(scheme: Discretization, solver: str, device: str, initial: Any) -> None:
    if not isinstance(scheme, StencilDiscretization) or scheme.nodes == "centers":
        raise InputError(
            f"scheme {scheme.name} with a boundary has nodes at the centres of voxels",
            "nodes on the faces",
            "use --scheme rotated",
        )
    if solver not in SOLVERS:
        raise InputError(
            f"solver {solver} with a boundary", f"one of {', '.join(SOLVERS)}"
        )
    if device != "cpu":
        raise InputError(
            f"device {device} with a boundary",
            "cpu, which has the sine and cosine transforms",
            "use --device cpu",
        )
    if initial is not None:
        raise InputError("an initial guess with a boundary", "none", "drop it")


def _unit(
    microstructure: Microstructure,
    load: Load,
    boundary: Boundary,
    eigenstrain: np.ndarray | None,
) -> float:
    """Power of two that brings the strains of a load near one."""
    C0 = reference_stiffness(*reference_medium(microstructure))
    sizes = [load.mean_strain, np.linalg.solve(C0, load.mean_stress)]
    if eigenstrain is not None:
        sizes.append(eigenstrain[microstructure.phases].ravel())
    values = boundary.values(microstructure.grid)
    if values is not None:
        sizes.append(values.ravel() / min(microstructure.grid.size))
    size = float(abs(np.concatenate(sizes)).max())
    return 2.0 ** -round(np.log2(size)) if 1e-150 < size < 1e150 else 1.0
