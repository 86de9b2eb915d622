"""The solver `dual` on linear bodies: the stress that cg on the strain finds."""

import numpy as np
import pytest
from closed_forms import expanding_phases, expansions, random_laminate
from random_bodies import random_body, random_load

from fftmech import Grid, Load, Microstructure, homogenize, solve
from fftmech.arrays.backend import cpu_backend
from fftmech.discretization import SCHEMES, discretization
from fftmech.errors import InputError
from fftmech.kernels import has_point_kernels
from fftmech.materials import cubic, isotropic
from fftmech.problems.linear_dual import StressProblem
from fftmech.simulations.method import Method
from fftmech.simulations.prepare import prepare

MIXED = Load(strain={"xy": 1e-3, "xx": -2e-3}, stress={"zz": 0.4, "yz": -0.3})

SLOW = [pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3)]
"""Seeds of random bodies that are tried where there is time."""


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def strained(seed, contrast=100.0, shape=(6, 5, 4)):
    """A random anisotropic body with eigenstrains, and a random load."""
    rng = np.random.default_rng(seed)
    body = random_body(rng, shape, contrast)
    e0 = 1e-3 * rng.normal(size=(len(body.stiffness), 6))
    return body.with_changes(eigenstrain=e0), random_load(rng)


@pytest.mark.parametrize("seed", [0, *SLOW])
def test_fields_are_those_of_cg(scheme, seed):
    body, load = strained(seed)
    load = (load, Load(), MIXED, load)[seed]
    both = [
        solve(body, load, scheme=scheme, solver=solver, tolerance=1e-9)
        for solver in ("cg", "dual")
    ]
    cg, dual = both
    assert cg.converged and dual.converged
    for name in ("strain", "stress", "displacement", "energy_density"):
        assert distance(getattr(dual, name), getattr(cg, name)) < 1e-6
    assert dual.energy == pytest.approx(cg.energy, rel=1e-7)
    assert distance(dual.mean_stress, cg.mean_stress) < 1e-6
    for result in both:
        assert result.certificate["relative"] < 2e-7
    lower, upper = dual.certificate["energy_lower"], cg.certificate["energy_upper"]
    assert lower <= upper and lower == pytest.approx(upper, rel=1e-7)


@pytest.mark.parametrize("load", [Load(strain={"xx": 1e-3}), MIXED])
def test_prescribed_means_are_exact_though_the_solve_is_not(load):
    body = strained(5)[0]
    result = solve(body, load, solver="dual", max_iterations=3)
    assert result.status == "max_iterations"
    missing = abs(result.mean_stress - load.mean_stress)[load.free]
    assert (missing <= 1e-13 * abs(result.stress).max()).all()
    assert (result.mean_strain == load.mean_strain)[~load.free].all()


def test_the_energy_rises_over_equilibrated_stresses_to_that_of_the_solution(scheme):
    body, _ = strained(2)
    load = Load(strain={"xx": 1e-3, "yz": 2e-3})
    method = Method(scheme=scheme, solver="dual")
    problem, solver, *_ = prepare(body, load, method)
    true = solve(body, load, scheme=scheme, tolerance=1e-10).certificate
    state = solver.init(problem, problem.uniform_start())
    energies = []
    for _ in range(15):
        stress = problem.stress(state.v)
        force = problem.scheme.strain_adjoint(stress, problem.grid)
        assert abs(force).max() < 1e-12 * abs(stress).max()
        energy = problem.material.conjugate_energy(stress).mean()
        energies.append(problem.balance(state.v)[0] @ load.mean_strain - energy)
        state = solver.step(problem, state)
    assert (np.diff(energies) > 0).all() and energies[-1] < true["energy_upper"]


def test_the_error_of_the_stress_is_below_what_is_promised():
    for seed in range(2):
        body, load = strained(seed, contrast=1e3)
        method = {"solver": "dual", "scheme": ("rotated", "bbar")[seed % 2]}
        exact = solve(body, load, tolerance=1e-11, **method)
        result = solve(body, load, tolerance=1e-6, **method)
        assert exact.converged and result.converged
        assert distance(result.stress, exact.stress) < 2e-4
        assert distance(result.strain, exact.strain) < 2e-3
        assert result.certificate["relative"] <= 2e-4


def test_the_reference_medium_and_the_precision_change_nothing():
    body, load = strained(7)
    load = Load(load.strain, load.stress)
    plain = solve(body, load, solver="dual", tolerance=1e-9)
    other = solve(body, load, solver="dual", tolerance=1e-9, reference=(30.0, 2.0))
    single = solve(body, load, solver="dual", precision="single")
    assert other.iterations != plain.iterations
    assert distance(other.stress, plain.stress) < 1e-7
    assert single.converged and single.stress.dtype == np.float32
    assert distance(single.stress, plain.stress) < 1e-4


def test_a_crystal_alone_needs_no_iteration(scheme):
    grid = Grid((3, 4, 5))
    C = cubic(C11=168.4, C12=121.4, C44=75.4)
    body = Microstructure(grid, np.zeros(grid.shape, int), [C])
    for load in (Load(strain={"xx": 1e-3}), Load.uniaxial("xy", 1e-3), MIXED):
        result = solve(body, load, scheme=scheme, solver="dual")
        assert result.converged and result.iterations == 0


@pytest.mark.parametrize("seed", [0, *SLOW])
def test_laminates_are_those_of_the_closed_form(scheme, seed):
    from closed_forms import layered

    body, load = random_laminate(seed)
    result = solve(body, load, scheme=scheme, solver="dual", tolerance=1e-11)
    strain, stress, inside = layered(body, load)
    assert distance(result.mean_strain, strain) < 1e-9
    assert distance(result.mean_stress, stress) < 1e-9
    assert distance(result.strain[..., 0, 0].T, inside) < 1e-9


@pytest.mark.slow
def test_effective_stiffness_is_that_of_cg_from_below():
    body = strained(3)[0].with_changes(eigenstrain=None)
    exact = homogenize(body, tolerance=1e-10).stiffness
    tight = homogenize(body, solver="dual", tolerance=1e-9)
    assert tight.converged and tight.notes == []
    assert distance(tight.stiffness, exact) < 1e-8
    loose = homogenize(body, solver="dual", tolerance=1e-3).stiffness
    assert (loose == loose.T).all()
    # to second order
    gap = np.linalg.eigvalsh(exact - loose) / np.linalg.eigvalsh(exact)[-1]
    assert gap[0] > -1e-8 and 1e-9 < gap[-1] < 1e-4


def test_effective_expansion_is_levins():
    solved, exact = expansions(expanding_phases(8), solver="dual", tolerance=1e-8)
    assert distance(solved, exact) < 1e-7


def test_what_a_stress_cannot_solve_is_refused():
    phase = np.zeros((4, 4, 4), int)
    phase[1, 1, 1] = 1
    C = np.array([isotropic(E=1, nu=0.3), np.zeros((6, 6))])
    body, load = Microstructure(Grid(phase.shape), phase, C), Load(strain={"xx": 1e-3})
    with pytest.raises(InputError, match="solver dual for a body with pores.*--solver"):
        solve(body, load, solver="dual")
    with pytest.raises(InputError, match="solver dual for a body with pores"):
        homogenize(body, solver="dual")
    solid = strained(0)[0]
    with pytest.raises(InputError, match="initial with solver dual"):
        solve(solid, load, solver="dual", initial=solve(solid, load))


@pytest.mark.parametrize("name", sorted(SCHEMES))
@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_kernels_agree_with_the_reference_code(name, precision, rng):
    backend, one = cpu_backend(), strained(3)[0]
    of = one, MIXED, discretization(name), backend, precision
    fast, slow = (StressProblem(*of, kernels=kernels) for kernels in (True, False))
    assert slow.fields is None
    assert (fast.fields is None) == (not has_point_kernels(of[2]))
    limit = 1e-12 if precision == np.float64 else 1e-5
    fast.prepare(mixed=False)
    problems = fast, slow, fast.with_load(MIXED, threads=1)
    r, p, v = rng.normal(size=(3, *slow.zeros().shape)).astype(precision)
    results = []
    for problem in problems:
        own_r, own_p, own_v = r.copy(), p.copy(), v.copy()
        z, square = problem.update_residual(own_r, 0.3, p)
        problem.update_direction(own_v, 0.7, own_p, 0.2, z)
        strain, stress = problem.pair(v)
        fields = own_r, z, own_v, own_p, strain, stress, problem.curvature(p)[0]
        results.append((fields, square, problem.curvature(p)[1]))
    for found in (results[0], results[2]):
        for own, other in zip(found[0], results[1][0], strict=True):
            assert own.dtype == precision
            assert distance(own, other) < limit
        assert found[1:] == pytest.approx(results[1][1:], rel=10 * limit)
