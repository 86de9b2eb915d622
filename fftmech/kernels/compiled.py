"""How kernels are compiled: cached on disk, without the GIL, ready for SIMD."""

import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core.caching import NullCache

U = np.uint64
"""Type of indices: Numba adds code for negative ones to signed types."""

# Sums may be reordered; NaN and infinity keep their meaning.
_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}


_kept: list[Any] = []
_compiling = threading.RLock()


def compiled(function: Any) -> Any:
    """Compile on first use and keep the code on disk.

    Threads are Python's own, each with a slab of the grid, and no pool of Numba's is
    ever started: there is nothing that spins while FFTs run.
    """
    try:
        kernel = numba.njit(function, cache=True, **_OPTIONS)
    except RuntimeError:
        # no folder to keep the code in: compiled anew in each process
        return numba.njit(function, **_OPTIONS)
    _kept.append(kernel)
    return kernel


def timed(function: Callable[..., None], *arguments: Any) -> float:
    """Seconds of a call that compiles, without code on disk if the disk is full."""
    started = time.perf_counter()
    # the compiler makes millions of small objects, which Python would go through again
    # and again for garbage: a tenth of its time, for 50 MB that are free soon after
    with _compiling:
        collects = gc.isenabled()
        gc.disable()
        try:
            function(*arguments)
        except OSError:
            for kernel in _kept:
                kernel._cache = NullCache()
            function(*arguments)
        finally:
            if collects:
                gc.enable()
    return time.perf_counter() - started


def inlined(function: Any) -> Any:
    """Compile as a part of the kernel that calls it: nothing else can call it."""
    alone = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(function, forceinline=True, **alone, **_OPTIONS)
