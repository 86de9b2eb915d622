"""One sample: its body is generated and solved, and the file written."""

import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from fftmech.datasets.card import Card
from fftmech.datasets.directory import sample_path
from fftmech.datasets.draft import check_loads, recipe_of
from fftmech.datasets.executor import stop_if_cancelled
from fftmech.datasets.manifest import Record
from fftmech.errors import InputError
from fftmech.io.atomic import whole_file
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.fingerprint import fingerprint
from fftmech.microstructure.resample import resample
from fftmech.results.result import Result
from fftmech.simulations.solve import solve


def make_sample(
    index: int, *, directory: str, card: str, threads: int, device: str
) -> Record:
    """Make one sample, write its file, and return its line of the manifest.

    `directory` is the folder of the dataset, `card` the text of its card.
    """
    # h5py takes longer to import than --help may
    from fftmech.io.sample_file import sample_bytes

    made = _parsed(card)
    split = made.split_of(index)
    record: Record = {"index": index, "split": split}
    try:
        bodies, statistics = draw_sample(made, index)
    except InputError as error:
        if not recipe_of(made).may_fail:
            raise
        return {**record, "status": "failed", "reason": " ".join(str(error).split())}
    # an InputError of a solve, of too little memory perhaps, is no property of the body
    results = solve_bodies(bodies, made, index, threads, device)
    for res, solved in results.items():
        for name, result in solved.items():
            if not result.converged:
                load = f", load {name}" if name else ""
                reason = (
                    f"resolution {res}{load}: {result.status} after "
                    f"{result.iterations} iterations, residual {result.residual:.2e}"
                )
                return {**record, "status": "failed", "reason": reason}
    data = sample_bytes(index, made.seed, split, statistics, bodies, results)
    with whole_file(sample_path(directory, index)) as path:
        path.write_bytes(data)
    return {
        **record,
        "status": "done",
        "sha256": sha256(data).hexdigest(),
        "bytes": len(data),
        "iterations": _largest(results, "iterations"),
        "residual": _largest(results, "residual"),
        "statistics": statistics,
        "fingerprint": fingerprint(bodies[made.levels[-1]], made.loading.periodic),
    }


def solve_sample(
    card: Card, index: int, threads: int | None = None, device: str = "cpu"
) -> tuple[dict[int, Microstructure], dict[str, Any], dict[int, dict[str, Result]]]:
    """Return what `draw_sample` and `solve_bodies` return of one body."""
    bodies, statistics = draw_sample(card, index)
    return bodies, statistics, solve_bodies(bodies, card, index, threads, device)


def draw_sample(
    card: Card, index: int
) -> tuple[dict[int, Microstructure], dict[str, Any]]:
    """Generate one body; return it by resolution, and its statistics."""
    recipe = recipe_of(card, card.split_of(index))
    body, statistics = recipe.draw(card.seed, index, card.levels[0])
    bodies = {res: resample(body, res) for res in card.levels}
    for res in card.solved_levels(index):
        if recipe.solved:
            bodies[res].check()
        check_loads(bodies[res], card, index)
    return bodies, statistics


def solve_bodies(
    bodies: Mapping[int, Microstructure],
    card: Card,
    index: int,
    threads: int | None = None,
    device: str = "cpu",
) -> dict[int, dict[str, Result]]:
    """Solve one body; return results by resolution and load, up to a failed one.

    Fields of another program are taken as they are.
    """
    given = recipe_of(card).given(index)
    if given is not None:
        return {card.levels[0]: given}
    results: dict[int, dict[str, Result]] = {}
    # the cheap ones first
    for res in reversed(card.solved_levels(index)):
        solved = results[res] = {}
        for name, load in card.loading.cases(card.seed, index).items():
            solved[name] = result = solve(
                bodies[res],
                load,
                **card.method,
                device=device,
                threads=threads,
                boundary=card.loading.boundary,
                certificate=False,
                progress=stop_if_cancelled,
            )
            if not result.converged:
                return results
    return results


def _largest(results: Mapping[int, Mapping[str, Result]], name: str) -> dict[str, Any]:
    return {
        str(res): max(getattr(result, name) for result in solved.values())
        for res, solved in results.items()
    }


@lru_cache(1)
def _parsed(card: str) -> Card:
    return Card.from_dict(json.loads(card))
