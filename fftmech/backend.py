"""Array libraries and their FFTs: the only file that knows which one is in use."""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import scipy.fft

from fftmech.errors import InputError

AXES = (-3, -2, -1)

# Numbers in a field from which threads pay in an FFT (3 x 48^3 does, 3 x 32^3 not).
THREADED = 2**18


def namespace(array: Any) -> ModuleType:
    """Return the array library (numpy or cupy) that `array` belongs to."""
    if type(array).__module__.partition(".")[0] == "cupy":
        return importlib.import_module("cupy")
    return np


def to_numpy(array: Any) -> np.ndarray:
    """Copy an array of any library to the host; a NumPy array is returned as it is."""
    return array.get() if hasattr(array, "get") else np.asarray(array)


@dataclass(frozen=True)
class Backend:
    """An array library with a real FFT over the last three axes.

    Attributes
    ----------
    xp
        numpy or cupy.
    fft
        Name of the FFT library in use.
    rfftn, irfftn
        `rfftn(field)` and `irfftn(spectrum, shape)`, normalised so that one undoes the
        other; `irfftn` may overwrite its argument.
    """

    xp: Any
    fft: str
    rfftn: Callable[[Any], Any]
    irfftn: Callable[[Any, tuple[int, int, int]], Any]


def cpu_backend(threads: int | None = None, fft: str | None = None) -> Backend:
    """NumPy with the fastest FFT library that is installed.

    Parameters
    ----------
    threads
        FFT threads; all processors this process may use if None.
    fft
        One of `FFT_LIBRARIES`, instead of the first that is installed.
    """
    threads = threads or _processors()
    for name, make in FFT_LIBRARIES.items():
        if fft not in (None, name):
            continue
        try:
            rfftn, irfftn = make(threads)
        except ImportError:
            continue
        return Backend(np, name, rfftn, irfftn)
    raise InputError(
        f"FFT library {fft!r}: expected one of {', '.join(FFT_LIBRARIES)}, installed"
    )


def gpu_backend() -> Backend:
    """CuPy with cuFFT.

    Raises
    ------
    InputError
        CuPy is not installed, or finds no GPU.
    """
    try:
        xp = importlib.import_module("cupy")
    except ImportError:
        raise InputError(
            "device cuda needs CuPy, which is not installed; "
            'pip install "fftmech[gpu]", or use --device cpu'
        ) from None
    try:
        count = xp.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise InputError(f"device cuda: {error}; use --device cpu") from None
    if count == 0:
        raise InputError("device cuda: no GPU found; use --device cpu")

    def rfftn(field: Any) -> Any:
        return xp.fft.rfftn(field, axes=AXES)

    def irfftn(spectrum: Any, shape: tuple[int, int, int]) -> Any:
        return xp.fft.irfftn(spectrum, s=shape, axes=AXES)

    return Backend(xp, "cufft", rfftn, irfftn)


def get_backend(device: str = "cpu", threads: int | None = None) -> Backend:
    """Return the backend of a device, "cpu" or "cuda".

    Raises
    ------
    InputError
        Another name, or a device that is not there.
    """
    if device == "cpu":
        return cpu_backend(threads)
    if device == "cuda":
        return gpu_backend()
    raise InputError(f"device {device!r}: expected cpu or cuda")


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _workers(field: np.ndarray, threads: int) -> int:
    """Threads for one transform: one where starting more costs more than it saves."""
    return threads if field.size >= THREADED else 1


def _ducc(threads: int):
    ducc = importlib.import_module("ducc0").fft

    def rfftn(field):
        return ducc.r2c(field, axes=AXES, nthreads=_workers(field, threads))

    def irfftn(spectrum, shape):
        return ducc.c2r(
            spectrum,
            axes=AXES,
            lastsize=shape[-1],
            forward=False,
            inorm=2,
            nthreads=_workers(spectrum, threads),
            allow_overwriting_input=True,
        )

    return rfftn, irfftn


def _pyfftw(threads: int):
    pyfftw = importlib.import_module("pyfftw")
    importlib.import_module("pyfftw.interfaces.scipy_fft")
    pyfftw.interfaces.cache.enable()
    pyfftw.interfaces.cache.set_keepalive_time(60)
    return _scipy_like(pyfftw.interfaces.scipy_fft, threads)


def _scipy(threads: int):
    return _scipy_like(scipy.fft, threads)


def _scipy_like(library: Any, threads: int):
    def rfftn(field):
        return library.rfftn(field, axes=AXES, workers=_workers(field, threads))

    def irfftn(spectrum, shape):
        return library.irfftn(
            spectrum,
            s=shape,
            axes=AXES,
            workers=_workers(spectrum, threads),
            overwrite_x=True,
        )

    return rfftn, irfftn


FFT_LIBRARIES = {"ducc0": _ducc, "pyfftw": _pyfftw, "scipy": _scipy}
"""FFT libraries for NumPy arrays in the order of preference (benchmarks/fft.py)."""
