"""What a model is, as clients are told."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

from torch import nn

from ecosurrogate.evaluation.folder import NUMBERS
from ecosurrogate.training.checkpoint import RunCard, digest_of_weights
from ecosurrogate.training.config import ADMISSIBLE, SEE_LOAD
from ecosurrogate.training.log import read_log
from fftmech.errors import InputError

EVALUATION = "evaluation"
"""Folder in a run's where `ecosr evaluate` may have written its errors."""

_FIELDS = ("strain", "stress")


def describe(model: nn.Module, card: RunCard, folder: str | PathLike) -> dict[str, Any]:
    """Model, scheme, resolution, training data and errors of a run, JSON-ready.

    `validation` are the errors of the last validation in training. `test` are mean
    errors on the test set, from RUN/evaluation if `ecosr evaluate` wrote it there, of
    these very weights. Either is None where it is not known.
    """
    config = card.config
    return {
        "model": config.model,
        "backbone": config.backbone,
        "preset": config.preset,
        "parameters": sum(p.numel() for p in model.parameters()),
        "scheme": card.encoder.scheme,
        "representation": config.representation,
        "resolution": card.dataset["res"],
        "sees_load": config.model in SEE_LOAD,
        "admissible": config.model in ADMISSIBLE,
        "trained_on": dict(card.dataset),
        "units": dict(card.units),
        "versions": dict(card.versions),
        "validation": _validation(folder),
        "test": _test(Path(folder)),
    }


def _validation(folder: str | PathLike) -> dict[str, Any] | None:
    try:
        found = [r["validation"] for r in read_log(folder) if "validation" in r]
    except (InputError, OSError):
        return None
    return found[-1] if found else None


def _test(folder: Path) -> dict[str, Any] | None:
    """Mean errors of the contender with this run's weights."""
    try:
        text = (folder / EVALUATION / NUMBERS).read_text(encoding="utf-8")
        found = json.loads(text)
        kind = found["normalisation"]
        own = next(
            c
            for c in found["contenders"]
            if c["kind"] == "run" and c["weights"] == digest_of_weights(folder)
        )
        return {
            "samples": len(own["samples"]),
            "resolution": found["resolution"],
            "normalisation": kind,
            **{name: own["nrmse"][kind][name]["mean"]["mean"] for name in _FIELDS},
            "certificate": (own["certificate"] or {}).get("mean"),
        }
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None
