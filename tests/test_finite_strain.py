"""Laws of finite strain: closed forms, objectivity, small loads, de Geus' cube."""

import numpy as np
import pytest
from conftest import SOFT, STIFF, grains, sphere

from fftmech import (
    FiniteLoad,
    Grid,
    InputError,
    Load,
    March,
    Microstructure,
    Path,
    Step,
    read_result,
    solve,
    write_result,
)
from fftmech.arrays.backend import cpu_backend
from fftmech.discretization import discretization
from fftmech.materials import isotropic
from fftmech.materials.neo_hooke import NeoHooke
from fftmech.problems.kinematics import FINITE
from fftmech.problems.nonlinear import TimeStep
from fftmech.solvers.newton_krylov import NewtonKrylov
from fftmech.tensors import matrix_from_mandel

FINITE_SCHEMES = ["rotated", "hex8", "fourier", "central", "forward"]


def _solve(body, load, **options):
    result = solve(body, load, **{"tolerance": 1e-9, **options})
    assert result.converged
    return result


def _homogeneous(**more):
    return Microstructure(Grid((3, 3, 3)), np.zeros((3, 3, 3), int), [STIFF], **more)


def test_cauchy_stress_of_a_stretched_st_venant_kirchhoff_cell_has_its_closed_form():
    # S = lambda tr(E) + 2 mu E, sigma = F S F^T / J with E = nu = 10, 0.2
    stretch, lame, mu = 1.3, 10 * 0.2 / (1.2 * 0.6), 10 / 2.4
    result = _solve(_homogeneous(), FiniteLoad(F={"xx": stretch}))
    E = (stretch**2 - 1) / 2
    expected = np.array([stretch * (lame + 2 * mu) * E, lame * E / stretch])
    np.testing.assert_allclose(result.mean_stress[:2], expected, rtol=1e-12)
    np.testing.assert_allclose(result.energy, (lame / 2 + mu) * E**2, rtol=1e-12)


def test_simple_shear_of_a_st_venant_kirchhoff_cell_has_its_closed_form():
    gamma, lame, mu = 0.8, 10 * 0.2 / (1.2 * 0.6), 10 / 2.4
    result = _solve(_homogeneous(), FiniteLoad(F={"xy": gamma}))
    F = np.eye(3) + gamma * np.outer([1, 0, 0], [0, 1, 0])
    E = (F.T @ F - np.eye(3)) / 2
    S = lame * np.trace(E) * np.eye(3) + 2 * mu * E
    np.testing.assert_allclose(result.finite.mean_P, F @ S, atol=1e-12)
    cauchy = matrix_from_mandel(result.mean_stress)
    np.testing.assert_allclose(cauchy, F @ S @ F.T, atol=1e-12)


def test_uniaxial_tension_leaves_no_other_stress_along_any_axis():
    body = grains((6, 5, 7))
    for axis, name in enumerate(("xx", "yy", "zz")):
        result = _solve(body, FiniteLoad.uniaxial(name, 1.1))
        cauchy = matrix_from_mandel(result.mean_stress)
        assert cauchy[axis, axis] > 1
        cauchy[axis, axis] = 0
        assert abs(cauchy).max() < 1e-6


@pytest.mark.parametrize("scheme", FINITE_SCHEMES)
def test_a_rotated_load_rotates_the_stress(scheme):
    body = grains((5, 5, 5))
    angle = 0.7
    c, s = np.cos(angle), np.sin(angle)
    Q = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    F = np.array([[1.2, 0.1, 0], [0, 0.9, 0.05], [0, 0, 1.05]])
    names = [i + j for i in "xyz" for j in "xyz"]
    plain, turned = (
        _solve(
            body, FiniteLoad(F=dict(zip(names, G.ravel(), strict=True))), scheme=scheme
        )
        for G in (F, Q @ F)
    )
    size = abs(plain.finite.P).max()
    assert abs(plain.finite.P - plain.finite.mean_P[..., None, None, None]).max() > 0.01
    expected = np.einsum("ij,jk...->ik...", Q, plain.finite.P)
    np.testing.assert_allclose(turned.finite.P, expected, atol=1e-6 * size)


def test_the_moment_of_the_means_is_balanced_and_hill_mandel_holds():
    body = sphere(8, SOFT, STIFF)
    load = FiniteLoad(F={"xx": 1.2, "xy": 0.4}, P={"yy": 0.1})
    result = _solve(body, load)
    fields = result.finite
    moment = fields.mean_P @ fields.mean_F.T
    np.testing.assert_allclose(moment, moment.T, atol=1e-8 * abs(moment).max())
    work = np.einsum("ij...,ij...->...", fields.P, fields.F).mean()
    np.testing.assert_allclose(work, (fields.mean_P * fields.mean_F).sum(), rtol=1e-8)
    np.testing.assert_allclose(fields.mean_P[1, 1], 0.1, rtol=1e-6)


def test_small_loads_reproduce_small_strain_with_an_error_that_falls_quadratically():
    body = grains((6, 5, 7))
    load = Load(strain={"xx": 1.0, "yz": 0.5})
    small = solve(body, load, scheme="rotated", tolerance=1e-10)
    errors = []
    for size in (1e-2, 1e-3, 1e-4):
        load = FiniteLoad(F={"xx": 1 + size, "yz": 0.5 * size, "zy": 0.5 * size})
        result = _solve(body, load, tolerance=1e-10)
        error = result.stress - size * small.stress
        errors.append(abs(error).max() / abs(small.stress).max())
    slopes = np.log10(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(slopes, 2, atol=0.1)


@pytest.mark.parametrize("law", ["svk", "neo_hooke"])
def test_newton_converges_quadratically_when_its_linear_problems_are_solved(law):
    laws = {0: NeoHooke(K=2.0, G=1.0), 1: NeoHooke(K=20.0, G=10.0)}
    body = sphere(8, SOFT, STIFF)
    if law == "neo_hooke":
        body = Microstructure(body.grid, body.phase, law=laws)
    increment = TimeStep(
        body,
        FINITE,
        FiniteLoad(F={"xy": 0.4}),
        discretization("rotated"),
        cpu_backend(1),
        kernels=False,
    )
    increment.target = 0.0
    newton = NewtonKrylov(forcing=1e-10)
    state = newton.init(increment, increment.zeros())
    residuals = [state.square**0.5]
    while residuals[-1] > 1e-12 * residuals[0] and len(residuals) < 9:
        state = newton.step(increment, state)
        residuals.append(state.square**0.5)
    r = np.array(residuals) / residuals[0]
    # the constant of r_next <= c r^2 does not grow from one step to the next
    constants = r[1:] / r[:-1] ** 2
    late = [k for k in range(len(constants)) if r[k] < 0.05 and r[k + 1] > 1e-13]
    assert len(late) >= 2
    assert constants[late].max() < 3 * constants[: late[0] + 1].max()
    assert r[late[-1] + 1] < 1e-3 * r[late[-1]]


def test_the_stiff_cube_of_de_geus_in_large_shear_takes_few_linear_iterations():
    # de Geus et al. 2017 (doi:10.1016/j.cma.2016.12.032), 31^3, contrast 10
    phase = np.zeros((31, 31, 31), int)
    phase[-9:, :9, -9:] = 1
    soft, stiff = isotropic(K=0.833, G=0.386), isotropic(K=8.33, G=3.86)
    body = Microstructure(Grid(phase.shape), phase, np.array([soft, stiff]))
    result = solve(body, FiniteLoad(F={"xy": 0.7}))
    assert result.converged
    print(f"{result.iterations} Newton steps, {result.linear_iterations} iterations")
    assert result.linear_iterations <= 1.2 * 130


def test_the_basic_scheme_finds_what_newton_finds():
    body = sphere(8, SOFT, STIFF)
    load = FiniteLoad(F={"xx": 1.1, "xy": 0.2}, P={"zz": 0.0})
    a = _solve(body, load)
    for solver in ("basic", "barzilai-borwein"):
        b = _solve(body, load, solver=solver)
        assert b.linear_iterations == 0
        size = abs(a.stress).max()
        np.testing.assert_allclose(b.stress, a.stress, atol=1e-6 * size)


@pytest.mark.parametrize("scheme", FINITE_SCHEMES)
def test_compiled_kernels_find_what_the_reference_code_finds(scheme, monkeypatch):
    body = grains((5, 3, 7))
    load = FiniteLoad(F={"xx": 1.2, "zy": 0.3}, P={"yy": 0.1})
    fast = _solve(body, load, scheme=scheme)
    monkeypatch.setattr("fftmech.problems.nonlinear.get_kernels", lambda *body: None)
    monkeypatch.setattr("fftmech.problems.nonlinear._point_kernels", lambda *body: None)
    slow = _solve(body, load, scheme=scheme)
    size = abs(slow.finite.P).max()
    np.testing.assert_allclose(fast.finite.P, slow.finite.P, atol=1e-6 * size)


def test_a_result_of_finite_strain_comes_back_from_its_file(tmp_path):
    body = grains((4, 3, 5)).with_changes(units={"stress": "GPa"})
    result = _solve(body, FiniteLoad(F={"xx": 1.1, "xy": 0.2}, P={"yy": 0.0}))
    write_result(tmp_path / "a.vtkhdf", result)
    back = read_result(tmp_path / "a.vtkhdf")
    assert back.load == result.load
    assert back.linear_iterations == result.linear_iterations
    for name in ("F", "P", "mean_F", "mean_P"):
        np.testing.assert_allclose(
            getattr(back.finite, name), getattr(result.finite, name), rtol=1e-12
        )
    np.testing.assert_allclose(back.displacement, result.displacement, atol=1e-14)
    np.testing.assert_allclose(back.stress, result.stress, atol=1e-14)


@pytest.mark.parametrize(
    "given, words",
    [
        (dict(F={"xx": float("nan")}), "finite number"),
        (dict(F={"ab": 1.0}), "component 'ab'"),
        (dict(F={"xx": 1.1}, P={"xx": 0.0}), "F xx and P xx are both prescribed"),
        (dict(P={"xy": 0.0, "yx": 0.0}), "keeps the body from turning"),
        (dict(F={"xx": -1.0}), "inside out"),
        (dict(F=[1.0]), "expected values by component"),
    ],
)
def test_loads_that_mean_nothing_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        FiniteLoad(**given)


def test_a_path_of_small_and_finite_strain_is_refused():
    with pytest.raises(InputError, match="of one kind"):
        Path((Step(Load(strain={"xx": 1e-3})), Step(FiniteLoad(F={"xx": 1.1}))))


def test_a_cycle_of_finite_strain_ends_without_stress():
    body = sphere(8, SOFT, STIFF)
    loads = [FiniteLoad(F={"xx": 1.3, "xy": 0.3}), FiniteLoad()]
    march = March(body, Path.of(loads, increments=2), tolerance=1e-8)
    points = list(march.points())
    assert all(point.status == "converged" for point in points)
    assert abs(points[1].mean_stress).max() > 0.1
    assert abs(march.result().stress).max() < 1e-6
