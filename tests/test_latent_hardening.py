"""Slip systems that harden each other by ratios."""

import json

import h5py
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from fftmech import (
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
from fftmech.kernels.laws import conjugate, potential, responder
from fftmech.materials import cubic, hexagonal
from fftmech.materials.base import StrainStep
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.slip import SlipFamily
from fftmech.materials.slip_interactions import TYPES, interaction_types
from fftmech.materials.slip_systems import slip_systems
from fftmech.microstructure import polycrystal
from fftmech.results.scalar_fields import scalar_fields
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness

COPPER = cubic(C11=168.4, C12=121.4, C44=75.4)
TITANIUM = hexagonal(C11=162.4, C12=92.0, C13=69.0, C33=180.7, C44=46.7)
SLIP = {"tau0": 0.016, "rate0": 1e-3, "tau1": 0.03, "theta0": 0.4}
SEVEN = (1.0, 1.1, 3.0, 0.8, 1.2, 1.4, 1.6)
PRISMATIC = {"name": "prismatic", "tau0": 0.02, "theta1": 0.3}
HCP = {
    "lattice": "hcp",
    "c_over_a": 1.587,
    "families": (
        SlipFamily(name="basal"),
        SlipFamily(**PRISMATIC),
        SlipFamily(name="pyramidal_ca", tau0=0.05),
    ),
    "latent_hardening": ((1.2, 1.5, 2.0), (0.5, 1.0, 1.4), (1.0, 0.7, 1.1)),
}


def plastic(**more):
    return CrystalPlasticity(**{**SLIP, "exponent": 10.0, **more})


def creep(**more):
    return CrystalCreep(**{**SLIP, "exponent": 10.0, "bulk": 100.0, **more})


MORE = [
    pytest.param({"latent_hardening": SEVEN}, id="fcc"),
    pytest.param(HCP, id="hcp", marks=pytest.mark.slow),
]
laws = pytest.mark.parametrize("law", [plastic, creep], ids=["plastic", "creep"])


def marched(law, load, increments=2, solver="newton", n=6, **options):
    """March of a polycrystal."""
    stiffness = TITANIUM if law.lattice == "hcp" else COPPER
    body = polycrystal(n, grains=4, seed=1, stiffness=stiffness)
    body = body.with_changes(law=dict.fromkeys(range(4), law))
    path = Path((Step(load, time=10.0, increments=increments),))
    march = March(body, path, solver=solver, **options)
    assert all(point.status == "converged" for point in march.points())
    return march


def test_slip_of_six_systems_is_no_tensor_in_files(tmp_path):
    families = ("basal", "prismatic"), ("basal",)
    crystal = {"lattice": "hcp", "c_over_a": 1.587, "latent_hardening": 1.4}
    laws = {
        p: plastic(families=tuple(SlipFamily(name=name) for name in names), **crystal)
        for p, names in enumerate(families)
    }
    phase = np.array([0, 1]).reshape(2, 1, 1)
    body = Microstructure(Grid(phase.shape), phase, np.array([TITANIUM] * 2), law=laws)
    result = solve(body, Load(strain={"xx": 3e-3, "xz": 2e-3, "xy": 1e-3}))
    slip = result.variables["slip"]
    assert slip.shape == (6, 2, 1, 1) and slip[3:, 0].any()
    assert slip[:3, 1].any() and not slip[3:, 1].any()
    write_result(tmp_path / "result.vtkhdf", result)
    with h5py.File(tmp_path / "result.vtkhdf") as file:
        np.testing.assert_array_equal(file["VTKHDF/CellData/slip"][()].T, slip)
    again = read_result(tmp_path / "result.vtkhdf")
    np.testing.assert_array_equal(again.variables["slip"], slip)
    for a, shown in enumerate(scalar_fields(again, "slip")):
        np.testing.assert_array_equal(shown.values, slip[a])


def test_the_pairs_of_fcc_are_counted_as_in_the_literature():
    m, b = slip_systems("octahedral")
    types = interaction_types(m, b)
    for name, count in zip(TYPES, (1, 2, 1, 2, 2, 2, 2), strict=True):
        assert ((types == TYPES.index(name)).sum(axis=1) == count).all()
    # of [0 1 -1] (1 1 1), which glides on (-1 1 1) too
    names = {}
    for other, plane, name in (
        ((1, 0, -1), (1, 1, 1), "coplanar"),
        ((0, 1, -1), (-1, 1, 1), "collinear"),
        ((0, 1, 1), (1, -1, 1), "Hirth"),
        ((1, 1, 0), (-1, 1, 1), "glissile I"),
        ((1, 0, -1), (1, -1, 1), "glissile II"),
        ((1, 0, 1), (-1, -1, 1), "Lomer"),
    ):
        pair = [(1, 1, 1), plane], [(0, 1, -1), other]
        m, b = (np.array(v) / np.linalg.norm(v, axis=1)[:, None] for v in pair)
        names[name] = TYPES[interaction_types(m, b)[0, 1]]
    assert names == {name: name for name in names} and len(names) == 6


@laws
def test_equal_ratios_are_one_number_in_whatever_form(law):
    load = Load.uniaxial("xx", 1e-2)
    number = marched(law(latent_hardening=1.4), load, n=4).state
    forms = ((1.0, 1.4, 1.4), (1.0, *[1.4] * 5), (1.0, *[1.4] * 6), ((1.4,),))
    tables = [law(latent_hardening=form).interactions for form in (1.4, *forms)]
    for table in tables[1:]:
        np.testing.assert_array_equal(table, tables[0])
    other = marched(law(latent_hardening=forms[0]), load, n=4).state
    np.testing.assert_allclose(other.stress, number.stress, rtol=1e-12)
    alike = marched(law(), load, n=4).state
    assert number.mean_stress[0] > 1.02 * alike.mean_stress[0]
    # ratios that differ from 1 by rounding alone: the same law by another way
    nearly = marched(law(latent_hardening=1 + 1e-9), load, n=4).state
    np.testing.assert_allclose(nearly.mean_stress[0], alike.mean_stress[0], rtol=1e-4)
    for all_alike in (1, (1, 1, 1), ((1,),)):
        assert law(latent_hardening=all_alike).interactions is None


def integrated(law, rotation, strain, time):
    """Stress and slips of a crystal at a strain rate, in DAMASK's form of the law."""
    material = law.material(
        [law], rotate_stiffness(COPPER, rotation)[None], rotation[None]
    )
    C, P, q = material.stiffness[0], material.schmid[0], law.interactions
    end = law.tau0 + law.tau1
    h0 = law.theta0 * end / law.tau1

    def rates(_, y):
        stress, xi = y[:6], y[6:18]
        tau = P @ stress
        slip = law.rate0 * abs(tau / xi) ** law.exponent
        hardening = h0 * (1 - xi / end) * (q @ slip)
        rate = strain / time - (np.sign(tau) * slip) @ P
        return np.concatenate([C @ rate, hardening, slip])

    first = np.concatenate([np.zeros(6), np.full(12, law.tau0), np.zeros(12)])
    found = solve_ivp(rates, (0, time), first, method="LSODA", rtol=1e-9, atol=1e-12)
    return found.y[:6, -1], found.y[18:, -1]


def test_a_crystal_on_a_path_is_the_integrated_ordinary_differential_equation():
    law = plastic(exponent=5.0, latent_hardening=SEVEN)
    q = np.array([0.8, 0.1, 0.5, 0.3])
    q /= np.linalg.norm(q)
    strain = np.array([0.02, -0.014, -0.006, 0.004, 0.01, 0.008])
    components = dict(zip(("xx", "yy", "zz", "yz", "xz", "xy"), strain, strict=True))
    grid, R = Grid((1, 1, 1)), matrix_from_quaternion(q)
    stiffness = rotate_stiffness(COPPER, R)[None]
    phase = np.zeros(grid.shape, int)
    body = Microstructure(grid, phase, stiffness, orientation=q[None], law={0: law})
    found = []
    for increments in (30, 60):
        path = Path((Step(Load(strain=components), time=20.0, increments=increments),))
        march = March(body, path)
        assert all(point.status == "converged" for point in march.points())
        state = march.state
        found.append((state.mean_stress, state.start.state[0][0][7:19, 0]))
    mandel = strain * np.array([1, 1, 1, *[2**0.5] * 3])
    exact = integrated(law, R, mandel, 20.0)
    for coarse, fine, right in zip(*found, exact, strict=True):
        errors = [np.linalg.norm(x - right) for x in (coarse, fine, 2 * fine - coarse)]
        # backward Euler: of first order
        assert errors[0] < 0.005 * np.linalg.norm(right)
        assert errors[1] == pytest.approx(errors[0] / 2, rel=0.25)
        assert errors[2] < 5e-4 * np.linalg.norm(right)
    # the number's would be another
    other = integrated(
        plastic(exponent=5.0, latent_hardening=1.4), np.eye(3), mandel, 20
    )
    assert np.linalg.norm(other[0] - exact[0]) > 0.005 * np.linalg.norm(exact[0])


@pytest.mark.slow
@laws
@pytest.mark.parametrize("more", MORE)
def test_kernels_agree_with_the_reference_code(law, more, rng):
    own = [law(**more), law(**{**more, "exponent": 4.5, "latent_hardening": 1.4})]
    R = np.linalg.qr(rng.normal(size=(2, 3, 3)))[0]
    crystal = TITANIUM if more is HCP else COPPER
    stiffness = [crystal if one.stiffness is None else one.stiffness for one in own]
    material = own[0].material(own, np.array(stiffness), R)
    rows = np.arange(40, dtype=np.int32) % 2
    kernel = responder(material, cpu_backend())
    strain = 3e-3 * rng.normal(size=(6, 40))
    state = material.start(rows)
    for _ in range(2):
        step = StrainStep(rows, strain, 0 * strain, state, 0.7, float, None)
        found, expected = kernel(step), material.respond(step)
        assert kernel.func is not None and expected.state[-12:].max() > 1e-4
        for a, b in (
            (found.stress, expected.stress),
            (found.state, expected.state),
            (found.tangent.apply(strain), expected.tangent.apply(strain)),
        ):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9 * abs(b).max())
        state = expected.state
        strain = strain + 2e-3 * rng.normal(size=(6, 40))
    strain_of, energy_of, _ = conjugate(material, rows, cpu_backend())
    w = potential(material, energy_of, cpu_backend())
    stress = 0.03 * rng.normal(size=(6, 40))
    for function, reference, field in (
        (strain_of, material.conjugate_strain, stress),
        (energy_of, material.conjugate_energy, stress),
        (w, material.energy, strain),
    ):
        assert function != reference
        np.testing.assert_allclose(
            function(rows, field, state, 0.7),
            reference(rows, field, state, 0.7),
            rtol=1e-8,
            atol=1e-15,
        )


@pytest.mark.slow
@laws
@pytest.mark.parametrize("more", MORE)
def test_the_dual_ends_where_newtons_method_does(law, more):
    load = Load.uniaxial("xx", 6e-3)
    newton, dual = (
        marched(law(**more), load, increments=2, solver=solver, n=4)
        for solver in ("newton", "dual")
    )
    size = np.linalg.norm(newton.state.mean_stress)
    distance = np.linalg.norm(newton.state.mean_stress - dual.state.mean_stress)
    assert distance < 1e-4 * size
    for march in (newton, dual):
        assert march.result().certificate["relative"] < 1e-4
        assert march.state.points[-1].time_error < 0.1


def test_ratios_are_read_written_and_refused_in_one_line():
    for ratios in (1.4, (1, 1, 1.4), (1, *[1.4] * 5), SEVEN, ((0.5,),)):
        law = plastic(latent_hardening=ratios)
        text = json.loads(json.dumps(law.constants()))
        assert CrystalPlasticity.parse(text, "m.toml") == law
    assert "latent_hardening" not in plastic().constants()
    assert CrystalPlasticity.parse(plastic(**HCP).constants(), "m") == plastic(**HCP)
    for ratios in (
        -1,
        [1, 1],
        [1, 2, 3, 4],
        [[1, 1], [1, 1]],
        [[1], [1, 2]],
        "1",
        True,
    ):
        entry = {**plastic().constants(), "latent_hardening": ratios}
        with pytest.raises(InputError, match="latent_hardening") as error:
            CrystalPlasticity.parse(entry, "m.toml")
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="of hcp with 3 families"):
        plastic(**{**HCP, "latent_hardening": SEVEN})
