"""Arrays that stand for CuPy's on the host, and refuse what CuPy's refuse."""

import numpy as np

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
    "pad": "",
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

RUNTIME = {
    "deviceSynchronize": lambda: None,
    "driverGetVersion": lambda: 0,
    "getDeviceCount": lambda: 1,
    "getDeviceProperties": lambda number: {
        **{"name": b"stand-in on the host", "totalGlobalMem": 0, "l2CacheSize": 0},
        **{"multiProcessorCount": 0, "major": 0, "minor": 0},
    },
    "memGetInfo": lambda: (2**40, 2**40),
    "runtimeGetVersion": lambda: 0,
}
"""Functions of CUDA's runtime."""

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


class Pool:
    """A pool of memory, and a cache of plans, that hold nothing."""

    def total_bytes(self):
        """Bytes that were taken from the device."""
        return 0

    def free_all_blocks(self):
        """Give back what is not in use."""

    def clear(self):
        """Forget all plans."""


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
