import numpy as np
import pytest

from fftmech.discretization import SCHEMES
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.results.metrics import (
    NORMALISATIONS,
    divergence_norm,
    incompatibility_norm,
    mean_nrmse,
    nrmse,
    skill,
    tail,
    tensor_nrmse,
    uniform_field,
    varying,
)
from fftmech.tensors.fields import energy_density, hydrostatic, von_mises

GRID = Grid((8, 9, 5), (0.5, 1.0, 2.0))
ONE_POINT = [name for name, scheme in SCHEMES.items() if scheme.points == 1]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# nRMSE


def test_nrmse_divides_the_error_by_the_named_scale_of_each_component():
    x = np.arange(8.0).reshape(2, 2, 2)  # std sqrt(21/4), range 7, rms sqrt(35/2)
    reference = np.stack([x, 10 * x])
    prediction = reference + np.array([2.0, -5.0]).reshape(2, 1, 1, 1)
    for name, scale in (("std", 5.25**0.5), ("range", 7), ("norm", 17.5**0.5)):
        found = nrmse(prediction, reference, name)
        assert found == pytest.approx([2 / scale, 5 / (10 * scale)])


def test_nrmse_of_the_mean_by_std_and_of_zero_by_norm_are_one():
    r = noise(6, 4, 4, 4) + 3
    assert nrmse(r.mean(axis=(1, 2, 3), keepdims=True) + 0 * r, r) == pytest.approx(1)
    assert nrmse(0 * r, r, "norm") == pytest.approx(1)


def test_nrmse_against_a_uniform_reference_is_zero_or_infinite_never_nan():
    reference = np.full((6, 4, 4, 4), 0.1)
    reference[5] = 0.0
    wrong = reference + 1e-3 * noise(6, 4, 4, 4)
    for name in ("std", "range"):
        # 0.1 - <0.1> is not exactly zero: rounding counts as uniform
        assert (nrmse(reference * (1 + 1e-15), reference, name) == 0).all()
        assert np.isinf(nrmse(wrong, reference, name)).all()
    assert np.isfinite(nrmse(wrong, reference, "norm")[:5]).all()
    assert np.isinf(nrmse(wrong, reference, "norm")[5])


def test_what_a_solver_leaves_of_a_uniform_component_is_no_scale():
    r = noise(6, 4, 4, 4)
    r[3:] = 1e-6 * noise(3, 4, 4, 4) + np.array([0, 0, 0.1]).reshape(3, 1, 1, 1)
    p = r + 0.1 * noise(6, 4, 4, 4, seed=1)
    assert (varying(r) == [True] * 3 + [False] * 3).all()
    assert np.isinf(nrmse(p, r)[3:]).all() and (nrmse(r + 1e-6, r)[3:] == 0).all()
    assert mean_nrmse(p, r) == nrmse(p, r)[:3].mean()
    flat = np.ones((6, 4, 4, 4))
    assert mean_nrmse(flat, flat) == 0 and mean_nrmse(p, flat) == np.inf


def test_no_uniform_field_is_better_than_the_mean_of_the_voxels_that_count():
    r, mask = noise(6, 4, 4, 4) + 3, noise(4, 4, 4, seed=3) > 0
    best = uniform_field(r, mask)
    assert (best == best[..., :1, :1, :1]).all()
    assert nrmse(best, r, "std", mask) == pytest.approx(1)
    for other in (best + 0.01, best - 0.01, uniform_field(r)):
        assert (nrmse(other, r, "std", mask) > 1).all()


def test_skill_is_the_part_of_the_uniform_error_that_is_gone():
    assert (skill(0.0, 0.3), skill(0.3, 0.3), skill(0.6, 0.3)) == (1, 0, -1)
    assert skill(None, 0.3) is skill(0.1, None) is skill(0.1, 0.0) is None
    assert skill(np.inf, 0.3) is None


def test_nrmse_with_a_mask_sees_no_voxel_outside_it():
    r, mask = noise(6, 4, 4, 4), noise(4, 4, 4, seed=3) > 0
    p = r + 0.1
    spoilt = np.where(mask, p, 1e9)
    for name in NORMALISATIONS:
        assert np.array_equal(nrmse(spoilt, r, name, mask), nrmse(p, r, name, mask))
    assert nrmse(spoilt, r, "std", mask)[0] == pytest.approx(0.1 / r[0][mask].std())


def test_tensor_nrmse_by_std_and_norm_does_not_depend_on_the_axes():
    from fftmech.tensors import mandel_rotation, matrix_from_quaternion

    q = noise(4)
    Q = mandel_rotation(matrix_from_quaternion(q / np.linalg.norm(q)))
    r, e = noise(6, 4, 4, 4) + 1, 0.1 * noise(6, 4, 4, 4, seed=5)
    turn = lambda f: np.einsum("mn,nxyz->mxyz", Q, f)  # noqa: E731
    for name in ("std", "norm"):
        expected = tensor_nrmse(r + e, r, name)
        assert tensor_nrmse(turn(r + e), turn(r), name) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones((6, 2, 2, 2)), np.ones((6, 2, 2, 1))), "(6, 2, 2, 1)"),
        ((np.ones((6, 2, 2, 2)), np.ones((6, 2, 2, 2)), "max"), "std, range, norm"),
        (
            (*[np.ones((6, 2, 2, 2))] * 2, "std", np.zeros((2, 2, 2), bool)),
            "at least one voxel",
        ),
    ],
)
def test_nrmse_refuses_bad_input_in_one_line(arguments, words):
    with pytest.raises(InputError) as error:
        nrmse(*arguments)
    assert words in str(error.value) and "\n" not in str(error.value)


# equilibrium and compatibility


@pytest.mark.parametrize("name", ONE_POINT)
def test_a_stress_function_has_no_divergence_in_its_scheme_and_some_in_another(name):
    stress = SCHEMES[name].stress_function(noise(6, *GRID.shape), GRID)[0]
    assert divergence_norm(stress, GRID, name).relative < 1e-13
    other = "forward" if name != "forward" else "rotated"
    assert divergence_norm(stress, GRID, other).relative > 0.05


@pytest.mark.parametrize("name", SCHEMES)
def test_divergence_is_at_most_the_gradient_and_a_uniform_stress_has_none(name):
    found = divergence_norm(noise(6, *GRID.shape), GRID, name)
    assert 0.1 < found.relative < 1
    uniform = np.ones((6, *GRID.shape)) * noise(6, 1, 1, 1)
    assert divergence_norm(uniform, GRID, name).relative == 0


def test_a_plane_wave_of_stress_has_the_divergence_of_calculus():
    # s_xx = sin(2 pi x / L): div = 2 pi / L cos, rms 2 pi / (L sqrt 2), all of grad s
    x, _, _ = GRID.centers()
    L = GRID.size[0]
    stress = np.zeros((6, *GRID.shape))
    stress[0] = np.sin(2 * np.pi * x / L)
    found = divergence_norm(stress, GRID, "fourier")
    assert found.absolute == pytest.approx(2 * np.pi / L / 2**0.5)
    assert found.relative == pytest.approx(1)
    # s_xy of the same wave (Mandel sqrt 2) pushes along y; half of |grad s|^2 is s_yx
    stress[5], stress[0] = 2**0.5 * stress[0], 0.0
    found = divergence_norm(stress, GRID, "fourier")
    assert found.absolute == pytest.approx(2 * np.pi / L / 2**0.5)
    assert found.relative == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("name", ONE_POINT)
def test_the_strain_of_a_displacement_is_compatible_in_its_scheme_alone(name):
    strain = SCHEMES[name].strain(noise(3, *GRID.shape), GRID)[0]
    assert incompatibility_norm(strain, GRID, name).relative < 1e-13
    other = "forward" if name != "forward" else "rotated"
    assert incompatibility_norm(strain, GRID, other).relative > 0.02


@pytest.mark.parametrize("name", ONE_POINT)
def test_any_strain_is_at_most_wholly_incompatible(name):
    assert 0.1 < incompatibility_norm(noise(6, *GRID.shape), GRID, name).relative < 1


def test_a_plane_wave_of_strain_has_the_incompatibility_of_calculus():
    # e_yy = sin(k x): inc has e_yy,xx in zz alone, all of the second differences
    x, _, _ = GRID.centers()
    k = 2 * np.pi / GRID.size[0]
    strain = np.zeros((6, *GRID.shape))
    strain[1] = np.sin(k * x)
    found = incompatibility_norm(strain, GRID, "fourier")
    assert found.absolute == pytest.approx(k**2 / 2**0.5)
    assert found.relative == pytest.approx(1)


def test_a_wave_across_its_own_strain_is_wholly_incompatible_in_any_direction():
    # e_zz = sin(k.x), k in the xy plane: |inc| = |k|^2 |e| = |second differences|
    x, y, _ = GRID.centers()
    kx, ky = 2 * np.pi / GRID.size[0], 4 * np.pi / GRID.size[1]
    strain = np.zeros((6, *GRID.shape))
    strain[2] = np.sin(kx * x + ky * y)
    found = incompatibility_norm(strain, GRID, "fourier")
    assert found.absolute == pytest.approx((kx**2 + ky**2) / 2**0.5)
    assert found.relative == pytest.approx(1)


def test_hex8_has_no_compatibility_and_fields_off_the_grid_are_refused():
    with pytest.raises(InputError, match="hex8"):
        incompatibility_norm(np.ones((6, *GRID.shape)), GRID, "hex8")
    with pytest.raises(InputError, match="stress of shape"):
        divergence_norm(np.ones((6, 3, 3, 3)), GRID, "rotated")


# scalars of a tensor and their distribution


def test_von_mises_of_tension_and_of_shear_are_sigma_and_root_three_tau():
    stress = np.zeros((6, 1, 1, 2))
    stress[2, ..., 0] = -5.0
    stress[3, ..., 1] = 2**0.5 * 2.0
    assert von_mises(stress).ravel() == pytest.approx([5, 3**0.5 * 2])
    assert hydrostatic(stress).ravel() == pytest.approx([-5 / 3, 0])
    pressure = np.ones((6, 1, 1, 1)) * np.array([1, 1, 1, 0, 0, 0]).reshape(6, 1, 1, 1)
    assert von_mises(pressure).item() == pytest.approx(0, abs=1e-15)


def test_energy_density_counts_each_shear_twice():
    from fftmech.tensors import mandel_from_components

    strain = mandel_from_components(np.array([1e-3, 0, 0, 2e-3, 0, 0]))
    stress = mandel_from_components(np.array([3.0, 1, 1, 5, 0, 0]))
    shape = (6, 1, 1, 1)
    found = energy_density(strain.reshape(shape), stress.reshape(shape))
    assert found.item() == pytest.approx((1e-3 * 3 + 2 * 2e-3 * 5) / 2)


def test_tail_of_a_ramp_is_its_quantiles():
    density = np.arange(1001.0)[np.random.default_rng(0).permutation(1001)]
    assert tail(density) == pytest.approx([500, 900, 990, 999, 1000])
