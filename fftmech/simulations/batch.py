"""Many solves at once: one on each thread, where one grid is too small for all."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from fftmech.arrays.threads import count_of, run_together
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.simulations.method import check_names
from fftmech.simulations.solve import solve


def solve_many(
    cases: Iterable[tuple[Microstructure, Load]],
    *,
    jobs: int | None = None,
    **options: Any,
) -> Iterator[Result]:
    """Solve one body after the other, one on each thread.

    Parameters
    ----------
    cases
        Microstructure and load of each; may be a generator, of which only a few are
        taken in advance.
    jobs
        Solves at once; as many as there are processors if None.
    options
        As in `fftmech.solve`, but for `threads`, `progress`, `initial` and `output`.

    Yields
    ------
    Result
        In the order of the cases.

    Raises
    ------
    InputError
        An option that a batch does not take, not a number of jobs, or what
        `fftmech.solve` raises.
    """
    refused = ("threads", "progress", "initial", "output")
    for name in refused:
        if name in options:
            raise InputError(
                f"{name}: a batch does not take it", mend="use fftmech.solve"
            )
    _, _, *known = inspect.signature(solve).parameters
    check_names(options, (name for name in known if name not in refused))
    jobs = count_of("jobs", jobs)
    tasks = (
        lambda check, case=case: solve(
            *_whole(*case), threads=1, progress=check, **options
        )
        for case in cases
    )
    return run_together(tasks, jobs)


def _whole(body: Microstructure, load: Load) -> Any:
    """Refuse a body that processes share: threads would send messages at once."""
    if body.ranks.size > 1:
        raise InputError(
            "a body that processes share, in a batch",
            "whole bodies",
            "use fftmech.solve",
        )
    return body, load
