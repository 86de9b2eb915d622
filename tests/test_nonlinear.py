"""Every law in the solver, against laminates solved without a grid."""

from threading import Thread

import numpy as np
import pytest
from conftest import EMPTY, SOFT, STIFF, grains, sphere
from laminate_reference import LaminateReference

from fftmech import (
    SCHEMES,
    FiniteLoad,
    Grid,
    InputError,
    Load,
    March,
    Microstructure,
    Path,
    Step,
    solve,
)
from fftmech.loads.path import Target
from fftmech.materials.base import StrainStep
from fftmech.materials.creep import Creep
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.laws import LAWS
from fftmech.materials.neo_hooke import NeoHooke
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.materials.viscoelasticity import Viscoelasticity
from fftmech.solvers import NONLINEAR_SOLVERS

SHEAR = Load(strain={"xx": 2e-3, "xy": -1e-3})
TENSION = Load.uniaxial("xx", 3e-3)

PAIRS = {
    "plasticity": (
        Plasticity(yield_stress=2e-3, hardening=0.05, kinematic_hardening=0.1),
        Plasticity(yield_stress=8e-3, saturation_stress=2e-3, saturation_rate=200.0),
    ),
    "viscoelasticity": (
        Viscoelasticity(relaxation_times=(0.3, 2.0), shear_fractions=(0.3, 0.4)),
        Viscoelasticity(relaxation_times=(1.0,), shear_fractions=(0.5,)),
    ),
    "creep": (
        Creep(rate0=1e-3, stress0=3e-3, exponent=3.0),
        Creep(rate0=1e-3, stress0=1e-2, exponent=5.0),
    ),
    "norton": (
        Norton(bulk=10.0, stress0=1e-3, rate0=1e-3, exponent=3.0),
        Norton(bulk=20.0, stress0=4e-3, rate0=1e-3, exponent=5.0),
    ),
    "neo_hooke": (NeoHooke(K=2.0, G=1.0), NeoHooke(K=10.0, G=4.0)),
    "st_venant_kirchhoff": (None, None),
}
"""Two sets of constants of each law; the second body is stiffer."""

SLIP = {"tau0": 1e-3, "rate0": 1e-3, "exponent": 5.0, "tau1": 1e-3, "theta0": 0.1}
CRYSTALS = {
    "crystal_plasticity": CrystalPlasticity(**SLIP),
    "crystal_creep": CrystalCreep(bulk=100.0, **SLIP),
}

STRETCH = FiniteLoad(F={"xx": 1.2, "xy": 0.3, "yx": 0.0}, P={"yy": 0.0, "zz": 0.05})


def laminate_of(pair, layers=(3, 5)):
    """A stack along x of layers of so many voxels, and its reference."""
    phase = np.repeat([0, 1], layers)[:, None, None]
    phase = np.broadcast_to(phase, (sum(layers), 2, 1)).copy()
    law = {p: one for p, one in enumerate(PAIRS[pair]) if one is not None}
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, STIFF]), law=law)
    if pair == "norton":
        body = Microstructure(Grid(phase.shape), phase, law=law)
    finite = pair in ("neo_hooke", "st_venant_kirchhoff")
    march = March(body, Path((Step(STRETCH if finite else SHEAR),)))
    by_row = {
        int(row): group.material
        for group in march.problem.material.groups
        for row in np.unique(group.rows)
    }
    fractions = np.array(layers) / sum(layers)
    reference = LaminateReference([(fractions[p], by_row[p], p) for p in (0, 1)])
    return body, reference, finite


@pytest.mark.parametrize("pair", list(PAIRS))
def test_every_law_in_a_laminate_agrees_with_a_stack_solved_without_a_grid(pair):
    body, reference, finite = laminate_of(pair)
    if finite:
        loads = [FiniteLoad(F={"xx": 1.1}), STRETCH]
    else:
        loads = [SHEAR, TENSION, SHEAR.scaled(-1)]
    march = March(body, Path.of(loads), tolerance=1e-11)
    for load, point in zip(loads, march.points(), strict=True):
        reference.step(load)
        assert point.status == "converged"
        size = abs(reference.mean_stress).max()
        np.testing.assert_allclose(
            point.mean_stress, reference.mean_stress, atol=1e-9 * size
        )
    layers = march.state.stress[0][:, [0, -1], 0, 0].T
    size = abs(reference.stress).max()
    np.testing.assert_allclose(layers, reference.stress, atol=1e-9 * size)


def test_a_branch_that_a_phase_lacks_has_no_strain():
    laws = dict(enumerate(PAIRS["viscoelasticity"]))
    phase = np.array([0, 1]).reshape(2, 1, 1)
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, STIFF]), law=laws)
    fields = solve(body, SHEAR).variables
    assert list(fields) == ["branch_strain_1", "branch_strain_2"]
    assert fields["branch_strain_1"].any(axis=0).all()
    assert fields["branch_strain_2"].any(axis=0).ravel().tolist() == [True, False]


def test_the_pairs_cover_every_law_without_a_crystal():
    assert set(LAWS) - set(CRYSTALS) <= set(PAIRS)


@pytest.mark.parametrize(
    ("scheme", "solver"),
    [
        pytest.param(scheme, "newton", marks=[pytest.mark.slow] * (scheme == "central"))
        for scheme in SCHEMES
    ]
    + [("rotated", solver) for solver in NONLINEAR_SOLVERS if solver != "newton"],
)
@pytest.mark.parametrize("load", [SHEAR, TENSION], ids=["strain", "mixed"])
def test_a_linear_body_on_a_path_is_the_linear_solve(scheme, solver, load):
    body = sphere(8, SOFT, STIFF)
    expected = solve(body, load, scheme=scheme, tolerance=1e-9)
    march = March(
        body,
        Path((Step(load, increments=2),)),
        scheme=scheme,
        solver=solver,
        tolerance=1e-9,
    )
    assert [point.status for point in march.points()] == ["converged"] * 2
    result = march.result()
    size = abs(expected.stress).max()
    np.testing.assert_allclose(result.stress, expected.stress, atol=1e-7 * size)
    np.testing.assert_allclose(result.energy, expected.energy, rtol=1e-8)
    gap = result.certificate["gap"]
    assert 0 <= gap < 1e-12 * result.energy


def test_a_linear_body_with_eigenstrain_and_a_pore_is_the_linear_solve():
    body = sphere(8, SOFT, EMPTY).with_changes(
        eigenstrain=np.array([[1e-3, 0, 0, 0, 0, 5e-4], [0] * 6])
    )
    expected = solve(body, TENSION, scheme="rotated", tolerance=1e-8)
    march = March(body, Path((Step(TENSION),)), tolerance=1e-8)
    (point,) = march.points()
    assert point.status == "converged"
    size = abs(expected.stress).max()
    np.testing.assert_allclose(march.result().stress, expected.stress, atol=1e-5 * size)


@pytest.mark.parametrize("increments", [1, 3])
def test_laws_at_rest_are_the_linear_solve_under_a_temperature(increments):
    body = sphere(4, SOFT, STIFF).with_changes(
        thermal_expansion=np.array([[1e-5, 0, 2e-5, 0, 0, 1e-5], [3e-5] * 6])
    )
    heated = {"temperature": 40.0, "scheme": "rotated", "tolerance": 1e-9}
    expected = solve(body, TENSION, **heated)
    # neither yields nor relaxes
    laws = {0: Plasticity(yield_stress=1e3), 1: Viscoelasticity(1e9, 0.4, 0.4)}
    path = Path((Step(TENSION, increments=increments),))
    march = March(body.with_changes(law=laws), path, **heated)
    assert all(point.status == "converged" for point in march.points())
    size = abs(expected.stress).max()
    np.testing.assert_allclose(march.result().stress, expected.stress, atol=1e-7 * size)
    assert march.result().energy == pytest.approx(expected.energy, rel=1e-7)


def test_norton_of_exponent_one_is_linear_elasticity_of_the_rate():
    phase = sphere(8, SOFT, STIFF).phase
    laws = {
        0: Norton(bulk=3.0, stress0=1.0, rate0=0.5, exponent=1.0),
        1: Norton(bulk=9.0, stress0=8.0, rate0=0.5, exponent=1.0),
    }
    viscous = Microstructure(Grid(phase.shape), phase, law=laws)
    elastic = viscous.with_changes(law={})
    options = dict(scheme="rotated", tolerance=1e-9)
    a = solve(elastic, SHEAR, **options)
    march = March(viscous, Path((Step(SHEAR, time=0.1),)), **options)
    (point,) = march.points()
    assert point.status == "converged"
    result = march.result()
    size = abs(a.stress).max()
    np.testing.assert_allclose(result.stress * 0.1, a.stress, atol=1e-7 * size)


@pytest.mark.slow
def test_a_polycrystals_curve_lies_between_one_stress_and_one_strain_in_all_grains():
    # Sachs and Taylor: the grains alone, on the polycrystal's own history
    body = grains((6, 6, 6), count=12)
    law = CrystalPlasticity(
        tau0=0.05, tau1=0.03, theta0=0.3, theta1=0.02, rate0=1e-3, exponent=10.0
    )
    body = body.with_changes(law=dict.fromkeys(range(12), law))
    path = Path((Step(Load.uniaxial("xx", 0.01), time=10.0, increments=8),))
    march = March(body, path)
    points = list(march.points())
    assert all(point.status == "converged" for point in points)
    (group,) = march.problem.material.groups
    material, fractions = group.material, body.fractions
    rows = np.arange(12)
    before, state = np.zeros((6, 12)), material.start(rows)
    single = [LaminateReference([(1.0, material, row)]) for row in rows]
    for number, point in enumerate(points):
        strain = np.repeat(point.mean_strain[:, None], 12, axis=1)
        taylor = material.respond(StrainStep(rows, strain, before, state, 1.25))
        before, state = strain, taylor.state
        upper = fractions @ taylor.stress[0]
        assert point.mean_stress[0] < upper
        load = Target(np.ones(6, bool), np.zeros(6), point.mean_stress)
        for grain in single:
            grain.step(load, dt=1.25)
        softer = fractions @ [grain.mean_strain[0] for grain in single]
        assert softer > point.mean_strain[0]
        if number == len(points) - 1:
            assert upper < 1.3 * point.mean_stress[0]
            assert softer > 1.2 * point.mean_strain[0]


@pytest.mark.parametrize("law", ["st_venant_kirchhoff", "neo_hooke", *CRYSTALS])
def test_two_threads_end_and_find_what_one_finds(law, monkeypatch):
    # so small a grid would have one
    monkeypatch.setattr(
        "fftmech.problems.nonlinear.threads_for", lambda voxels, threads: threads
    )
    body, load = grains((6, 5, 4)), SHEAR
    if law in CRYSTALS:
        body = body.with_changes(law=dict.fromkeys(range(5), CRYSTALS[law]))
    else:
        one = {} if law == "st_venant_kirchhoff" else {0: NeoHooke()}
        body, load = sphere(6, SOFT, STIFF).with_changes(law=one), STRETCH
        if one:
            body = body.with_changes(phase=0 * body.phase)
    results = {}

    def work():
        for threads in (1, 2):
            results[threads] = solve(body, load, threads=threads)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert len(results) == 2 and results[1].converged
    np.testing.assert_allclose(results[2].stress, results[1].stress, rtol=1e-12)


def test_a_step_that_is_too_large_is_cut_and_gives_what_small_ones_give():
    phase = sphere(8, SOFT, STIFF).phase
    laws = {0: NeoHooke(K=2.0, G=1.0), 1: NeoHooke(K=200.0, G=100.0)}
    body = Microstructure(Grid(phase.shape), phase, law=laws)
    load = FiniteLoad(F={"xx": 0.65})
    big = March(body, Path((Step(load),)), tolerance=1e-8, max_iterations=7)
    small = March(body, Path((Step(load, increments=12),)), tolerance=1e-8)
    (point,) = big.points()
    *_, last = small.points()
    assert point.status == last.status == "converged" and point.cuts > 0
    np.testing.assert_allclose(
        big.result().stress, small.result().stress, atol=1e-6 * 100
    )


def test_a_step_that_fails_leaves_what_was_accepted():
    body = Microstructure(
        Grid((4, 4, 4)), np.zeros((4, 4, 4), int), law={0: NeoHooke(K=2.0, G=1.0)}
    )
    # inside out on the way: no stress answers to it
    load = FiniteLoad(F={"xx": 1.0}, P={"yy": -1e6})
    march = March(body, Path((Step(FiniteLoad(F={"xx": 1.1})), Step(load))))
    good, bad = march.points()
    assert good.status == "converged" and bad.status != "converged"
    result = march.result()
    assert not result.converged and result.advice
    np.testing.assert_allclose(result.finite.mean_F, np.diag([1.1, 1.0, 1.0]))


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(solver="cg"), "solver 'cg' for a nonlinear body"),
        (dict(precision="single"), "precision single"),
        (dict(scheme="fourier", finite=True), "even grid"),
        (dict(initial=np.zeros((3, 8, 8, 8))), "initial for a nonlinear"),
    ],
)
def test_what_nonlinear_bodies_cannot_do_is_refused(change, words):
    body = sphere(8, SOFT, STIFF).with_changes(law={0: PAIRS["plasticity"][0]})
    load = SHEAR
    if change.pop("finite", False):
        body, load = body.with_changes(law={}), FiniteLoad(F={"xx": 1.1})
    with pytest.raises(InputError, match=words):
        solve(body, load, **change)


def test_laws_of_the_other_kind_of_strain_are_refused():
    small = sphere(8, SOFT, STIFF).with_changes(law={0: PAIRS["plasticity"][0]})
    finite = sphere(8, SOFT, STIFF).with_changes(law={0: NeoHooke(K=1.0, G=1.0)})
    with pytest.raises(InputError, match="phase 0 obeys plasticity, a law of small"):
        solve(small, FiniteLoad(F={"xx": 1.1}))
    with pytest.raises(InputError, match="phase 0 obeys neo_hooke, a law of finite"):
        solve(finite, SHEAR)


def test_elastic_phases_beside_rates_only_are_refused():
    body = sphere(8, SOFT, STIFF).with_changes(law={0: PAIRS["norton"][0]})
    with pytest.raises(InputError, match="elastic and others have rates only"):
        solve(body, SHEAR)


def test_a_path_has_a_residual_before_its_first_iteration_and_one_after_each():
    path = Path.of((TENSION, Load({"xx": 0.03})), increments=2)
    body = sphere(4, SOFT, STIFF).with_changes(law={0: Plasticity(yield_stress=1e-2)})
    march = March(body, path)
    for point in march.points():
        assert point.status == "converged"
    result = march.result()
    assert result.iterations == sum(p.iterations for p in march.state.points) > 4
    assert len(result.residuals) == result.iterations + 1
    assert result.residuals[-1] == march.state.points[-1].residual <= march.tolerance
