"""Predictions of many bodies: those of one shape go through the network together."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from torch import nn

from ecosurrogate.evaluation.predict import predict_many
from ecosurrogate.training.checkpoint import RunCard
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result

TOGETHER = 8
"""Bodies that are predicted at once, at most."""

CACHED = 2**17
"""Voxels at once on a processor: its network gains nothing by more."""

MOST = 2**24
"""Voxels at once on a GPU, and of bodies of several shapes that wait."""


def most_together(body: Microstructure, device: str, voxels: int = MOST) -> int:
    """Bodies of this size that are predicted at once, of at most so many `voxels`."""
    voxels = voxels if device == "cuda" else min(voxels, CACHED)
    return max(1, min(TOGETHER, voxels // body.grid.voxels))


def predict_each(
    model: nn.Module,
    card: RunCard,
    bodies: Sequence[Microstructure],
    loads: Sequence[Load],
    device: str = "cpu",
    shifts: int | None = 1,
) -> list[Result | Exception]:
    """As `predict_many`, with the error of each body that cannot be predicted."""
    try:
        return [*predict_many(model, card, bodies, loads, device, shifts)]
    except Exception as error:
        if len(bodies) == 1:
            return [error]
        # the fault of one is not that of the others
        return [
            answer
            for body, load in zip(bodies, loads, strict=True)
            for answer in predict_each(model, card, [body], [load], device, shifts)
        ]


def predict_sources(
    model: nn.Module,
    card: RunCard,
    sources: Iterable[str],
    read: Callable[[str], Microstructure],
    load: Load,
    device: str = "cpu",
    shifts: int | None = 1,
) -> Iterator[tuple[str, Result | Exception]]:
    """Predict many bodies under one load: each source with its result, or its error.

    A source is read when its turn comes, and waits until there are enough bodies of its
    shape: what comes out is in another order.
    """
    waiting: dict[tuple[int, ...], list[tuple[str, Microstructure]]] = {}

    def answers(shape: tuple[int, ...]) -> Iterator[tuple[str, Result | Exception]]:
        names, bodies = zip(*waiting.pop(shape), strict=True)
        loads = [load] * len(bodies)
        found = predict_each(model, card, bodies, loads, device, shifts)
        yield from zip(names, found, strict=True)

    for source in sources:
        try:
            body = read(source)
        except Exception as error:
            yield source, error
            continue
        batch = waiting.setdefault(body.grid.shape, [])
        batch.append((source, body))
        if len(batch) == most_together(body, device):
            yield from answers(body.grid.shape)
        held = sum(b.grid.voxels for part in waiting.values() for _, b in part)
        if held > MOST:
            for shape in [*waiting]:
                yield from answers(shape)
    for shape in [*waiting]:
        yield from answers(shape)
