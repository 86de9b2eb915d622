"""Processes that train one model together, each on a device of its own.

`torchrun` starts them; a process that it did not start is alone. They take equal parts
of every batch and average the gradients: the run is that of one process with the whole
batch, but for rounding and dropout.

The gradients are averaged here, in one sum after the backward pass, and not by torch's
`DistributedDataParallel`. That one hides the sum behind the backward pass, which these
networks with few weights and large fields would hardly notice; but it regroups the sum
after its first step, so that a resumed run would add in another order.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from fftmech.arrays.threads import limit_torch_threads
from fftmech.errors import InputError

limit_torch_threads(torch)

PATIENCE = timedelta(minutes=1)
"""Time that the other processes have to end, too."""


class OtherProcessError(Exception):
    """Another process of the run failed first, and reports why."""


@dataclass(frozen=True)
class Devices:
    """The device of this process, and its place among the processes of the run.

    They are `size` in all, of which `neighbours` are on this machine; `rank` numbers
    them.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    neighbours: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def part(self, whole: Sequence[Any]) -> Sequence[Any]:
        """This process's part of a batch; equal ones for all, in order."""
        each = len(whole) // self.size
        return whole[self.rank * each : (self.rank + 1) * each]

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the processes, to the last bit the same on all of them."""
        if self.size == 1:
            return values
        total = values.detach().to(self.device, copy=True)
        try:
            distributed.all_reduce(total)
        except RuntimeError as error:
            raise InputError(
                "a process of the run was lost",
                mend=(
                    "begin again with --resume, which goes on from the last checkpoint"
                ),
            ) from error
        return total

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes."""
        return self.sum(values) / self.size

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process; all have to call this."""
        return bool(self.sum(torch.tensor(float(flag))) > 0)

    def wait(self) -> None:
        """Wait until all processes call this."""
        self.any(False)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average gradients, which the same parameters have in all processes."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        vector_to_parameters(self.mean(parameters_to_vector(gradients)), gradients)


@contextmanager
def processes(device: str) -> Iterator[Devices]:
    """Join the processes that `torchrun` started, if it started this one.

    The process that fails first raises its error, the others `OtherProcessError`. A
    block that ends without an error waits for the others. With "cuda", each process of
    a machine has a GPU of its own.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1" or not _launched():
        yield Devices(choose(device))
        return
    # not there in every build of torch
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, size = next(rendezvous("env://"))
    ours = PrefixStore("ecosurrogate", store)
    try:
        devices = Devices(
            choose(device, int(os.environ["LOCAL_RANK"])),
            rank,
            size,
            int(os.environ["LOCAL_WORLD_SIZE"]),
        )
        _join(devices, store)
        yield devices
    except Exception as error:
        if not _fails_first(ours):
            # torchrun ends all when one has ended: let the first print its error
            time.sleep(1)
            raise OtherProcessError from error
        raise
    # one that ends with another exit code than 0 makes torchrun end the others
    _leave(ours, rank, size)
    distributed.destroy_process_group()


def choose(name: str, number: int = 0) -> torch.device:
    """Return a device by its kind, "cpu" or "cuda", and number."""
    if name not in ("cpu", "cuda"):
        raise InputError(f"device {name!r}", "cpu or cuda")
    if name == "cpu":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise InputError("device cuda: torch finds no GPU", mend="use --device cpu")
    found = torch.cuda.device_count()
    if number >= found:
        raise InputError(
            f"{found} GPU(s) for more processes on this machine",
            mend=f"torchrun --nproc-per-node {found}",
        )
    return torch.device(name, number)


def _launched() -> bool:
    """Whether `torchrun` started this process: a cluster, too, may set WORLD_SIZE."""
    return distributed.is_available() and distributed.is_torchelastic_launched()


def _join(devices: Devices, store: Any) -> None:
    on_gpu = devices.device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(devices.device)
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=store,
        rank=devices.rank,
        world_size=devices.size,
        device_id=devices.device if on_gpu else None,
    )


def _fails_first(store: Any) -> bool:
    """Whether no other process has failed; one whose store is gone is not the first."""
    try:
        return store.add("failed", 1) == 1
    except RuntimeError:
        return False


def _leave(store: Any, rank: int, size: int) -> None:
    try:
        store.set(f"done {rank}", "")
        store.wait([f"done {other}" for other in range(size)], PATIENCE)
    except RuntimeError:
        # others were lost after all was done
        return
