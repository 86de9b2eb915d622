"""Predict the fields of bodies, and certify them."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.data.creep_bodies import CreepBodies, creep_problem
from ecosurrogate.data.lawless import without_law
from ecosurrogate.evaluation.creep import law_notes, with_best_rates
from ecosurrogate.evaluation.learned_load import encode
from ecosurrogate.evaluation.memory import prediction_bytes
from ecosurrogate.evaluation.predicted_result import result_of
from ecosurrogate.evaluation.shift_average import averaged, shifts_of
from ecosurrogate.training.checkpoint import RunCard
from ecosurrogate.training.devices import choose
from fftmech.arrays.memory import check_bytes, size_text
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.simulations.mechanisms import check_load


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
    creep = card.encoder.creep
    if (boundary is not None or creep) and shifts != 1:
        what = "viscoplastic crystals have" if creep else "a box with faces has"
        raise InputError(f"average over shifts: {what} none", "predictions of 1")
    moves = shifts_of(model, shifts)
    needed = prediction_bytes(model, card, bodies[0].grid.shape, len(bodies))
    check_bytes(needed, _what(bodies))
    made = encode(card, bodies, loads).to(place)
    model = model.to(place)
    ready = time.perf_counter()
    with torch.inference_mode():
        prediction = averaged(model, made, moves)
        if isinstance(made, CreepBodies):
            prediction = with_best_rates(prediction, made, bodies, loads)
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
        result_of(card, body, load, made, prediction, u, i, {**times})
        for i, (body, load) in enumerate(zip(bodies, loads, strict=True))
    ]


def _checked(card: RunCard, body: Microstructure, load: Load) -> Microstructure:
    """Return what a model is to see of a body; refuse what it cannot take."""
    boundary = card.encoder.boundary
    if not card.law:
        return without_law(body, card.units)
    if card.encoder.creep:
        creep_problem(body, load, card.encoder.scheme)
        return body.noted(*law_notes(card.encoder.creep, body))
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


def displacement_of(strain: Tensor, made: Bodies) -> Tensor:
    """Fluctuation u = M D* C0 e, whose strain is the compatible part of e, (B, 3, ...).

    `strain` is (B, 6, X, Y, Z), in the units of its bodies.
    """
    operators = made.operators
    force = operators.strain_adjoint(operators.stiffness(strain))
    return operators.green(force)[:, :3]
