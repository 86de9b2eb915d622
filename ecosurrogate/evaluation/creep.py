"""What is said of viscoplastic crystals, by models and by the solver stopped early."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ecosurrogate.data.creep_bodies import CreepBodies, creep_law, creep_problem
from ecosurrogate.models.eco import Prediction
from fftmech.loads.load import Load
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.microstructure.base import Microstructure
from fftmech.problems.nonlinear import TimeStep
from fftmech.solvers import get_solver
from fftmech.solvers.line_search import minimum_along


def with_best_rates(
    prediction: Prediction,
    made: CreepBodies,
    bodies: Sequence[Microstructure],
    loads: Sequence[Load],
) -> Prediction:
    """Return the prediction with the `best_rate` of each body."""
    scheme = made.operators.scheme
    found = in_units(prediction.strain, made.strain_unit)
    rates = [
        best_rate(creep_problem(body, load, scheme), rate[None])[0]
        for body, load, rate in zip(bodies, loads, found, strict=True)
    ]
    strain = torch.as_tensor(np.stack(rates)).to(prediction.strain)
    unit = made.strain_unit[:, None, None, None, None]
    return prediction._replace(strain=strain / unit)


def law_notes(trained: CrystalCreep, body: Microstructure) -> list[str]:
    """How the law of a body differs from the one that a model was trained on."""
    known, own = trained.constants(), creep_law(body).constants()
    told = [
        f"{name} {own.get(name)}, trained on {known.get(name)}"
        for name in {**known, **own}
        if own.get(name) != known.get(name)
    ]
    return [f"crystal_creep: {'; '.join(told)}"] if told else []


def stopped_dual(problem: TimeStep, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Strain rate and stress, (1, 6, X, Y, Z), that the solver `dual` has by then.

    It has applied the Green operator once more than there are iterations.
    """
    solver = get_solver("dual", nonlinear=True)
    state = solver.init(problem, problem.zeros())
    for _ in range(iterations):
        state = solver.step(problem, state)
    solver.check(problem, state)
    last, problem.last = problem.last, None
    assert last is not None
    return last.strain, last.stress


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
    pairs = (made.rate, made.strain_unit), (made.uniform, made.stress_unit)
    rate, stress = (
        in_units(field.expand_as(made.taylor), unit)[i : i + 1] for field, unit in pairs
    )
    return rate, stress


def in_units(field: Tensor, unit: Tensor) -> np.ndarray:
    """A field (B, 6, X, Y, Z) in the units of the bodies."""
    return (field * unit[:, None, None, None, None]).cpu().numpy()
