"""Search in single precision, solution in double; and all in single precision."""

import numpy as np
import pytest
from conftest import EMPTY, SOFT, STIFF, grains, sphere

from fftmech import SCHEMES, Grid, Load, Microstructure, solve
from fftmech.arrays.backend import cpu_backend
from fftmech.materials import cubic, isotropic
from fftmech.microstructure import polycrystal
from fftmech.problems.linear import Problem
from fftmech.simulations.method import default_tolerance
from fftmech.solvers import get_solver
from fftmech.solvers.iteration import iterate

STEEL = cubic(C11=204.6, C12=137.7, C44=126.2)
MATRIX = isotropic(E=1, nu=0.3)
BODIES = {
    "polycrystal": lambda n: polycrystal(n, grains=8, seed=0, stiffness=STEEL),
    "contrast 1000": lambda n: sphere(n, MATRIX, 1000 * MATRIX),
    "pore": lambda n: sphere(n, MATRIX, EMPTY),
}
LOADS = {
    "strain": Load(strain={"xx": 1e-3, "xy": -5e-4}),
    "mixed": Load.uniaxial("zz", 1e-3),
}
LEAST = default_tolerance("single", Grid((64, 64, 64)))


@pytest.fixture(params=BODIES)
def name(request):
    return request.param


@pytest.fixture(params=LOADS.values(), ids=LOADS)
def load(request):
    return request.param


@pytest.fixture(params=["rotated", "hex8"])
def element(request):
    return request.param


def run(body, load, scheme, tolerance, kernels=True):
    """Solution, status and iterations of conjugate gradients."""
    problem = Problem(
        body.check(), load, SCHEMES[scheme], cpu_backend(), kernels=kernels
    )
    v, status, residuals = iterate(problem, get_solver("cg"), None, tolerance)[:3]
    return v, status, len(residuals) - 1


def true_residual(body, load, scheme, v):
    """Relative residual of v, by the reference code in double precision."""
    problem = Problem(
        body.check(), load, SCHEMES[scheme], cpu_backend(1), kernels=False
    )
    squares = []
    for x in (v, problem.zeros()):
        r = problem.residual(x)
        squares.append(problem.dot(r, problem.precondition(r)))
    return (squares[0] / squares[1]) ** 0.5


def test_search_in_single_precision_reaches_1e_12(name, element, load):
    body = BODIES[name](12)
    v, status, _ = run(body, load, element, 1e-12)
    assert v.dtype == np.float64 and status == "converged"
    assert true_residual(body, load, element, v) < 1.01e-12


@pytest.mark.parametrize("tolerance", [1e-6, 1e-10], ids=str)
def test_search_in_single_precision_takes_as_many_iterations(
    name, element, load, tolerance
):
    body = BODIES[name](12)
    counts = []
    for kernels in (True, False):
        _, status, count = run(body, load, element, tolerance, kernels)
        assert status == "converged"
        counts.append(count)
    # rounding hides the few eigenvalues of a stiff inclusion far above the others, and
    # they are searched again
    slack = 1.35 if name == "contrast 1000" and tolerance < 1e-6 else 1.1
    assert counts[0] <= max(counts[1] + 2, slack * counts[1])


def test_laminate_is_solved_in_one_step_and_to_1e_12_in_a_few(element):
    phase = np.zeros((16, 1, 1), int)
    phase[:3] = 1
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, STIFF]))
    load = Load(strain={"xx": 1e-3})
    _, status, count = run(body, load, element, 1e-6)
    assert (status, count) == ("converged", 1)
    v, status, count = run(body, load, element, 1e-12)
    assert status == "converged" and count <= 6
    assert true_residual(body, load, element, v) < 1.01e-12


@pytest.mark.parametrize("tolerance", [1e-4, LEAST], ids=str)
def test_single_precision_attains_what_it_may_be_asked_for(
    name, element, load, tolerance
):
    body = BODIES[name](16)
    options = dict(scheme=element, tolerance=tolerance)
    result = solve(body, load, precision="single", **options)
    assert result.converged and result.residual <= 1.001 * tolerance
    exact = solve(body, load, scheme=element, tolerance=1e-9)
    error = abs(result.mean_stress - exact.mean_stress).max()
    assert error < 20 * tolerance * abs(exact.mean_stress).max()


def test_single_precision_attains_it_where_rounding_is_worst(element):
    # the finer the grid, the larger the displacement beside its differences
    grid = Grid((256, 256, 1))
    x, y, _ = grid.centers()
    phase = ((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.09) * np.ones(grid.shape, int)
    body = Microstructure(grid, phase, np.array([MATRIX, EMPTY]))
    load = LOADS["strain"]
    result = solve(body, load, scheme=element, precision="single", tolerance=LEAST)
    assert result.converged


@pytest.mark.parametrize("size", [1e-12, 1e2], ids=str)
@pytest.mark.parametrize("precision", ["double", "single"])
def test_pascals_and_micrometres_converge_like_numbers_of_order_one(
    element, load, size, precision
):
    shape, tolerance = (9, 8, 7), 1e-10 if precision == "double" else LEAST
    body = grains(shape)
    small = body.with_changes(
        grid=Grid(shape, (1e-6, 2e-6, 1e-6)), stiffness=1e9 * body.stiffness
    )
    body = body.with_changes(grid=Grid(shape, (1, 2, 1)))
    factor = size / 1e-3
    options = dict(scheme=element, tolerance=tolerance, precision=precision)
    expected = solve(body, load, **options)
    scaled = Load(
        strain={key: factor * value for key, value in load.strain.items()},
        stress={key: 1e9 * factor * value for key, value in load.stress.items()},
    )
    result = solve(small, scaled, **options)
    assert expected.converged and result.converged
    assert abs(result.iterations - expected.iterations) <= 1
    error = abs(result.stress / (1e9 * factor) - expected.stress).max()
    assert error < 10 * tolerance * abs(expected.stress).max()
    assert result.energy == pytest.approx(1e9 * factor**2 * expected.energy, rel=1e-5)


@pytest.mark.parametrize("size", [1e-140, 1e-30, 1e-18, 1e18, 1e30, 1e140], ids=str)
def test_loads_of_extreme_size_are_solved_like_any_other(size, element):
    body = BODIES["pore"](8).with_changes(eigenstrain=np.full((2, 6), 0.1))
    plain = solve(body, Load.uniaxial("zz", 1.0), scheme=element)
    body = body.with_changes(eigenstrain=size * body.eigenstrain)
    result = solve(body, Load.uniaxial("zz", size), scheme=element)
    assert result.converged and result.iterations == plain.iterations
    for name in ("displacement", "strain", "stress", "mean_strain", "mean_stress"):
        one, other = getattr(plain, name), getattr(result, name) / size
        np.testing.assert_allclose(other, one, atol=1e-6 * abs(one).max())
    assert result.energy == pytest.approx(plain.energy * size**2, rel=1e-6)
    again = solve(body, Load.uniaxial("zz", size), scheme=element, initial=result)
    assert again.iterations == 0


def test_certificate_of_an_extreme_load_has_its_units():
    body = BODIES["polycrystal"](8)
    plain = solve(body, Load(strain={"xx": 1.0})).certificate
    tiny = solve(body, Load(strain={"xx": 1e-30})).certificate
    assert tiny["relative"] == pytest.approx(plain["relative"], rel=1e-2)
    for name in ("gap", "energy_upper", "energy_lower"):
        assert tiny[name] == pytest.approx(1e-60 * plain[name], rel=1e-2)


def test_threads_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr("fftmech.kernels.threads_for", lambda n, threads=None: threads)
    body, load = sphere(16, SOFT, 1000 * SOFT), LOADS["strain"]
    one, two, five = (solve(body, load, threads=t) for t in (1, 2, 5))
    np.testing.assert_array_equal(two.stress, one.stress)
    np.testing.assert_array_equal(five.stress, one.stress)
