"""A stand-in for CuPy on the host, to test code for a GPU without one.

Its arrays refuse to meet a NumPy array in arithmetic, and refuse NumPy's functions, as
real device arrays do. Its `RawModule` compiles CUDA sources with g++ and runs them
thread by thread (`cuda_on_host.hpp`); a kernel checks the type of each argument. It
says nothing of a real GPU's speed or rounding: where there is one, `device_arrays`
gives CuPy itself.
"""

import ctypes
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import types
from functools import cache
from hashlib import sha256
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
from device_array import (
    CONSTANTS,
    FUNCTIONS,
    RUNTIME,
    Device,
    Pool,
    on_device,
    to_device,
    to_host,
    wrapped,
)

COMPILER = shutil.which("g++")
HEADER = Path(__file__).with_name("cuda_on_host.hpp")
OWN = tempfile.TemporaryDirectory()
ONE_LAUNCH = threading.Lock()


def unset(function):
    """Fill what `empty` returns, so that no test passes by finding zeros there."""

    def call(*args, **kwargs):
        array = function(*args, **kwargs)
        array.fill(np.nan if array.dtype.kind in "fc" else -1)
        return array

    return call


class Plan:
    """A plan of cuFFT: transforms must match it."""

    def __init__(self, array, shape, axes, value_type):
        self.key = (array.shape, array.dtype, tuple(shape), tuple(axes), value_type)

    def check(self, array, shape, axes, value_type):
        """Raise ValueError as CuPy does for another transform than the planned one."""
        key = (array.shape, array.dtype, tuple(shape), tuple(axes), value_type)
        if key != self.key:
            raise ValueError(f"a plan for {self.key}, used for {key}")


def get_fft_plan(a, shape=None, axes=None, value_type="C2C"):
    """Plan of `cupyx.scipy.fft`."""
    return Plan(a, shape, axes, value_type)


def rfftn(x, s=None, axes=None, norm=None, overwrite_x=False, *, plan=None):
    """Forward transform of `cupyx.scipy.fft`."""
    if plan is not None:
        plan.check(x, s or [x.shape[axis] for axis in axes], axes, "R2C")
    return to_device(scipy.fft.rfftn(to_host(x), s, axes, norm))


def irfftn(x, s=None, axes=None, norm=None, overwrite_x=False, *, plan=None):
    """Transform back of `cupyx.scipy.fft`; it ruins x where it may, as cuFFT does."""
    if plan is not None:
        plan.check(x, s, axes, "C2R")
    result = to_device(scipy.fft.irfftn(to_host(x), s, axes, norm))
    if overwrite_x:
        x.fill(np.nan)
    return result


class RawModule:
    """CUDA sources, compiled for the host."""

    backwards = False
    """Whether the threads of a block run from the last to the first."""

    def __init__(self, *, code, options=()):
        self._library = _library(code, options)

    def get_function(self, name):
        """Kernel that is called with grid, block and arguments."""
        names = getattr(self._library, f"names_{name}")
        names.restype = ctypes.c_char_p
        expected = names().decode().split()
        start = getattr(self._library, f"start_{name}")
        start.restype = ctypes.c_bool

        def kernel(grid, block, args):
            assert [_name(a) for a in args] == expected, name
            values = [_value(a) for a in args]
            pointers = [ctypes.cast(ctypes.byref(v), ctypes.c_void_p) for v in values]
            array = (ctypes.c_void_p * len(args))(*pointers)
            sizes = [
                (ctypes.c_uint * 3)(*s, *[1] * (3 - len(s))) for s in (grid, block)
            ]
            assert np.prod(block) <= 1024 and max(grid[1:], default=1) < 65536
            with ONE_LAUNCH:
                complete = start(array, *sizes, self.backwards)
            assert complete, f"{name}: threads miss a barrier"

        return kernel


def _name(argument):
    """Type of an argument as the header's `name` gives it."""
    assert isinstance(argument, (Device, np.generic)), type(argument)
    name = argument.dtype.kind + str(argument.dtype.itemsize)
    if isinstance(argument, Device):
        assert argument.flags.c_contiguous
        return "*" + name
    return name


def _value(argument):
    if isinstance(argument, Device):
        return ctypes.c_void_p(argument._host.ctypes.data)
    return np.ctypeslib.as_ctypes_type(argument.dtype)(argument.item())


@cache
def _library(code, options):
    """Compile a source, with functions that start its kernels."""
    text = [f'#include "{HEADER}"', code]
    for name in re.findall(
        r"__global__ void\s+(?:__launch_bounds__\(.*\)\s+)?(\w+)\(", code
    ):
        text.append(
            f'extern "C" const char *names_{name}() '
            f"{{ static std::string all = host::names({name}); return all.c_str(); }}\n"
            f'extern "C" bool start_{name}(void **arguments, const unsigned *grid, '
            "const unsigned *block, bool backwards) "
            f"{{ return host::start({name}, arguments, grid, block, backwards); }}"
        )
    flags = ["-std=c++17", "-O1", "-fno-strict-aliasing", "-Wno-unknown-pragmas"]
    flags += ["-Wall", "-Werror", "-shared", "-fPIC", *options]
    # kept where Numba keeps what it compiles, if somebody said where
    kept = Path(os.environ.get("NUMBA_CACHE_DIR", OWN.name))
    everything = "\n".join([*flags, *text, HEADER.read_text(encoding="utf-8")])
    library = kept / f"cuda-{sha256(everything.encode()).hexdigest()}.so"
    if not library.exists():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as folder:
            source, made = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
            source.write_text("\n".join(text), encoding="utf-8")
            subprocess.run([COMPILER, *flags, "-o", made, source], check=True)
            made.replace(library)
    return ctypes.CDLL(str(library))


def _real():
    """CuPy, where it is installed and finds a GPU; else None."""
    try:
        cupy = importlib.import_module("cupy")
        return cupy if cupy.cuda.runtime.getDeviceCount() else None
    # whatever a driver that is not there makes CuPy raise
    except Exception:
        return None


REAL = _real()
"""CuPy, where there is a GPU: tests take it instead of the stand-in."""

host_compiler = pytest.mark.skipif(
    COMPILER is None and REAL is None, reason="neither g++ nor a GPU"
)


def device_arrays(monkeypatch):
    """CuPy where there is a GPU, else the stand-in for it."""
    return REAL or install(monkeypatch)


def install(monkeypatch):
    """Put the stand-in where `import cupy` and `cupyx.scipy.fft` find it; return it."""
    module = types.ModuleType("cupy")
    module.__version__ = "stand-in"
    for name in ("cuda", "fft", "linalg"):
        setattr(module, name, types.SimpleNamespace())
    module.cuda.runtime = types.SimpleNamespace(**RUNTIME)
    module.get_default_memory_pool = Pool
    module.fft.config = types.SimpleNamespace(get_plan_cache=Pool)
    for path, keywords in FUNCTIONS.items():
        take = to_host if path == "asarray" else on_device
        function = wrapped(attrgetter(path)(np), keywords, take)
        folder, _, name = path.rpartition(".")
        if name in ("empty", "empty_like"):
            function = unset(function)
        setattr(getattr(module, folder) if folder else module, name, function)
    for name in CONSTANTS:
        setattr(module, name, getattr(np, name))
    module.RawModule = RawModule
    fft = types.ModuleType("cupyx.scipy.fft")
    fft.get_fft_plan, fft.rfftn, fft.irfftn = get_fft_plan, rfftn, irfftn
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setitem(sys.modules, "cupyx.scipy.fft", fft)
    return module
