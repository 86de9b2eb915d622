"""Laws of the reference medium's Green operator and projections."""

import numpy as np
import pytest
from conftest import grains

from fftmech import Grid, Load, Microstructure, discretization
from fftmech.arrays.backend import FFT_LIBRARIES, cpu_backend, get_backend
from fftmech.errors import InputError
from fftmech.materials import isotropic
from fftmech.operators.green import Green
from fftmech.problems.linear import Problem
from fftmech.tensors.fields import mean, multiply

SPACING = (0.1, 0.25, 0.4)


def _green(scheme, shape, bulk=2.0, shear=0.7):
    grid = Grid(shape, SPACING)
    return Green(discretization(scheme), grid, cpu_backend(), bulk, shear)


def _points(rng, scheme, shape):
    return rng.normal(size=(discretization(scheme).points, 6, *shape))


def test_preconditioner_is_the_exact_inverse_of_the_homogeneous_body(
    scheme, shape, rng
):
    grid = Grid(shape, SPACING)
    body = Microstructure(grid, np.zeros(shape, int), [isotropic(K=2.0, G=0.7)])
    load = Load.uniaxial("zz", 1.0)
    problem = Problem(body, load, discretization(scheme), cpu_backend())
    # an unknown that a force can cause: no null modes, free components only
    v = problem.precondition(problem.force(_points(rng, scheme, shape)))
    back = problem.precondition(problem.apply(v))
    assert abs(back - v).max() < 1e-12 * abs(v).max() * 10


def test_operator_is_symmetric_and_not_negative(scheme, shape, rng):
    problem = Problem(
        grains(shape), Load.uniaxial("xy", 1.0), discretization(scheme), cpu_backend()
    )
    a, b = (
        problem.precondition(problem.force(_points(rng, scheme, shape))) for _ in "ab"
    )
    left, right = problem.dot(a, problem.apply(b)), problem.dot(b, problem.apply(a))
    assert left == pytest.approx(right, rel=1e-10)
    assert problem.dot(a, problem.apply(a)) > 0


def test_compatible_projection_is_idempotent_and_orthogonal_in_c0(scheme, shape, rng):
    green = _green(scheme, shape)
    e, f = _points(rng, scheme, shape), _points(rng, scheme, shape)
    Pe, Pf = green.project_compatible(e), green.project_compatible(f)
    np.testing.assert_allclose(green.project_compatible(Pe), Pe, atol=1e-11)

    def inner(a, b):
        return float((multiply(green.stiffness, a) * b).mean())

    assert abs(inner(e - Pe, Pf)) < 1e-12 * inner(e, e) ** 0.5 * inner(f, f) ** 0.5
    np.testing.assert_allclose(mean(Pe), mean(e), atol=1e-14)


def test_equilibrated_projection_is_idempotent_and_orthogonal_in_c0_inverse(
    scheme, shape, rng
):
    green = _green(scheme, shape)
    s, t = _points(rng, scheme, shape), _points(rng, scheme, shape)
    Ps, Pt = green.project_equilibrated(s), green.project_equilibrated(t)
    np.testing.assert_allclose(green.project_equilibrated(Ps), Ps, atol=1e-11)

    def inner(a, b):
        return float((multiply(green.compliance, a) * b).mean())

    assert abs(inner(s - Ps, Pt)) < 1e-12 * inner(s, s) ** 0.5 * inner(t, t) ** 0.5
    np.testing.assert_allclose(mean(Ps), mean(s), atol=1e-13)


def test_projected_stress_is_equilibrated_and_works_with_no_compatible_strain(
    scheme, shape, rng
):
    green, grid = _green(scheme, shape), Grid(shape, SPACING)
    d = discretization(scheme)
    stress = green.project_equilibrated(_points(rng, scheme, shape))
    size = abs(stress).max() / min(SPACING)
    assert abs(d.divergence(stress, grid)).max() < 1e-12 * size
    strain = green.project_compatible(_points(rng, scheme, shape))
    strain -= mean(strain)[:, None, None, None]
    work = float((stress * strain).mean())
    assert abs(work) < 1e-12 * abs(stress).max() * abs(strain).max()


def test_every_installed_fft_library_gives_the_same_transform(rng):
    field = rng.normal(size=(2, 3, 7, 6, 5))
    expected = np.fft.rfftn(field, axes=(-3, -2, -1))
    found = 0
    for name in FFT_LIBRARIES:
        try:
            backend = cpu_backend(threads=2, fft=name)
        except InputError:
            continue
        found += 1
        spectrum = backend.rfftn(field)
        np.testing.assert_allclose(spectrum, expected, atol=1e-11)
        back = backend.irfftn(spectrum, (7, 6, 5))
        np.testing.assert_allclose(back, field, atol=1e-13)
        assert backend.rfftn(field.astype(np.float32)).dtype == np.complex64
    assert found >= 1


def test_device_cuda_without_cupy_says_how_to_get_it():
    try:
        import cupy
    except ImportError:
        with pytest.raises(InputError, match=r'pip install "fftmech\[gpu\]"'):
            get_backend("cuda")
    else:
        assert get_backend("cuda").xp is cupy


def test_unknown_device_is_refused():
    with pytest.raises(InputError, match="'tpu': expected cpu or cuda"):
        get_backend("tpu")
