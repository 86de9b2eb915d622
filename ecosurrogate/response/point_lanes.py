"""Lanes of a block of points: rows of fields, and scratch."""

from typing import NamedTuple

import numpy as np

from ecosurrogate.response.laminate_lanes import L
from fftmech.kernels.compiled import U, inlined
from fftmech.kernels.simd import load, splat, store


class Scratch(NamedTuple):
    """Lanes of one block of points; tensors are six rows."""

    stress: np.ndarray  # of each leaf
    old: np.ndarray  # strain of each leaf that was tried
    new: np.ndarray  # strain of each leaf and laminate after the step
    media: np.ndarray
    jumps: np.ndarray
    work: np.ndarray  # of `lanes.laminate`
    spare: np.ndarray
    going: np.ndarray  # whether a point goes on
    far: np.ndarray  # whether its last step was too long
    back: np.ndarray  # then, how much of it is taken back


@inlined
def fetch(field, row, block, spare):
    """A row of a field, (rows, n); points past the end are copies of the last one."""
    points, first, width = block
    at = row * points + first
    if width == L:
        return load(field, at)
    flat = field.reshape(-1)
    if width == U(1):
        return splat(flat[at])
    for p in range(L):
        spare[p] = flat[at + min(p, width - U(1))]
    return load(spare, U(0))


@inlined
def put(field, row, block, spare, value):
    """Write a row of a field."""
    points, first, width = block
    at = row * points + first
    if width == L:
        store(field, at, value)
    else:
        flat = field.reshape(-1)
        store(spare, U(0), value)
        for p in range(width):
            flat[at + p] = spare[p]
