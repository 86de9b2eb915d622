"""The result of a load path: fields at its last accepted increment."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fftmech.arrays.backend import to_numpy
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.loads.path import Path, Step
from fftmech.problems.certificate import certify_increment
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.potential import FieldPotential
from fftmech.results.result import FiniteFields, Result
from fftmech.simulations.march_state import IncrementLog, MarchState
from fftmech.simulations.remarks import doubts
from fftmech.tensors import COMPONENTS, components_from_mandel
from fftmech.tensors.fields import cauchy, green_lagrange

NOTED = 0.01
"""Error of increments, relative, above which there is a note."""

NOTED_TURN = 1.0
"""Turn of a crystal in an increment, degrees, above which there is a note."""


def march_result(
    problem: TimeStep,
    state: MarchState,
    path: Path,
    failed: IncrementLog | None,
    certificate: bool,
    time_tolerance: float | None,
    **how: Any,
) -> Result:
    """Return the fields of the last accepted increment.

    Parameters
    ----------
    problem, state, path
        The march.
    failed
        The increment after it that did not converge, or None.
    certificate
        Whether to bound the error, where that is possible.
    time_tolerance
        As the march had it: there is a note where it is not met.
    how
        What else `Result` says: body, method, status, residuals, times.
    """
    points = state.points if failed is None else (*state.points, failed)
    point = state.points[-1] if state.points else None
    step = path.steps[(point.step if point else 1) - 1]
    energy = to_numpy(_energy(problem, state).mean(axis=0))
    variables = problem.material.variables(state.start.state)
    body = problem.microstructure
    certified = {}
    if certificate and failed is None and problem.last is not None:
        certified = certify_increment(problem).as_dict()
    return Result(
        load=_load(step, state),
        displacement=to_numpy(problem.displacement(state.v)[:3]),
        energy_density=energy,
        energy=float(energy.mean()),
        iterations=sum(p.iterations for p in points),
        linear_iterations=sum(p.linear_iterations for p in points),
        certificate=certified,
        variables={name: to_numpy(field) for name, field in variables.items()},
        time=point.time if point else 0.0,
        notes=[
            *body.notes,
            *doubts(body, problem.scheme.name, problem.kinematics.finite),
            *coarse(state.points, time_tolerance),
            *coarse_turns(state.spin),
        ],
        **_fields(problem, state),
        **how,
    )


def coarse(points: Sequence[IncrementLog], tolerance: float | None) -> list[str]:
    """Note increments that are too large for what laws remember, or a tolerance."""
    error = sum(point.time_error for point in points)
    if not error > (tolerance or NOTED):
        return []
    return [
        f"the size of the increments changes the stress by about {100 * error:.2g} %, "
        "all of them together: ask for more --increments"
    ]


def coarse_turns(spin: float) -> list[str]:
    """Note increments in which crystals turn (degrees) too far for systems at rest."""
    if not spin > NOTED_TURN:
        return []
    return [
        f"a crystal has turned by {spin:.2g} degrees in one increment, and only then "
        "its slip systems with it: ask for more --increments"
    ]


def _load(step: Step, state: MarchState) -> Load | FiniteLoad:
    """The load of a step; strains that are added to others as what they have become."""
    if not step.relative:
        return step.load
    assert isinstance(step.load, Load)
    stress = step.load.stress
    strain = zip(COMPONENTS, components_from_mandel(state.mean_strain), strict=True)
    return Load({c: float(e) for c, e in strain if c not in stress}, stress)


def _energy(problem: TimeStep, state: MarchState) -> Any:
    """Energy density, (q, x, y, z): see `Result`."""
    material = problem.material
    if not (material.rate or any(m.variables for m in material.materials)):
        with suppress(NotImplementedError):
            return FieldPotential(material, state.start.state).energy(
                state.start.strain
            )
    return state.work


def _fields(problem: TimeStep, state: MarchState) -> dict[str, Any]:
    """Voxel averages and volume averages, as `Result` has them."""
    strain, stress = state.start.strain, state.stress
    if not problem.kinematics.finite:
        return {
            "strain": to_numpy(strain.mean(axis=0)),
            "stress": to_numpy(stress.mean(axis=0)),
            "mean_strain": state.mean_strain,
            "mean_stress": state.mean_stress,
        }
    shape = (len(strain), 3, 3, *problem.grid.shape)
    F, P = strain.reshape(shape), stress.reshape(shape)
    mean_F, mean_P = state.mean_strain.reshape(3, 3), state.mean_stress.reshape(3, 3)
    return {
        "strain": to_numpy(green_lagrange(F).mean(axis=0)),
        "stress": to_numpy(cauchy(F, P).mean(axis=0)),
        "mean_strain": green_lagrange(mean_F[..., None, None, None])[..., 0, 0, 0],
        "mean_stress": cauchy(
            mean_F[..., None, None, None], mean_P[..., None, None, None]
        )[..., 0, 0, 0],
        "finite": FiniteFields(
            to_numpy(F.mean(axis=0)), to_numpy(P.mean(axis=0)), mean_F, mean_P
        ),
    }
