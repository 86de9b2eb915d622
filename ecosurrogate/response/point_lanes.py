"""Lanes of a block of points: rows of fields, and scratch."""

from typing import NamedTuple

import numpy as np

from ecosurrogate.response.laminate_lanes import L
from fftmech.kernels.compiled import inlined
from fftmech.kernels.simd import load, load_some, store, store_some


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
def fetch(field, row, block):
    """A row of a field, (rows, n); zeros past the last point."""
    points, first, width = block
    at = row * points + first
    return load(field, at) if width == L else load_some(field, at, width)


@inlined
def put(field, row, block, value):
    """Write a row of a field."""
    points, first, width = block
    at = row * points + first
    if width == L:
        store(field, at, value)
    else:
        store_some(field, at, value, width)
