"""Predict the fields of bodies, and certify them."""

import time
from collections.abc import Sequence
from math import nan

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.data.lawless import NO_LAW, without_law
from ecosurrogate.evaluation.learned_load import encode
from ecosurrogate.evaluation.shift_average import averaged, shifts_of
from ecosurrogate.models.eco import Prediction
from ecosurrogate.training.checkpoint import RunCard
from ecosurrogate.training.config import ADMISSIBLE
from ecosurrogate.training.devices import choose
from fftmech.arrays.backend import cpu_backend
from fftmech.arrays.memory import check_bytes, size_text
from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.problems.certificate import FACES, Certificate, certify
from fftmech.problems.linear import Problem
from fftmech.results.result import Result, affine_displacement
from fftmech.simulations.mechanisms import check_load
from fftmech.tensors.bounds import reuss, uniform_error, voigt

BYTES = 4 * (6 * 36 + 12 * 32)
"""Memory by voxel, roughly: stiffness, compliance and their copies, hidden channels."""

SMALL = 1e-3
"""Strain up to which the stress of finite strains is that of small ones."""

NOT_CERTIFIED = "not certified"
NO_CERTIFICATE = "the fields of this model are not admissible"
PORES = "the body has pores, where it needs a stress that vanishes"


def predict(
    model: nn.Module,
    card: RunCard,
    body: Microstructure,
    load: Load,
    device: str = "cpu",
    shifts: int | None = 1,
) -> Result:
    """Predict strain, stress and displacement, as `fftmech.solve` returns them.

    Parameters
    ----------
    model, card
        What `ecosurrogate.training.checkpoint.load_model` returned.
    body, load
        The body, with cubic voxels and stiffness in any unit, and its load. A model
        that knows no constitutive law takes phases, or orientations, without stiffness.
    device
        "cpu" or "cuda".
    shifts
        Average over so many periodic shifts of the body, each a prediction of its own;
        over all that may differ if None (`ecosurrogate.evaluation.shift_average`).
        Boxes with faces have none.

    Returns
    -------
    Result
        With `status` "predicted", or "not certified" where fields that ought to be
        admissible are not (`certificate["reason"]`). `residuals` are the relative
        energy errors of the first guess and after each correction, where they are
        known; `certificate` is that of the fields as they are; its "uniform" is the
        relative energy error of uniform fields, which know nothing. The displacement is
        that of the strain, of the part that is compatible; in boxes with faces, which
        are those of the training set (`boundary`), only of models that predict one.
        Without a constitutive law there is no certificate, no energy density, and the
        energy is NaN. `notes` say how the body differs from those that the model was
        trained on, or that it is one of them.

    Raises
    ------
    InputError
        A body that the model cannot take, a load that it does not see and is no
        multiple of the one it has learned, too little memory.
    """
    return predict_many(model, card, [body], [load], device, shifts)[0]


def predict_many(
    model: nn.Module,
    card: RunCard,
    bodies: Sequence[Microstructure],
    loads: Sequence[Load],
    device: str = "cpu",
    shifts: int | None = 1,
) -> list[Result]:
    """Predict bodies of one shape, with a load for each, in one pass of the network.

    Results equal those of `predict`, which refuses the same, but for rounding in single
    precision; times are those of the pass, shared equally.
    """
    place = choose(device)
    started = time.perf_counter()
    boundary = card.encoder.boundary
    bodies = [_checked(card, body, x) for body, x in zip(bodies, loads, strict=True)]
    if boundary is not None and shifts != 1:
        raise InputError(
            "average over shifts: a box with faces has none", "predictions of 1"
        )
    moves = shifts_of(model, shifts)
    voxels = len(bodies) * bodies[0].grid.voxels
    check_bytes(voxels * BYTES, _what(bodies))
    made = encode(card, bodies, loads).to(place)
    model = model.to(place)
    ready = time.perf_counter()
    with torch.inference_mode():
        prediction = averaged(model, made, moves)
        u = prediction.displacement
        if boundary is None:
            u = displacement_of(prediction.strain, made)
    if device == "cuda":
        torch.cuda.synchronize()
    ended = time.perf_counter()
    times = {
        "setup": (ready - started) / len(bodies),
        "compile": 0.0,
        "solve": (ended - ready) / len(bodies),
    }
    return [
        _result(card, body, load, made, prediction, u, i, {**times})
        for i, (body, load) in enumerate(zip(bodies, loads, strict=True))
    ]


def _checked(card: RunCard, body: Microstructure, load: Load) -> Microstructure:
    """Return what a model is to see of a body; refuse what it cannot take."""
    boundary = card.encoder.boundary
    if not card.law:
        return without_law(body, card.units)
    body.check().check_linear("a surrogate")
    if boundary is None:
        check_load(body, load)
    else:
        boundary.check(body.grid)
        check_load(body, boundary.affine(load), boundary)
        if len(body.pores):
            raise InputError(
                "the body has pores, which models of boxes with faces do not take",
                mend="use fftmech solve",
            )
    if body.eigenstrain is not None and body.eigenstrain[body.phases].any():
        raise InputError(
            "the body has eigenstrain, which models do not see",
            mend="use fftmech solve",
        )
    return body


def _what(bodies: Sequence[Microstructure]) -> str:
    size = size_text(bodies[0].grid.shape)
    if len(bodies) == 1:
        return f"a prediction on {size} voxels"
    return f"{len(bodies)} predictions on {size} voxels each"


def _result(
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
    pairs = [
        (_numpy(strain[i]) * strain_unit, _numpy(stress[i]) * stress_unit)
        for strain, stress in (*prediction.path, (prediction.strain, prediction.stress))
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
    elif not bool(made.without_pores[i]):
        certified = [Certificate.none(PORES)]
    else:
        certified = certificates(body, load, card.encoder.scheme, pairs)
        status = status if certified[-1].gap is not None else NOT_CERTIFIED
    final = certified[-1].as_dict()
    if final["relative"] is not None:
        final["uniform"] = _uniform(body, load)
    mean_strain = strain.mean(axis=(1, 2, 3), dtype=float)
    displacement = None
    if u is not None:
        displacement = _numpy(u[i]) * strain_unit * body.grid.h[0]
        if boundary is not None:
            displacement = fluctuation(displacement, mean_strain, body.grid, boundary)
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
        precision="single",
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


def _uniform(body: Microstructure, load: Load) -> float:
    """Certificate of uniform fields, which a prediction is to be better than."""
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

    Each is `fftmech.problems.certificate.certify`. `pairs` are Mandel (6, X, Y, Z), in
    the units of the body.
    """
    if len(body.pores):
        return [Certificate.none(PORES)] * len(pairs)
    threads = torch.get_num_threads()
    problem = Problem(
        body, load, discretization(scheme), cpu_backend(threads), kernels=False
    )
    return [certify(problem, e[None], s[None]) for e, s in pairs]


def displacement_of(strain: Tensor, made: Bodies) -> Tensor:
    """Fluctuation u = M D* C0 e, whose strain is the compatible part of e, (B, 3, ...).

    `strain` is (B, 6, X, Y, Z), in the units of its bodies.
    """
    operators = made.operators
    force = operators.strain_adjoint(operators.stiffness(strain))
    return operators.green(force)[:, :3]


def _numpy(field: Tensor) -> np.ndarray:
    return field.cpu().numpy()
