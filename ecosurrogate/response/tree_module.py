"""The parameters of a tree of laminates that is trained, as a module of PyTorch."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.response.laminate import jump_strain
from ecosurrogate.response.tree import LaminateTree, condense, filled
from fftmech.errors import InputError
from fftmech.torch.stiffness import rotate


class TreeModule(nn.Module):
    """The parameters of a tree; phases have the volume fractions that they are given.

    Weights are those of `LaminateTree` by rectified linear units, scaled within each
    phase to its fraction, so that a leaf may vanish and the fractions are exact.
    """

    def __init__(self, depth: int, fractions: np.ndarray, oriented: bool) -> None:
        super().__init__()
        leaves, count = 2**depth, len(fractions)
        if leaves < count:
            raise InputError(f"depth {depth} for {count} phases", "2^depth >= phases")
        self.phase = np.arange(leaves) % count
        share = np.equal.outer(np.arange(count), self.phase).astype(float)
        self.register_buffer("share", torch.from_numpy(share))
        self.register_buffer("fractions", torch.from_numpy(np.asarray(fractions)))
        self.raw = nn.Parameter(0.2 + 0.8 * torch.rand(leaves, dtype=torch.float64))
        self.normals = nn.Parameter(torch.randn(leaves - 1, 3, dtype=torch.float64))
        self.quaternion = (
            nn.Parameter(torch.randn(leaves, 4, dtype=torch.float64))
            if oriented
            else None
        )

    @property
    def weight(self) -> Tensor:
        """Volume fraction of each leaf, (L,)."""
        share: Any = self.share
        size = self.raw.relu()
        return size * (share.T @ (self.fractions / (share @ size)))

    @property
    def normal(self) -> Tensor:
        """Unit vectors, (L - 1, 3)."""
        return nn.functional.normalize(self.normals, dim=-1)

    def forward(self, phases: Tensor) -> Tensor:
        """Effective stiffness, Mandel (B, P, 6, 6) -> (B, 6, 6)."""
        leaf = filled(phases)[:, self.phase]
        if self.quaternion is not None:
            leaf = rotate(leaf, self.quaternion)
        return condense(leaf, self.weight, jump_strain(self.normal))

    def tree(self) -> LaminateTree:
        """The tree as it is now."""
        with torch.no_grad():
            q = self.quaternion
            weight = self.weight.numpy().copy()
            return LaminateTree(
                self.phase,
                weight / weight.sum(),
                self.normal.numpy().copy(),
                None if q is None else nn.functional.normalize(q, dim=-1).numpy(),
            )
