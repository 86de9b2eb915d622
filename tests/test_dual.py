"""The solver `dual`: the stress that Newton's method on the strain finds."""

import numpy as np
import pytest

from fftmech import Grid, Load, March, Microstructure, Path, Step, solve
from fftmech.arrays.backend import cpu_backend
from fftmech.errors import InputError
from fftmech.kernels import descent
from fftmech.kernels.laws import conjugate, potential
from fftmech.materials import PORE, cubic, isotropic
from fftmech.materials.base import StrainStep
from fftmech.materials.creep import Creep
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.norton import Norton
from fftmech.microstructure import polycrystal
from fftmech.problems import complementary
from fftmech.problems.certificate import certify
from fftmech.problems.complementary import ComplementaryEnergy
from fftmech.simulations.march_checkpoint import read_checkpoint, write_checkpoint
from fftmech.simulations.method import Method
from fftmech.simulations.prepare import prepare_march
from fftmech.solvers.line_search import minimum_along
from fftmech.tensors.fields import dot, mean
from fftmech.tensors.stiffness import reference_stiffness

SLIP = {"tau0": 0.016, "rate0": 1e-3, "tau1": 0.03, "theta0": 0.2, "theta1": 0.02}
CRYSTAL = CrystalCreep(exponent=10.0, bulk=100.0, **SLIP)
STILL = CrystalCreep(exponent=10.0, bulk=100.0, tau0=0.016, rate0=1e-3)
COPPER = cubic(C11=168.4, C12=121.4, C44=75.4)
ELASTIC = CrystalPlasticity(exponent=10.0, **SLIP)
ELASTIC_STILL = CrystalPlasticity(exponent=10.0, tau0=0.016, rate0=1e-3)
SOFT, HARD = (
    Norton(bulk=s / 3e-4, stress0=s, rate0=1e-3, exponent=5) for s in (1.0, 2.0)
)

DT = 2.0
SHEAR = Load(strain={"xx": 1e-3, "yy": -1e-3})
LOADS = {
    "mean strain": SHEAR,
    "uniaxial": Load.uniaxial("xx", 1e-3),
    "mixed": Load(strain={"xy": 1e-3}, stress={"zz": 0.01, "xx": -0.005}),
}


def crystals(law=CRYSTAL, n=8):
    body = polycrystal(n, grains=5, seed=1, stiffness=COPPER)
    return body.with_changes(law=dict.fromkeys(range(5), law))


def spheres(n=8):
    x = np.indices((n, n, n)) - (n - 1) / 2
    phase = ((x**2).sum(axis=0) < (0.3 * n) ** 2).astype(int)
    return Microstructure(Grid(phase.shape), phase, law={0: SOFT, 1: HARD})


def layers():
    phase = np.zeros((8, 1, 1), int)
    phase[3:] = 1
    return Microstructure(Grid(phase.shape), phase, law={0: SOFT, 1: HARD})


def problem_of(body, load):
    """Problem and solver of a first increment."""
    method = Method(scheme="rotated", solver="dual")
    return prepare_march(body, Path((Step(load),)), method)[:2]


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize("load", LOADS.values(), ids=list(LOADS))
@pytest.mark.parametrize(
    "body",
    [crystals(STILL), crystals(ELASTIC, n=6), spheres()],
    ids=["crystals", "elastic crystals", "spheres"],
)
def test_fields_are_those_of_newtons_method(body, load):
    dual, newton = (solve(body, load, solver=name) for name in ("dual", "newton"))
    assert dual.status == newton.status == "converged"
    for name in ("stress", "strain", "displacement"):
        assert distance(getattr(dual, name), getattr(newton, name)) < 4e-5
    for name, values in newton.variables.items():
        assert distance(dual.variables[name], values) < 4e-5
    assert newton.certificate["relative"] < 2e-5
    assert dual.certificate["relative"] < 2e-5


@pytest.mark.parametrize("name", ["bbar", "hex8", "fourier", "forward"])
def test_schemes_of_one_point_and_of_eight_agree_with_newtons_method(name):
    load = LOADS["mixed"]
    dual, newton = (
        solve(spheres(4), load, solver=solver, scheme=name)
        for solver in ("dual", "newton")
    )
    assert dual.status == newton.status == "converged"
    assert distance(dual.stress, newton.stress) < 2e-5
    assert distance(dual.displacement, newton.displacement) < 2e-5


@pytest.mark.parametrize("load", LOADS.values(), ids=list(LOADS))
def test_prescribed_means_are_exact(load):
    result = solve(crystals(), load, solver="dual")
    assert result.iterations > 5
    missing = result.mean_stress - load.mean_stress
    size = abs(result.mean_stress).max()
    assert (abs(missing[load.free]) < 1e-13 * size).all()
    assert (result.mean_strain - load.mean_strain)[~load.free] == pytest.approx(0)


@pytest.mark.parametrize("law", [STILL, ELASTIC, SOFT], ids=lambda law: law.name)
@pytest.mark.parametrize("load", LOADS.values(), ids=list(LOADS))
def test_a_homogeneous_body_needs_no_iteration(law, load):
    grid = Grid((4, 4, 4))
    body = Microstructure(
        grid,
        np.zeros(grid.shape, int),
        COPPER[None],
        orientation=np.array([[0.8, 0.36, 0.48, 0.0]]),
        law={0: law},
    )
    dual = solve(body, load, solver="dual")
    newton = solve(body, load, solver="newton", tolerance=1e-9)
    assert dual.status == "converged" and dual.iterations <= 1
    assert distance(dual.stress, newton.stress) < 1e-8


def test_a_laminate_is_solved_as_by_newtons_method():
    for load in LOADS.values():
        dual = solve(layers(), load, solver="dual", tolerance=1e-8)
        newton = solve(layers(), load, solver="newton", tolerance=1e-8)
        assert dual.status == "converged"
        assert distance(dual.stress, newton.stress) < 1e-6
        # equal tractions on all interfaces
        tractions = dual.stress[[0, 4, 5]]
        assert np.ptp(tractions, axis=1).max() < 1e-12 * abs(dual.stress).max()


def test_the_energy_descends_over_equilibrated_stresses_and_the_gap_closes():
    problem, solver = problem_of(crystals(), LOADS["uniaxial"])
    state = solver.init(problem, problem.zeros())
    energies, gaps = [], []
    for _ in range(30):
        energy, stress = state.memory.energy, state.memory.stress
        energies.append(energy.energy(stress))
        assert abs(problem.adjoin(stress)).max() < 1e-12 * abs(stress).max()
        rate = (problem.strain(state.v) - problem.start.strain) / problem.dt
        gaps.append(certify(problem, rate, stress).gap)
        state = solver.step(problem, state)
    assert (np.diff(energies) < 0).all()
    assert min(gaps) > 0
    assert gaps[0] > 10 * gaps[10] > 100 * gaps[20] > 1000 * gaps[29]
    # the gap is at least what W* has still to fall
    assert all(g > e - energies[-1] for g, e in zip(gaps[:-5], energies, strict=False))


def test_the_gradient_is_the_derivative_of_the_energy(rng):
    problem, _ = problem_of(crystals(n=6), LOADS["mixed"])
    energy = ComplementaryEnergy(problem)
    stress = energy.shifted(problem.uniform(0.02 * rng.normal(size=6)))
    change = problem.green.project_equilibrated(rng.normal(size=stress.shape))
    change -= mean(change)[:, None, None, None]
    change += problem.asarray(rng.normal(size=6) * ~problem.load.free)[
        :, None, None, None
    ]
    stress = stress + 1e-3 * change
    r = energy.compatibility(energy.strain(stress)).r
    h = 1e-7
    difference = energy.energy(stress + h * change) - energy.energy(stress - h * change)
    slope = float(dot(r, change).mean())
    assert slope == pytest.approx(difference / (2 * h), rel=1e-6)


@pytest.mark.parametrize("law", [CRYSTAL, ELASTIC, SOFT], ids=lambda law: law.name)
def test_a_conjugate_strain_is_the_derivative_of_the_conjugate_energy(law, rng):
    turned = np.linalg.qr(rng.normal(size=(3, 3)))[0][None]
    stiffness = COPPER if law.stiffness is None else law.stiffness
    material = law.material([law], np.array([stiffness]), turned)
    rows = np.zeros(40, int)
    state = np.abs(rng.normal(size=(sum(material.variables.values()), 40)))
    if law is ELASTIC:
        state *= 0.1
    size = 1.0 if law is SOFT else 0.03
    stress, change = size * rng.normal(size=(2, 6, 40))
    strain = material.conjugate_strain(rows, stress, state, DT)
    # of the hardening at the end of the step
    ended = state
    if law is ELASTIC:
        after = material.state_after(rows, stress, state, DT)
        ended = material.for_potentials(state, after)
        assert (ended[6] - state[6]).max() > 1e-3
    ahead, behind = (
        material.conjugate_energy(rows, stress + h * change, ended, DT)
        for h in (1e-6, -1e-6)
    )
    work = (strain * change).sum(axis=0)
    scale = np.linalg.norm(strain, axis=0) * np.linalg.norm(change, axis=0)
    assert abs((ahead - behind) / 2e-6 - work).max() < 1e-7 * scale.max()


@pytest.mark.parametrize(
    "laws",
    [
        [CRYSTAL, CrystalCreep(exponent=4.5, bulk=50.0, **SLIP)],
        [ELASTIC, CrystalPlasticity(exponent=4.5, **SLIP)],
    ],
    ids=lambda laws: laws[0].name,
)
def test_the_kernel_of_crystals_agrees_with_the_reference_code(laws, rng):
    turned = np.linalg.qr(rng.normal(size=(2, 3, 3)))[0]
    for own in (laws[:1], laws[1:], laws):
        stiffness = [COPPER if law.stiffness is None else law.stiffness for law in own]
        kind = own[0].material
        material = kind(own, np.array(stiffness), turned[: len(own)])
        rows = np.arange(40, dtype=np.int32) % len(own)
        kernels = conjugate(material, rows, cpu_backend())
        assert kernels[0] != material.conjugate_strain
        state = np.abs(rng.normal(size=(sum(material.variables.values()), 40)))
        # of systems that are linear, too
        stress = 0.05 * rng.normal(size=(6, 40)) * np.geomspace(1e-3, 1, 40)
        functions = material.conjugate_strain, material.conjugate_energy
        for kernel, function in zip(kernels, functions, strict=False):
            # another state is not taken for the last one
            for own in (state, state / 2):
                expected = function(rows, stress, own, DT)
                found = kernel(rows, stress, own, DT)
                np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-15)
        expected = material.state_after(rows, stress, state, 0.5)
        found = kernels[2](rows, stress, state, 0.5)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-15)


def test_the_kernels_of_fields_agree_with_the_reference_code(rng):
    C0 = reference_stiffness(3.0, 0.7)
    for shape in ((1, 6, 3, 4, 5), (8, 6, 2, 3, 3), (1, 6, 11, 11, 11)):
        a, b, c = rng.normal(size=(3, *shape))
        # of any order in memory
        a = np.moveaxis(np.moveaxis(a, 1, -1).copy(), -1, 1)
        shift, parts = rng.normal(size=6), tuple(rng.normal(size=3))
        expected = complementary.remainder(a, b, shift, C0, c)
        found = descent.remainder(a, b, shift, C0, c, threads=2)
        for own, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-12)
        expected = complementary.direction(a, b, c, parts, C0)
        found = descent.direction(a, b, c, parts, C0, threads=2)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        expected = complementary.largest_deviator(a)
        assert descent.largest_deviator(a) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("law", [CRYSTAL, ELASTIC], ids=lambda law: law.name)
def test_a_path_has_newtons_curve_and_goes_on_from_a_checkpoint(law, tmp_path):
    body = crystals(law, n=6)
    path = Path(
        (
            Step(Load.uniaxial("xx", 1e-2), time=10.0, increments=3),
            Step(Load.uniaxial("xx", 0.0), time=10.0, increments=2),
        )
    )
    marches = {name: March(body, path, solver=name) for name in ("newton", "dual")}
    newton = list(marches["newton"].points())
    dual = []
    for point in marches["dual"].points():
        dual.append(point)
        if len(dual) == 2:
            write_checkpoint(tmp_path / "c", marches["dual"].state, {})
    for a, b in zip(newton, dual, strict=True):
        assert a.status == b.status == "converged" and b.linear_iterations == 0
        assert distance(b.mean_stress, a.mean_stress) < 1e-4
    state = read_checkpoint(tmp_path / "c", {}, np)
    again = list(March(body, path, solver="dual", state=state).points())
    for a, b in zip(dual[2:], again, strict=True):
        assert a.iterations == b.iterations
        np.testing.assert_array_equal(a.mean_stress, b.mean_stress)


def test_a_linear_body_on_a_path_is_the_linear_solve():
    phase = (np.indices((6, 6, 6)).sum(axis=0) % 3 == 0).astype(int)
    stiffness = np.array([isotropic(E=70.0, nu=0.3), cubic(C11=200, C12=130, C44=120)])
    body = Microstructure(
        Grid(phase.shape), phase, stiffness, eigenstrain=np.array([[1e-3] * 6, [0] * 6])
    )
    load = LOADS["mixed"]
    march = March(body, Path((Step(load),)), solver="dual", tolerance=1e-8)
    (point,) = march.points()
    linear = solve(body, load, scheme="rotated", tolerance=1e-8)
    assert point.status == "converged"
    assert distance(march.result().stress, linear.stress) < 1e-5
    assert distance(march.result().displacement, linear.displacement) < 1e-5


@pytest.mark.parametrize("rate", [1e-4, 1e2])
def test_rates_far_from_that_of_the_law_converge(rate):
    load = Load(strain={"xx": rate, "yy": -rate})
    dual, newton = (solve(spheres(4), load, solver=s) for s in ("dual", "newton"))
    assert dual.status == "converged"
    assert distance(dual.stress, newton.stress) < 2e-4


def test_no_load_needs_nothing():
    result = solve(crystals(n=6), Load(), solver="dual")
    assert result.status == "converged" and not result.stress.any()


def test_too_few_iterations_are_said():
    result = solve(crystals(n=6), SHEAR, solver="dual", max_iterations=2)
    assert result.status == "max_iterations"
    assert "--solver newton" in result.advice


def test_bodies_without_an_explicit_law_are_refused():
    elastic = isotropic(E=70.0, nu=0.3)
    phase = np.indices((4, 4, 4))[0] % 2
    creeping = Microstructure(
        Grid(phase.shape),
        phase,
        np.array([elastic, elastic]),
        law=dict.fromkeys((0, 1), Creep(1e-3, 0.1, 5.0)),
    )
    with pytest.raises(InputError, match="law creep.*use --solver newton"):
        solve(creeping, SHEAR, solver="dual")
    porous = Microstructure(
        Grid(phase.shape), phase, np.array([SOFT.stiffness, PORE]), law={0: SOFT}
    )
    with pytest.raises(InputError, match="pores.*use --solver newton"):
        solve(porous, SHEAR, solver="dual")


def test_the_line_search_finds_the_root_of_steep_powers():
    for n in (1, 5, 20):
        for scale in (1e-3, 1.0, 1e3):

            def slope(a, n=n, scale=scale):
                return (a * scale) ** n - 1

            step = minimum_along(slope, -1.0, 1.0, flat=0.1)
            assert step is not None and abs(slope(step)) <= 0.1
    assert minimum_along(lambda a: 1 + a, 1.0, 1.0) is None


@pytest.mark.parametrize(
    "laws",
    [
        [CRYSTAL, CrystalCreep(exponent=4.5, bulk=50.0, **SLIP)],
        [ELASTIC, CrystalPlasticity(exponent=4.5, **SLIP)],
    ],
    ids=lambda laws: laws[0].name,
)
def test_the_kernel_of_a_crystals_energy_agrees_with_the_reference_code(laws, rng):
    turned = np.linalg.qr(rng.normal(size=(2, 3, 3)))[0]
    stiffness = [COPPER if law.stiffness is None else law.stiffness for law in laws]
    material = laws[0].material(laws, np.array(stiffness), turned)
    kernel = potential(material, material.conjugate_energy, cpu_backend())
    assert kernel != material.energy
    rows = np.arange(40, dtype=np.int32) % 2
    state = np.abs(rng.normal(size=(sum(material.variables.values()), 40)))
    strain = 1e-3 * rng.normal(size=(6, 40))
    expected = material.energy(rows, strain, state, DT)
    found = kernel(rows, strain, state, DT)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    # sought from stresses near and far
    own = material.respond(StrainStep(rows, strain, 0 * strain, state, DT)).stress
    for near in (own, own * (1 + 0.1 * rng.normal(size=own.shape)), 0 * own, -own):
        found = kernel(rows, strain, state, DT, near=near)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_mean_stresses_of_loose_solves_are_right_to_second_order():
    body, load = crystals(n=8), LOADS["uniaxial"]
    exact = solve(body, load, solver="dual", tolerance=1e-8)
    for tolerance in (0.1, 3e-2, 1e-2):
        result = solve(body, load, solver="dual", energy_tolerance=tolerance)
        error = distance(result.mean_stress, exact.mean_stress)
        assert error < tolerance**2
        assert distance(result.stress, exact.stress) > 3 * error


@pytest.mark.parametrize(
    "body",
    [crystals(STILL), crystals(ELASTIC_STILL, n=6), spheres()],
    ids=["crystals", "elastic crystals", "spheres"],
)
@pytest.mark.parametrize("solver", ["newton", "dual"])
def test_a_tolerance_on_the_energy_bounds_the_true_error(body, solver):
    exact = solve(body, SHEAR, solver="newton", tolerance=1e-9)
    for tolerance in (0.1, 1e-2, 1e-3):
        result = solve(body, SHEAR, solver=solver, energy_tolerance=tolerance)
        assert result.status == "converged"
        assert result.certificate["relative"] <= tolerance
        # of what an uncertain energy is made: second order in the field
        lower, upper = (result.certificate[f"energy_{w}"] for w in ("lower", "upper"))
        assert lower <= exact.certificate["energy_upper"]
        assert exact.certificate["energy_lower"] <= upper


@pytest.mark.parametrize("solver", ["newton", "dual"])
def test_a_certificate_of_hardening_crystals_is_about_their_error(solver):
    body = crystals(ELASTIC, n=6)
    load = Load.uniaxial("xx", 5e-3)
    exact = solve(body, load, solver="newton", tolerance=1e-9)
    for tolerance in (0.1, 1e-2, 1e-3):
        result = solve(body, load, solver=solver, energy_tolerance=tolerance)
        assert result.certificate["relative"] <= tolerance
        error = distance(result.stress, exact.stress)
        assert error < 2 * result.certificate["relative"]
