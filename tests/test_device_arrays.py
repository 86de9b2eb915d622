"""The reference code keeps host and device arrays apart, as CuPy demands.

A stand-in for CuPy on the host: its arrays refuse to meet a NumPy array in arithmetic,
and refuse NumPy's functions, as real device arrays do. It says nothing of a real GPU's
speed or rounding.
"""

import sys
import types

import numpy as np
import pytest
from conftest import SOFT, STIFF, grains, sphere

from fftmech import Load, homogenize, solve
from fftmech.backend import get_backend


class Device(np.ndarray):
    """An array that mixes with its own kind and with scalars only."""

    __module__ = "cupy"

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        out = keywords.get("out", ())
        for array in (*inputs, *out):
            host = isinstance(array, np.ndarray) and not isinstance(array, Device)
            if host and array.ndim:
                raise TypeError(f"{ufunc.__name__} of a host and a device array")
        plain = [_host(a) for a in inputs]
        if out:
            keywords["out"] = tuple(_host(a) for a in out)
        result = getattr(ufunc, method)(*plain, **keywords)
        return out[0] if out else _device(result)

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} of a device array")

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return _device(array)

    def __setitem__(self, key, value):
        host = isinstance(value, np.ndarray) and not isinstance(value, Device)
        if host and value.ndim:
            raise TypeError("assignment of a host array to a device array")
        _host(self)[_host(key)] = _host(value)

    def __getitem__(self, key):
        return _device(_host(self)[_host(key)])

    def get(self):
        return np.array(_host(self))


def _host(value):
    if isinstance(value, Device):
        return value.view(np.ndarray)
    if isinstance(value, (tuple, list)):
        return type(value)(_host(v) for v in value)
    return value


def _device(value):
    if isinstance(value, np.ndarray) and not isinstance(value, Device):
        return value.view(Device)
    return value


def _wrapped(function):
    def call(*args, **kwargs):
        plain = {k: _host(v) for k, v in kwargs.items()}
        return _device(function(*[_host(a) for a in args], **plain))

    return call


def _made_of(module, names):
    made = types.SimpleNamespace()
    for name in names:
        setattr(made, name, _wrapped(getattr(module, name)))
    return made


@pytest.fixture
def cupy(monkeypatch):
    """Module `cupy` as far as the reference code uses it."""
    module = types.ModuleType("cupy")
    module.fft = _made_of(np.fft, ["rfftn", "irfftn", "fftfreq", "rfftfreq"])
    runtime = types.SimpleNamespace(getDeviceCount=lambda: 1)
    module.cuda = types.SimpleNamespace(runtime=runtime)
    names = (
        "abs add asarray argsort broadcast_to concatenate dot empty empty_like exp full"
        " isfinite maximum multiply ones_like stack subtract take where zeros"
        " zeros_like"
    )
    for name in names.split():
        setattr(module, name, _wrapped(getattr(np, name)))
    for name in ("float32", "float64", "complex64", "complex128", "pi"):
        setattr(module, name, getattr(np, name))
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_stand_in_refuses_what_a_device_refuses(cupy):
    device, host = cupy.zeros(3), np.zeros(3)
    with pytest.raises(TypeError):
        device + host
    with pytest.raises(TypeError):
        np.concatenate([device, device])
    with pytest.raises(TypeError):
        device[:] = host
    assert get_backend("cuda").fft == "cufft"


@pytest.mark.parametrize(
    "load",
    [Load(strain={"xx": 1e-3}), Load.uniaxial("zz", 1e-3)],
    ids=["strain", "mixed"],
)
def test_solve_on_a_device_equals_solve_on_the_host(cupy, scheme, solver, load):
    body = sphere(6, SOFT, STIFF).with_changes(
        eigenstrain=np.array([[1e-4, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    )
    options = dict(scheme=scheme, solver=solver, tolerance=1e-8)
    host = solve(body, load, **options)
    device = solve(body, load, device="cuda", **options)
    assert type(device.stress) is np.ndarray
    np.testing.assert_allclose(
        device.stress, host.stress, atol=1e-6 * host.stress.max()
    )
    assert (
        abs(device.certificate["gap"] - host.certificate["gap"]) < 1e-12 * host.energy
    )


def test_homogenization_on_a_device_equals_that_on_the_host(cupy):
    host, device = (homogenize(grains((4, 4, 4)), device=d) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(
        device.stiffness, host.stiffness, atol=1e-6 * host.stiffness.max()
    )
