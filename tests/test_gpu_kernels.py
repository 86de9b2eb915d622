"""The CUDA kernels compute what the reference code does.

Their sources and their launches run on the host, through `cuda_on_host`, or on a GPU if
there is one.
"""

import numpy as np
import pytest
from conftest import grains
from cuda_on_host import COMPILER, RawModule, device_arrays, host_compiler, install

from fftmech import SCHEMES, Load
from fftmech.arrays.backend import cpu_backend
from fftmech.discretization.grid import Grid
from fftmech.kernels.gpu import GpuKernels
from fftmech.kernels.tables import Frame
from fftmech.problems.linear import Problem

TYPES = [np.float64, np.float32]
TOLERANCE = {np.float64: 1e-13, np.float32: 2e-6}
SHAPES = [(4, 6, 8), (5, 3, 7), (4, 5, 1), (1, 6, 1), (1, 1, 1), (9, 8, 33), (2, 1, 3)]
"""Even, odd, 2-D, 1-D and one voxel; more than one block along each axis."""
SERVED = ["rotated", "hex8", "bbar", "forward"]
CASES = [(scheme, (9, 8, 33), np.float64) for scheme in SERVED]
CASES += [("hex8", shape, np.float64) for shape in SHAPES if shape != (9, 8, 33)]
CASES += [("hex8", (9, 8, 33), np.float32)]
CASES += [
    pytest.param((scheme, (9, 8, 33), np.float32), marks=pytest.mark.slow)
    for scheme in SERVED
    if scheme != "hex8"
]
"""Every scheme in both precisions; every shape for one."""
TURNS = [(scheme, np.float64, np.float64, True) for scheme in SERVED]
TURNS += [
    ("rotated", dtype, solution, False)
    for dtype, solution in ((np.float64, np.float32), (np.float32, np.float64))
]
TURNS += [("rotated", np.float32, np.float32, True)]
"""Scheme, precisions of descent and solution, and whether it has weights."""


@pytest.fixture
def cupy(monkeypatch):
    return device_arrays(monkeypatch)


class Body:
    """Grains and a pore, with eigenstrain, the reference code and the kernels."""

    def __init__(self, scheme, shape, dtype, xp):
        rng = np.random.default_rng(5)
        body = grains(shape, count=6)
        body.stiffness[1] = 0
        body = body.with_changes(
            grid=Grid(shape, (1.0, 0.5, 0.7)),
            eigenstrain=1e-1 * rng.normal(size=(6, 6)),
        )
        self.grid, self.phase = body.grid, body.phase
        self.problem = Problem(
            body,
            Load(strain={"xx": 0.0}),
            SCHEMES[scheme],
            cpu_backend(1),
            kernels=False,
        )
        frame = Frame.of(SCHEMES[scheme], body.grid)
        self.kernels = GpuKernels(
            frame,
            body.phase,
            body.stiffness,
            body.eigenstrain,
            self.problem.reference,
            xp,
        )
        self.dtype, self.xp = np.dtype(dtype), xp
        self.E = rng.normal(size=6)
        self.u, self.r, self.q = rng.normal(size=(3, 3 * body.grid.voxels))
        self.weights = rng.uniform(0.5, 2, 3 * body.grid.voxels)

    def device(self, values):
        return self.xp.asarray(values.astype(self.dtype))

    def strain(self):
        u = self.u.reshape(self.problem.nodes)
        strain = self.problem.scheme.strain(u, self.grid)
        return strain + self.E[:, None, None, None]

    def force(self, stress):
        return self.problem.scheme.strain_adjoint(stress, self.grid).ravel()

    def inverse(self, r):
        return self.problem.green.solve(r.reshape(self.problem.nodes)).ravel()

    def mean(self, product):
        return product.sum() / self.grid.voxels


@pytest.fixture(params=SERVED)
def served(request):
    return request.param


@pytest.fixture(params=TYPES, ids=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.fixture(params=CASES, ids=lambda case: f"{case[:2]}-{case[2].__name__}")
def body(request, cupy):
    return Body(*request.param, cupy)


def assert_close(actual, expected, body, scale=None):
    """Equal to the rounding of the body's precision, or of the result's."""
    scale = abs(np.asarray(expected)).max() if scale is None else scale
    actual = actual.get() if hasattr(actual, "get") else np.asarray(actual)
    tolerance = max(TOLERANCE[body.dtype.type], TOLERANCE[actual.dtype.type])
    np.testing.assert_allclose(
        actual, expected, rtol=0, atol=tolerance * (scale + 1e-30)
    )


@host_compiler
@pytest.mark.parametrize("total", [False, True], ids=["strain", "with eigenstrain"])
def test_operator_is_the_adjoint_of_the_stress(body, total):
    law = body.problem.material.stress if total else body.problem.material.tangent
    stress = law(body.strain())
    out = body.xp.empty(body.u.size, body.dtype)
    mean, work = body.kernels.apply(body.device(body.u), body.E, out, total)
    scale = abs(stress).max()
    force = body.force(stress)
    assert_close(out, force, body, 20 * scale)
    assert_close(mean, stress.mean(axis=(0, 2, 3, 4)), body, scale)
    assert_close(work, body.mean(force * body.u), body, 20 * scale)
    assert mean.dtype == np.float64


@host_compiler
def test_double_displacement_gives_single_forces(served, cupy):
    body = Body(served, (5, 9, 7), np.float64, cupy)
    double, single = (cupy.empty(body.u.size, t) for t in TYPES)
    u = body.device(body.u)
    answers = [body.kernels.apply(u, body.E, out, True) for out in (double, single)]
    np.testing.assert_array_equal(single.get(), double.get().astype(np.float32))
    np.testing.assert_array_equal(answers[0][0], answers[1][0])


@host_compiler
def test_quadratic_form_is_the_mean_over_points(body):
    matrices = np.random.default_rng(6).normal(size=(6, 6, 6))
    matrices += matrices.transpose(0, 2, 1)
    e = body.strain()
    product = np.einsum("qixyz,xyzij,qjxyz->", e, matrices[body.phase], e)
    expected = product / e.shape[0] / body.grid.voxels
    actual = body.kernels.quadratic(body.device(body.u), body.E, matrices)
    assert_close(actual, expected, body, 20 * (e**2).sum(axis=1).mean())


@host_compiler
def test_fields_are_voxel_averages(body):
    strain = body.strain()
    stress = body.problem.stress(strain)
    energy = body.problem.material.energy(strain).mean(axis=0)
    actual = body.kernels.field_planes(body.device(body.u), body.E)(slice(None))
    for field, expected in zip(actual[:2], (strain, stress), strict=True):
        assert_close(field, expected.mean(axis=0), body, abs(expected).max())
    assert_close(actual[2], energy, body, 4 * energy.max())


@host_compiler
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_descent_updates_the_residual_and_preconditions_it(body, weighted):
    r, z = body.device(body.r), body.xp.empty(body.r.size, body.dtype)
    weights = body.device(body.weights) if weighted else None
    W = body.weights if weighted else 1.0
    new = body.r - 0.3 * body.q
    expected = W * body.inverse(W * new)
    product = body.kernels.update_residual(r, 0.3, body.device(body.q), weights)
    body.kernels.finish(z, weights)
    assert_close(r, new, body)
    assert_close(z, expected, body, abs(body.inverse(new)).max())
    assert_close(product, body.mean(expected * new), body, product)


@host_compiler
@pytest.mark.parametrize(("scheme", "dtype", "solution", "weighted"), TURNS)
def test_turn_moves_along_the_old_direction(cupy, scheme, dtype, solution, weighted):
    body = Body(scheme, (5, 3, 7), dtype, cupy)
    v, p = cupy.asarray(body.u.astype(solution)), body.device(body.q)
    weights = body.device(body.weights) if weighted else None
    W = body.weights if weighted else 1.0
    body.kernels.update_residual(body.device(body.r), weights=weights)
    body.kernels.update_direction(v, 0.3, p, 0.7, weights)
    assert v.dtype == solution and p.dtype == dtype
    assert_close(v, body.u + 0.3 * body.q, body)
    assert_close(p, W * body.inverse(W * body.r) + 0.7 * body.q, body)


@host_compiler
def test_a_twin_has_a_descent_of_its_own(cupy):
    body = Body("rotated", (5, 3, 7), np.float64, cupy)
    twin, results = body.kernels.twin(), body.xp.empty((2, body.r.size), body.dtype)
    body.kernels.update_residual(body.device(body.r))
    twin.update_residual(body.device(body.q))
    for kernels, z, r in zip(
        (body.kernels, twin), results, (body.r, body.q), strict=True
    ):
        kernels.finish(z)
        assert_close(z, body.inverse(r), body)


@host_compiler
@pytest.mark.parametrize("other", TYPES, ids=["double", "single"])
def test_sum_and_product_of_two_vectors(dtype, cupy, other):
    body = Body("rotated", (16, 9, 5), dtype, cupy)
    a, b = body.device(body.u), cupy.asarray(body.q.astype(other))
    product = body.kernels.dot(a, b)
    expected = body.mean(a.get().astype(float) * b.get().astype(float))
    assert abs(product - expected) < 1e-12
    body.kernels.add(a, -0.3, b)
    expected = body.u - 0.3 * body.q
    tolerance = 1e-6 if np.float32 in (dtype, other) else 1e-14
    np.testing.assert_allclose(a.get(), expected, rtol=0, atol=tolerance)


@pytest.mark.skipif(COMPILER is None, reason="no g++")
def test_results_do_not_depend_on_the_order_of_threads(served, monkeypatch):
    cupy, results = install(monkeypatch), []
    for backwards in (False, True):
        monkeypatch.setattr(RawModule, "backwards", backwards)
        body = Body(served, (9, 8, 33), np.float64, cupy)
        u, r, out = body.device(body.u), body.device(body.r), body.device(body.q)
        sums = [*body.kernels.apply(u, body.E, out), body.kernels.dot(u, r)]
        sums.append(body.kernels.update_residual(r, 0.3, out))
        body.kernels.finish(r)
        results.append(np.hstack([*sums, out.get(), r.get()]))
    np.testing.assert_array_equal(*results)
