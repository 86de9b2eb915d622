import numpy as np
import pytest
from degenerate_bodies import LOADS, SOLID

from fftmech import Load
from fftmech.errors import InputError
from fftmech.materials.elastic import PORE, cubic, isotropic
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness
from fftmech.tensors.bounds import (
    bounds,
    hashin_shtrikman,
    is_isotropic,
    reuss,
    uniform_error,
    voigt,
)


def moduli(C):
    return C[:3, :3].sum() / 9, C[3, 3] / 2


def below(A, B):
    return np.linalg.eigvalsh(B - A)[0] >= -1e-12 * np.abs(B).max()


def test_voigt_and_reuss_of_isotropic_phases_average_moduli_and_their_inverses():
    C = np.stack([isotropic(K=10, G=4), isotropic(K=2, G=1)])
    f = np.array([0.25, 0.75])
    assert moduli(voigt(C, f)) == pytest.approx((4, 1.75))
    assert moduli(reuss(C, f)) == pytest.approx((1 / (0.4), 1 / (0.25 / 4 + 0.75)))


def test_three_phases_have_the_bounds_of_the_rock_physics_handbook():
    # Mavko, Mukerji & Dvorkin, The Rock Physics Handbook, section 4.1: porosity 27 %
    # of water (K = 2.2), solid of 80 % quartz (36, 45) and 20 % calcite (75, 31)
    fractions = [0.27, 0.73 * 0.8, 0.73 * 0.2]
    found = hashin_shtrikman([2.2, 36, 75], [0, 45, 31], fractions)
    assert found["K"] == pytest.approx((7.10, 26.9), abs=0.05)
    assert found["G"] == pytest.approx((0, 24.6), abs=0.05)


def test_two_phases_have_the_bounds_in_hashin_and_shtrikmans_own_form():
    # Hashin & Shtrikman 1963, eqs. 3.21 to 3.24, phase 2 the stiffer
    (K1, G1), (K2, G2), c2 = (1.0, 0.5), (20.0, 9.0), 0.3
    c1 = 1 - c2
    K_low = K1 + c2 / (1 / (K2 - K1) + 3 * c1 / (3 * K1 + 4 * G1))
    K_up = K2 + c1 / (1 / (K1 - K2) + 3 * c2 / (3 * K2 + 4 * G2))
    G_low = G1 + c2 / (
        1 / (G2 - G1) + 6 * (K1 + 2 * G1) * c1 / (5 * G1 * (3 * K1 + 4 * G1))
    )
    G_up = G2 + c1 / (
        1 / (G1 - G2) + 6 * (K2 + 2 * G2) * c2 / (5 * G2 * (3 * K2 + 4 * G2))
    )
    found = hashin_shtrikman([K1, K2], [G1, G2], [c1, c2])
    assert found["K"] == pytest.approx((K_low, K_up))
    assert found["G"] == pytest.approx((G_low, G_up))


def test_equal_shear_moduli_close_the_bounds_at_hills_exact_bulk_modulus():
    # 22^3 of K = 20 in 30^3 of K = 1, G = 1 in both (Hill 1963)
    f = (22 / 30) ** 3
    K = hashin_shtrikman([20, 1], [1, 1], [f, 1 - f])["K"]
    assert pytest.approx((2.263250, 2.263250), abs=5e-7) == K


def test_bounds_nest_also_when_the_stiffest_in_bulk_is_the_softest_in_shear():
    rng = np.random.default_rng(1)
    for _ in range(50):
        bulk, shear = rng.lognormal(size=(2, 4))
        f = rng.dirichlet(np.ones(4))
        found = hashin_shtrikman(bulk, shear, f)
        for name, m in (("K", bulk), ("G", shear)):
            low, high = found[name]
            assert 1 / (f / m).sum() <= low * (1 + 1e-12)
            assert low <= high <= (f @ m) * (1 + 1e-12)


def test_a_pore_makes_every_lower_bound_zero_and_no_warning():
    C = np.stack([PORE, isotropic(K=70.2, G=29.0)])
    f = np.array([0.2, 0.8])
    with np.errstate(all="raise"):
        found = bounds(C, f)
    assert not found["reuss"].any()
    assert found["hashin_shtrikman"]["K"][0] == found["hashin_shtrikman"]["G"][0] == 0
    # a porous solid's upper bulk bound, K = 4 G K f / (4 G + 3 K (1 - f))
    K = 4 * 29 * 70.2 * 0.8 / (4 * 29 + 3 * 70.2 * 0.2)
    assert found["hashin_shtrikman"]["K"][1] == pytest.approx(K)


def test_polycrystal_reuss_is_below_voigt_and_has_no_isotropic_phase_bounds():
    rng = np.random.default_rng(2)
    q = rng.normal(size=(20, 4))
    R = matrix_from_quaternion(q / np.linalg.norm(q, axis=1, keepdims=True))
    C = rotate_stiffness(np.broadcast_to(cubic(170, 122.5, 75.8), (20, 6, 6)), R)
    found = bounds(C, np.full(20, 0.05))
    assert found["hashin_shtrikman"] is None
    assert below(found["reuss"], found["voigt"])
    assert not below(found["voigt"], found["reuss"])
    # the bulk modulus of a cubic polycrystal is exact
    for name in ("reuss", "voigt"):
        assert found[name][:3, :3].sum() / 9 == pytest.approx((170 + 2 * 122.5) / 3)


def test_unused_phases_do_not_count():
    C = np.stack([isotropic(K=10, G=4), np.full((6, 6), np.nan), isotropic(K=2, G=1)])
    full = bounds(C, np.array([0.5, 0.0, 0.5]))
    used = bounds(C[[0, 2]], np.array([0.5, 0.5]))
    assert np.array_equal(full["voigt"], used["voigt"])
    assert full["hashin_shtrikman"] == used["hashin_shtrikman"]
    # the table may be longer than the ids that occur
    assert np.array_equal(voigt(C, np.array([1.0])), C[0])


def test_isotropy_is_judged_by_distance():
    assert is_isotropic(isotropic(E=1, nu=0.3)) and is_isotropic(PORE)
    assert not is_isotropic(cubic(170, 122.5, 75.8))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: voigt(np.eye(6)[None], np.array([0.5])), "sum to 0.5"),
        (lambda: voigt(np.eye(6)[None], np.array([0.5, 0.5])), "(2, 6, 6)"),
        (lambda: voigt(np.full((1, 6, 6), np.nan), np.array([1.0])), "not finite"),
        (lambda: hashin_shtrikman([1, 2], [1], [0.5, 0.5]), "1 shear"),
        (lambda: hashin_shtrikman([1, -2], [1, 1], [0.5, 0.5]), "negative"),
    ],
)
def test_bad_phases_are_refused_in_one_line(call, words):
    with pytest.raises(InputError) as error:
        call()
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "load",
    [
        Load({"xx": 1e-3, "xy": 4e-4}),
        Load.uniaxial("zz", 1e-3),
        Load(stress=dict.fromkeys(("xx", "yy", "zz", "yz", "xz", "xy"), 1e-3)),
    ],
)
def test_no_uniform_pair_that_carries_the_load_has_a_smaller_gap(load):
    body = SOLID["nearly rigid fibre"].with_changes(
        stiffness=np.stack([isotropic(K=100, G=40), isotropic(K=300, G=200)])
    )
    C, f = body.stiffness, body.fractions
    S = np.linalg.inv(C)
    averages = [np.einsum("p,pmn->mn", f, table) for table in (C, S)]
    given = load.mean_strain, load.mean_stress, load.free
    least = uniform_error(*averages, given)
    assert 0.05 < least < 1
    rng = np.random.default_rng(0)
    found = []
    for size in (0, *[0.02] * 20):
        # the pair of the docstring by other means: Voigt and Reuss moduli
        E = np.where(load.free, 0, load.mean_strain)
        free, fixed = load.free, ~load.free
        V, R = voigt(C, f), np.linalg.inv(reuss(C, f))
        right = np.where(load.free, load.mean_stress, 0)
        E[free] = np.linalg.lstsq(V[:, free][free], (right - V @ E)[free])[0]
        T = right.copy()
        T[fixed] = np.linalg.lstsq(R[:, fixed][fixed], (E - R @ right)[fixed])[0]
        E[free] += size * abs(E).max() * rng.normal(size=free.sum())
        T[fixed] += size * abs(T).max() * rng.normal(size=fixed.sum())
        gap = size_of_pair = 0.0
        for stiffness, compliance, part in zip(C, S, f, strict=True):
            d = T - stiffness @ E
            gap += part * d @ compliance @ d
            size_of_pair += part * (E @ stiffness @ E + T @ compliance @ T)
        found.append(gap)
        if not size:
            assert np.sqrt(gap / size_of_pair) == pytest.approx(least)
    assert min(found[1:]) > found[0]


def test_uniform_fields_of_one_phase_and_of_no_load_have_no_error():
    C = isotropic(K=100, G=40)
    load = np.arange(1.0, 7), np.zeros(6), np.zeros(6, bool)
    assert uniform_error(C, np.linalg.inv(C), load) < 1e-7
    assert uniform_error(C, np.linalg.inv(C), (0 * load[0], *load[1:])) == 0


@pytest.mark.parametrize("name", SOLID)
def test_uniform_fields_of_every_body_and_load_have_an_error_below_one(name):
    body = SOLID[name]
    known = body.stiffness, body.fractions
    C, S = voigt(*known), np.linalg.inv(reuss(*known))
    for load in LOADS.values():
        error = uniform_error(C, S, (load.mean_strain, load.mean_stress, load.free))
        assert 0 <= error < 1
        if len(body.phases) == 1 or "equal" in name:
            assert error < 1e-6
