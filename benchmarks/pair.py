"""The unit that times are given in: one transform of the grid, and back.

A pair is three components, real to half-complex and back, in double precision: plain
calls on the whole grid of the fastest library that is installed, with all threads and
without normalising, on arrays that are there already where the library takes such.

    pip install -r benchmarks/requirements.txt
"""

import pickle
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fftmech.arrays.threads import processors

AXES = (-3, -2, -1)

# Seconds after which FFTW makes do with the best plan so far, in each direction.
PLANNING = 20


class Arrays(NamedTuple):
    """A field (3, n, n, n), its half spectrum, and where the way back ends."""

    field: np.ndarray
    spectrum: np.ndarray
    back: np.ndarray


class Transform(NamedTuple):
    """One pair with a library, and the seconds that it took to plan."""

    run: Callable[[], np.ndarray]
    planning: float


def arrays(n: int, dtype: type = np.float64) -> Arrays:
    """Aligned arrays, touched."""
    complex_type = np.result_type(dtype, np.complex64)
    shape = (3, n, n, n)
    field, back = _aligned(shape, dtype), _aligned(shape, dtype)
    spectrum = _aligned((3, n, n, n // 2 + 1), complex_type)
    field[...] = np.random.default_rng(0).standard_normal(shape, dtype)
    spectrum.fill(0)
    back.fill(0)
    return Arrays(field, spectrum, back)


def _aligned(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def _fftw(a: Arrays, threads: int, flag: str = "FFTW_MEASURE") -> Callable:
    import pyfftw

    # planning overwrites what it plans for
    field = a.field.copy()
    both = {"axes": (1, 2, 3), "threads": threads, "flags": (flag,)}
    both["planning_timelimit"] = PLANNING
    forward = pyfftw.FFTW(a.field, a.spectrum, **both)
    backward = pyfftw.FFTW(a.spectrum, a.back, direction="FFTW_BACKWARD", **both)
    a.field[...] = field

    def run() -> np.ndarray:
        forward.execute()
        backward.execute()
        return a.back

    return run


def fftw_estimated(a: Arrays, threads: int) -> Callable:
    """FFTW with plans that are guessed, not measured."""
    return _fftw(a, threads, "FFTW_ESTIMATE")


def _ducc(a: Arrays, threads: int) -> Callable:
    from ducc0 import fft

    def run() -> np.ndarray:
        fft.r2c(a.field, axes=AXES, out=a.spectrum, nthreads=threads)
        return fft.c2r(
            a.spectrum,
            axes=AXES,
            lastsize=a.field.shape[-1],
            forward=False,
            out=a.back,
            nthreads=threads,
            allow_overwriting_input=True,
        )

    return run


def _scipy(a: Arrays, threads: int) -> Callable:
    from scipy import fft

    shape = a.field.shape[1:]

    def run() -> np.ndarray:
        spectrum = fft.rfftn(a.field, axes=AXES, workers=threads)
        return fft.irfftn(
            spectrum, shape, AXES, norm="forward", workers=threads, overwrite_x=True
        )

    return run


def _mkl(a: Arrays, threads: int) -> Callable:
    import mkl
    import mkl_fft

    mkl.set_num_threads(threads)

    def run() -> np.ndarray:
        mkl_fft.rfftn(a.field, axes=AXES, out=a.spectrum)
        shape = a.field.shape[1:]
        return mkl_fft.irfftn(a.spectrum, shape, AXES, norm="forward", out=a.back)

    return run


LIBRARIES: dict[str, Callable[[Arrays, int], Callable]] = {
    "pyFFTW": _fftw,
    "ducc0": _ducc,
    "mkl_fft": _mkl,
    "scipy": _scipy,
}
"""Libraries whose whole-grid calls are compared."""


def transforms(
    a: Arrays, threads: int, libraries: dict[str, Callable] = LIBRARIES
) -> dict[str, Transform]:
    """Return a pair by library, of those that are installed, each tried once.

    Raises
    ------
    ArithmeticError
        A library that does not come back to the field.
    """
    found = {}
    voxels = a.field[0].size
    for name, make in libraries.items():
        start = time.perf_counter()
        try:
            run = make(a, threads)
        except ImportError:
            continue
        found[name] = Transform(run, time.perf_counter() - start)
        error = abs(run()[0, 0] / voxels - a.field[0, 0]).max()
        if not error < 1e-4:
            raise ArithmeticError(f"{name}: the way back is off by {error:.1e}")
    return found


class Pair:
    """The pair of a cubic grid, to be timed beside what it is the unit of.

    Parameters
    ----------
    n
        Voxels along each axis.
    threads
        All processors that this process may use if None.
    wisdom
        Where FFTW's plans are kept from one process to the next.

    Attributes
    ----------
    library
        The fastest that is installed.
    """

    def __init__(
        self, n: int, threads: int | None = None, wisdom: Path | None = None
    ) -> None:
        with suppress(ImportError):
            import pyfftw

            if wisdom and wisdom.exists():
                pyfftw.import_wisdom(pickle.loads(wisdom.read_bytes()))
        found = transforms(arrays(n), threads or processors())
        if wisdom and "pyFFTW" in found:
            wisdom.write_bytes(pickle.dumps(pyfftw.export_wisdom()))
        medians = {name: _median(t.run) for name, t in found.items()}
        self.library = min(medians, key=medians.__getitem__)
        self._run = found[self.library].run

    def seconds(self) -> float:
        """Time of a pair: the median of three."""
        return _median(self._run)


def _median(run: Callable[[], object], repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
