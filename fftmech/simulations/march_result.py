"""The result of a march: fields where it stands."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fftmech.arrays.backend import to_numpy
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.loads.path import Step
from fftmech.problems.certificate import certify_increment
from fftmech.problems.nonlinear import Increment
from fftmech.problems.potential import FieldPotential
from fftmech.results.result import FiniteFields, Result
from fftmech.simulations.march_state import Stand
from fftmech.tensors import COMPONENTS, components_from_mandel
from fftmech.tensors.fields import cauchy, green_lagrange

if TYPE_CHECKING:
    from fftmech.simulations.march import March


def result_of(march: March, certificate: bool = True) -> Result:
    """Return the fields of a march's last increment, with how it was solved."""
    problem, stand = march.problem, march.stand
    points = stand.points if march.failed is None else (*stand.points, march.failed)
    point = stand.points[-1] if stand.points else None
    step = march.path.steps[(point.step if point else 1) - 1]
    energy = to_numpy(_energy(problem, stand).mean(axis=0))
    variables = problem.material.variables(stand.moment.state)
    return Result(
        microstructure=march.microstructure,
        load=_load(step, stand),
        scheme=march.scheme,
        solver=march.solver,
        tolerance=march.tolerance,
        displacement=to_numpy(problem.displacement(stand.v)[:3]),
        energy_density=energy,
        energy=float(energy.mean()),
        status=march.status,
        advice=march.advice,
        iterations=sum(p.iterations for p in points),
        linear_iterations=sum(p.linear_iterations for p in points),
        residuals=[1.0, *(p.residual for p in points)],
        times=dict(march.times),
        certificate=_certificate(march) if certificate else {},
        temperature=march.temperature,
        variables={name: to_numpy(field) for name, field in variables.items()},
        time=point.time if point else 0.0,
        **_fields(problem, stand),
    )


def _load(step: Step, stand: Stand) -> Load | FiniteLoad:
    """The load of a step; strains that are added to others as what they have become."""
    if not step.relative:
        return step.load
    assert isinstance(step.load, Load)
    stress = step.load.stress
    strain = zip(COMPONENTS, components_from_mandel(stand.mean_strain), strict=True)
    return Load({c: float(e) for c, e in strain if c not in stress}, stress)


def _certificate(march: March) -> dict[str, Any]:
    """The certificate of the last increment; {} if there is none or it failed."""
    if march.failed is not None or march.problem.last is None:
        return {}
    return certify_increment(march.problem).as_dict()


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
    xp = problem.backend.xp
    shape = (len(strain), 3, 3, *problem.grid.shape)
    F, P = strain.reshape(shape), stress.reshape(shape)
    mean_F, mean_P = stand.mean_strain.reshape(3, 3), stand.mean_stress.reshape(3, 3)
    return {
        "strain": to_numpy(green_lagrange(F, xp).mean(axis=0)),
        "stress": to_numpy(cauchy(F, P, xp).mean(axis=0)),
        "mean_strain": green_lagrange(mean_F[..., None, None, None])[..., 0, 0, 0],
        "mean_stress": cauchy(
            mean_F[..., None, None, None], mean_P[..., None, None, None]
        )[..., 0, 0, 0],
        "finite": FiniteFields(
            to_numpy(F.mean(axis=0)), to_numpy(P.mean(axis=0)), mean_F, mean_P
        ),
    }
