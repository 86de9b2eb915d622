"""Families of slip systems: crystals of fcc, bcc and hcp."""

import numpy as np
import pytest
from scipy.optimize import linprog
from test_crystal_laws import COPPER, CUBE_ROTATIONS, answer, make, relative, rotations

from fftmech import Grid, InputError, Load, March, Microstructure, Path, Step
from fftmech.io.materials import parse_materials
from fftmech.materials import hexagonal
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.slip_systems import FAMILIES, slip_systems
from fftmech.tensors import mandel_from_matrix, mandel_rotation

RATES = {"rate0": 1e-3, "exponent": 20}
RATIO = 1.587
# Voigt's GPa of titanium
TITANIUM = hexagonal(162.4, 92.0, 69.0, 180.7, 46.7)
SIZES = {
    "octahedral": 12,
    "110": 12,
    "112": 12,
    "basal": 3,
    "prismatic": 3,
    "pyramidal_a": 6,
    "pyramidal_ca": 12,
}
HCP = {
    "basal": {"tau0": 0.12},
    "prismatic": {"tau0": 0.08, "theta1": 0.3, "exponent": 15},
    "pyramidal_ca": {"tau0": 0.25, "tau1": 0.05, "theta0": 1.0, "rate0": 2e-3},
}
HEXAGON = np.array(
    [
        [[c, -s, 0], [flip * s, flip * c, 0], [0, 0, flip]]
        for c, s in ((np.cos(a), np.sin(a)) for a in np.arange(6) * np.pi / 3)
        for flip in (1, -1)
    ]
)


def hcp(kind=CrystalPlasticity, families=HCP, **more):
    entry = {"lattice": "hcp", "c_over_a": RATIO, "families": families}
    return kind.parse({**RATES, **entry, **more}, "m.toml")


def bcc(kind, *names, tau0=0.02, **more):
    families = dict.fromkeys(names, {})
    entry = {"lattice": "bcc", "families": families, "tau0": tau0}
    return kind.parse({**RATES, **entry, **more}, "m.toml")


LAWS = {
    "hcp": ([hcp(), hcp(tau1=0.02, theta0=0.4)], TITANIUM),
    "bcc": ([bcc(CrystalPlasticity, "110", "112", theta1=0.1)], COPPER),
    "hcp creep": ([hcp(CrystalCreep, bulk=900.0)], TITANIUM),
    "few": ([hcp(families={"basal": {}, "prismatic": {}}, tau0=0.1)], TITANIUM),
}


def tensors(names, ratio=RATIO):
    systems = [slip_systems(name, ratio) for name in names]
    m, b = (np.concatenate(part) for part in zip(*systems, strict=True))
    return mandel_from_matrix(
        (m[:, :, None] * b[:, None] + b[:, :, None] * m[:, None]) / 2
    )


@pytest.mark.parametrize("lattice", FAMILIES)
def test_the_lattices_symmetry_maps_each_family_onto_itself(lattice):
    group = HEXAGON if lattice == "hcp" else CUBE_ROTATIONS
    for name in FAMILIES[lattice]:
        m, b = slip_systems(name, RATIO)
        assert len(m) == SIZES[name]
        np.testing.assert_allclose((m * b).sum(axis=1), 0, atol=1e-15)
        P = tensors([name])
        np.testing.assert_allclose(P[:, :3].sum(axis=1), 0, atol=1e-15)
        np.testing.assert_allclose((P**2).sum(axis=1), 0.5)
        for R in mandel_rotation(group):
            alike = np.abs(P @ R.T @ P.T)
            assert (np.isclose(alike, 0.5).sum(axis=1) >= 1).all()


def test_planes_and_directions_of_a_hexagonal_crystal_are_those_of_its_ratio():
    m, b = slip_systems("pyramidal_ca", RATIO)
    # textbook: the angle of (10-11) to the basal plane, and of <11-23> to it
    np.testing.assert_allclose(
        np.abs(m[:, 2]), np.cos(np.arctan(2 * RATIO / 3**0.5)), rtol=1e-14
    )
    np.testing.assert_allclose(np.abs(b[:, 2]), RATIO / np.hypot(1, RATIO))
    # a1 is along x: a direction of basal slip, and no normal of a prismatic plane
    _, b = slip_systems("basal", RATIO)
    m, _ = slip_systems("prismatic", RATIO)
    assert np.isclose(np.abs(b[:, 0]), 1).sum() == 1
    assert np.isclose(np.abs(m[:, 1]), 1).sum() == 1


@pytest.mark.parametrize(
    "names, independent",
    [
        (["octahedral"], 5),
        (["110"], 5),
        (["112"], 5),
        (["basal"], 2),
        (["prismatic"], 2),
        (["basal", "prismatic"], 4),
        (["pyramidal_a"], 4),
        (["basal", "prismatic", "pyramidal_a"], 4),
        (["pyramidal_ca"], 5),
    ],
)
def test_independent_systems_are_those_of_the_textbook(names, independent):
    """Groves & Kelly 1963, doi:10.1080/14786436308213843."""
    assert np.linalg.matrix_rank(tensors(names), tol=1e-9) == independent
    lattice = next(key for key in FAMILIES if names[0] in FAMILIES[key])
    entry = {"lattice": lattice, "families": {name: {} for name in names}, "tau0": 1.0}
    entry |= {"c_over_a": RATIO} if lattice == "hcp" else {}
    assert CrystalPlasticity.parse({**RATES, **entry}, "").independent == independent


def test_taylors_factor_is_the_published_one_and_more_planes_lower_it():
    """Least slip that gives tension, by linear programming; 3.067 of fcc.

    {110}<111> has the same Schmid tensors, plane and direction exchanged.
    """
    tension = np.diag([-0.5, -0.5, 1.0])
    R = rotations(400, 3)
    strains = mandel_from_matrix(np.swapaxes(R, 1, 2) @ tension @ R)

    def taylor(strains, *names):
        P = tensors(names)
        A = np.hstack([P.T, -P.T])
        ones = np.ones(A.shape[1])
        return np.array([linprog(ones, A_eq=A[1:], b_eq=e[1:]).fun for e in strains])

    fcc, both = taylor(strains, "octahedral"), taylor(strains[:80], "110", "112")
    # 400 orientations leave about 0.02 to chance
    assert fcc.mean() == pytest.approx(3.067, abs=0.03)
    bcc = np.abs(tensors(["110"]) @ tensors(["octahedral"]).T)
    assert np.isclose(bcc.max(axis=1), 0.5).all()
    fcc = fcc[: len(both)]
    assert (both < fcc + 1e-9).all() and both.mean() < 0.95 * fcc.mean()


@pytest.mark.parametrize("name", LAWS)
def test_kernels_agree_with_the_reference_code(name, rng):
    laws, crystal = LAWS[name]
    material = make(laws * 2, rotations(2 * len(laws)), crystal)
    rows = np.arange(37) % (2 * len(laws))
    strain = 6e-3 * rng.normal(size=(6, 37))
    strain[:3] -= 0.98 * strain[:3].mean(axis=0)
    before, state = 0 * strain, material.start(rows)
    for _ in range(2):
        arguments = material, rows, strain, before, state, 0.8, np.float64
        slow, fast = (answer(way, *arguments) for way in ("reference", "kernel"))
        assert np.isfinite(slow.stress).all()
        assert relative(fast.stress, slow.stress) < 1e-10
        assert relative(fast.state, slow.state) < 1e-10
        d = rng.normal(size=strain.shape)
        tangents = (r.tangent.apply(d) for r in (fast, slow))
        assert relative(*tangents) < 1e-8
        before, state, strain = strain, slow.state, 1.5 * strain


def test_the_step_is_backward_euler_with_each_familys_own_resistance(rng):
    law = hcp()
    material = make([law], rotations(1), TITANIUM)
    rows, strain = np.zeros(20, int), 8e-3 * rng.normal(size=(6, 20))
    response = answer("kernel", material, rows, strain, 0, material.start(rows), 0.5)
    G, stress = response.state[6], response.stress
    g = np.empty((18, 20))
    g[:3], g[3:6] = 0.12, 0.08 + 0.3 * G
    g[6:] = 0.25 + 0.05 * (1 - np.exp(-20 * G))
    n = np.repeat([20, 15, 20], [3, 3, 12])[:, None]
    rate = np.repeat([1e-3, 1e-3, 2e-3], [3, 3, 12])[:, None]
    tau = material.schmid[0] @ stress
    slip = 0.5 * rate * np.sign(tau) * np.abs(tau / g) ** n
    assert relative(np.abs(slip).sum(axis=0), G) < 1e-7
    plastic = strain - material.compliance[0] @ stress
    assert relative(material.schmid[0].T @ slip, plastic) < 1e-7


@pytest.mark.parametrize(
    "axis, family, factor",
    [
        # c: basal and prismatic resolve nothing
        ([0, 0, 1], "pyramidal_ca", None),
        # 45 degrees between c and a1: basal, m = 1/2
        ([1, 0, 1], "basal", 0.5),
        # 45 degrees between a1 and the normal of its prismatic plane
        ([1, 1, 0], "prismatic", 0.5),
    ],
)
def test_a_hexagonal_crystal_yields_by_schmids_law(axis, family, factor):
    families = {"basal": {}, "prismatic": {}, "pyramidal_ca": {"tau0": 3e3}}
    if family == "prismatic":
        families["basal"] = {"tau0": 3e3}
    law = hcp(CrystalCreep, families, tau0=1.0, bulk=1e9, exponent=100)
    d = np.array(axis) / np.linalg.norm(axis)
    material = make([law], np.eye(3)[None])
    tau = np.abs(material.schmid[0] @ mandel_from_matrix(np.outer(d, d)))
    begin = {"basal": 0, "prismatic": 3, "pyramidal_ca": 6}[family]
    own = tau[begin : begin + (12 if family == "pyramidal_ca" else 3)]
    if factor is None:
        assert tau[:6] == pytest.approx(np.zeros(6), abs=1e-15)
        # sin and cos of the angles of plane and direction
        factor = np.sin(np.arctan(RATIO)) * np.cos(np.arctan(2 * RATIO / 3**0.5))
        np.testing.assert_allclose(own, factor)
        tension = np.array([-0.5, -0.5, 1, 0, 0, 0])[:, None] * 1e-3
        rows, start = np.zeros(1, int), material.start(np.zeros(1, int))
        stress = material.respond(_step(rows, tension, 0 * tension, start)).stress[:, 0]
        assert stress[2] - stress[0] == pytest.approx(3e3 / factor, rel=0.02)
    else:
        assert own.max() == pytest.approx(factor)


def _step(*arguments):
    from fftmech.materials.base import StrainStep

    return StrainStep(*arguments, 1.0)


def test_families_are_read_written_and_refused_in_one_line():
    text = {"crystal_plasticity": {"lattice": "hcp", "c_over_a": 1.6, **RATES}}
    text["crystal_plasticity"]["families"] = {"basal": {"tau0": 1.0}, "prismatic": {}}
    text["crystal_plasticity"]["tau0"] = 2.0
    entry = {"id": 0, "isotropic": {"E": 100.0, "nu": 0.3}, **text}
    law = parse_materials({"phase": [entry]}, "m.toml").phases[0].law
    assert [f.tau0 for f in law.slip_families] == [1.0, 2.0]
    for laws, _ in LAWS.values():
        for law in laws:
            assert type(law).parse(law.constants(), "m.toml") == law


@pytest.mark.parametrize(
    "change, words",
    [
        ({"lattice": "sc"}, "lattice = 'sc': expected one of fcc, bcc, hcp"),
        ({"c_over_a": 1.6}, "c_over_a"),
        ({"lattice": "hcp", "families": {"basal": {}}}, "c_over_a"),
        ({"lattice": "bcc"}, "some of 110, 112"),
        ({"families": {"basal": {}}}, "some of octahedral"),
        ({"families": {"octahedral": {"g": 1}}}, "octahedral: unknown key 'g'"),
        ({"families": {"octahedral": {"tau0": -1}}}, "octahedral: tau0 = -1"),
        ({"families": {"octahedral": {"tau0": "1"}}}, "octahedral: tau0 = '1'"),
        ({"families": ["octahedral"]}, "a table of tables"),
        ({"lattice": 3}, "lattice = 3"),
        ({"tau0": None}, "tau0"),
    ],
)
def test_what_is_no_crystal_is_refused_in_one_line(change, words):
    entry = {k: v for k, v in {**RATES, "tau0": 1.0, **change}.items() if v is not None}
    with pytest.raises(InputError, match=words) as error:
        CrystalPlasticity.parse(entry, "m.toml")
    assert "\n" not in str(error.value)


def test_creep_without_five_independent_systems_is_refused():
    with pytest.raises(InputError, match="4 independent slip systems: expected 5"):
        hcp(CrystalCreep, {"basal": {}, "prismatic": {}}, tau0=1.0, bulk=100.0)


def test_plasticity_without_them_is_elastic_there_and_noted():
    law = LAWS["few"][0][0]
    body = Microstructure(
        Grid((2, 2, 2)), np.zeros((2, 2, 2), int), TITANIUM[None], law={0: law}
    )
    march = March(body, Path((Step(Load.uniaxial("zz", 0.01), 1.0),)))
    (point,) = march.points()
    assert point.status == "converged"
    young = 1 / np.linalg.inv(TITANIUM)[2, 2]
    assert march.result().mean_stress[2] == pytest.approx(0.01 * young)
    systems, axes = march.result().notes
    assert "4 independent slip systems" in systems
    assert axes == (
        "1 phase(s) of crystal_plasticity without orientation: crystal axes along x y z"
    )
    known = body.with_changes(orientation=np.array([[1.0, 0.0, 0.0, 0.0]]))
    assert March(known, march.path).result().notes == [systems]


def test_crystals_of_different_lattices_share_a_body():
    laws = {0: LAWS["hcp"][0][0], 1: LAWS["bcc"][0][0]}
    phase = np.indices((2, 2, 2))[0]
    body = Microstructure(
        Grid((2, 2, 2)), phase, np.stack([TITANIUM, COPPER]), law=laws
    )
    march = March(body, Path((Step(Load.uniaxial("zz", 0.01), 1.0),)))
    (point,) = march.points()
    assert point.status == "converged"
    assert (march.result().variables["accumulated_slip"] > 0).any()


def test_systems_are_made_once_for_all_grains_and_cannot_be_changed():
    first, again = slip_systems("octahedral"), slip_systems("octahedral")
    assert first is again
    assert not any(vectors.flags.writeable for vectors in first)
