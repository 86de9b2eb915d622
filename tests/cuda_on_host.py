"""A stand-in for CuPy on the host, to test code for a GPU without one.

Its arrays refuse to meet a NumPy array in arithmetic, and refuse NumPy's functions, as
real device arrays do. Its `RawModule` compiles CUDA sources with g++ and runs them
thread by thread (`cuda_on_host.hpp`); a kernel checks the type of each argument. It
says nothing of a real GPU's speed or rounding.
"""

import ctypes
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
import scipy.fft

COMPILER = shutil.which("g++")
HEADER = Path(__file__).with_name("cuda_on_host.hpp")
OWN = tempfile.TemporaryDirectory()
ONE_LAUNCH = threading.Lock()


FUNCTIONS = {
    "abs": "out dtype",
    "add": "out dtype",
    "arange": "dtype",
    "argsort": "axis",
    "asarray": "dtype",
    "bincount": "weights minlength",
    "broadcast_to": "",
    "clip": "out",
    "concatenate": "axis",
    "cos": "out dtype",
    "deg2rad": "out dtype",
    "dot": "out",
    "einsum": "dtype optimize",
    "empty": "dtype",
    "empty_like": "dtype",
    "exp": "out dtype",
    "eye": "dtype",
    "fft.fftfreq": "d",
    "fft.irfftn": "s axes norm",
    "fft.rfftfreq": "d",
    "fft.rfftn": "s axes norm",
    "floor": "out dtype",
    "full": "dtype",
    "full_like": "dtype",
    "isfinite": "out dtype",
    "isinf": "out dtype",
    "isnan": "out dtype",
    "linalg.inv": "",
    "linalg.norm": "ord axis keepdims",
    "linalg.solve": "",
    "linspace": "dtype",
    "log": "out dtype",
    "maximum": "out dtype",
    "minimum": "out dtype",
    "moveaxis": "",
    "multiply": "out dtype",
    "negative": "out dtype",
    "ones": "dtype",
    "ones_like": "dtype",
    "quantile": "axis",
    "sign": "out dtype",
    "sin": "out dtype",
    "sqrt": "out dtype",
    "stack": "axis",
    "subtract": "out dtype",
    "swapaxes": "",
    "take": "axis out",
    "where": "",
    "zeros": "dtype",
    "zeros_like": "dtype",
}
"""CuPy's functions that the stand-in has, with the keywords that both take."""

CONSTANTS = [
    "complex64",
    "complex128",
    "finfo",
    "float32",
    "float64",
    "inf",
    "nan",
    "pi",
]

METHODS = {
    "all": "axis out keepdims",
    "any": "axis out keepdims",
    "argmax": "axis out dtype keepdims",
    "argmin": "axis out dtype keepdims",
    "astype": "dtype order copy",
    "conj": "",
    "copy": "order",
    "cumsum": "axis dtype out",
    "fill": "value",
    "item": "",
    "max": "axis out keepdims",
    "mean": "axis dtype out keepdims",
    "min": "axis out keepdims",
    "nonzero": "",
    "prod": "axis dtype out keepdims",
    "ravel": "order",
    "reshape": "order copy",
    "squeeze": "axis",
    "std": "axis dtype out ddof keepdims",
    "sum": "axis dtype out keepdims",
    "swapaxes": "",
    "take": "indices axis out",
    "tolist": "",
    "transpose": "",
}
"""Methods of CuPy's arrays, likewise."""

PROPERTIES = [
    "T",
    "dtype",
    "flags",
    "imag",
    "itemsize",
    "nbytes",
    "ndim",
    "real",
    "shape",
    "size",
    "strides",
]

BINARY = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
]
COMPARED = ["eq", "ne", "lt", "le", "gt", "ge"]
UNARY = ["neg", "pos", "abs", "invert"]


class Device:
    """An array that mixes with its own kind and with scalars only.

    As CuPy's it is no array of NumPy, a sum of all its values is an array without axes,
    not a scalar, and it has no method or keyword that CuPy's arrays lack.
    """

    __module__ = "cupy"
    __hash__ = None
    __array_priority__ = 100

    def __init__(self, host):
        self._host = host

    def __array__(self, *_, **__):
        raise TypeError("implicit conversion of a device array to NumPy's")

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **keywords):
        if method != "__call__" or not keywords.keys() <= {"dtype", "casting"}:
            raise TypeError(f"numpy.{ufunc.__name__}.{method} of a device array")
        plain = [on_device(a) for a in (*inputs, *out)]
        if out:
            keywords["out"] = plain[-1]
        result = ufunc(*plain[: len(inputs)], **keywords)
        return out[0] if out else to_device(result)

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} of a device array")

    def __getattr__(self, name):
        if name in PROPERTIES:
            return to_device(getattr(self._host, name))
        if name in METHODS:
            return wrapped(getattr(self._host, name), METHODS[name])
        raise AttributeError(f"a device array has no {name}")

    def __setitem__(self, key, value):
        self._host[to_host(key)] = on_device(value)

    def __getitem__(self, key):
        return to_device(self._host[to_host(key)])

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(self._host)

    def __int__(self):
        return int(self._host)

    def __float__(self):
        return float(self._host)

    def __repr__(self):
        return repr(self._host)

    def __format__(self, spec):
        return format(self._host, spec)

    def get(self):
        """Copy to the host."""
        return self._host.copy()


def _operator(name):
    def operate(self, *others):
        result = getattr(self._host, name)(*[on_device(a) for a in others])
        if result is NotImplemented:
            return result
        return self if name.startswith("__i") and others else to_device(result)

    return operate


for _name in [*BINARY, *COMPARED, *UNARY]:
    setattr(Device, f"__{_name}__", _operator(f"__{_name}__"))
for _name in BINARY:
    setattr(Device, f"__r{_name}__", _operator(f"__r{_name}__"))
    if _name != "matmul":
        setattr(Device, f"__i{_name}__", _operator(f"__i{_name}__"))


def to_host(value):
    """View device arrays, alone or in a tuple or list, as NumPy's."""
    if isinstance(value, Device):
        return value._host
    if isinstance(value, (tuple, list)):
        return type(value)(to_host(v) for v in value)
    return value


def on_device(value):
    """`to_host`, of what CuPy takes as part of an expression: no array of the host."""
    if isinstance(value, np.ndarray):
        raise TypeError("an array of the host meets one of the device")
    if isinstance(value, (tuple, list)):
        return type(value)(on_device(v) for v in value)
    return to_host(value)


def to_device(value):
    """View NumPy arrays as the device's, also scalars that a sum has left."""
    if isinstance(value, (np.ndarray, np.generic)):
        return Device(np.asarray(value))
    if isinstance(value, tuple):
        return tuple(to_device(v) for v in value)
    return value


def wrapped(function, keywords, take=on_device):
    """Let a function of NumPy take and return device arrays."""
    allowed = keywords.split()

    def call(*args, **kwargs):
        name = getattr(function, "__name__", function)
        assert kwargs.keys() <= set(allowed), f"{name}: {kwargs.keys()}"
        plain = {k: take(v) for k, v in kwargs.items()}
        result = function(*[take(a) for a in args], **plain)
        return kwargs["out"] if kwargs.get("out") is not None else to_device(result)

    return call


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


def install(monkeypatch):
    """Put the stand-in where `import cupy` and `cupyx.scipy.fft` find it; return it."""
    module = types.ModuleType("cupy")
    for name in ("cuda", "fft", "linalg"):
        setattr(module, name, types.SimpleNamespace())
    module.cuda.runtime = types.SimpleNamespace(getDeviceCount=lambda: 1)
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
