"""The models, and what waits for them: equal questions are answered together.

A question that waits alone is answered at once. While it is, others arrive; those of
one model and one shape are then answered in one pass of the network.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike

import numpy as np
from torch import nn

from ecosurrogate.data.representation import phase_ids
from ecosurrogate.evaluation.batches import most_together, predict_each
from ecosurrogate.evaluation.learned_load import trained_load
from ecosurrogate.evaluation.memory import FIELDS, prediction_bytes
from ecosurrogate.evaluation.predict import predict_many
from ecosurrogate.training.checkpoint import RunCard, load_model
from ecosurrogate.training.devices import choose
from fftmech.arrays.memory import free_memory
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure import polycrystal
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result

TYPICAL = 64  # voxels along each axis of a body whose memory is that by voxel
WARM_UP = 8  # voxels along each axis of the body that models are warmed up with


@dataclass(eq=False)
class Question:
    """A body under a load for a model, the name of a run, and its answer to come."""

    model: str
    body: Microstructure
    load: Load
    begun: Callable[[], None]
    answer: asyncio.Future[Result | Exception]

    @property
    def together(self) -> tuple[str, tuple[int, ...]]:
        """Model and shape, the same of questions that are answered together."""
        return self.model, self.body.grid.shape


class Predictor:
    """The models of some runs, and one thread in which they answer.

    Bodies of at most so many `voxels` are answered together; as fit half of the free
    memory if it is 0. A folder that holds no run, or a device that is not there, is an
    InputError.
    """

    def __init__(
        self,
        runs: Mapping[str, str | PathLike],
        device: str = "cpu",
        voxels: int = 2**24,
    ) -> None:
        choose(device)
        self.device = device
        self.models: dict[str, tuple[nn.Module, RunCard]] = {
            name: load_model(folder) for name, folder in runs.items()
        }
        self.waiting: list[Question] = []
        for name, (_, card) in self.models.items():
            if card.encoder.creep or card.encoder.images:
                what = "scalar images" if card.encoder.images else "a law of creep"
                raise InputError(
                    f"{name}: a model of bodies with {what}, which no request has",
                    mend="use ecosr predict",
                )
        self.voxels = voxels or self._affordable(free_memory() // 2)
        self._thread = ThreadPoolExecutor(1, "predictor")
        self._working: asyncio.Task[None] | None = None

    def _affordable(self, size: int) -> int:
        """Voxels of which predictions by every model fit so many bytes."""
        cube = (TYPICAL,) * 3
        known = self.models.values()
        # networks of the response have no fields
        least = FIELDS * TYPICAL**3
        most = max((prediction_bytes(*each, cube) for each in known), default=least)
        return max(1, size * TYPICAL**3 // most)

    def warm_up(self) -> None:
        """Predict once alone and once together; InputError if a model cannot."""
        for model, card in self.models.values():
            body, load = _body(card), trained_load(card)
            for count in (1, 2):
                loads = [load or Load({"xx": 1e-3})] * count
                predict_many(model, card, [body] * count, loads, self.device)

    async def predict(
        self,
        model: str,
        body: Microstructure,
        load: Load,
        begun: Callable[[], None] = lambda: None,
    ) -> Result:
        """Wait for its turn, call `begun`, and return the prediction."""
        answer = asyncio.get_running_loop().create_future()
        question = Question(model, body, load, begun, answer)
        self.waiting.append(question)
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        try:
            result = await answer
        finally:
            if question in self.waiting:
                self.waiting.remove(question)
        if isinstance(result, Exception):
            raise result
        return result

    def most(self, body: Microstructure) -> int:
        """Questions about bodies of this size that are answered at once."""
        return most_together(body, self.device, self.voxels)

    def end(self) -> None:
        """Answer what is being answered, and nothing more."""
        self._thread.shutdown(cancel_futures=True)

    async def _work(self) -> None:
        """Answer the oldest question and those that go with it, until there is none."""
        loop = asyncio.get_running_loop()
        while self.waiting:
            first = self.waiting[0]
            batch = [q for q in self.waiting if q.together == first.together]
            batch = batch[: self.most(first.body)]
            for question in batch:
                self.waiting.remove(question)
                question.begun()
            found = await loop.run_in_executor(self._thread, self._answers, batch)
            for question, result in zip(batch, found, strict=True):
                # unless nobody waits for it any more
                if not question.answer.done():
                    question.answer.set_result(result)
        self._working = None

    def _answers(self, batch: Sequence[Question]) -> Sequence[Result | Exception]:
        model, card = self.models[batch[0].model]
        bodies, loads = [q.body for q in batch], [q.load for q in batch]
        # what is not finite is refused; warnings would only fill the log
        with np.errstate(all="ignore"):
            return predict_each(model, card, bodies, loads, self.device)


def _body(card: RunCard) -> Microstructure:
    """A small body that a model takes."""
    body, ids = polycrystal(WARM_UP, 2), phase_ids(card.encoder.representation)
    return body if ids is None else body.with_changes(phase=0 * body.phase + ids[0])
