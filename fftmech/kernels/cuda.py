"""The CUDA sources of this folder, compiled by CuPy, and the size of their launches."""

from functools import cache
from importlib.resources import files
from math import ceil
from typing import Any

import numpy as np

TILE_Y, TILE_Z = 8, 32
"""Threads of a block of the operator: one warp along z."""

THREADS = 256
"""Threads of a block of all other kernels."""

BLOCKS = 2048
"""Blocks that fill a large GPU several times."""

# Planes along x that a block of the operator takes: it computes one more.
LEAST_PLANES, MOST_PLANES = 8, 32

TYPES = {"float32": "float", "float64": "double"}


def tiles(shape: tuple[int, int, int]) -> tuple[tuple[int, int, int], int]:
    """Blocks of the operator along z, y and x, and the planes that each takes."""
    nx, ny, nz = shape
    columns, rows = ceil(nz / (TILE_Z - 1)), ceil(ny / (TILE_Y - 1))
    planes = nx * rows * columns // BLOCKS
    planes = min(max(planes, LEAST_PLANES), MOST_PLANES)
    return (columns, rows, ceil(nx / planes)), planes


@cache
def operator(xp: Any, full: bool, dtype: np.dtype, result: np.dtype) -> Any:
    """D* C D in the precision `dtype`, with forces in the precision `result`."""
    # as many blocks as fit with all that a thread works with in registers
    resident = 1 + (not full) + (dtype.itemsize == 4)
    options = (
        _type("REAL", dtype),
        _type("RESULT", result),
        f"-DFULL={int(full)}",
        f"-DTILE_Y={TILE_Y}",
        f"-DTILE_Z={TILE_Z}",
        f"-DRESIDENT={resident}",
    )
    return _module(xp, ("block", "hexahedron", "operator"), options).get_function(
        "apply"
    )


@cache
def fields(xp: Any, full: bool, dtype: np.dtype) -> Any:
    """Strain, stress and energy density."""
    options = (_type("REAL", dtype), f"-DFULL={int(full)}", f"-DTHREADS={THREADS}")
    return _module(xp, ("hexahedron", "fields"), options).get_function("fields")


@cache
def inverse(xp: Any, mean_dilatation: bool, dtype: np.dtype) -> Any:
    """The reference medium's inverse on a half spectrum."""
    mean = f"-DMEAN={int(mean_dilatation)}"
    options = (_type("REAL", dtype), mean, f"-DTHREADS={THREADS}")
    return _module(xp, ("block", "spectral"), options).get_function("inverse")


@cache
def vectors(xp: Any, name: str, dtype: np.dtype, other: np.dtype) -> Any:
    """A vector update, for the precisions of its first and of its other vectors."""
    options = (_type("REAL", dtype), _type("OTHER", other), f"-DTHREADS={THREADS}")
    return _module(xp, ("block", "vectors"), options).get_function(name)


@cache
def _module(xp: Any, parts: tuple[str, ...], options: tuple[str, ...]) -> Any:
    folder = files("fftmech.kernels")
    code = "\n".join((folder / f"{part}.cu").read_text("utf-8") for part in parts)
    return xp.RawModule(code=code, options=options)


def _type(macro: str, dtype: np.dtype) -> str:
    return f"-D{macro}={TYPES[dtype.name]}"
