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
from typing import Any

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

TOGETHER = 8
"""Questions that are answered at once at most."""

CACHED = 2**17
"""Voxels that are answered at once on a processor, at most: four bodies of 32^3. The
network gains nothing by more."""

WARM_UP = 8
"""Voxels along each axis of the body that models are warmed up with."""


@dataclass(frozen=True)
class Question:
    """A body under a load for a model, the name of a run, and its answer to come."""

    model: str
    body: Microstructure
    load: Load
    answer: Future[Result] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What questions have in common that are answered together."""
        return self.model, self.body.grid.shape


class Predictor:
    """Models, a queue of questions, and the thread that answers them.

    Parameters
    ----------
    runs
        Folders of trained runs by the names that clients use.
    device
        "cpu" or "cuda".
    queue
        Questions that may wait.
    voxels
        Of the bodies that are answered together, at most.

    Raises
    ------
    InputError
        A folder that holds no run, a device that is not there.
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
        self._thread = threading.Thread(
            target=self._work, name="predictor", daemon=True
        )

    def start(self) -> None:
        """Warm the models up, and begin to answer.

        Raises
        ------
        InputError
            A model that cannot predict.
        """
        for model, card in self.models.values():
            body = polycrystal(WARM_UP, 2)
            load = trained_load(card) or Load({"xx": 1e-3})
            predict_many(model, card, [body], [load], self.device)
            predict_many(model, card, [body] * 2, [load] * 2, self.device)
        self._thread.start()

    def ask(self, model: str, body: Microstructure, load: Load) -> Future[Result]:
        """Put a question in the queue; a future that is cancelled leaves it.

        Raises
        ------
        Refusal
            503: there is no place.
        """
        question = Question(model, body, load)
        with self._changed:
            # those that were given up would else keep their bodies
            self._waiting = deque(q for q in self._waiting if not q.answer.cancelled())
            if len(self._waiting) >= self.queue:
                raise busy()
            self._waiting.append(question)
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
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return []
                kind, most, taken, rest = None, 1, [], deque()
                for question in self._waiting:
                    fits = len(taken) < most and kind in (None, question.kind)
                    if not fits:
                        rest.append(question)
                    elif question.answer.set_running_or_notify_cancel():
                        kind = question.kind
                        most = self.most(question.body)
                        taken.append(question)
                self._waiting = rest
                if taken:
                    return taken

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
