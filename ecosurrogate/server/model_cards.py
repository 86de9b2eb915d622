"""What GET /models says of a model: its training, its scheme, its errors."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

from torch import nn

from ecosurrogate.evaluation.evaluate import errors_of_run
from ecosurrogate.evaluation.folder import NUMBERS
from ecosurrogate.pretrained.catalogue import CARD, run_folder
from ecosurrogate.response.trained_network import TrainedNetwork
from ecosurrogate.training.checkpoint import RunCard, digest_of_weights
from ecosurrogate.training.config import SEE_LOAD
from ecosurrogate.training.log import read_log
from fftmech.errors import InputError


def describe(model: nn.Module, card: RunCard, folder: str | PathLike) -> dict[str, Any]:
    """What a model is; `test` has errors only if these very weights were evaluated."""
    config, place = card.config, run_folder(folder)
    names = ("model", "backbone", "preset", "representation")
    return {
        **{name: getattr(config, name) for name in names},
        "parameters": sum(p.numel() for p in model.parameters()),
        "scheme": card.encoder.scheme,
        "resolution": card.dataset["res"],
        "sees_load": config.model in SEE_LOAD,
        "admissible": card.certified,
        "law": card.law,
        "boundary": card.encoder.boundary and card.encoder.boundary.as_dict(),
        "trained_on": dict(card.dataset),
        "ancestors": [each.summary() for each in card.ancestors],
        "units": dict(card.units),
        "versions": dict(card.versions),
        "validation": _validation(place),
        "test": _test(place),
    }


def describe_network(trained: TrainedNetwork) -> dict[str, Any]:
    """What a network of laminates is, JSON-ready."""
    return {
        "model": "dmn",
        "depth": trained.tree.depth,
        "leaves": len(trained.tree.leaves),
        "crystals": trained.tree.quaternion is not None,
        "phases": trained.phases.tolist(),
        "fractions": trained.fractions.tolist(),
        "scheme": trained.scheme,
        "admissible": False,
        "trained_on": dict(trained.data),
        "validation": trained.errors["validation"],
        "check": dict(trained.check),
        "notes": list(trained.notes),
    }


def _validation(folder: str | PathLike) -> dict[str, Any] | None:
    try:
        return [r["validation"] for r in read_log(folder) if "validation" in r][-1]
    except (InputError, OSError, IndexError):
        return None


def _test(folder: Path) -> dict[str, Any] | None:
    try:
        weights = digest_of_weights(folder)
        if (folder / CARD).exists():
            known = json.loads((folder / CARD).read_text(encoding="utf-8"))
            return known["test"] if known["weights"]["sha256"] == weights else None
        text = (folder / "evaluation" / NUMBERS).read_text(encoding="utf-8")
        return errors_of_run(json.loads(text), weights)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None
