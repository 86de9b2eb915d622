"""How kernels are compiled: cached on disk, without the GIL, ready for SIMD."""

import gc
import pickle
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
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
_INLINED = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


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
    return numba.njit(function, **_INLINED, **_OPTIONS)


def uncounted(function: Any) -> Any:
    """Inline a function, and all that it inlines, without a count of references.

    Numba counts those to an array wherever it is passed on, which takes longer than to
    fetch a few numbers from it. The function may make no arrays, nor return any.
    """
    options: dict[str, Any] = {"_nrt": False, **_INLINED, **_OPTIONS}
    return numba.njit(function, **options)


def code_on_disk(kernel: Any) -> dict[str, Any]:
    """Where compiled code is kept, and how much of it this version can load.

    Parameters
    ----------
    kernel
        A compiled function; the code of all that are in its folder is kept together.

    Returns
    -------
    dict
        `folder`, None if there is none; `writable`; `bytes` of all files in it; and
        `files`, functions compiled by this Numba and Python from the present source.
    """
    folder = kernel.stats.cache_path
    if folder is None:
        return {"folder": None, "writable": False, "bytes": 0, "files": 0}
    try:
        tempfile.TemporaryFile(dir=folder).close()
        writable = True
    except OSError:
        writable = False
    kept = [*Path(folder).glob("*.nb[ic]")]
    sources = Path(kernel.py_func.__code__.co_filename).parent
    return {
        "folder": str(folder),
        "writable": writable,
        "bytes": sum(file.stat().st_size for file in kept),
        "files": sum(_present(file, sources) for file in kept),
    }


def _present(index: Path, sources: Path) -> bool:
    """Whether a file lists code of this Numba and Python, not older than its source."""
    python = f".py{sys.version_info.major}{sys.version_info.minor}"
    source = sources / f"{index.name.partition('.')[0]}.py"
    if not index.name.endswith(f"{python}.nbi") or not source.exists():
        return False
    with index.open("rb") as file:
        version = pickle.load(file)
    newer = index.stat().st_mtime >= source.stat().st_mtime
    return newer and version == numba.__version__
