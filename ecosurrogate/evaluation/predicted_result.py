"""The result of a prediction, as `fftmech.solve` returns it, and its certificates."""

from collections.abc import Sequence
from math import nan

import numpy as np
import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.data.creep_bodies import CreepBodies, creep_problem
from ecosurrogate.data.lawless import NO_LAW
from ecosurrogate.evaluation.creep import uniform_fields
from ecosurrogate.models.eco import Prediction
from ecosurrogate.training.checkpoint import RunCard
from ecosurrogate.training.config import ADMISSIBLE
from fftmech.arrays.backend import cpu_backend
from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.problems.certificate import FACES, Certificate, certify
from fftmech.problems.linear import Problem
from fftmech.results.result import Result, affine_displacement
from fftmech.tensors.bounds import reuss, uniform_error, voigt

SMALL = 1e-3
"""Strain up to which the stress of finite strains is that of small ones."""

NOT_CERTIFIED = "not certified"
NO_CERTIFICATE = "the fields of this model are not admissible"
PORES = "the body has pores, where it needs a stress that vanishes"


def result_of(
    card: RunCard,
    body: Microstructure,
    load: Load,
    made: Bodies,
    prediction: Prediction,
    u: Tensor | None,
    i: int,
    times: dict[str, float],
) -> Result:
    """Fields of body i of a batch in its own units, and their certificates."""
    strain_unit, stress_unit = float(made.strain_unit[i]), float(made.stress_unit[i])
    fields = [*prediction.path, (prediction.strain, prediction.stress)]
    pairs = [
        (_numpy(strain[i]) * strain_unit, _numpy(stress[i]) * stress_unit)
        # the strain rate of viscoplastic crystals is the best one at the end alone
        for strain, stress in (fields[-1:] if card.encoder.creep else fields)
    ]
    strain, stress = pairs[-1]
    # of another law half of strain : stress is no energy
    density = np.einsum("cxyz,cxyz->xyz", strain, stress) / 2 if card.law else None
    status = "predicted"
    boundary = card.encoder.boundary
    if not card.law:
        certified = [Certificate.none(NO_LAW)]
    elif boundary is not None:
        certified = [Certificate.none(FACES)]
    elif card.config.model not in ADMISSIBLE:
        certified = [Certificate.none(NO_CERTIFICATE)]
    elif len(body.pores):
        certified = [Certificate.none(PORES)]
    else:
        certified = certificates(body, load, card.encoder.scheme, pairs)
        status = status if certified[-1].gap is not None else NOT_CERTIFIED
    final = certified[-1].as_dict()
    if final["relative"] is not None:
        final["uniform"] = _uniform(card, body, load, made, i)
    mean_strain = strain.mean(axis=(1, 2, 3), dtype=float)
    displacement = None
    if u is not None:
        displacement = _numpy(u[i]) * strain_unit * body.grid.h[0]
        if boundary is not None:
            displacement = fluctuation(displacement, mean_strain, body.grid, boundary)
    gradient = {}
    if u is None and prediction.gradient is not None:
        H = _numpy(prediction.gradient[i]) * strain_unit
        gradient = {"displacement_gradient": H.reshape(9, *H.shape[2:])}
    return Result(
        microstructure=body,
        load=load,
        scheme=card.encoder.scheme,
        solver=card.config.model,
        tolerance=0.0,
        displacement=displacement,  # pyright: ignore[reportArgumentType]
        strain=strain,
        stress=stress,
        energy_density=density,  # pyright: ignore[reportArgumentType]
        mean_strain=mean_strain,
        mean_stress=stress.mean(axis=(1, 2, 3), dtype=float),
        energy=nan if density is None else float(density.mean(dtype=float)),
        status=status,
        advice="",
        iterations=len(prediction.path),
        residuals=[c.relative for c in certified if c.relative is not None],
        times=times,
        certificate=final,
        precision="double" if card.encoder.creep else "single",
        variables=gradient,
        boundary=boundary,
        notes=[*body.notes, *training_notes(card, body), *_finite(card, strain)],
    )


def fluctuation(
    u: np.ndarray, mean_strain: np.ndarray, grid: Grid, boundary: Boundary
) -> np.ndarray:
    """A displacement (3, *nodes) less that of its mean gradient, without free shifts.

    As `NonperiodicProblem.fluctuation`.
    """
    nodes = np.ogrid[tuple(map(slice, u.shape[1:]))]
    G = boundary.mean_gradient(mean_strain)
    rest = u - affine_displacement(G, grid, False, nodes)
    free = [boundary.moves(c) for c in range(3)]
    rest[free] -= rest[free].mean(axis=(1, 2, 3), keepdims=True)
    return rest


def _finite(card: RunCard, strain: np.ndarray) -> list[str]:
    """A note if the stress is of finite strains, and these are not small."""
    if card.config.model != "w-eco" or card.encoder.boundary is None:
        return []
    largest = abs(strain).max()
    if not largest > SMALL:
        return []
    return [
        f"strains up to {largest:.1g}: the stress of w-eco in boxes with faces is that "
        "of finite strains, which differs from the solver's by about as much"
    ]


def _uniform(
    card: RunCard, body: Microstructure, load: Load, made: Bodies, i: int
) -> float | None:
    """Certificate of uniform fields, which a prediction is to be better than."""
    if isinstance(made, CreepBodies):
        pair = [field[0] for field in uniform_fields(made, i)]
        (found,) = certificates(body, load, card.encoder.scheme, [(pair[0], pair[1])])
        return found.relative
    assert body.stiffness is not None
    known = body.stiffness, body.fractions
    given = load.mean_strain, load.mean_stress, load.free
    return uniform_error(voigt(*known), np.linalg.inv(reuss(*known)), given)


def training_notes(card: RunCard, body: Microstructure) -> list[str]:
    """What a body has to do with those that the model was trained on, a line each."""
    notes = []
    if None in card.training_sets:
        notes.append(
            "a run of an earlier version, or one that comes from such a run: which "
            "bodies it was trained on is unknown"
        )
    if any(known.has(body) for known in card.training_sets if known):
        notes.append("1 of 1 bodies was trained on: this is no test of the model")
    # what was learned of earlier training sets may be forgotten
    last = card.training_set
    return notes + (last.unlike(body) if last else [])


def certificates(
    body: Microstructure,
    load: Load,
    scheme: str,
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
) -> list[Certificate]:
    """Certificates of strains and stresses as they are, in double precision.

    Each is `fftmech.problems.certificate.certify`; of viscoplastic crystals it is that
    of rates. `pairs` are Mandel (6, X, Y, Z), in
    the units of the body.
    """
    if len(body.pores):
        return [Certificate.none(PORES)] * len(pairs)
    if body.nonlinear:
        problem = creep_problem(body, load, scheme)
    else:
        backend = cpu_backend(torch.get_num_threads())
        problem = Problem(body, load, discretization(scheme), backend, kernels=False)
    return [certify(problem, e[None], s[None]) for e, s in pairs]


def _numpy(field: Tensor) -> np.ndarray:
    return field.cpu().numpy()
