"""Hyperelastic laws at finite strain, their tangents and their kernels."""

import numpy as np
import pytest

from fftmech import Grid, InputError, Microstructure
from fftmech.kernels import law_neo_hooke, law_st_venant_kirchhoff
from fftmech.kernels.tile import BLOCK, CHUNK
from fftmech.materials import PORE, cubic, isotropic
from fftmech.materials.base import Material, StrainStep
from fftmech.materials.check import check_laws
from fftmech.materials.neo_hooke import NeoHooke, NeoHookeMaterial
from fftmech.materials.st_venant_kirchhoff import (
    StVenantKirchhoff,
    StVenantKirchhoffMaterial,
)
from fftmech.tensors import (
    mandel_from_matrix,
    matrix_from_mandel,
    matrix_from_quaternion,
    rotate_stiffness,
)

IDENTITY = np.eye(3).reshape(9, 1)
CRYSTAL = cubic(C11=204.6, C12=137.7, C44=126.2)
LAME, MU = 3.0, 2.0
ISOTROPIC = isotropic(K=LAME + 2 * MU / 3, G=MU)


def rotations(count, seed=1):
    q = np.random.default_rng(seed).normal(size=(count, 4))
    return matrix_from_quaternion(q)


def st_venant_kirchhoff(*stiffness):
    laws = [StVenantKirchhoff() for _ in stiffness]
    rotation = np.tile(np.eye(3), (len(laws), 1, 1))
    return StVenantKirchhoffMaterial(laws, np.array(stiffness), rotation)


def neo_hooke(*stiffness):
    laws = [NeoHooke() for _ in stiffness]
    rotation = np.tile(np.eye(3), (len(laws), 1, 1))
    return NeoHookeMaterial(laws, np.array(stiffness), rotation)


SEVERAL = {
    "st_venant_kirchhoff": st_venant_kirchhoff(
        *(rotate_stiffness(CRYSTAL, R) for R in rotations(3))
    ),
    "neo_hooke": neo_hooke(*(isotropic(E=E, nu=0.3) for E in (1.0, 4.0, 250.0))),
}
"""Three rows each."""
KERNELS = {
    "st_venant_kirchhoff": law_st_venant_kirchhoff,
    "neo_hooke": law_neo_hooke,
}
BOTH = [st_venant_kirchhoff, neo_hooke]


@pytest.fixture(params=SEVERAL)
def name(request):
    return request.param


@pytest.fixture
def material(name):
    return SEVERAL[name]


@pytest.fixture(params=BOTH, ids=lambda law: law.__name__)
def isotropic_law(request):
    return request.param(ISOTROPIC)


def deformed(rng, count=20, size=0.15):
    """F far from the identity and det F > 0, the row of each point."""
    F = IDENTITY + rng.uniform(-size, size, (9, count))
    return F, rng.integers(0, 3, count)


def answer(material, F, rows=None, precision=None):
    rows = np.zeros(F.shape[1], int) if rows is None else rows
    return material.respond(
        StrainStep(rows, F, F, np.zeros((0, len(rows))), 1.0, precision)
    )


def stress(material, F, rows=None):
    return answer(material, F, rows).stress


def matrices(a):
    """(n, 3, 3) of (9, n)."""
    return a.T.reshape(-1, 3, 3)


def by_rows(a):
    return np.asarray(a, float).reshape(-1, 9).T.copy()


def close(actual, expected, relative=1e-12):
    scale = abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=relative * scale)


@pytest.mark.parametrize("law", [StVenantKirchhoff, NeoHooke])
def test_what_holds_for_every_law(law):
    check_laws([law()] * 2, CRYSTAL if law is StVenantKirchhoff else ISOTROPIC, 0.1)


def test_tangent_is_symmetric(material, rng):
    F, rows = deformed(rng)
    a, b = rng.normal(size=(2, *F.shape))
    tangent = answer(material, F, rows, float).tangent
    close((a * tangent.apply(b)).sum(0), (b * tangent.apply(a)).sum(0))


def test_undeformed_law_is_linear_elasticity(material, rng):
    rows = np.arange(3)
    F, H = np.tile(IDENTITY, 3), rng.normal(size=(9, 3))
    response = answer(material, F, rows, float)
    assert abs(response.stress).max() <= 1e-14
    assert abs(material.energy(rows, F)).max() <= 1e-14
    h = matrices(H)
    strain = mandel_from_matrix((h + h.transpose(0, 2, 1)) / 2)
    linear = matrix_from_mandel(np.einsum("nij,nj->ni", material.stiffness, strain))
    close(response.tangent.apply(H), by_rows(linear), 1e-13)


def test_cauchy_stress_is_symmetric(material, rng):
    F, rows = deformed(rng)
    sigma = matrices(stress(material, F, rows)) @ matrices(F).transpose(0, 2, 1)
    close(sigma, sigma.transpose(0, 2, 1))


def test_isotropic_law_knows_no_direction(isotropic_law, rng):
    F, _ = deformed(rng)
    Q = rotations(1, seed=2)[0]
    P = stress(isotropic_law, F)
    close(stress(isotropic_law, by_rows(matrices(F) @ Q)), by_rows(matrices(P) @ Q))


@pytest.mark.parametrize(("angle", "same"), [(90, True), (45, False)])
def test_cubic_law_has_the_symmetry_of_its_crystal(angle, same, rng):
    material = st_venant_kirchhoff(CRYSTAL)
    F, _ = deformed(rng)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    Q = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    actual = stress(material, by_rows(matrices(F) @ Q))
    expected = by_rows(matrices(stress(material, F)) @ Q)
    assert (abs(actual - expected).max() <= 1e-12 * abs(expected).max()) == same


def cauchy(material, F):
    """Cauchy stress P F^T / det F, (3, 3), by the reference and by the kernel."""
    one = by_rows(F)
    P = stress(material, one)
    law = KERNELS[material.laws[0].name]
    kernel = law.respond(
        material, StrainStep(np.zeros(1, int), one, one, None, 1.0)
    ).stress
    close(kernel, P)
    return P.reshape(3, 3) @ F.T / np.linalg.det(F)


@pytest.mark.parametrize("stretch", [0.8, 1.5])
def test_cauchy_stress_of_a_stretch_has_its_closed_form(stretch):
    F = np.diag([stretch, 1.0, 1.0])
    E = (stretch**2 - 1) / 2
    S = np.array([(LAME + 2 * MU) * E, LAME * E, LAME * E])
    expected = np.diag(S * [stretch, 1 / stretch, 1 / stretch])
    close(cauchy(st_venant_kirchhoff(ISOTROPIC), F), expected)
    log = LAME * np.log(stretch)
    expected = np.diag([MU * (stretch**2 - 1) + log, log, log]) / stretch
    close(cauchy(neo_hooke(ISOTROPIC), F), expected)


@pytest.mark.parametrize("shear", [-0.3, 1.0])
def test_cauchy_stress_of_simple_shear_has_its_closed_form(shear):
    g = shear
    F = np.array([[1, g, 0], [0, 1, 0], [0, 0, 1.0]])
    # S = lambda g^2 / 2 1 + mu (g (e1 e2 + e2 e1) + g^2 e2 e2)
    a, b = LAME * g**2 / 2, MU * g
    xx = a + 2 * b * g + (a + b * g) * g**2
    xy = b + (a + b * g) * g
    expected = np.array([[xx, xy, 0], [xy, a + b * g, 0], [0, 0, a]])
    close(cauchy(st_venant_kirchhoff(ISOTROPIC), F), expected)
    expected = MU * np.array([[g**2, g, 0], [g, 0, 0], [0, 0, 0]])
    close(cauchy(neo_hooke(ISOTROPIC), F), expected)


def test_rows_in_one_call_answer_as_they_do_alone(material, rng):
    F, rows = deformed(rng)
    dF = rng.normal(size=F.shape)
    together = answer(material, F, rows, float)
    energy = material.energy(rows, F)
    found = []
    for row in range(3):
        own = rows == row
        alone = type(material)(
            material.laws[:1], material.stiffness[row][None], material.rotation[:1]
        )
        response = answer(alone, F[:, own], precision=float)
        close(together.stress[:, own], response.stress)
        tangent = response.tangent.apply(dF[:, own])
        close(together.tangent.apply(dF)[:, own], tangent)
        close(energy[own], alone.energy(np.zeros(own.sum(), int), F[:, own]))
        found.append(response.stress[0, 0])
    assert len(set(found)) == 3


@pytest.mark.parametrize("kernel", [False, True])
def test_nothing_is_changed_in_place(name, material, kernel, rng):
    F, rows = deformed(rng)
    dF, state = rng.normal(size=F.shape), np.zeros((0, len(rows)))
    given = [F, rows, dF, material.stiffness]
    copies = [a.copy() for a in given]
    if kernel:
        step = StrainStep(rows, F, F, state, 1.0, np.float64)
        response = KERNELS[name].respond(material, step)
    else:
        response = answer(material, F, rows, np.float64)
    first = response.tangent.apply(dF)
    material.energy(rows, F)
    for a, b in zip(given, copies, strict=True):
        np.testing.assert_array_equal(a, b)
    F += 1  # a tangent keeps what it needs
    np.testing.assert_array_equal(response.tangent.apply(dF), first)


def test_single_tangent_agrees_with_double(name, material, rng):
    F, rows = deformed(rng)
    dF = rng.normal(size=F.shape)
    expected = answer(material, F, rows, np.float64).tangent.apply(dF)
    step = StrainStep(rows, F, F, None, 1.0, np.float32)
    for response in (
        answer(material, F, rows, np.float32),
        KERNELS[name].respond(material, step),
    ):
        single = response.tangent.apply(dF.astype(np.float32))
        assert single.dtype == np.float32
        close(single, expected, 2e-6)
        double = response.tangent.apply(dF)
        assert double.dtype == np.float64
        close(double, expected, 2e-6)


RUNS = {"points": 1, "runs": BLOCK + 3, "long runs": 2 * CHUNK + 5}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_kernel_answers_as_the_reference(name, material, run, threads, rng):
    F, _ = deformed(rng, 3 * CHUNK + 7)
    F[0, 5] = -3.0  # inside out
    rows = rng.integers(0, 3, F.shape[1]).repeat(run)[: F.shape[1]]
    dF = rng.normal(size=F.shape)
    expected = answer(material, F, rows, float)
    step = StrainStep(rows, F, F, None, precision=np.float64)
    response = KERNELS[name].respond(material, step, threads)
    answers = (response.stress, expected.stress)
    tangents = (response.tangent.apply(dF), expected.tangent.apply(dF))
    for actual, reference in (answers, tangents):
        nan = np.isnan(reference)
        np.testing.assert_array_equal(np.isnan(actual), nan)
        assert nan.any() == (name == "neo_hooke")
        close(actual[~nan], reference[~nan])
    step = step._replace(precision=None)
    without = KERNELS[name].respond(material, step, threads)
    np.testing.assert_array_equal(without.stress, response.stress)
    assert without.tangent is None


def test_tangent_of_a_part_is_a_part_of_the_tangent(name, material, rng):
    F, rows = deformed(rng, CHUNK + 60)
    dF = rng.normal(size=F.shape)
    tangent = (
        KERNELS[name]
        .respond(material, StrainStep(rows, F, F, None, 1.0, float))
        .tangent
    )
    whole = tangent.apply(dF)
    part = dF[:, 40:310].copy()
    tangent.apply_part(part, 40, part)
    np.testing.assert_array_equal(part, whole[:, 40:310])


@pytest.mark.parametrize("flip", [-1.0, 0.0])
def test_neo_hooke_has_no_answer_where_a_point_is_inside_out(flip):
    F = np.tile(IDENTITY, 2) + 0.1
    F[:3, 1] *= flip
    material, rows = SEVERAL["neo_hooke"], np.zeros(2, int)
    bad = np.isnan(stress(material, F))
    assert bad[:, 1].all() and not bad[:, 0].any()
    energy = material.energy(rows, F)
    assert np.isinf(energy[1]) and np.isfinite(energy[0])


def test_neo_hooke_energy_grows_without_bound_towards_no_volume():
    F = by_rows([np.eye(3) * size for size in (1, 0.1, 1e-3, 1e-6)])
    energy = neo_hooke(ISOTROPIC).energy(np.zeros(4, int), F)
    assert energy[0] == 0
    assert (np.diff(energy) > 10).all()


def test_pore_carries_nothing_however_it_is_deformed(rng):
    F = by_rows(-3 * np.eye(3) + rng.normal(size=(5, 3, 3)))
    response = answer(st_venant_kirchhoff(PORE), F, precision=float)
    assert not response.stress.any()
    assert not response.tangent.apply(F).any()


def test_energy_that_is_not_convex_has_no_conjugate(material):
    a, b = -1.2 * IDENTITY, 1.2 * IDENTITY
    if isinstance(material, NeoHookeMaterial):
        a, b = (by_rows(np.diag(d)) for d in ([-1.0, -1.0, 1.0], [1.0, 1.0, 1.0]))
    ends, middle = np.hstack([a, b]), 0.5 * (a + b) + 0.01 * IDENTITY
    rows = np.zeros(2, int)
    assert material.energy(rows, ends).mean() < material.energy(rows[:1], middle)
    with pytest.raises(NotImplementedError):
        material.conjugate_energy(rows, ends)


def test_neo_hooke_takes_its_moduli_or_those_of_the_phase(rng):
    law = NeoHooke.parse({"K": LAME + 2 * MU / 3, "G": MU}, "phase 0")
    np.testing.assert_allclose(law.stiffness, ISOTROPIC)
    assert NeoHooke.parse(law.constants(), "phase 0") == law
    plain = NeoHooke.parse({}, "phase 0")
    assert plain.stiffness is None and plain.constants() == {}
    F, _ = deformed(rng)
    implied = NeoHookeMaterial([law], law.stiffness[None], np.eye(3)[None])
    close(stress(implied, F), stress(neo_hooke(ISOTROPIC), F))
    # whatever the body says, or another law said before
    body = Microstructure(Grid((1, 1, 1)), np.zeros((1, 1, 1), int), [CRYSTAL])
    for one in (law, NeoHooke(K=9.0, G=7.0), plain):
        body = body.with_changes(law={0: one})
        expected = isotropic(K=9.0, G=7.0) if one is not law else ISOTROPIC
        np.testing.assert_allclose(body.stiffness, [expected])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"K": 1.0}, "both K and G"),
        ({"K": 1.0, "G": -1.0}, "G = -1.0: expected a positive"),
        ({"mu": 1.0}, "unknown key 'mu'"),
        ({"K": "soft", "G": 1.0}, "expected a number"),
    ],
)
def test_bad_constants_are_refused_in_one_line(entry, message):
    with pytest.raises(InputError, match=message) as error:
        NeoHooke.parse(entry, "phase 3")
    assert str(error.value).startswith("phase 3: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("stiffness", [CRYSTAL, PORE], ids=["cubic", "pore"])
def test_neo_hooke_needs_an_isotropic_stiffness(stiffness):
    with pytest.raises(InputError, match="neo_hooke .* not isotropic"):
        neo_hooke(ISOTROPIC, stiffness)


def test_laws_are_of_finite_strain_and_have_no_state():
    for material in SEVERAL.values():
        assert isinstance(material, Material)
        assert material.finite and not material.rate
        assert material.start(np.zeros(4, int)).shape == (0, 4)
