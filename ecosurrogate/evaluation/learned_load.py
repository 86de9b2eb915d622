"""Loads that a model can predict: any, if it sees them, else multiples of its own.

Without a constitutive law fields need not be proportional to the load: its own alone.
"""

from collections.abc import Sequence
from os import PathLike
from typing import cast

import numpy as np
import torch

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.data.creep_bodies import creep_bodies
from ecosurrogate.data.lawless import NO_LAW
from ecosurrogate.training.checkpoint import RunCard
from ecosurrogate.training.config import SEE_LOAD
from fftmech.datasets.loading import Loading
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure


def choose_load(card: RunCard, asked: Load | None) -> Load:
    """Return the load to predict: the one asked for, else that of the training set.

    InputError if none is asked for where the training set has several, or another one
    than a multiple of its own of a model that does not see the load.
    """
    if asked is not None:
        sign_of(card, asked)
        return asked
    known = Loading.from_dict(card.dataset["loads"])
    if known.load is None:
        raise InputError(
            f"the model was trained on loads {known.mode!r}: name one (--strain, "
            "--stress or --uniaxial)"
        )
    return known.load


def check_boundary(run: str | PathLike, card: RunCard, asked: Boundary | None) -> None:
    """Refuse other faces of boxes than those that the model of a run has learned."""
    known = card.encoder.boundary
    if asked != known:
        raise InputError(
            f"{run} was trained with boundary {known or Boundary()}, asked is "
            f"{asked or Boundary()}",
            mend="leave --boundary out, or train on a dataset of such boxes",
        )


def trained_load(card: RunCard) -> Load | None:
    """The load of the training set; None where it has several."""
    return Loading.from_dict(card.dataset["loads"]).load


def encode(
    card: RunCard, bodies: Sequence[Microstructure], loads: Sequence[Load]
) -> Bodies:
    """Inputs of a model: bodies of one shape, each under a load that it can predict.

    A negative multiple of the load that a model has learned has negative units. Powers
    of stresses, those of viscoplastic crystals, are computed in double precision.
    """
    if card.encoder.creep:
        made = creep_bodies(bodies, loads, card.encoder.scheme, torch.float64)
        return cast(Bodies, made)
    return card.encoder.bodies(bodies, loads, [sign_of(card, load) for load in loads])


def sign_of(card: RunCard, load: Load) -> int:
    """1, or -1 of a negative multiple of the one load that a model knows.

    InputError of a load that the model cannot predict.
    """
    known, boundary = trained_load(card), card.encoder.boundary
    if not card.law:
        given = [(x.free, _prescribed(x)) for x in (load, known or load)]
        (free, x), (known_free, y) = given
        if (free != known_free).any() or not np.allclose(x, y, rtol=1e-9, atol=0):
            raise InputError(
                f"load {load}: the fields that the model learned belong to {known}, "
                f"and {NO_LAW}, by which those of a multiple would follow",
                "that load",
                "leave the load out",
            )
        return 1
    if boundary is not None:
        load = boundary.affine(load)
        known = known and boundary.affine(known)
    if card.config.sees_load or not _prescribed(load).any():
        return 1
    if known is None or (load.free != known.free).any():
        raise _another(card, load, known)
    x, y = _prescribed(load), _prescribed(known)
    product, size = float(x @ y), float(np.linalg.norm(x) * np.linalg.norm(y))
    if not abs(product) > (1 - 1e-9) * size:
        raise _another(card, load, known)
    return 1 if product > 0 else -1


def _prescribed(load: Load) -> np.ndarray:
    return np.concatenate([load.mean_strain, load.mean_stress])


def _another(card: RunCard, load: Load, known: Load | None) -> InputError:
    return InputError(
        f"load {load}: model {card.config.model} does not see the load and has "
        f"learned {known or 'none'}",
        "a multiple of that one",
        f"leave the load out, or train {' or '.join(SEE_LOAD)}",
    )
