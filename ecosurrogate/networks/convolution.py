"""Convolutions on a grid, and the steps between two levels of a U-Net.

Grids are periodic, but for axes across which a box has faces: there fields are zero
beyond the grid.

An axis of n voxels has ceil(n / 2) on the next level, periodic again: where n is odd,
the last coarse voxel stands for one fine voxel instead of two. So a network takes any
grid, 2-D ones (one voxel in z) too, and a voxel has its true neighbours on every level.
Wrapping the body up to a divisible size would instead put a seam into it, with wrong
neighbours on both sides.

Stride-one convolutions with circular padding commute with every translation. Levels do
not: a U-Net is equivariant under shifts along an axis by multiples of
2^(levels - 1) voxels, exactly, where that number divides the axis; other shifts, and
shifts along other axes, only approximately.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ALONG_ALL = (True, True, True)


def wrap(x: Tensor, periodic: tuple[bool, bool, bool] = ALONG_ALL) -> Tensor:
    """Add a voxel on each of the six sides of (B, C, X, Y, Z).

    It is that of the other side along axes that are periodic, zero along others.
    """
    return _Wrap.apply(x, periodic)


class _Wrap(torch.autograd.Function):
    """One copy of the field and its faces, each way.

    Concatenations copy the field once an axis, and their gradients fill a field with
    zeros for each face.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, periodic: tuple[bool, bool, bool]) -> Tensor:
        ctx.periodic = periodic
        out = x.new_empty(*x.shape[:-3], *(n + 2 for n in x.shape[-3:]))
        out[..., 1:-1, 1:-1, 1:-1] = x
        # whole faces: those of the later axes have edges and corners too
        for axis in (-1, -2, -3):
            n = x.shape[axis]
            first, last = out.narrow(axis, 0, 1), out.narrow(axis, n + 1, 1)
            if periodic[axis]:
                first.copy_(out.narrow(axis, n, 1))
                last.copy_(out.narrow(axis, 1, 1))
            else:
                first.zero_()
                last.zero_()
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        g = grads[0].clone()
        for axis in (-3, -2, -1):
            n = g.shape[axis] - 2
            if ctx.periodic[axis]:
                g.narrow(axis, n, 1).add_(g.narrow(axis, 0, 1))
                g.narrow(axis, 1, 1).add_(g.narrow(axis, n + 1, 1))
            g = g.narrow(axis, 1, n)
        return g.contiguous(), None


class Convolution(nn.Conv3d):
    """A 3 x 3 x 3 convolution, as fast for one body as for several.

    Fields are periodic along the axes that `periodic` says, zero beyond the others.

    For one body, unless it is large, torch takes a slow kernel on CPUs (up to 14 times
    the time of oneDNN's, 8 channels of 32^3 voxels); here oneDNN's is named.
    """

    periodic: tuple[bool, bool, bool] = ALONG_ALL

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, 3, stride, bias=bias)

    def _conv_forward(
        self, input: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        if (
            len(input) == 1
            and input.device.type == "cpu"
            and input.dtype == weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            # an exported program names no library that torch may lack elsewhere
            and not torch.compiler.is_compiling()
            and torch.backends.mkldnn.is_available()
        ):
            out = _OneBody.apply(input, weight, self.stride)
            return out if bias is None else out + bias[:, None, None, None]
        return super()._conv_forward(input, weight, bias)

    def forward(self, input: Tensor) -> Tensor:
        """(B, C_in, X, Y, Z) -> (B, C_out, ceil(X / stride), ...)."""
        return super().forward(wrap(input, self.periodic))


class _OneBody(torch.autograd.Function):
    """oneDNN's convolution of one body, and its derivatives.

    Torch chooses the slow kernel again for these, unless their layout is oneDNN's.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return torch.ops.aten.mkldnn_convolution(
            x, weight, None, (0, 0, 0), stride, (1, 1, 1), 1
        )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            *(grads[0].contiguous().to_mkldnn(), x.to_mkldnn(), weight, None),
            *(ctx.stride, (0, 0, 0), (1, 1, 1), False, (0, 0, 0), 1),
            (*ctx.needs_input_grad[:2], False),
        )
        return None if of_x is None else of_x.to_dense(), of_weight, None


def set_periodic(model: nn.Module, periodic: tuple[bool, bool, bool]) -> None:
    """Tell all layers of a model that depend on it which axes are periodic."""
    for layer in model.modules():
        if hasattr(layer, "periodic"):
            vars(layer)["periodic"] = periodic


def coarsen(x: Tensor) -> Tensor:
    """Mean over windows of 2 x 2 x 2 voxels, (B, C, X, Y, Z) -> (B, C, X/2, ...)."""
    kernel = [min(n, 2) for n in x.shape[-3:]]
    return F.avg_pool3d(x, kernel, 2, ceil_mode=True)


def refine(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Repeat every voxel 2 x 2 x 2 times, (B, C, X, Y, Z) -> (B, C, *shape)."""
    x = F.interpolate(x, scale_factor=2.0, mode="nearest")
    return x[..., : shape[0], : shape[1], : shape[2]]


def initialize(layer: nn.Conv3d | nn.Linear, gain: float) -> None:
    """Normal weights of deviation gain / sqrt(fan-in), no bias.

    Kaiming initialisation: He et al. 2015, doi:10.1109/ICCV.2015.123, eq. 10, where
    the gain of a rectifier is sqrt(2).
    """
    nn.init.normal_(layer.weight, std=gain / layer.weight[0].numel() ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
