"""Memory that a prediction takes, from what its network says it will allocate.

The network is run on torch's device "meta", where tensors have shapes and no values:
that takes neither memory nor time, and every tensor is counted as long as it lives.
"""

from math import prod
from typing import Any
from weakref import WeakKeyDictionary, finalize

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ecosurrogate.models.creep import IteratedCreepPECO
from ecosurrogate.networks.base import Network
from ecosurrogate.training.checkpoint import RunCard

FIELDS = 4 * 6 * 36
"""Bytes by voxel of stiffness, compliance and their copies."""

STEP = 4 * 18
"""Bytes by voxel of the pair, and the direction, of each correction."""

REORDERED = ("conv", "fft")
"""Operations of libraries that may hold what they read and write in an order of their
own, padded: at most twice as much, as far as was measured."""

_known: WeakKeyDictionary[Network, dict[tuple[int, ...], int]] = WeakKeyDictionary()


def prediction_bytes(
    model: nn.Module, card: RunCard, shape: tuple[int, ...], count: int = 1
) -> int:
    """Estimate the memory of predictions of `count` bodies of this shape at once."""
    networks = [part for part in model.modules() if isinstance(part, Network)]
    fields = FIELDS + STEP * getattr(model, "corrections", 0)
    if card.encoder.creep:
        fields = _creep_bytes(model, sum(card.encoder.creep.structure))
    most = max(network_bytes(network, (count, *shape)) for network in networks)
    return count * prod(shape) * fields + most


def network_bytes(network: Network, size: tuple[int, ...]) -> int:
    """Peak of what a network allocates for inputs of (B, X, Y, Z)."""
    known = _known.setdefault(network, {})
    if size not in known:
        weights = {
            name: tensor.to("meta") for name, tensor in network.state_dict().items()
        }
        count, *shape = size
        like = next(network.parameters()).to("meta")
        inputs = like.new_empty(count, network.channels, *shape)
        with torch.no_grad(), _Living() as living:
            functional_call(network, weights, (inputs,))
        known[size] = living.peak + inputs.nbytes
    return known[size]


def _creep_bytes(model: nn.Module, systems: int) -> int:
    """Bytes by voxel of viscoplastic crystals, in double precision.

    Schmid tensors and what is summed over them, the linear system of a step of Newton's
    method, and a direction of each correction; twice, for what the heap keeps of fields
    that are gone.
    """
    words = 2 * 6 * systems
    if isinstance(model, IteratedCreepPECO):
        words += 5 * 36 + (model.corrections + 3) * (systems + 13)
    return 2 * 8 * words


class _Living(TorchDispatchMode):
    """Counts bytes of the tensors that are made, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        read, written = (
            [leaf for leaf in tree_leaves(part) if isinstance(leaf, Tensor)]
            for part in ((args, kwargs), made)
        )
        # views have the storage of another tensor
        old = {tensor.untyped_storage()._cdata for tensor in read}
        for tensor in written:
            storage = tensor.untyped_storage()
            if storage._cdata not in self._seen | old:
                self._seen.add(storage._cdata)
                self.now += storage.nbytes()
                finalize(storage, self._free, storage._cdata, storage.nbytes())
        copies = 0
        if any(name in str(func) for name in REORDERED):
            copies = 2 * sum(tensor.nbytes for tensor in (*read, *written))
        self.peak = max(self.peak, self.now + copies)
        return made

    def _free(self, storage: int, size: int) -> None:
        self._seen.discard(storage)
        self.now -= size
