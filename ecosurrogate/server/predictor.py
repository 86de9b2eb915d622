"""The thread that owns the models: a bounded queue, and equal questions together.

A question that waits alone is answered at once. While it is, others arrive; those of
one model and one shape are then answered in one pass of the network.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from os import PathLike

import numpy as np
from torch import nn

from ecosurrogate.checkpoint import RunCard, load_model
from ecosurrogate.devices import choose
from ecosurrogate.predict import predict_many, trained_load
from ecosurrogate.server.refusal import busy
from fftmech.load import Load
from fftmech.microstructure import polycrystal
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result

TOGETHER = 8  # questions that are answered at once, at most
CACHED = 2**17  # voxels at once on a processor: its network gains nothing by more
WARM_UP = 8  # voxels along each axis of the body that models are warmed up with


@dataclass(frozen=True)
class Question:
    """A body under a load for a model, the name of a run, and its answer to come."""

    model: str
    body: Microstructure
    load: Load
    answer: Future[Result] = field(default_factory=Future)

    def fits(self, other: "Question") -> bool:
        """Whether both can be answered together."""
        same = self.body.grid.shape == other.body.grid.shape
        return same and self.model == other.model


class Predictor:
    """The models of runs, a queue of questions, and the thread that answers them.

    At most `queue` questions wait, and bodies of so many `voxels` are answered at once.
    A folder that holds no run, or a device that is not there, is an InputError.
    """

    def __init__(
        self,
        runs: Mapping[str, str | PathLike],
        device: str = "cpu",
        queue: int = 64,
        voxels: int = 2**24,
    ) -> None:
        choose(device)
        self.device, self.queue = device, queue
        self.voxels = voxels if device == "cuda" else min(voxels, CACHED)
        self.models: dict[str, tuple[nn.Module, RunCard]] = {
            name: load_model(folder) for name, folder in runs.items()
        }
        self._waiting: deque[Question] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Warm the models up, and begin to answer; InputError if one cannot predict."""
        for model, card in self.models.values():
            body, load = polycrystal(WARM_UP, 2), trained_load(card)
            for count in (1, 2):
                loads = [load or Load({"xx": 1e-3})] * count
                predict_many(model, card, [body] * count, loads, self.device)
        self._thread.start()

    def ask(self, model: str, body: Microstructure, load: Load) -> Future[Result]:
        """Put a question in the queue, 503 if full; one that is cancelled leaves it."""
        question = Question(model, body, load)
        with self._changed:
            waiting = [q for q in self._waiting if not q.answer.cancelled()]
            if len(waiting) >= self.queue:
                raise busy()
            # those that were given up would else keep their bodies
            self._waiting = deque([*waiting, question])
            self._changed.notify()
        return question.answer

    @property
    def waiting(self) -> int:
        """Questions in the queue."""
        return sum(not question.answer.cancelled() for question in [*self._waiting])

    def most(self, body: Microstructure) -> int:
        """Questions about bodies of this size that are answered at once."""
        return max(1, min(TOGETHER, self.voxels // body.grid.voxels))

    def end(self) -> None:
        """Answer what is being answered, and nothing more."""
        with self._changed:
            self._ended = True
            for question in self._waiting:
                question.answer.cancel()
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        # what is not finite is refused; warnings would only fill the log
        with np.errstate(all="ignore"):
            while batch := self._next():
                self._answer(batch)

    def _next(self) -> list[Question]:
        """The oldest question and those that go with it; none at the end."""
        batch: list[Question] = []
        with self._changed:
            while not batch:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    break
                rest: deque[Question] = deque()
                for question in self._waiting:
                    full = batch and len(batch) >= self.most(batch[0].body)
                    if full or batch and not question.fits(batch[0]):
                        rest.append(question)
                    elif question.answer.set_running_or_notify_cancel():
                        batch.append(question)
                self._waiting = rest
        return batch

    def _answer(self, batch: Sequence[Question]) -> None:
        model, card = self.models[batch[0].model]
        bodies, loads = [q.body for q in batch], [q.load for q in batch]
        try:
            results = predict_many(model, card, bodies, loads, self.device)
        except Exception as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            # the fault of one is not that of the others
            for question in batch:
                self._answer([question])
            return
        for question, result in zip(batch, results, strict=True):
            question.answer.set_result(result)
