"""Processes that share a body: each has some of its planes across x.

`ALONE` is one process that has all of them. `world` are the processes that mpiexec
started, which call the same functions in the same order. What `Ranks` computes is the
same number, to the last bit, in all of them: they decide alike.
"""

import os
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, TypeVar

import numpy as np

from fftmech.errors import InputError

T = TypeVar("T")

STARTED = "PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK"
"""Variables in which launchers of MPI tell each process its number."""


class Ranks:
    """One process, which has the whole body."""

    size = 1
    rank = 0
    on_this_machine = 1

    def planes(self, n: int, rank: int | None = None) -> slice:
        """Planes of n that a process has, this one unless told: maybe none."""
        rank = self.rank if rank is None else rank
        return slice(n * rank // self.size, n * (rank + 1) // self.size)

    def sum(self, values: Any) -> Any:
        """Sum over the processes of a number, or of an array of one shape."""
        return values

    def max(self, value: T) -> T:
        """Largest of the processes' numbers, or tuples of them."""
        return value

    def all(self, value: bool) -> bool:
        """Whether it is so in every process."""
        return value

    def padded(self, planes: np.ndarray, n: int) -> np.ndarray:
        """Own planes of n, (..., x, y, z), with the periodic neighbours around them."""
        first, last = planes[..., :1, :, :], planes[..., -1:, :, :]
        return np.concatenate([last, planes, first], axis=-3)

    def scatter(self, field: np.ndarray | None, n: int) -> np.ndarray:
        """Own planes of a field (n, y, z) that the first process has."""
        assert field is not None
        return field

    def gather(self, planes: np.ndarray, n: int) -> np.ndarray | None:
        """A field (n, y, z) in the first process, None in others."""
        return planes

    def first(self, function: Callable[[], T]) -> T:
        """Return, or raise, in every process what a function does in the first."""
        return function()

    def one_first(self, function: Callable[[], T]) -> T:
        """Call a function in one process of each machine, then in its others.

        What it leaves on the disk is there for these.
        """
        return function()


ALONE = Ranks()


class Processes(Ranks):
    """Processes of MPI.

    Parameters
    ----------
    communicator
        Of mpi4py.
    """

    def __init__(self, communicator: Any) -> None:
        from mpi4py import MPI

        self.mpi = MPI
        self.communicator = communicator
        # where those meet that fail, away from messages that may be under way
        self.errors = communicator.Dup()
        self.size, self.rank = communicator.Get_size(), communicator.Get_rank()

    @cached_property
    def _neighbours(self) -> Any:
        """Communicator of the processes on this machine."""
        return self.communicator.Split_type(self.mpi.COMM_TYPE_SHARED)

    @property
    def on_this_machine(self) -> int:  # type: ignore[override]
        """How many of the processes are on this machine."""
        return self._neighbours.Get_size()

    def sum(self, values: Any) -> Any:
        """Sum over the processes, in their order."""
        own = np.ascontiguousarray(values)
        parts = np.empty((self.size, *own.shape), own.dtype)
        self.communicator.Allgather(own, parts)
        total = parts.sum(axis=0)
        return total if np.ndim(values) else total.item()

    def max(self, value: T) -> T:
        """Largest of the processes' numbers, or tuples of them; NaN if there is one."""
        values = self.communicator.allgather(value)
        return next((v for v in values if v != v), max(values))

    def all(self, value: bool) -> bool:
        """Whether it is so in every process."""
        return all(self.communicator.allgather(bool(value)))

    def padded(self, planes: np.ndarray, n: int) -> np.ndarray:
        """Own planes of n, (..., x, y, z), with the periodic neighbours around them."""
        *others, count, ny, nz = planes.shape
        padded = np.empty((*others, count + 2, ny, nz), planes.dtype)
        padded[..., 1:-1, :, :] = planes
        self.exchange(padded, n)
        return padded

    def exchange(self, padded: np.ndarray, n: int) -> None:
        """Fill the first and the last of (..., planes + 2, y, z) with the neighbours'.

        The array is contiguous, and periodic in n planes.
        """
        count = padded.shape[-3] - 2
        if not count:
            return
        planes = self.planes(n)
        before, after = self._owner(n, planes.start - 1), self._owner(n, planes.stop)
        if before == self.rank:
            padded[..., 0, :, :] = padded[..., -2, :, :]
            padded[..., -1, :, :] = padded[..., 1, :, :]
            return
        shape = (*padded.shape[:-1], padded.shape[-1] * padded.itemsize)
        low, first, last, high = (
            [padded, 1, self._across(shape, k)] for k in (0, 1, count, count + 1)
        )
        self.communicator.Sendrecv(last, after, 0, low, before, 0)
        self.communicator.Sendrecv(first, before, 1, high, after, 1)

    def transpose(
        self, planes: np.ndarray, rows: np.ndarray, back: bool = False
    ) -> None:
        """Copy (c, own x, y, z) to (c, x, own y, z), or `back`; contiguous arrays.

        Messages are contiguous, of one component and two processes at a time: so MPI
        copies them once.
        """
        nx, ny = rows.shape[1], planes.shape[2]
        for own, other in zip(planes, rows, strict=True):
            for step in range(self.size):
                to, of = (self.rank + step) % self.size, (self.rank - step) % self.size
                if back:
                    sent, got = other[self.planes(nx, to)], own[:, self.planes(ny, of)]
                else:
                    sent, got = own[:, self.planes(ny, to)], other[self.planes(nx, of)]
                if step == 0:
                    got[...] = sent
                    continue
                message = np.ascontiguousarray(sent)
                answer = (
                    got if got.flags.c_contiguous else np.empty_like(got, order="C")
                )
                self.communicator.Sendrecv(
                    [message, message.nbytes, self.mpi.BYTE],
                    to,
                    recvbuf=[answer, answer.nbytes, self.mpi.BYTE],
                    source=of,
                )
                if answer is not got:
                    got[...] = answer

    def scatter(self, field: np.ndarray | None, n: int) -> np.ndarray:
        """Own planes of a field (n, y, z) that the first process has."""
        about = None if field is None else (field.shape[1:], field.dtype.str)
        shape, dtype = self.communicator.bcast(about)
        own = self.planes(n)
        planes = np.empty((own.stop - own.start, *shape), dtype)
        plane, counts = self._plane(planes), self._counts(n)
        whole = None if field is None else [np.ascontiguousarray(field), counts, plane]
        self.communicator.Scatterv(whole, [planes, len(planes), plane])
        return planes

    def gather(self, planes: np.ndarray, n: int) -> np.ndarray | None:
        """A field (n, y, z) in the first process, None in others."""
        planes = np.ascontiguousarray(planes)
        field = None
        if self.rank == 0:
            field = np.empty((n, *planes.shape[1:]), planes.dtype)
        plane = self._plane(planes)
        whole = None if field is None else [field, self._counts(n), plane]
        self.communicator.Gatherv([planes, len(planes), plane], whole)
        return field

    def first(self, function: Callable[[], T]) -> T:
        """Return, or raise, in every process what a function does in the first."""
        value, error = None, None
        if self.rank == 0:
            try:
                value = function()
            except Exception as raised:
                error = raised
        value, error = self.communicator.bcast((value, error))
        if error is not None:
            raise error
        return value

    def one_first(self, function: Callable[[], T]) -> T:
        """Call a function in one process of each machine, then in its others."""
        first = self._neighbours.Get_rank() == 0
        value = function() if first else None
        self._neighbours.Barrier()
        return value if first else function()  # type: ignore[return-value]

    def _owner(self, n: int, plane: int) -> int:
        """Process that has a plane of n, periodic."""
        owner = (plane % n) * self.size // n
        while self.planes(n, owner).stop <= plane % n:
            owner += 1
        return owner

    def _counts(self, n: int) -> list[int]:
        parts = (self.planes(n, rank) for rank in range(self.size))
        return [part.stop - part.start for part in parts]

    def _plane(self, planes: np.ndarray) -> Any:
        """Type of one plane (y, z) of an array."""
        size = planes.shape[1] * planes.shape[2] * planes.itemsize
        return self._committed((size,), (size,), (0,))

    def _across(self, shape: tuple[int, ...], k: int) -> Any:
        """Type of plane k of an array of bytes (..., x, y, z)."""
        inner, start = list(shape), [0] * len(shape)
        inner[-3], start[-3] = 1, k
        return self._committed(shape, tuple(inner), tuple(start))

    @cached_property
    def _committed(self) -> Callable[..., Any]:
        @cache
        def committed(shape: Any, inner: Any, start: Any) -> Any:
            return self.mpi.BYTE.Create_subarray(shape, inner, start).Commit()

        return committed


def launched() -> int | None:
    """Number of this process among those of a launcher; None if there is none."""
    numbers = (os.environ.get(name, "") for name in STARTED)
    return next((int(number) for number in numbers if number.isdecimal()), None)


@cache
def world() -> Ranks:
    """The processes that mpiexec started, or this one alone.

    Raises
    ------
    InputError
        A launcher started this process, and mpi4py or the MPI library is missing.
    """
    if launched() is None:
        return ALONE
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        # RuntimeError: no MPI library
        raise InputError(
            "mpiexec needs mpi4py and an MPI library", mend='pip install "fftmech[mpi]"'
        ) from error
    communicator = MPI.COMM_WORLD.Dup()
    return Processes(communicator) if communicator.Get_size() > 1 else ALONE
