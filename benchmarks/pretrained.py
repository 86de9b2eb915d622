"""Put a trained run into the package, with a card whose numbers are all measured here.

    python benchmarks/pretrained.py RUN DATASET NAME --about "of what, in one line"
        --made-by "fftmech dataset polycrystal --count 56 ..." [--check-res 16]

RUN was trained on DATASET, whose samples for the test judge it. --made-by is the
command that makes DATASET (without -o): it is refused if it would make another one.
Weights are stored in half precision if that changes a prediction by less than a
hundredth of its error; the card is of the weights as they are stored.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from torch import nn

from ecosurrogate.evaluation.evaluate import errors_of_run
from ecosurrogate.evaluation.predict import predict
from ecosurrogate.pretrained.catalogue import CARD as ABOUT
from ecosurrogate.training.checkpoint import (
    CARD,
    WEIGHTS,
    RunCard,
    digest_of_weights,
    load_model,
)
from ecosurrogate.training.config import ADMISSIBLE, SEE_LOAD
from ecosurrogate.training.log import read_log
from ecosurrogate.training.tensor_file import write_tensors
from fftmech import solve
from fftmech.datasets import RECIPES
from fftmech.datasets.card import Card, card_text, read_card
from fftmech.datasets.loading import Loading
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.metrics import mean_nrmse
from fftmech.results.result import Result
from fftmech_cli import dataset_make
from fftmech_cli.fftmech_main import main as fftmech

FORMAT_VERSION = 1
LARGEST = 6_000_000
"""Bytes of a model in the package."""

CHANGE = 0.01
"""Largest change of a prediction by half precision, in parts of its error."""

FIELDS = ("strain", "stress")
PLACE = Path(__file__).parents[1] / "ecosurrogate" / "pretrained"
UNDER = {
    "random": "random mean strains, one a body",
    "six": "each mean strain alone",
}


def made_by(command: str) -> Card:
    """Card of the dataset that a command makes, which is not made."""
    cards: list[Card] = []
    words = [*shlex.split(command)[1:], "-o", "anywhere"]
    with (
        patch.object(dataset_make, "make", lambda _, card, **more: cards.append(card)),
        patch.object(dataset_make, "finish", lambda _, as_json, work: work(None)),
        suppress(SystemExit),
    ):
        fftmech.main(words)
    if not cards:
        raise InputError(f"--made-by {command!r}", "fftmech dataset ...")
    return cards[0]


def digest(card: Card) -> str:
    """SHA-256 of all that the samples of a dataset depend on."""
    return json.loads(card_text(card))["sha256"]


def example(recipe: Mapping[str, Any], res: int) -> tuple[Microstructure, Load]:
    """The first body of a dataset's recipe that the dataset does not have, and a load.

    `recipe` has kind, parameters, seed, count and loads of the dataset.
    """
    seed, index = recipe["seed"], recipe["count"]
    drawn = RECIPES[recipe["kind"]](**recipe["parameters"]).draw(seed, index, res)
    load, *_ = Loading.from_dict(recipe["loads"]).cases(seed, index).values()
    return drawn.body, load


def measured(
    model: nn.Module, card: RunCard, recipe: Mapping[str, Any], res: int
) -> dict[str, Any]:
    """Errors of a prediction on the `example` of a recipe."""
    body, load = example(recipe, res)
    found = predict(model, card, body, load)
    exact = solve(body, load, scheme=card.encoder.scheme, tolerance=1e-8)
    return {
        "res": res,
        **{name: difference(found, exact, name) for name in FIELDS},
        "certificate": found.certificate["relative"],
        "uniform": found.certificate.get("uniform"),
        "energy": found.energy,
        "energy_of_solution": exact.energy,
    }


def difference(one: Result, other: Result, name: str) -> float:
    """nRMSE of a field of one result beside another, outside of pores."""
    solid = ~np.isin(one.microstructure.phase, one.microstructure.pores)
    return mean_nrmse(getattr(one, name), getattr(other, name), mask=solid)


def evaluated(folder: Path, dataset: Path) -> dict[str, Any]:
    """Errors on the samples for the test, by `ecosr evaluate`."""
    command = (sys.executable, "-m", "fftmech_cli.ecosr_main", "evaluate", folder)
    options = (dataset.resolve(), "--baseline", "none", "--json")
    done = subprocess.run((*command, *options), check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    own, uniform = found["contenders"][0], found["uniform"]
    test = errors_of_run(found, digest_of_weights(folder))
    test["uniform"]["energy"] = (uniform["energy"] or {}).get("mean")
    return {
        **test,
        "skill": {n: (own["skill"][n] or {}).get("mean") for n in FIELDS},
        "energy": (own["energy"] or {}).get("mean"),
        "green_operations": own["applications"],
        "iterations_of_solver": found["reference"]["iterations"]["mean"],
    }


def describe(
    run: Path, folder: Path, dataset: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """The card of a run; in `folder` are its configuration and weights."""
    model, card = load_model(run)
    config, known, made = card.config, card.training_set, made_by(options.made_by)
    if {digest(made), digest(read_card(dataset))} != {card.dataset["sha256"]}:
        raise InputError(f"{run} was not trained on {dataset} or not on what is made")
    assert known is not None
    seconds = [r["seconds"] for r in read_log(run) if "seconds" in r]
    if len(seconds) < config.steps:
        raise InputError(f"{run}: a log of {len(seconds)} of {config.steps} steps")
    recipe = {
        **{name: getattr(made, name) for name in ("kind", "parameters", "seed")},
        **{"count": made.count, "loads": made.loading.as_dict()},
    }
    precision = halve(folder, model, card, *example(recipe, options.check_res))
    stored, _ = load_model(folder)
    load = made.loading.load
    return {
        "format_version": FORMAT_VERSION,
        "name": options.name,
        "about": options.about,
        "licence": "MIT",
        "model": {
            **{n: getattr(config, n) for n in ("model", "backbone", "preset")},
            "representation": config.representation,
            "parameters": sum(p.numel() for p in model.parameters()),
            "admissible": config.model in ADMISSIBLE,
        },
        "weights": {
            "sha256": digest_of_weights(folder),
            "bytes": (folder / WEIGHTS).stat().st_size,
            "precision": precision,
        },
        "scheme": card.encoder.scheme,
        "resolution": card.dataset["res"],
        "load": {
            "known": "any" if config.model in SEE_LOAD else "multiples",
            "trained_under": str(load) if load else UNDER[made.loading.mode],
        },
        "training": {
            **{name: getattr(config, name) for name in ("steps", "batch", "seed")},
            "hours": float(f"{sum(seconds) / 3600:.2g}"),
            "ancestors": [each.summary() for each in card.ancestors],
            "versions": dict(card.versions),
        },
        "dataset": {
            "command": options.made_by,
            **{name: card.dataset[name] for name in ("train", "val", "labels")},
            "recipe": recipe,
        },
        "domain": {
            "ranges": {name: list(ends) for name, ends in known.ranges.items()},
            "symmetries": list(known.symmetries),
        },
        "test": evaluated(folder, dataset),
        "check": measured(stored, card, recipe, options.check_res),
    }


def halve(
    folder: Path, model: nn.Module, card: RunCard, body: Microstructure, load: Load
) -> str:
    """Store weights in half precision if a prediction shows no loss; the precision."""
    half = deepcopy(model).half()
    weights = half.state_dict()
    before = predict(model, card, body, load)
    after = predict(half.float(), card, body, load)
    exact = solve(body, load, scheme=card.encoder.scheme, tolerance=1e-8)
    lost = max(
        difference(after, before, name) / difference(before, exact, name)
        for name in FIELDS
    )
    print(f"half precision changes a prediction by {lost:.1e} of its error")
    if not lost < CHANGE:
        return "single"
    write_tensors(folder / WEIGHTS, weights, {})
    return "half"


def package(run: Path, dataset: Path, options: argparse.Namespace) -> Path:
    """Write a model and its card; a model of that name is replaced at the end."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / options.name
        folder.mkdir()
        for name in (CARD, WEIGHTS):
            shutil.copy(run / name, folder / name)
        text = json.dumps(describe(run, folder, dataset, options), indent=1)
        (folder / ABOUT).write_text(text + "\n", encoding="utf-8")
        size = sum(file.stat().st_size for file in folder.iterdir())
        if size > LARGEST:
            raise InputError(f"{size} bytes", f"at most {LARGEST}", "a smaller network")
        place = PLACE / options.name
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place)
    return place


def main() -> None:
    """Package what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("name")
    parser.add_argument("--about", required=True)
    parser.add_argument("--made-by", required=True)
    parser.add_argument("--check-res", type=int, default=16)
    options = parser.parse_args()
    try:
        print(f"wrote {package(options.run, options.dataset, options)}")
    except InputError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
