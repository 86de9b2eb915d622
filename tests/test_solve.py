"""Laws of a solve, for every scheme and solver."""

import numpy as np
import pytest
from conftest import EMPTY, SOFT, STIFF, grains, sphere

from fftmech import (
    SOLVERS,
    Grid,
    InputError,
    Load,
    Microstructure,
    discretization,
    solve,
)
from fftmech.arrays.backend import cpu_backend
from fftmech.materials import isotropic
from fftmech.materials.plasticity import Plasticity
from fftmech.problems.linear import Problem
from fftmech.solvers import get_solver
from fftmech.solvers.iteration import iterate
from fftmech.tensors import J, K, mandel_from_components

pytestmark = pytest.mark.usefixtures("kernels")

TENSION = Load.uniaxial("zz", 1e-3)
SHEAR = Load(strain={"xx": 1e-3, "xy": -5e-4})
PRESSURE = {"xx": 1.0, "yy": 1.0, "zz": 1.0}


def _close(a, b, tolerance):
    assert abs(a - b).max() <= tolerance * abs(b).max()


def test_homogeneous_body_is_solved_in_at_most_one_iteration(scheme, solver):
    body = Microstructure(Grid((4, 5, 6)), np.zeros((4, 5, 6), int), [STIFF])
    for load in (SHEAR, TENSION):
        result = solve(body, load, scheme=scheme, solver=solver, tolerance=1e-12)
        assert result.converged and result.iterations <= 1
        _close(result.strain, result.mean_strain[:, None, None, None], 1e-12)


def test_uniaxial_tension_of_a_homogeneous_body_gives_youngs_modulus(scheme):
    body = Microstructure(Grid((4, 5, 6)), np.zeros((4, 5, 6), int), [STIFF])
    result = solve(body, TENSION, scheme=scheme)
    np.testing.assert_allclose(result.mean_stress[2], 10.0 * 1e-3, rtol=1e-10)
    np.testing.assert_allclose(result.mean_strain[:2], -0.2 * 1e-3, rtol=1e-10)


@pytest.mark.parametrize("load", [SHEAR, TENSION], ids=["strain", "mixed"])
def test_every_solver_agrees_with_conjugate_gradients(scheme, solver, load):
    body = sphere(8, SOFT, STIFF)
    options = dict(scheme=scheme, tolerance=1e-8)
    expected = solve(body, load, **options)
    result = solve(body, load, solver=solver, **options)
    assert expected.converged and result.converged
    _close(result.stress, expected.stress, 1e-6)
    _close(result.strain, expected.strain, 1e-6)


@pytest.mark.parametrize("solver", sorted({*SOLVERS} - {"dual"}))
@pytest.mark.parametrize("load", [SHEAR, TENSION], ids=["strain", "mixed"])
def test_every_solver_of_the_strain_agrees_on_a_true_pore(solver, load):
    body = sphere(8, SOFT, EMPTY)
    result = solve(body, load, solver=solver, tolerance=1e-7)
    expected = solve(body, load, tolerance=1e-8)
    assert result.converged
    _close(result.stress, expected.stress, 1e-5)


def test_result_does_not_depend_on_the_reference_medium(scheme):
    body = sphere(8, SOFT, STIFF)
    options = dict(scheme=scheme, tolerance=1e-9)
    a = solve(body, SHEAR, reference=(1.0, 1.0), **options)
    b = solve(body, SHEAR, reference=(30.0, 2.0), **options)
    _close(a.stress, b.stress, 1e-7)


def test_result_does_not_depend_on_the_solved_precision(scheme):
    body = sphere(8, SOFT, STIFF)
    single = solve(body, SHEAR, scheme=scheme, tolerance=1e-5, precision="single")
    double = solve(body, SHEAR, scheme=scheme, tolerance=1e-8)
    assert single.converged and single.stress.dtype == np.float32
    _close(single.stress, double.stress, 1e-4)


def test_hill_mandel_energy_of_the_means_is_the_mean_energy(scheme):
    for body in (sphere(8, SOFT, STIFF), grains((6, 5, 4))):
        for load in (SHEAR, TENSION):
            result = solve(body, load, scheme=scheme, tolerance=1e-10)
            macro = 0.5 * result.mean_stress @ result.mean_strain
            assert result.energy == pytest.approx(macro, rel=1e-8)


def test_energy_density_is_averaged_over_integration_points(scheme):
    body = sphere(6, SOFT, STIFF).with_changes(
        eigenstrain=np.array([[1e-4, 0, 0, 0, 0, 0], [0, 2e-4, 0, 0, 0, 0]])
    )
    result = solve(body, SHEAR, scheme=scheme, tolerance=1e-9)
    e0 = np.moveaxis(body.eigenstrain[body.phase], -1, 0)
    of_means = 0.5 * ((result.strain - e0) * result.stress).sum(axis=0)
    if discretization(scheme).points == 1:
        _close(result.energy_density, of_means, 1e-12)
    else:  # by convexity, an average energy is above the energy of the average
        assert (result.energy_density >= of_means - 1e-15).all()
        assert result.energy > 1.001 * of_means.mean()


def test_prescribed_means_are_met_exactly(scheme):
    body = grains((6, 5, 4))
    load = Load(strain={"xx": 2e-3, "yz": 1e-4}, stress={"yy": 0.3, "xy": -0.1})
    result = solve(body, load, scheme=scheme, tolerance=1e-9)
    free = load.free
    np.testing.assert_array_equal(result.mean_strain[~free], load.mean_strain[~free])
    voxels = result.strain.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(voxels, result.mean_strain, atol=1e-16)
    error = abs(result.mean_stress - load.mean_stress)[free].max()
    assert error < 1e-8 * abs(result.mean_stress).max()


def test_solved_stress_is_equilibrated_in_its_own_scheme(scheme):
    body = sphere(8, SOFT, STIFF)
    d, grid = discretization(scheme), body.grid
    problem = Problem(body, SHEAR, d, cpu_backend())
    v, status, *_ = iterate(problem, get_solver("cg"), problem.zeros(), 1e-10)
    stress = problem.stress(problem.strain(v))  # at integration points
    gradient = d.gradient(stress, grid)
    divergence = d.divergence(stress, grid)
    assert status == "converged"
    assert (divergence**2).sum() ** 0.5 < 1e-8 * (gradient**2).sum() ** 0.5


def _permuted(body, axes):
    """The body with its axes renamed; new axis a is old axis axes[a]."""
    return Microstructure(
        Grid(tuple(body.grid.shape[a] for a in axes)),
        body.phase.transpose(axes),
        body.stiffness,
    )


@pytest.mark.parametrize("axes", [(1, 2, 0), (1, 0, 2)], ids=str)
def test_permuting_the_axes_permutes_the_field(scheme, axes, rng):
    phase = rng.integers(0, 2, (4, 5, 6))
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, STIFF]))
    strain = np.array([[3.0, 0.4, 0.2], [0.4, -1.0, 0.6], [0.2, 0.6, 0.5]]) * 1e-3
    pairs = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))

    def vector(m):
        return mandel_from_components([m[i, j] for i, j in pairs])

    moved = strain[np.ix_(axes, axes)]
    options = dict(scheme=scheme, tolerance=1e-10)
    a = solve(body, Load.from_mandel(vector(strain)), **options)
    b = solve(_permuted(body, axes), Load.from_mandel(vector(moved)), **options)
    order = [pairs.index(tuple(sorted((axes[i], axes[j])))) for i, j in pairs]
    _close(b.stress, a.stress[order].transpose(0, *(1 + x for x in axes)), 1e-7)


def test_translating_the_microstructure_translates_the_field(scheme, rng):
    phase = rng.integers(0, 2, (4, 5, 6))
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, STIFF]))
    shift = dict(shift=(1, 3, 2), axis=(-3, -2, -1))
    moved = body.with_changes(phase=np.roll(phase, **shift))
    options = dict(scheme=scheme, tolerance=1e-10)
    a, b = solve(body, SHEAR, **options), solve(moved, SHEAR, **options)
    _close(b.stress, np.roll(a.stress, **shift), 1e-8)


def test_swapping_phase_ids_changes_nothing(scheme, rng):
    phase = rng.integers(0, 2, (4, 5, 6))
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, STIFF]))
    swapped = body.with_changes(phase=1 - phase, stiffness=np.array([STIFF, SOFT]))
    a, b = (solve(m, SHEAR, scheme=scheme, tolerance=1e-10) for m in (body, swapped))
    _close(b.stress, a.stress, 1e-8)


def test_voxelwise_stiffness_and_phase_table_are_the_same_problem(rng):
    shape = (16, 16, 16)  # enough voxels for the path of one matrix a voxel
    body = grains(shape, count=7)
    every = body.with_changes(
        phase=np.arange(body.grid.voxels).reshape(shape),
        stiffness=body.stiffness[body.phase.ravel()],
        orientation=None,
    )
    a, b = solve(body, SHEAR), solve(every, SHEAR)
    assert a.iterations == b.iterations
    _close(b.stress, a.stress, 1e-10)


def test_two_dimensional_grid_is_a_prism(scheme, rng):
    flat = rng.integers(0, 2, (5, 7, 1))
    C = np.array([SOFT, STIFF])
    spacing = (0.2, 0.2, 0.2)
    a = solve(Microstructure(Grid((5, 7, 1), spacing), flat, C), SHEAR, scheme=scheme)
    thick = np.repeat(flat, 3, axis=2)
    b = solve(Microstructure(Grid((5, 7, 3), spacing), thick, C), SHEAR, scheme=scheme)
    _close(b.stress, np.repeat(a.stress, 3, axis=3), 1e-6)


def test_free_thermal_expansion_of_a_homogeneous_body_is_stress_free(scheme, solver):
    body = Microstructure(
        Grid((4, 3, 2)),
        np.zeros((4, 3, 2), int),
        [STIFF],
        thermal_expansion=[[1e-5, 2e-5, 3e-5, 0, 0, 0]],
    )
    result = solve(body, FREE, scheme=scheme, solver=solver, temperature=100.0)
    assert result.converged
    np.testing.assert_allclose(result.mean_strain[:3], [1e-3, 2e-3, 3e-3], rtol=1e-5)
    assert abs(result.stress).max() < 1e-5 * 10 * 3e-3


def test_clamped_thermal_expansion_gives_minus_c_times_alpha(scheme):
    body = Microstructure(
        Grid((4, 3, 2)),
        np.zeros((4, 3, 2), int),
        [STIFF],
        eigenstrain=[[1e-3, 1e-3, 1e-3, 0, 0, 0]],
    )
    result = solve(body, Load(strain={"xx": 0.0}), scheme=scheme)
    bulk = 10 / (3 * (1 - 2 * 0.2))
    np.testing.assert_allclose(result.mean_stress[:3], -3 * bulk * 1e-3, rtol=1e-12)


FREE = Load(stress={c: 0.0 for c in ("xx", "yy", "zz", "yz", "xz", "xy")})


def test_free_expansion_is_the_stress_weighted_mean_of_expansions(scheme, solver):
    # Levin 1967: tr E_free = <tr(s) alpha>, s the field under a mean stress of unity
    body, alpha = sphere(8, SOFT, STIFF), np.array([1e-5, 4e-5])
    body = body.with_changes(thermal_expansion=np.outer(alpha, [1, 1, 1, 0, 0, 0]))
    options = dict(scheme=scheme, solver=solver, tolerance=1e-9)
    free = solve(body, FREE, temperature=1.0, **options)
    pressed = solve(body, Load(stress={**FREE.stress, **PRESSURE}), **options)
    assert free.converged and pressed.converged
    expected = (pressed.stress[:3].sum(axis=0) * alpha[body.phase]).mean()
    assert free.mean_strain[:3].sum() == pytest.approx(expected, rel=1e-6)


def test_initial_guess_at_the_solution_needs_no_iteration(scheme):
    body = grains((6, 5, 4))
    first = solve(body, TENSION, scheme=scheme, tolerance=1e-8)
    again = solve(body, TENSION, scheme=scheme, tolerance=1e-6, initial=first)
    if scheme == "fourier":  # its Nyquist strains are no part of a displacement
        assert again.iterations < first.iterations
    else:
        assert again.iterations == 0
    _close(again.stress, first.stress, 1e-5)


def test_initial_guess_does_not_change_the_result(scheme, rng):
    body = grains((6, 5, 4))
    options = dict(scheme=scheme, tolerance=1e-9)
    expected = solve(body, SHEAR, **options)
    noise = 1e-3 * rng.normal(size=(3, 6, 5, 4))
    result = solve(body, SHEAR, initial=noise, **options)
    _close(result.stress, expected.stress, 1e-7)


def test_capped_solve_reports_failure_and_still_gives_fields(scheme, solver):
    body = sphere(8, SOFT, STIFF)
    result = solve(body, SHEAR, scheme=scheme, solver=solver, max_iterations=2)
    assert result.status == "max_iterations" and not result.converged
    assert result.iterations == 2 and len(result.residuals) == 3
    assert result.advice
    assert np.isfinite(result.stress).all() and result.stress.any()


def test_tolerance_beyond_single_precision_is_refused_and_the_default_attained():
    body = sphere(8, SOFT, STIFF)
    with pytest.raises(InputError, match="at least 1e-05.*--precision double"):
        solve(body, SHEAR, tolerance=1e-6, precision="single")
    result = solve(body, SHEAR, precision="single")
    assert result.converged and result.tolerance == 1e-5


@pytest.mark.parametrize("solver", sorted({*SOLVERS} - {"dual"}))
def test_residual_reported_is_that_of_the_returned_fields(solver):
    body = sphere(8, SOFT, STIFF)
    result = solve(body, SHEAR, solver=solver, tolerance=1e-7)
    again = solve(body, SHEAR, solver="cg", tolerance=1e-7, initial=result)
    assert again.residuals[0] == pytest.approx(result.residual, rel=1e-6)


def test_basic_scheme_iterations_grow_in_proportion_to_the_contrast(rng):
    # Moulinec & Suquet: contraction (kappa - 1)/(kappa + 1), kappa the contrast
    counts = []
    phase = rng.random((9, 9, 9)) < 0.5
    for contrast in (5.0, 20.0, 80.0):
        C = np.array([isotropic(E=1, nu=0.3), isotropic(E=contrast, nu=0.3)])
        body = Microstructure(Grid(phase.shape), phase, C)
        result = solve(body, SHEAR, solver="basic", scheme="fourier")
        assert result.converged
        rate = (contrast - 1) / (contrast + 1)
        assert result.iterations <= np.log(1e-6) / np.log(rate) + 1
        counts.append(result.iterations)
    assert 3 < counts[1] / counts[0] < 5 and 3 < counts[2] / counts[1] < 5


def test_polarization_iterations_grow_with_the_root_of_the_contrast(rng):
    # Eyre & Milton 1999
    counts = []
    phase = rng.random((9, 9, 9)) < 0.5
    for contrast in (4.0, 16.0):
        C = np.array([isotropic(E=1, nu=0.3), isotropic(E=contrast, nu=0.3)])
        body = Microstructure(Grid(phase.shape), phase, C)
        result = solve(body, SHEAR, solver="polarization", scheme="fourier")
        assert result.converged
        counts.append(result.iterations)
    assert counts[1] / counts[0] < 2.6


def test_rigid_like_inclusions_are_solved(scheme):
    body = sphere(8, SOFT, 1e6 * SOFT)
    result = solve(body, SHEAR, scheme=scheme, tolerance=1e-8)
    assert result.converged
    inside = abs(result.strain[:, body.phase == 1]).max()
    assert inside < 1e-4 * abs(result.mean_strain).max()


def test_stress_vanishes_in_a_pore():
    body = sphere(12, SOFT, EMPTY)
    for scheme in ("rotated", "hex8"):
        result = solve(body, TENSION, scheme=scheme)
        assert result.converged
        assert not result.stress[:, body.phase == 1].any()


def test_polycrystal_under_hydrostatic_strain_is_uniform(scheme):
    # Hill 1952: K = (C11 + 2 C12) / 3, whatever the orientations
    load = Load(strain=dict(xx=1e-3, yy=1e-3, zz=1e-3))
    result = solve(grains((6, 5, 4)), load, scheme=scheme, tolerance=1e-10)
    bulk = (204.6 + 2 * 137.7) / 3
    expected = 3e-3 * bulk * np.array([1, 1, 1, 0, 0, 0.0])
    _close(result.stress, expected[:, None, None, None], 1e-9)


def test_stress_control_is_refused_where_pores_cut_the_solid():
    phase = np.zeros((4, 6, 6), int)
    phase[0] = 1
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, EMPTY]))
    with pytest.raises(InputError, match="stress xx .*pores separate.*along x"):
        solve(body, Load(stress={"xx": 1.0}))
    assert solve(body, Load(strain={"xx": 1.0}, stress={"yy": 0.0})).converged


def test_stress_control_of_an_open_foam_is_solved():
    # the pore percolates, and so does the solid
    phase = np.zeros((8, 8, 8), int)
    for axis in range(3):
        channel = [slice(2, 5)] * 3
        channel[axis] = slice(None)
        phase[tuple(channel)] = 1
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, EMPTY]))
    result = solve(body, Load(stress={"xx": 1e-3, "yy": 0.0, "zz": 0.0}))
    assert result.converged
    assert result.mean_stress[0] == pytest.approx(1e-3, rel=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(tolerance=0.0), r"tolerance 0\.0: expected a number in \(0, 1\)"),
        (
            dict(max_iterations=0),
            "max_iterations 0: expected a whole number, at least 1",
        ),
        (dict(max_iterations=2.5), "max_iterations 2.5: expected a whole number"),
        (dict(max_iterations=True), "max_iterations True: expected a whole number"),
        (dict(tolerance="1e-6"), "tolerance '1e-6': expected a number"),
        (dict(tolerance=float("nan")), "tolerance nan: expected a number"),
        (dict(reference=(1.0,)), "expected two positive moduli"),
        (dict(reference=3.0), "expected two positive moduli"),
        (dict(temperature=5.0), "no phase expands; add thermal_expansion"),
        (dict(temperature=float("nan")), "temperature nan: expected a finite"),
        (dict(precision="half"), "'half': expected double or single"),
        (dict(scheme="spectral"), "scheme 'spectral': expected one of"),
        (dict(solver="gmres"), "solver 'gmres': expected one of"),
        (dict(reference=(1.0, -1.0)), "expected two positive moduli"),
        (dict(initial=np.zeros((3, 2, 2, 2))), "initial displacement of shape"),
        (dict(initial=np.zeros((3, 4, 4, 4), complex)), "complex128: expected real"),
        (dict(temperature="5"), "temperature '5': expected a finite"),
        (dict(boundary="x"), "boundary 'x': expected fftmech.Boundary"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(InputError, match=message):
        solve(sphere(4, SOFT, STIFF), SHEAR, **options)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(phase=np.ma.masked_equal(np.eye(3, dtype=int)[None], 1)), "masked"),
        (dict(stiffness=[SOFT, STIFF * 1j]), "type complex128: expected real"),
        (dict(eigenstrain=[["x"] * 6] * 2), "eigenstrain of type <U1: expected real"),
        (dict(eigenstrain=[[0.0] * 6, [0.0]]), "rows of different lengths"),
        (dict(stiffness=np.ma.masked_equal([SOFT, STIFF], SOFT[0, 0])), "masked"),
        (dict(law={"0": Plasticity(1.0)}), "of phase '0': expected a law of a phase"),
        (dict(law={0: 1.0}), "law 1.0 of phase 0: expected a law"),
        (dict(law=[Plasticity(1.0)]), "expected laws by phase id"),
    ],
)
def test_bodies_refuse_what_is_no_table_of_numbers(changes, message):
    given = dict(grid=Grid((1, 3, 3)), phase=np.eye(3, dtype=int)[None])
    with pytest.raises(InputError, match=message):
        Microstructure(**{**given, **changes})


def test_a_phase_map_may_be_any_array_of_whole_numbers_or_a_list(rng):
    phase = rng.integers(0, 2, (3, 4, 5))
    wide = np.repeat(phase, 2, axis=1)
    for same in (
        *(phase.tolist(), phase.astype(">i4"), phase.astype(float), phase == 1),
        *(np.asfortranarray(phase), wide[:, ::2], phase[::-1].copy()[::-1]),
    ):
        found = Microstructure(Grid((3, 4, 5)), same).phase
        np.testing.assert_array_equal(found, phase)
        assert found.dtype == np.uint8 and found.flags.c_contiguous


def test_load_refuses_what_cannot_be_meant():
    with pytest.raises(InputError, match="xx=True: expected a finite number"):
        Load(strain={"xx": True})
    with pytest.raises(InputError, match="component 'zx': expected one of"):
        Load(strain={"zx": 1.0})
    with pytest.raises(InputError, match="strain yy and stress yy are both"):
        Load(strain={"yy": 1.0}, stress={"yy": 0.0})
    with pytest.raises(InputError, match="xx=nan: expected a finite number"):
        Load(stress={"xx": float("nan")})
    with pytest.raises(InputError, match="strain 0.001: expected values by component"):
        Load(strain=1e-3)
    with pytest.raises(InputError, match="xx='1': expected a finite number"):
        Load(strain={"xx": "1"})
    with pytest.raises(InputError, match=r"load \{'xx': 1\}: expected fftmech.Load"):
        solve(sphere(4, SOFT, STIFF), {"xx": 1})


def test_grid_refuses_what_is_not_three_numbers():
    for shape in (32, (4, 4), (4, 4, 0), (4, 4, 2.5)):
        with pytest.raises(InputError, match="expected three axes"):
            Grid(shape)
    for spacing in (0.1, (0.1, 0.1), (0.1, 0.1, -0.1), (0.1, 0.1, float("nan"))):
        with pytest.raises(InputError, match="expected three positive lengths"):
            Grid((2, 2, 2), spacing)


def test_mechanism_of_the_solid_is_not_blamed_on_rounding():
    # a fibre along x and one along y, apart: each axis is connected, shear is not
    phase = np.ones((8, 8, 8), int)
    phase[:, 1:3, 1:3] = 0
    phase[1:3, :, 5:7] = 0
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, EMPTY]))
    result = solve(body, Load(stress={"xy": 1.0}))
    assert not result.converged and "mechanism" in result.advice


def test_isotropic_projectors_split_the_identity():
    np.testing.assert_allclose(J @ K, 0, atol=1e-16)
    np.testing.assert_allclose(J + K, np.eye(6))


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("size", [1e160, 1e300])
def test_load_that_overflows_is_not_called_converged(size):
    result = solve(sphere(4, SOFT, STIFF), Load(strain={"xx": size}))
    assert result.status == "diverged" and "units" in result.advice
