"""The encoder of a run: its training set's, or that of the weights it begins with."""

from dataclasses import replace
from os import PathLike

from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.examples import Examples
from ecosurrogate.training.checkpoint import RunCard
from ecosurrogate.training.config import Config
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary


def check_kind(dataset: str | PathLike, creep: bool, parent: RunCard | None) -> None:
    """Refuse weights of elastic bodies for viscoplastic crystals, and the reverse."""
    if parent and parent.config.creep != creep:
        named = [
            f"of {'viscoplastic crystals' if kind else 'elastic bodies'}"
            for kind in (creep, not creep)
        ]
        raise InputError(
            f"{dataset} is {named[0]}, the weights to begin with are {named[1]}",
            mend="train without --from",
        )


def encoder_of(
    dataset: str | PathLike, train: Examples, config: Config, parent: RunCard | None
) -> Encoder:
    """Encoder of the training set, or the one that a parent's weights are used to."""
    scheme = train.card.method["scheme"]
    bodies = (train[i] for i in range(0, len(train), train.loads))
    # fitted even if it is not used: it refuses bodies that have no such inputs
    own = Encoder.fit(
        bodies, scheme, config.representation, train.boundary, config.images
    )
    if parent is None:
        return own
    if parent.encoder.scheme != scheme:
        raise InputError(
            f"{dataset} was solved with scheme {scheme}, and the weights to begin with "
            f"belong to {parent.encoder.scheme}",
            mend=f"make a dataset with --scheme {parent.encoder.scheme}",
        )
    if (parent.encoder.scales is None) != (own.scales is None):
        which = "no constitutive law" if parent.law else "a constitutive law"
        raise InputError(
            f"{dataset} has {which}, and the weights to begin with belong to fields "
            f"with{'' if parent.law else 'out'} one",
            mend="train without --from",
        )
    if not parent.law and parent.units.get("stress") != train.card.units.get("stress"):
        raise InputError(
            f"{dataset} has stresses in {train.card.units.get('stress')}, the weights "
            f"to begin with belong to {parent.units.get('stress')}",
            mend="import it in that unit",
        )
    if parent.encoder.boundary != train.boundary:
        raise InputError(
            f"{dataset} has boundary {train.boundary or Boundary()}, and the weights "
            f"to begin with belong to {parent.encoder.boundary or Boundary()}",
            "one boundary, which the model has learned",
            "train without --from",
        )
    kept = replace(parent.encoder, creep=own.creep)
    return kept if config.normalize == "keep" else own
