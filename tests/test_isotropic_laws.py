"""What all small-strain isotropic laws have in common."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from isotropic_laws import DT, ELASTIC, LAWS, NAMES, loaded, make
from scipy.spatial.transform import Rotation

from fftmech import InputError
from fftmech.materials import cubic
from fftmech.materials.base import Material, Response, StrainStep
from fftmech.materials.check import check_laws
from fftmech.materials.creep import Creep
from fftmech.materials.hooke import Hooke, HookeMaterial
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity, PlasticityMaterial
from fftmech.materials.tangent import MatrixTangent
from fftmech.materials.viscoelasticity import Viscoelasticity
from fftmech.tensors import mandel_rotation, rotate_stiffness


@pytest.mark.parametrize("name", NAMES)
def test_what_holds_for_every_law(name):
    check_laws(LAWS[name], ELASTIC, dt=DT)


@pytest.mark.parametrize("name", NAMES)
def test_tangent_is_not_the_elastic_one(name, rng):
    material, *arrays = loaded(name, rng)
    direction = rng.normal(size=arrays[1].shape)
    tangent = material.respond(StrainStep(*arrays, DT, np.float64)).tangent
    elastic = np.einsum("nij,jn->in", material.stiffness[arrays[0]], direction)
    off = np.abs(tangent.apply(direction) - elastic).max(0)
    assert np.median(off) > 0.05 * np.abs(elastic).max()


class Wrong(PlasticityMaterial):
    """Plasticity but for what `wrong` does to its response."""

    def respond(self, step):
        return self.wrong(step, super().respond(step))


@dataclass(frozen=True)
class Forgotten(Plasticity):
    def constants(self):
        return {**super().constants(), "hardening": 0.0}


def stiffer(self, step, response):
    tangent = response.tangent
    if tangent is not None:
        tangent = replace(tangent, shear=1.01 * tangent.shear)
    return response._replace(tangent=tangent)


def rounded(self, step, response):
    if step.precision != np.float32:
        return response
    return response._replace(tangent=replace(response.tangent, normal=None))


def shared(self, step, response):
    return response._replace(stress=response.stress + 1e-3 * len(self.laws))


def careless(self, step, response):
    step.strain[0] += 1e-9
    return response


@pytest.mark.parametrize(
    "wrong, message",
    [
        (stiffer, "the tangent is the derivative"),
        (rounded, "the same in single precision"),
        (shared, "together answer as each alone"),
        (careless, "changes its arguments"),
    ],
)
def test_what_does_not_hold_is_named(wrong, message, monkeypatch):
    broken = type("Broken", (Wrong,), {"wrong": wrong})
    law = type("Law", (Plasticity,), {"material": broken})
    with pytest.raises(AssertionError, match=message):
        check_laws([law(0.1, 2.0), law(0.2)], ELASTIC)


def test_constants_and_energies_that_do_not_fit_are_named(monkeypatch):
    with pytest.raises(AssertionError, match="made from its own constants"):
        check_laws([Forgotten(0.1, hardening=2.0)], ELASTIC)
    changes = [
        ("energy", lambda w, *_: 1.01 * w, "derivative of the energy"),
        ("energy", lambda w, *_: w + 1.0, "energy at rest is zero"),
        ("conjugate_energy", lambda w, *_: 1.01 * w, "gap is"),
        ("gap", lambda gap, *_: 0 * gap, "gap is"),
        ("conjugate_strain", lambda e, *_: 1.01 * e, "conjugate_strain is"),
    ]
    for name, change, message in changes:
        method = getattr(HookeMaterial, name)
        with monkeypatch.context() as patch:
            patch.setattr(
                HookeMaterial,
                name,
                lambda *a, change=change, method=method: change(method(*a)),
            )
            with pytest.raises(AssertionError, match=message):
                check_laws([Hooke()], ELASTIC)


CUBIC = cubic(C11=204.6, C12=137.7, C44=126.2)


class Unturned(HookeMaterial):
    """Its crystals lie along the box, whatever is said."""

    def prepare(self):
        self.stiffness = np.tile(CUBIC, (len(self.laws), 1, 1))
        super().prepare()


class Directed(HookeMaterial):
    """It has axes beside the stiffness."""

    def prepare(self):
        self.stiffness = rotate_stiffness(CUBIC, self.rotation)
        super().prepare()


class Lasting(HookeMaterial):
    """Of the strain, where it has the rate only."""

    rate = True
    energy = Material.energy


class Small(HookeMaterial):
    """P = F - 1."""

    finite = True

    def respond(self, step):
        F = step.strain
        tangent = MatrixTangent(np.tile(np.eye(9)[..., None], F.shape[1]))
        return Response(F - np.eye(3).reshape(9, 1), step.state, tangent)

    def energy(self, rows, strain, state=None, dt=1.0):
        return ((strain - np.eye(3).reshape(9, 1)) ** 2).sum(0) / 2


@pytest.mark.parametrize(
    "material, message",
    [
        (Unturned, "it gives the turned stress"),
        (Directed, "crystal's axes is `directed`"),
        (Lasting, "follows from the rate alone"),
        (Small, "stress of a turned body turns"),
    ],
)
def test_laws_that_see_other_axes_or_other_strains_are_named(material, message):
    law = type("Law", (Hooke,), {"material": material})
    with pytest.raises(AssertionError, match=message):
        check_laws([law()], ELASTIC)


def test_variables_that_the_state_does_not_have_are_named():
    law = type("Law", (Plasticity,), {"variables": {"plastic_strain": 6}})
    with pytest.raises(AssertionError, match="Law.variables"):
        check_laws([law(0.1)], ELASTIC)


@pytest.mark.parametrize("name", NAMES)
def test_tangent_is_symmetric_and_not_negative(name, rng):
    material, rows, *rest = loaded(name, rng, points=12)
    tangent = material.respond(StrainStep(rows, *rest, DT, np.float64)).tangent
    columns = [tangent.apply(np.tile(e[:, None], 12)) for e in np.eye(6)]
    D = np.moveaxis(np.array(columns), 2, 0)
    scale = np.abs(D).max()
    np.testing.assert_allclose(D, np.swapaxes(D, 1, 2), atol=1e-13 * scale)
    assert np.linalg.eigvalsh(D).min() > -1e-13 * scale


@pytest.mark.parametrize("name", NAMES)
def test_response_turns_with_the_strain(name, rng):
    material, rows, strain, before, state = loaded(name, rng)
    Q = mandel_rotation(Rotation.random(rng=rng).as_matrix())

    def turned(a):
        # tensors have six components each, scalars come last
        tensors = len(a) // 6
        blocks = [Q @ a[6 * i : 6 * i + 6] for i in range(tensors)]
        return np.concatenate([*blocks, a[6 * tensors :]])

    here = material.respond(StrainStep(rows, strain, before, state, DT))
    fields = (turned(a) for a in (strain, before, state))
    there = material.respond(StrainStep(rows, *fields, DT))
    scale = np.abs(here.stress).max()
    np.testing.assert_allclose(there.stress, turned(here.stress), atol=1e-12 * scale)
    if len(state):
        np.testing.assert_allclose(there.state, turned(here.state), atol=1e-14)


@pytest.mark.parametrize("name", ["plasticity", "viscoelasticity", "creep"])
def test_anisotropic_stiffness_and_pores_are_refused(name):
    for stiffness in (cubic(C11=204.6, C12=137.7, C44=126.2), np.zeros((6, 6))):
        with pytest.raises(InputError, match=f"{name} with a stiffness"):
            make(LAWS[name][:1], stiffness)


@pytest.mark.parametrize(
    "law, entry, message",
    [
        (Plasticity, dict(yield_stress=0.0), "yield_stress = 0.0: expected a pos"),
        (Plasticity, dict(yield_stress=1.0, hardening=-2.0), "hardening = -2.0"),
        (Plasticity, dict(yield_stress=1.0, saturation_stress=1.0), "expected both"),
        (Viscoelasticity, dict(relaxation_times=-1.0, shear_fractions=0.5), "times"),
        (
            Viscoelasticity,
            dict(relaxation_times=[1.0, 2.0], shear_fractions=[0.5]),
            "expected 2 numbers",
        ),
        (
            Viscoelasticity,
            dict(relaxation_times=[1.0, 2.0], shear_fractions=[0.5, 0.6]),
            "sum of at most 1",
        ),
        (Creep, dict(rate0=1.0, stress0=1.0, exponent=0.5), "exponent = 0.5"),
        (Creep, dict(rate0=-1.0, stress0=1.0, exponent=2.0), "rate0 = -1.0"),
        (
            Norton,
            dict(bulk=1.0, stress0=1.0, rate0=1.0, exponent=2.0, linear_below=2.0),
            "linear_below = 2.0",
        ),
        (Norton, dict(stress0=1.0, rate0=1.0, exponent=2.0), "bulk missing"),
    ],
)
def test_bad_constants_are_refused_in_one_line(law, entry, message):
    with pytest.raises(InputError, match=message) as error:
        law.parse(entry, "phase 3")
    assert str(error.value).startswith("phase 3: ") and "\n" not in str(error.value)
