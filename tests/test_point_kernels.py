"""Kernels between nodes and integration points compute what the reference code does."""

import numpy as np
import pytest

from fftmech import SCHEMES, Grid
from fftmech.kernels import has_point_kernels, law_st_venant_kirchhoff, points
from fftmech.kernels.derivatives import CHUNK
from fftmech.kernels.points import PointKernels
from fftmech.materials.base import StrainStep
from fftmech.materials.st_venant_kirchhoff import (
    StVenantKirchhoff,
    StVenantKirchhoffMaterial,
)
from fftmech.problems.kinematics import FINITE, SMALL

SERVED = [name for name, scheme in SCHEMES.items() if has_point_kernels(scheme)]
TOLERANCE = {"float64": 2e-14, "float32": 2e-6}
LONG = CHUNK + 3
USUAL = (3, 5, LONG)
SHAPES = [
    (4, 6, 8),
    (5, 3, 7),
    (4, 5, 1),
    (1, 6, 1),
    (1, 1, 9),
    (7, 1, 1),
    (1, 1, 1),
    (2, 3, LONG),
    (2, LONG, 1),
]
"""Even, odd, 2-D, 1-D, one voxel; lines that are cut into pieces."""
CASES = [((name, USUAL), dtype) for dtype in TOLERANCE for name in SERVED]
CASES += [
    ((name, shape), "float64") for name in ("hex8", "central") for shape in SHAPES
]
"""Every scheme in both precisions; all shapes for one scheme of each kind of code."""


def _case(value, scheme):
    """`central` is slow, for it is of one code with `forward`."""
    return pytest.param(value, marks=[pytest.mark.slow] * (scheme == "central"))


class Body:
    """Random nodal values and stresses, with values of single precision."""

    def __init__(self, scheme, shape, kinematics, dtype):
        rng = np.random.default_rng(4)
        self.scheme, self.kinematics = SCHEMES[scheme], kinematics
        if kinematics.finite and self.scheme.dilatation is not None:
            pytest.skip("a mean dilatation is of small strain")
        self.grid = Grid(shape, (1.0, 0.5, 0.7))
        self.u = rng.normal(size=(3, *shape)).astype(dtype)
        self.mean = rng.normal(size=kinematics.components)
        fields = self.scheme.points, kinematics.components, *shape
        self.stress = rng.normal(size=fields).astype(dtype)

    def kernels(self, threads=1):
        return PointKernels(self.scheme, self.grid, self.kinematics.finite, threads)

    def strain(self):
        u = self.u.astype(float)
        return self.kinematics.strain(self.scheme, u, self.mean, self.grid)

    def force(self, stress):
        return self.kinematics.adjoint(self.scheme, stress.astype(float), self.grid)


@pytest.fixture(params=[_case(name, name) for name in SERVED])
def served(request):
    return request.param


@pytest.fixture(params=[SMALL, FINITE], ids=["small", "finite"])
def kinematics(request):
    return request.param


@pytest.fixture(params=[_case(case, case[0][0]) for case in CASES], ids=str)
def body(request, kinematics):
    (scheme, shape), dtype = request.param
    return Body(scheme, shape, kinematics, dtype)


def close(actual, expected, scale):
    assert scale > 0
    atol = TOLERANCE[actual.dtype.name] * scale
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def test_gradient_is_that_of_the_scheme(body):
    strain, expected = body.kernels().gradient(body.u, body.mean), body.strain()
    assert strain.dtype == body.u.dtype and strain.shape == expected.shape
    close(strain, expected, abs(expected).max())


def test_adjoint_is_that_of_the_scheme(body):
    force = body.kernels().adjoint(body.stress)
    assert force.dtype == body.u.dtype and force.shape == body.u.shape
    close(force, body.force(body.stress), 10 * abs(body.stress).max())


def test_adjoint_is_the_transpose_of_the_gradient(served, shape, kinematics):
    body = Body(served, shape, kinematics, "float64")
    kernels = body.kernels()
    strain = kernels.gradient(body.u, np.zeros(kinematics.components))
    stress = body.stress + strain
    work = (stress * strain).sum() / body.scheme.points
    assert work > 0.1
    assert abs((kernels.adjoint(stress) * body.u).sum() - work) <= 1e-13 * work


def test_threads_give_the_same_numbers(served, kinematics):
    body = Body(served, (5, 3, 7), kinematics, "float64")
    one = body.kernels(1)
    strain, force = one.gradient(body.u, body.mean), one.adjoint(body.stress)
    for threads in (2, 5, 9):
        several = body.kernels(threads)
        np.testing.assert_array_equal(several.gradient(body.u, body.mean), strain)
        np.testing.assert_array_equal(several.adjoint(body.stress), force)


def test_results_are_written_where_it_is_said(served, kinematics):
    body = Body(served, (4, 5, 3), kinematics, "float64")
    kernels = body.kernels()
    strain, force = np.full_like(body.stress, np.nan), np.full_like(body.u, np.nan)
    assert kernels.gradient(body.u, body.mean, strain) is strain
    assert kernels.adjoint(body.stress, force) is force
    np.testing.assert_array_equal(strain, kernels.gradient(body.u, body.mean))
    np.testing.assert_array_equal(force, kernels.adjoint(body.stress))


class Products:
    """A tangent of a matrix for all points, times a number for each."""

    def __init__(self, size, count, seed):
        rng = np.random.default_rng(seed)
        self.matrix = rng.normal(size=(size, size))
        self.factor = rng.uniform(1, 2, count)

    def apply(self, strain):
        out = np.empty_like(strain)
        self.apply_part(strain, 0, out)
        return out

    def apply_part(self, strain, start, out):
        factor = self.factor[start : start + strain.shape[1]]
        out[...] = self.matrix @ strain * factor


def test_fused_pass_is_the_three_one_by_one(body, monkeypatch):
    size, count = body.kinematics.components, body.grid.voxels
    tangents = [Products(size, count, q) for q in range(body.scheme.points)]
    strain = body.strain().reshape(len(tangents), size, count)
    stress = np.stack([t.apply(e) for t, e in zip(tangents, strain, strict=True)])
    scale = abs(stress).max()
    force = body.force(stress.reshape(body.stress.shape))
    for block, threads in ((1, 3), (3000, 1)):
        monkeypatch.setattr(points, "BLOCK_BYTES", block)
        out = np.full_like(body.u, np.nan)
        mean = body.kernels(threads).apply(tangents, body.u, body.mean, out)
        close(out, force, 10 * scale)
        tolerance = TOLERANCE[out.dtype.name] * scale
        np.testing.assert_allclose(mean, stress.mean(axis=(0, 2)), atol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_fused_pass_takes_the_tangent_of_a_law(served, dtype):
    body = Body(served, (4, 6, 8), FINITE, dtype)
    rng = np.random.default_rng(7)
    A = rng.normal(size=(3, 6, 6))
    material = StVenantKirchhoffMaterial(
        [StVenantKirchhoff()] * 3, A @ A.transpose(0, 2, 1), np.zeros((3, 3, 3))
    )
    rows = rng.integers(0, 3, body.grid.voxels)
    shape = body.scheme.points, 9, len(rows)
    F = np.eye(3).reshape(9, 1) + 0.2 * rng.normal(size=shape)
    strain = body.strain().reshape(shape)
    tangents, stress = [], np.empty(shape)
    for q, own in enumerate(F):
        arguments = rows, own, own, None, 1.0
        reference = material.respond(StrainStep(*arguments, np.float64)).tangent
        stress[q] = reference.apply(strain[q])
        kernel = law_st_venant_kirchhoff.respond(
            material, StrainStep(*arguments, np.dtype(dtype))
        )
        tangents.append(kernel.tangent)
    out = np.empty_like(body.u)
    body.kernels().apply(tangents, body.u, body.mean, out)
    expected = body.force(stress.reshape(body.stress.shape))
    close(out, expected, 10 * abs(stress).max())


def test_second_preparation_takes_no_time(served, kinematics):
    kernels = Body(served, (4, 4, 4), kinematics, "float64").kernels()
    assert kernels.prepare(np.float64, np.float32) > 0
    assert kernels.prepare(np.float64, np.float32) < 0.01
