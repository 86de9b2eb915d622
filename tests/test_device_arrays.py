"""The reference code keeps host and device arrays apart, as CuPy demands.

On the stand-in for CuPy of `cuda_on_host`, or on a GPU if there is one.
"""

import numpy as np
import pytest
from conftest import SOFT, STIFF, grains, sphere
from cuda_on_host import device_arrays, host_compiler, install
from test_nonlinear import CRYSTALS, PAIRS

from fftmech import (
    FiniteLoad,
    Load,
    March,
    Microstructure,
    Path,
    Step,
    homogenize,
    solve,
)
from fftmech.arrays.backend import get_backend

RATES = ("norton", "crystal_creep")


@pytest.fixture
def cupy(monkeypatch):
    """Module `cupy` as far as this project uses it."""
    return device_arrays(monkeypatch)


def test_stand_in_refuses_what_a_device_refuses(monkeypatch):
    cupy = install(monkeypatch)
    device, host = cupy.zeros(3), np.zeros(3)
    total = device.sum()
    assert isinstance(total, type(device)) and total.shape == () and float(total) == 0
    for refused in (
        lambda: np.asarray(device),
        lambda: host * total,
        lambda: device + np.array(1.0),
        lambda: cupy.where(host > 0, device, 0.0),
        lambda: range(cupy.arange(3).max()),
        lambda: np.multiply(device, 2, where=host > 0),
    ):
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(AttributeError):
        device.searchsorted(1)
    with pytest.raises(AssertionError):
        device.sum(where=device > 0)
    with pytest.raises(TypeError):
        device + host
    with pytest.raises(TypeError):
        np.concatenate([device, device])
    with pytest.raises(TypeError):
        device[:] = host
    assert get_backend("cuda").fft == "cufft"


@host_compiler
def test_solve_on_a_device_equals_solve_on_the_host(cupy, scheme, solver):
    load = Load.uniaxial("zz", 1e-3)
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


@host_compiler
def test_homogenization_on_a_device_equals_that_on_the_host(cupy):
    host, device = (homogenize(grains((4, 4, 4)), device=d) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(
        device.stiffness, host.stiffness, atol=1e-6 * host.stiffness.max()
    )


@host_compiler
@pytest.mark.parametrize("law", [*PAIRS, *CRYSTALS])
def test_a_march_on_a_device_equals_that_on_the_host(cupy, law):
    body = sphere(4, SOFT, STIFF)
    laws = {p: one for p, one in enumerate(PAIRS.get(law) or [CRYSTALS[law]] * 2)}
    laws = {p: one for p, one in laws.items() if one is not None}
    body = Microstructure(
        body.grid,
        body.phase,
        None if law in RATES else body.stiffness,
        # turned by 37 degrees about z, and by as much about x
        np.array([[3.0, 0.0, 0.0, 1.0], [3.0, 1.0, 0.0, 0.0]]) / 10**0.5,
        law=laws,
    )
    load = Load(strain={"xx": 2e-3}, stress={"yy": 0.0})
    if law in ("neo_hooke", "st_venant_kirchhoff"):
        load = FiniteLoad(F={"xx": 1.1, "xy": 0.2}, P={"yy": 0.0})
    path = Path((Step(load, increments=2),))
    results = []
    for device in ("cpu", "cuda"):
        turns = {"rotate_crystals": law in CRYSTALS}
        march = March(body, path, device=device, tolerance=1e-8, **turns)
        assert [point.status for point in march.points()] == ["converged"] * 2
        results.append(march.result())
    host, device = results
    size = abs(host.stress).max()
    np.testing.assert_allclose(device.stress, host.stress, atol=1e-6 * size)
    if law in CRYSTALS:
        turned = [result.microstructure.orientation for result in results]
        assert abs(turned[0][:, 1:]).max() > 1e-6
        np.testing.assert_allclose(*turned, atol=1e-9)
    for name, field in host.variables.items():
        assert type(device.variables[name]) is np.ndarray
        np.testing.assert_allclose(device.variables[name], field, atol=1e-6)
    assert (device.certificate["gap"] is None) == (host.certificate["gap"] is None)
