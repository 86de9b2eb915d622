"""Commands in the processes of mpiexec: one speaks, and an error of one ends all."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click

from fftmech.arrays.ranks import Processes, launched, world
from fftmech.errors import InputError

PATIENCE = 2.0
"""Seconds in which all processes come upon the same error, if they do."""


@contextmanager
def one_voice() -> Iterator[None]:
    """Keep all processes but the first of those that a launcher started from writing.

    A worker of mpi4py.futures says nothing of its own.
    """
    if not launched() or "mpi4py.futures" in sys.orig_argv:
        yield
        return
    with open(os.devnull, "w") as nowhere:
        own = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = nowhere
        try:
            yield
        finally:
            sys.stdout, sys.stderr = own


def collective(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that the processes of mpiexec do together."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        ranks = world()
        if not isinstance(ranks, Processes):
            return command(*args, **options)
        try:
            return command(*args, **options)
        except (InputError, OSError, MemoryError, click.ClickException) as error:
            if not _common(ranks):
                message = " ".join(str(error).split()) or "out of memory"
                _end(ranks, f"Error: process {ranks.rank}: {message}", 2)
            raise
        except Exception:
            import traceback

            _end(ranks, traceback.format_exc(), 1)

    return run


def _common(ranks: Processes) -> bool:
    """Whether all processes come here."""
    arrived = ranks.errors.Ibarrier()
    # the first to give up speaks for others that wait as it does
    until = time.monotonic() + PATIENCE + 0.1 * ranks.rank
    while not arrived.Test():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _end(ranks: Processes, message: str, code: int) -> None:
    """End all processes, which may wait for this one."""
    print(message, file=sys.__stderr__, flush=True)
    ranks.communicator.Abort(code)
