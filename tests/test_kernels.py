"""The kernels compute what the reference code does."""

from itertools import product

import numpy as np
import pytest
from conftest import ALL_SCHEMES, grains

from fftmech import SCHEMES, Load
from fftmech.arrays.backend import cpu_backend
from fftmech.discretization.grid import Grid
from fftmech.kernels import get_kernels, has_kernels, host
from fftmech.kernels.hexahedron import BLOCK, CHUNK
from fftmech.operators.green import Green
from fftmech.problems.linear import Problem

TYPES = [np.float64, np.float32]
TOLERANCE = {np.float64: 1e-13, np.float32: 1e-6}
LONG = 2 * CHUNK + 2 * BLOCK + 12
USUAL = (3, 5, CHUNK + 7)
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
    (2, 1, CHUNK),
    (3, 2, CHUNK + 1),
]
"""Even, odd, 2-D, 1-D, one voxel; lines that are cut into pieces."""
CASES = [((scheme, USUAL), dtype) for dtype in TYPES for scheme in SCHEMES]
CASES += [
    ((one, shape), TYPES[0])
    for one in ("hex8", "central", "fourier")
    for shape in SHAPES
]
"""Every scheme in both precisions; all shapes for one scheme of each kind of code."""
RARE = [(("fourier", shape), TYPES[0]) for shape in SHAPES[3:]]
"""Cases that are slow because of their number, as all of `central` are."""
LOADS = {
    "strain": Load(strain={"xx": 1.0}),
    "mixed": Load(strain={"zz": 1.0}, stress={"xx": 0.0, "yy": 0.3, "xy": 0.1}),
}


class Body:
    """Grains and a pore, with eigenstrain: reference code, kernels, random vectors.

    Vectors are nodal values, which kernels may have coordinates of. They have values
    of single precision, so that both precisions see the same.
    """

    def __init__(self, scheme, shape, phases="several"):
        rng = np.random.default_rng(5)
        voxels = int(np.prod(shape))
        count = {"several": 6, "one": 1, "a voxel": voxels}[phases]
        body = grains(shape, count)
        if phases == "several":
            body.stiffness[1] = 0
        if phases == "a voxel":
            body = body.with_changes(phase=rng.permutation(voxels).reshape(shape))
        self.body = body.with_changes(
            grid=Grid(shape, (1.0, 0.5, 0.7)),
            eigenstrain=0.1 * rng.normal(size=(count, 6)),
        ).check()
        self.grid, self.phase = self.body.grid, self.body.phase
        self.scheme = SCHEMES[scheme]
        self.problem = self.new_problem(kernels=False)
        self.E = rng.normal(size=6)
        self.own = self.new_problem().kernels.coordinates
        n = int(np.prod(self.problem.nodes))
        vectors = rng.normal(size=(3, n))
        self.u, self.r, self.q = (
            self.nodal(self.vector(f, np.float32)) for f in vectors
        )
        weights = rng.uniform(0.5, 2, n).astype(np.float32)
        self.weights = weights.astype(float)

    def new_problem(self, load=LOADS["strain"], **options):
        return Problem(self.body, load, self.scheme, cpu_backend(1), **options)

    def new_kernels(self, threads=1, fft=None):
        """Kernels that use these threads however small the grid is."""
        kernels = get_kernels(
            self.scheme,
            self.grid,
            self.phase,
            self.body.stiffness,
            self.body.eigenstrain,
            self.problem.reference,
            cpu_backend(threads, fft),
        )
        kernels._threads = threads
        return kernels

    def vector(self, f, dtype=np.float64):
        """Nodal values as kernels have them."""
        if self.own is None:
            return f.astype(dtype)
        return self.own.from_nodes(f.reshape(self.problem.nodes)).astype(dtype)

    def nodal(self, vector):
        """Nodal values of a vector, in double precision."""
        if self.own is None:
            return vector.astype(float)
        return self.own.to_nodes(vector.astype(float)).ravel()

    def seen(self, f):
        """What vectors hold of nodal values: at Nyquist frequencies strain alone."""
        return self.nodal(self.vector(f))

    def strain(self):
        """E + sym(D u), by the reference code."""
        u = self.u.reshape(self.problem.nodes)
        return self.scheme.strain(u, self.grid) + self.E[:, None, None, None]

    def force(self, stress):
        return self.scheme.strain_adjoint(stress, self.grid).ravel()

    def inverse(self, r):
        return self.problem.green.solve(r.reshape(self.problem.nodes)).ravel()

    def mean(self, values):
        return values.sum() / self.grid.voxels

    def everything(self, kernels, dtype=np.float64):
        """All that kernels compute, a list of arrays."""
        u, r, q = (self.vector(f, dtype) for f in (self.u, self.r, self.q))
        w = self.weights.astype(dtype)
        out = np.empty_like(u)
        results = [*kernels.apply(u, self.E, out, True), out.copy()]
        results += kernels.field_planes(u, self.E)(slice(None))
        results += [kernels.quadratic(u, self.E, self.body.stiffness)]
        results += [kernels.update_residual(r, 0.3, q, w), kernels.dot(u, r)]
        kernels.update_direction(u, 0.3, q, 0.7, w)
        kernels.update_residual(r)
        kernels.finish(out)
        kernels.add(u, 0.1, r)
        return [*map(np.array, results), u, r, q, out]


def _marks(case):
    return [pytest.mark.slow] if case in RARE or case[0][0] == "central" else []


def pytest_generate_tests(metafunc):
    """Run a test of a body over `CASES`, and one of a type alone over both."""
    names = metafunc.fixturenames
    if "body" in names and "dtype" in names:
        both = ("body", "dtype")
        cases = [pytest.param(*case, marks=_marks(case)) for case in CASES]
        metafunc.parametrize(both, cases, ids=name_of, indirect=["body"])
    elif "body" in names:
        marks = {body: _marks((body, dtype)) for body, dtype in CASES}
        cases = [pytest.param(body, marks=own) for body, own in marks.items()]
        metafunc.parametrize("body", cases, ids=name_of, indirect=True)
    elif "dtype" in names:
        metafunc.parametrize("dtype", TYPES, ids=name_of)


def name_of(value):
    return getattr(value, "__name__", str(value))


@pytest.fixture(params=ALL_SCHEMES)
def served(request):
    return request.param


@pytest.fixture
def body(request):
    return Body(*request.param)


@pytest.fixture(params=["one", "a voxel"])
def phased(request, served):
    return Body(served, (5, 4, 2 * BLOCK + 5), request.param)


def assert_close(actual, expected, dtype, scale=None):
    """Equal to rounding in this precision, relative to `scale` or the largest value."""
    scale = abs(np.asarray(expected)).max() if scale is None else scale
    atol = TOLERANCE[dtype] * (scale + 1e-30)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def assert_all_close(actual, expected, dtype):
    for a, b in zip(actual, expected, strict=True):
        assert_close(a, b, dtype)


def check_operator(body, dtype, total):
    law = body.problem.material.stress if total else body.problem.material.tangent
    stress = law(body.strain())
    force, scale = body.force(stress), abs(stress).max()
    u = body.vector(body.u, dtype)
    out = np.empty_like(u)
    mean, work = body.new_kernels().apply(u, body.E, out, total)
    assert mean.dtype == float
    assert_close(body.nodal(out), force, dtype, 20 * scale)
    assert_close(mean, stress.mean(axis=(0, 2, 3, 4)), dtype, scale)
    assert_close(work, body.mean(force * body.u), dtype, 20 * scale)


def test_operator_is_the_adjoint_of_the_stress(body, dtype):
    for total in (False, True):
        check_operator(body, dtype, total)


def test_operator_holds_for_one_phase_and_for_one_a_voxel(phased, dtype):
    check_operator(phased, dtype, total=True)


def test_double_displacement_gives_single_forces(body):
    kernels = body.new_kernels()
    u = body.vector(body.u)
    double, single = (np.empty(u.size, dtype) for dtype in TYPES)
    answers = [kernels.apply(u, body.E, out, True) for out in (double, single)]
    assert_close(single, double, np.float32)
    for a, b in zip(*answers, strict=True):  # sums do not see the rounding of `out`
        assert_close(a, b, np.float64, 20 * abs(double).max())


def test_quadratic_form_is_the_mean_over_points(body, dtype):
    matrices = np.random.default_rng(6).normal(size=(6, 6, 6))
    matrices += matrices.transpose(0, 2, 1)
    e = body.strain()
    total = np.einsum("qixyz,xyzij,qjxyz->", e, matrices[body.phase], e)
    expected = total / len(e) / body.grid.voxels
    actual = body.new_kernels().quadratic(body.vector(body.u, dtype), body.E, matrices)
    assert_close(actual, expected, dtype, 20 * (e**2).sum(axis=1).mean())


def check_fields(body, dtype):
    strain = body.strain()
    stress = body.problem.stress(strain)
    energy = body.problem.material.energy(strain).mean(axis=0)
    actual = body.new_kernels().field_planes(body.vector(body.u, dtype), body.E)(
        slice(None)
    )
    for field, expected in zip(actual[:2], (strain, stress), strict=True):
        assert field.dtype == dtype
        assert_close(field, expected.mean(axis=0), dtype, abs(expected).max())
    assert_close(actual[2], energy, dtype, 4 * energy.max())


def test_fields_are_voxel_averages(body, dtype):
    check_fields(body, dtype)


def test_fields_hold_for_one_phase_and_for_one_a_voxel(phased, dtype):
    check_fields(phased, dtype)


def test_descent_updates_the_residual_and_preconditions_it(body, dtype):
    kernels, new = body.new_kernels(), body.r - 0.3 * body.q
    for W, weights in ((1.0, None), (body.weights, body.weights.astype(dtype))):
        r, q = body.vector(body.r, dtype), body.vector(body.q, dtype)
        z = np.empty_like(r)
        expected = body.seen(W * body.inverse(body.seen(W * new)))
        energy = kernels.update_residual(r, 0.3, q, weights)
        kernels.finish(z, weights)
        assert_close(body.nodal(r), new, dtype)
        size = 2 * abs(body.inverse(W * new)).max()
        assert_close(body.nodal(z), expected, dtype, size)
        assert_close(energy, body.mean(expected * new), dtype, energy)


@pytest.mark.parametrize("solution", TYPES, ids=["of double", "of single"])
def test_turn_moves_along_the_old_direction(served, dtype, solution):
    body = Body(served, (5, 3, 7))
    for W, weights in ((1.0, None), (body.weights, body.weights.astype(dtype))):
        check_turn(body, dtype, solution, W, weights)


def check_turn(body, dtype, solution, W, weights):
    kernels = body.new_kernels()
    v, p = body.vector(body.u, solution), body.vector(body.q, dtype)
    kernels.update_residual(body.vector(body.r, dtype), weights=weights)
    kernels.update_direction(v, 0.3, p, 0.7, weights)
    assert v.dtype == solution and p.dtype == dtype
    # alpha has the precision of v
    assert_close(body.nodal(v), body.u + 0.3 * body.q, solution)
    z = body.seen(W * body.inverse(body.seen(W * body.r)))
    assert_close(body.nodal(p), z + 0.7 * body.q, dtype)


def test_sum_and_product_of_two_vectors(body, dtype):
    kernels, size = body.new_kernels(), body.mean(abs(body.u * body.q))
    for other in TYPES:
        a, b = body.vector(body.u, dtype), body.vector(body.q, other)
        energy = kernels.dot(a, b)
        both = np.float32 if dtype == other == np.float32 else np.float64
        assert_close(energy, body.mean(body.u * body.q), both, size)
        kernels.add(a, -0.3, b)
        assert_close(body.nodal(a), body.u - 0.3 * body.q, dtype)


def test_a_twin_has_a_descent_of_its_own(served):
    body = Body(served, (5, 3, 7))
    kernels = body.new_kernels(threads=2)
    kernels.update_residual(body.vector(body.r))
    twin, u = kernels.twin(threads=1), body.vector(body.u)
    twin.update_residual(body.vector(body.q))
    results = np.empty((2, u.size))
    for own, z, r in zip((kernels, twin), results, (body.r, body.q), strict=True):
        own.finish(z)
        assert_close(body.nodal(z), body.inverse(r), np.float64)
    out = np.empty((2, u.size))
    for own, f in zip((kernels, twin), out, strict=True):
        own.apply(u, body.E, f, total=True)
    np.testing.assert_array_equal(*out)


def test_operator_and_sums_do_not_depend_on_the_number_of_threads(body, dtype):
    results = []
    for count in (1, 2, 16):
        kernels = body.new_kernels(count)
        u, q = body.vector(body.u, dtype), body.vector(body.q, dtype)
        out = np.empty_like(u)
        sums = [*kernels.apply(u, body.E, out, True), kernels.dot(u, q)]
        sums.append(kernels.quadratic(u, body.E, body.body.stiffness))
        fields = [
            field.ravel() for field in kernels.field_planes(u, body.E)(slice(None))
        ]
        kernels.add(u, 0.3, q)
        results.append(np.hstack([*sums, out, *fields, u]))
    for several in results[1:]:
        np.testing.assert_array_equal(several, results[0])


def test_preconditioner_does_not_depend_on_the_number_of_threads(body, dtype):
    # FFT libraries take as many lines at once as fit a register, and the rest singly
    one, two, many = (
        body.everything(body.new_kernels(count), dtype) for count in (1, 2, 16)
    )
    assert_all_close(two, one, dtype)
    assert_all_close(many, one, dtype)


def test_results_do_not_depend_on_the_size_of_blocks(served, dtype, monkeypatch):
    body = Body(served, (5, 7, 4))
    whole = body.everything(body.new_kernels(2), dtype)
    plane = 3 * 7 * 4 * np.dtype(dtype).itemsize
    for size in (1, 2 * plane):  # one plane, and two with one left over
        monkeypatch.setattr(host, "BLOCK_BYTES", size)
        cut = body.everything(body.new_kernels(2), dtype)
        assert_all_close(cut, whole, dtype)


def test_fft_libraries_give_the_same(body, dtype):
    pytest.importorskip("ducc0")
    results = [
        body.everything(body.new_kernels(2, fft), dtype) for fft in ("ducc0", "scipy")
    ]
    assert_all_close(*results, dtype)


def null_fields(scheme, grid, rng):
    """Fields of null modes alone: along each axis the mean, the Nyquist wave, or any.

    Transforms are exact where axes have 2^n nodes.
    """
    null = scheme.null_modes(grid)
    for kinds in product(("mean", "nyquist", "any"), repeat=3):
        modes, lines = [], []
        for kind, n, size in zip(kinds, grid.shape, null.shape, strict=True):
            every = {"mean": [0], "nyquist": [n // 2], "any": list(range(size))}
            modes.append(every[kind])
            sign = {"mean": 1.0, "nyquist": -1.0}.get(kind)
            lines.append(rng.normal(size=n) if sign is None else sign ** np.arange(n))
        if null[np.ix_(*modes)].all():
            yield np.einsum("i,j,k->ijk", *lines)


# mean or Nyquist along each axis; two at Nyquist and any third, or the mean; the mean;
# one at Nyquist and any others, or the mean
NULL_FIELDS = {"central": 8, "rotated": 8, "hex8": 1, "bbar": 1, "forward": 1}
NULL_FIELDS["fourier"] = 20


@pytest.mark.parametrize("shape", [(4, 8, 16), (8, 4, 4)], ids=str)
def test_null_modes_are_preconditioned_to_exactly_zero(served, dtype, shape, rng):
    body = Body(served, shape)
    kernels = body.new_kernels()
    fields = list(null_fields(body.scheme, body.grid, rng))
    assert len(fields) == NULL_FIELDS[served]
    for field in fields:
        nodal = np.zeros(body.problem.nodes)
        nodal[:3] = np.einsum("c,xyz->cxyz", rng.normal(size=3), field)
        r = body.vector(nodal.ravel(), dtype)
        z = np.full(r.size, np.nan, dtype)
        assert kernels.update_residual(r) == 0
        kernels.finish(z)
        assert not z.any()


@pytest.mark.parametrize("reference", [(1, 1), (500, 1), (1, 50)], ids=str)
@pytest.mark.parametrize("spacing", [(1, 1, 1), (1, 0.1, 8)], ids=str)
def test_single_preconditioner_is_as_accurate_as_single_transforms(
    served, reference, spacing
):
    # 64 nodes along two axes; in the energy norm, in which errors of rotated's modes
    # near Nyquist count most
    shape = (64, 8, 64)
    body = grains(shape, count=2).with_changes(grid=Grid(shape, spacing)).check()
    scheme, backend = SCHEMES[served], cpu_backend()
    problem = Problem(body, LOADS["strain"], scheme, backend, reference=reference)
    kernels = problem.kernels
    green = Green(scheme, body.grid, backend, *reference, precision=np.float32)
    r = np.random.default_rng(1).normal(size=problem.nodes).astype(np.float32)
    z, products, own = [], [], kernels.coordinates
    c = r.ravel() if own is None else own.from_nodes(r)
    for dtype in TYPES:
        z.append(np.empty(c.size, dtype))
        products.append(kernels.update_residual(c.astype(dtype)))
        kernels.finish(z[-1])
    solved = green.solve(r)  # the symbols are made in double precision
    z.append(solved.ravel() if own is None else own.from_nodes(solved))
    medium = np.array([problem.reference_stiffness] * 2)
    actual, unavoidable = (
        (kernels.quadratic(other - z[0], np.zeros(6), medium) / products[0]) ** 0.5
        for other in z[1:]
    )
    assert actual < 2 * unavoidable + 1e-5
    if reference == spacing[:2]:  # nothing ill-conditioned but the symbols
        assert actual < 2e-5
    assert products[1] == pytest.approx(products[0], rel=1e-5)


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_problem_with_kernels_is_the_problem_without(served, load, rng):
    body = Body(served, (4, 5, 6))
    a, b = (body.new_problem(load, kernels=k) for k in (True, False))
    assert a.kernels is not None and b.kernels is None
    n = b.zeros().size
    vectors = [body.seen(f) for f in rng.normal(size=(4, n - 6))]
    means = rng.normal(size=(4, 6))
    weights = np.append(rng.uniform(0.5, 2, n - 6), np.ones(6))
    if body.own is not None:
        weights = None  # of which the two see different frequencies
    results = []
    for problem in (a, b):
        v, p, r, q = (
            problem.pack(f.reshape(problem.nodes), E)
            for f, E in zip(vectors, means, strict=True)
        )
        v1, p1, r1 = v.copy(), p.copy(), r.copy()
        stress, residual = problem.balance(v1)
        Kp, work = problem.curvature(p1)
        z, product = problem.update_residual(r1, 0.3, q, weights)
        problem.update_direction(v1, 0.5, p1, 0.7, z, weights)
        problem.add(v1, -0.2, q)
        fields = np.concatenate(
            [f.ravel() for f in problem.field_planes(v)(slice(None))]
        )
        sums = [work, product, problem.dot(v, r)]
        M = problem.precondition(r)
        own = [residual, Kp, v1, p1, r1, M, problem.uniform_start()]
        nodal = [problem.displacement(x) for x in own]
        nodal += [x[-6:] for x in own]
        results.append([stress, *nodal, fields, sums])
    for one, other in zip(*results, strict=True):
        assert_close(one, other, np.float64, 10 * abs(np.asarray(other)).max())


def test_problems_have_kernels_in_every_scheme():
    body = grains((3, 3, 3)).check()
    for scheme in SCHEMES.values():
        problem = Problem(body, LOADS["strain"], scheme, cpu_backend())
        assert has_kernels(scheme) and problem.kernels is not None
        assert problem.search == np.float32
