"""Array libraries and their FFTs: the only file that knows which one is in use."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from fftmech.arrays.threads import THREADED, count_of
from fftmech.errors import InputError

AXES = (-3, -2, -1)


def namespace(array: Any) -> ModuleType:
    """Return the array library (numpy, cupy or torch) that `array` belongs to."""
    if type(array).__module__.partition(".")[0] == "cupy":
        return importlib.import_module("cupy")
    return sys.modules["torch"] if is_tensor(array) else np


def is_tensor(array: Any) -> bool:
    """Whether `array` is a torch tensor: operations on it may be differentiated."""
    torch = sys.modules.get("torch")  # imported by whoever made the tensor
    return torch is not None and isinstance(array, torch.Tensor)


def to_numpy(array: Any) -> np.ndarray:
    """Copy an array of any library to the host; a NumPy array is returned as it is."""
    return array.get() if hasattr(array, "get") else np.asarray(array)


class BlockTransform(Protocol):
    """FFTs of a part of a field, on the calling thread."""

    def planes(self, field: Any, out: Any) -> None:
        """Real to half-complex along the last two axes."""
        ...

    def rows(self, spectrum: Any, forward: bool) -> None:
        """In place along the third axis from the end, not normalised."""
        ...

    def back(self, spectrum: Any, out: Any) -> None:
        """Half-complex to real along the last two axes, not normalised.

        `spectrum` may be overwritten.
        """
        ...


@dataclass(frozen=True)
class Backend:
    """An array library with a real FFT over the last three axes.

    Attributes
    ----------
    xp
        numpy, cupy or torch.
    fft
        Name of the FFT library in use.
    rfftn, irfftn
        `rfftn(field)` and `irfftn(spectrum, shape)`, normalised so that one undoes the
        other; `irfftn` may overwrite its argument.
    blocks
        FFTs block by block, for kernels on the host.
    threads
        Threads of FFTs and kernels on the host.
    """

    xp: Any
    fft: str
    rfftn: Callable[[Any], Any]
    irfftn: Callable[[Any, tuple[int, int, int]], Any]
    blocks: BlockTransform | None = None
    threads: int = 1


def cpu_backend(threads: int | None = None, fft: str | None = None) -> Backend:
    """NumPy with the fastest FFT library that is installed.

    Parameters
    ----------
    threads
        Threads of FFTs and kernels; all processors this process may use if None.
    fft
        One of `FFT_LIBRARIES`, instead of the first that is installed.

    Raises
    ------
    InputError
        Not a number of threads; no such library.
    """
    threads = count_of("threads", threads)
    for name, make in FFT_LIBRARIES.items():
        if fft not in (None, name):
            continue
        try:
            rfftn, irfftn, blocks = make(threads)
        except ImportError:
            continue
        return Backend(np, name, rfftn, irfftn, blocks, threads)
    raise InputError(
        f"FFT library {fft!r}", f"one of {', '.join(FFT_LIBRARIES)}, installed"
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
            "device cuda needs CuPy, which is not installed",
            mend='pip install "fftmech[gpu]", or use --device cpu',
        ) from None
    try:
        count = xp.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise InputError(f"device cuda: {error}", mend="use --device cpu") from None
    if count == 0:
        raise InputError("device cuda: no GPU found", mend="use --device cpu")

    def rfftn(field: Any) -> Any:
        return xp.fft.rfftn(field, axes=AXES)

    def irfftn(spectrum: Any, shape: tuple[int, int, int]) -> Any:
        return xp.fft.irfftn(spectrum, s=shape, axes=AXES)

    return Backend(xp, "cufft", rfftn, irfftn)


def torch_backend() -> Backend:
    """Torch, on the device of each tensor, with FFTs that can be differentiated."""
    torch = importlib.import_module("torch")

    def rfftn(field: Any) -> Any:
        return torch.fft.rfftn(field, dim=AXES)

    def irfftn(spectrum: Any, shape: tuple[int, int, int]) -> Any:
        return torch.fft.irfftn(spectrum, s=shape, dim=AXES)

    return Backend(torch, "torch", rfftn, irfftn)


def backend_of(array: Any) -> Backend:
    """Return the backend that `array` belongs to, with all processors on the host."""
    if is_tensor(array):
        return torch_backend()
    return cpu_backend() if namespace(array) is np else gpu_backend()


def get_backend(device: str = "cpu", threads: int | None = None) -> Backend:
    """Return the backend of a device, "cpu" or "cuda".

    Raises
    ------
    InputError
        Another name, a device that is not there, or not a number of threads.
    """
    threads = count_of("threads", threads)
    if device == "cpu":
        return cpu_backend(threads)
    if device == "cuda":
        return gpu_backend()
    raise InputError(f"device {device!r}", "cpu or cuda")


def _workers(field: np.ndarray, threads: int) -> int:
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

    return rfftn, irfftn, _DuccBlocks(ducc)


class _DuccBlocks:
    def __init__(self, ducc: Any) -> None:
        self._fft = ducc

    def planes(self, field, out):
        self._fft.r2c(field, axes=AXES[1:], out=out)

    def rows(self, spectrum, forward):
        self._fft.c2c(spectrum, axes=AXES[:1], out=spectrum, forward=forward)

    def back(self, spectrum, out):
        self._fft.c2r(
            spectrum,
            axes=AXES[1:],
            lastsize=out.shape[-1],
            forward=False,
            out=out,
            allow_overwriting_input=True,
        )


def _scipy(threads: int):
    fft = importlib.import_module("scipy.fft")

    def rfftn(field):
        return fft.rfftn(field, axes=AXES, workers=_workers(field, threads))

    def irfftn(spectrum, shape):
        return fft.irfftn(
            spectrum,
            s=shape,
            axes=AXES,
            workers=_workers(spectrum, threads),
            overwrite_x=True,
        )

    return rfftn, irfftn, _ScipyBlocks(fft)


class _ScipyBlocks:
    def __init__(self, fft: Any) -> None:
        self._fft = fft

    def planes(self, field, out):
        out[...] = self._fft.rfft2(field)

    def rows(self, spectrum, forward):
        transform = self._fft.fft if forward else self._fft.ifft
        norm = "backward" if forward else "forward"
        spectrum[...] = transform(spectrum, axis=-3, norm=norm)

    def back(self, spectrum, out):
        shape = out.shape[-2:]
        out[...] = self._fft.irfft2(spectrum, s=shape, norm="forward", overwrite_x=True)


FFT_LIBRARIES = {"ducc0": _ducc, "scipy": _scipy}
"""FFT libraries for NumPy arrays in the order of preference (benchmarks/fft.py)."""
