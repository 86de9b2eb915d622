"""Train a model on a dataset; a run that was killed can be resumed.

AdamW with the paper's groups, linear warm-up and cosine (Oommen et al. 2025, Methods),
mixed precision, clipped gradients, averaged weights. A resumed run ends with the same
weights as one that was not interrupted: on CPUs, with the same number of processes, to
the last bit. A run that is given more steps goes on with the learning rate of a run
of the larger number.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ecosurrogate.training.checkpoint import (
    CARD,
    STATE,
    WEIGHTS,
    locked,
    read_run,
)
from ecosurrogate.training.config import Config
from ecosurrogate.training.files import write_json
from ecosurrogate.training.interruption import Interruption
from ecosurrogate.training.log import CURVES, NAME, Log
from ecosurrogate.training.run import Run
from ecosurrogate.training.tensor_file import write_tensors
from ecosurrogate.training.train_state import TrainState, seed_step
from ecosurrogate.training.validation import validate
from fftmech.arrays.progress import ProgressReport
from fftmech.errors import InputError

PATIENCE = 20
"""Batches in a row without a finite loss and gradient after which a run is stopped."""

FILES = (STATE, WEIGHTS, NAME, CURVES, CARD)
"""Files of a run."""

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

Validated = Callable[[int, int, Mapping[str, float]], None]
"""Called with steps done, all steps, and the errors of a validation."""


class FitResult(NamedTuple):
    """How a run ended.

    Attributes
    ----------
    status
        "done", or "diverged" after too many batches that were not finite, or if none
        was.
    advice
        How to mend a diverged run, else "".
    step
        Steps done.
    loss
        Mean over the last tenth of the steps; None if none was finite.
    validation
        Errors of the averaged weights, see `ecosurrogate.training.validation.validate`;
        empty without a validation set.
    skipped
        Batches that were not finite.
    seconds
        Time that this call took.
    """

    status: str
    advice: str
    step: int
    loss: float | None
    validation: dict[str, float]
    skipped: int
    seconds: float


def fit(
    run: Run, report: ProgressReport | None = None, validated: Validated | None = None
) -> FitResult:
    """Train to the last step.

    Of several processes (`ecosurrogate.training.devices`) all call this; the first one
    writes and reports, and it alone returns losses and errors.

    Parameters
    ----------
    run
        What `ecosurrogate.training.run.prepare` returned.
    report
        Called after each step.
    validated
        Called after each validation.

    Raises
    ------
    InputError
        A checkpoint that is damaged; another process that trains in the folder.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, with a checkpoint written.
    OSError
        The disk is full, for instance; the last checkpoint stays.
    """
    start = time.monotonic()
    folder, config, first = run.folder, run.card.config, run.devices.first
    # others may still look for a run in the folder
    run.devices.wait()
    with ExitStack() as stack:
        if first:
            folder.mkdir(exist_ok=True)
            stack.enter_context(locked(folder))
            _remove_leftovers(folder)
            if not run.resume:
                for name in FILES:
                    (folder / name).unlink(missing_ok=True)
            # the card last, which makes the folder one of a run
            if not run.resume or read_run(folder).config != run.card.config:
                write_json(folder / CARD, run.card.as_dict())
        state = TrainState(config, run.model)
        if run.resume and (folder / STATE).exists():
            state.read(folder / STATE)
        log = stack.enter_context(Log(folder, state.step)) if first else None
        interruption = stack.enter_context(Interruption())
        _train(run, state, log, interruption, report, validated)
        if log:
            log.draw(at_once=True)
            if state.in_row < PATIENCE:
                # a kill between the two files of the last checkpoint left older weights
                _save_weights(folder, state)
    records = log.records if log else []
    return _result(state, records, time.monotonic() - start)


def learning_rate(config: Config, step: int) -> float:
    """Of a step, counted from 0: a linear warm-up, then a cosine to a fiftieth."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    rest = max(1, config.steps - config.warmup_steps)
    wave = (1 + cos(pi * min(1.0, (step - config.warmup_steps) / rest))) / 2
    return config.lr * (wave + (1 - wave) / 50)


def _train(
    run: Run,
    state: TrainState,
    log: Log | None,
    interruption: Interruption,
    report: ProgressReport | None,
    validated: Validated | None,
) -> None:
    """All steps that are left; the one process with a log writes and reports."""
    config, devices = run.card.config, run.devices
    errors: dict[str, float] = {}
    run.model.train()
    while state.step < config.steps:
        try:
            record = _step(run, state)
        except RuntimeError as error:
            raise _explained(error, run) from error
        if log:
            log.add(record)
        if state.in_row == PATIENCE:
            # the last checkpoint is better than these weights
            return
        last = state.step == config.steps
        validate_now = len(run.val) and (last or not state.step % config.validate_every)
        if validate_now:
            errors = _validate(run, state)
            if log:
                log.add({"step": state.step, "validation": errors})
                log.draw()
        asked = devices.any(interruption.asked)
        if log and (last or asked or not state.step % config.save_every):
            # the state first, from which the weights follow
            state.write(run.folder / STATE)
            _save_weights(run.folder, state)
        if log and validated and validate_now:
            validated(state.step, config.steps, errors)
        if log and report:
            report(state.step, config.steps, _status(record, errors))
        if asked and not last:
            # an end with another exit code than 0 would cut the checkpoint short
            devices.wait()
            raise KeyboardInterrupt


def _status(record: Mapping[str, Any], errors: Mapping[str, float]) -> str:
    """The last loss, if it was finite, and errors of the last validation."""
    loss = {"loss": record["loss"]} if isfinite(record["grad_norm"]) else {}
    shown = {**loss, **{n: errors[n] for n in ("strain", "stress") if n in errors}}
    return " ".join(f"{name} {value:.3g}" for name, value in shown.items())


def _step(run: Run, state: TrainState) -> dict[str, Any]:
    """One step of the optimizer; its record for the log."""
    start = time.monotonic()
    config, model, optimizer = run.card.config, state.model, state.optimizer
    lr = learning_rate(config, state.step)
    for group in optimizer.param_groups:
        group["lr"] = lr
    batch = run.batch(state.step)
    seed_step(config.seed, state.step, run.devices.rank)
    lower = _TYPES[config.precision]
    with torch.autocast(run.device.type, lower, config.precision != "fp32"):
        prediction = model(batch.bodies)
    loss, terms = run.objective(prediction, batch)
    # of the whole batch: finite for all processes or for none
    means = run.devices.mean(torch.stack([loss, *terms.values()]).detach())
    whole, *values = means.tolist()
    norm = float("nan")
    if isfinite(whole):
        optimizer.zero_grad()
        state.scaler.scale(loss).backward()
        run.devices.average_gradients(model.parameters())
        state.scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip).item()
        if isfinite(norm):
            state.scaler.step(optimizer)
        state.scaler.update()
    skip = not isfinite(norm)
    state.step += 1
    state.skipped += skip
    state.in_row = state.in_row + 1 if skip else 0
    if not skip:
        state.update_average(config.ema)
    return {
        "step": state.step,
        "loss": whole,
        "terms": dict(zip(terms, values, strict=True)),
        "lr": lr,
        "grad_norm": norm,
        "skipped": state.skipped,
        "seconds": round(time.monotonic() - start, 4),
    }


def _explained(error: RuntimeError, run: Run) -> Exception:
    """What to do when the memory is full; any other error as it is."""
    text = str(error)
    if "out of memory" not in text and "can't allocate memory" not in text:
        return error
    count = run.card.config.batch // run.devices.size
    return InputError(
        f"out of memory in a step of {count} bodies of {run.train.res}^3 voxels",
        mend="lower batch, or choose a smaller preset or res",
    )


def _validate(run: Run, state: TrainState) -> dict[str, float]:
    return validate(
        state.model,
        state.average,
        run.val,
        run.card.encoder,
        run.objective,
        run.card.config.batch // run.devices.size,
        run.devices,
    )


def _save_weights(folder: Path, state: TrainState) -> None:
    write_tensors(folder / WEIGHTS, state.average, {"step": state.step})


def _result(
    state: TrainState, records: list[dict[str, Any]], seconds: float
) -> FitResult:
    losses = [r["loss"] for r in records if "loss" in r]
    ends = [x for x in losses[-max(1, len(losses) // 10) :] if x is not None]
    errors = [r["validation"] for r in records if "validation" in r]
    # of a short run all batches may be fewer than the patience
    diverged = state.in_row >= min(PATIENCE, state.step)
    advice = (
        f"{state.in_row} batches in a row had no finite loss or gradient: lower lr, "
        "take precision fp32, or look for such values in the dataset"
    )
    return FitResult(
        "diverged" if diverged else "done",
        advice if diverged else "",
        state.step,
        sum(ends) / len(ends) if ends else None,
        errors[-1] if errors else {},
        state.skipped,
        seconds,
    )


def _remove_leftovers(folder: Path) -> None:
    """Remove what `whole_file` had not finished when a run was killed."""
    for name in map(Path, FILES):
        for leftover in folder.glob(f".{name.stem}-????????{name.suffix}"):
            leftover.unlink(missing_ok=True)
