"""What gpu.py measures of surrogates: training steps, and a model beside the solver."""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import bodies

if TYPE_CHECKING:
    from gpu_parts import Bench

STEPS = 6
BATCH = 2
BATCHES = (1, 8, 64)

TINY = {"network": {"channels": [4, 8], "groups": 2}}
"""A network for a dry run."""


def train(bench: "Bench") -> None:
    """A training step of each model in single and in half precision."""
    from ecosurrogate.training.config import MODELS

    n = 8 if bench.dry else 64
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        bench.row(lambda: _dataset(data, n), what="dataset", n=n)
        for model in MODELS[:1] if bench.dry else MODELS:
            for precision in ("fp32", "bf16"):
                what = {"what": "step", "model": model, "precision": precision, "n": n}
                run = Path(folder) / f"{model}-{precision}"
                bench.row(
                    lambda run=run, what=what: _step(bench, data, run, what), **what
                )


def _dataset(folder: Path, n: int) -> dict[str, Any]:
    """Three polycrystals, solved on the CPU."""
    from fftmech.datasets.draft import new_card
    from fftmech.datasets.make import make
    from fftmech.datasets.polycrystal import PolycrystalRecipe

    recipe = PolycrystalRecipe(grains=(4, 4))
    made = make(folder, new_card(recipe, count=3, levels=(n,), parts=(2, 1, 0)), jobs=1)
    return {"seconds": made.seconds}


def _step(bench: "Bench", data: Path, run: Path, what: dict) -> dict[str, Any]:
    """Median seconds of the steps after the first, and the most memory."""
    import torch

    from ecosurrogate.training.run import prepare
    from ecosurrogate.training.train import fit

    device = "cpu" if bench.dry else "cuda"
    steps = 3 if bench.dry else STEPS
    often = {"validate_every": 1000, "save_every": 1000, "warmup_steps": 1}
    settings = {
        **{"model": what["model"], "precision": what["precision"], "batch": BATCH},
        **{"preset": "small", "steps": steps, **often},
        **(TINY if bench.dry else {}),
    }
    if not bench.dry:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    made = prepare(data, run, settings, device=device)
    ticks: list[float] = []
    result = fit(made, lambda *_: ticks.append(time.perf_counter()))
    # the last one validates and writes
    between = [b - a for a, b in zip(ticks[:-2], ticks[1:-1], strict=True)]
    return {
        "seconds": median(between),
        "memory_GiB": None if bench.dry else torch.cuda.max_memory_allocated() / 2**30,
        "parameters": made.parameters,
        "batch": BATCH,
        "loss": result.loss,
        "not_finite": result.skipped,
        "status": result.status,
    }


def compare(bench: "Bench") -> None:
    """Seconds a body of a model in batches, beside the solver on the same device."""
    n = 8 if bench.dry else 64
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "data", Path(folder) / "run"
        what = {"what": "step", "model": "p-eco-iterated", "precision": "fp32", "n": n}
        bench.row(lambda: _dataset(data, n), what="dataset", n=n)
        bench.row(lambda: _step(bench, data, run, what), **what)
        # the largest batch for itself: it may not fit
        for batches in ((1, 2),) if bench.dry else (BATCHES[:2], BATCHES[2:]):
            bench.row(
                lambda batches=batches: _compared(bench, run, n, batches),
                **{"what": "compare", "n": n},
            )


def _compared(bench: "Bench", run: Path, n: int, batches: tuple) -> dict[str, Any]:
    from ecosurrogate.comparison.compare import compare as compared

    body = bodies.body("polycrystal", n, seed=99)
    device = "cpu" if bench.dry else "cuda"
    found = compared(run, body, device=device, batches=batches)
    last = found.surrogate[-1]
    return {
        "batches": {str(size): seconds for size, seconds in last.batches.items()},
        "solver": {str(p.steps): p.seconds for p in found.solver},
        "reference": found.reference,
        "rounds": found.rounds,
    }


PARTS = {part.__name__: part for part in (train, compare)}
