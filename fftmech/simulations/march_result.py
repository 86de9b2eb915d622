"""The result of a load path: fields at its last accepted increment."""

from contextlib import suppress
from typing import Any

from fftmech.arrays.backend import to_numpy
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.loads.path import Path, Step
from fftmech.problems.certificate import certify_increment
from fftmech.problems.nonlinear import Increment
from fftmech.problems.potential import FieldPotential
from fftmech.results.result import FiniteFields, Result
from fftmech.simulations.march_state import Point, Stand
from fftmech.tensors import COMPONENTS, components_from_mandel
from fftmech.tensors.fields import cauchy, green_lagrange


def march_result(
    problem: Increment,
    stand: Stand,
    path: Path,
    failed: Point | None,
    certificate: bool,
    **how: Any,
) -> Result:
    """Return the fields of the last accepted increment.

    Parameters
    ----------
    problem, stand, path
        The march.
    failed
        The increment after it that did not converge, or None.
    certificate
        Whether to bound the error, where that is possible.
    how
        What else `Result` says: body, method, status, residuals, times.
    """
    points = stand.points if failed is None else (*stand.points, failed)
    point = stand.points[-1] if stand.points else None
    step = path.steps[(point.step if point else 1) - 1]
    energy = to_numpy(_energy(problem, stand).mean(axis=0))
    variables = problem.material.variables(stand.moment.state)
    certified = {}
    if certificate and failed is None and problem.last is not None:
        certified = certify_increment(problem).as_dict()
    return Result(
        load=_load(step, stand),
        displacement=to_numpy(problem.displacement(stand.v)[:3]),
        energy_density=energy,
        energy=float(energy.mean()),
        iterations=sum(p.iterations for p in points),
        linear_iterations=sum(p.linear_iterations for p in points),
        certificate=certified,
        variables={name: to_numpy(field) for name, field in variables.items()},
        time=point.time if point else 0.0,
        **_fields(problem, stand),
        **how,
    )


def _load(step: Step, stand: Stand) -> Load | FiniteLoad:
    """The load of a step; strains that are added to others as what they have become."""
    if not step.relative:
        return step.load
    assert isinstance(step.load, Load)
    stress = step.load.stress
    strain = zip(COMPONENTS, components_from_mandel(stand.mean_strain), strict=True)
    return Load({c: float(e) for c, e in strain if c not in stress}, stress)


def _energy(problem: Increment, stand: Stand) -> Any:
    """Energy density, (q, x, y, z): see `Result`."""
    material = problem.material
    if not (material.rate or any(m.variables for m in material.materials)):
        with suppress(NotImplementedError):
            return FieldPotential(material, stand.moment.state).energy(
                stand.moment.strain
            )
    return stand.work


def _fields(problem: Increment, stand: Stand) -> dict[str, Any]:
    """Voxel averages and volume averages, as `Result` has them."""
    strain, stress = stand.moment.strain, stand.stress
    if not problem.kinematics.finite:
        return {
            "strain": to_numpy(strain.mean(axis=0)),
            "stress": to_numpy(stress.mean(axis=0)),
            "mean_strain": stand.mean_strain,
            "mean_stress": stand.mean_stress,
        }
    shape = (len(strain), 3, 3, *problem.grid.shape)
    F, P = strain.reshape(shape), stress.reshape(shape)
    mean_F, mean_P = stand.mean_strain.reshape(3, 3), stand.mean_stress.reshape(3, 3)
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
