"""The thread that owns the models: a bounded queue, and equal questions together.

A question that waits alone is answered at once, by `ecosurrogate.predict.predict`.
While it is, others arrive; those of one model, one shape and one kind of load are then
answered in one pass of the network.
"""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import nn

from ecosurrogate.checkpoint import RunCard, load_model
from ecosurrogate.devices import choose
from ecosurrogate.models import Prediction
from ecosurrogate.predict import choose_load, predict
from fftmech.errors import InputError
from fftmech.load import Load
from fftmech.microstructure import polycrystal
from fftmech.microstructure.base import Microstructure
from fftmech.result import Result

TOGETHER = 8
"""Questions that are answered at once at most."""

WARM_UP = 8
"""Voxels along each axis of the body that models are warmed up with."""


class Full(Exception):
    """The queue has no place left."""


@dataclass(frozen=True)
class Question:
    """A body under a load, for one of the models.

    Attributes
    ----------
    model
        Name of the run.
    body, load
        What is asked.
    answer
        Of it.
    """

    model: str
    body: Microstructure
    load: Load
    answer: Future[Result] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What questions have in common that are answered together."""
        return self.model, self.body.grid.shape, self.load.free.tobytes()


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
        self.device, self.queue, self.voxels = device, queue, voxels
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
            try:
                load = choose_load(card, None)
            except InputError:
                load = Load({"xx": 1e-3})
            predict_together(model, card, [body], [load], self.device)
            predict_together(model, card, [body] * 2, [load] * 2, self.device)
        self._thread.start()

    def ask(self, model: str, body: Microstructure, load: Load) -> Future[Result]:
        """Put a question in the queue; a future that is cancelled leaves it.

        Raises
        ------
        Full
            There is no place.
        """
        question = Question(model, body, load)
        with self._changed:
            if self.waiting >= self.queue:
                raise Full
            self._waiting.append(question)
            self._changed.notify()
        return question.answer

    @property
    def waiting(self) -> int:
        """Questions in the queue."""
        return sum(not question.answer.cancelled() for question in [*self._waiting])

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
                        most = self._most(question.body)
                        taken.append(question)
                self._waiting = rest
                if taken:
                    return taken

    def _most(self, body: Microstructure) -> int:
        return max(1, min(TOGETHER, self.voxels // body.grid.voxels))

    def _answer(self, batch: Sequence[Question]) -> None:
        model, card = self.models[batch[0].model]
        bodies, loads = [q.body for q in batch], [q.load for q in batch]
        try:
            results = predict_together(model, card, bodies, loads, self.device)
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


def predict_together(
    model: nn.Module,
    card: RunCard,
    bodies: Sequence[Microstructure],
    loads: Sequence[Load],
    device: str = "cpu",
) -> list[Result]:
    """Predict bodies of one shape under loads of one kind in one pass.

    Parameters
    ----------
    model, card, device
        As in `ecosurrogate.predict.predict`, which one body alone is left to.
    bodies, loads
        As many of each.

    Returns
    -------
    list
        Equal to single predictions but for rounding in single precision; the time of
        the pass is shared among them.

    Raises
    ------
    InputError
        As `predict`, for any of them.
    """
    if len(bodies) == 1:
        return [predict(model, card, bodies[0], loads[0], device)]
    for body in bodies:
        body.check().check_linear("a surrogate")
    place = choose(device)
    made = card.encoder.bodies(bodies, loads).to(place)
    started = time.perf_counter()
    with torch.inference_mode():
        whole = model.to(place)(made)
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = (time.perf_counter() - started) / len(bodies)
    results = []
    for i, (body, load) in enumerate(zip(bodies, loads, strict=True)):
        result = predict(_Answered(_part(whole, i)), card, body, load, device)
        times = {**result.times}
        times["solve"] += seconds
        results.append(replace(result, times=times))
    return results


class _Answered(nn.Module):
    """A model that has answered already."""

    def __init__(self, answer: Prediction) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, bodies: Any) -> Prediction:
        """What it answered."""
        return self.answer


def _part(whole: Prediction, i: int) -> Prediction:
    return whole._replace(
        strain=whole.strain[i : i + 1],
        stress=whole.stress[i : i + 1],
        path=tuple((e[i : i + 1], s[i : i + 1]) for e, s in whole.path),
    )
