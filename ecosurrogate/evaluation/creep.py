"""Predict the rates and stresses of viscoplastic crystals, and certify them."""

import time

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.data.creep_bodies import CreepBodies, creep_bodies, creep_problem
from ecosurrogate.evaluation.predict import NOT_CERTIFIED
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.problems.certificate import certify
from fftmech.problems.nonlinear import TimeStep
from fftmech.results.result import Result
from fftmech.solvers.line_search import minimum_along

UNKNOWN = "which bodies, laws and loads the model was trained on is not recorded"


def predict_creep(
    model: nn.Module, body: Microstructure, load: Load, scheme: str = "rotated"
) -> Result:
    """Predict strain, stress and displacement, as `fftmech.solve` returns them.

    Parameters
    ----------
    model
        A `CreepPECO` or `IteratedCreepPECO`, trained with this scheme.
    body
        Crystals of one law `crystal_creep` without hardening, no pores.
    load
        Six mean strains, which are rates: the time is 1.

    Returns
    -------
    Result
        With `status` "predicted", or "not certified" where the fields are not
        admissible. The strain is `best_rate` of the model's. `certificate` is the
        duality gap <w(e) + w*(s) - s : e>, the sum of what both energies lack; its
        "relative" is the root of its part of <w + w*>, and "uniform" that of the mean
        rate and the best uniform stress, which know nothing. All but the network is in
        double precision.

    Raises
    ------
    InputError
        What `ecosurrogate.data.creep_bodies.creep_problem` refuses.
    """
    started = time.perf_counter()
    problem = creep_problem(body, load, scheme)
    made = creep_bodies([body], [load], scheme, torch.float64)
    ready = time.perf_counter()
    with torch.no_grad():
        prediction = model(made)
    stress = in_units(prediction.stress, made.stress_unit)[0]
    found = in_units(prediction.rate, made.rate_unit)[0]
    strain = best_rate(problem, found[None])[0]
    ended = time.perf_counter()
    certificate = certify(problem, strain[None], stress[None])
    nothing = certify(problem, *uniform_fields(made, 0))
    u = _displacement(made, torch.as_tensor(strain)[None])[0] * body.grid.h[0]
    # the work of the first increment, by the trapezoidal rule, as the solver has it
    density = np.einsum("cxyz,cxyz->xyz", strain, stress) / 2
    return Result(
        microstructure=body,
        load=load,
        scheme=scheme,
        solver=type(model).__name__,
        tolerance=0.0,
        displacement=u,
        strain=strain,
        stress=stress,
        energy_density=density,
        mean_strain=strain.mean(axis=(1, 2, 3)),
        mean_stress=stress.mean(axis=(1, 2, 3)),
        energy=float(density.mean()),
        status="predicted" if certificate.gap is not None else NOT_CERTIFIED,
        advice="",
        iterations=len(prediction.path) - 1,
        residuals=[c.relative for c in (certificate,) if c.relative is not None],
        times={"setup": ready - started, "compile": 0.0, "solve": ended - ready},
        certificate={**certificate.as_dict(), "uniform": nothing.relative},
        notes=[*body.notes, UNKNOWN],
    )


def best_rate(problem: TimeStep, rate: np.ndarray) -> np.ndarray:
    """The best rate between the mean rate and a compatible one, (1, 6, X, Y, Z).

    The rate of a stress that is wrong in a few voxels is far too large there. The
    energy <w> is minimised along the line from E, by its slopes <dw/de : d>: each takes
    one local problem a voxel, and no Green operation.
    """
    mean = problem.uniform(problem.load.mean_strain)
    d = rate - mean

    def slope(part: float) -> float:
        stress = problem.material.respond(
            mean + part * d, problem.start.strain, problem.start.state, problem.dt
        ).stress
        return float((stress * d).sum(axis=1).mean())

    if slope(1.0) <= 0:
        return rate
    part = minimum_along(slope, slope(0.0), 0.5, 0.05)
    return mean if part is None else mean + part * d


def uniform_fields(made: CreepBodies, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean rate and best uniform stress of body i, in its units, (1, 6, X, Y, Z)."""
    pairs = (made.rate, made.rate_unit), (made.uniform, made.stress_unit)
    rate, stress = (
        in_units(field.expand_as(made.taylor), unit)[i : i + 1] for field, unit in pairs
    )
    return rate, stress


def in_units(field: Tensor, unit: Tensor) -> np.ndarray:
    """A field (B, 6, X, Y, Z) in the units of the bodies."""
    return (field * unit[:, None, None, None, None]).numpy()


def _displacement(made: CreepBodies, strain: Tensor) -> np.ndarray:
    """Fluctuation u whose strain is compatible, voxels of edge 1, (B, 3, X, Y, Z)."""
    operators = made.operators
    force = operators.strain_adjoint(operators.stiffness(strain))
    return operators.green(force)[:, :3].numpy()
